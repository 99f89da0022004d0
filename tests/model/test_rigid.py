"""Thresholds in numbers, and the standard meaning of rigid symbols."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.model.evaluate import evaluate
from compiler.model.quorums import evaluate_condition, evaluate_linear, quorum_sets
from compiler.model.rigid import rigid_structure, sized_carriers
from compiler.model.structure import Value
from compiler.model.system import (
    Arithmetic,
    Boolean,
    Comparison,
    Condition,
    Number,
    Quantity,
    QuorumLayout,
)
from compiler.model.term import BOOL, Sort, Symbol
from tests.model.examples import (
    ACCEPTOR,
    BALLOT,
    LEARNER,
    LESS,
    MAJORITY,
    MEMBER,
    OWNER,
    PROPOSER,
    THE,
    VALUE,
    ZERO,
    lock_server,
    paxos,
)

SIZE, TOTAL, F = (
    Quantity("size", "size"),
    Quantity("total", "Acceptor"),
    Quantity("parameter", "f"),
)


@pytest.mark.parametrize(("size", "quotient"), [(7, 3), (6, 3), (0, 0)])
def test_division_rounds_down(size: int, quotient: int) -> None:
    assert evaluate_linear(Arithmetic("//", SIZE, Number(2)), size, {}, {}) == quotient


def test_division_rounds_down_below_zero() -> None:
    difference = Arithmetic("-", Number(0), SIZE)
    assert evaluate_linear(Arithmetic("//", difference, Number(2)), 3, {}, {}) == -2


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Comparison(">", Arithmetic("*", Number(2), SIZE), TOTAL), True),
        (Comparison(">=", SIZE, Arithmetic("-", TOTAL, F)), False),
        (Comparison("=", Arithmetic("+", SIZE, F), TOTAL), False),
        (Comparison("!=", SIZE, TOTAL), True),
        (Comparison("<", SIZE, TOTAL), True),
        (Comparison("<=", TOTAL, SIZE), False),
        (Boolean("true", ()), True),
        (Boolean("not", (Boolean("true", ()),)), False),
        (Boolean("or", (Comparison("=", SIZE, TOTAL), Boolean("true", ()))), True),
        (Boolean("and", (Comparison("=", SIZE, TOTAL), Boolean("true", ()))), False),
    ],
)
def test_conditions(condition: Condition, expected: bool) -> None:
    assert evaluate_condition(condition, 3, {"Acceptor": 5}, {"f": 1}) is expected


def test_a_missing_parameter_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate_condition(Comparison("<", F, SIZE), 3, {"Acceptor": 5}, {})


def test_quorum_sets() -> None:
    threshold = Comparison(">", Arithmetic("*", Number(2), SIZE), TOTAL)
    quorum = QuorumLayout(MAJORITY, ACCEPTOR, MEMBER, threshold)
    nodes = ("a", "b", "c", "d")
    every = list(quorum_sets(quorum, nodes, {"Acceptor": 4}, {}))
    assert sorted(map(len, every)) == [3, 3, 3, 3, 4]
    minimal = list(quorum_sets(quorum, nodes, {"Acceptor": 4}, {}, minimal=True))
    assert minimal == every[:4]


def test_sets_of_a_threshold_from_above_are_all_minimal_ones() -> None:
    small = QuorumLayout(MAJORITY, ACCEPTOR, MEMBER, Comparison("<=", SIZE, Number(1)))
    sets = list(quorum_sets(small, ("a", "b"), {}, {}))
    assert sets == [frozenset(), frozenset({"a"}), frozenset({"b"})]


def test_the_standard_meaning() -> None:
    model = paxos()
    sizes = {"Proposer": 2, "Acceptor": 3, "Ballot": 4, "Learner": 1}
    structure = rigid_structure(model, sized_carriers(model, sizes))
    ballots = structure.carriers[BALLOT]
    assert ballots == ("Ballot0", "Ballot1", "Ballot2", "Ballot3")
    assert len(structure.relations[LESS]) == 6
    assert ("Ballot0", "Ballot3") in structure.relations[LESS]
    assert structure.functions[ZERO] == {(): "Ballot0"}
    owners = [structure.functions[OWNER][(ballot,)] for ballot in ballots]
    assert owners == ["Proposer0", "Proposer1", "Proposer0", "Proposer1"]
    assert len(structure.carriers[MAJORITY]) == 4
    for node, quorum in structure.relations[MEMBER]:
        assert isinstance(quorum, frozenset)
        assert node in quorum
    assert structure.carriers[VALUE] == ("Value0", "Value1")
    for axiom in model.axioms:
        assert evaluate(axiom.formula, structure, {})
    for fact in model.facts:
        assert fact.formula is not None
        assert evaluate(fact.formula, structure, {})


def test_owners_can_be_given() -> None:
    model = paxos()
    carriers = sized_carriers(model, {"Ballot": 3})
    owners: dict[Sort, dict[Value, Value]] = {BALLOT: {"Ballot1": "Proposer0"}}
    structure = rigid_structure(model, carriers, owners=owners, minimal_quorums=True)
    assert [structure.functions[OWNER][(b,)] for b in carriers[BALLOT]] == ["Proposer0"] * 3
    assert structure.carriers[MAJORITY] == (frozenset({"Acceptor0", "Acceptor1"}),)


def test_a_single_role_has_its_node() -> None:
    model = lock_server()
    structure = rigid_structure(model, sized_carriers(model, {}))
    assert structure.functions[THE] == {(): "Server0"}


def test_constants_must_be_given() -> None:
    model = paxos()
    leader = Symbol("Learner.leader", (LEARNER,), PROPOSER, mutable=False)
    ready = Symbol("Learner.ready", (LEARNER,), BOOL, mutable=False)
    model = replace(model, symbols=(*model.symbols, leader, ready))
    carriers = sized_carriers(model, {"Learner": 1})
    with pytest.raises(ValueError, match=r"Learner\.leader"):
        rigid_structure(model, carriers)
    constants = {leader: {("Learner0",): "Proposer1"}, ready: [("Learner0",)]}
    structure = rigid_structure(model, carriers, constants=constants)
    assert structure.functions[leader] == {("Learner0",): "Proposer1"}
    assert structure.relations[ready] == {("Learner0",)}


def test_an_empty_carrier_is_an_error() -> None:
    model = paxos()
    with pytest.raises(ValueError, match="Value"):
        rigid_structure(model, sized_carriers(model, {"Value": 0}))
