"""Quorum facts, against known answers and against trying every small set."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from itertools import combinations, product
from pathlib import Path

import pytest

from compiler.model.quorums import evaluate_condition
from compiler.model.system import (
    Arithmetic,
    Assumption,
    Boolean,
    Comparison,
    Condition,
    Fact,
    Linear,
    Model,
    Number,
    Quantity,
    QuorumLayout,
    SortDeclaration,
)
from compiler.model.term import (
    BOOL,
    Apply,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    equal,
    exists,
    forall,
    implication,
    negation,
)
from compiler.prove.cache import Cache
from compiler.prove.quorums import prove_facts
from compiler.prove.verdict import FactProved, FactRefuted, FactResult, Unknown
from tests.prove.graphs import MODEL

NODE, CLIENT = Sort("Node"), Sort("Client")
SIZE = Quantity("size", "size")
TOTAL = Quantity("total", "Node")
F = Quantity("parameter", "f")


def number(value: int | Linear) -> Linear:
    return Number(value) if isinstance(value, int) else value


def times(factor: int, value: Linear) -> Linear:
    return Arithmetic("*", Number(factor), value)


def plus(left: Linear, right: int | Linear) -> Linear:
    return Arithmetic("+", left, number(right))


def minus(left: Linear, right: int | Linear) -> Linear:
    return Arithmetic("-", left, number(right))


def at_least(left: Linear, right: int | Linear) -> Condition:
    return Comparison(">=", left, number(right))


def more(left: Linear, right: int | Linear) -> Condition:
    return Comparison(">", left, number(right))


MAJORITY = more(times(2, SIZE), TOTAL)
HALF = at_least(times(2, SIZE), TOTAL)


def quorum(name: str, threshold: Condition, role: Sort = NODE) -> QuorumLayout:
    sort = Sort(name)
    member = Symbol(f"{name}.member", (role, sort), BOOL, mutable=False)
    return QuorumLayout(sort, role, member, threshold)


def model(
    quorums: tuple[QuorumLayout, ...],
    facts: tuple[Fact, ...] = (),
    assumptions: tuple[Assumption, ...] = (),
    single: bool = False,
) -> Model:
    the = Symbol("Node.the", (), NODE, mutable=False) if single else None
    sorts = (
        SortDeclaration(NODE, "role", the=the),
        SortDeclaration(CLIENT, "role"),
        *(SortDeclaration(q.sort, "quorum", member=q.member) for q in quorums),
    )
    return dataclasses.replace(
        MODEL,
        sorts=sorts,
        symbols=tuple(q.member for q in quorums),
        quorums=quorums,
        facts=facts,
        assumptions=assumptions,
    )


def within(node: Var, quorum_: QuorumLayout, variable: Var) -> Term:
    return Apply(quorum_.member, (node, variable))


def meets(first: QuorumLayout, second: QuorumLayout) -> Term:
    p, q, a = Var("p", first.sort), Var("q", second.sort), Var("a", NODE)
    return forall((p, q), exists((a,), conjunction((within(a, first, p), within(a, second, q)))))


def verdicts(results: tuple[FactResult, ...]) -> dict[tuple[str, str], object]:
    return {(result.kind, result.name): result.verdict for result in results}


def decide(formula: Term, *quorums: QuorumLayout, assume: Condition | None = None) -> object:
    assumptions = (Assumption("f", assume),) if assume is not None else ()
    found = prove_facts(model(quorums, (Fact("claim", formula),), assumptions))
    return verdicts(found)["fact", "claim"]


def test_majorities_meet() -> None:
    majority = quorum("Majority", MAJORITY)
    assert decide(meets(majority, majority), majority) == FactProved()


def test_halves_need_not_meet() -> None:
    half = quorum("Half", HALF)
    verdict = decide(meets(half, half), half)
    assert isinstance(verdict, FactRefuted)
    assert verdict.quantities == {"Node": 2}
    assert dict(verdict.regions) == {("p",): 1, ("q",): 1}
    assert verdict.explanation == (
        "with 2 nodes of Node, {1 node} and {1 other node} are both a Half and share none"
    )


def test_sizes_are_plural_where_they_are() -> None:
    half = quorum("Half", Boolean("and", (HALF, at_least(SIZE, 2))))
    verdict = decide(meets(half, half), half)
    assert isinstance(verdict, FactRefuted)
    assert verdict.explanation == (
        "with 4 nodes of Node, {2 nodes} and {2 other nodes} are both a Half and share none"
    )


def test_flexible_quorums_meet_each_other_but_not_themselves() -> None:
    q1, q2 = Quantity("parameter", "q1"), Quantity("parameter", "q2")
    first, second = quorum("First", at_least(SIZE, q1)), quorum("Second", at_least(SIZE, q2))
    assumptions = (
        Assumption("q1", Comparison("<=", q1, TOTAL)),
        Assumption(
            "q2",
            Boolean("and", (more(plus(q1, q2), TOTAL), Comparison("<=", q2, TOTAL))),
        ),
    )
    facts = (Fact("cross", meets(first, second)), Fact("same", meets(second, second)))
    found = verdicts(prove_facts(model((first, second), facts, assumptions)))
    assert found["fact", "cross"] == FactProved()
    same = found["fact", "same"]
    assert isinstance(same, FactRefuted)
    assert "q1 = 2" in same.explanation
    assert "share none" in same.explanation
    assert found["available", "First"] == FactProved()
    assert found["monotone", "Second"] == FactProved()


def test_quorums_of_different_roles() -> None:
    nodes = quorum("Nodes", MAJORITY)
    clients = quorum("Clients", at_least(SIZE, Quantity("total", "Client")), CLIENT)
    p, q, c = Var("p", nodes.sort), Var("q", clients.sort), Var("c", CLIENT)
    a = Var("a", NODE)
    everyone = forall((q, c), within(c, clients, q))
    mixed = forall(
        (p, q),
        conjunction((exists((a,), within(a, nodes, p)), exists((c,), within(c, clients, q)))),
    )
    assert decide(everyone, nodes, clients) == FactProved()
    assert decide(mixed, nodes, clients) == FactProved()
    not_all = decide(forall((p, a), within(a, nodes, p)), nodes, clients)
    assert isinstance(not_all, FactRefuted)
    assert not_all.quantities == {"Node": 3, "Client": 1}


def test_fast_quorums() -> None:
    """Two fast quorums and a classic one have a node in common (Fast Paxos)."""
    fast = quorum("Fast", at_least(times(4, SIZE), times(3, TOTAL)))
    classic = quorum("Classic", MAJORITY)
    p, q, r = Var("p", fast.sort), Var("q", fast.sort), Var("r", classic.sort)
    a = Var("a", NODE)
    common = exists(
        (a,), conjunction((within(a, fast, p), within(a, fast, q), within(a, classic, r)))
    )
    assert decide(forall((p, q, r), common), fast, classic) == FactProved()
    two = quorum("Fast", at_least(times(3, SIZE), times(2, TOTAL)))
    verdict = decide(forall((p, q, r), common), two, classic)
    assert isinstance(verdict, FactRefuted)
    assert "no node is in all of them" in verdict.explanation


def test_two_different_nodes_in_common() -> None:
    """With n > 3f, sets of n - f share more than f nodes; two only if f is at least 1."""
    large = quorum("Large", at_least(SIZE, minus(TOTAL, F)))
    p, q, a, b = Var("p", large.sort), Var("q", large.sort), Var("a", NODE), Var("b", NODE)
    both = [within(n, large, s) for n in (a, b) for s in (p, q)]
    two = forall((p, q), exists((a, b), conjunction((*both, negation(equal(a, b))))))
    byzantine = more(TOTAL, times(3, F))
    verdict = decide(two, large, assume=byzantine)
    assert isinstance(verdict, FactRefuted)
    assert verdict.quantities == {"Node": 1, "f": 0}
    some = Boolean("and", (byzantine, at_least(F, 1)))
    assert decide(two, large, assume=some) == FactProved()


def survives(threshold: Condition, crashes: Linear, assume: Condition) -> object:
    layout = quorum("Q", threshold)
    fact = Fact("lives", None, layout.sort, crashes)
    found = prove_facts(model((layout,), (fact,), (Assumption("f", assume),)))
    return verdicts(found)["fact", "lives"]


def test_survival() -> None:
    assert survives(MAJORITY, F, more(TOTAL, times(2, F))) == FactProved()
    verdict = survives(MAJORITY, F, at_least(TOTAL, times(2, F)))
    assert isinstance(verdict, FactRefuted)
    assert verdict.quantities == {"Node": 2, "f": 1}
    assert verdict.explanation == (
        "with 2 nodes of Node and f = 1, if 1 crashes, the 1 left is not a Q"
    )


def test_more_crashes_than_nodes_leave_none() -> None:
    verdict = survives(at_least(SIZE, 1), F, Boolean("true", ()))
    assert isinstance(verdict, FactRefuted)
    assert verdict.quantities == {"Node": 1, "f": 1}
    assert verdict.explanation.endswith("if 1 crashes, no node is left to be a Q")


def test_an_unmeetable_threshold_is_not_available() -> None:
    found = verdicts(prove_facts(model((quorum("Q", more(SIZE, TOTAL)),))))
    verdict = found["available", "Q"]
    assert isinstance(verdict, FactRefuted)
    assert verdict.explanation == "with 1 node of Node, the only one is not a Q"
    three = verdicts(prove_facts(model((quorum("Q", at_least(SIZE, 3)),))))["available", "Q"]
    assert isinstance(three, FactRefuted)
    assert three.quantities == {"Node": 1}


def test_a_threshold_that_more_nodes_miss_is_not_monotone() -> None:
    found = verdicts(prove_facts(model((quorum("Q", Comparison("=", SIZE, Number(1))),))))
    verdict = found["monotone", "Q"]
    assert isinstance(verdict, FactRefuted)
    assert verdict.explanation == "with 2 nodes of Node, 1 node is a Q and 2 nodes are not"


def test_a_single_role_has_one_node() -> None:
    layout = quorum("Q", at_least(SIZE, TOTAL))
    q, a, b = Var("q", layout.sort), Var("a", NODE), Var("b", NODE)
    fact = Fact("one", forall((a, b), equal(a, b)))
    assert verdicts(prove_facts(model((layout,), (fact,), (), True)))["fact", "one"] == FactProved()
    refuted = verdicts(prove_facts(model((layout,), (fact,))))["fact", "one"]
    assert isinstance(refuted, FactRefuted)
    assert refuted.quantities == {"Node": 2}
    assert decide(forall((q, a), within(a, layout, q)), layout) == FactProved()


def test_division_rounds_down() -> None:
    layout = quorum("Q", more(SIZE, Arithmetic("//", TOTAL, Number(2))))
    assert decide(meets(layout, layout), layout) == FactProved()
    layout = quorum("Q", at_least(SIZE, Arithmetic("//", TOTAL, Number(2))))
    assert isinstance(decide(meets(layout, layout), layout), FactRefuted)


@pytest.mark.parametrize("kind", ["exists", "compare", "other", "many"])
def test_what_counting_cannot_decide_is_unknown(kind: str) -> None:
    layout = quorum("Q", MAJORITY)
    q, p, a = Var("q", layout.sort), Var("p", layout.sort), Var("a", NODE)
    many = tuple(Var(f"q{i}", layout.sort) for i in range(7))
    formula = {
        "exists": forall((a,), exists((q,), within(a, layout, q))),
        "compare": forall((p, q), equal(p, q)),
        "other": forall((a,), Apply(Symbol("up", (NODE,), BOOL, mutable=True), (a,))),
        "many": forall(many, exists((a,), conjunction(within(a, layout, v) for v in many))),
    }[kind]
    verdict = decide(formula, layout)
    assert isinstance(verdict, Unknown)
    assert verdict.reason.startswith("it ")


def test_impossible_assumptions_prove_nothing(tmp_path: Path) -> None:
    layout = quorum("Q", MAJORITY)
    impossible = (Assumption("f", Comparison("<", F, Number(0))),)
    cache = Cache(tmp_path)
    results = prove_facts(
        model((layout,), (Fact("meet", meets(layout, layout)),), impossible), cache
    )
    for result in results:
        assert isinstance(result.verdict, Unknown)
        assert "no number of nodes" in result.verdict.reason
    assert list(tmp_path.iterdir()) == []


def test_proofs_are_cached_and_refutations_are_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    good, bad = quorum("Good", MAJORITY), quorum("Bad", HALF)
    facts = (Fact("good", meets(good, good)), Fact("bad", meets(bad, bad)))
    first = prove_facts(model((good, bad), facts), cache)
    stored = sum(path.is_file() for path in tmp_path.rglob("*"))
    assert stored == sum(isinstance(result.verdict, FactProved) for result in first) == 5
    assert prove_facts(model((good, bad), facts), cache) == first
    weaker = quorum("Good", HALF)
    changed = verdicts(prove_facts(model((weaker, bad), facts), cache))
    assert isinstance(changed["fact", "good"], FactRefuted)


# --- against trying everything -----------------------------------------------------------


def random_condition(rng: random.Random) -> Condition:
    left = times(rng.randint(1, 3), SIZE)
    right = rng.choice((TOTAL, times(2, TOTAL), minus(TOTAL, F), plus(F, 1), Number(2)))
    if rng.random() < 0.2:
        right = Arithmetic("//", right, Number(2))
    compare = Comparison(rng.choice((">", ">=", ">=", "=")), left, right)
    return Boolean("or", (compare, at_least(SIZE, TOTAL))) if rng.random() < 0.2 else compare


def random_fact(rng: random.Random, layouts: tuple[QuorumLayout, ...]) -> Term:
    sets = tuple(
        (Var(f"q{i}", layout.sort), layout)
        for i, layout in enumerate(rng.choices(layouts, k=rng.randint(1, 2)))
    )
    a, b = Var("a", NODE), Var("b", NODE)

    def atom(*nodes: Var) -> Term:
        if len(nodes) > 1 and rng.random() < 0.25:
            made: Term = equal(*nodes[:2])
        else:
            variable, layout = rng.choice(sets)
            made = within(rng.choice(nodes), layout, variable)
        return negation(made) if rng.random() < 0.3 else made

    quantify = rng.choice((forall, exists))
    inner = disjunction((atom(a, b), atom(a, b)))
    nested = rng.choice((forall, exists))((b,), conjunction((inner, atom(a, b))))
    body = quantify((a,), rng.choice((conjunction, disjunction))((atom(a), nested)))
    if rng.random() < 0.3:
        body = implication(exists((a,), atom(a)), body)
    return forall([variable for variable, _ in sets], body)


def holds(formula: Term, nodes: range, scope: Mapping[Var, object], layouts: object) -> bool:
    """Evaluate over real sets, by the model's evaluator."""
    from compiler.model.evaluate import evaluate
    from compiler.model.structure import Structure

    assert isinstance(layouts, dict)
    structure = Structure(
        {NODE: tuple(nodes), **{layout.sort: tuple(found) for layout, found in layouts.items()}},
        {
            layout.member: frozenset((n, s) for s in found for n in s)
            for layout, found in layouts.items()
        },
        {},
    )
    return evaluate(formula, structure, dict(scope)) is True


def test_agrees_with_trying_small_sizes() -> None:
    rng = random.Random(20)
    refuted = proved = 0
    for _ in range(60):
        layouts = (quorum("P", random_condition(rng)), quorum("Q", random_condition(rng)))
        formula = random_fact(rng, layouts)
        assumption = rng.choice((Boolean("true", ()), more(TOTAL, times(2, F))))
        spec = model(layouts, (Fact("claim", formula),), (Assumption("f", assumption),))
        verdict = verdicts(prove_facts(spec))["fact", "claim"]
        fails_at = None
        for total, f in product(range(1, 5), range(3)):
            sizes, parameters = {"Node": total, "Client": 1}, {"f": f}
            if not evaluate_condition(assumption, 0, sizes, parameters):
                continue
            nodes = range(total)
            sets = {
                layout: [
                    frozenset(chosen)
                    for size in range(total + 1)
                    if evaluate_condition(layout.threshold, size, sizes, parameters)
                    for chosen in combinations(nodes, size)
                ]
                for layout in layouts
            }
            if all(sets.values()) and not holds(formula, nodes, {}, sets):
                fails_at = fails_at or total
        if fails_at is not None:
            assert isinstance(verdict, FactRefuted), formula
            assert verdict.quantities["Node"] <= fails_at
            refuted += 1
        elif isinstance(verdict, FactRefuted):
            # Only what is larger than was tried, or needs but one kind of quorum.
            pass
        else:
            assert verdict == FactProved()
            proved += 1
    assert refuted > 10
    assert proved > 5
