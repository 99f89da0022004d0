"""Every rule of a well-formed model, broken once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from compiler.model.layout import Leaf, RoleLayout, StoredLeaf, StoredOption, VariableLayout
from compiler.model.system import (
    Action,
    Assertion,
    Assumption,
    Axiom,
    Comparison,
    Content,
    Fact,
    Model,
    Number,
    Property,
    Quantity,
    QuorumLayout,
    SortDeclaration,
    Update,
)
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
    And,
    Apply,
    Element,
    Equal,
    Ite,
    Not,
    Quantified,
    Sort,
    Symbol,
    Term,
    Var,
)
from compiler.model.validate import validate
from tests.model.examples import (
    ACCEPTED,
    ACCEPTOR,
    BALLOT,
    DECIDED,
    LESS,
    MAJORITY,
    MEMBER,
    OWNER,
    PROMISED,
    SENT_PREPARE,
    VALUE,
    VOTES,
    ZERO,
    forgetful_paxos,
    lock_server,
    paxos,
)

MODEL = paxos()
B, N = Var("b", BALLOT), Var("n", ACCEPTOR)
UNKNOWN = Sort("Unknown")


@pytest.mark.parametrize("make", [lock_server, paxos, forgetful_paxos])
def test_the_examples_are_well_formed(make: Callable[[], Model]) -> None:
    assert validate(make()) == []


def with_axiom(formula: Term) -> Model:
    return replace(MODEL, axioms=(Axiom("broken", formula, "order"),))


def with_property(formula: Term) -> Model:
    return replace(MODEL, properties=(Property("safety", "broken", formula),))


def with_symbol(symbol: Symbol) -> Model:
    return replace(MODEL, symbols=(*MODEL.symbols, symbol))


def with_sort(old: Sort, declaration: SortDeclaration) -> Model:
    sorts = tuple(declaration if d.sort == old else d for d in MODEL.sorts)
    return replace(MODEL, sorts=sorts)


def with_action(change: Callable[[Action], Action], handler: str = "on_accept") -> Model:
    actions = tuple(change(a) if a.handler == handler else a for a in MODEL.actions)
    return replace(MODEL, actions=actions)


def with_update(update: Update) -> Model:
    return with_action(lambda action: replace(action, updates=(update,)))


def with_initial(update: Update) -> Model:
    kept = tuple(u for u in MODEL.initial if u.symbol != update.symbol)
    return replace(MODEL, initial=(*kept, update))


def with_threshold(layout: QuorumLayout) -> Model:
    return replace(MODEL, quorums=(layout,))


def with_variable(variable: VariableLayout) -> Model:
    roles = tuple(
        replace(role, variables=(variable,)) if role.name == "Acceptor" else role
        for role in MODEL.roles
    )
    return replace(MODEL, roles=roles)


QUORUM = MODEL.quorums[0]
PREPARE = MODEL.messages[0]

BROKEN: list[tuple[Model, str]] = [
    (replace(MODEL, sorts=(*MODEL.sorts, MODEL.sorts[0])), "sort Proposer: declared 2 times"),
    (with_sort(VALUE, SortDeclaration(VALUE, "enum")), "only an enum has elements"),
    (with_sort(VALUE, SortDeclaration(VALUE, "opaque", ("A",))), "only an enum has elements"),
    (with_sort(BALLOT, SortDeclaration(BALLOT, "ordered", less=LESS)), "zero is missing"),
    (with_sort(VALUE, SortDeclaration(VALUE, "opaque", less=LESS)), "less is out of place"),
    (with_sort(VALUE, SortDeclaration(VALUE, "opaque", next=LESS)), "only an ordered sort counts"),
    (with_sort(VALUE, SortDeclaration(VALUE, "opaque", owner=OWNER)), "has an owner"),
    (with_sort(VALUE, SortDeclaration(VALUE, "opaque", the=ZERO)), "has a single node"),
    (
        with_sort(BALLOT, SortDeclaration(BALLOT, "ordered", less=MEMBER, zero=ZERO)),
        "has the wrong signature",
    ),
    (
        with_sort(MAJORITY, SortDeclaration(MAJORITY, "quorum", member=LESS)),
        "does not take a node and a quorum",
    ),
    (
        with_sort(MAJORITY, SortDeclaration(MAJORITY, "set", element=Leaf(VALUE))),
        "member is missing",
    ),
    (
        with_sort(MAJORITY, SortDeclaration(MAJORITY, "set", member=MEMBER)),
        "its sets have elements of no shape",
    ),
    (
        with_sort(MAJORITY, SortDeclaration(MAJORITY, "set", member=MEMBER, element=Leaf(VALUE))),
        "does not take an element and a set",
    ),
    (with_action(lambda a: replace(a, sets=Apply(LESS, (B, B)))), "sets: the variable b is free"),
    (with_symbol(replace(LESS, mutable=True)), "symbol Ballot.<: declared 2 times"),
    (with_symbol(Symbol("s", (UNKNOWN,), BOOL, mutable=False)), "Unknown is not declared"),
    (with_symbol(Symbol("s", (), BOOL, mutable=False, unique=1)), "has fewer arguments"),
    (with_symbol(Symbol("s", (VALUE,), VALUE, mutable=False, unique=1)), "only a relation"),
    (with_symbol(Symbol("s", (), BOOL, mutable=True)), "initial state: s has no value"),
    (with_axiom(Apply(LESS, (B, B))), "the variable b is free"),
    (with_axiom(Quantified("forall", (N,), Equal(N, Apply(PROMISED, (N,))))), "is mutable"),
    (with_property(B), "where a formula should be"),
    (with_property(Apply(Symbol("s", (), BOOL, mutable=True), ())), "s is not declared"),
    (with_property(Quantified("forall", (B,), Apply(LESS, (B,)))), "arguments of other sorts"),
    (with_property(Quantified("forall", (B, N), Equal(B, N))), "between Ballot and Acceptor"),
    (with_property(Equal(Element("Red", VALUE), Element("Red", VALUE))), "has no element Red"),
    (with_property(And((TRUE,))), "fewer than two operands"),
    (with_property(Not(Ite(TRUE, TRUE, Apply(ZERO, ())))), "if-then-else of Bool and Ballot"),
    (with_property(Quantified("forall", (), TRUE)), "missing or repeated"),
    (with_property(Quantified("forall", (Var("u", UNKNOWN),), TRUE)), "Unknown is not declared"),
    (replace(MODEL, initial=MODEL.initial[1:]), "Acceptor.promised has no value"),
    (replace(MODEL, initial=MODEL.initial + MODEL.initial[:1]), "Acceptor.promised: declared 2"),
    (with_initial(Update(PROMISED, (N,), Apply(PROMISED, (N,)))), "reads Acceptor.promised"),
    (replace(MODEL, actions=MODEL.actions + MODEL.actions[:1]), "on_propose: declared 2 times"),
    (with_action(lambda a: replace(a, name="other")), "is not named after"),
    (with_action(lambda a: replace(a, role="Learner")), "its node is not of its role"),
    (with_action(lambda a: replace(a, parameters=a.parameters[1:])), "n is not a parameter"),
    (with_action(lambda a: replace(a, parameters=a.parameters * 2)), "parameter n: declared 2"),
    (with_action(lambda a: replace(a, guard=Apply(LESS, (B, B)))), "variable b is free"),
    (
        with_action(lambda a: replace(a, contents=(Content((B,), TRUE),))),
        "b is not determined by its formula",
    ),
    (with_action(lambda a: replace(a, contents=(Content((), TRUE),))), "has no variables"),
    (
        with_action(lambda a: replace(a, assertions=(Assertion("check", Equal(B, B)),))),
        "check: the variable b is free",
    ),
    (with_update(Update(ZERO, (), Apply(ZERO, ()))), "is rigid"),
    (with_update(Update(PROMISED, (B,), B)), "its formals have other sorts"),
    (with_update(Update(SENT_PREPARE, (B, B), FALSE)), "a formal is repeated"),
    (with_update(Update(PROMISED, (N,), B)), "a formal is also a parameter"),
    (with_update(Update(PROMISED, (Var("a", ACCEPTOR),), B)), "variable b is free"),
    (with_update(Update(PROMISED, (Var("a", ACCEPTOR),), TRUE)), "its value is of sort Bool"),
    (replace(MODEL, properties=MODEL.properties * 2), "property agreement: declared 2 times"),
    (replace(MODEL, quorums=()), "Majority: has no threshold"),
    (with_threshold(replace(QUORUM, sort=BALLOT)), "is not declared as a quorum"),
    (with_threshold(replace(QUORUM, member=LESS)), "has another member relation"),
    (
        with_threshold(
            replace(QUORUM, threshold=Comparison("<", Quantity("total", "Ballot"), Number(1)))
        ),
        "`total Ballot`, which is not a role",
    ),
    (
        with_threshold(
            replace(QUORUM, threshold=Comparison("<", Quantity("parameter", "f"), Number(1)))
        ),
        "f is not a parameter",
    ),
    (
        replace(
            MODEL,
            assumptions=(Assumption("f", Comparison("<", Quantity("size", "size"), Number(1))),),
        ),
        "`size` where there is no set",
    ),
    (replace(MODEL, facts=(Fact("broken", None),)), "claims nothing"),
    (replace(MODEL, facts=(Fact("broken", None, BALLOT, Number(1)),)), "is not a quorum"),
    (
        replace(MODEL, facts=(Fact("broken", Quantified("exists", (N,), Apply(PROMISED, (N,)))),)),
        "where a formula should be",
    ),
    (replace(MODEL, roles=MODEL.roles * 2), "layout of role Proposer: declared 2 times"),
    (
        replace(MODEL, roles=(RoleLayout("Value", VALUE, False, ()),)),
        "Value is not a role",
    ),
    (with_variable(VariableLayout("x", "durable", StoredLeaf(DECIDED))), "has other columns"),
    (with_variable(VariableLayout("x", "const", StoredLeaf(PROMISED))), "is mutable"),
    (
        with_variable(VariableLayout("x", "durable", StoredLeaf(replace(PROMISED, name="other")))),
        "other is not declared",
    ),
    (
        replace(
            MODEL,
            messages=(
                replace(PREPARE, histories=(replace(PREPARE.histories[0], present=(True,)),)),
            ),
        ),
        "does not say which options are there",
    ),
    (
        replace(
            MODEL,
            messages=(replace(PREPARE, histories=(replace(PREPARE.histories[0], symbol=VOTES),)),),
        ),
        "has other columns",
    ),
]


@pytest.mark.parametrize(("model", "flaw"), BROKEN, ids=[flaw for _, flaw in BROKEN])
def test_each_rule(model: Model, flaw: str) -> None:
    flaws = validate(model)
    assert any(flaw in found for found in flaws), flaws


def test_an_option_must_determine_its_content() -> None:
    layout = next(v.stored for role in MODEL.roles for v in role.variables if v.name == "accepted")
    assert isinstance(layout, StoredOption)
    loose = replace(ACCEPTED, unique=0)
    symbols = tuple(loose if symbol == ACCEPTED else symbol for symbol in MODEL.symbols)
    model = replace(MODEL, symbols=symbols)
    variable = VariableLayout("accepted", "durable", StoredOption(loose, layout.content))
    roles = tuple(
        replace(role, variables=(variable,)) if role.name == "Acceptor" else role
        for role in MODEL.roles
    )
    flaws = validate(replace(model, roles=roles))
    assert any("does not determine its content" in flaw for flaw in flaws)
