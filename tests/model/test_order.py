"""The order of a sort that is not written out is the set of its pairs, to whoever asks."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from compiler.model.indexes import RelationIndex
from compiler.model.order import Order, OrderTable

INSERTIONS = st.lists(st.floats(0, 1), max_size=8)


def grown(places: list[float]) -> tuple[list[Order], list[list[int]]]:
    """Return the orders on the way as elements are put in at the given relative places."""
    orders, elements = [Order(())], [list[int]()]
    for number, where in enumerate(places):
        now = list(elements[-1])
        place = round(where * len(now))
        now.insert(place, number)
        orders.append(orders[-1].extended(number, place))
        elements.append(now)
    return orders, elements


@given(INSERTIONS)
def test_it_is_the_set_of_its_pairs(places: list[float]) -> None:
    orders, elements = grown(places)
    everything = range(len(places) + 1)
    for order, listed in zip(orders, elements, strict=True):
        pairs = frozenset(combinations(listed, 2))
        assert order == pairs
        assert pairs == order
        assert hash(order) == hash(pairs)
        assert frozenset(iter(order)) == pairs
        assert (len(order), bool(order)) == (len(pairs), bool(pairs))
        for low in everything:
            for high in everything:
                assert ((low, high) in order) == ((low, high) in pairs)
        other = frozenset({(0, 1), (1, 0), (7, 9)})
        assert order | other == pairs | other
        assert other | order == pairs | other
        assert order & other == other & order == pairs & other
        assert order - other == pairs - other
        assert other - order == other - pairs
        assert order.union(other) == pairs.union(other)
        assert order.intersection(other) == pairs.intersection(other)
        assert order.difference(other) == pairs.difference(other)
        assert order.isdisjoint(other) == pairs.isdisjoint(other)


@given(INSERTIONS)
def test_its_index_is_that_of_its_pairs(places: list[float]) -> None:
    orders, elements = grown(places)
    for columns in ((0,), (1,), (0, 1)):
        computed = RelationIndex(columns)
        for order, listed in zip(orders, elements, strict=True):
            table = computed.refresh(order)
            assert isinstance(table, OrderTable)
            written = RelationIndex(columns).refresh(frozenset(combinations(listed, 2)))
            keys = [*written, *(combinations(range(9), 2) if len(columns) == 2 else range(9))]
            for key in keys:
                assert sorted(table.get(key, ())) == sorted(written.get(key, ()))
                assert (key in table) == (key in written)


def test_a_longer_order_changes_none_that_it_grew_from() -> None:
    short = Order((0, 1))
    long, other = short.extended(2, 2), short.extended(3, 2)
    assert (1, 2) in long
    assert (1, 2) not in short
    assert (1, 3) in other
    assert (1, 3) not in long
