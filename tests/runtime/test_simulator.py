"""The simulator: one seed decides everything, and each fault does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from runtime.contract import Effects, Message, Module, NodeId, Role
from runtime.digest import digest, lines
from runtime.faults import DEFAULT_FAULTS, NO_FAULTS, Faults, weather
from runtime.membership import make_cluster
from runtime.record import Duplicated, Lost, Partitioned, Taken
from runtime.simulator import Run, simulate
from runtime.step import Crash, Deliver, Recover, Restart, Step
from runtime.workload import Arrival
from tests.runtime.building import (
    ALL_CONSTRUCTS,
    PAXOS,
    PAXOS_SIZES,
    TWO_PHASE_COMMIT,
    module_of,
    module_path,
)

SPECS = {"paxos": PAXOS, "two_phase_commit": TWO_PHASE_COMMIT, "all": ALL_CONSTRUCTS}


def cluster_of(module: Module) -> Any:
    return make_cluster(module, {"f": 1, "spare": 1} if module.PROTOCOL == "Leases" else {})


def run(name: str, seed: int, **options: Any) -> tuple[Module, Run]:
    module = module_of(SPECS[name])
    return module, simulate(module, cluster_of(module), seed, **{"steps": 400, **options})


@pytest.mark.parametrize("name", SPECS)
def test_a_seed_decides_everything(name: str) -> None:
    module, first = run(name, 7, record=True)
    _, second = run(name, 7, record=True)
    _, other = run(name, 8, record=True)
    assert lines(module, first) == lines(module, second)
    assert lines(module, first) != lines(module, other)


class Watcher:
    """An observer that counts what it is told."""

    def __init__(self) -> None:
        self.steps = 0

    def begin(self, module: Module, cluster: Any, code: Any) -> None:
        pass

    def before(self, step: Step, code: Role) -> None:
        pass

    def permits(self, step: Step) -> bool:
        return True

    def after(self, step: Step, code: Role, effects: Effects | None) -> bool:
        self.steps += 1
        return self.steps == 50

    def end(self) -> None:
        pass


@pytest.mark.parametrize("name", SPECS)
def test_to_record_changes_nothing(name: str) -> None:
    _, plain = run(name, 3)
    _, recorded = run(name, 3, record=True)
    assert plain.outputs == recorded.outputs
    assert (plain.steps, plain.ignored, plain.time) == (
        recorded.steps,
        recorded.ignored,
        recorded.time,
    )
    assert plain.faults == recorded.faults


def test_an_observer_may_stop_a_run() -> None:
    watcher = Watcher()
    _, stopped = run("paxos", 3, observer=watcher, record=True)
    assert watcher.steps == 50
    assert sum(isinstance(record, Taken) for record in stopped.records) == 50


SCRIPT = """
import sys
from runtime.digest import digest, lines
from runtime.load import load
from runtime.membership import make_cluster
from runtime.simulator import simulate
module = load(sys.argv[1])
run = simulate(module, make_cluster(module), 11, steps=400, record=True)
print(digest(lines(module, run)))
"""


def test_another_process_with_other_hashes_runs_the_same() -> None:
    path = module_path(TWO_PHASE_COMMIT)
    module, here = run("two_phase_commit", 11, record=True)
    environment = os.environ | {"PYTHONHASHSEED": "4711"}
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == digest(lines(module, here))


def test_without_faults_everything_arrives_once() -> None:
    _, result = run("paxos", 1, faults=NO_FAULTS, record=True, steps=2000)
    assert not any(result.faults.values())
    sent: Counter[Any] = Counter()
    for record in result.records:
        assert isinstance(record, Taken)
        if isinstance(record.step, Deliver):
            key = (record.step.sender, record.step.node, record.step.message)
            sent[key] -= 1
            assert sent[key] >= 0
        for effect in record.effects or ():
            if type(effect).__name__ == "Send":
                key = (record.step.node, effect.receiver, effect.message)  # type: ignore[attr-defined]
                sent[key] += 1
    assert result.outputs


def test_each_fault_happens() -> None:
    _, result = run("paxos", 1, faults=replace(DEFAULT_FAULTS, swarm=False), steps=5000)
    assert all(result.faults.values())


@pytest.mark.parametrize(
    ("faults", "kinds"),
    [
        (Faults(loss=0.2), {"lost"}),
        (Faults(duplication=0.2), {"duplicated"}),
        (Faults(delay=0.2), {"delayed"}),
        (Faults(partition_interval=200), {"partitions", "cut"}),
        (Faults(crash_interval=100), {"crashes", "down"}),
        (Faults(crash_interval=100, torn=1.0), {"crashes", "down", "torn"}),
    ],
)
def test_a_fault_alone(faults: Faults, kinds: set[str]) -> None:
    _, result = run("paxos", 2, faults=faults, steps=3000)
    assert {kind for kind, count in result.faults.items() if count} == kinds


def test_partitions_and_duplicates_are_recorded() -> None:
    faults = Faults(partition_interval=100, duplication=0.1)
    _, result = run("paxos", 2, faults=faults, steps=1000, record=True)
    kinds = {type(record) for record in result.records}
    assert {Partitioned, Duplicated, Lost} <= kinds


def test_a_crash_keeps_what_is_durable_and_loses_the_rest() -> None:
    """Every restarted acceptor has what it wrote before, every learner no votes."""
    module, result = run("paxos", 5, faults=Faults(crash_interval=50), steps=3000, record=True)
    durable: dict[tuple[NodeId, str], object] = {}
    restarts = 0
    for record in result.records:
        if not isinstance(record, Taken):
            continue
        restarts += isinstance(record.step, Restart)
        for effect in record.effects or ():
            if isinstance(effect, module.Persist):
                for write in effect.writes:
                    durable[record.step.node, write.variable] = write.value
    assert restarts > 10
    for node, code in result.nodes.items():
        if code is not None and code.ROLE == "Acceptor":
            for variable in ("promised", "accepted"):
                known = durable.get((node, variable))
                assert known is None or getattr(code, variable) == known


def test_a_torn_step_persists_and_sends_nothing() -> None:
    faults = Faults(crash_interval=50, torn=1.0)
    module, result = run("paxos", 6, faults=faults, steps=2000, record=True)
    records = result.records
    torn = 0
    for index, record in enumerate(records):
        if not isinstance(record, Taken) or not isinstance(record.step, Crash):
            continue
        if record.step.point != "after persist":
            continue
        torn += 1
        before = index - 1
        lost = []
        while isinstance(lost_record := records[before], Lost):
            assert lost_record.reason == "crash"
            lost.append(lost_record.message)
            before -= 1
        step = records[before]
        assert isinstance(step, Taken)
        assert step.step.node == record.step.node
        sends = [e.message for e in step.effects or () if isinstance(e, module.Send)]
        assert lost[::-1] == sends
    assert torn > 5


def test_recovery_follows_a_restart_at_once() -> None:
    _, result = run("two_phase_commit", 4, faults=Faults(crash_interval=50), record=True)
    steps = result.schedule.steps
    restarts = [index for index, step in enumerate(steps) if isinstance(step, Restart)]
    assert restarts
    for index in restarts:
        assert steps[index + 1] == Recover(steps[index].node)


def test_a_role_that_never_crashes_does_not() -> None:
    module, result = run("all", 1, faults=Faults(crash_interval=20), record=True, steps=2000)
    crashed = {step.node for step in result.schedule.steps if isinstance(step, Crash)}
    assert {"Client"} == module.NEVER_CRASHES
    assert crashed
    assert not any(node.startswith("c") for node in crashed)


def test_the_duration_ends_a_run() -> None:
    _, result = run("paxos", 1, duration=500, steps=10**6)
    assert 0 < result.time <= 500_000


def test_answers_are_recorded_and_any() -> None:
    _, result = run("two_phase_commit", 1, record=True)
    answers = {
        step.answers for step in result.schedule.steps if isinstance(step, Deliver) and step.answers
    }
    assert answers == {(("can_commit", True),), (("can_commit", False),)}


class OneRequest:
    """A workload of one request."""

    def __init__(self, module: Module) -> None:
        self.requests = [Arrival(1000, "p1", module.REQUESTS["Propose"]("mine"))]

    def next(self, random: Random) -> Arrival | None:
        return self.requests.pop() if self.requests else None


class AlwaysNo:
    """An application that refuses."""

    def answer(self, node: NodeId, name: str, question: Message, random: Random) -> object:
        return False


def test_workload_and_application_can_be_given() -> None:
    module = module_of(PAXOS)
    result = simulate(
        module, make_cluster(module), 1, faults=NO_FAULTS, workload=OneRequest(module), steps=200
    )
    assert {told.output.value for told in result.outputs} == {"mine"}  # type: ignore[attr-defined]
    module = module_of(TWO_PHASE_COMMIT)
    result = simulate(module, make_cluster(module), 1, application=AlwaysNo(), steps=500)
    names = {type(told.output).__name__ for told in result.outputs}
    assert names == {"Decided", "Finished"}
    for told in result.outputs:
        value = getattr(told.output, "decision", None) or told.output.status  # type: ignore[attr-defined]
        assert value.value in ("Abort", "Aborted")


def test_constants_are_drawn_or_given() -> None:
    module = module_of(ALL_CONSTRUCTS)
    cluster = cluster_of(module)
    given = {"s1": {"site": "here"}}
    result = simulate(module, cluster, 1, constants=given, steps=10, faults=NO_FAULTS)
    sites = {node: code.site for node, code in result.nodes.items() if node.startswith("s")}  # type: ignore[union-attr]
    assert sites["s1"] == "here"
    assert sites["s2"].startswith("s")
    assert result.schedule.constants["s1"] == {"site": "here"}


def test_weather_differs_from_run_to_run() -> None:
    runs = {weather(DEFAULT_FAULTS, Random(seed)) for seed in range(50)}
    assert len(runs) > 40
    assert any(faults.loss == 0 for faults in runs)
    assert not any(faults.swarm for faults in runs)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"loss": -0.1}, "`loss` is not a probability"),
        ({"loss": 0.5, "duplication": 0.5}, "leave no message untouched"),
        ({"skew": 1.0}, "`skew` is not"),
        ({"down_range": (0, 10)}, "`down_range` is not a range"),
        ({"delay_range": (20, 10)}, "`delay_range` is not a range"),
        ({"crash_interval": -1}, "an interval is negative"),
    ],
)
def test_faults_out_of_range_are_refused(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Faults(**wrong)


def test_faults_can_be_turned_off() -> None:
    assert DEFAULT_FAULTS.without("crash", "loss") == replace(
        DEFAULT_FAULTS, crash_interval=0, loss=0
    )


def test_sizes_may_be_chosen() -> None:
    module = module_of(PAXOS)
    assert simulate(module, make_cluster(module, PAXOS_SIZES), 1, steps=100).steps == 100
