"""The normal form that the compiled evaluator plans from.

A formula in this form is built from atoms with `Not`, `And`, `Or`, `Iff` and existential
quantifiers; `Not` stands only before atoms, `Iff` and quantifiers. A universal quantifier is
a negated existential, since that is how it is evaluated: by a search for a counterexample.
Every bound variable has a name of its own, so no later stage need think of capture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Term,
    Truth,
    Var,
    conjunction,
    disjunction,
    equal,
    equivalence,
    exists,
    forall,
    implication,
    ite,
    negation,
)


class Normalizer:
    """Brings terms into the normal form; one for all terms of one program."""

    def __init__(self) -> None:
        self._bound = 0

    def fresh(self, variable: Var) -> Var:
        """Return a variable of the same sort that occurs nowhere else."""
        self._bound += 1
        # No variable of a model has an apostrophe in its name.
        return Var(f"{variable.name}'{self._bound}", variable.sort)

    def formula(self, term: Term, positive: bool = True) -> Term:
        """Return the normal form of the formula, or of its negation."""
        return self._formula(term, positive, {})

    def term(self, term: Term, names: Mapping[Var, Var] | None = None) -> Term:
        """Return a term of any sort with the formulas inside it in normal form.

        `names` renames free variables; the new ones must be `fresh`.
        """
        return self._term(term, names or {})

    def _formula(self, term: Term, positive: bool, names: Mapping[Var, Var]) -> Term:
        match term:
            case Truth(value=value):
                return Truth(value is positive)
            case Var():
                atom: Term = names.get(term, term)
                return atom if positive else Not(atom)
            case Apply(symbol=symbol, arguments=arguments):
                atom = Apply(symbol, tuple(self._term(a, names) for a in arguments))
                return atom if positive else Not(atom)
            case Equal(left=left, right=right):
                if left.sort == BOOL:
                    return self._iff(left, right, positive, names)
                same = equal(self._term(left, names), self._term(right, names))
                return same if positive else negation(same)
            case Not(operand=operand):
                return self._formula(operand, not positive, names)
            case And(operands=operands) | Or(operands=operands):
                parts = [self._formula(operand, positive, names) for operand in operands]
                both = isinstance(term, And) is positive
                return conjunction(parts) if both else disjunction(parts)
            case Implies(left=left, right=right):
                parts = [
                    self._formula(left, not positive, names),
                    self._formula(right, positive, names),
                ]
                return disjunction(parts) if positive else conjunction(parts)
            case Iff(left=left, right=right):
                return self._iff(left, right, positive, names)
            case Ite(condition=condition, then=then, otherwise=otherwise):
                holds = self._formula(condition, True, names)
                fails = self._formula(condition, False, names)
                return disjunction(
                    (
                        conjunction((holds, self._formula(then, positive, names))),
                        conjunction((fails, self._formula(otherwise, positive, names))),
                    )
                )
            case Quantified(kind=kind, variables=variables, body=body):
                renamed = {variable: self.fresh(variable) for variable in variables}
                inner = {**names, **renamed}
                existential = kind == "exists"
                found = exists(renamed.values(), self._formula(body, existential, inner))
                return found if existential is positive else negation(found)
            case Element():
                raise AssertionError("a member of an enum is not a formula")
        assert_never(term)

    def _iff(self, left: Term, right: Term, positive: bool, names: Mapping[Var, Var]) -> Term:
        first = self._formula(left, True, names)
        second = self._formula(right, True, names)
        # `equivalence` would put a negation before any formula, which is not the normal form.
        for known, other in ((first, right), (second, left)):
            if isinstance(known, Truth):
                return self._formula(other, positive is known.value, names)
        same = equivalence(first, second)
        return same if positive else negation(same)

    def _term(self, term: Term, names: Mapping[Var, Var]) -> Term:
        if term.sort == BOOL:
            return self._formula(term, True, names)
        match term:
            case Var():
                return names.get(term, term)
            case Apply(symbol=symbol, arguments=arguments):
                return Apply(symbol, tuple(self._term(a, names) for a in arguments))
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return ite(
                    self._formula(condition, True, names),
                    self._term(then, names),
                    self._term(otherwise, names),
                )
            case _:
                return term


def assume(term: Term, atom: Apply, value: bool) -> Term:
    """Return `term` simplified under the assumption that `atom` is `value`.

    The variables of `atom` must be bound nowhere in `term`, as in the normal form. The result
    need not be in normal form.
    """
    if term == atom:
        return Truth(value)
    match term:
        case Var() | Truth() | Element():
            return term
        case Apply(symbol=symbol, arguments=arguments):
            return Apply(symbol, tuple(assume(a, atom, value) for a in arguments))
        case Equal(left=left, right=right):
            return equal(assume(left, atom, value), assume(right, atom, value))
        case Not(operand=operand):
            return negation(assume(operand, atom, value))
        case And(operands=operands):
            return conjunction(assume(o, atom, value) for o in operands)
        case Or(operands=operands):
            return disjunction(assume(o, atom, value) for o in operands)
        case Implies(left=left, right=right):
            return implication(assume(left, atom, value), assume(right, atom, value))
        case Iff(left=left, right=right):
            return equivalence(assume(left, atom, value), assume(right, atom, value))
        case Ite(condition=condition, then=then, otherwise=otherwise):
            return ite(
                assume(condition, atom, value),
                assume(then, atom, value),
                assume(otherwise, atom, value),
            )
        case Quantified(kind=kind, variables=variables, body=body):
            simpler = assume(body, atom, value)
            return (exists if kind == "exists" else forall)(variables, simpler)
    assert_never(term)
