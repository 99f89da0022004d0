"""Stepping a finite state: what can happen in it, and what it is afterwards.

A `Machine` is a model made executable: it compiles an action or property the first time it is
needed and keeps it. The functions of this module use one machine for each model object.
This is the meaning of the model, computed; the emitter has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product

from compiler.model.compiled import Compiled, compile_formula, enum_sizes
from compiler.model.evaluate import assignments, carrier, evaluate
from compiler.model.indexes import Indexes
from compiler.model.order import Order
from compiler.model.rigid import rigid_structure, sized_carriers
from compiler.model.stepping import Change, Guard, Updates
from compiler.model.structure import Row, Structure, Value
from compiler.model.system import Action, Model
from compiler.model.term import BOOL, FALSE, Sort, Symbol, Term, Var

__all__ = [
    "Exploration",
    "Machine",
    "apply",
    "enabled",
    "explore",
    "extend",
    "initial_structure",
    "machine",
    "rigid_structure",
    "sized_carriers",
    "successors",
]

Successor = tuple[Action, Mapping[Var, Value], Structure]


class Machine:
    """A model made executable.

    Not to be shared between threads: the indexes follow the structure last seen.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._indexes = Indexes()
        self._sizes = enum_sizes(model)
        self._guards: dict[tuple[str, tuple[Var, ...]], Guard] = {}
        self._updates: dict[str, Updates] = {}
        self._initial: dict[Symbol, Compiled] = {}
        self._assertions: dict[str, dict[str, Compiled]] = {}
        self._properties: dict[str, Compiled] | None = None

    def compile(self, term: Term, parameters: Sequence[Var] = ()) -> Compiled:
        """Compile any term; it shares its indexes with the rest of the machine."""
        return compile_formula(term, parameters, self._indexes, self._sizes)

    @property
    def properties(self) -> Mapping[str, Compiled]:
        """The properties of the model by name, compiled."""
        if self._properties is None:
            self._properties = {p.name: self.compile(p.formula) for p in self.model.properties}
        return self._properties

    def assertions(self, action: Action) -> Mapping[str, Compiled]:
        """Return the assertions of an action by name, compiled for its parameters, in order."""
        compiled = self._assertions.get(action.name)
        if compiled is None:
            compiled = {
                a.name: self.compile(a.formula, action.parameters) for a in action.assertions
            }
            self._assertions[action.name] = compiled
        return compiled

    def guard(self, action: Action, known: Collection[Var]) -> Guard:
        """Return the guard of an action, compiled for the parameters that are `known`."""
        ordered = tuple(parameter for parameter in action.parameters if parameter in known)
        key = (action.name, ordered)
        guard = self._guards.get(key)
        if guard is None:
            guard = Guard(action, ordered, self._indexes, self._sizes)
            self._guards[key] = guard
        return guard

    def updates(self, action: Action) -> Updates:
        """Return the updates of an action, compiled."""
        updates = self._updates.get(action.name)
        if updates is None:
            updates = Updates(action.updates, action.parameters, self._indexes, self._sizes)
            self._updates[action.name] = updates
        return updates

    def enabled(
        self, action: Action, structure: Structure, known: Mapping[Var, Value]
    ) -> Iterator[Mapping[Var, Value]]:
        """Yield the assignments of the action's parameters that extend `known`; see `enabled`."""
        guard = self.guard(action, known.keys())
        values = [known[p] for p in action.parameters if p in known]
        for row in guard(structure, values):
            yield dict(zip(action.parameters, row, strict=True))

    def apply(
        self, action: Action, structure: Structure, arguments: Mapping[Var, Value]
    ) -> Structure:
        """Return the state after the action; see `apply`."""
        return self.change(action, structure, arguments)[0]

    def change(
        self, action: Action, structure: Structure, arguments: Mapping[Var, Value]
    ) -> tuple[Structure, Mapping[Symbol, Change]]:
        """Return the state after the action, and what has changed of each symbol."""
        values = tuple([arguments[parameter] for parameter in action.parameters])
        return self.updates(action).apply(structure, values)

    def initial_rows(
        self, structure: Structure, sort: Sort, element: Value
    ) -> Iterator[tuple[Symbol, dict[Row, Value]]]:
        """Yield the initial values of mutable symbols at all rows with `element` of `sort`."""
        for update in self.model.initial:
            columns = [i for i, formal in enumerate(update.formals) if formal.sort == sort]
            if not columns or update.value == FALSE:
                continue
            value = self._initial.get(update.symbol)
            if value is None:
                value = self.compile(update.value, update.formals)
                self._initial[update.symbol] = value
            rows: dict[Row, Value] = {}
            for column in columns:
                carriers = [carrier(structure, formal.sort) for formal in update.formals]
                carriers[column] = (element,)
                for row in product(*carriers):
                    rows[row] = value(structure, *row)
            yield update.symbol, rows

    def successors(self, structure: Structure) -> Iterator[Successor]:
        """Yield every possible step and the state after it."""
        for action in self.model.actions:
            for arguments in list(self.enabled(action, structure, {})):
                yield action, arguments, self.apply(action, structure, arguments)


@dataclass(frozen=True)
class _Identity:
    """A key that is one object and no other: comparing whole models would take too long."""

    model: Model = field(compare=False)
    number: int

    def __hash__(self) -> int:
        return self.number


@lru_cache(maxsize=32)
def _machine(key: _Identity) -> Machine:
    return Machine(key.model)


def machine(model: Model) -> Machine:
    """Return the machine of a model; the same one for the same object."""
    # The cached key holds the model, so the number is not used again while it is there.
    return _machine(_Identity(model, id(model)))


def enabled(
    model: Model, action: Action, structure: Structure, known: Mapping[Var, Value]
) -> Iterator[Mapping[Var, Value]]:
    """Yield every assignment of the action's parameters that extends `known` and satisfies
    the guard, each once, in the order of the carriers.

    The contents of options are what the structure says; where there is no content they are
    the first elements of their carriers, unless `known` has others.
    """
    return machine(model).enabled(action, structure, known)


def apply(
    model: Model, action: Action, structure: Structure, arguments: Mapping[Var, Value]
) -> Structure:
    """Return the state after the action, all updates made at once.

    `arguments` gives every parameter. Whether the guard holds is not looked at. What does not
    change is the same object as before.
    """
    return machine(model).apply(action, structure, arguments)


def successors(model: Model, structure: Structure) -> Iterator[Successor]:
    """Yield every possible step of a state, with its arguments and the state after it."""
    return machine(model).successors(structure)


def initial_structure(model: Model, rigid: Structure) -> Structure:
    """Return the initial state over the carriers and rigid symbols of `rigid`."""
    relations = dict(rigid.relations)
    functions = dict(rigid.functions)
    for update in model.initial:
        rows = {
            tuple(assignment.values()): evaluate(update.value, rigid, assignment)
            for assignment in assignments(rigid, update.formals)
        }
        if update.symbol.result == BOOL:
            relations[update.symbol] = frozenset(row for row, holds in rows.items() if holds)
        else:
            functions[update.symbol] = rows
    return Structure(rigid.carriers, relations, functions)


def extend(
    model: Model,
    structure: Structure,
    sort: Sort,
    element: Value,
    position: int | None = None,
    *,
    owner: Value | None = None,
    constants: Mapping[Symbol, Mapping[Row, Value] | Collection[Row]] | None = None,
) -> Structure:
    """Return the structure with one more element in the carrier of an opaque or ordered sort.

    An ordered element takes its place at `position` in the carrier (the end if None), and
    belongs to `owner`; a counter grows at its end only. A sort of sets grows by the frozenset of
    the set's rows. Every mutable symbol has its initial
    meaning at the rows with the new element: in a run that has not spoken of the element so far
    this is the state it would be in had the element been there from the start, unless an update
    changed a symbol at all values of that sort at once. `constants` gives the new rows of rigid
    symbols that the sorts do not define. Raises `ValueError` for other kinds of sorts, for an
    element that is there already, for a second zero, for a counter that would not grow at its
    end and for an owner that is missing.
    """
    declaration = model.sort(sort.name)
    elements = structure.carriers[sort]
    if declaration.kind not in ("opaque", "ordered", "set"):
        raise ValueError(f"the sort {sort} is of a kind that does not grow")
    if element in elements:
        raise ValueError(f"{element!r} is in the sort {sort} already")
    place = len(elements) if position is None else position
    carriers = dict(structure.carriers)
    carriers[sort] = (*elements[:place], element, *elements[place:])
    relations = dict(structure.relations)
    functions = dict(structure.functions)
    if declaration.less is not None:
        if place == 0:
            raise ValueError(f"zero is the least of {sort}")
        less = relations[declaration.less]
        if not isinstance(less, Order):
            less = Order(elements)  # a carrier that grows may grow large
        relations[declaration.less] = less.extended(element, place)
    if declaration.next is not None:
        if place != len(elements):
            raise ValueError(f"the counter {sort} grows at its end")
        last = (elements[-1], element)
        relations[declaration.next] = relations[declaration.next].union((last,))
    if declaration.owner is not None:
        if owner is None:
            raise ValueError(f"an element of {sort} needs an owner")
        functions[declaration.owner] = {**functions[declaration.owner], (element,): owner}
    if declaration.kind == "set":
        assert declaration.member is not None
        assert isinstance(element, frozenset)
        members = [(*row, element) for row in element]
        relations[declaration.member] = relations[declaration.member].union(members)
    for symbol, rows in (constants or {}).items():
        if symbol.result == BOOL:
            relations[symbol] = relations[symbol].union(rows)
        else:
            assert isinstance(rows, Mapping)
            functions[symbol] = {**functions[symbol], **rows}
    grown = Structure(carriers, relations, functions)
    relations, functions = dict(relations), dict(functions)
    for symbol, rows in machine(model).initial_rows(grown, sort, element):
        if symbol.result == BOOL:
            holds = [row for row, value in rows.items() if value]
            relations[symbol] = relations[symbol].union(holds)
        else:
            functions[symbol] = {**functions[symbol], **rows}
    return Structure(carriers, relations, functions)


@dataclass(frozen=True, slots=True)
class Exploration:
    """The states that a search reached, in the order in which it reached them.

    `parents[i]` is the step that first led to `states[i]`: the number of the state before, the
    action and its arguments; None for the start. `complete`: no state was left out.
    """

    states: tuple[Structure, ...]
    parents: tuple[tuple[int, Action, Mapping[Var, Value]] | None, ...]
    complete: bool

    def path(self, number: int) -> list[tuple[int, Action, Mapping[Var, Value]]]:
        """Return the steps from the start to a state, each with the state it starts from."""
        steps = []
        while (parent := self.parents[number]) is not None:
            steps.append(parent)
            number = parent[0]
        return steps[::-1]


def explore(
    model: Model,
    start: Structure,
    *,
    depth: int | None = None,
    limit: int = 10_000,
    until: Callable[[Structure], bool] | None = None,
) -> Exploration:
    """Search breadth first for the states that can be reached from `start`.

    It stops after `depth` steps, at `limit` states, or at the first state of which `until`
    holds, which is then the last of the states.
    """
    states = [start]
    parents: list[tuple[int, Action, Mapping[Var, Value]] | None] = [None]
    depths = [0]
    seen = {start.fingerprint()}
    complete = True

    def result() -> Exploration:
        return Exploration(tuple(states), tuple(parents), complete)

    if until is not None and until(start):
        complete = False
        return result()
    current = 0
    while current < len(states):
        for action, arguments, after in machine(model).successors(states[current]):
            fingerprint = after.fingerprint()
            if fingerprint in seen:
                continue
            if depths[current] == depth or len(states) >= limit:
                complete = False
                break
            seen.add(fingerprint)
            states.append(after)
            parents.append((current, action, arguments))
            depths.append(depths[current] + 1)
            if until is not None and until(after):
                complete = False
                return result()
        current += 1
    return result()
