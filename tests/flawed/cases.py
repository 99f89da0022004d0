"""The wrong twins, and clusters in which the simulator meets what is wrong with them soon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler.command.front import Compiled, compile_file
from compiler.command.modules import module_of
from runtime.contract import Module

SPECS = Path(__file__).parents[2] / "specs"


@dataclass(frozen=True, slots=True)
class Case:
    """A flawed spec, the correct one that it is a twin of, and a cluster for both.

    `correct_sizes`: those of the correct spec, where they must differ. `breaks`: the safety
    property that an execution must break; or, if not `unsafe`, the `possible` that is out of
    reach for ever at its end. `long`: looking for the execution takes a minute. `rare`: too
    many things must come together for the simulator to meet it by chance.
    """

    name: str
    twin: str
    sizes: Mapping[str, int]
    breaks: str = "agreement"
    unsafe: bool = True
    correct_sizes: Mapping[str, int] | None = None
    long: bool = False
    rare: bool = False

    @property
    def path(self) -> Path:
        """The flawed spec."""
        return SPECS / "flawed" / f"{self.name}.accord"

    @property
    def twin_sizes(self) -> Mapping[str, int]:
        """The cluster of the correct spec."""
        return self.sizes if self.correct_sizes is None else self.correct_sizes

    @property
    def twin_path(self) -> Path:
        """The correct spec."""
        return SPECS / f"{self.twin}.accord"


CASES = (
    Case("paxos_deaf_proposer", "paxos", {"Proposer": 2, "Acceptor": 3, "Learner": 2}),
    # Half of the acceptors is not a majority where their number is even.
    Case("paxos_half_quorum", "paxos", {"Proposer": 2, "Acceptor": 4, "Learner": 2}),
    # One acceptor is a majority: one crash is enough. Of three learners one hears the second
    # decision before the others do, and holds it beside theirs.
    Case("paxos_volatile_promise", "paxos", {"Proposer": 2, "Acceptor": 1, "Learner": 3}),
    Case("two_phase_commit_majority", "two_phase_commit", {"Participant": 3}),
    Case("three_phase_commit_partition", "three_phase_commit", {"Participant": 2}),
    # Safe, but it blocks: no run shows that, since it is about what can happen no more.
    Case("two_phase_commit_blocking", "two_phase_commit", {"Participant": 3}, "decided", False),
    # It agrees, but a split vote stays split.
    Case(
        "textbook_paxos",
        "paxos",
        {"Node": 3},
        "still_learnable",
        False,
        {"Proposer": 2, "Acceptor": 3, "Learner": 2},
    ),
    Case("one_phase_paxos", "paxos", {"Proposer": 2, "Acceptor": 1, "Learner": 3}),
    Case(
        "flexible_paxos_touching_quorums",
        "flexible_paxos",
        {"Proposer": 2, "Acceptor": 2, "Learner": 2, "q1": 1, "q2": 1},
        correct_sizes={"Proposer": 2, "Acceptor": 2, "Learner": 2, "q1": 2, "q2": 1},
    ),
    Case(
        "fast_paxos_majorities",
        "fast_paxos",
        {"Proposer": 2, "Coordinator": 2, "Acceptor": 3, "Learner": 2},
        # Two coordinators break the twin; where all is well they disturb each other.
        correct_sizes={"Proposer": 2, "Coordinator": 1, "Acceptor": 3, "Learner": 3},
    ),
    # As for Paxos: one acceptor is a majority, and of three learners one hears the second decision
    # first.
    Case("multi_paxos_fresh_commands", "multi_paxos", {"Proposer": 2, "Acceptor": 1, "Learner": 3}),
    Case("shard_transfer_two_servers", "shard_transfer", {"Node": 2}, "one_server"),
    Case("map_reduce_both_counted", "map_reduce", {"Worker": 2}, "one_result_of_every_map"),
    Case("lineage_missing_inputs", "lineage", {"Worker": 2}, "all_have_the_same"),
    Case("raft_volatile_vote", "raft", {"Server": 3}, "election_safety"),
    Case("raft_no_up_to_date_check", "raft", {"Server": 3}, "state_machine_safety", long=True),
    Case("raft_truncates_always", "raft", {"Server": 3}, "state_machine_safety", long=True),
    Case("raft_stale_read", "raft", {"Server": 3}, "reads_are_fresh", long=True),
    # Four elections in the right order, among three servers: random runs don't meet it.
    Case(
        "raft_counts_older_terms",
        "raft",
        {"Server": 3},
        "leader_completeness",
        long=True,
        rare=True,
    ),
)
"""Every spec in specs/flawed; a test compares."""

STEPS = 200
"""Steps a seed."""


@cache
def compiled(path: Path) -> Compiled:
    """Return a spec as far as its model."""
    return compile_file(path)


@cache
def module(path: Path) -> Module:
    """Return the module of a spec, built unproved."""
    return module_of(compiled(path).protocol)
