"""The smallest offending window of an illegal part.

What is shown must itself be wrong, or it explains nothing. Each step keeps that:

1. *The end.* The search is done once more, in the order of responses: after each of them, all
   the configurations are computed in which everything is placed that has responded by then.
   (Lowe calls this just-in-time linearization.) Each order of the whole passes through one of
   them. At the first response after which there is none, the history is illegal whatever
   follows, and the window ends.
2. *The beginning.* The window begins after an earlier response. A search of the whole is a
   search up to the configurations there, and from each of them on; since the whole fails,
   each of the latter does. They are the starts of the window: a state, and the operations under
   way that have taken effect. Of all beginnings the latest is taken that has few starts,
   and if possible no operation under way.
3. *What is left out.* To forget a result (the operation may then have any, and may never
   happen) or to leave out a read removes a constraint: what is still illegal without it was
   so with it. Both are tried, one by one, and kept if the window is then illegal from each
   start.

If a search is not decided within its bounds, the larger window stands.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from runtime.history.model import SequentialModel
from runtime.history.operation import Operation
from runtime.history.search import Search, Start

SHOWN_STARTS = 4
"""A window begins, if it can, where there are at most so many ways in which things can stand."""

SHOWN_OPERATIONS = 30
"""A beginning with no operation under way is worth a window of so many operations."""

CONTEXT = 6
"""So many operations before the window are shown with it, to tell where its states come from."""


@dataclass(frozen=True, slots=True)
class Window:
    """Operations that no order explains, from none of `starts`.

    A start is a state and the operations, by index, that have taken effect before the window
    begins though they had not responded. `start` is one of them and `order` (indices too) the
    most that can be placed from it. `before` are the last operations before the window, in the
    order of their invocations.
    """

    operations: tuple[Operation, ...]
    starts: tuple[Start, ...]
    start: Start
    order: tuple[int, ...]
    before: tuple[Operation, ...]

    @property
    def unplaced(self) -> tuple[int, ...]:
        """The operations that have a response and no place in the longest order."""
        placed = self.start.placed.union(self.order)
        return tuple(i for i, o in enumerate(self.operations) if not o.pending and i not in placed)

    @property
    def states(self) -> tuple[Hashable, ...]:
        """The states that are possible where the window begins."""
        return tuple(dict.fromkeys(start.state for start in self.starts))


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a window can begin; starts and `open` are by index in the part.

    `open`: what had been invoked and had not responded; `future`: the first that had not been
    invoked.
    """

    starts: tuple[Start, ...]
    open: tuple[int, ...]
    future: int


def smallest(model: SequentialModel, operations: Sequence[Operation], steps: int) -> Window:
    """Return the smallest window of an illegal part; about `steps` steps, twice, are spent."""
    ordered = sorted(operations, key=lambda operation: operation.invoked)
    found = _forward(model, ordered, steps)
    shown: tuple[Operation, ...] = tuple(ordered)
    starts: tuple[Start, ...] = (Start(model.initial),)
    before: tuple[Operation, ...] = ()
    if found is not None:
        shown, starts, before = _window(ordered, *found)
        shown, starts = _reduced(model, shown, starts, steps)
    best = starts[0]
    order: tuple[int, ...] = ()
    for start in starts:
        search = Search(model, shown, (start,), track=True)
        search.run(steps)
        if len(search.best) > len(order):
            best, order = start, search.best
    return Window(shown, starts, best, order, before)


def _forward(
    model: SequentialModel, operations: Sequence[Operation], steps: int
) -> tuple[int, list[_Cut]] | None:
    """Return the response after which nothing is possible, and where a window can begin.

    The beginnings are in order; the first is that of the part. None if this takes more than
    `steps` steps.
    """
    responses = sorted({o.responded for o in operations if o.responded is not None})
    cuts = [_Cut((Start(model.initial),), (), 0)]
    cut = cuts[0]
    for instant in responses:
        future = cut.future
        while future < len(operations) and operations[future].invoked <= instant:
            future += 1
        known = (*cut.open, *range(cut.future, future))
        position = {index: n for n, index in enumerate(known)}
        search = Search(
            model,
            [operations[index] for index in known],
            [_renamed(start, position) for start in cut.starts],
            until=instant,
        )
        if search.run(steps) is None:
            return None
        steps -= search.steps
        if not search.ends:
            return instant, cuts
        cut = _after(operations, instant, known, future, search.ends)
        cuts.append(cut)
        if len(cuts) > SHOWN_OPERATIONS and len(cuts[-SHOWN_OPERATIONS].starts) > SHOWN_STARTS:
            del cuts[-SHOWN_OPERATIONS]
    raise AssertionError("the part has an order")


def _after(
    operations: Sequence[Operation],
    instant: int,
    known: Sequence[int],
    future: int,
    ends: Sequence[Start],
) -> _Cut:
    """Return the beginning after a response: what has responded is placed in all `ends`."""
    everywhere = frozenset.intersection(*(end.placed for end in ends))
    open_ = [
        index
        for n, index in enumerate(known)
        if (responded := operations[index].responded) is None or responded > instant
        if responded is not None or n not in everywhere
    ]
    kept = {n: index for n, index in enumerate(known) if index in set(open_)}
    return _Cut(tuple(_renamed(end, kept) for end in ends), tuple(open_), future)


def _renamed(start: Start, names: Mapping[int, int]) -> Start:
    """Return a start with other indices; operations without one drop out of it."""
    return Start(start.state, frozenset(names[i] for i in start.placed if i in names))


def _window(
    operations: Sequence[Operation], end: int, cuts: Sequence[_Cut]
) -> tuple[tuple[Operation, ...], tuple[Start, ...], tuple[Operation, ...]]:
    """Return the operations of the window, its starts, and what comes before it."""
    upto = sum(operation.invoked <= end for operation in operations)
    cut = min(
        (cut for cut in cuts if _size(cut, upto) <= SHOWN_OPERATIONS),
        key=lambda cut: (
            len(cut.starts) > SHOWN_STARTS,
            any(not operations[index].pending for index in cut.open),
            len(cut.starts) if len(cut.starts) > SHOWN_STARTS else 0,
            _size(cut, upto),
        ),
        default=cuts[-1],
    )
    inside = (*cut.open, *range(cut.future, upto))
    position = {index: n for n, index in enumerate(inside)}
    before = [i for i in range(cut.future) if i not in position and not operations[i].pending]
    return (
        tuple(operations[index] for index in inside),
        tuple(_renamed(start, position) for start in cut.starts),
        tuple(operations[index] for index in before[-CONTEXT:]),
    )


def _size(cut: _Cut, upto: int) -> int:
    return len(cut.open) + upto - cut.future


def _reduced(
    model: SequentialModel,
    operations: tuple[Operation, ...],
    starts: tuple[Start, ...],
    steps: int,
) -> tuple[tuple[Operation, ...], tuple[Start, ...]]:
    """Leave out what the window is illegal without.

    Of results, only those that come after the window's end are tried, the latest first: without
    them, the window ends there.
    """
    for index in sorted(range(len(operations)), key=lambda i: -(operations[i].responded or 0)):
        operation = operations[index]
        if operation.pending or any(index in start.placed for start in starts):
            continue
        forgotten = replace(operation, responded=None, result=None)
        fewer = (*operations[:index], forgotten, *operations[index + 1 :])
        search = Search(model, fewer, starts)
        if search.run(steps) is not False:
            break
        steps -= search.steps
        operations = fewer
    for operation in operations:
        if operation.name not in model.reads:
            continue
        index = next(i for i, o in enumerate(operations) if o is operation)
        fewer = operations[:index] + operations[index + 1 :]
        names = {i: i - (i > index) for i in range(len(operations)) if i != index}
        renamed = tuple(_renamed(start, names) for start in starts)
        search = Search(model, fewer, renamed)
        if search.run(steps) is False:
            operations, starts = fewer, renamed
        steps -= search.steps
    return operations, starts
