"""Normal forms are equivalent to what they were made from, in random structures."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from compiler.model.evaluate import assignments, evaluate
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
    Var,
    children,
    forall,
    negation,
)
from compiler.prove.normal import (
    instantiate,
    lift_conditionals,
    miniscope,
    negation_normal,
    numbered,
    rename,
    without_finite,
)
from tests.model.vocabulary import (
    LINK,
    MODE,
    MODES,
    NODE,
    SEEN,
    TIME,
    UP,
    RandomTerms,
    parameters,
    random_structure,
)

MEMBERS = {MODE: tuple(Element(name, MODE) for name in MODES)}


def apart(term: Term) -> Term:
    return rename(term, numbered("b"), {})


def solver_form(term: Term) -> Term:
    lifted = lift_conditionals(apart(term))
    return miniscope(negation_normal(without_finite(lifted, MEMBERS)))


FORMS: dict[str, tuple[Callable[[Term], Term], bool]] = {
    "rename": (apart, True),
    "lift": (lambda term: lift_conditionals(apart(term)), True),
    "finite": (lambda term: without_finite(apart(term), MEMBERS), True),
    "normal": (lambda term: negation_normal(lift_conditionals(apart(term))), True),
    "negated": (lambda term: negation_normal(lift_conditionals(apart(term)), False), False),
    "solver": (solver_form, True),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_equivalent(form: str) -> None:
    rng = random.Random(form)
    change, same = FORMS[form]
    for _ in range(150):
        scope = parameters(rng)
        term = RandomTerms(rng).formula(3, scope)
        changed = change(term)
        structure = random_structure(rng)
        for environment in rng.sample(list(assignments(structure, scope)), 4):
            expected = evaluate(term, structure, environment)
            assert (evaluate(changed, structure, environment) == expected) is same


def subterms(term: Term) -> list[Term]:
    return [term, *(inner for child in children(term) for inner in subterms(child))]


def test_solver_form_has_negation_on_atoms_only() -> None:
    rng = random.Random(7)
    for _ in range(100):
        scope = parameters(rng)
        form = solver_form(RandomTerms(rng).formula(3, scope))
        for inner in subterms(form):
            assert not isinstance(inner, (Implies, Iff, Ite))
            if isinstance(inner, Not):
                assert isinstance(inner.operand, (Apply, Equal, Var))
            if isinstance(inner, Quantified):
                assert all(v.sort not in MEMBERS for v in inner.variables)


def test_miniscoping_pushes_each_variable_to_its_atoms() -> None:
    n, m, t = Var("n", NODE), Var("m", NODE), Var("t", TIME)
    formula = Quantified(
        "forall", (n, m, t), Or((Apply(UP, (n,)), And((Apply(UP, (m,)), Apply(SEEN, (m, t))))))
    )
    assert miniscope(formula) == Or(
        (
            forall((n,), Apply(UP, (n,))),
            And((forall((m,), Apply(UP, (m,))), forall((t, m), Apply(SEEN, (m, t))))),
        )
    )


def test_miniscoping_keeps_variables_of_one_atom_together() -> None:
    n, m = Var("n", NODE), Var("m", NODE)
    formula = forall((n, m), Or((Apply(LINK, (n, m)), Apply(UP, (n,)))))
    assert miniscope(formula) == forall(
        (n,), Or((Apply(UP, (n,)), forall((m,), Apply(LINK, (n, m)))))
    )


def test_miniscoping_solves_equations() -> None:
    n, m = Var("n", NODE), Var("m", NODE)
    formula = forall((n,), Or((negation(Equal(n, m)), Apply(UP, (n,)))))
    assert miniscope(formula) == Apply(UP, (m,))


def test_instances_replace_free_variables_only() -> None:
    n, m = Var("n", NODE), Var("m", NODE)
    term = And((Apply(UP, (n,)), forall((n,), Apply(UP, (n,)))))
    assert instantiate(term, {n: m}) == And((Apply(UP, (m,)), forall((n,), Apply(UP, (n,)))))
