"""Counterexamples to induction are small, real, and found for obligations that do fail."""

from __future__ import annotations

import pytest

from compiler.model.structure import Structure
from compiler.model.system import Model
from compiler.prove.counterexample import Context, CounterexampleFinder, minimise, refutes
from compiler.prove.expansion import Expansion
from compiler.prove.replay import take
from compiler.prove.sat import Deadline
from compiler.prove.scope import Scope
from compiler.prove.unrolling import Unrolling
from compiler.prove.verdict import Counterexample, Obligation, Step
from tests.prove.specimens import ASSERTING, facts_of, model_of_file, model_of_text


def context_without(model: Model, *names: str) -> Context:
    return Context(
        model, tuple(p for p in model.properties if p.name not in names), facts_of(model)
    )


def preserved(model: Model, name: str, action: str) -> Obligation:
    return Obligation("preserved", name, next(a for a in model.actions if a.name == action))


def size(structure: Structure) -> int:
    return sum(len(c) for c in structure.carriers.values())


@pytest.mark.parametrize(
    ("name", "roles"),
    [("paxos.accord", ("Learner",)), ("two_phase_commit.accord", ("Coordinator", "Participant"))],
)
def test_proved_specs_have_no_counterexample(name: str, roles: tuple[str, ...]) -> None:
    model = model_of_file(name)
    finder = CounterexampleFinder(context_without(model))
    for action in model.actions:
        for item in model.properties if action.role in roles else ():
            assert finder.find(Obligation("preserved", item.name, action), seconds=60) is None
    for item in model.properties:
        assert finder.find(Obligation("initial", item.name, None), seconds=60) is None


@pytest.mark.parametrize(
    ("spec", "missing", "name", "action", "elements"),
    [
        ("paxos", "one_value_a_ballot", "agreement", "Learner.on_accepted", 8),
        ("two_phase_commit", "commit_is_unanimous", "unanimity", "Participant.on_do_commit", 3),
    ],
)
def test_a_missing_invariant_shows(
    spec: str, missing: str, name: str, action: str, elements: int
) -> None:
    model = model_of_file(f"{spec}.accord")
    context = context_without(model, missing)
    obligation = preserved(model, name, action)
    found = CounterexampleFinder(context).find(obligation, seconds=60)
    assert found is not None
    assert refutes(context, obligation, found)
    sizes = {d.sort: len(found.before.carriers[d.sort]) for d in model.sorts}
    counted = [sizes[d.sort] for d in model.sorts if d.kind in ("role", "opaque", "ordered")]
    assert sum(counted) == elements
    rows = sum(len(r) for s, r in found.before.relations.items() if s.mutable)
    assert rows <= 10


def test_an_initial_state_is_a_counterexample_without_a_step() -> None:
    model = model_of_text(ASSERTING + "\nsafety seen: forall w: Watch: w.seen is some\n")
    found = CounterexampleFinder(context_without(model)).find(Obligation("initial", "seen", None))
    assert found is not None
    assert found.step is None
    assert found.after is None


def test_an_assertion_fails_in_the_state_before() -> None:
    model = model_of_text(ASSERTING)
    action = next(a for a in model.actions if a.assertions)
    obligation = Obligation("assertion", action.assertions[0].name, action)
    context = context_without(model)
    found = CounterexampleFinder(context).find(obligation)
    assert found is not None
    assert found.after is None
    assert refutes(context, obligation, found)


def test_what_refutes_nothing_is_not_a_counterexample() -> None:
    model = model_of_file("paxos.accord")
    context = context_without(model, "one_value_a_ballot")
    obligation = preserved(model, "agreement", "Learner.on_accepted")
    found = CounterexampleFinder(context).find(obligation, seconds=60)
    assert found is not None
    full = context_without(model)
    assert not refutes(full, obligation, found)
    assert not refutes(context, preserved(model, "validity", "Learner.on_accepted"), found)
    assert not refutes(context, obligation, Counterexample(found.before, found.step, found.before))
    assert not refutes(context, obligation, Counterexample(found.after or found.before, None, None))


def test_a_large_structure_is_made_small() -> None:
    model = model_of_file("two_phase_commit.accord")
    context = context_without(model, "commit_is_unanimous")
    obligation = preserved(model, "unanimity", "Participant.on_do_commit")
    found = _large(context, obligation)
    smaller = minimise(context, obligation, found, seconds=60)
    assert refutes(context, obligation, smaller)
    assert size(smaller.before) < size(found.before)
    assert len(smaller.before.carriers[model.sort("Participant").sort]) == 1
    assert len(smaller.before.carriers[model.sort("Transaction").sort]) == 1


def _large(context: Context, obligation: Obligation) -> Counterexample:
    """Return a counterexample with many elements and whatever the solver puts there."""
    model = context.model
    assert obligation.action is not None
    scope = Scope((("Coordinator", 1), ("Participant", 3), ("Transaction", 3)))
    expansion = Expansion(model, scope)
    unrolling = Unrolling(expansion, from_initial=False)
    unrolling.grow()
    goal = next(p.formula for p in model.properties if p.name == obligation.name)
    instances = [i for i in expansion.instances if i.action.name == obligation.action.name]
    taken = expansion.circuit.disjunction(i.fire for i in instances)
    assumptions = [unrolling.literal(0, expansion.holds(h.formula)) for h in context.hypotheses]
    assumptions += [unrolling.literal(0, taken), unrolling.literal(1, -expansion.holds(goal))]
    others = [i for i in expansion.instances if i.action.name != obligation.action.name]
    assumptions += [-unrolling.literal(0, i.fire) for i in others]
    assert unrolling.solve(assumptions, Deadline(None))
    before = unrolling.structure(0)
    for instance in unrolling.fired(0):
        result = take(model, before, Step(instance.action, expansion.arguments(instance)))
        assert result is not None
        found = Counterexample(before, *result)
        if refutes(context, obligation, found):
            return found
    raise AssertionError("no single step breaks it")
