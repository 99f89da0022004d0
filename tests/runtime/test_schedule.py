"""Schedules as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.membership import make_cluster
from runtime.schedule import ScheduleError, dumps, loads
from runtime.simulator import simulate
from tests.runtime.building import ALL_CONSTRUCTS, PAXOS, TWO_PHASE_COMMIT, module_of

EXAMPLE = (Path(__file__).parent / "agreement.json").read_text()


@pytest.mark.parametrize("spec", [PAXOS, TWO_PHASE_COMMIT, ALL_CONSTRUCTS])
def test_a_recorded_schedule_reads_back(spec: Path) -> None:
    module = module_of(spec)
    cluster = make_cluster(module, {"f": 1, "spare": 1} if spec == ALL_CONSTRUCTS else {})
    for seed in range(5):
        schedule = simulate(module, cluster, seed, steps=300, record=True).schedule
        assert loads(module, dumps(module, schedule)) == schedule


def test_text_is_kept_word_for_word() -> None:
    module = module_of(PAXOS)
    assert dumps(module, loads(module, EXAMPLE)) == EXAMPLE


def change(**changes: Any) -> str:
    return json.dumps(json.loads(EXAMPLE) | changes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "a schedule is a JSON object"),
        (change(protocol="Raft"), "for 'Raft', the module is 'Paxos'"),
        (change(cluster={"Proposer": ["p1"]}), "`Acceptor` needs a list"),
        (
            change(cluster={"Proposer": ["x"], "Acceptor": ["x"], "Learner": ["l"]}),
            "name is used twice",
        ),
        (change(steps=[{"step": "jump", "node": "p1"}]), "step 1: 'jump' is not a step"),
        (change(steps=[{"step": "start", "node": "p9"}]), "step 1: no node is called 'p9'"),
        (
            change(steps=[{"step": "crash", "node": "p1", "point": "never"}]),
            "step 1: a crash's point is one of idle, before persist, after persist",
        ),
        (
            change(steps=[{"step": "timeout", "node": "a1", "timer": {"retry": []}}]),
            "step 1: nothing here is called `retry`",
        ),
        (
            change(steps=[{"step": "request", "node": "p1", "request": {"Propose": []}}]),
            "step 1: `Propose` has 1 fields, not 0",
        ),
        (
            change(steps=[{"step": "deliver", "from": "z", "to": "a1", "message": {}}]),
            "step 1: no node is called 'z'",
        ),
    ],
)
def test_mistakes_are_said(text: str, problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        loads(module_of(PAXOS), text)
