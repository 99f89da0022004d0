"""A task has a model exactly where its obligation fails."""

from __future__ import annotations

import dataclasses
import random

import pytest

from compiler.diagnostics import Source, Span
from compiler.model.evaluate import assignments, evaluate
from compiler.model.system import Model, Property
from compiler.model.term import (
    And,
    Apply,
    Quantified,
    Term,
    Var,
    conjunction,
    exists,
    forall,
    free_variables,
)
from compiler.prove.normal import members
from compiler.prove.obligations import Obligations, Transition, digest, obligations
from compiler.prove.relational import relationalise
from compiler.prove.verdict import Obligation
from tests.model.random_actions import apply_by_definition, enabled_by_definition, random_action
from tests.model.vocabulary import LINK, NODE, UP, RandomTerms, parameters, random_structure
from tests.prove.graphs import MODEL, with_action
from tests.prove.specimens import facts_of, model_of_file, model_of_text, text_of

MEMBERS = members(MODEL)
GOAL = Obligation("preserved", "goal", None)


def closed_formula(rng: random.Random, depth: int) -> Term:
    scope = parameters(rng)
    body = RandomTerms(rng).formula(depth, scope)
    return forall(scope, body) if rng.random() < 0.6 else exists(scope, body)


def test_weakest_preconditions() -> None:
    rng = random.Random(11)
    checked = 0
    for _ in range(80):
        action = dataclasses.replace(random_action(rng), contents=())
        step = Transition(action, action.updates, MEMBERS)
        formula = closed_formula(rng, 2)
        task = step.task(GOAL, step.after(formula))
        everything = conjunction(task.formulas)
        constants = frozenset(step.constants.values())
        structure = random_structure(rng)
        enabled = enabled_by_definition(action, structure, {})
        for arguments in rng.sample(enabled, min(2, len(enabled))):
            after = apply_by_definition(action.updates, structure, arguments)
            named = {
                constant: arguments[parameter]
                for parameter, constant in step.constants.items()
                if isinstance(constant, Var)
            }
            others = tuple(free_variables(everything) - constants)
            if len(others) > 5:
                continue
            fails = any(
                evaluate(everything, structure, {**named, **row})
                for row in assignments(structure, others)
            )
            assert fails is not evaluate(formula, after, {})
            checked += 1
    assert checked > 30


def test_assertions_are_of_the_state_before() -> None:
    rng = random.Random(12)
    for _ in range(20):
        action = dataclasses.replace(random_action(rng), contents=())
        step = Transition(action, action.updates, MEMBERS)
        scope = action.parameters
        formula = RandomTerms(rng).formula(1, scope)
        everything = conjunction(step.task(GOAL, step.before(formula)).formulas)
        structure = random_structure(rng)
        for arguments in enabled_by_definition(action, structure, {})[:2]:
            named = {
                constant: arguments[parameter]
                for parameter, constant in step.constants.items()
                if isinstance(constant, Var)
            }
            others = tuple(free_variables(everything) - frozenset(step.constants.values()))
            if len(others) > 5:
                continue
            fails = any(
                evaluate(everything, structure, {**named, **row})
                for row in assignments(structure, others)
            )
            assert fails is not evaluate(formula, structure, arguments)


def test_what_is_given_is_added_to_the_tasks_that_follow() -> None:
    n = Var("n", NODE)
    step = Transition(None, (), MEMBERS)
    given = forall((n,), Apply(UP, (n,)))
    goal = exists((n,), Apply(UP, (n,)))
    before = step.task(GOAL, step.before(goal))
    step.give("all_up", given)
    after = step.task(GOAL, step.before(goal))
    assert (before.given, after.given) == ((), ("all_up",))
    assert set(after.formulas) > set(before.formulas)
    assert len(after.formulas) == len(before.formulas) + 1


def test_outermost_existentials_are_constants() -> None:
    n, m = Var("n", NODE), Var("m", NODE)
    step = Transition(None, (), MEMBERS)
    goal = forall((n,), exists((m,), Apply(LINK, (n, m))))
    task = step.task(GOAL, step.before(goal))
    (negated,) = task.formulas
    assert isinstance(negated, Quantified)
    assert negated.kind == "forall"
    assert free_variables(negated) == {Var("c1", NODE)}


def work_of(model: Model) -> Obligations:
    return obligations(model, relationalise(model), facts_of(model))


def test_untouched_obligations_are_not_tasks() -> None:
    work = work_of(model_of_file("paxos.accord"))
    count = len(work.model.properties) * (len(work.model.actions) + 1)
    assert len(work.tasks) + len(work.untouched) == count
    untouched = {(o.action.name, o.name) for o in work.untouched if o.action is not None}
    assert ("Proposer.on_promise", "agreement") in untouched
    assert ("Learner.crash", "votes_were_cast") not in untouched
    for task in work.tasks:
        action = task.obligation.action
        assert action is None or (action.name, task.obligation.name) not in untouched


def test_an_update_that_changes_nothing_touches_nothing() -> None:
    n = Var("n", NODE)
    action = random_action(random.Random(1))
    same = dataclasses.replace(action, updates=())
    model = dataclasses.replace(
        with_action(same), properties=(Property("invariant", "up", forall((n,), Apply(UP, (n,)))),)
    )
    work = obligations(model, model)
    assert [task.obligation.kind for task in work.tasks] == ["initial"]
    assert [o.name for o in work.untouched] == ["up"]


def digests(model: Model) -> list[str]:
    work = work_of(model)
    return [h.digest for h in (*work.axioms, *work.properties)] + [t.digest for t in work.tasks]


def test_digests_do_not_depend_on_names_of_variables_or_places() -> None:
    text = text_of("paxos.accord")
    expected = digests(model_of_text(text))
    assert digests(model_of_text("\n\n# a comment\n" + text)) == expected
    start = text.index("invariant votes_were_cast")
    end = text.index("invariant decisions_have_a_majority")
    part = text[start:end].replace("l: Learner", "who: Learner").replace("in l.", "in who.")
    assert digests(model_of_text(text[:start] + part + text[end:])) == expected


def test_digests_depend_on_meaning() -> None:
    n, m = Var("n", NODE), Var("m", NODE)
    formulas = [
        Apply(LINK, (n, m)),
        Apply(LINK, (m, n)),
        forall((n,), Apply(LINK, (n, m))),
        exists((n,), Apply(LINK, (n, m))),
        And((Apply(UP, (n,)), Apply(UP, (m,)))),
    ]
    assert len({digest((formula,), MEMBERS) for formula in formulas}) == len(formulas)
    assert digest(formulas, MEMBERS) == digest(formulas[::-1], MEMBERS)


def test_spans_do_not_matter() -> None:
    model = model_of_file("paxos.accord")
    span = Span(Source("elsewhere.accord", ""), 1, 1, 1, 2)
    moved = dataclasses.replace(
        model, properties=tuple(dataclasses.replace(p, span=span) for p in model.properties)
    )
    assert digests(moved) == digests(model)


@pytest.mark.parametrize("name", ["paxos.accord", "two_phase_commit.accord"])
def test_actions_of_the_obligations_are_the_models(name: str) -> None:
    model = model_of_file(name)
    for task in work_of(model).tasks:
        assert task.obligation.action is None or task.obligation.action in model.actions
