"""Thresholds of quorums in concrete sizes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import assert_never

from compiler.model.structure import Value
from compiler.model.system import (
    Arithmetic,
    Boolean,
    Comparison,
    Condition,
    Linear,
    Number,
    Quantity,
    QuorumLayout,
)

_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPUTE: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
}


def evaluate_linear(
    term: Linear, size: int, totals: Mapping[str, int], parameters: Mapping[str, int]
) -> int:
    """Return the value of a linear term.

    `size`: of the set in question; `totals`: nodes by the role's name; `//` rounds down.
    Raises `KeyError` for a total or parameter that is not given.
    """
    match term:
        case Number(value=value):
            return value
        case Quantity(kind="size"):
            return size
        case Quantity(kind="total", name=name):
            return totals[name]
        case Quantity(kind="parameter", name=name):
            return parameters[name]
        case Arithmetic(operator=symbol, left=left, right=right):
            return _COMPUTE[symbol](
                evaluate_linear(left, size, totals, parameters),
                evaluate_linear(right, size, totals, parameters),
            )
        case Quantity():
            raise AssertionError(f"no such quantity: {term.kind}")
    assert_never(term)


def evaluate_condition(
    condition: Condition, size: int, totals: Mapping[str, int], parameters: Mapping[str, int]
) -> bool:
    """Return whether a threshold or assumption holds; arguments as of `evaluate_linear`."""
    match condition:
        case Comparison(operator=symbol, left=left, right=right):
            return _COMPARE[symbol](
                evaluate_linear(left, size, totals, parameters),
                evaluate_linear(right, size, totals, parameters),
            )
        case Boolean(operator=connective, operands=operands):
            values = [evaluate_condition(o, size, totals, parameters) for o in operands]
            match connective:
                case "and" | "true":
                    return all(values)
                case "or":
                    return any(values)
                case "not":
                    return not values[0]
            assert_never(connective)
    assert_never(condition)


def quorum_sets(
    quorum: QuorumLayout,
    nodes: Sequence[Value],
    totals: Mapping[str, int],
    parameters: Mapping[str, int],
    minimal: bool = False,
) -> Iterator[frozenset[Value]]:
    """Yield the sets of `nodes` that meet the threshold, small ones first.

    `minimal`: only those of which no proper subset does. For a threshold that more nodes
    always meet, properties that speak of quorums only by their members are the same for both.
    """
    meets = [
        evaluate_condition(quorum.threshold, size, totals, parameters)
        for size in range(len(nodes) + 1)
    ]
    for size, enough in enumerate(meets):
        if enough and not (minimal and any(meets[:size])):
            for chosen in combinations(nodes, size):
                yield frozenset(chosen)
