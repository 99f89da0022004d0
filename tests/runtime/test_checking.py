"""The monitor: it is silent where code and model agree, and finds every change to the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.checking import CheckingError, Monitor, Violation
from runtime.contract import Effects, Role
from runtime.faults import DEFAULT_FAULTS, Faults, Latency
from runtime.membership import make_cluster
from runtime.simulator import simulate
from runtime.step import Crash, Step
from tests.runtime.building import (
    ALL_CONSTRUCTS,
    PAXOS,
    PAXOS_SIZES,
    SPECS,
    TWO_PHASE_COMMIT,
    model_of,
    module_of,
)

FLAWED = SPECS / "flawed"


def first_violation(
    spec: Path,
    changes: tuple[tuple[str, str], ...] = (),
    *,
    seeds: range,
    sizes: dict[str, int] | None = None,
    model: Path | None = None,
    **options: Any,
) -> Violation | None:
    module = module_of(spec, changes)
    cluster = make_cluster(module, sizes)
    monitor = Monitor(model_of(model or spec), **options)
    for seed in seeds:
        simulate(module, cluster, seed, steps=200, observer=monitor)
        if monitor.violations:
            return monitor.violations[0]
    return None


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (PAXOS, PAXOS_SIZES),
        (PAXOS, {"Proposer": 1, "Acceptor": 1, "Learner": 1}),
        (PAXOS, {"Proposer": 2, "Acceptor": 4, "Learner": 1}),
        (TWO_PHASE_COMMIT, {}),
        (TWO_PHASE_COMMIT, {"Participant": 1}),
        (ALL_CONSTRUCTS, {"f": 1, "spare": 1}),
    ],
)
def test_generated_code_takes_the_steps_of_its_model(spec: Path, sizes: dict[str, int]) -> None:
    assert first_violation(spec, seeds=range(10), sizes=sizes) is None


MUTANTS = [
    # A guard is weaker, or gone.
    (PAXOS, "ballot > self.promised", "ballot >= self.promised"),
    (PAXOS, "if number != self.ballot:", "if False:"),
    # A guard is stronger.
    (PAXOS, "ballot >= self.promised", "ballot > self.promised"),
    # A quorum is too small.
    (PAXOS, "2 * len(self.promises) >", "4 * len(self.promises) >"),
    # Something is not made durable, or made durable and not done.
    (PAXOS, 'persist(Write("promised", (), self.promised)),', ""),
    (PAXOS, 'persist(Write("decided", (), self.decided)), ', ""),
    (TWO_PHASE_COMMIT, "self.in_doubt.add(transaction)", "pass"),
    # A variable is not changed, or changed otherwise.
    (PAXOS, "self.highest = voted", "pass"),
    (PAXOS, "self.state = ProposerState.PROPOSING", "pass"),
    # A message has another content, goes to too few, or is another.
    (PAXOS, "Prepare(fresh)", "Prepare(BALLOT_ZERO)"),
    (PAXOS, "cluster.acceptor, Accept(", "cluster.acceptor[1:], Accept("),
    (TWO_PHASE_COMMIT, " Yes(transaction)", " No(transaction)"),
    (TWO_PHASE_COMMIT, " DoAbort(transaction)", " DoCommit(transaction)"),
    # A pick that the model excludes.
    (PAXOS, "Ballot(self.ballot.number + 1, self.id)", "Ballot(self.ballot.number, self.id)"),
    (
        PAXOS,
        "Ballot(self.ballot.number + 1, self.id)",
        "Ballot(self.ballot.number + 1, self.cluster.proposer[0])",
    ),
]


@pytest.mark.parametrize(("spec", "old", "new"), MUTANTS)
def test_a_change_to_the_code_is_a_mismatch(spec: Path, old: str, new: str) -> None:
    violation = first_violation(spec, ((old, new),), seeds=range(60))
    assert violation is not None
    assert violation.kind == "mismatch"
    assert violation.detail


def test_an_output_that_the_model_does_not_make() -> None:
    violation = first_violation(
        ALL_CONSTRUCTS,
        (("Tell(Acquired(lease))", "Disarm(RetryTimer(lease))"),),
        seeds=range(60),
        sizes={"f": 1, "spare": 1},
    )
    assert violation is not None
    assert violation.kind == "mismatch"
    assert violation.detail.startswith("Client.on_grant: the model records")


UNLUCKY = Faults(latency=Latency(500, 100_000), crash_interval=60, down_range=(5, 30))
"""Messages as slow as the retries of proposers, and many short crashes."""


@pytest.mark.parametrize(
    ("name", "sizes", "faults", "seeds"),
    [
        ("two_phase_commit_majority", {}, DEFAULT_FAULTS, 20),
        ("paxos_deaf_proposer", {}, DEFAULT_FAULTS, 20),
        ("paxos_half_quorum", {"Acceptor": 4, "Proposer": 2, "Learner": 2}, UNLUCKY, 400),
        ("paxos_volatile_promise", {"Proposer": 2, "Learner": 2}, UNLUCKY, 400),
    ],
)
def test_a_flawed_protocol_is_unsafe(
    name: str, sizes: dict[str, int], faults: Faults, seeds: int
) -> None:
    """Code and model agree, and both are wrong: that is the properties' to find."""
    spec = FLAWED / f"{name}.accord"
    model, module = model_of(spec), module_of(spec)
    monitor = Monitor(model, invariants=False)
    for seed in range(seeds):
        simulate(
            module,
            make_cluster(module, sizes),
            seed,
            steps=200,
            faults=faults,
            observer=monitor,
        )
        if monitor.violations:
            break
    assert monitor.violations
    safety = {prop.name for prop in model.properties if prop.kind == "safety"}
    assert monitor.violations[0].kind == "property"
    assert monitor.violations[0].name in safety


def test_at_the_end_is_enough_where_nothing_is_undone() -> None:
    spec = FLAWED / "two_phase_commit_majority.accord"
    violation = first_violation(spec, seeds=range(20), check="end", invariants=False)
    assert violation is not None
    assert violation.name in ("agreement", "unanimity")


def test_a_module_of_another_protocol_is_refused() -> None:
    module = module_of(PAXOS)
    monitor = Monitor(model_of(TWO_PHASE_COMMIT))
    with pytest.raises(CheckingError, match="Paxos is not the model's TwoPhaseCommit"):
        simulate(module, make_cluster(module), 1, observer=monitor)


def test_details_name_the_place() -> None:
    violation = first_violation(PAXOS, (("self.highest = voted", "pass"),), seeds=range(60))
    assert violation is not None
    assert violation.name == "Proposer.deliver"
    assert "Proposer.highest(p" in violation.detail
    assert "the code has" in violation.detail


class Thorough(Monitor):
    """After each step that was compared by its changes, compares everything."""

    def after(self, step: Step, code: Role, effects: Effects | None) -> bool:
        stop = super().after(step, code, effects)
        if not stop and not isinstance(step, Crash):
            rows = self._abstraction.rows(code)
            assert self._node_difference(code, rows, self.structure) is None
        return stop


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (PAXOS, PAXOS_SIZES),
        (TWO_PHASE_COMMIT, {}),
        (ALL_CONSTRUCTS, {"f": 1, "spare": 1}),
        (SPECS / "raft.accord", {}),
        (SPECS / "map_reduce.accord", {}),
    ],
    ids=["paxos", "two_phase_commit", "all_constructs", "raft", "map_reduce"],
)
def test_what_is_equal_in_its_changes_is_equal(spec: Path, sizes: dict[str, int]) -> None:
    module = module_of(spec)
    monitor = Thorough(model_of(spec), check="end", invariants=False)
    for seed in range(3):
        cluster = make_cluster(module, sizes)
        simulate(module, cluster, seed, steps=150, observer=monitor)
        assert monitor.violations == []
