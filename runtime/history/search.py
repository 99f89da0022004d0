"""One part of a history: is there an order in which a sequential service could have done it?

Wing and Gong's search (Testing and Verifying Concurrent Objects, 1993): whatever was invoked
before the first response of what is not placed yet can be the next in the order, if the model
then gives the result that the client saw. Lowe's memoisation (Testing for linearizability, 2017):
a configuration, that is, which operations are placed and in which state that left the model,
is looked into once, however it was reached.

An operation without a response may be placed anywhere after its invocation, or not at all.
Four things keep the search small, and none of them loses an order:

- A read that gives the right result now is placed at once and nothing else is tried. It changes
  no state, so in any order that has it later it can be moved here.
- An operation without a response is placed only where one that has a response follows. At the
  end of an order it would be of no use. Several in a row are gone through by their number, and
  not at all where the first of them lead to a state that fewer of them lead to. The search
  is first made with one in a row at most, then with two, four, and so on, as long as that
  left something out.
- A configuration that differs from a known one only in having placed more operations without
  a response is left out: what can follow it can follow the other, by the same operations.
- Of operations without a response that are equal but for their clients and times only the
  first that was invoked is tried: where one is open, they all are, and may change places.

So: if there is an order from some configuration that was looked into, take the shortest.
Its next configuration was looked into as well, or left out for one that was, from which
an order at most as long leads on. By induction the search comes to the end of one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runtime.history.model import SequentialModel
from runtime.history.operation import Operation

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Start:
    """A state to begin in; `placed` are the operations, by index, that have led to it."""

    state: Hashable
    placed: frozenset[int] = frozenset()


Configuration: TypeAlias = tuple[int, int, int, Hashable]
"""(first, mask, used, state): all responded operations before `first` are placed, and of those
from it on the ones in `mask`, whose lowest bit is `first` and is not set; `used` are the
pending ones that are placed. Offsets keep the numbers small in a long history."""

Move: TypeAlias = tuple[tuple[int, ...], Configuration]
"""Operations to place next, by index in the history, and what that leads to."""


class Search:
    """A search that can be worked on in turns.

    `operations` are those of one part, in any order; indices into it are what `order` and
    `best` consist of. `steps` counts the model's steps and the configurations met, `stored`
    those kept in memory. With `track`, `best` is an order of as many responded operations as
    could be placed. With `until`, an instant, nothing is sought beyond configurations in
    which all that has responded by then is placed: `ends` becomes all of them, but for those
    that only have placed more than another one, and `run` never returns True.
    """

    def __init__(
        self,
        model: SequentialModel,
        operations: Sequence[Operation],
        starts: Iterable[Start] | None = None,
        *,
        track: bool = False,
        until: int | None = None,
    ) -> None:
        self._step = model.step
        self.steps = 0
        self.stored = 0
        self.best: tuple[int, ...] = ()
        self.ends: list[Start] = []
        self._track = track
        self._until = until
        self._most = 0
        by_time = sorted(range(len(operations)), key=lambda i: operations[i].invoked)
        self._pending = [i for i in by_time if operations[i].responded is None]
        self._responded = [i for i in by_time if operations[i].responded is not None]
        self._names = [operations[i].name for i in self._responded]
        self._arguments = [operations[i].arguments for i in self._responded]
        self._results = [operations[i].result for i in self._responded]
        self._invoked = [operations[i].invoked for i in self._responded]
        self._ends = [float(operations[i].responded or 0) for i in self._responded]
        self._reads = [name in model.reads for name in self._names]
        self._open = [operations[i] for i in self._pending]
        if starts is None:
            starts = (Start(model.initial),)
        self._roots: list[Move] = [((), self._root(start)) for start in starts]
        self._deepest: float = 1 if until is None else NEVER
        self._cut_off = False
        self._seen: dict[tuple[int, int, Hashable], tuple[int, ...]] = {}
        self._stack: list[Iterator[Move | None]] = [iter(self._roots)]
        self._path: list[tuple[int, ...]] = [()]
        self._limit = 0

    @property
    def order(self) -> tuple[int, ...]:
        """The operations placed at present, in order; after True from `run`, a whole order."""
        return tuple(index for placed in self._path for index in placed)

    def run(self, quota: int) -> bool | None:
        """Work on for about `quota` steps.

        Returns True as soon as there is an order, False if there is none, None if that is not
        known yet. After True or False it must not be called again.
        """
        self._limit = self.steps + quota
        total = len(self._responded)
        stack, path = self._stack, self._path
        while stack or self._deepen():
            if self.steps >= self._limit:
                return None
            move = next(stack[-1], _DONE)
            if move is None:
                return None
            if move is _DONE:
                stack.pop()
                path.pop()
                continue
            self.steps += 1
            placed, configuration = move
            if self._is_known(configuration):
                continue
            path.append(placed)
            if self._track:
                self._note(configuration)
            if self._until is not None:
                if self._next(configuration[0], configuration[1])[2] > self._until:
                    self.ends.append(self._start(configuration))
                    path.pop()
                    continue
            elif configuration[0] == total:
                return True
            stack.append(self._moves(configuration))
        return False

    def _deepen(self) -> bool:
        """Begin anew, with twice as many pending operations in a row; False if that is no more."""
        if not self._cut_off:
            return False
        self._deepest, self._cut_off = 2 * self._deepest, False
        self._seen.clear()
        self.stored = 0
        self._stack.append(iter(self._roots))
        self._path.append(())
        return True

    def _note(self, configuration: Configuration) -> None:
        first, mask, _, _ = configuration
        count = first + mask.bit_count()
        if count > self._most:
            self._most, self.best = count, self.order

    def _root(self, start: Start) -> Configuration:
        first = mask = used = 0
        for n, index in enumerate(self._responded):
            if index in start.placed:
                first, mask = _placed(first, mask, n)
        for n, index in enumerate(self._pending):
            if index in start.placed:
                used |= 1 << n
        return first, mask, used, start.state

    def _start(self, configuration: Configuration) -> Start:
        first, mask, used, state = configuration
        responded = self._responded[:first] + [
            index for n, index in enumerate(self._responded[first:]) if mask >> n & 1
        ]
        pending = [index for n, index in enumerate(self._pending) if used >> n & 1]
        return Start(state, frozenset((*responded, *pending)))

    def _is_known(self, configuration: Configuration) -> bool:
        """Return whether one at least as good was met; if not, remember this one."""
        first, mask, used, state = configuration
        key = (first, mask, state)
        known = self._seen.get(key, ())
        if any(other & used == other for other in known):
            return True
        self._seen[key] = (*known, used) if known or used else _ALONE
        self.stored += 1
        return False

    # --- what can come next ------------------------------------------------------------------

    def _moves(self, configuration: Configuration) -> Iterator[Move | None]:
        """Yield the moves from a configuration, and None where the quota is used up."""
        first, mask, used, state = configuration
        reads, others, horizon = self._next(first, mask)
        read = self._fitting(reads, state)
        if read is not None:
            yield (self._responded[read],), (*_placed(first, mask, read), used, state)
            return
        yield from self._changes(configuration, others, ())
        if self._open:
            yield from self._with_pending(configuration, reads, others, horizon)

    def _next(self, first: int, mask: int) -> tuple[list[int], list[int], float]:
        """Return the reads and the others that can be placed next, and the first response."""
        invoked, ends, is_read = self._invoked, self._ends, self._reads
        horizon = NEVER
        reads: list[int] = []
        others: list[int] = []
        for i in range(first, len(invoked)):
            if invoked[i] > horizon:
                break
            if not mask & 1:
                (reads if is_read[i] else others).append(i)
                if ends[i] < horizon:
                    horizon = ends[i]
            mask >>= 1
        return reads, others, horizon

    def _fitting(self, reads: list[int], state: Hashable) -> int | None:
        """Return a read that saw what it would see in `state`."""
        for i in reads:
            self.steps += 1
            if self._step(state, self._names[i], self._arguments[i])[1] == self._results[i]:
                return i
        return None

    def _changes(
        self, configuration: Configuration, others: list[int], way: tuple[int, ...]
    ) -> Iterator[Move]:
        """Yield the moves that place one of `others`, after those in `way`."""
        first, mask, used, state = configuration
        for i in others:
            self.steps += 1
            after, result = self._step(state, self._names[i], self._arguments[i])
            if result == self._results[i]:
                yield (*way, self._responded[i]), (*_placed(first, mask, i), used, after)

    def _with_pending(
        self, configuration: Configuration, reads: list[int], others: list[int], horizon: float
    ) -> Iterator[Move | None]:
        """Yield the moves that first place pending operations: one, then two, and so on."""
        first, mask, used, state = configuration
        available = [
            (index, 1 << n, operation)
            for n, (index, operation) in enumerate(zip(self._pending, self._open, strict=True))
            if operation.invoked <= horizon and not used >> n & 1
        ]
        known: dict[Hashable, list[int]] = {state: [used]}
        level: list[tuple[tuple[int, ...], int, Hashable]] = [((), used, state)]
        depth = 0
        while level:
            if depth >= self._deepest:
                self._cut_off = True
                return
            depth += 1
            following = []
            for way, used, state in level:
                tried: set[tuple[str, tuple[object, ...]]] = set()
                for index, bit, operation in available:
                    label = (operation.name, operation.arguments)
                    if used & bit or label in tried:
                        continue
                    tried.add(label)
                    if self.steps >= self._limit:
                        yield None
                    self.steps += 1
                    after, _ = self._step(state, *label)
                    more = used | bit
                    sets = known.setdefault(after, [])
                    if any(other & more == other for other in sets):
                        continue
                    sets.append(more)
                    self.stored += 1
                    longer = (*way, index)
                    read = self._fitting(reads, after)
                    if read is not None:
                        placed = (*longer, self._responded[read])
                        yield placed, (*_placed(first, mask, read), more, after)
                        continue
                    yield from self._changes((first, mask, more, after), others, longer)
                    following.append((longer, more, after))
            level = following


def _placed(first: int, mask: int, index: int) -> tuple[int, int]:
    """Return `first` and `mask` with the responded operation `index` placed as well."""
    mask |= 1 << (index - first)
    run = (~mask & (mask + 1)).bit_length() - 1
    return first + run, mask >> run


_DONE: Move = ((), (-1, 0, 0, None))
"""What stands for the end of an iterator."""

_ALONE = (0,)
"""Most often no pending operation is used: one tuple for all those."""
