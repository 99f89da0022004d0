"""Random programs of Redis commands: what several clients send, one after the other.

Nothing in them may have an answer that two correct servers give differently: no clock, no cursor
in the middle of a scan, and expiries far from now.
"""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import strategies as st

Line: TypeAlias = tuple[int, list[list[bytes]]]
"""What one client sends at once: its number, and a pipeline of commands."""

KEYS = [b"a", b"b", b"key", b"key:1", b"key:22", b"[x]", b"h*llo"]
VALUES = [
    b"",
    b"0",
    b"1",
    b"-1",
    b"10",
    b"007",
    b"+5",
    b" 5",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"text",
    b"with\r\nbreaks",
    b"\x00\xff\x80",
    b"1.5",
]
NUMBERS = [b"0", b"1", b"-1", b"3", b"-3", b"100", b"9223372036854775807", b"-9223372036854775808"]
SECONDS = [b"1000", b"100000", b"0", b"-5", b"x", b"9223372036854775807", b""]
PATTERNS = [
    b"*",
    b"key*",
    b"key:?",
    b"[ab]",
    b"[^a]",
    b"[a-k]*",
    b"h\\*llo",
    b"\\[x\\]",
    b"[",
    b"*:*",
    b"**y",
    b"[z-a]",
    b"a[",
    b"\\",
    b"[\\[]x]",
    b"",
]

key = st.sampled_from(KEYS)
value = st.one_of(st.sampled_from(VALUES), st.binary(max_size=12))
number = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(VALUES))
seconds = st.sampled_from(SECONDS)
future = st.sampled_from([b"99999999999999", b"88888888888888", b"x"])
moment = st.one_of(future, st.just(b"1"))
pattern = st.one_of(st.sampled_from(PATTERNS), st.text("ab*?[]^-\\k:", max_size=6).map(str.encode))
flag = st.sampled_from([b"NX", b"XX", b"GT", b"LT", b"nx", b"FOO"])
option = st.one_of(
    st.sampled_from([[b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], [b"get"], [b"EX"], [b"FOO"]]),
    st.tuples(st.sampled_from([b"EX", b"px"]), seconds).map(list),
    st.tuples(st.sampled_from([b"EXAT", b"PXAT"]), future).map(list),
)
options = st.lists(option, max_size=3).map(lambda parts: [word for part in parts for word in part])


def _words(name: bytes, *parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.tuples(*parts).map(lambda rest: [name, *rest])


def _many(name: bytes, part: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.lists(part, min_size=1, max_size=4).map(lambda rest: [name, *rest])


def _longer(
    first: st.SearchStrategy[list[bytes]], rest: st.SearchStrategy[list[bytes]]
) -> st.SearchStrategy[list[bytes]]:
    return st.tuples(first, rest).map(lambda both: both[0] + both[1])


_ON_KEYS = [
    _words(b"GET", key),
    _words(b"get", key),
    _words(b"SET", key, value),
    _longer(_words(b"SET", key, value), options),
    _words(b"GETSET", key, value),
    _words(b"GETDEL", key),
    _longer(
        _words(b"GETEX", key),
        st.one_of(option, st.just([b"PERSIST"]), st.just([b"PERSIST", b"EX", b"100"])),
    ),
    _words(b"SETNX", key, value),
    _words(b"SETEX", key, seconds, value),
    _words(b"PSETEX", key, st.sampled_from([b"1000000", b"0", b"x"]), value),
    _many(b"MGET", key),
    _longer(_words(b"MSET", key, value), st.sampled_from([[], [b"b", b"2"], [b"b"]])),
    _longer(_words(b"MSETNX", key, value), st.sampled_from([[], [b"b", b"2"], [b"b"]])),
    _words(b"APPEND", key, value),
    _words(b"STRLEN", key),
    _words(b"GETRANGE", key, number, number),
    _words(b"SETRANGE", key, st.sampled_from([b"0", b"3", b"-1", b"x"]), value),
    _words(b"INCR", key),
    _words(b"DECR", key),
    _words(b"INCRBY", key, number),
    _words(b"DECRBY", key, number),
    _many(b"DEL", key),
    _many(b"UNLINK", key),
    _many(b"EXISTS", key),
    _many(b"TOUCH", key),
    _words(b"TYPE", key),
    _words(b"DBSIZE"),
    _words(b"KEYS", pattern),
    _words(b"SCAN", st.just(b"0"), st.just(b"COUNT"), st.just(b"1000")),
    _words(b"SCAN", st.just(b"0"), st.just(b"MATCH"), pattern, st.just(b"COUNT"), st.just(b"999")),
    st.sampled_from(
        [
            [b"SCAN", b"x"],
            [b"SCAN", b"0", b"COUNT", b"0"],
            [b"SCAN", b"0", b"COUNT", b"x"],
            [b"SCAN", b"0", b"MATCH"],
            [b"SCAN", b"0", b"COUNT", b"99", b"TYPE", b"string"],
            [b"SCAN", b"0", b"COUNT", b"99", b"TYPE", b"list"],
            [b"FLUSHALL"],
            [b"FLUSHDB", b"ASYNC"],
            [b"FLUSHDB", b"x"],
        ]
    ),
    _words(b"EXPIRE", key, seconds),
    _longer(_words(b"EXPIRE", key, seconds), st.sampled_from([[b"NX"], [b"xx"], [b"FOO"]])),
    _longer(_words(b"PEXPIREAT", key, moment), st.lists(flag, max_size=2)),
    _words(b"PEXPIRE", key, st.sampled_from([b"1000000", b"0", b"-1", b"x"])),
    _words(b"EXPIREAT", key, moment),
    _words(b"PEXPIREAT", key, moment),
    _words(b"PERSIST", key),
    _words(b"TTL", key),
    _longer(_words(b"EXPIREAT", key, st.just(b"99999999999")), st.just([b"XX"])),
]
_OTHERS = [
    st.sampled_from(
        [
            [b"PING"],
            [b"PING", b"hello"],
            [b"PING", b"a", b"b"],
            [b"ECHO", b"x"],
            [b"ECHO"],
            [b"SELECT", b"0"],
            [b"SELECT", b"99"],
            [b"SELECT", b"x"],
            [b"FOO"],
            [b"Foo", b"bar", b"b\xc3\xa4z"],
            [b"GET"],
            [b"GET", b"a", b"b"],
            [b"SET", b"a"],
            [b"del"],
            [b"CLIENT"],
            [b"CLIENT", b"GETNAME"],
            [b"CLIENT", b"SETNAME", b"me"],
            [b"CLIENT", b"SETNAME", b"not me"],
            [b"CLIENT", b"SETNAME"],
            [b"CLIENT", b"NOTHING"],
            [b"CONFIG", b"GET"],
            [b"CONFIG", b"GET", b"no-such-thing"],
            [b"AUTH", b"x"],
            [b"AUTH"],
            [b"COMMAND", b"GETKEYS", b"MSET", b"a", b"1", b"b", b"2"],
            [b"COMMAND", b"GETKEYS", b"GET"],
            [b"HELLO", b"4"],
            [b"HELLO", b"x"],
            [b"HELLO", b"3", b"FOO"],
            [b"RESET"],
        ]
    ),
]
_TRANSACTIONS = [
    st.sampled_from([[b"MULTI"], [b"EXEC"], [b"EXEC"], [b"DISCARD"], [b"UNWATCH"]]),
    _many(b"WATCH", key),
]

command = st.one_of(*_ON_KEYS, *_ON_KEYS, *_OTHERS, *_TRANSACTIONS)


def _transaction(commands: list[list[bytes]]) -> list[list[bytes]]:
    return [[b"MULTI"], *commands, [b"EXEC"]]


pipeline = st.one_of(
    st.lists(command, min_size=1, max_size=6),
    st.lists(command, max_size=4).map(_transaction),
)
programs: st.SearchStrategy[list[Line]] = st.lists(
    st.tuples(st.integers(0, 1), pipeline), min_size=1, max_size=12
)
"""Two clients take turns."""
