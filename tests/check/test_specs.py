"""What the checker makes of whole specs."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_args

from compiler.check import checked, types
from tests.check.loading import checked_file


def everything(node: object, seen: set[int]) -> Iterator[object]:
    """Yield a checked tree and all that is in it, each thing once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, tuple):
        for part in node:
            yield from everything(part, seen)
    elif is_dataclass(node):
        yield node
        for part in fields(node):
            yield from everything(getattr(node, part.name), seen)


def channels(protocol: checked.Protocol) -> dict[str, list[str]]:
    return {
        message.name: [
            f"{c.sender} {'=>' if c.broadcast_only else '->'} {c.receiver}"
            for c in message.channels
        ]
        for message in protocol.messages
    }


def handler(protocol: checked.Protocol, role: str, name: str) -> checked.Handler:
    (owner,) = (r for r in protocol.roles if r.type.name == role)
    (found,) = (h for h in owner.handlers if h.name == name)
    return found


def test_paxos() -> None:
    paxos = checked_file("specs/paxos.accord")
    assert channels(paxos) == {
        "Prepare": ["Proposer => Acceptor"],
        "Promise": ["Acceptor -> Proposer"],
        "Accept": ["Proposer => Acceptor"],
        "Accepted": ["Acceptor => Learner"],
    }
    assert [[h.name for h in role.handlers] for role in paxos.roles] == [
        ["on_request_propose", "on_promise", "on_timeout_retry"],
        ["on_prepare", "on_accept"],
        ["on_accepted"],
    ]
    assert [h.state for h in paxos.roles[0].handlers] == ["Idle", "Preparing", None]
    assert paxos.roles[0].initial_state == "Idle"
    assert not paxos.roles[0].state_durable
    assert [str(v.type) for v in paxos.roles[2].variables] == [
        "map (Ballot, Value) to set Acceptor",
        "option Value",
    ]
    assert [p.name for p in paxos.facts] == ["majorities_meet"]
    assert {p.kind for p in paxos.properties} <= {"safety", "invariant"}
    assert paxos.properties[0].name == "agreement"


def test_paxos_statements() -> None:
    paxos = checked_file("specs/paxos.accord")
    propose = handler(paxos, "Proposer", "on_request_propose")
    pick = propose.body[0]
    assert isinstance(pick, checked.PickAbove)
    assert [type(bound) for bound in pick.bounds] == [checked.Read]
    prepare = handler(paxos, "Acceptor", "on_prepare")
    assert isinstance(prepare.event, checked.MessageEvent)
    assert prepare.event.sender_named
    assert prepare.event.sender.type == paxos.roles[0].type
    reply = prepare.body[-1]
    assert isinstance(reply, checked.Send)
    assert isinstance(reply.receiver, checked.Local)
    assert reply.receiver.binding == prepare.event.sender
    assert reply.message.channels == paxos.messages[1].channels
    accepted = handler(paxos, "Learner", "on_accepted")
    count = accepted.body[0]
    assert isinstance(count, checked.Assign)
    assert count.operator == "add"
    assert [str(key.type) for key in count.keys] == ["(Ballot, Value)"]


def test_two_phase_commit() -> None:
    commit = checked_file("specs/two_phase_commit.accord")
    assert channels(commit) == {
        "Prepare": ["Coordinator => Participant"],
        "Yes": ["Participant -> Coordinator"],
        "No": ["Participant -> Coordinator"],
        "DoCommit": ["Coordinator -> Participant"],
        "DoAbort": ["Coordinator -> Participant"],
        "Inquire": ["Participant -> Coordinator"],
    }
    assert commit.roles[0].single
    assert [str(role) for role in commit.requests[0].roles] == ["Coordinator"]
    assert [str(role) for role in commit.outputs[1].roles] == ["Participant"]
    prepare = handler(commit, "Participant", "on_prepare")
    assert isinstance(prepare.event, checked.MessageEvent)
    assert not prepare.event.sender_named
    choice = prepare.body[0]
    assert isinstance(choice, checked.If)
    assert isinstance(choice.branches[0].condition, checked.AskValue)
    inquire = handler(commit, "Participant", "on_timeout_inquire").body[0]
    assert isinstance(inquire, checked.Send)
    assert isinstance(inquire.receiver, checked.SingleNode)


def test_all_constructs_has_them_all() -> None:
    protocol = checked_file("tests/specs/all_constructs.accord")
    used = {type(node) for node in everything(protocol, set())}
    closed: tuple[object, ...] = (
        checked.Expression,
        checked.Statement,
        checked.Event,
        checked.Pattern,
    )
    wanted = {class_ for union in closed for class_ in get_args(union)}
    wanted |= {
        types.BoolType,
        types.EnumType,
        types.IntType,
        types.MapType,
        types.OpaqueType,
        types.OptionType,
        types.OrderedType,
        types.QuorumType,
        types.RecordType,
        types.RoleType,
        types.SetType,
        types.TupleType,
    }
    assert {class_.__name__ for class_ in wanted - used} == set()


def test_all_constructs_has_every_operator() -> None:
    protocol = checked_file("tests/specs/all_constructs.accord")
    nodes = list(everything(protocol, set()))
    assert {n.operator for n in nodes if isinstance(n, checked.Assign)} == {
        "set",
        "add",
        "remove",
        "union",
        "difference",
    }
    assert {n.operator for n in nodes if isinstance(n, checked.Logical)} == {
        "and",
        "or",
        "implies",
        "iff",
    }
    assert {n.operator for n in nodes if isinstance(n, checked.Compare)} == {
        "=",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
    }
    assert {n.operator for n in nodes if isinstance(n, checked.Arithmetic)} == {"+", "-", "*", "//"}
    assert {n.executable for n in nodes if isinstance(n, checked.Assert)} == {True, False}
    assert {v.kind for v in nodes if isinstance(v, checked.Variable)} == {
        "durable",
        "volatile",
        "const",
        "ghost",
    }
    for kind in (checked.Quantified, checked.QuantifiedIn):
        assert {n.kind for n in nodes if isinstance(n, kind)} == {"forall", "exists"}


def test_bindings_have_numbers_of_their_own() -> None:
    protocol = checked_file("tests/specs/all_constructs.accord")
    bindings = [n for n in everything(protocol, set()) if isinstance(n, checked.Binding)]
    assert len({b.number for b in bindings}) == len({(b.number, b.name) for b in bindings})
    assert len({b.number for b in bindings}) == len({id(b) for b in bindings})
