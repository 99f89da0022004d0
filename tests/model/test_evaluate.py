"""The two evaluators: the plain one against the definition, the quick one against the plain."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.model.compiled import compile_formula
from compiler.model.evaluate import carrier, evaluate
from compiler.model.indexes import Indexes
from compiler.model.structure import Structure
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
    Term,
    Var,
    symbols_of,
)
from tests.model.vocabulary import (
    LINK,
    MODE,
    NEXT,
    NODE,
    NOTE,
    ON,
    OWNER,
    SEEN,
    STATUS,
    TERM,
    TIME,
    UP,
    VALUE,
    VOTE,
    ZERO,
    RandomTerms,
    parameters,
    random_structure,
)

A, B, T, V, X = Var("a", NODE), Var("b", NODE), Var("t", TIME), Var("v", VALUE), Var("x", BOOL)

STRUCTURE = Structure(
    carriers={NODE: ("n0", "n1"), TIME: (0, 1), VALUE: ("v0",), MODE: ("Idle", "Busy")},
    relations={
        SEEN: frozenset({("n0", 1)}),
        LINK: frozenset({("n0", "n1"), ("n1", "n1")}),
        UP: frozenset({("n0",)}),
        VOTE: frozenset({("n1", 1, "v0")}),
        NOTE: frozenset({("n0", "v0", True)}),
        ON: frozenset(),
    },
    functions={
        TERM: {("n0",): 0, ("n1",): 1},
        OWNER: {(0,): "n0", (1,): "n1"},
        ZERO: {(): 0},
        NEXT: {("n0",): "n1", ("n1",): "n0"},
        STATUS: {("n0", "v0"): "Idle", ("n1", "v0"): "Busy"},
    },
)


def up(node: Term) -> Term:
    return Apply(UP, (node,))


def link(a: Term, b: Term) -> Term:
    return Apply(LINK, (a, b))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (TRUE, True),
        (A, "n0"),
        (Element("Busy", MODE), "Busy"),
        (up(A), True),
        (up(B), False),
        (Apply(ON, ()), False),
        (Apply(NEXT, (Apply(NEXT, (A,)),)), "n0"),
        (Apply(OWNER, (Apply(ZERO, ()),)), "n0"),
        (Equal(Apply(STATUS, (B, V)), Element("Busy", MODE)), True),
        (Not(up(A)), False),
        (And((up(A), up(B))), False),
        (Or((up(B), up(A))), True),
        (Implies(up(A), up(B)), False),
        (Implies(up(B), up(A)), True),
        (Iff(up(A), Not(up(B))), True),
        (Ite(up(A), FALSE, TRUE), False),
        (Ite(up(B), A, B), "n1"),
        (Apply(NOTE, (A, V, up(A))), True),
        (Apply(NOTE, (A, V, up(B))), False),
        (Quantified("forall", (X,), Or((X, Not(X)))), True),
        (Quantified("forall", (X,), X), False),
        (Quantified("exists", (A,), Not(up(A))), True),
        (Quantified("forall", (A,), Quantified("exists", (B,), link(A, B))), True),
        (Quantified("exists", (B,), Quantified("forall", (A,), link(A, B))), True),
        (Quantified("exists", (A,), Quantified("forall", (B,), link(A, B))), False),
        (Quantified("forall", (A,), Quantified("exists", (A,), up(A))), True),
        # One variable in two columns of one row.
        (Quantified("exists", (A,), link(A, A)), True),
        (Quantified("exists", (A,), And((link(A, A), Apply(SEEN, (A, T))))), False),
        (Quantified("exists", (A, T), And((link(A, A), Apply(SEEN, (A, T))))), False),
        (Quantified("exists", (A,), Equal(Apply(NEXT, (A,)), A)), False),
        (Quantified("exists", (A,), And((Equal(Apply(NEXT, (A,)), A), up(A)))), False),
        (
            Quantified("forall", (A, T, V), Implies(Apply(VOTE, (A, T, V)), Equal(A, B))),
            True,
        ),
    ],
)
def test_meaning(term: Term, expected: object) -> None:
    environment = {A: "n0", B: "n1", T: 1, V: "v0"}
    assert evaluate(term, STRUCTURE, environment) == expected
    compiled = compile_formula(term, tuple(environment))
    assert compiled(STRUCTURE, *environment.values()) == expected


def test_a_row_with_one_element_twice() -> None:
    relations = {**STRUCTURE.relations, LINK: frozenset({("n0", "n1")})}
    structure = Structure(STRUCTURE.carriers, relations, STRUCTURE.functions)
    assert compile_formula(Quantified("exists", (A,), link(A, A)))(structure) is False
    assert compile_formula(Quantified("exists", (A, B), link(A, B)))(structure) is True


def test_disjuncts_are_searched_one_by_one() -> None:
    either = Or((Apply(SEEN, (A, T)), Quantified("exists", (V,), Apply(VOTE, (A, T, V)))))
    mine = Equal(Apply(OWNER, (T,)), A)
    source = compile_formula(Quantified("forall", (T,), Implies(either, mine)), (A,)).source
    assert "carriers[" not in source


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(up(A), STRUCTURE, {})


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_compiled_agrees_with_plain(rng: Random, depth: int) -> None:
    scope = parameters(rng)
    term = RandomTerms(rng).formula(depth, scope)
    compiled = compile_formula(term, scope)
    assert compiled.footprint == symbols_of(term)
    structure = random_structure(rng)
    for _ in range(3):
        values = [rng.choice(carrier(structure, variable.sort)) for variable in scope]
        expected = evaluate(term, structure, dict(zip(scope, values, strict=True)))
        found = compiled(structure, *values)
        assert found is bool(expected)
        structure = random_structure(rng, structure)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.randoms(use_true_random=False))
def test_compiled_agrees_on_joins_with_shared_indexes(rng: Random) -> None:
    scope = parameters(rng)
    terms = [RandomTerms(rng).join(scope) for _ in range(3)]
    indexes = Indexes()
    compiled = [compile_formula(term, scope, indexes, {MODE: 2}) for term in terms]
    structures = [random_structure(rng)]
    structures.append(random_structure(rng, structures[0]))
    # Back and forth: an index must follow the structure it is asked about.
    for structure in (structures[0], structures[1], structures[0]):
        values = [rng.choice(carrier(structure, variable.sort)) for variable in scope]
        environment = dict(zip(scope, values, strict=True))
        for term, quick in zip(terms, compiled, strict=True):
            assert quick(structure, *values) is bool(evaluate(term, structure, environment))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.randoms(use_true_random=False), st.sampled_from((NODE, TIME, VALUE, MODE)))
def test_compiled_agrees_on_terms(rng: Random, sort: object) -> None:
    scope = parameters(rng)
    chosen = next(variable.sort for variable in scope if variable.sort == sort)
    term = RandomTerms(rng).term(chosen, 3, scope)
    structure = random_structure(rng)
    values = [rng.choice(carrier(structure, variable.sort)) for variable in scope]
    expected = evaluate(term, structure, dict(zip(scope, values, strict=True)))
    assert compile_formula(term, scope)(structure, *values) == expected


def test_nothing_of_the_model_enters_the_generated_text() -> None:
    odd = Var("a'); import os; ('", NODE)
    term: Term = Quantified("exists", (odd,), up(odd))
    assert "import" not in compile_formula(term).source
    member = Element("'); import os; ('", MODE)
    term = Equal(Apply(STATUS, (A, V)), member)
    compiled = compile_formula(term, (A, V))
    assert compiled(STRUCTURE, "n0", "v0") is False
