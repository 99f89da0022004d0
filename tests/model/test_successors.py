"""Stepping and exploring the hand-written models."""

from __future__ import annotations

from random import Random

import pytest

from compiler.model.evaluate import evaluate
from compiler.model.structure import Structure
from compiler.model.successors import (
    apply,
    enabled,
    explore,
    extend,
    initial_structure,
    machine,
    rigid_structure,
    sized_carriers,
    successors,
)
from compiler.model.system import Model
from compiler.model.term import Sort
from tests.model.examples import (
    ACCEPTED,
    ACCEPTOR,
    BALLOT,
    HOLDING,
    LOCK,
    LOCK_STATE,
    MAJORITY,
    PROMISED,
    SENT_NONE,
    SENT_PREPARE,
    SENT_SOME,
    VALUE,
    forgetful_paxos,
    lock_server,
    paxos,
)
from tests.model.random_actions import apply_by_definition, enabled_by_definition


def start(model: Model, **sizes: int) -> Structure:
    return initial_structure(model, rigid_structure(model, sized_carriers(model, sizes)))


def holds(model: Model, name: str, structure: Structure) -> bool:
    return bool(machine(model).properties[name](structure))


def test_the_initial_state() -> None:
    state = start(lock_server(), Client=2)
    assert state.relations[HOLDING] == frozenset()
    assert state.functions[LOCK_STATE] == {("Server0",): "Free"}
    assert state.carriers[LOCK] == ("Free", "Taken")


def test_the_lock_server_has_the_states_it_has_on_paper() -> None:
    # With one client: nothing sent; granted and taken, held or not; granted and free, held
    # or not; the client may take an old grant at any time.
    exploration = explore(lock_server(), start(lock_server(), Client=1))
    assert exploration.complete
    assert len(exploration.states) == 5


def test_the_shortest_violation_is_found() -> None:
    model = lock_server()
    exploration = explore(
        model, start(model, Client=2), until=lambda state: not holds(model, "exclusion", state)
    )
    path = exploration.path(len(exploration.states) - 1)
    assert [action.handler for _, action, _ in path] == [
        "on_acquire",
        "on_grant",
        "on_release",
        "on_acquire",
        "on_grant",
        "on_grant",
    ]
    state = exploration.states[0]
    for number, action, arguments in path:
        assert exploration.states[number] == state
        assert evaluate(action.guard, state, arguments)
        state = apply(model, action, state, arguments)
    assert state == exploration.states[-1]


def test_limits_leave_a_search_incomplete() -> None:
    model = lock_server()
    state = start(model, Client=2)
    assert not explore(model, state, depth=2).complete
    assert len(explore(model, state, limit=4).states) == 4
    assert len(explore(model, state, depth=0).states) == 1


def test_paxos_keeps_its_properties_near_the_start() -> None:
    model = paxos()
    exploration = explore(
        model, start(model, Proposer=1, Acceptor=2, Learner=1, Ballot=3, Value=2), limit=1_500
    )
    for state in exploration.states:
        for property_ in model.properties:
            assert holds(model, property_.name, state), property_.name


def test_acceptors_that_forget_their_promise_are_caught() -> None:
    model = forgetful_paxos()
    state = start(model, Proposer=1, Acceptor=1, Learner=1, Ballot=3, Value=1)
    exploration = explore(
        model, state, until=lambda state: not holds(model, "votes_below_promise", state)
    )
    found = not holds(model, "votes_below_promise", exploration.states[-1])
    # With `promised := ballot` on every vote the last promise may go down again.
    assert found


@pytest.mark.parametrize("seed", range(4))
def test_random_walks_agree_with_the_definition(seed: int) -> None:
    rng = Random(seed)
    model = paxos()
    state = start(model, Proposer=2, Acceptor=2, Learner=1, Ballot=3, Value=2)
    for _ in range(15):
        steps = list(successors(model, state))
        for action in model.actions:
            expected = enabled_by_definition(action, state, {})
            assert list(enabled(model, action, state, {})) == expected
            assert [step[1] for step in steps if step[0] is action] == expected
        for property_ in model.properties:
            assert holds(model, property_.name, state) is evaluate(property_.formula, state, {})
        action, arguments, after = rng.choice(steps)
        assert after == apply_by_definition(action.updates, state, arguments)
        assert after.fingerprint() == apply(model, action, state, arguments).fingerprint()
        state = after


def test_contents_come_from_the_state() -> None:
    model = paxos()
    prepare, _, promise, *_ = model.actions
    state = start(model, Proposer=1, Acceptor=1, Learner=1, Ballot=3, Value=2)
    (first, second) = enabled(model, prepare, state, {})
    state = apply(model, prepare, state, first)
    (step,) = enabled(model, promise, state, {promise.node: "Acceptor0"})
    voted, choice = promise.contents[0].variables
    # No vote yet: the contents are the first elements, and nothing depends on them.
    assert (step[voted], step[choice]) == ("Ballot0", "Value0")
    state = apply(model, promise, state, step)
    assert state.relations[SENT_NONE] == {("Acceptor0", "Proposer0", "Ballot1")}
    relations = {**state.relations, ACCEPTED: frozenset({("Acceptor0", "Ballot1", "Value1")})}
    state = Structure(state.carriers, relations, state.functions)
    state = apply(model, prepare, state, second)
    (step,) = enabled(model, promise, state, {})
    assert (step[voted], step[choice]) == ("Ballot1", "Value1")
    assert not list(enabled(model, promise, state, {choice: "Value0"}))
    state = apply(model, promise, state, step)
    assert state.relations[SENT_SOME] == {
        ("Acceptor0", "Proposer0", "Ballot2", "Ballot1", "Value1")
    }


def test_a_state_grows_as_if_the_element_had_been_there() -> None:
    model = paxos()
    sizes = {"Proposer": 2, "Acceptor": 2, "Learner": 1}
    state = start(model, **sizes, Ballot=3, Value=1)
    grown = extend(model, state, BALLOT, "Ballot3", owner="Proposer1")
    grown = extend(model, grown, VALUE, "Value1")
    assert grown == start(model, **sizes, Ballot=4, Value=2)


def test_growing_commutes_with_steps() -> None:
    model, rng = paxos(), Random(5)
    state = start(model, Proposer=2, Acceptor=3, Learner=1, Ballot=3, Value=1)
    for _ in range(25):
        action, arguments, after = rng.choice(list(successors(model, state)))

        def grow(structure: Structure) -> Structure:
            grown = extend(model, structure, BALLOT, "between", 1, owner="Proposer0")
            return extend(model, grown, VALUE, "another")

        assert grow(after) == apply(model, action, grow(state), arguments)
        state = after


def test_an_ordered_element_takes_its_place() -> None:
    model = paxos()
    state = start(model, Ballot=2)
    grown = extend(model, state, BALLOT, "half", 1, owner="Proposer1")
    assert grown.carriers[BALLOT] == ("Ballot0", "half", "Ballot1")
    rigid = rigid_structure(
        model,
        {**state.carriers, BALLOT: ("Ballot0", "half", "Ballot1")},
        owners={BALLOT: {"Ballot1": "Proposer1", "half": "Proposer1"}},
    )
    assert grown == initial_structure(model, rigid)


@pytest.mark.parametrize(
    ("sort", "element", "position", "owner"),
    [
        (ACCEPTOR, "Acceptor9", None, None),
        (MAJORITY, frozenset(), None, None),
        (Sort("Value"), "Value0", None, None),
        (BALLOT, "least", 0, "Proposer0"),
        (BALLOT, "nobody's", None, None),
    ],
)
def test_what_cannot_grow_is_refused(
    sort: Sort, element: object, position: int | None, owner: str | None
) -> None:
    model = paxos()
    with pytest.raises(ValueError):  # noqa: PT011
        extend(model, start(model), sort, element, position, owner=owner)


def test_one_machine_for_one_model() -> None:
    model = paxos()
    assert machine(model) is machine(model)
    assert machine(model) is not machine(paxos())


def test_promises_never_touch_other_nodes() -> None:
    model = paxos()
    state = start(model, Proposer=1, Acceptor=2, Learner=1, Ballot=2, Value=1)
    relations = {**state.relations, SENT_PREPARE: frozenset({("Proposer0", "Ballot1")})}
    state = Structure(state.carriers, relations, state.functions)
    promise = model.actions[2]
    (step,) = enabled(model, promise, state, {promise.node: "Acceptor1"})
    after = apply(model, promise, state, step)
    assert after.functions[PROMISED] == {("Acceptor0",): "Ballot0", ("Acceptor1",): "Ballot1"}
