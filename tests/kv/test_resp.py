"""Requests in pieces of any size, requests that are too large or wrong, and replies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.kv.resp import (
    NO_ARRAY,
    OK,
    Bounds,
    Failure,
    Parser,
    Push,
    Reply,
    Simple,
    Verbatim,
    encode,
    split_words,
)
from tests.kv.engine import request
from tests.kv.replies import end_of_reply

words = st.lists(st.one_of(st.binary(max_size=6), st.binary(max_size=3000)), min_size=1, max_size=5)


@given(st.lists(words, max_size=6), st.lists(st.integers(0, 400), max_size=40))
def test_pieces_of_any_size_make_the_same_commands(
    commands: list[list[bytes]], cuts: list[int]
) -> None:
    data = b"".join(request(*command) for command in commands)
    parser = Parser()
    got = []
    for cut in cuts:
        got += parser.feed(data[:cut])
        data = data[cut:]
    got += parser.feed(data)
    assert got == commands
    assert parser.error is None


def test_a_byte_at_a_time() -> None:
    parser = Parser()
    data = request("SET", b"a\r\nb", b"") + b"PING\r\n" + request("GET", "a")
    got = [command for byte in data for command in parser.feed(bytes([byte]))]
    assert got == [[b"SET", b"a\r\nb", b""], [b"PING"], [b"GET", b"a"]]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*100\r\n", "invalid multibulk length"),
        (b"*99999999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$1001\r\n", "invalid bulk length"),
        (b"*3\r\n" + b"$900\r\n%b\r\n" % (b"x" * 900) * 3, "the command is too long"),
        (b"x" * 100, "too big inline request"),
        (b"*" + b"1" * 100, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 100, "too big bulk count string"),
        (b'get "a\r\n', "unbalanced quotes in request"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_wrong_ends_it(data: bytes, error: str, whole: bool) -> None:
    parser = Parser(Bounds(line=64, argument=1000, arguments=10, command=2000))
    pieces = [data] if whole else [data[i : i + 1] for i in range(len(data))]
    got = [command for piece in [b"PING\r\n", *pieces] for command in parser.feed(piece)]
    assert got == [[b"PING"]]
    assert parser.error == f"ERR Protocol error: {error}"
    assert parser.feed(b"PING\r\n") == []


def test_arguments_that_are_plain_are_bounded_too() -> None:
    parser = Parser(Bounds(argument=5))
    assert parser.feed(request("123456")) == []
    assert parser.error is not None


def test_no_words_are_no_command() -> None:
    assert Parser().feed(b"\r\n*0\r\n*-1\r\n  \r\nPING\r\n") == [[b"PING"]]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_commands_or_an_error(data: bytes, cut: int) -> None:
    whole, pieces = Parser(), Parser()
    together = whole.feed(data)
    apart = pieces.feed(data[:cut]) + pieces.feed(data[cut:])
    assert (together, whole.error) == (apart, pieces.error)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"set a 1", [b"set", b"a", b"1"]),
        (b'set "a b" "\\x41\\n\\q"', [b"set", b"a b", b"A\nq"]),
        (b"set 'a\\'b' '\\n'", [b"set", b"a'b", b"\\n"]),
        (b'a"b c"', [b"ab c"]),
        (b'""', [b""]),
        (b'"a"b', None),
        (b'"a', None),
        (b"'a", None),
        (b"", []),
    ],
)
def test_words_of_a_line(line: bytes, expected: list[bytes] | None) -> None:
    assert split_words(line) == expected


@pytest.mark.parametrize(
    ("reply", "two", "three"),
    [
        (OK, b"+OK\r\n", b"+OK\r\n"),
        (Simple(b"PONG"), b"+PONG\r\n", b"+PONG\r\n"),
        (Failure("ERR a\r\nb"), b"-ERR a  b\r\n", b"-ERR a  b\r\n"),
        (-5, b":-5\r\n", b":-5\r\n"),
        (b"x", b"$1\r\nx\r\n", b"$1\r\nx\r\n"),
        (None, b"$-1\r\n", b"_\r\n"),
        (NO_ARRAY, b"*-1\r\n", b"_\r\n"),
        ([1, [b""]], b"*2\r\n:1\r\n*1\r\n$0\r\n\r\n", b"*2\r\n:1\r\n*1\r\n$0\r\n\r\n"),
        ((1, None), b"*2\r\n:1\r\n$-1\r\n", b"*2\r\n:1\r\n_\r\n"),
        ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        (Push([b"x"]), b"*1\r\n$1\r\nx\r\n", b">1\r\n$1\r\nx\r\n"),
        (frozenset({b"b", b"a"}), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"~2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    ],
)
def test_replies_in_both_versions(reply: Reply, two: bytes, three: bytes) -> None:
    assert encode(reply, 2) == two
    assert encode(reply, 3) == three
    assert end_of_reply(two) == len(two)
    assert end_of_reply(three) == len(three)


def test_what_is_no_reply() -> None:
    with pytest.raises(TypeError, match="is no reply"):
        encode(object(), 2)  # type: ignore[arg-type]
