"""Replays: exactly the steps of a schedule, or a reason why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.checking import Monitor
from runtime.contract import Module
from runtime.membership import make_cluster
from runtime.replay import ReplayError, replay
from runtime.schedule import Schedule, loads, schedule_for
from runtime.simulator import simulate
from runtime.step import Crash, Deliver, Request, Restart, Step, Timeout
from tests.runtime.building import PAXOS, TWO_PHASE_COMMIT, model_of, module_of


def example() -> tuple[Module, Schedule]:
    module = module_of(PAXOS)
    return module, loads(module, (Path(__file__).parent / "agreement.json").read_text())


def test_a_schedule_written_by_hand() -> None:
    module, schedule = example()
    monitor = Monitor(model_of(PAXOS))
    result = replay(module, schedule, monitor)
    assert monitor.violations == []
    assert result.taken == schedule.steps
    assert [(told.node, told.output) for told in result.outputs] == [
        ("l1", module.OUTPUTS["Decided"]("v0"))
    ]
    learner: Any = result.nodes["l1"]
    assert learner.decided == "v0"


def state(code: Any) -> dict[str, object]:
    return {name: getattr(code, attribute) for name, attribute in code.VARIABLES.items()}


@pytest.mark.parametrize("spec", [PAXOS, TWO_PHASE_COMMIT])
def test_a_recorded_run_replays_to_the_same_states(spec: Path) -> None:
    module = module_of(spec)
    for seed in range(10):
        run = simulate(module, make_cluster(module), seed, steps=300, record=True)
        again = replay(module, run.schedule)
        assert again.skipped == ()
        assert again.nodes.keys() == run.nodes.keys()
        for node, code in run.nodes.items():
            other = again.nodes[node]
            assert (code is None) == (other is None)
            if code is not None:
                assert state(code) == state(other)


def test_what_is_impossible_is_refused_with_its_place() -> None:
    module, schedule = example()
    prepare = module.MESSAGES["Prepare"](module.ORDEREDS["Ballot"])
    cases: list[tuple[tuple[Step, ...], str]] = [
        ((Deliver("a1", "p1", prepare),), "step 1: p1 never sent Prepare"),
        ((Crash("a1"), Crash("a1")), "step 2: a1 is down"),
        ((Crash("p1"), Request("p1", module.REQUESTS["Propose"]("v0"))), "step 2: p1 is down"),
        ((Restart("a1"),), "step 1: a1 is not down"),
    ]
    for steps, problem in cases:
        with pytest.raises(ReplayError, match=problem):
            replay(module, schedule.with_steps(steps))


def test_what_is_impossible_can_be_skipped() -> None:
    module, schedule = example()
    steps = (Restart("a1"), *schedule.steps[1:3], schedule.steps[0])
    result = replay(module, schedule.with_steps(steps), skip_impossible=True)
    assert result.skipped == (0, 1, 2)
    assert result.taken == (schedule.steps[0],)


def test_a_message_may_come_twice_and_an_unarmed_timer_fire() -> None:
    module, schedule = example()
    request, prepare, *_ = schedule.steps
    timeout = Timeout("p2", module.TIMERS["Proposer", "retry"]())
    result = replay(module, schedule.with_steps((request, prepare, prepare, timeout)))
    assert result.ignored == (2, 3)


def test_a_question_needs_an_answer() -> None:
    module = module_of(TWO_PHASE_COMMIT)
    begin = Request("c1", module.REQUESTS["Begin"]("t0"))
    prepare = Deliver("p1", "c1", module.MESSAGES["Prepare"]("t0"))
    schedule = schedule_for(module, make_cluster(module), (begin, prepare))
    with pytest.raises(ReplayError, match="step 2: p1 asks `can_commit`"):
        replay(module, schedule)
    answered = replace(prepare, answers=(("can_commit", True),))
    result = replay(module, schedule.with_steps((begin, answered)))
    participant: Any = result.nodes["p1"]
    assert participant.in_doubt == {"t0"}
