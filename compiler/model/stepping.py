"""Actions turned into Python functions: which steps are possible, and what they do.

An update has a value for every row of its symbol, but changes few of them. Where the value of
a relation's row is `c | R(row)`, the rows it gains are those of which `c` holds; in general
they are those of which the value holds when `R(row)` is taken to be false, and the rows it
loses those of which it fails when `R(row)` is taken to be true. Each is a search like any
other, and the equations in `c` lead it to the few rows. A function's value is a tree of
if-then-else; the leaves that are the old value need no search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from compiler.model.compiled import Determined, Program
from compiler.model.evaluate import carrier
from compiler.model.indexes import Indexes
from compiler.model.normal import assume
from compiler.model.structure import Row, Structure, Value
from compiler.model.system import Action, Update
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
    Apply,
    Ite,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
    free_variables,
    negation,
)


@dataclass(frozen=True, slots=True)
class Effect:
    """The update of one symbol, and where in a result of the program its rows stand.

    `gained` and `lost` (relations) are indexes of lists of rows; `put` (functions) is that of
    a list of rows with their new values. None where there can be none.
    """

    symbol: Symbol
    gained: int | None = None
    lost: int | None = None
    put: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a step changes of one symbol: rows of a relation, or values of a function."""

    gained: frozenset[Row] = frozenset()
    lost: frozenset[Row] = frozenset()
    put: Mapping[Row, Value] = field(default_factory=dict)


class Updates:
    """Simultaneous updates, compiled. Call with a structure and the parameters' values."""

    def __init__(
        self,
        updates: tuple[Update, ...],
        parameters: tuple[Var, ...],
        indexes: Indexes,
        sizes: Mapping[Sort, int],
    ) -> None:
        self._program = Program(parameters, indexes, sizes)
        self._bound = frozenset(parameters)
        self._lists = 0
        self._effects = tuple(self._compile(update) for update in updates)
        results = "".join(f"l{i}, " for i in range(self._lists))
        self._program.lines.append(f"return ({results})")
        self.source, self._function = self._program.build()

    def __call__(self, structure: Structure, values: tuple[Value, ...]) -> Structure:
        """Return the structure after the updates; it shares what has not changed."""
        return self.apply(structure, values)[0]

    def apply(
        self, structure: Structure, values: tuple[Value, ...]
    ) -> tuple[Structure, dict[Symbol, Change]]:
        """Return the structure after the updates, and what has changed of each symbol."""
        results = self._function(structure, *values)
        changes: dict[Symbol, Change] = {}
        relations: dict[Symbol, frozenset[Row]] | None = None
        functions: dict[Symbol, Mapping[Row, Value]] | None = None
        for effect in self._effects:
            symbol = effect.symbol
            if effect.put is not None:
                put = results[effect.put]
                if put:
                    before = structure.functions[symbol]
                    changed = {row: value for row, value in put if before[row] != value}
                    if changed:
                        if functions is None:
                            functions = dict(structure.functions)
                        functions[symbol] = {**before, **changed}
                        changes[symbol] = Change(put=changed)
                continue
            gained = results[effect.gained] if effect.gained is not None else ()
            lost = results[effect.lost] if effect.lost is not None else ()
            if gained or lost:
                rows = structure.relations[symbol]
                after = rows.difference(lost) if lost else rows
                new = [row for row in gained if row not in rows]
                if new:
                    after = after.union(new)
                if after is not rows:
                    if relations is None:
                        relations = dict(structure.relations)
                    relations[symbol] = after
                    gone = frozenset([row for row in lost if row in rows])
                    changes[symbol] = Change(frozenset(new), gone)
        if relations is None and functions is None:
            return structure, changes
        after_all = Structure(
            structure.carriers,
            structure.relations if relations is None else relations,
            structure.functions if functions is None else functions,
        )
        return after_all, changes

    def _list(self) -> int:
        number = self._lists
        self._lists += 1
        self._program.lines.append(f"l{number} = []")
        return number

    def _compile(self, update: Update) -> Effect:
        normalizer = self._program.normalizer
        names = {formal: normalizer.fresh(formal) for formal in update.formals}
        old = Apply(update.symbol, tuple(names.values()))
        value = normalizer.term(update.value, names)
        if update.symbol.result == BOOL:
            gained = self._rows(old, assume(value, old, False))
            lost = self._rows(old, conjunction((old, negation(assume(value, old, True)))))
            return Effect(update.symbol, gained=gained, lost=lost)
        number = self._list()
        for condition, leaf in _leaves(value, TRUE):
            if leaf != old:
                self._collect(old, condition, number, leaf)
        return Effect(update.symbol, put=number)

    def _rows(self, row: Apply, condition: Term) -> int | None:
        if self._program.normalizer.formula(condition) == FALSE:
            return None
        number = self._list()
        self._collect(row, condition, number, None)
        return number

    def _collect(self, row: Apply, condition: Term, number: int, value: Term | None) -> None:
        program = self._program
        formals = [formal for formal in row.arguments if isinstance(formal, Var)]

        def leaf() -> list[str]:
            columns = "(" + "".join(f"{program.name(formal)}, " for formal in formals) + ")"
            if value is None:
                return [f"l{number}.append({columns})"]
            return [f"l{number}.append(({columns}, {program.expression(value)}))"]

        terms = [program.normalizer.formula(condition)]
        program.collect(formals, terms, self._bound, leaf)


def _leaves(value: Term, condition: Term) -> Iterator[tuple[Term, Term]]:
    """Yield the leaves of a tree of if-then-else, each after the condition it stands under."""
    if isinstance(value, Ite):
        yield from _leaves(value.then, conjunction((condition, value.condition)))
        yield from _leaves(value.otherwise, conjunction((condition, negation(value.condition))))
    else:
        yield condition, value


class Guard:
    """The guard of an action, compiled for given `known` parameters.

    Call with a structure and the values of `known`; the result is every distinct assignment of
    the action's parameters, as tuples, in the order of the carriers.
    """

    def __init__(
        self,
        action: Action,
        known: tuple[Var, ...],
        indexes: Indexes,
        sizes: Mapping[Sort, int],
    ) -> None:
        self._parameters = action.parameters
        program = Program(known, indexes, sizes)
        determined = []
        for content in action.contents:
            formula = program.normalizer.formula(content.formula)
            inputs = free_variables(formula) - set(content.variables)
            determined.append(Determined(content.variables, formula, inputs))
        row = "(" + "".join(f"{program.name(v)}, " for v in action.parameters) + ")"
        program.lines.append("found = []")
        program.collect(
            [v for v in action.parameters if v not in known],
            [program.normalizer.formula(action.guard)],
            known,
            lambda: [f"found.append({row})"],
            determined,
        )
        program.lines.append("return found")
        self.source, self._function = program.build()

    def __call__(self, structure: Structure, values: Iterable[Value]) -> list[Row]:
        """Return the assignments that satisfy the guard."""
        found: list[Row] = self._function(structure, *values)
        if len(found) > 1:
            carriers = [carrier(structure, parameter.sort) for parameter in self._parameters]

            def places(row: Row) -> list[int]:
                return [c.index(value) for c, value in zip(carriers, row, strict=True)]

            # Rows come in the order of hash tables, which differs from process to process.
            found = sorted(set(found), key=places)
        return found
