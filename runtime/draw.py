"""Random values of a shape, from a source of random numbers that the caller seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias, assert_never

from runtime.contract import NodeId
from runtime.types import (
    BoolShape,
    ClassShape,
    EnumShape,
    IntShape,
    NodeShape,
    OpaqueShape,
    OptionShape,
    SetShape,
    Shape,
    TupleShape,
)

Draw: TypeAlias = Callable[[Random], Any]
"""Draws a value; all its randomness comes from the argument."""


class Pool:
    """Numbers for opaque values: `size` in a row at a time, of which any is drawn.

    Few values at a time, so that they meet: protocols go wrong where values meet. With the
    probability `drift` a draw moves the window on by one, so that a long run does not end up
    with values that have all been dealt with.
    """

    def __init__(self, size: int = 3, drift: float = 0.0) -> None:
        if size < 1:
            raise ValueError("a pool has at least one value")
        self.size = size
        self._drift = drift
        self._first = 0

    def draw(self, random: Random) -> int:
        """Return a number of the window."""
        if self._drift and random.random() < self._drift:
            self._first += 1
        return self._first + int(random.random() * self.size)


def drawer(shape: Shape, nodes: Sequence[NodeId], pool: Pool) -> Draw:
    """Return a function that draws values of `shape`.

    Opaque values are named after their type: `v0`, `v1` of `Value`. The shape is looked at
    once, here, since clients draw a value for every request.
    """
    match shape:
        case BoolShape():
            return lambda random: random.random() < 0.5
        case IntShape():
            return lambda random: int(random.random() * pool.size)
        case NodeShape():
            return chooser(nodes)
        case OpaqueShape(name=name):
            initial = name[0].lower()
            return lambda random: f"{initial}{pool.draw(random)}"
        case EnumShape(enum=enum):
            return chooser(list(enum))
        case TupleShape(parts=parts):
            each = [drawer(part, nodes, pool) for part in parts]
            return lambda random: tuple([draw(random) for draw in each])
        case ClassShape(make=make, parts=parts):
            draws = [drawer(part, nodes, pool) for part in parts]
            if len(draws) == 1:
                (only,) = draws
                return lambda random: make(only(random))
            return lambda random: make(*[draw(random) for draw in draws])
        case OptionShape(content=content):
            some = drawer(content, nodes, pool)
            return lambda random: None if random.random() < 0.5 else some(random)
        case SetShape(element=element):
            one = drawer(element, nodes, pool)

            def elements(random: Random) -> frozenset[Any]:
                size = int(random.random() * (pool.size + 1))
                return frozenset([one(random) for _ in range(size)])

            return elements
        case _:
            assert_never(shape)


def chooser(choices: Sequence[Any]) -> Draw:
    """Return a function that draws one of `choices`."""
    size = len(choices)
    return lambda random: choices[int(random.random() * size)]
