"""The simulator, with nothing but its faults, meets what is wrong with each wrong twin.

The same clusters of the correct specs are clean under the same faults. Only safety counts as
wrong here: an invariant of a wrong protocol often fails long before anybody would notice.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.emit import emit
from runtime.campaign import Plan, reproduce, run_campaign
from runtime.checking import Monitor
from runtime.load import load
from runtime.membership import make_cluster
from runtime.replay import replay
from runtime.schedule import dumps, loads
from runtime.simulator import simulate
from tests.flawed.cases import CASES, STEPS, Case, compiled, module

SEEDS = 10_000
CLEAN_SEEDS = 1_000
FEW_SEEDS = 25


def plan_for(spec: Path, case: Case, directory: Path, seeds: int, invariants: bool) -> Plan:
    one = compiled(spec)
    path = directory / f"{spec.stem}.py"
    path.write_text(emit(one.protocol, spec_path=spec.name, proved=False))
    return Plan(
        str(path),
        case.sizes if spec == case.path else case.twin_sizes,
        seeds=seeds,
        steps=STEPS,
        model=one.model,
        invariants=invariants,
        jobs=2,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.unsafe and not c.rare], ids=lambda case: case.name
)
def test_a_flawed_spec_is_caught(case: Case, tmp_path: Path) -> None:
    plan = plan_for(case.path, case, tmp_path, SEEDS, invariants=False)
    found = run_campaign(plan).first
    assert found is not None, f"{case.name} was not caught in {SEEDS} seeds"
    model = compiled(case.path).model
    assert found.violation.kind == "property"
    assert found.violation.name in {p.name for p in model.properties if p.kind == "safety"}

    # What was shrunk from it breaks the same property, in its last step.
    reproduced = reproduce(plan, found.seed)
    assert reproduced is not None
    assert reproduced.violation == found.violation
    schedule = reproduced.shrunk.schedule
    monitor = Monitor(model, invariants=False)
    code = load(plan.module)
    replay(code, loads(code, dumps(code, schedule)), monitor)
    assert found.violation.name in {v.name for v in monitor.violations}
    assert monitor.step == len(schedule.steps)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_correct_spec_is_clean(case: Case, tmp_path: Path) -> None:
    plan = plan_for(case.twin_path, case, tmp_path, CLEAN_SEEDS, invariants=True)
    result = run_campaign(plan)
    assert result.found == ()
    assert result.seeds == CLEAN_SEEDS
    assert result.reached > CLEAN_SEEDS // 2  # it is not clean because nothing happens


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_few_seeds_of_the_correct_spec_are_clean(case: Case) -> None:
    code = module(case.twin_path)
    monitor = Monitor(compiled(case.twin_path).model)
    decided = 0
    for seed in range(FEW_SEEDS):
        run = simulate(
            code, make_cluster(code, case.twin_sizes), seed, steps=STEPS, observer=monitor
        )
        assert monitor.violations == []
        decided += bool(run.outputs)
    assert decided > FEW_SEEDS // 2
