"""Choosing how to find the values of variables that satisfy a conjunction.

A quantifier over a carrier that grows with the run must not be evaluated by trying every
element. Almost always a conjunct tells where to look: in the rows of a relation that agree
with what is known already, or under the value of a function. This module weighs the ways to
bind the next variables, greedily, as a small Datalog engine orders its joins; `compiled`
writes the code. Estimates decide about speed only, never about the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias, Union

from compiler.model.normal import Normalizer
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Equal,
    Iff,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
    free_variables,
)

_SIZE = 6.0
"""The guess for the size of a carrier: of a handful of nodes, values or ballots."""


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A conjunct in normal form and its free variables."""

    term: Term
    free: frozenset[Var]


@dataclass(frozen=True, slots=True)
class Assign:
    """Bind `variable` to the value of `value`, whose variables are bound."""

    conjunct: Conjunct
    variable: Var
    value: Term


@dataclass(frozen=True, slots=True)
class Rows:
    """Bind variables from the rows of a relation, or of a function's graph.

    `columns` are the arguments (and the value of a function, last). Those in `keys` are bound
    and select the rows; those in `targets` are variables to bind. `complete`: afterwards the
    conjunct holds and need not be tested.
    """

    conjunct: Conjunct
    symbol: Symbol
    columns: tuple[Term, ...]
    keys: tuple[int, ...]
    targets: tuple[int, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Elements:
    """Bind `variable` to each element of its carrier in turn."""

    variable: Var


@dataclass(frozen=True, slots=True)
class Split:
    """Search under each disjunct of `conjunct` for itself."""

    conjunct: Conjunct
    disjuncts: tuple[Term, ...]


Binder: TypeAlias = Union[Assign, Rows, Elements, Split]


def open_conjuncts(
    terms: Iterable[Term], unbound: Iterable[Var], normalizer: Normalizer
) -> tuple[list[Conjunct], list[Var]]:
    """Return the conjuncts of `terms`, and `unbound` with the variables of inner quantifiers.

    An application inside an atom that has unbound variables gets a variable of its own, so
    that it can be looked up from either side.
    """
    conjuncts: list[Conjunct] = []
    variables = list(unbound)
    stack = list(terms)[::-1]
    while stack:
        term = stack.pop()
        match term:
            case And(operands=operands):
                stack.extend(reversed(operands))
            case Quantified(kind="exists", variables=inner, body=body):
                variables.extend(inner)
                stack.append(body)
            case Truth(value=True):
                pass
            case _:
                flat, equations = _flatten(term, variables, normalizer)
                for equation in equations:
                    assert isinstance(equation.right, Var)
                    variables.append(equation.right)
                    stack.append(equation)
                conjuncts.append(Conjunct(flat, free_variables(flat)))
    return conjuncts, variables


def _flatten(
    term: Term, unbound: Sequence[Var], normalizer: Normalizer
) -> tuple[Term, list[Equal]]:
    equations: list[Equal] = []
    open_variables = set(unbound)

    def lift(argument: Term) -> Term:
        if (
            isinstance(argument, Apply)
            and argument.sort != BOOL
            and free_variables(argument) & open_variables
        ):
            variable = normalizer.fresh(Var("value", argument.sort))
            equations.append(Equal(argument, variable))
            return variable
        return argument

    match term:
        case Apply(symbol=symbol, arguments=arguments):
            return Apply(symbol, tuple(lift(argument) for argument in arguments)), equations
        case Equal(left=Apply(symbol=symbol, arguments=arguments), right=right):
            left = Apply(symbol, tuple(lift(argument) for argument in arguments))
            if not isinstance(right, Var):
                right = lift(right)
            return Equal(left, right), equations
        case Equal(left=left, right=Apply(symbol=symbol, arguments=arguments)):
            right = Apply(symbol, tuple(lift(argument) for argument in arguments))
            return Equal(left, right), equations
        case _:
            return term, equations


def components(
    conjuncts: Sequence[Conjunct], unbound: AbstractSet[Var]
) -> list[tuple[list[Conjunct], list[Var]]]:
    """Group the conjuncts so that no two groups share an unbound variable."""
    groups: list[tuple[list[Conjunct], dict[Var, None]]] = []
    for conjunct in conjuncts:
        merged: list[Conjunct] = []
        variables: dict[Var, None] = {}
        apart = []
        for group in groups:
            if conjunct.free & unbound & group[1].keys():
                merged.extend(group[0])
                variables.update(group[1])
            else:
                apart.append(group)
        merged.append(conjunct)
        variables.update((v, None) for v in sorted(conjunct.free & unbound, key=lambda v: v.name))
        groups = [*apart, (merged, variables)]
    return [(group, list(variables)) for group, variables in groups]


class Planner:
    """Weighs binders. `sizes` are the carriers that are known: enums, and `BOOL`."""

    def __init__(self, sizes: Mapping[Sort, int]) -> None:
        self._sizes = sizes

    def choose(
        self,
        conjuncts: Sequence[Conjunct],
        unbound: Sequence[Var],
        bound: AbstractSet[Var],
        may_split: bool,
    ) -> Binder:
        """Return the cheapest way to bind one or more of `unbound`, which is not empty."""
        best: tuple[float, Binder] | None = None
        for conjunct in conjuncts:
            found = self._binder(conjunct, unbound, bound, may_split)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        if best is not None and isinstance(best[1], Assign):
            return best[1]
        for variable in unbound:
            # Elements bind one variable and test nothing, so rows win if it is close.
            cost = 1.5 * self._size(variable.sort)
            if best is None or cost < best[0]:
                best = (cost, Elements(variable))
        assert best is not None
        return best[1]

    def _size(self, sort: Sort) -> float:
        return 2.0 if sort == BOOL else float(self._sizes.get(sort, _SIZE))

    def _binder(
        self,
        conjunct: Conjunct,
        unbound: Sequence[Var],
        bound: AbstractSet[Var],
        may_split: bool,
    ) -> tuple[float, Binder] | None:
        term = conjunct.term
        match term:
            case Var():
                return (0.0, Assign(conjunct, term, Truth(True))) if term in unbound else None
            case Not(operand=Var() as variable):
                if variable in unbound:
                    return 0.0, Assign(conjunct, variable, Truth(False))
                return None
            case Equal(left=left, right=right) | Iff(left=left, right=right):
                for side, other in ((left, right), (right, left)):
                    if isinstance(side, Var) and side in unbound and free_variables(other) <= bound:
                        return 0.0, Assign(conjunct, side, other)
                for side, other in ((left, right), (right, left)):
                    if isinstance(side, Apply) and side.sort != BOOL:
                        columns = (*side.arguments, other)
                        rows = self._rows(conjunct, side.symbol, columns, unbound, bound)
                        if rows is not None:
                            return rows
                return None
            case Apply(symbol=symbol, arguments=arguments):
                return self._rows(conjunct, symbol, arguments, unbound, bound)
            case Or(operands=operands) if may_split:
                return self._split(conjunct, operands, unbound, bound)
            case _:
                return None

    def _rows(
        self,
        conjunct: Conjunct,
        symbol: Symbol,
        columns: tuple[Term, ...],
        unbound: Sequence[Var],
        bound: AbstractSet[Var],
    ) -> tuple[float, Binder] | None:
        keys = tuple(i for i, column in enumerate(columns) if free_variables(column) <= bound)
        targets = tuple(i for i, column in enumerate(columns) if column in unbound)
        if not targets:
            return None
        complete = len(keys) + len(targets) == len(columns)
        rows = Rows(conjunct, symbol, columns, keys, targets, complete)
        return self._estimate(symbol, columns, keys), rows

    def _estimate(self, symbol: Symbol, columns: tuple[Term, ...], keys: tuple[int, ...]) -> float:
        unique = symbol.unique if symbol.result == BOOL else 1
        determining = len(columns) - unique
        if unique and all(i in keys for i in range(determining)):
            return 0.5
        total = 1.0
        for column in columns[:determining]:
            total *= self._size(column.sort)
        if symbol.result == BOOL and not unique:
            # Histories and sets hold few of the rows they could; orders and quorums half.
            total = total**0.6 if symbol.mutable else 0.5 * total
        for i in keys:
            total /= self._size(columns[i].sort)
        return max(total, 0.6)

    def _split(
        self,
        conjunct: Conjunct,
        operands: tuple[Term, ...],
        unbound: Sequence[Var],
        bound: AbstractSet[Var],
    ) -> tuple[float, Binder] | None:
        total = 0.5
        for operand in operands:
            parts, inner = _parts(operand)
            costs = [
                found[0]
                for part in parts
                if (found := self._binder(part, (*unbound, *inner), bound, False)) is not None
            ]
            if not costs:
                return None
            total += 0.5 + min(costs)
        return total, Split(conjunct, operands)


def _parts(term: Term) -> tuple[list[Conjunct], list[Var]]:
    """Return the conjuncts of a disjunct and the variables it quantifies."""
    match term:
        case And(operands=operands):
            found = [_parts(operand) for operand in operands]
            return [c for parts, _ in found for c in parts], [v for _, vs in found for v in vs]
        case Quantified(kind="exists", variables=variables, body=body):
            parts, inner = _parts(body)
            return parts, [*variables, *inner]
        case _:
            return [Conjunct(term, free_variables(term))], []


def cost_of_test(term: Term) -> int:
    """Return a rank for the order of tests: those without a search first."""
    match term:
        case Quantified():
            return 100
        case Not(operand=operand):
            return cost_of_test(operand)
        case And(operands=operands) | Or(operands=operands):
            return sum(cost_of_test(operand) for operand in operands)
        case Iff(left=left, right=right):
            return cost_of_test(left) + cost_of_test(right)
        case Ite(condition=condition):
            return 1 + cost_of_test(condition)
        case _:
            return 1
