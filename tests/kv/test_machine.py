"""Each batch is applied once, whatever is sent again, and all replicas come to the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.kv.batch import REMEMBERED, Applied, Header, pack, read_commands, read_header
from runtime.kv.execution import only_reads, transaction
from runtime.kv.machine import Machine
from runtime.kv.remote import pack_replies, read_replies
from runtime.kv.resp import NO_ARRAY, OK, Failure, Reply, Simple

INCR = [[b"INCR", b"n"]]


def header(number: int, floor: int = 1, incarnation: int = 5, node: str = "s1") -> Header:
    return Header(node, incarnation, number, floor, 1000)


def test_a_batch_comes_back_as_it_was() -> None:
    head = Header("s1", 2**62, 7, 3, 1_700_000_000_000)
    body = pack(head, [[b"SET", b"a", b"\x00"], [b"DBSIZE"]])
    assert read_header(body) == head
    assert read_commands(body) == [[b"SET", b"a", b"\x00"], [b"DBSIZE"]]


def test_a_batch_that_was_sent_twice_is_applied_once() -> None:
    machine = Machine()
    body = pack(header(1), INCR)
    assert machine.apply(1, body) == [1]
    assert machine.apply(2, body) is None
    assert machine.apply(3, None) is None
    assert machine.keys.get(b"n") == b"1"
    assert machine.index == 3


def test_batches_may_overtake_each_other_but_not_the_floor() -> None:
    machine = Machine()
    assert machine.apply(1, pack(header(2), INCR)) == [1]
    assert machine.apply(2, pack(header(1), INCR)) == [2]
    assert machine.apply(3, pack(header(4, floor=4), INCR)) == [3]
    # Its maker has given it up: it says so by the floor.
    assert machine.apply(4, pack(header(3), INCR)) is None


@given(st.lists(st.integers(1, 12), max_size=60))
def test_what_is_remembered_is_what_was_applied(numbers: list[int]) -> None:
    applied = Applied()
    seen: set[int] = set()
    for number in numbers:
        assert applied.add(header(number)) == (number not in seen)
        seen.add(number)


def test_only_the_latest_incarnations_are_remembered() -> None:
    applied = Applied()
    for incarnation in range(1, 100):
        assert applied.add(header(1, incarnation=incarnation))
    assert not applied.add(header(1, incarnation=99))
    assert not applied.add(header(1, incarnation=100 - REMEMBERED))
    assert applied.add(header(1, node="s2", incarnation=99))


@given(st.binary(max_size=80))
def test_what_is_no_batch_changes_nothing(data: bytes) -> None:
    machine = Machine()
    machine.apply(1, pack(header(1), [[b"SET", b"a", b"1"]]))
    machine.apply(2, data)
    machine.apply(3, pack(header(2), []) + data)
    assert machine.keys.get(b"a") == b"1"
    assert machine.index == 3


def test_what_is_no_command_of_the_log_is_an_error_everywhere() -> None:
    machine = Machine()
    commands = [[], [b"PING"], [b"GET"], [b"EXEC", b"x"], [b"EXEC"], [b"INCR", b"n"]]
    results = machine.apply(1, pack(header(1), commands))
    assert results is not None
    assert [isinstance(result, Failure) for result in results] == [True] * 5 + [False]


def test_a_transaction_whose_keys_have_changed_does_nothing() -> None:
    machine = Machine()
    machine.apply(1, pack(header(1), [[b"SET", b"a", b"1"]]))
    (versions,) = machine.read([[b"VERSIONS", b"a"]], 0)
    assert isinstance(versions, list)
    move = [[b"SET", b"b", b"2"], [b"GET", b"a"]]
    again = transaction(move, {b"a": versions[0]})
    assert machine.apply(2, pack(header(2), [again])) == [[OK, b"1"]]
    machine.apply(3, pack(header(3), [[b"SET", b"a", b"1"]]))
    assert machine.apply(4, pack(header(4), [again])) == [NO_ARRAY]


def test_only_what_reads_is_read_for_others() -> None:
    assert only_reads([b"GET", b"a"])
    assert only_reads([b"VERSIONS", b"a"])
    assert only_reads(transaction([[b"GET", b"a"]], {}))
    assert not only_reads([b"SET", b"a", b"1"])
    assert not only_reads(transaction([[b"GET", b"a"], [b"DEL", b"a"]], {}))
    assert not only_reads([b"EXEC", b"x"])
    assert not only_reads([b"PING"])
    assert not only_reads([])


def test_replies_come_back_as_they_were() -> None:
    replies: list[Reply] = [
        None,
        b"x",
        -3,
        OK,
        Simple(b"string"),
        Failure("ERR no"),
        NO_ARRAY,
        [b"0", [b"a", None], [Failure("ERR x")]],
    ]
    again = read_replies(pack_replies(replies))
    assert again == replies
    assert again[3] is OK
