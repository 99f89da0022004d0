"""Substitution and the one-point rule on terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from compiler.model.term import (
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
    children,
    conjunction,
    disjunction,
    equal,
    equivalence,
    exists,
    forall,
    free_variables,
    implication,
    ite,
    negation,
)


def substitute(term: Term, mapping: Mapping[Var, Term]) -> Term:
    """Replace free variables of `term`.

    No variable bound in `term` may be free in a replacement: within one action or property
    lowering gives every variable its own name, so this holds there.
    """
    if not mapping:
        return term
    match term:
        case Var():
            return mapping.get(term, term)
        case Truth() | Element():
            return term
        case Apply(symbol=symbol, arguments=arguments):
            return Apply(symbol, tuple(substitute(a, mapping) for a in arguments))
        case Equal(left=left, right=right):
            return equal(substitute(left, mapping), substitute(right, mapping))
        case Not(operand=operand):
            return negation(substitute(operand, mapping))
        case And(operands=operands):
            return conjunction(substitute(o, mapping) for o in operands)
        case Or(operands=operands):
            return disjunction(substitute(o, mapping) for o in operands)
        case Implies(left=left, right=right):
            return implication(substitute(left, mapping), substitute(right, mapping))
        case Iff(left=left, right=right):
            return equivalence(substitute(left, mapping), substitute(right, mapping))
        case Ite(condition=condition, then=then, otherwise=otherwise):
            return ite(
                substitute(condition, mapping),
                substitute(then, mapping),
                substitute(otherwise, mapping),
            )
        case Quantified(kind=kind, variables=variables, body=body):
            inner = {v: t for v, t in mapping.items() if v not in variables}
            rebuilt = substitute(body, inner)
            return forall(variables, rebuilt) if kind == "forall" else exists(variables, rebuilt)
    assert_never(term)


def bound_variables(term: Term) -> frozenset[Var]:
    """Return the variables that some quantifier in `term` binds."""
    found: set[Var] = set()
    stack = [term]
    while stack:
        current = stack.pop()
        if isinstance(current, Quantified):
            found.update(current.variables)
        stack.extend(children(current))
    return frozenset(found)


def exists_conjunction(variables: Sequence[Var], conjuncts: Sequence[Term]) -> Term:
    """Return `exists variables. conjuncts`, with variables that an equation gives put in.

    The one-point rule: `exists x. x = t & f(x)` is `f(t)` if `x` is not in `t`.
    """
    pending = list(variables)
    flat: list[Term] = []
    for conjunct in conjuncts:
        flat.extend(conjunct.operands if isinstance(conjunct, And) else (conjunct,))
    progress = True
    while progress:
        progress = False
        for conjunct in flat:
            solved = _solve(conjunct, pending)
            if solved is None:
                continue
            variable, value = solved
            pending.remove(variable)
            flat.remove(conjunct)
            flat = [substitute(other, {variable: value}) for other in flat]
            progress = True
            break
    return exists(pending, conjunction(flat))


def _solve(conjunct: Term, variables: Sequence[Var]) -> tuple[Var, Term] | None:
    if not isinstance(conjunct, Equal):
        return None
    for side, other in ((conjunct.left, conjunct.right), (conjunct.right, conjunct.left)):
        if isinstance(side, Var) and side in variables and side not in free_variables(other):
            return side, other
    return None
