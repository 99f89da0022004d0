"""`possible`: whether what is wished for can always still be reached, in small instances.

In a branching logic the question is AG EF F. It speaks of the steps that are possible, so it is no
property of single executions, and neither induction nor the search for a bad state answers it.
Here the reachable states of a small instance are all computed, with the steps between them; if
messages carry sets, all sets of what there is in the instance are in it. The
states from which F can be reached are found backwards from those where it holds, by the steps
that count: not crashes; and of a role that the property does without, only crashes. What is left is
stuck, and the shortest execution to it is the refutation. (Edmund Clarke, Allen Emerson, Design
and Synthesis of Synchronization Skeletons Using Branching Time Temporal Logic, 1981.)

**What is guaranteed.** "Fails" is about that instance, and certain: where not all states were
visited, those that were not may each still lead to F. "Holds" is said of instances whose states
were all visited, and of nothing else. An ordered sort has no greatest value, but in an instance it
has: so a state counts as stuck only if it stays so with further values above all others.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from compiler.model.rigid import all_sets
from compiler.model.structure import Row, Structure, Value
from compiler.model.successors import (
    extend,
    initial_structure,
    machine,
    rigid_structure,
    successors,
)
from compiler.model.system import Action, Crashed, Model, Possibility
from compiler.model.term import BOOL, Sort, Symbol
from compiler.model.text import show
from compiler.prove.cache import Cache
from compiler.prove.replay import ReplayError, replay
from compiler.prove.scope import Scope, carriers, is_single, sized_sorts, with_parameters
from compiler.prove.verdict import (
    Explored,
    PossibilityResult,
    Possible,
    Reachable,
    Step,
    Trace,
    Unknown,
)

_NEEDED = 100_000
"""States of an instance without which there is no verdict."""

_WELCOME = 2_000
"""States of a greater instance, which is looked at as well if it is small enough."""

_CONSTANTS = 16
"""How many meanings of the constants of roles are gone through."""

_SETS = 256
"""How many sets of one type there may be in an instance."""

_FURTHER = 4_000
"""States visited to find out whether more values of the ordered sorts help a stuck state."""


def decide(
    model: Model, possibility: Possibility, seconds: float, cache: Cache | None = None
) -> PossibilityResult:
    """Return the verdict on a `possible` property, within about `seconds`.

    What holds is remembered in `cache`, for the same model to the letter. Raises `ReplayError`
    if the evaluator can't take the steps of an execution again.
    """
    key = hashlib.sha256(f"possible {possibility.name}\n{show(model)}".encode()).hexdigest()
    for known in () if cache is None else cache.near(key):
        return PossibilityResult(possibility, _recalled(known))
    result = _decide(model, possibility, seconds)
    if cache is not None and isinstance(result.verdict, Possible):
        found = enumerate(result.verdict.instances)
        cache.store(key, (f"{number}/{i.states}/{i.sizes}" for number, i in found))
    return result


def _recalled(known: Collection[str]) -> Possible:
    parts = sorted((entry.split("/", 2) for entry in known), key=lambda part: int(part[0]))
    return Possible(tuple(Explored(sizes, int(states)) for _, states, sizes in parts))


def _decide(model: Model, possibility: Possibility, seconds: float) -> PossibilityResult:
    deadline = time.monotonic() + seconds
    explored: list[Explored] = []
    for needed, scope in _instances(model):
        limit = _NEEDED if needed else _WELCOME
        words = scope.describe(model)
        if with_sets(model, scope) is None:
            if needed:
                reason = f"there are more than {_SETS} sets that a message can carry, with {words}"
                return PossibilityResult(possibility, Unknown(reason))
            continue
        for start in _starts(model, scope):
            graph = _Graph(model, possibility, start)
            graph.explore(limit, deadline)
            stuck = graph.stuck(deadline)
            if stuck is not None:
                trace = _trace(model, graph, stuck, scope)
                bound = f"{graph.words} with {words}, no execution to such a state is shorter"
                return PossibilityResult(possibility, Reachable(possibility.name, trace, bound))
            if not graph.complete or graph.undecided:
                if needed:
                    reason = f"more than {graph.words} with {words}"
                    if graph.complete:
                        reason = f"it depends on further values, {graph.words} with {words}"
                    return PossibilityResult(possibility, Unknown(reason))
                break
        else:
            explored.append(Explored(words, len(graph.states)))
    if not explored:
        return PossibilityResult(possibility, Unknown("no instance meets the assumptions"))
    return PossibilityResult(possibility, Possible(tuple(explored)))


# --- instances ---------------------------------------------------------------------------------


def _instances(model: Model) -> Iterator[tuple[bool, Scope]]:
    """Yield instances, small ones first, and whether a verdict needs them.

    It needs those of the first two numbers of nodes that the spec's assumptions allow.
    """
    opaque = any(d.kind == "opaque" for d in model.sorts)
    allowed: set[int] = set()
    for nodes, values in ((1, 1), (2, 1), (2, 2), (3, 1), (3, 2)):
        if values > 1 and not opaque:
            continue
        sizes = []
        for name in sized_sorts(model):
            match model.sort(name).kind:
                case "role":
                    sizes.append((name, 1 if is_single(model, name) else nodes))
                case "ordered":
                    sizes.append((name, 2))
                case "set":
                    continue
                case _:
                    sizes.append((name, values))
        for scope in with_parameters(model, tuple(sizes)):
            allowed.add(nodes)
            yield values == 1 and nodes in sorted(allowed)[:2], scope


def with_sets(model: Model, scope: Scope) -> dict[Sort, tuple[Value, ...]] | None:
    """Return the carriers of an instance, every set among them; None if these are too many."""
    found: dict[Sort, tuple[Value, ...]] = dict(carriers(model, scope))
    for declaration in model.sorts:
        if declaration.element is not None:
            sets = all_sets(declaration.element, found, _SETS)
            if sets is None:
                return None
            found[declaration.sort] = sets
    return found


def _starts(model: Model, scope: Scope) -> Iterator[Structure]:
    """Yield the initial states of an instance, one for each meaning of the roles' constants."""
    known = with_sets(model, scope)
    assert known is not None
    kinds = ("role", "opaque", "ordered", "set")
    given = {d.sort: known[d.sort] for d in model.sorts if d.kind in kinds}
    of_sorts = {
        symbol
        for d in model.sorts
        for symbol in (d.less, d.zero, d.owner, d.member, d.the)
        if symbol is not None
    }
    constants = [s for s in model.symbols if not s.mutable and s not in of_sorts]
    choices = [list(_meanings(symbol, known)) for symbol in constants]
    parameters = dict(scope.parameters)
    for number, chosen in enumerate(product(*choices)):
        if number == _CONSTANTS:
            return
        rigid = rigid_structure(
            model,
            given,
            parameters=parameters,
            constants=dict(zip(constants, chosen, strict=True)),
        )
        yield initial_structure(model, rigid)


def _meanings(
    symbol: Symbol, known: Mapping[Sort, Sequence[Value]]
) -> Iterator[Mapping[Row, Value] | Collection[Row]]:
    rows = list(product(*(known[sort] for sort in symbol.arguments)))
    for number, values in enumerate(product(known[symbol.result], repeat=len(rows))):
        if number == _CONSTANTS:
            return
        if symbol.result == BOOL:
            yield frozenset(row for row, value in zip(rows, values, strict=True) if value)
        else:
            yield dict(zip(rows, values, strict=True))


# --- the graph of one instance -------------------------------------------------------------------


@dataclass
class _Graph:
    """The states of one instance, breadth first, and the steps between them that count.

    `before[i]` are the states from which such a step leads to state `i`. States from
    `expanded` on were seen, but not what can happen in them.
    """

    model: Model
    possibility: Possibility
    start: Structure
    states: list[Structure] = field(default_factory=list)
    parents: list[tuple[int, Step] | None] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)
    expanded: int = 0
    undecided: bool = False

    @property
    def complete(self) -> bool:
        """Whether all reachable states were visited."""
        return self.expanded == len(self.states)

    @property
    def words(self) -> str:
        """How many states were visited."""
        return f"{self.expanded} reachable states"

    def explore(self, limit: int, deadline: float) -> None:
        """Visit the reachable states, at most `limit`."""
        numbers: dict[Hashable, int] = {}
        keys = _Keys(self.model)

        def number(state: Structure, parent: tuple[int, Step] | None) -> int:
            key = keys(state)
            known = numbers.get(key)
            if known is None:
                known = numbers[key] = len(self.states)
                self.states.append(state)
                self.parents.append(parent)
                self.before.append([])
            return known

        number(self.start, None)
        while not self.complete and self.expanded < limit:
            if self.expanded % 64 == 0 and time.monotonic() > deadline:
                return
            current = self.expanded
            for action, arguments, after in successors(self.model, self.states[current]):
                index = number(after, (current, Step(action, arguments)))
                if counts(action, self.possibility) and index != current:
                    self.before[index].append(current)
            self.expanded += 1

    def stuck(self, deadline: float) -> int | None:
        """Return the first state from which the formula certainly can't be reached, if any."""
        holds = machine(self.model).compile(self.possibility.formula)
        good = [
            number >= self.expanded or bool(holds(state))
            for number, state in enumerate(self.states)
        ]
        self._spread(good, [number for number, is_good in enumerate(good) if is_good])
        # The last states first: what helps them helps the many that lead to them.
        for number in reversed(range(len(self.states))):
            if not good[number] and self._certainly_stuck(number, good, deadline):
                break
        for number in range(len(self.states)):
            if not good[number] and self._certainly_stuck(number, good, deadline):
                return number
        return None

    def _certainly_stuck(self, number: int, good: list[bool], deadline: float) -> bool:
        """Whether more values of the ordered sorts do not help; else mark the state as good."""
        more = _with_more_values(self.model, self.states[number])
        if more is None:
            return True
        known = with_more_sets(self.model, more) if time.monotonic() < deadline else None
        escapes = None if known is None else self._escapes(known)
        if escapes is False:
            return True
        if escapes is None:
            self.undecided = True
        good[number] = True
        self._spread(good, [number])
        return False

    def _spread(self, good: list[bool], reached: list[int]) -> None:
        """Mark every state from which one that is marked can be reached."""
        waiting = list(reached)
        while waiting:
            for earlier in self.before[waiting.pop()]:
                if not good[earlier]:
                    good[earlier] = True
                    waiting.append(earlier)

    def _escapes(self, start: Structure) -> bool | None:
        """Whether the formula can be reached from a state; None if that was not found out."""
        holds = machine(self.model).compile(self.possibility.formula)
        keys = _Keys(self.model)
        seen = {keys(start)}
        states = [start]
        for state in states:
            if holds(state):
                return True
            for action, _, after in successors(self.model, state):
                if not counts(action, self.possibility) or keys(after) in seen:
                    continue
                if len(states) >= _FURTHER:
                    return None
                seen.add(keys(after))
                states.append(after)
        return False


def counts(action: Action, possibility: Possibility) -> bool:
    """Whether a step is one by which the formula may be reached.

    A node that the property does without may crash, but not do anything else.
    """
    return isinstance(action.trigger, Crashed) == (action.role in possibility.without)


class _Keys:
    """States by what can change in them; the rest is the same in all states of an instance."""

    def __init__(self, model: Model) -> None:
        changed = {update.symbol for update in model.initial}
        self._relations = [s for s in model.symbols if s in changed and s.result == BOOL]
        self._functions = [s for s in model.symbols if s in changed and s.result != BOOL]

    def __call__(self, state: Structure) -> Hashable:
        relations, functions = state.relations, state.functions
        return (
            *(relations[symbol] for symbol in self._relations),
            *(frozenset(functions[symbol].items()) for symbol in self._functions),
        )


def _with_more_values(model: Model, state: Structure) -> Structure | None:
    """Return the state with a further value of each ordered sort for each node that can own one.

    None if no sort is ordered.
    """
    ordered = [d for d in model.sorts if d.kind == "ordered"]
    for declaration in ordered:
        owners: Sequence[Value | None] = (None, None)
        if declaration.owner is not None:
            owners = state.carriers[declaration.owner.result]
        for number, owner in enumerate(owners):
            element = f"further {declaration.sort}{number}"
            state = extend(model, state, declaration.sort, element, owner=owner)
    return state if ordered else None


def with_more_sets(model: Model, state: Structure) -> Structure | None:
    """Return the state with every set of the elements that it has; None if these are too many."""
    for declaration in model.sorts:
        if declaration.element is not None:
            sets = all_sets(declaration.element, state.carriers, _SETS)
            if sets is None:
                return None
            for new in set(sets).difference(state.carriers[declaration.sort]):
                state = extend(model, state, declaration.sort, new)
    return state


def _trace(model: Model, graph: _Graph, number: int, scope: Scope) -> Trace:
    steps: list[Step] = []
    while (parent := graph.parents[number]) is not None:
        number, step = parent
        steps.append(step)
    trace = replay(model, graph.start, steps[::-1])
    if trace is None:
        raise ReplayError("an execution to a stuck state does not replay")
    return Trace(trace.states, trace.steps, scope.parameters)
