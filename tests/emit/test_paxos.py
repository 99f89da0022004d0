"""The generated Paxos, driven by hand."""

from __future__ import annotations

from typing import Any

from tests.emit.building import loaded

paxos = loaded("specs/paxos.accord")
CLUSTER = paxos.Cluster(("p1", "p2"), ("a1", "a2", "a3"), ("l1",))
FIRST = paxos.Ballot(1, "p1")


def state_of(node: Any) -> dict[str, object]:
    """Return the variables of a node, sets and maps copied."""
    return {
        name: type(value)(value) if isinstance(value := getattr(node, a), set | dict) else value
        for name, a in node.VARIABLES.items()
    }


def test_a_value_is_decided() -> None:
    proposer = paxos.Proposer("p1", CLUSTER)
    acceptors = {name: paxos.Acceptor(name, CLUSTER) for name in CLUSTER.acceptor}
    learner = paxos.Learner("l1", CLUSTER)

    effects = proposer.request(paxos.Propose("tea"))
    assert effects == [
        paxos.Persist((paxos.Write("ballot", (), FIRST),)),
        *(paxos.Send(a, paxos.Prepare(FIRST)) for a in CLUSTER.acceptor),
        paxos.Arm(paxos.RetryTimer(), 150, 300),
    ]
    for name in ("a1", "a2"):
        assert acceptors[name].deliver(paxos.Prepare(FIRST), "p1") == [
            paxos.Persist((paxos.Write("promised", (), FIRST),)),
            paxos.Send("p1", paxos.Promise(FIRST, None)),
        ]
    assert proposer.deliver(paxos.Promise(FIRST, None), "a1") == []
    assert proposer.deliver(paxos.Promise(FIRST, None), "a1") == []  # a duplicate is no second vote
    assert proposer.deliver(paxos.Promise(FIRST, None), "a2") == [
        paxos.Send(a, paxos.Accept(FIRST, "tea")) for a in CLUSTER.acceptor
    ]
    assert proposer.state is paxos.ProposerState.PROPOSING
    for name in ("a1", "a2"):
        assert acceptors[name].deliver(paxos.Accept(FIRST, "tea"), "p1") == [
            paxos.Persist(
                (
                    paxos.Write("promised", (), FIRST),
                    paxos.Write("accepted", (), (FIRST, "tea")),
                )
            ),
            paxos.Send("l1", paxos.Accepted(FIRST, "tea")),
        ]
    assert learner.deliver(paxos.Accepted(FIRST, "tea"), "a1") == []
    assert learner.deliver(paxos.Accepted(FIRST, "tea"), "a2") == [
        paxos.Persist((paxos.Write("decided", (), "tea"),)),
        paxos.Tell(paxos.Decided("tea")),
    ]


def test_the_highest_vote_reported_is_proposed_again() -> None:
    proposer = paxos.Proposer("p2", CLUSTER)
    assert proposer.request(paxos.Propose("coffee")) is not None
    ballot = proposer.ballot
    zero = paxos.BALLOT_ZERO
    assert proposer.deliver(paxos.Promise(ballot, (FIRST, "tea")), "a1") == []
    effects = proposer.deliver(paxos.Promise(ballot, (paxos.Ballot(1, "p0"), "milk")), "a2")
    assert effects == [paxos.Send(a, paxos.Accept(ballot, "tea")) for a in CLUSTER.acceptor]
    assert zero < FIRST < ballot


def test_an_ignored_event_changes_nothing() -> None:
    acceptor = paxos.Acceptor("a1", CLUSTER)
    acceptor.deliver(paxos.Accept(paxos.Ballot(7, "p2"), "tea"), "p2")
    before = state_of(acceptor)
    assert acceptor.deliver(paxos.Prepare(FIRST), "p1") is None
    assert acceptor.deliver(paxos.Accept(FIRST, "coffee"), "p1") is None
    assert acceptor.deliver(paxos.Accepted(FIRST, "tea"), "a2") is None
    assert acceptor.step(paxos.Requested(paxos.Propose("tea"))) is None
    assert acceptor.step(paxos.TimedOut(paxos.RetryTimer())) is None
    assert acceptor.step(paxos.Started()) is None
    assert acceptor.step(paxos.Recovered()) is None
    assert state_of(acceptor) == before

    proposer = paxos.Proposer("p1", CLUSTER)
    before = state_of(proposer)
    assert proposer.deliver(paxos.Promise(paxos.BALLOT_ZERO, None), "a1") is None  # it is idle
    assert proposer.timeout(paxos.RetryTimer()) is None  # and has nothing to propose
    assert state_of(proposer) == before


def test_the_timer_begins_a_higher_ballot() -> None:
    proposer = paxos.Proposer("p1", CLUSTER)
    proposer.request(paxos.Propose("tea"))
    effects = proposer.step(paxos.TimedOut(paxos.RetryTimer()))
    assert effects is not None
    assert effects[0] == paxos.Persist((paxos.Write("ballot", (), paxos.Ballot(2, "p1")),))
    assert proposer.deliver(paxos.Promise(FIRST, None), "a1") is None


def test_what_was_durable_is_restored() -> None:
    acceptor = paxos.Acceptor("a1", CLUSTER)
    written: list[Any] = []
    for message in (paxos.Prepare(FIRST), paxos.Accept(FIRST, "tea")):
        for effect in acceptor.deliver(message, "p1"):
            if isinstance(effect, paxos.Persist):
                written.extend(effect.writes)
    again = paxos.Acceptor("a1", CLUSTER, written)
    assert state_of(again) == state_of(acceptor)
    assert state_of(paxos.Acceptor("a1", CLUSTER)) != state_of(acceptor)


def test_step_is_the_methods_together() -> None:
    one, other = paxos.Acceptor("a1", CLUSTER), paxos.Acceptor("a1", CLUSTER)
    message = paxos.Prepare(FIRST)
    assert one.step(paxos.Delivered(message, "p1")) == other.deliver(message, "p1")
