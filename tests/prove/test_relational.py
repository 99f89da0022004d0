"""The encoding agrees with the model on the states that stand for the model's."""

from __future__ import annotations

import dataclasses
import random

from compiler.model.evaluate import assignments, evaluate
from compiler.model.system import Action, Crashed, Update
from compiler.model.term import (
    BOOL,
    Apply,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    equal,
    exists,
    forall,
    implication,
    ite,
    negation,
)
from compiler.prove.relational import relationalise
from tests.model.random_actions import apply_by_definition, enabled_by_definition, random_action
from tests.model.vocabulary import (
    LESS,
    NEXT,
    NODE,
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
from tests.prove.graphs import MODEL, graph, with_action, with_formulas
from tests.prove.specimens import model_of_file

TERM_IS = Symbol("Node.term", (NODE, TIME), BOOL, mutable=True, unique=1)
N, M, T, U = Var("n", NODE), Var("m", NODE), Var("t", TIME), Var("term", TIME)


def encode(formula: Term) -> Term:
    return relationalise(with_formulas([formula])).properties[0].formula


def term_of(node: Term) -> Term:
    return Apply(TERM, (node,))


def below(left: Term, right: Term) -> Term:
    return Apply(LESS, (left, right))


def test_formulas_agree_on_graphs() -> None:
    rng = random.Random(1)
    for _ in range(300):
        scope = parameters(rng)
        formula = RandomTerms(rng).formula(3, scope)
        closed = forall(scope, formula) if rng.random() < 0.5 else exists(scope, formula)
        model = with_formulas([closed])
        encoded = relationalise(model)
        structure = random_structure(rng)
        expected = evaluate(closed, structure, {})
        found = evaluate(encoded.properties[0].formula, graph(structure, model, encoded), {})
        assert found == expected


def test_actions_agree_on_graphs() -> None:
    rng = random.Random(2)
    steps = 0
    for _ in range(60):
        action = random_action(rng)
        model = with_action(action)
        encoded = relationalise(model)
        after = encoded.actions[0]
        structure = random_structure(rng)
        state = graph(structure, model, encoded)
        enabled = enabled_by_definition(action, structure, {})
        reads = [v for v in after.parameters if v not in action.parameters]
        for arguments in rng.sample(enabled, min(3, len(enabled))):
            completions = [
                {**arguments, **row}
                for row in assignments(state, tuple(reads))
                if evaluate(after.guard, state, {**arguments, **row})
            ]
            assert len(completions) == 1
            expected = apply_by_definition(action.updates, structure, arguments)
            found = apply_by_definition(after.updates, state, completions[0])
            assert found == graph(expected, model, encoded)
            steps += 1
    assert steps > 20


def test_encoded_guard_allows_no_more() -> None:
    rng = random.Random(3)
    for _ in range(30):
        action = random_action(rng)
        model = with_action(action)
        encoded = relationalise(model)
        after = encoded.actions[0]
        structure = random_structure(rng)
        state = graph(structure, model, encoded)
        if len(after.parameters) > 8:
            continue
        for arguments in assignments(state, after.parameters):
            if evaluate(after.guard, state, arguments):
                known = {v: arguments[v] for v in action.parameters}
                assert enabled_by_definition(action, structure, known)


def test_symbols_of_enums_and_relations_stay() -> None:
    encoded = relationalise(MODEL)
    kept = [before for before in MODEL.symbols if before in encoded.symbols]
    assert STATUS in kept
    assert VOTE in kept
    assert TERM not in kept
    assert TERM_IS in encoded.symbols


def test_uniqueness_is_an_invariant_to_be_proved() -> None:
    encoded = relationalise(MODEL)
    names = [property_.name for property_ in encoded.properties]
    assert names == ["unique Node.vote", "unique Node.term", "unique Node.next"]
    rng = random.Random(4)
    for _ in range(20):
        state = graph(random_structure(rng), MODEL, encoded)
        assert all(evaluate(p.formula, state, {}) for p in encoded.properties)
    double = Var("t_2", TIME)
    assert encoded.properties[1].formula == forall(
        (N, T, double),
        implication(
            conjunction((Apply(TERM_IS, (N, T)), Apply(TERM_IS, (N, double)))), equal(T, double)
        ),
    )


def test_a_positive_read_is_universal() -> None:
    formula = forall((N,), below(Apply(ZERO, ()), term_of(N)))
    expected = forall((N, U), implication(Apply(TERM_IS, (N, U)), below(Apply(ZERO, ()), U)))
    assert encode(formula) == expected


def test_a_negative_read_is_existential() -> None:
    formula = forall((N,), negation(forall((M,), below(term_of(M), T))))
    closed = forall((T,), formula)
    expected = forall(
        (T,),
        negation(forall((M,), exists((U,), conjunction((Apply(TERM_IS, (M, U)), below(U, T)))))),
    )
    assert encode(closed) == expected


def test_a_read_shared_in_a_disjunction_is_one_variable() -> None:
    low = forall((N, T), disjunction((below(term_of(N), T), below(T, term_of(N)))))
    expected = forall(
        (N, T, U),
        implication(Apply(TERM_IS, (N, U)), disjunction((below(U, T), below(T, U)))),
    )
    assert encode(low) == expected


def test_reads_of_parameters_become_parameters() -> None:
    node = Var("self", NODE)
    action = Action(
        name="Node.step",
        role="Node",
        handler="step",
        node=node,
        trigger=Crashed(),
        choices=(),
        contents=(),
        parameters=(node, T),
        guard=below(term_of(node), T),
        updates=(
            Update(TERM, (N,), ite(equal(N, node), T, term_of(N))),
            Update(UP, (N,), disjunction((Apply(UP, (N,)), equal(term_of(node), T)))),
        ),
        assertions=(),
    )
    encoded = relationalise(with_action(action)).actions[0]
    read = Var("term", TIME)
    assert encoded.parameters == (node, T, read)
    assert encoded.guard == conjunction((Apply(TERM_IS, (node, read)), below(read, T)))
    first, second = encoded.updates
    formal, value = first.formals
    assert first.symbol == TERM_IS
    assert first.value == ite(equal(formal, node), equal(value, T), Apply(TERM_IS, (formal, value)))
    assert second.value == disjunction((Apply(UP, second.formals), equal(read, T)))


def test_enum_values_of_reads_are_told_apart() -> None:
    value = Var("v", VALUE)
    place = Apply(STATUS, (Apply(NEXT, (N,)), value))
    action = random_action(random.Random(0))
    changed = Update(STATUS, (N, value), place)
    model = with_action(dataclasses.replace(action, updates=(changed,)))
    encoded = relationalise(model)
    rng = random.Random(5)
    structure = random_structure(rng)
    state = graph(structure, model, encoded)
    arguments = next(assignments(structure, action.parameters))
    expected = apply_by_definition(model.actions[0].updates, structure, arguments)
    found = apply_by_definition(encoded.actions[0].updates, state, arguments)
    assert found == graph(expected, model, encoded)


def test_the_specs_have_no_function_to_an_uninterpreted_sort_left() -> None:
    for name in ("paxos.accord", "two_phase_commit.accord"):
        encoded = relationalise(model_of_file(name))
        enums = {d.sort for d in encoded.sorts if d.kind == "enum"}
        for symbol in encoded.symbols:
            assert not symbol.mutable or symbol.result == BOOL or symbol.result in enums
        assert all(action.contents == () for action in encoded.actions)
