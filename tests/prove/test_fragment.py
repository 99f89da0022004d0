"""The alternation graph and its cycles."""

from __future__ import annotations

import pytest

from compiler.model.term import Apply, Sort, Symbol, Term, Var, conjunction, exists, forall
from compiler.prove.fragment import adds_no_cycle, alternations, fragment, functions
from compiler.prove.obligations import obligations
from compiler.prove.relational import relationalise
from tests.model.vocabulary import LINK, MODE, NEXT, NODE, OWNER, SEEN, STATUS, TERM, TIME, UP
from tests.prove.specimens import facts_of, model_of_file, model_of_text, text_of

N, M, T = Var("n", NODE), Var("m", NODE), Var("t", TIME)
A, B, C = Sort("A"), Sort("B"), Sort("C")


def seen(node: Term, time: Term) -> Term:
    return Apply(SEEN, (node, time))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (forall((N, T), seen(N, T)), set()),
        (exists((N,), forall((T,), seen(N, T))), set()),
        (forall((N,), exists((T,), seen(N, T))), {(NODE, TIME)}),
        (forall((N,), exists((M,), Apply(LINK, (N, M)))), {(NODE, NODE)}),
        # The existential does not speak of the universal's variable.
        (forall((N,), conjunction((Apply(UP, (N,)), exists((T,), seen(M, T))))), set()),
        # It depends on it through another existential.
        (
            forall(
                (N,),
                exists(
                    (M,), conjunction((Apply(LINK, (N, M)), forall((), exists((T,), seen(M, T)))))
                ),
            ),
            {(NODE, NODE), (NODE, TIME)},
        ),
    ],
)
def test_alternations(formula: Term, expected: set[tuple[Sort, Sort]]) -> None:
    assert alternations(formula) == expected


def test_functions_to_enums_and_relations_are_no_edges() -> None:
    symbols = (TERM, OWNER, NEXT, STATUS, SEEN, Symbol("zero", (), TIME, False))
    assert functions(symbols, [MODE]) == {(NODE, TIME), (TIME, NODE), (NODE, NODE)}


def test_adding_edges() -> None:
    assert adds_no_cycle([(A, B), (B, C)], [])
    assert not adds_no_cycle([(C, A)], [(A, B), (B, C)])
    assert not adds_no_cycle([(A, A)], [])
    # A cycle that is there already is not added.
    assert adds_no_cycle([(A, B), (A, C)], [(A, B), (B, A)])
    assert not adds_no_cycle([(A, C), (C, B)], [(A, B), (B, A)])


def test_paxos_is_not_decidable_and_says_why() -> None:
    model = model_of_file("paxos.accord")
    report = fragment(obligations(model, relationalise(model), facts_of(model)))
    assert not report.decidable
    causes = {edge.cause for cycle in report.cycles for edge in cycle}
    assert "last_vote_is_last" in causes
    for cycle in report.cycles:
        for edge, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert edge.target == following.source
    spans = {edge.cause: edge.span for edge in report.edges}
    found = spans["last_vote_is_last"]
    assert found is not None
    assert found.source.text.splitlines()[found.line - 1].startswith("invariant last_vote_is_last")


def test_two_phase_commit_is_decidable() -> None:
    model = model_of_file("two_phase_commit.accord")
    report = fragment(obligations(model, relationalise(model), facts_of(model)))
    assert report.decidable
    assert report.cycles == ()


def test_a_function_in_a_cycle_is_named() -> None:
    text = text_of("paxos.accord") + (
        "\ninvariant everyone_owns: forall p: Proposer: exists b: Ballot: b.owner = p\n"
    )
    model = model_of_text(text)
    report = fragment(obligations(model, relationalise(model), facts_of(model)))
    lines = {str(edge) for cycle in report.cycles for edge in cycle}
    assert "the function Ballot.owner leads from Ballot to Proposer" in lines
    assert "everyone_owns has an exists over Ballot under a forall over Proposer" in lines
