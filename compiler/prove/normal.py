"""Normal forms of formulas: what the solver is given.

All of them return a formula that is equivalent in every structure.

Negation normal form with quantifiers pushed inwards (miniscoping) is what made the difference in
measurements: a quantifier that reaches fewer atoms has fewer instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, assert_never

from compiler.model.system import Model
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
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
    Sort,
    Term,
    Truth,
    Var,
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


def rebuild(term: Term, change: Callable[[Term], Term]) -> Term:
    """Return `term` with `change` done to its direct subterms, constants folded."""
    match term:
        case Var() | Truth() | Element():
            return term
        case Apply(symbol=symbol, arguments=arguments):
            return Apply(symbol, tuple([change(argument) for argument in arguments]))
        case Equal(left=left, right=right):
            return equal(change(left), change(right))
        case Not(operand=operand):
            return negation(change(operand))
        case And(operands=operands):
            return conjunction([change(operand) for operand in operands])
        case Or(operands=operands):
            return disjunction([change(operand) for operand in operands])
        case Implies(left=left, right=right):
            return implication(change(left), change(right))
        case Iff(left=left, right=right):
            return equivalence(change(left), change(right))
        case Ite(condition=condition, then=then, otherwise=otherwise):
            return ite(change(condition), change(then), change(otherwise))
        case Quantified(kind=kind, variables=variables, body=body):
            return quantified(kind, variables, change(body))
    assert_never(term)


def quantified(kind: Literal["forall", "exists"], variables: Iterable[Var], body: Term) -> Term:
    """Return `body` quantified as `kind` says."""
    return forall(variables, body) if kind == "forall" else exists(variables, body)


def rename(term: Term, fresh: Callable[[Var], Var], free: Mapping[Var, Term]) -> Term:
    """Give every bound variable the name `fresh` makes for it, and replace free ones by `free`.

    If `fresh` never repeats a name, no variable of the result is bound twice, and nothing
    free in `free` is captured unless `fresh` makes its name.
    """
    if isinstance(term, Var):
        return free.get(term, term)
    if isinstance(term, Quantified):
        renamed = tuple([fresh(variable) for variable in term.variables])
        inner = {**free, **dict(zip(term.variables, renamed, strict=True))}
        return quantified(term.kind, renamed, rename(term.body, fresh, inner))
    return rebuild(term, lambda child: rename(child, fresh, free))


def instantiate(term: Term, free: Mapping[Var, Term]) -> Term:
    """Replace free variables. Nothing free in a replacement may be bound in `term`."""
    return rename(term, lambda variable: variable, free)


def members(model: Model) -> dict[Sort, tuple[Element, ...]]:
    """Return the members of every enum sort of the model."""
    return {
        declaration.sort: tuple(Element(name, declaration.sort) for name in declaration.elements)
        for declaration in model.sorts
        if declaration.kind == "enum"
    }


def numbered(prefix: str) -> Callable[[Var], Var]:
    """Return a maker of names `prefix1`, `prefix2`, … for `rename`."""
    count = 0

    def fresh(variable: Var) -> Var:
        nonlocal count
        count += 1
        return Var(f"{prefix}{count}", variable.sort)

    return fresh


def transform(term: Term, change: Callable[[Apply], Term]) -> Term:
    """Do `change` to every application in `term`, innermost first."""
    rebuilt = rebuild(term, lambda child: transform(child, change))
    return change(rebuilt) if isinstance(rebuilt, Apply) else rebuilt


def lift_conditionals(term: Term) -> Term:
    """Move formulas out of the arguments of atoms: `p(ite(c, a, b))` is `ite(c, p(a), p(b))`.

    An argument of sort `BOOL` becomes a variable or truth value: `p(c)` is `ite(c, p(true),
    p(false))`. In the result every `Ite` is a formula, and atoms have no formulas inside.
    """
    if isinstance(term, (Apply, Equal)):
        return _lift_atom(term)
    return rebuild(term, lift_conditionals)


def _lift_atom(atom: Apply | Equal) -> Term:
    for found in map(_first_formula, _parts(atom)):
        if isinstance(found, Ite) and found.sort != BOOL:
            condition, then, otherwise = found.condition, found.then, found.otherwise
        elif found is not None:
            condition, then, otherwise = found, TRUE, FALSE
        else:
            continue
        return ite(
            lift_conditionals(condition),
            lift_conditionals(replace(atom, {found: then})),
            lift_conditionals(replace(atom, {found: otherwise})),
        )
    return atom


def _first_formula(term: Term) -> Term | None:
    """Return an argument inside `term` (or itself) that is to be lifted."""
    if isinstance(term, Ite) or (term.sort == BOOL and not isinstance(term, (Var, Truth))):
        return term
    return next((found for found in map(_first_formula, _parts(term)) if found is not None), None)


def _parts(term: Term) -> tuple[Term, ...]:
    match term:
        case Apply(arguments=arguments):
            return arguments
        case Equal(left=left, right=right):
            return (left, right)
        case _:
            return ()


def replace(term: Term, mapping: Mapping[Term, Term]) -> Term:
    """Replace whole subterms. No variable free in a key or value may be bound in `term`."""
    if term in mapping:
        return mapping[term]
    return rebuild(term, lambda child: replace(child, mapping))


def without_finite(term: Term, members: Mapping[Sort, Sequence[Term]]) -> Term:
    """Expand quantifiers over enums and `Bool` into their instances.

    `members` has the elements of every enum sort. Bound variables have names of their own.
    """
    if not isinstance(term, Quantified):
        return rebuild(term, lambda child: without_finite(child, members))
    instances = [without_finite(term.body, members)]
    kept: list[Var] = []
    for variable in term.variables:
        if variable.sort == BOOL:
            values: Sequence[Term] = (FALSE, TRUE)
        elif variable.sort in members:
            values = members[variable.sort]
        else:
            kept.append(variable)
            continue
        instances = [instantiate(i, {variable: value}) for i in instances for value in values]
    join = conjunction if term.kind == "forall" else disjunction
    return quantified(term.kind, kept, join(instances))


def negation_normal(term: Term, positive: bool = True) -> Term:
    """Return `term` (or its negation) with negation only on atoms, without `->`, `<->`, `ite`.

    Conditionals must have been lifted out of atoms.
    """
    match term:
        case Var() | Truth() | Element() | Apply() | Equal():
            return term if positive else negation(term)
        case Not(operand=operand):
            return negation_normal(operand, not positive)
        case And(operands=operands):
            parts = [negation_normal(o, positive) for o in operands]
            return conjunction(parts) if positive else disjunction(parts)
        case Or(operands=operands):
            parts = [negation_normal(o, positive) for o in operands]
            return disjunction(parts) if positive else conjunction(parts)
        case Implies(left=left, right=right):
            sides = (negation_normal(left, not positive), negation_normal(right, positive))
            return disjunction(sides) if positive else conjunction(sides)
        case Iff(left=left, right=right):
            return conjunction(
                (
                    disjunction((negation_normal(left, False), negation_normal(right, positive))),
                    disjunction(
                        (negation_normal(left, True), negation_normal(right, not positive))
                    ),
                )
            )
        case Ite(condition=condition, then=then, otherwise=otherwise):
            return conjunction(
                (
                    disjunction(
                        (negation_normal(condition, False), negation_normal(then, positive))
                    ),
                    disjunction(
                        (negation_normal(condition, True), negation_normal(otherwise, positive))
                    ),
                )
            )
        case Quantified(kind=kind, variables=variables, body=body):
            inner = negation_normal(body, positive)
            if (kind == "forall") == positive:
                return forall(variables, inner)
            return exists(variables, inner)
    assert_never(term)


def miniscope(term: Term) -> Term:
    """Push the quantifiers of a formula in negation normal form as far in as they go."""
    match term:
        case And(operands=operands):
            return conjunction([miniscope(o) for o in operands])
        case Or(operands=operands):
            return disjunction([miniscope(o) for o in operands])
        case Quantified(kind=kind, variables=variables, body=body):
            return _push(kind == "forall", variables, miniscope(body))
        case _:
            return term


def _push(universal: bool, variables: Sequence[Var], body: Term) -> Term:
    """Push one quantifier into `body`, whose own quantifiers are as far in as they go."""
    if isinstance(body, Quantified) and (body.kind == "forall") == universal:
        return _push(universal, (*variables, *body.variables), body.body)
    spread, gather = (And, Or) if universal else (Or, And)
    join = disjunction if universal else conjunction
    quantify = forall if universal else exists
    if isinstance(body, spread):
        parts = [_push(universal, variables, operand) for operand in body.operands]
        return conjunction(parts) if universal else disjunction(parts)
    if not isinstance(body, gather):
        return quantify(variables, one_point(universal, variables, body))
    solved = one_point(universal, variables, body)
    if solved != body:
        return _push(universal, variables, miniscope(solved))
    operands = [(operand, free_variables(operand)) for operand in body.operands]
    pending = [v for v in variables if any(v in free for _, free in operands)]
    # The variable that reaches the fewest operands goes in first: so each goes as far as it can.
    while pending:
        pending.sort(key=lambda v: sum(v in free for _, free in operands))
        variable = pending[0]
        touched = [operand for operand, free in operands if variable in free]
        if len(touched) == len(operands):
            break
        pending.pop(0)
        rest = [(operand, free) for operand, free in operands if variable not in free]
        inner = _push(universal, (variable,), join(touched))
        operands = [*rest, (inner, free_variables(inner))]
    whole = join([operand for operand, _ in operands])
    return quantify(pending, whole) if pending else whole


def one_point(universal: bool, variables: Sequence[Var], body: Term) -> Term:
    """Put `t` for `x` in `forall x. x != t or …` and in `exists x. x = t and …`."""
    gather = Or if universal else And
    operands = body.operands if isinstance(body, gather) else (body,)
    for operand in operands:
        literal = operand.operand if universal and isinstance(operand, Not) else operand
        if not isinstance(literal, Equal) or (universal and literal is operand):
            continue
        for side, other in ((literal.left, literal.right), (literal.right, literal.left)):
            if isinstance(side, Var) and side in variables and side not in free_variables(other):
                return replace(body, {side: other})
    return body


def conjuncts(term: Term) -> tuple[Term, ...]:
    """Return the operands of a conjunction, or the term itself; none for `true`."""
    match term:
        case And(operands=operands):
            return operands
        case Truth(value=True):
            return ()
        case _:
            return (term,)
