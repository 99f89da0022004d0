"""The verdict on a history agrees with trying all orders, and running out is never a pass."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from runtime.history.check import Bounds, Illegal, Linearizable, Unknown, check
from runtime.history.model import KeyValue, ModelError
from runtime.history.operation import Operation
from runtime.history.search import Search, Start
from tests.history.generating import has_order, histories, linearizable

MODEL = KeyValue()


def op(
    client: str, at: int, until: int | None, name: str, *arguments: object, result: object = None
) -> Operation:
    return Operation(client, name, ("k", *arguments), at, until, result)


KNOWN = {
    "a read sees the write before it": (
        True,
        [op("a", 0, 1, "set", "1", result=True), op("b", 2, 3, "get", result="1")],
    ),
    "a stale read": (
        False,
        [
            op("a", 0, 1, "set", "1", result=True),
            op("a", 2, 3, "set", "2", result=True),
            op("b", 4, 5, "get", result="1"),
        ],
    ),
    "a read during a write may see either": (
        True,
        [
            op("a", 0, 1, "set", "1", result=True),
            op("a", 2, 9, "set", "2", result=True),
            op("b", 3, 4, "get", result="1"),
            op("c", 5, 6, "get", result="2"),
        ],
    ),
    "but not the new value and then the old": (
        False,
        [
            op("a", 0, 1, "set", "1", result=True),
            op("a", 2, 9, "set", "2", result=True),
            op("b", 3, 4, "get", result="2"),
            op("c", 5, 6, "get", result="1"),
        ],
    ),
    "times that touch are concurrent": (
        True,
        [op("a", 0, 5, "set", "1", result=True), op("b", 5, 6, "get", result=None)],
    ),
    "an acknowledged write is lost": (
        False,
        [op("a", 0, 1, "set", "1", result=True), op("b", 2, 3, "get", result=None)],
    ),
    "a write of unknown outcome happens late": (
        True,
        [
            op("a", 0, None, "set", "1"),
            op("b", 1, 2, "get", result=None),
            op("b", 3, 4, "get", result="1"),
        ],
    ),
    "but not twice": (
        False,
        [
            op("a", 0, None, "incr", 1),
            op("b", 1, 2, "incr", 1, result=1),
            op("b", 3, 4, "incr", 1, result=3),
            op("b", 5, 6, "incr", 1, result=5),
        ],
    ),
    "and not before it was asked for": (
        False,
        [op("b", 1, 2, "get", result="1"), op("a", 3, None, "set", "1")],
    ),
    "two of unknown outcome in a row": (
        True,
        [
            op("a", 0, None, "append", "1"),
            op("b", 0, None, "append", "2"),
            op("c", 1, 2, "get", result="21"),
        ],
    ),
    "equal ones, both needed": (
        True,
        [
            op("a", 0, None, "incr", 1),
            op("b", 0, None, "incr", 1),
            op("c", 1, 2, "get", result="2"),
        ],
    ),
    "cas wins once": (
        False,
        [
            op("a", 0, 1, "set", "1", result=True),
            op("b", 2, 4, "cas", "1", "2", result=True),
            op("c", 2, 4, "cas", "1", "3", result=True),
        ],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_histories(name: str) -> None:
    right, operations = KNOWN[name]
    assert isinstance(check(MODEL, operations), Linearizable if right else Illegal)
    assert has_order(MODEL, operations) == right


@given(histories())
@settings(max_examples=400, deadline=None)
def test_agrees_with_trying_every_order(operations: list[Operation]) -> None:
    verdict = check(MODEL, operations)
    assert isinstance(verdict, Linearizable) == has_order(MODEL, operations)
    assert not isinstance(verdict, Unknown)


@given(histories())
@settings(max_examples=200, deadline=None)
def test_the_order_is_one(operations: list[Operation]) -> None:
    verdict = check(MODEL, operations)
    if isinstance(verdict, Linearizable):
        (order,) = verdict.orders.values()
        placed = [operations[index] for index in order]
        assert {o.client for o in operations if not o.pending} <= {o.client for o in placed}
        state: Hashable = MODEL.initial
        for n, operation in enumerate(placed):
            assert all((o.responded or 99) >= operation.invoked for o in placed[n:])
            state, result = MODEL.step(state, operation.name, operation.arguments)
            assert operation.pending or result == operation.result


@given(histories(5))
@settings(max_examples=300, deadline=None)
def test_a_shrunk_window_is_illegal_by_itself(operations: list[Operation]) -> None:
    verdict = check(MODEL, operations)
    if isinstance(verdict, Illegal):
        window = verdict.window
        assert len(window.operations) <= len(operations)
        for start in window.starts:
            assert not has_order(MODEL, window.operations, start)


@pytest.mark.parametrize(
    ("keys", "clients", "lost"), [(100, 10, 0.0), (100, 10, 0.02), (50, 50, 0.0), (1, 4, 0.0)]
)
def test_large_histories(keys: int, clients: int, lost: float) -> None:
    operations = linearizable(7, 4000, keys=keys, clients=clients, lost=lost)
    assert isinstance(check(MODEL, operations), Linearizable)


def test_one_wrong_result_among_many_is_found_and_its_window_is_small() -> None:
    operations = linearizable(7, 4000, keys=50, clients=10)
    reads = [i for i, o in enumerate(operations) if o.name == "get"]
    wrong = reads[len(reads) // 2]
    operations[wrong] = replace(operations[wrong], result="never written")
    verdict = check(MODEL, operations)
    assert isinstance(verdict, Illegal)
    assert verdict.part == operations[wrong].arguments[0]
    assert operations[wrong] in verdict.window.operations
    assert len(verdict.window.operations) <= 10


def hard() -> list[Operation]:
    """Return a part that is illegal, which takes half a million steps to find out."""
    writes = [Operation(f"c{n}", "set", ("hard", str(n)), 0, 1000, True) for n in range(14)]
    return [*writes, Operation("c", "get", ("hard",), 2000, 2001, None)]


def test_a_hard_part_does_not_hide_an_illegal_one() -> None:
    verdict = check(MODEL, [*hard(), *KNOWN["a stale read"][1]])
    assert isinstance(verdict, Illegal)
    assert verdict.part == "k"


@pytest.mark.parametrize(
    ("bounds", "reached"), [(Bounds(steps=5_000), "steps"), (Bounds(stored=500), "stored")]
)
def test_running_out_is_unknown(bounds: Bounds, reached: str) -> None:
    easy = [Operation("d", "get", ("other",), 0, 1, None)]
    verdict = check(MODEL, [*hard(), *easy], bounds)
    assert isinstance(verdict, Unknown)
    assert verdict.reached == reached
    assert verdict.parts == ("hard",)
    assert verdict.steps <= bounds.steps + 100


def test_a_search_worked_on_in_turns_finds_what_one_turn_finds() -> None:
    operations = linearizable(3, 200, keys=1, clients=6, lost=0.02)
    whole, turns = Search(MODEL, operations), Search(MODEL, operations)
    decided = None
    while decided is None:
        decided = turns.run(7)
    assert whole.run(10_000_000) is decided is True
    assert whole.order == turns.order


def test_a_start_has_used_up_what_it_placed() -> None:
    history = [op("a", 0, 9, "append", "1", result=1), op("b", 1, 2, "get", result="1")]
    assert Search(MODEL, history, [Start("1", frozenset({0}))]).run(100) is True
    assert Search(MODEL, history, [Start("1")]).run(100) is False


def test_an_unknown_operation_is_a_mistake_of_the_history() -> None:
    with pytest.raises(ModelError, match="no `pop`"):
        check(MODEL, [Operation("a", "pop", ("k",), 0, 1, None)])


class Queue:
    """A queue is one part: no key divides it."""

    initial: Hashable = ()
    reads: frozenset[str] = frozenset()

    def part(self, name: str, arguments: tuple[object, ...]) -> Hashable:
        return None

    def step(
        self, state: Hashable, name: str, arguments: tuple[object, ...]
    ) -> tuple[Hashable, object]:
        assert isinstance(state, tuple)
        if name == "put":
            return (*state, *arguments), True
        return (state[1:], state[0]) if state else (state, None)


def test_any_model_will_do() -> None:
    puts = [Operation("a", "put", (n,), 2 * n, 2 * n + 3, True) for n in range(3)]
    right = [Operation("b", "take", (), 20 + 2 * n, 21 + 2 * n, n) for n in (0, 1, 2)]
    swapped = [replace(right[0], result=2), right[1], replace(right[2], result=0)]
    assert isinstance(check(Queue(), [*puts, *right]), Linearizable)
    assert isinstance(check(Queue(), [*puts, *swapped]), Illegal)
