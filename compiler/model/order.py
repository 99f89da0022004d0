"""The order of a sort, as a relation that is not written out.

Of n elements in ascending order, n (n - 1) / 2 pairs are in the relation: for a counter that has
come to some thousands they would not fit into memory. An `Order` is that set of pairs, computed
when it is asked for. It can stand wherever a structure has the rows of a relation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

Element: TypeAlias = Any
Pair: TypeAlias = tuple[Element, ...]


class Order(frozenset[Pair]):
    """All pairs (low, high) of elements that are given in ascending order, without repetition.

    An order that was extended at its end shares the places of its elements with the longer one.
    """

    __slots__ = ("_elements", "_places")

    _elements: tuple[Element, ...]
    _places: dict[Element, int]

    def __new__(cls, elements: tuple[Element, ...]) -> Order:
        """Make the order of `elements`."""
        return cls._make(elements, {element: n for n, element in enumerate(elements)})

    @classmethod
    def _make(cls, elements: tuple[Element, ...], places: dict[Element, int]) -> Order:
        order = super().__new__(cls)
        order._elements, order._places = elements, places
        return order

    def extended(self, element: Element, place: int) -> Order:
        """Return the order with one more element, which is to be at `place`."""
        elements = (*self._elements[:place], element, *self._elements[place:])
        if place == len(self._elements) == len(self._places):
            self._places[element] = place
            return self._make(elements, self._places)
        return Order(elements)

    def place(self, element: Element) -> int | None:
        """Return the place of an element, None if it is not in the order."""
        found = self._places.get(element)
        return found if found is not None and found < len(self._elements) else None

    def above(self, element: Element) -> list[Pair]:
        """Return the pairs whose low part is `element`."""
        place = self.place(element)
        return [] if place is None else [(element, high) for high in self._elements[place + 1 :]]

    def below(self, element: Element) -> list[Pair]:
        """Return the pairs whose high part is `element`."""
        place = self.place(element)
        return [] if place is None else [(low, element) for low in self._elements[:place]]

    # --- as a set ---------------------------------------------------------------------------

    def __contains__(self, pair: object) -> bool:
        places = self._places
        try:
            low, high = cast(Pair, pair)
            return places[low] < places[high] < len(self._elements)
        except (KeyError, TypeError, ValueError):
            return False

    def __iter__(self) -> Iterator[Pair]:
        elements = self._elements
        return ((low, high) for n, high in enumerate(elements) for low in elements[:n])

    def __len__(self) -> int:
        return len(self._elements) * (len(self._elements) - 1) // 2

    def __bool__(self) -> bool:
        return len(self._elements) > 1

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Order):
            return self._elements == other._elements or frozenset(iter(self)) == frozenset(
                iter(other)
            )
        return isinstance(other, frozenset | set) and frozenset(iter(self)) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(frozenset(iter(self)))

    # What a frozenset would do with the rows that it holds itself, an order has none of.

    def _written(self) -> frozenset[Pair]:
        return frozenset(iter(self))

    def __or__(self, other: Any) -> frozenset[Any]:
        return self._written().union(other)

    __ror__ = __or__

    def __and__(self, other: Any) -> frozenset[Any]:
        return self._written().intersection(other)

    __rand__ = __and__

    def __sub__(self, other: Any) -> frozenset[Pair]:
        return self._written().difference(other)

    def __rsub__(self, other: Any) -> frozenset[Any]:
        return frozenset(row for row in other if row not in self)

    def union(self, *others: Any) -> frozenset[Any]:
        """Return the union, written out."""
        return self._written().union(*others)

    def intersection(self, *others: Any) -> frozenset[Pair]:
        """Return the intersection, written out."""
        return self._written().intersection(*others)

    def difference(self, *others: Any) -> frozenset[Pair]:
        """Return the difference, written out."""
        return self._written().difference(*others)

    def isdisjoint(self, other: Any) -> bool:
        """Whether there is no common pair."""
        return not any(row in self for row in other)


class OrderTable(dict[Any, list[Pair]]):
    """The pairs of an order by their low part, their high part, or both, as an index has them."""

    def __init__(self, order: Order, columns: tuple[int, ...]) -> None:
        super().__init__()
        self._order = order
        self._columns = columns

    def __missing__(self, key: Any) -> list[Pair]:
        match self._columns:
            case (0,):
                return self._order.above(key)
            case (1,):
                return self._order.below(key)
            case _:
                return [key] if key in self._order else []

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the pairs, `default` if there are none."""
        return self[key] or default

    def __contains__(self, key: object) -> bool:
        return bool(self[key])
