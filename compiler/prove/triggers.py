"""Formulas for a solver that only matches: which terms a quantifier is instantiated with.

Z3 instantiates a quantified formula in two ways. *Matching* takes terms that occur already: cheap,
and it ends soon, with a proof or without. *Model-based* instantiation looks for terms that break
a candidate model; it misses nothing and may run on for ever. Most obligations need nothing but
matching, if the solver can match at all. Left to itself it often can't: it is poor at quantifiers
inside of others, and in "any two majorities meet" or "two terms are comparable" there is no atom
to match.

So a formula is made into clauses, with a function for whatever is said to exist, and each clause is
given its patterns: sets of atoms in which all its variables occur. A predicate `noticed` is added
for each sort. It is said of the constants of an obligation and of everything that a hypothesis
says to exist, and a variable that no atom could match is matched by it.

That is sound. With functions for what exists (Skolem's) and new atoms for parts of long
disjunctions (Tseitin's) the clauses have a model if and only if the formula has; `noticed` can be
read as true of everything; and patterns only leave instances out.

There are two forms, each of which proves what the other does not:

- `forward`: clauses are matched by the atoms that they assume;
- `both ways`: they are matched also by each atom that they conclude.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import z3

from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Element,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
    conjunction,
    disjunction,
    free_variables,
)
from compiler.prove.normal import instantiate, one_point
from compiler.prove.translate import Translator

Form = Literal["forward", "both ways"]

_CLAUSES = 24  # a disjunction that would make more clauses than this is taken apart


def noticed(term: Term) -> Term:
    """Return the atom that `term` is noticed."""
    return Apply(Symbol(f"noticed {term.sort}", (term.sort,), BOOL, False), (term,))


@dataclass(frozen=True, slots=True)
class _Clause:
    variables: tuple[Var, ...]
    literals: tuple[Term, ...]


class Matching:
    """Translates formulas in negation normal form for a solver that only matches."""

    def __init__(
        self,
        translator: Translator,
        members: Mapping[Sort, Sequence[Element]],
        orders: frozenset[Symbol],
    ) -> None:
        """`orders`: the relations `<`. Deciding them is the business of their axioms."""
        self.translator = translator
        self._members = members
        self._orders = orders
        self._made = 0  # functions and atoms that are new

    def formula(self, term: Term, form: Form) -> Any:
        """Return what Z3 is given for a formula."""
        return z3.And([self._patterned(c, form == "forward") for c in self._clauses(term)])

    def constant(self, variable: Var) -> Any | None:
        """Return the formula that a constant is noticed, or None for one of a finite sort."""
        return self.translator.term(noticed(variable)) if self._open(variable) else None

    def _open(self, variable: Var) -> bool:
        return variable.sort != BOOL and variable.sort not in self._members

    # --- clauses ------------------------------------------------------------------------

    def _clauses(self, term: Term) -> Iterator[_Clause]:
        """Yield clauses that together have a model if and only if the formula has one."""
        for clause in self._distributed(term):
            body = disjunction(clause.literals)
            solved = one_point(True, clause.variables, body)
            while solved != body:
                body, solved = solved, one_point(True, clause.variables, solved)
            if not (isinstance(body, Truth) and body.value):
                literals = body.operands if isinstance(body, Or) else (body,)
                yield _Clause(clause.variables, literals)

    def _distributed(self, term: Term) -> list[_Clause]:
        match term:
            case And(operands=operands):
                return [clause for operand in operands for clause in self._distributed(operand)]
            case Or(operands=operands):
                parts = [self._distributed(operand) for operand in operands]
                defined: list[_Clause] = []
                while math.prod(len(part) for part in parts) > _CLAUSES:
                    index = max(range(len(parts)), key=lambda i: len(parts[i]))
                    name = self._name(operands[index])
                    defined += [
                        _Clause(clause.variables, (Not(name), *clause.literals))
                        for clause in parts[index]
                    ]
                    parts[index] = [_Clause((), (name,))]
                return defined + [
                    _Clause(
                        tuple(v for clause in choice for v in clause.variables),
                        tuple(literal for clause in choice for literal in clause.literals),
                    )
                    for choice in itertools.product(*parts)
                ]
            case Quantified(kind="forall", variables=variables, body=body):
                return [
                    _Clause((*variables, *clause.variables), clause.literals)
                    for clause in self._distributed(body)
                ]
            case Quantified(variables=variables, body=body):
                named = self._named(variables, sorted(free_variables(term), key=lambda v: v.name))
                known = [noticed(variable) for variable in variables if self._open(variable)]
                return self._distributed(instantiate(conjunction([*known, body]), named))
            case _:
                return [_Clause((), (term,))]

    def _name(self, part: Term) -> Apply:
        """Return a new atom that stands for a part of a formula."""
        self._made += 1
        free = sorted(free_variables(part), key=lambda v: v.name)
        sorts = tuple(variable.sort for variable in free)
        return Apply(Symbol(f"part {self._made}", sorts, BOOL, False), tuple(free))

    def _named(self, variables: Sequence[Var], free: Sequence[Var]) -> dict[Var, Term]:
        """Return a new function of `free` for each variable that is said to exist."""
        sorts = tuple(variable.sort for variable in free)
        named: dict[Var, Term] = {}
        for variable in variables:
            self._made += 1
            symbol = Symbol(f"found {self._made}", sorts, variable.sort, False)
            named[variable] = Apply(symbol, tuple(free))
        return named

    # --- patterns -----------------------------------------------------------------------

    def _patterned(self, clause: _Clause, forward: bool) -> Any:
        body = disjunction(clause.literals)
        free = free_variables(body)
        variables = [v for v in clause.variables if v in free]
        if not variables:
            return self.translator.term(body)
        patterns = {frozenset(atoms): None for atoms in self._covers(clause, variables, forward)}
        return z3.ForAll(
            [self.translator.variable(v) for v in variables],
            self.translator.term(body),
            patterns=[
                z3.MultiPattern(*[self.translator.term(a) for a in sorted(atoms, key=repr)])
                for atoms in patterns
            ],
        )

    def _covers(
        self, clause: _Clause, variables: Sequence[Var], forward: bool
    ) -> Iterator[list[Term]]:
        """Yield sets of atoms in which all variables occur."""
        assumed: dict[Apply, frozenset[Var]] = {}
        starts: dict[Apply, frozenset[Var]] = {}
        wanted = frozenset(variables)
        for literal in clause.literals:
            for atom, positive in _atoms(literal, True):
                found = free_variables(atom) & wanted
                if found and not positive:
                    assumed[atom] = found
                elif found and atom.symbol not in self._orders and _is_flat(atom):
                    starts[atom] = found
        for start in (None, *(() if forward else starts)):
            chosen: list[Term] = []
            left = set(wanted)
            if start is not None:
                chosen.append(start)
                left -= starts[start]
            while left and assumed:
                best = max(
                    assumed, key=lambda a: (len(assumed[a] & left), a.symbol not in self._orders)
                )
                if not assumed[best] & left:
                    break
                chosen.append(best)
                left -= assumed[best]
            yield [*chosen, *(noticed(v) for v in sorted(left, key=lambda v: v.name))]


def _is_flat(atom: Apply) -> bool:
    return not any(isinstance(term, Apply) and term.arguments for term in atom.arguments)


def _atoms(literal: Term, positive: bool) -> Iterator[tuple[Apply, bool]]:
    """Yield the atoms outside of quantifiers, and whether each is concluded."""
    match literal:
        case Not(operand=operand):
            yield from _atoms(operand, not positive)
        case And(operands=operands) | Or(operands=operands):
            for operand in operands:
                yield from _atoms(operand, positive)
        case Apply():
            yield literal, positive
        case _:
            return
