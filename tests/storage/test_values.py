"""Durable values come back as they were, and equal keys have equal bytes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract import Module
from runtime.draw import Pool, drawer
from runtime.storage.values import StoredValueError, ValueCodec
from runtime.types import Types
from tests.host.modules import MODULES, PATHS, generated

SCALARS = st.one_of(
    st.none(),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
)
PAXOS = generated("paxos")
VALUES = st.recursive(
    st.one_of(
        SCALARS,
        st.builds(PAXOS.Ballot, st.integers(0, 9), st.sampled_from(["p1", ""])),
        st.sampled_from(list(PAXOS.ProposerState)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_come_back_with_their_types(value: object) -> None:
    codec = ValueCodec(PAXOS)
    back = codec.decode(codec.encode(value))
    assert back == value
    assert type(back) is type(value)


@given(st.lists(VALUES, max_size=3).map(tuple))
def test_keys_come_back_equal(keys: tuple[object, ...]) -> None:
    codec = ValueCodec(PAXOS)
    assert codec.decode(codec.encode_keys(keys)) == keys


@pytest.mark.parametrize("one", [1, 1.0, True])
def test_keys_that_are_equal_have_the_same_bytes(one: object) -> None:
    codec = ValueCodec(PAXOS)
    assert codec.encode_keys((one, ("a", one))) == codec.encode_keys((1, ("a", 1)))
    names = ["b", "a", "c"]
    assert codec.encode_keys((frozenset(names),)) == codec.encode_keys((frozenset(names[::-1]),))


@pytest.mark.parametrize("module", MODULES, ids=PATHS)
def test_whatever_a_module_declares_can_be_stored(module: Module) -> None:
    codec, types, random = ValueCodec(module), Types(module), Random(3)
    for class_ in (*module.RECORDS.values(), *(type(v) for v in module.ORDEREDS.values())):
        if class_ is int:
            continue
        draw = drawer(types.of_class(class_), ("a", "b"), Pool())
        for _ in range(20):
            value = draw(random)
            assert codec.decode(codec.encode(value)) == value
            assert type(codec.decode(codec.encode(value))) is class_


@pytest.mark.parametrize("value", [object(), {"a": 1}, [1], 2**64, "\ud800", (1, {})])
def test_what_cannot_be_stored_is_told(value: object) -> None:
    with pytest.raises(StoredValueError):
        ValueCodec(PAXOS).encode(value)


@given(st.binary(max_size=30))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    codec = ValueCodec(PAXOS)
    try:
        value: Any = codec.decode(data)
    except StoredValueError:
        return
    hash_or_dict = value if isinstance(value, dict) else hash(value)
    assert hash_or_dict is not None
