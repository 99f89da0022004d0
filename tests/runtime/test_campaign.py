"""Campaigns in worker processes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.campaign import CampaignResult, Plan, Progress, reproduce, run_campaign
from runtime.load import LoadError, load
from runtime.membership import ClusterError
from runtime.replay import replay
from runtime.schedule import dumps, loads
from tests.runtime.building import SPECS, TWO_PHASE_COMMIT, model_of, module_path

MAJORITY = SPECS / "flawed" / "two_phase_commit_majority.accord"


def comparable(result: CampaignResult) -> CampaignResult:
    return replace(result, seconds=0.0, busy=0.0)


def test_a_campaign_adds_up_its_runs() -> None:
    seen: list[Progress] = []
    plan = Plan(
        str(module_path(TWO_PHASE_COMMIT)),
        seeds=20,
        steps=100,
        model=model_of(TWO_PHASE_COMMIT),
        repeat=0.5,
        jobs=2,
    )
    result = run_campaign(plan, seen.append)
    assert result.found == ()
    assert result.first is None
    assert (result.seeds, result.repeated, result.steps) == (20, 10, 2000)
    assert result.reached > 10
    assert result.outputs["Decided"] > 20
    assert result.steps_per_second > 0
    assert seen[-1] == Progress(20, 20, 2000, 0)
    alone = run_campaign(replace(plan, jobs=1))
    assert comparable(alone) == comparable(result)


def test_the_smallest_seed_with_a_violation_is_found_and_shrunk() -> None:
    path = module_path(MAJORITY)
    plan = Plan(
        str(path), seeds=40, steps=200, model=model_of(MAJORITY), invariants=False, repeat=0, jobs=2
    )
    result = run_campaign(plan)
    assert result.first is not None
    assert result.first.violation.name in ("agreement", "unanimity")
    complete = run_campaign(replace(plan, stop_early=False))
    assert complete.first == result.first
    assert complete.seeds == 40
    reproduced = reproduce(plan, result.first.seed)
    assert reproduced is not None
    assert reproduced.violation == result.first.violation
    assert reproduced.shrunk.minimal
    steps = reproduced.shrunk.schedule.steps
    assert len(steps) <= 8
    module = load(path)
    again = loads(module, dumps(module, reproduced.shrunk.schedule))
    assert replay(module, again).taken == steps


def test_an_order_that_depends_on_hashes_is_found() -> None:
    """The sets of a restarted node come in the order of their hashes in this mutant."""
    leak = ("in sorted(self.in_doubt, key=repr)", "in self.in_doubt")
    path = module_path(TWO_PHASE_COMMIT, [leak])
    plan = Plan(str(path), seeds=24, steps=400, repeat=1.0, jobs=2)
    result = run_campaign(plan)
    assert result.first is not None
    assert result.first.violation.kind == "nondeterminism"
    assert "of the same seed" in result.first.violation.detail


def test_what_the_code_raises_is_a_finding() -> None:
    path = module_path(TWO_PHASE_COMMIT, [("self.open.add(transaction)", "raise KeyError('open')")])
    plan = Plan(str(path), seeds=4, steps=100, model=model_of(TWO_PHASE_COMMIT), repeat=0)
    result = run_campaign(plan)
    assert result.first is not None
    assert reproduce(plan, result.first.seed) is None
    assert result.first.violation.detail == "the code raised KeyError: 'open'"


def test_a_plan_that_cannot_be_run() -> None:
    with pytest.raises(LoadError):
        run_campaign(Plan("no/such/module.py"))
    with pytest.raises(ClusterError):
        run_campaign(Plan(str(module_path(TWO_PHASE_COMMIT)), {"Learner": 1}))
