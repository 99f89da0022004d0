"""Formulas for a solver that only matches: what it can prove, and that they say no more."""

import z3

from compiler.model.term import (
    BOOL,
    Apply,
    Not,
    Or,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
    exists,
    forall,
)
from compiler.prove.translate import Translator
from compiler.prove.triggers import Form, Matching

NODE, QUORUM = Sort("Node"), Sort("Quorum")
MEMBER = Symbol("member", (NODE, QUORUM), BOOL, False)
BAD = Symbol("bad", (NODE,), BOOL, True)
N = Var("n", NODE)
P, Q, R = (Var(name, QUORUM) for name in "pqr")
FORMS: tuple[Form, ...] = ("forward", "both ways")


def member(node: Var, quorum: Var) -> Term:
    return Apply(MEMBER, (node, quorum))


MEET = forall((P, Q), exists((N,), conjunction((member(N, P), member(N, Q)))))
ALL_BAD = forall((N,), Or((Not(member(N, R)), Apply(BAD, (N,)))))
NONE_BAD = forall((N,), Not(Apply(BAD, (N,))))


def answer(form: Form, *formulas: Term) -> object:
    translator = Translator({})
    matching = Matching(translator, {}, frozenset())
    solver = z3.SimpleSolver(ctx=translator.context)
    solver.set("mbqi", False)
    solver.add(matching.constant(R))
    for formula in formulas:
        solver.add(matching.formula(formula, form))
    return solver.check()


def test_a_fact_without_an_atom_to_match_is_used() -> None:
    for form in FORMS:
        assert answer(form, MEET, ALL_BAD, NONE_BAD) == z3.unsat, form


def test_what_is_consistent_is_not_contradicted() -> None:
    for form in FORMS:
        assert answer(form, MEET, ALL_BAD) != z3.unsat, form
        assert answer(form, ALL_BAD, NONE_BAD) != z3.unsat, form


def test_a_quantifier_inside_of_what_exists_is_used() -> None:
    # There is a quorum with nobody in it, and none is like that.
    empty = exists((P,), forall((N,), Not(member(N, P))))
    inhabited = forall((Q,), exists((N,), member(N, Q)))
    for form in FORMS:
        assert answer(form, empty, inhabited) == z3.unsat, form


def test_a_long_disjunction_is_taken_apart_without_saying_more() -> None:
    # Seven pairs, one of which holds, would make 128 clauses.
    nodes = [Var(f"n{i}", NODE) for i in range(7)]
    pairs = [conjunction((member(n, R), Apply(BAD, (n,)))) for n in nodes]
    one_of_them = Or(tuple(pairs))
    for form in FORMS:
        assert answer(form, one_of_them, NONE_BAD) == z3.unsat, form
        assert answer(form, one_of_them, ALL_BAD) != z3.unsat, form
