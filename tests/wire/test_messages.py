"""Messages survive the wire, and nothing that its type does not allow gets in."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract import Message, Module
from runtime.draw import Pool, drawer
from runtime.types import Types
from runtime.wire.frames import FIRST_MESSAGE, FrameError, FrameReader
from runtime.wire.messages import Checker, MessageCodec
from tests.host.modules import MODULES, PATHS, generated

NODES = ("a1", "a2", "p1", "s1")
ENCODE = msgspec.msgpack.Encoder().encode


def unframe(data: bytes) -> tuple[int, bytes]:
    ((kind, body),) = FrameReader().feed(data)
    return kind, body


def decode(codec: MessageCodec, data: bytes) -> Message:
    return codec.decode(*unframe(data))


@pytest.mark.parametrize("module", MODULES, ids=PATHS)
def test_every_message_survives(module: Module) -> None:
    codec, types, random = MessageCodec(module, NODES), Types(module), Random(1)
    for class_ in module.MESSAGES.values():
        draw = drawer(types.of_class(class_), NODES, Pool())
        for _ in range(50):
            message = draw(random)
            if owners_fit(message):
                assert decode(codec, codec.encode(message)) == message


def owners_fit(value: Any) -> bool:
    """Whether all ordered values in `value` that have an owner have a number, too."""
    if isinstance(value, frozenset):
        return all(map(owners_fit, value))
    if isinstance(value, tuple):
        if hasattr(value, "owner"):
            return bool(value[0])
        return all(map(owners_fit, value))
    fields = getattr(value, "__dataclass_fields__", {})
    return all(owners_fit(getattr(value, name)) for name in fields)


OPAQUE = st.recursive(
    st.one_of(
        st.text(max_size=5),
        st.binary(max_size=5),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(OPAQUE)
def test_opaque_values_survive_with_their_types(value: object) -> None:
    paxos = generated("paxos")
    codec = MessageCodec(paxos, NODES)
    for message in (
        paxos.Accept(paxos.Ballot(1, "p1"), value),
        paxos.Promise(paxos.Ballot(1, "p1"), (paxos.Ballot(0, ""), value)),
    ):
        assert repr(decode(codec, codec.encode(message))) == repr(message)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Prepare", []),
        ("Prepare", [[1, "p1"], 2]),
        ("Prepare", {"ballot": [1, "p1"]}),
        ("Prepare", [[1, "stranger"]]),
        ("Prepare", [[1, ""]]),
        ("Prepare", [[0, "p1"]]),
        ("Prepare", [[-1, "p1"]]),
        ("Prepare", [[2**63, "p1"]]),
        ("Prepare", [[True, "p1"]]),
        ("Prepare", [[1.0, "p1"]]),
        ("Prepare", [["1", "p1"]]),
        ("Prepare", [[1]]),
        ("Prepare", [None]),
        ("Accept", [[1, "p1"], None]),
        ("Accept", [[1, "p1"], {"a": 1}]),
        ("Accept", [[1, "p1"], [1, [{}]]]),
        ("Accept", [[1, "p1"], float("nan")]),
        ("Accept", [[1, "p1"], msgspec.msgpack.Ext(5, b"x")]),
        ("Accept", [[1, "p1"], [[[1]] * 2, None]]),
        ("Promise", [[1, "p1"], [[1, "p1"]]]),
        ("Promise", [[1, "p1"], 7]),
    ],
)
def test_what_the_type_does_not_allow_is_refused(name: str, fields: Any) -> None:
    paxos = generated("paxos")
    codec = MessageCodec(paxos, NODES)
    kind = FIRST_MESSAGE + list(paxos.MESSAGES).index(name)
    with pytest.raises(FrameError, match="malformed frame"):
        codec.decode(kind, ENCODE(fields))


def test_deep_nesting_is_refused() -> None:
    paxos = generated("paxos")
    codec = MessageCodec(paxos, NODES)
    body = b"\x92" + ENCODE([1, "p1"]) + b"\x91" * 100_000 + b"\x01"
    with pytest.raises(FrameError, match="malformed frame"):
        codec.decode(FIRST_MESSAGE + 2, body)
    body = b"\x92" + ENCODE([1, "p1"]) + b"\x91" * 40 + b"\x01"
    with pytest.raises(FrameError, match="nested deeper than 32"):
        codec.decode(FIRST_MESSAGE + 2, body)


@given(st.integers(0, 70), st.binary(max_size=60))
@settings(max_examples=300)
def test_random_bodies_are_messages_or_refused(kind: int, body: bytes) -> None:
    paxos = generated("paxos")
    codec = MessageCodec(paxos, NODES)
    try:
        message = codec.decode(kind, body)
    except FrameError:
        return
    assert decode(codec, codec.encode(message)) == message


def test_too_large_a_message_is_not_encoded() -> None:
    paxos = generated("paxos")
    codec = MessageCodec(paxos, NODES, limit=100)
    codec.encode(paxos.Accept(paxos.Ballot(1, "p1"), b"x" * 80))
    with pytest.raises(FrameError, match="100 are possible"):
        codec.encode(paxos.Accept(paxos.Ballot(1, "p1"), b"x" * 100))


def checker(module: Module, request: str) -> Checker:
    return Checker(Types(module).of_class(module.REQUESTS[request]), NODES)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "no opaque value"),
        ([1], "would come back as something else"),
        (2**64, "64"),
        ("\ud800", "surrogates"),
        (float("nan"), "no opaque value"),
        (float("inf"), "no opaque value"),
        (object(), "unsupported"),
        (b"x" * 200, "100 are possible"),
        (("a", (None,)), "no opaque value"),
    ],
)
def test_requests_with_unfit_values_are_told_apart(value: object, problem: str) -> None:
    paxos = generated("paxos")
    found = checker(paxos, "Propose").problem(paxos.Propose(value), 100)
    assert found is not None
    assert problem in found


def test_a_fit_request_has_no_problem_and_another_class_has() -> None:
    paxos = generated("paxos")
    check = checker(paxos, "Propose")
    assert check.problem(paxos.Propose(("tea", 2, b"x", True, 1.5)), 100) is None
    assert "no attribute 'value'" in str(check.problem(paxos.Prepare(paxos.BALLOT_ZERO), 100))


def test_a_request_for_a_node_that_is_none_is_told() -> None:
    shards = generated("shard_transfer")
    check = checker(shards, "Move")
    assert check.problem(shards.Move("k", "s1"), 100) is None
    assert check.problem(shards.Move("k", "s9"), 100) is not None


def test_answers_are_checked_by_their_type() -> None:
    commit = generated("two_phase_commit")
    check = Checker(Types(commit).of(commit.ANSWERS["can_commit"]), NODES)
    assert check.problem(True, 100) is None
    assert check.problem(1, 100) is not None
