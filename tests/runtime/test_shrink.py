"""Shrinking schedules."""

from __future__ import annotations

from runtime.checking import Monitor
from runtime.faults import NO_FAULTS
from runtime.membership import make_cluster
from runtime.replay import replay
from runtime.schedule import Schedule, schedule_for
from runtime.shrink import shrink
from runtime.simulator import simulate
from runtime.step import Start, Step
from tests.runtime.building import PAXOS, model_of, module_of

EMPTY = Schedule("Test", "", None)


def wanted(*names: str) -> Schedule:
    return EMPTY.with_steps(tuple(Start(name) for name in names))


def test_only_what_is_needed_stays() -> None:
    def attempt(schedule: Schedule) -> tuple[Step, ...] | None:
        present = {step.node for step in schedule.steps}
        return schedule.steps if {"n3", "n17", "n80"} <= present else None

    shrunk = shrink(wanted(*(f"n{number}" for number in range(100))), attempt)
    assert [step.node for step in shrunk.schedule.steps] == ["n3", "n17", "n80"]
    assert shrunk.minimal
    assert shrunk.replays < 100


def test_what_an_attempt_skips_is_gone() -> None:
    def attempt(schedule: Schedule) -> tuple[Step, ...] | None:
        return tuple(s for s in schedule.steps if s.node == "b") or None

    shrunk = shrink(wanted("a", "b", "a", "b"), attempt)
    assert [step.node for step in shrunk.schedule.steps] == ["b"]


def test_the_number_of_replays_is_bounded() -> None:
    def attempt(schedule: Schedule) -> tuple[Step, ...] | None:
        return schedule.steps if len(schedule.steps) >= 90 else None

    shrunk = shrink(wanted(*(f"n{number}" for number in range(100))), attempt, max_replays=10)
    assert shrunk.replays == 10
    assert not shrunk.minimal


def test_a_schedule_that_does_not_fail_stays() -> None:
    schedule = wanted("a")
    shrunk = shrink(schedule, lambda _: None)
    assert shrunk.schedule is schedule
    assert not shrunk.minimal


def test_a_decision_takes_nine_steps() -> None:
    """The shortest way to a decision with three acceptors, found from a run of 300 steps."""
    module = module_of(PAXOS)
    run = simulate(module, make_cluster(module), 1, faults=NO_FAULTS, steps=300, record=True)

    def attempt(schedule: Schedule) -> tuple[Step, ...] | None:
        result = replay(module, schedule, skip_impossible=True)
        return result.taken[: result.outputs[0].index + 1] if result.outputs else None

    shrunk = shrink(run.schedule, attempt)
    assert shrunk.minimal
    assert len(shrunk.schedule.steps) == 9
    monitor = Monitor(model_of(PAXOS))
    replay(module, schedule_for(module, run.schedule.cluster, shrunk.schedule.steps), monitor)
    assert monitor.violations == []
