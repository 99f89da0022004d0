"""Each wrong twin is refuted by an execution, and that execution runs on its own code."""

from __future__ import annotations

import pytest

from compiler.command.execution import schedule_of
from compiler.model.system import Model
from compiler.prove.verdict import PropertyResult, Reachable
from compiler.prove.verify import VerifyOptions, verify
from runtime.checking import Monitor
from runtime.replay import replay
from runtime.schedule import dumps, loads
from tests.flawed.cases import CASES, SPECS, Case, compiled, module


def result_on(model: Model, name: str) -> PropertyResult:
    """Verify the property of that name and all invariants; return the result on it.

    Without the other safety properties: where one of these holds all the same, the search for
    an execution that breaks it takes all the time that it is given.
    """
    others = {p.name for p in model.properties if p.kind == "safety"} - {name}
    only = tuple(p.name for p in model.properties if p.name not in others)
    report = verify(model, VerifyOptions(only=only, search_seconds=120.0))
    assert report.status == "refuted"
    return next(result for result in report.properties if result.property.name == name)


def blocked(model: Model, case: Case) -> Reachable:
    """Verify the `possible` property; return the execution after which it is out of reach."""
    report = verify(model, VerifyOptions(only=(case.breaks,)))
    assert report.status == "refuted"
    (execution,) = report.executions
    return execution


def test_every_flawed_spec_is_a_case() -> None:
    assert {case.path for case in CASES} == set((SPECS / "flawed").glob("*.accord"))


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c.name, marks=[pytest.mark.slow] if c.long else []) for c in CASES],
)
def test_it_is_refuted_by_an_execution_of_the_code(case: Case) -> None:
    """One test, since what takes time is the proof."""
    code, model = module(case.path), compiled(case.path).model
    execution = result_on(model, case.breaks).execution if case.unsafe else blocked(model, case)
    assert isinstance(execution, Reachable)
    assert execution.name == case.breaks
    trace = execution.trace

    schedule = schedule_of(model, trace, code)
    assert schedule is not None
    monitor = Monitor(model, invariants=False)
    played = replay(code, loads(code, dumps(code, schedule)), monitor)

    # Every step was one of the code and of the model, and the last one breaks the property.
    assert played.ignored == ()
    assert played.skipped == ()
    assert len(played.taken) == len(schedule.steps) == monitor.step
    if not case.unsafe:
        assert monitor.violations == []
        return
    assert {violation.kind for violation in monitor.violations} == {"property"}
    assert {violation.step for violation in monitor.violations} == {len(schedule.steps)}
    assert case.breaks in [violation.name for violation in monitor.violations]

    # The solver's last state and the code's hold equally many facts of each kind; the names of
    # ordered values differ.
    for symbol, rows in trace.states[-1].relations.items():
        if symbol.mutable:
            assert len(rows) == len(monitor.structure.relations[symbol]), symbol.name
