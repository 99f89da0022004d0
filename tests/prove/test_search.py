"""The bounded search finds the executions of the wrong twins, and none of the right ones."""

from __future__ import annotations

import pytest

from compiler.model.evaluate import evaluate
from compiler.model.successors import explore, initial_structure, machine
from compiler.model.system import Model
from compiler.prove.replay import is_initial, violations
from compiler.prove.scope import Scope
from compiler.prove.search import Search, SearchOptions, find_enabled, find_violation, search_scopes
from compiler.prove.verdict import NotReached, Reachable
from tests.prove.specimens import (
    ASSERTING,
    SHARED_GHOST,
    model_of_file,
    model_of_text,
    shortest_execution,
    text_of,
)

PATIENT = SearchOptions(seconds=60)


def check(model: Model, found: Reachable | NotReached) -> Reachable:
    """Check an execution by the definition of one, without the search's own replay."""
    assert isinstance(found, Reachable), found
    trace = found.trace
    assert is_initial(model, trace.states[0])
    for before, step, after in zip(trace.states, trace.steps, trace.states[1:], strict=False):
        assert evaluate(step.action.guard, before, step.arguments)
        applied = machine(model).apply(step.action, before, step.arguments)
        assert applied.fingerprint() == after.fingerprint()
    assert found.name in violations(model, trace)
    return found


@pytest.mark.parametrize(
    ("name", "violated", "steps"),
    [
        ("paxos_half_quorum", "agreement", 10),
        ("paxos_volatile_promise", "agreement", 11),
        ("paxos_deaf_proposer", "agreement", 10),
        ("two_phase_commit_majority", "agreement", 7),
    ],
)
def test_wrong_twins_are_caught(name: str, violated: str, steps: int) -> None:
    model, result = shortest_execution(name)
    found = check(model, result)
    assert found.name == violated
    assert len(found.trace.steps) == steps
    assert found.bound.endswith("no execution has fewer steps")


@pytest.mark.parametrize("name", ["paxos", "two_phase_commit"])
def test_proved_specs_have_no_violation(name: str) -> None:
    found = find_violation(model_of_file(f"{name}.accord"), None, SearchOptions(60, layers=7))
    assert isinstance(found, NotReached)
    assert "executions of up to 7 layers with " in found.bound


def test_the_shortest_execution_is_as_short_as_an_exhaustive_search_finds() -> None:
    text = text_of("two_phase_commit.accord")
    text = text.replace(
        "quorum Everyone of Participant: size >= total", "quorum Everyone of Participant: size > 0"
    )
    text = text.replace("fact everyone_is_all: forall q: Everyone, p: Participant: p in q", "")
    model = model_of_text(text)
    found = check(model, find_violation(model, "agreement", PATIENT))
    start = initial_structure(model, found.trace.states[0])
    broken = next(p for p in model.properties if p.name == "agreement")
    compiled = machine(model).compile(broken.formula)
    everything = explore(model, start, limit=50_000, until=lambda state: not compiled(state))
    assert len(everything.path(len(everything.states) - 1)) == len(found.trace.steps)


def test_steps_that_share_a_ghost_are_ordered() -> None:
    model = model_of_text(SHARED_GHOST)
    check(model, find_violation(model, "quiet", PATIENT))


def test_a_failed_assertion_is_the_last_step() -> None:
    model = model_of_text(ASSERTING)
    (assertion,) = (a for action in model.actions for a in action.assertions)
    found = check(model, find_violation(model, assertion.name, PATIENT))
    names = [step.action.name for step in found.trace.steps]
    assert sorted(names) == ["Clock.on_timeout_beat"] * 2 + ["Watch.on_next"] * 2
    assert names[-1] == "Watch.on_next"
    assert found.bound.endswith("no execution has fewer steps")
    assert check(model, find_violation(model, None, PATIENT)).name == assertion.name


def test_an_initial_violation_is_an_execution_without_steps() -> None:
    text = text_of("two_phase_commit.accord") + (
        "\n\nsafety begun: exists t: Transaction: requested Begin(t)\n"
    )
    model = model_of_text(text)
    found = check(model, find_violation(model, "begun", PATIENT))
    assert found.trace.steps == ()


def test_questions_share_one_unrolling() -> None:
    search = Search(model_of_file("flawed/two_phase_commit_majority.accord"), PATIENT)
    first = check(search.model, search.find_violation("agreement"))
    second = check(search.model, search.find_violation("unanimity"))
    again = check(search.model, search.find_violation("agreement"))
    assert len(first.trace.steps) == len(again.trace.steps)
    assert second.name == "unanimity"


def test_no_time_is_no_answer() -> None:
    found = find_violation(model_of_file("paxos.accord"), None, SearchOptions(seconds=0.0))
    assert isinstance(found, NotReached)
    assert found.bound == "nothing was searched in the time given"


def test_every_action_of_the_specs_can_happen() -> None:
    for name in ("paxos.accord", "two_phase_commit.accord"):
        model = model_of_file(name)
        seen, bound = find_enabled(model, PATIENT)
        assert seen == {action.name for action in model.actions}
        assert "layers with" in bound


def test_scopes_cover_even_numbers_of_voters_and_respect_assumptions() -> None:
    sizes = {scope.size("Acceptor") for _, scope in search_scopes(model_of_file("paxos.accord"))}
    assert sizes >= {1, 2, 3, 4}
    text = text_of("paxos.accord").replace(
        "quorum Majority of Acceptor: 2 * size > total",
        "parameter f: 3 * f < total Acceptor and f >= 1\n"
        "quorum Majority of Acceptor: size >= total - f",
    )
    scopes = [scope for _, scope in search_scopes(model_of_text(text))]
    assert {scope.size("Acceptor") for scope in scopes} == {4}
    assert all(isinstance(scope, Scope) and scope.parameters == (("f", 1),) for scope in scopes)
