"""The grounding against the evaluator: on random formulas and states, and on random actions."""

from __future__ import annotations

import random
from itertools import product

import pytest

from compiler.model.evaluate import evaluate
from compiler.model.layout import RoleLayout
from compiler.model.structure import Structure
from compiler.model.successors import machine
from compiler.model.system import Action, Model, SortDeclaration, Update
from compiler.model.term import (
    BOOL,
    FALSE,
    And,
    Apply,
    Element,
    Quantified,
    Sort,
    Symbol,
    Term,
    Var,
    forall,
)
from compiler.prove.expansion import Expansion
from compiler.prove.ground import Grounder, conjuncts
from compiler.prove.sat import Deadline, Literal
from compiler.prove.scope import Scope
from compiler.prove.unrolling import Unrolling
from tests.model.random_actions import random_action
from tests.model.vocabulary import (
    LESS,
    MODE,
    MODES,
    NODE,
    OWNER,
    SYMBOLS,
    TIME,
    VALUE,
    ZERO,
    RandomTerms,
)
from tests.prove.specimens import SHARED_GHOST, model_of_file, model_of_text

NEVER = Deadline(None)


def vocabulary_model(*actions: Action) -> Model:
    """Return a model over the random vocabulary, all of it false or first at the start."""
    rigid = [s for s in SYMBOLS if not s.mutable]
    mutable = [s for s in SYMBOLS if s.mutable]
    initial = []
    for symbol in mutable:
        formals = tuple(Var(f"f{i}", sort) for i, sort in enumerate(symbol.arguments))
        initial.append(Update(symbol, formals, _first(symbol.result)))
    constant = Symbol("Node.first", (), NODE, mutable=False)
    return Model(
        name="Vocabulary",
        sorts=(
            SortDeclaration(NODE, "role"),
            SortDeclaration(TIME, "ordered", less=LESS, zero=ZERO, owner=OWNER),
            SortDeclaration(VALUE, "opaque"),
            SortDeclaration(MODE, "enum", elements=MODES),
        ),
        symbols=(*rigid, constant, *mutable),
        axioms=(),
        initial=tuple(initial),
        actions=actions,
        properties=(),
        quorums=(),
        assumptions=(),
        facts=(),
        roles=(),
        ghosts=RoleLayout("", None, False, ()),
        messages=(),
        requests=(),
        outputs=(),
    )


def _first(sort: Sort) -> Term:
    if sort == BOOL:
        return FALSE
    if sort == MODE:
        return Element(MODES[0], MODE)
    if sort == TIME:
        return Apply(ZERO, ())
    return Apply(Symbol("Node.first", (), NODE, mutable=False), ())


def random_scope(rng: random.Random) -> Scope:
    return Scope((("Node", rng.randint(1, 3)), ("Time", rng.randint(1, 3)), ("Value", 2)))


def random_state(rng: random.Random, unrolling: Unrolling) -> tuple[Structure, list[Literal]]:
    """Fix the first state at random; return it and the assumptions that fix it."""
    expansion = unrolling.expansion
    chosen: list[Literal] = []
    for variable in range(2, expansion.rigid_end + expansion.width):
        literal = unrolling.literal(0, variable if rng.random() < 0.5 else -variable)
        if unrolling.solve([*chosen, literal], NEVER):
            chosen.append(literal)
        else:
            chosen.append(-literal)
    assert unrolling.solve(chosen, NEVER)
    return unrolling.structure(0), chosen


@pytest.mark.parametrize("seed", range(25))
def test_formulas_mean_what_the_evaluator_says(seed: int) -> None:
    rng = random.Random(seed)
    model = vocabulary_model()
    expansion = Expansion(model, random_scope(rng))
    unrolling = Unrolling(expansion, from_initial=False)
    structure, state = random_state(rng, unrolling)
    terms = RandomTerms(rng)
    scope = tuple(Var(f"p{i}", sort) for i, sort in enumerate((NODE, TIME, VALUE, MODE, BOOL)))
    for _ in range(40):
        formula = forall(scope, terms.formula(3, scope))
        expected = evaluate(formula, structure, {})
        literal = unrolling.literal(0, expansion.holds(formula))
        assert unrolling.solve([*state, literal], NEVER) == expected
        assert unrolling.solve([*state, -literal], NEVER) != expected


@pytest.mark.parametrize("seed", range(40))
def test_steps_are_the_evaluators_steps(seed: int) -> None:
    rng = random.Random(seed)
    action = random_action(rng)
    model = vocabulary_model(action)
    expansion = Expansion(model, random_scope(rng))
    unrolling = Unrolling(expansion, from_initial=False)
    unrolling.grow()
    structure, state = random_state(rng, unrolling)
    known = {tuple(expansion.arguments(i).values()): i for i in expansion.instances}
    enabled = 0
    for values in product(*(expansion.ground.carriers[p.sort] for p in action.parameters)):
        arguments = dict(zip(action.parameters, values, strict=True))
        if not all(evaluate(c.formula, structure, arguments) for c in action.contents):
            continue  # the random guards do depend on what is not there
        instance = known.get(values)
        possible = bool(evaluate(action.guard, structure, arguments))
        if instance is None:
            assert not possible
            continue
        fires = unrolling.literal(0, instance.fire)
        after = machine(model).apply(action, structure, arguments)
        if any(not _partial(after, symbol) for symbol in SYMBOLS if symbol.unique):
            continue
        assert unrolling.solve([*state, fires], NEVER) == possible
        if possible:
            enabled += 1
            alone = [-unrolling.literal(0, i.fire) for i in expansion.instances if i != instance]
            assert unrolling.solve([*state, fires, *alone], NEVER)
            assert unrolling.structure(1).fingerprint() == after.fingerprint()
        if enabled > 25:
            break


def _partial(structure: Structure, symbol: Symbol) -> bool:
    keys = [row[: -symbol.unique] for row in structure.relations[symbol]]
    return len(keys) == len(set(keys))


def test_negated_conjuncts_keep_the_meaning() -> None:
    rng = random.Random(7)
    terms = RandomTerms(rng)
    scope = tuple(Var(f"p{i}", sort) for i, sort in enumerate((NODE, TIME, VALUE, MODE, BOOL)))
    ground = Grounder(vocabulary_model(), Scope((("Node", 2), ("Time", 2), ("Value", 1))))
    for symbol in ground.model.symbols:
        if symbol.mutable and symbol.result == BOOL:
            ground.relations[symbol] = ground.new_relation(symbol)
        elif symbol.mutable:
            ground.functions[symbol] = ground.new_function(symbol)
    for _ in range(200):
        formula = terms.formula(2, scope)
        parts = [ground.formula(part)() for part in conjuncts(formula, False)]
        # Circuits are shared, so equal formulas mostly have equal literals; constants always.
        if abs(ground.formula(formula)()) == 1:
            assert ground.circuit.conjunction(parts) == -ground.formula(formula)()


def test_a_shadowing_quantifier_leaves_the_outer_variable_alone() -> None:
    x = Var("x", NODE)
    inner = Quantified("exists", (x,), _seen(x))
    formula = Quantified("forall", (x,), _both(_seen(x), inner, _seen(x)))
    expansion = Expansion(vocabulary_model(), Scope((("Node", 2), ("Time", 1), ("Value", 1))))
    plain = expansion.holds(Quantified("forall", (x,), _seen(x)))
    unrolling = Unrolling(expansion, from_initial=False)
    same = expansion.circuit.equivalence(plain, expansion.holds(formula))
    assert not unrolling.solve([-unrolling.literal(0, same)], NEVER)


def _seen(node: Var) -> Term:
    up = next(s for s in SYMBOLS if s.name == "Node.up")
    return Apply(up, (node,))


def _both(*terms: Term) -> Term:
    return And(terms)


def test_one_layer_holds_only_steps_that_commute() -> None:
    """Any order of the steps of a layer is possible and leads to the same state."""
    for model in (model_of_text(SHARED_GHOST), model_of_file("paxos.accord")):
        rng = random.Random(3)
        sizes = [(d.sort.name, 2) for d in model.sorts if d.kind in ("role", "opaque", "ordered")]
        expansion = Expansion(model, Scope(tuple(sizes)))
        unrolling = Unrolling(expansion, from_initial=False)
        unrolling.grow()
        active = [unrolling.literal(0, literal) for literal in expansion.active.values()]
        together = 0
        for _ in range(60):
            some = rng.sample(expansion.instances, 2)
            fires = [unrolling.literal(0, i.fire) for i in some]
            wishes = [a for a in active if rng.random() < 0.5]
            if not (unrolling.solve([*fires, *wishes], NEVER) or unrolling.solve(fires, NEVER)):
                continue
            fired = unrolling.fired(0)
            start, end = unrolling.structure(0), unrolling.structure(1)
            rng.shuffle(fired)
            together += len(fired) > 1
            state = start
            for instance in fired:
                arguments = expansion.arguments(instance)
                contents = {v for c in instance.action.contents for v in c.variables}
                chosen = {v: e for v, e in arguments.items() if v not in contents}
                taken = list(machine(model).enabled(instance.action, state, chosen))
                assert taken, instance.action.name
                state = machine(model).apply(instance.action, state, taken[0])
            assert state.fingerprint() == end.fingerprint()
        assert together > 5
