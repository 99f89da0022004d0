"""The models of the shipped specs: compiled stepping against the definition, and progress."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import product
from math import prod
from pathlib import Path
from random import Random

import pytest

from compiler.command.front import compile_file
from compiler.model.evaluate import BOOLEANS, carrier, evaluate
from compiler.model.structure import Row, Structure, Value
from compiler.model.successors import (
    apply,
    enabled,
    explore,
    initial_structure,
    machine,
    rigid_structure,
    sized_carriers,
)
from compiler.model.system import Action, Model
from compiler.model.term import BOOL, Sort, Symbol, Var
from compiler.model.validate import validate
from tests.model.random_actions import apply_by_definition, enabled_by_definition

Rows = Mapping[Row, Value] | Collection[Row]

ROOT = Path(__file__).parents[2]
SIZES: Mapping[str, Mapping[str, int]] = {
    "specs/paxos": {"Proposer": 2, "Acceptor": 2, "Learner": 1, "Ballot": 3, "Value": 2},
    "specs/two_phase_commit": {"Participant": 2, "Transaction": 2},
    "tests/specs/all_constructs": {},
}


@cache
def load(name: str) -> Model:
    return compile_file(ROOT / f"{name}.accord").model


def constants(model: Model, carriers: Mapping[Sort, Sequence[Value]]) -> dict[Symbol, Rows]:
    """Return the first value, or the first row, for everything that the sorts do not define."""
    full = {BOOL: BOOLEANS, **carriers, **{d.sort: d.elements for d in model.sorts if d.elements}}
    standard = {s for d in model.sorts for s in (d.less, d.zero, d.owner, d.member, d.the)}
    found: dict[Symbol, Rows] = {}
    for symbol in model.symbols:
        if not symbol.mutable and symbol not in standard:
            rows = list(product(*(full[sort] for sort in symbol.arguments)))
            if symbol.result == BOOL:
                found[symbol] = rows[:1]
            else:
                found[symbol] = dict.fromkeys(rows, full[symbol.result][0])
    return found


def start(model: Model, sizes: Mapping[str, int]) -> Structure:
    carriers = sized_carriers(model, sizes)
    parameters = {assumption.parameter: 0 for assumption in model.assumptions}
    rigid = rigid_structure(
        model, carriers, parameters=parameters, constants=constants(model, carriers)
    )
    return initial_structure(model, rigid)


@pytest.mark.parametrize("name", SIZES)
def test_the_model_is_well_formed(name: str) -> None:
    assert validate(load(name)) == []


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_random_walks_agree_with_the_definition(name: str, seed: int) -> None:
    rng, model = Random(seed), load(name)
    state = start(model, SIZES[name])
    for _ in range(15):
        steps: list[tuple[Action, Mapping[Var, Value]]] = []
        for action in model.actions:
            found = list(enabled(model, action, state, {}))
            if prod(len(carrier(state, v.sort)) for v in action.parameters) <= 2_000:
                assert found == enabled_by_definition(action, state, {})
            assert all(evaluate(action.guard, state, arguments) for arguments in found)
            # A crash undoes work, so it is to be rare.
            if action.handler != "crash" or rng.random() < 0.1:
                steps.extend((action, arguments) for arguments in found)
        for property_ in model.properties:
            holds = evaluate(property_.formula, state, {})
            assert holds or not name.startswith("specs/")
            assert machine(model).properties[property_.name](state) is holds
        if not steps:
            break
        action, arguments = rng.choice(steps)
        after = apply(model, action, state, arguments)
        assert after == apply_by_definition(action.updates, state, arguments)
        state = after


@pytest.mark.parametrize(
    ("name", "symbol", "sizes"),
    [
        (
            "specs/paxos",
            "Learner.decided",
            {"Proposer": 1, "Acceptor": 1, "Learner": 1, "Ballot": 2, "Value": 1},
        ),
        ("specs/two_phase_commit", "sent.DoCommit", {"Participant": 2, "Transaction": 1}),
    ],
)
def test_the_protocol_can_reach_its_goal(name: str, symbol: str, sizes: Mapping[str, int]) -> None:
    model = load(name)
    goal = next(s for s in model.symbols if s.name == symbol)
    exploration = explore(
        model,
        start(model, sizes),
        until=lambda state: bool(state.relations[goal]),
    )
    assert exploration.states[-1].relations[goal]
