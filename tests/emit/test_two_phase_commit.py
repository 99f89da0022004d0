"""The generated two-phase commit, driven by hand: questions, loops, recovery, restoring."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emit.building import loaded

tpc = loaded("specs/two_phase_commit.accord")
CLUSTER = tpc.Cluster(coordinator=("c",), participant=("p1", "p2"))


def writes_in(effects: list[Any]) -> tuple[Any, ...]:
    persists = [effect for effect in effects if isinstance(effect, tpc.Persist)]
    assert len(persists) <= 1
    assert persists == effects[: len(persists)]
    return persists[0].writes if persists else ()


def test_a_question_is_asked_before_anything_happens() -> None:
    node = tpc.Participant("p1", CLUSTER)
    prepare = tpc.Prepare("t")
    assert node.deliver(prepare, "c") == [tpc.Ask(tpc.CanCommit("t"))]
    assert node.status == {}
    assert node.in_doubt == set()
    effects = node.deliver(prepare, "c", {"can_commit": True})
    assert effects == [
        tpc.Persist(
            (
                tpc.Write("status", ("t",), tpc.Status.PREPARED),
                tpc.Write("in_doubt", (), frozenset({"t"})),
            )
        ),
        tpc.Arm(tpc.InquireTimer("t"), 300, 600),
        tpc.Send("c", tpc.Yes("t")),
    ]
    assert node.deliver(prepare, "c", {"can_commit": True}) is None


def test_the_other_answer() -> None:
    node = tpc.Participant("p1", CLUSTER)
    effects = node.step(tpc.Delivered(tpc.Prepare("t"), "c"), {"can_commit": False})
    assert effects == [
        tpc.Persist((tpc.Write("status", ("t",), tpc.Status.ABORTED),)),
        tpc.Send("c", tpc.No("t")),
        tpc.Tell(tpc.Finished("t", tpc.Status.ABORTED)),
    ]


def test_an_answer_of_the_wrong_type_is_refused() -> None:
    node = tpc.Participant("p1", CLUSTER)
    with pytest.raises(TypeError, match="the answer to can_commit must be of type bool"):
        node.deliver(tpc.Prepare("t"), "c", {"can_commit": 1})
    assert node.status == {}


def test_everyone_is_needed() -> None:
    node = tpc.Coordinator("c", CLUSTER)
    assert node.request(tpc.Begin("t")) is not None
    assert node.deliver(tpc.Yes("t"), "p1") == []
    effects = node.deliver(tpc.Yes("t"), "p2")
    assert writes_in(effects) == (
        tpc.Write("decision", ("t",), tpc.Decision.COMMIT),
        tpc.Write("open", (), frozenset()),
    )
    assert tpc.Tell(tpc.Decided("t", tpc.Decision.COMMIT)) in effects
    assert node.deliver(tpc.Inquire("t"), "p1") == [tpc.Send("p1", tpc.DoCommit("t"))]
    assert node.deliver(tpc.Inquire("other"), "p1") == []


def test_reading_makes_no_entries() -> None:
    node = tpc.Coordinator("c", CLUSTER)
    node.deliver(tpc.Inquire("t"), "p1")
    assert node.decision == {}


def test_recovery_writes_once_an_entry_in_a_fixed_order() -> None:
    node = tpc.Coordinator("c", CLUSTER)
    written: list[Any] = []
    names = [f"t{i}" for i in range(20)]
    for name in names:
        written.extend(writes_in(node.request(tpc.Begin(name))))
    again = tpc.Coordinator("c", CLUSTER, written)
    assert again.open == node.open
    effects = again.recover()
    in_order = sorted(names, key=repr)
    assert writes_in(effects) == (
        *(tpc.Write("decision", (name,), tpc.Decision.ABORT) for name in in_order),
        tpc.Write("open", (), frozenset()),
    )
    told = [effect.output.transaction for effect in effects if isinstance(effect, tpc.Tell)]
    assert told == in_order


def test_what_is_persisted_does_not_change_later() -> None:
    node = tpc.Coordinator("c", CLUSTER)
    first = writes_in(node.request(tpc.Begin("t")))
    node.request(tpc.Begin("u"))
    assert first == (tpc.Write("open", (), frozenset({"t"})),)


def test_an_unknown_write_is_refused() -> None:
    with pytest.raises(ValueError, match="Coordinator has no durable variable yes"):
        tpc.Coordinator("c", CLUSTER, [tpc.Write("yes", (), frozenset())])


def test_the_tables() -> None:
    assert {"Coordinator": tpc.Coordinator, "Participant": tpc.Participant} == tpc.ROLES
    assert tpc.CLUSTER_FIELDS == {"Coordinator": "coordinator", "Participant": "participant"}
    assert {"Coordinator"} == tpc.SINGLE
    assert tpc.TIMERS["Participant", "inquire"] is tpc.InquireTimer
    assert tpc.ANSWERS == {"can_commit": "bool"}
    assert tpc.Coordinator.VARIABLES["yes"] == "yes"
