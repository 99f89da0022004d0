"""Deciding a history: linearizable, illegal, or unknown when the bounds were too small.

A history is linearizable if each of its parts is (Herlihy and Wing, Linearizability: a
correctness condition for concurrent objects, 1990), so parts are searched apart from each
other. They are worked on in turns: a hard one does not keep an easy one, which may be the
illegal one, waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, Union

from runtime.history.model import SequentialModel
from runtime.history.operation import Operation
from runtime.history.search import Search
from runtime.history.window import Window, smallest


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much work may be done.

    `steps` of the model, for all parts together; `stored` configurations in memory, of 100
    to 200 bytes each. Finding the smallest window of an illegal part may cost as much again.
    """

    steps: int = 10_000_000
    stored: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Linearizable:
    """There is an order for each part: the operations, by index in the history.

    Pending operations that need not have happened are in none.
    """

    orders: Mapping[Hashable, tuple[int, ...]]
    steps: int


@dataclass(frozen=True, slots=True)
class Illegal:
    """One part of the history has no order; `window` shows where. Other parts may have none."""

    part: Hashable
    window: Window
    steps: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The bounds were reached: nothing is known of `parts`; the others are linearizable."""

    parts: tuple[Hashable, ...]
    reached: Literal["steps", "stored"]
    steps: int


Verdict: TypeAlias = Union[Linearizable, Illegal, Unknown]

FIRST_QUOTA = 1_000
"""Steps in a part's first turn; each round doubles it, so that turning costs nothing."""


def parts(
    model: SequentialModel, operations: Sequence[Operation]
) -> dict[Hashable, tuple[int, ...]]:
    """Return the indices of the operations of each part, in the order of first mention."""
    found: dict[Hashable, list[int]] = {}
    for index, operation in enumerate(operations):
        found.setdefault(model.part(operation.name, operation.arguments), []).append(index)
    return {part: tuple(indices) for part, indices in found.items()}


def check(
    model: SequentialModel, operations: Sequence[Operation], bounds: Bounds | None = None
) -> Verdict:
    """Decide a history, given in any order; raise ModelError if the model can't take it."""
    bounds = bounds or Bounds()
    indices = parts(model, operations)
    turns = deque(
        (part, Search(model, [operations[i] for i in own])) for part, own in indices.items()
    )
    orders: dict[Hashable, tuple[int, ...]] = {}
    steps = stored = 0
    quota, round_ends = FIRST_QUOTA, len(turns)
    while turns:
        part, search = turns.popleft()
        steps, stored = steps - search.steps, stored - search.stored
        decided = search.run(min(quota, bounds.steps - steps - search.steps))
        steps += search.steps
        if decided is None:
            stored += search.stored
            turns.append((part, search))
            reached = _reached(steps, stored, bounds)
            if reached is not None:
                return Unknown(tuple(part for part, _ in turns), reached, steps)
        elif decided:
            own = indices[part]
            orders[part] = tuple(own[i] for i in search.order)
        else:
            turns.clear()
            window = smallest(model, [operations[i] for i in indices[part]], bounds.steps)
            return Illegal(part, window, steps)
        round_ends -= 1
        if not round_ends:
            quota, round_ends = 2 * quota, len(turns)
    return Linearizable(orders, steps)


def _reached(steps: int, stored: int, bounds: Bounds) -> Literal["steps", "stored"] | None:
    if steps >= bounds.steps:
        return "steps"
    return "stored" if stored >= bounds.stored else None
