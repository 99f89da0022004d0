"""Finite states in which an obligation fails, from the solver."""

from __future__ import annotations

import dataclasses

from compiler.model.evaluate import evaluate
from compiler.prove.bounded import find_structure
from compiler.prove.obligations import Obligations, Task, obligations
from compiler.prove.relational import relationalise
from tests.model.random_actions import apply_by_definition
from tests.prove.specimens import facts_of, model_of_file, model_of_text


def task_of(work: Obligations, action: str | None, name: str) -> Task:
    for task in work.tasks:
        found = task.obligation.action.name if task.obligation.action is not None else None
        if (found, task.obligation.name) == (action, name):
            return task
    raise KeyError(name)


def test_a_small_state_before_a_step_that_fails() -> None:
    model = model_of_file("flawed/two_phase_commit_majority.accord")
    encoded = relationalise(model)
    work = obligations(model, encoded, facts_of(model))
    found = find_structure(work, task_of(work, "Coordinator.on_yes", "commit_is_unanimous"))
    assert found is not None
    state = found.structure
    assert all(evaluate(p.formula, state, {}) for p in encoded.properties)
    assert all(evaluate(axiom.formula, state, {}) for axiom in encoded.axioms)
    action = next(a for a in encoded.actions if a.name == "Coordinator.on_yes")
    assert set(found.arguments) == set(action.parameters)
    assert evaluate(action.guard, state, found.arguments)
    after = apply_by_definition(action.updates, state, found.arguments)
    goal = next(p for p in encoded.properties if p.name == "commit_is_unanimous")
    assert not evaluate(goal.formula, after, {})
    assert {str(sort): len(elements) for sort, elements in state.carriers.items()} == {
        "Coordinator": 1,
        "Participant": 2,
        "Transaction": 1,
        "Enough": 1,
        "Status": 4,
        "Decision": 3,
        "phase": 3,
    }


def test_orders_ascend_from_zero() -> None:
    model = model_of_file("flawed/paxos_volatile_promise.accord")
    encoded = relationalise(model)
    work = obligations(model, encoded, facts_of(model))
    found = find_structure(work, task_of(work, "Acceptor.crash", "promises_are_kept"))
    assert found is not None
    ballot = encoded.sort("Ballot")
    assert ballot.less is not None
    assert ballot.zero is not None
    order = found.structure.carriers[ballot.sort]
    below = found.structure.relations[ballot.less]
    assert below == {(a, b) for i, b in enumerate(order) for a in order[:i]}
    assert found.structure.functions[ballot.zero][()] == order[0]


def test_an_initial_state() -> None:
    text = "protocol P\n\nrole A:\n    x: bool = true\n\nsafety off: forall a: A: not a.x\n"
    model = model_of_text(text)
    work = obligations(model, relationalise(model))
    found = find_structure(work, task_of(work, None, "off"))
    assert found is not None
    assert found.arguments == {}
    assert [len(elements) for elements in found.structure.carriers.values()] == [1]


def test_none_where_it_holds() -> None:
    model = model_of_file("two_phase_commit.accord")
    work = obligations(model, relationalise(model), facts_of(model))
    task = task_of(work, "Coordinator.on_yes", "commit_is_unanimous")
    assert find_structure(work, task, largest=2) is None
    assert find_structure(dataclasses.replace(work), task, seconds=0.0) is None
