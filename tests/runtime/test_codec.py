"""Values to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.codec import Codec, CodecError
from runtime.testing import values
from runtime.types import OpaqueShape
from tests.runtime.building import ALL_CONSTRUCTS, module_of

MODULE = module_of(ALL_CONSTRUCTS)
CODEC = Codec(MODULE)
MESSAGES = st.one_of(
    [
        st.tuples(st.just(table), values(CODEC.types.of_class(class_), ("s1", "c1")))
        for table in (MODULE.MESSAGES, MODULE.REQUESTS, MODULE.OUTPUTS)
        for class_ in table.values()
    ]
)


@given(MESSAGES)
@settings(max_examples=200, derandomize=True)
def test_what_is_encoded_decodes_to_itself(case: tuple[dict[str, Any], Any]) -> None:
    table, message = case
    text = json.dumps(CODEC.encode_message(message))
    assert CODEC.decode_message(table, json.loads(text)) == message


def test_a_set_is_encoded_in_order() -> None:
    assert CODEC.encode(frozenset({"b", "a", "c"})) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"RequestVotes": [[1]]}, "nothing here is called `RequestVotes`; there are: "),
        ({"RequestVote": [[1], 2]}, "`RequestVote` has 1 fields, not 2"),
        ({"RequestVote": [["x"]]}, "'x' should be a whole number"),
        ({"RequestVote": [[-1]]}, "-1 should be a whole number, 0 or more"),
        ({"Apply": [["r0", "Often", [1, "c1"]]]}, "'Often' is none of Shared, Exclusive, Unknown"),
        (["RequestVote"], "not of the form"),
    ],
)
def test_what_does_not_fit_is_refused(data: Any, problem: str) -> None:
    with pytest.raises(CodecError, match=problem):
        CODEC.decode_message(MODULE.MESSAGES, data)


def test_answers_are_decoded_by_type() -> None:
    ((name, mode),) = CODEC.decode_answers({"best_mode": "Shared"})
    assert (name, mode) == ("best_mode", MODULE.ENUMS["Mode"]("Shared"))
    with pytest.raises(CodecError, match="no question"):
        CODEC.decode_answers({"worst_mode": "Shared"})


@pytest.mark.parametrize("value", [b"", b"\x00\xff", 1.5, -0.25, ("a", (b"b", 2.5, True))])
def test_opaque_values_come_back(value: object) -> None:
    text = json.dumps(CODEC.encode(value))
    back = CODEC.decode(OpaqueShape("Value"), json.loads(text))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "data", [{}, {"bytes": "%"}, {"bytes": 1}, {"text": "YQ=="}, {"bytes": "YQ==", "more": 1}]
)
def test_what_is_no_opaque_value(data: Any) -> None:
    with pytest.raises(CodecError, match="is not a value"):
        CODEC.decode(OpaqueShape("Value"), data)


def test_numbers_that_json_has_no_word_for() -> None:
    with pytest.raises(CodecError, match="has no encoding"):
        CODEC.encode(float("inf"))
