"""Keys: expiry by the log's time, scans beside changes, versions, patterns."""

from __future__ import annotations

import re
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from runtime.kv.keyspace import Keyspace
from runtime.kv.pattern import matcher


def test_a_key_is_there_until_the_log_says_that_its_time_has_come() -> None:
    keys = Keyspace()
    keys.advance(1000)
    keys.put(b"a", b"1")
    keys.expire(b"a", 2000)
    assert keys.next_expiry() == 2000
    keys.advance(1999)
    assert keys.get(b"a") == b"1"
    keys.advance(1500)  # a batch of a slower clock
    assert keys.now == 1999
    keys.advance(2000)
    assert keys.get(b"a") is None
    assert keys.next_expiry() is None
    keys.put(b"a", b"2")
    keys.advance(9999)
    assert keys.get(b"a") == b"2"


def test_an_expiry_that_was_changed_does_not_count() -> None:
    keys = Keyspace()
    for at in range(1, 500):
        keys.put(b"a", b"1")
        keys.expire(b"a", 1_000_000 + at)
    assert keys.next_expiry() == 1_000_499
    assert keys.persist(b"a")
    assert not keys.persist(b"a")
    assert keys.next_expiry() is None
    keys.advance(2_000_000)
    assert b"a" in keys


@given(st.lists(st.tuples(st.sampled_from("pdx"), st.integers(0, 40)), max_size=80))
def test_a_scan_finds_what_is_there_all_the_while(changes: list[tuple[str, int]]) -> None:
    keys = Keyspace()
    for number in range(30):
        keys.put(b"stays:%d" % number, b"")
    found: list[bytes] = []
    cursor = 0
    waiting = list(changes)
    while True:
        cursor, some = keys.scan(cursor, 7)
        found += some
        if cursor == 0:
            break
        for kind, number in waiting[:4]:
            key = b"other:%d" % number
            if kind == "p":
                keys.put(key, b"")
            else:
                keys.delete(key)
        del waiting[:4]
    stays = [key for key in found if key.startswith(b"stays")]
    assert sorted(stays) == sorted(b"stays:%d" % number for number in range(30))


def test_every_change_has_another_version() -> None:
    keys = Keyspace()
    seen = [keys.version(b"a")]
    keys.put(b"a", b"1")
    seen.append(keys.version(b"a"))
    keys.put(b"a", b"1")
    seen.append(keys.version(b"a"))
    keys.expire(b"a", 100)
    seen.append(keys.version(b"a"))
    keys.persist(b"a")
    seen.append(keys.version(b"a"))
    keys.delete(b"a")
    seen.append(keys.version(b"a"))
    keys.put(b"b", b"1")
    assert keys.version(b"a") == seen[-1]
    keys.put(b"a", b"1")
    keys.clear()
    seen.append(keys.version(b"a"))
    assert len(set(seen)) == len(seen)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_stars_match_as_a_regular_expression_does(pattern: str, key: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(part, part) for part in pattern)
    expected = re.fullmatch(expression, key) is not None
    assert matcher(pattern.encode())(key.encode()) == expected


def test_a_pattern_made_to_take_long_does_not() -> None:
    began = perf_counter()
    assert not matcher(b"a*" * 50 + b"b")(b"a" * 2000)
    assert perf_counter() - began < 5
