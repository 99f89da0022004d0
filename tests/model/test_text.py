"""The text form: whole models as goldens, and the shape of single terms."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.model.system import Arithmetic, Boolean, Comparison, Model, Number, Quantity
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
)
from compiler.model.text import WIDTH, show, show_condition, show_term
from tests.model.examples import LESS, MEMBER, lock_server, paxos

GOLDENS = Path(__file__).parent / "goldens"

A, B, C, D = (Apply(Symbol(name, (), BOOL, mutable=True), ()) for name in "abcd")
X, Y = Var("x", Sort("Ballot")), Var("y", Sort("Ballot"))
N, Q = Var("n", Sort("Acceptor")), Var("q", Sort("Majority"))
BELOW = Apply(LESS, (X, Y))


@pytest.mark.parametrize("make", [lock_server, paxos])
def test_goldens(make: Callable[[], Model]) -> None:
    text = show(make())
    golden = GOLDENS / f"{make.__name__}.model"
    if os.environ.get("ACCORDANT_UPDATE_GOLDENS") == "1":
        golden.write_text(text)
    assert text == golden.read_text()
    assert all(len(line) <= WIDTH for line in text.splitlines())


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (Truth(False), "false"),
        (And((A, B, C)), "a & b & c"),
        (Or((And((A, B)), C)), "a & b | c"),
        (And((Or((A, B)), C)), "(a | b) & c"),
        (And((And((A, B)), C)), "(a & b) & c"),
        (Not(And((A, B))), "~(a & b)"),
        (Not(Not(A)), "~~a"),
        (Not(BELOW), "~(x < y)"),
        (Not(Equal(X, Y)), "x != y"),
        (And((Not(A), BELOW)), "~a & x < y"),
        (Implies(A, Implies(B, C)), "a -> b -> c"),
        (Implies(Implies(A, B), C), "(a -> b) -> c"),
        (Implies(Or((A, B)), And((C, D))), "a | b -> c & d"),
        (Iff(A, Or((B, C))), "a <-> b | c"),
        (Iff(A, Implies(B, C)), "a <-> (b -> c)"),
        (Ite(A, B, Implies(C, D)), "ite(a, b, c -> d)"),
        (Apply(MEMBER, (N, Q)), "n in q"),
        (Quantified("forall", (X, Y), BELOW), "forall x: Ballot, y: Ballot. x < y"),
        (Implies(A, Quantified("exists", (X,), B)), "a -> exists x: Ballot. b"),
        (And((Quantified("exists", (X,), B), A)), "(exists x: Ballot. b) & a"),
        (Or((A, Implies(B, Quantified("exists", (X,), C)))), "a | (b -> exists x: Ballot. c)"),
        (Not(Quantified("exists", (X,), B)), "~(exists x: Ballot. b)"),
        (Equal(Ite(A, X, Y), X), "ite(a, x, y) = x"),
    ],
)
def test_terms(term: Term, text: str) -> None:
    assert show_term(term) == text


def test_a_constant_called_member_is_not_a_quorum() -> None:
    role = Sort("Acceptor")
    own = Symbol("Acceptor.member", (role, role), BOOL, mutable=False)
    assert show_term(Apply(own, (N, N))) == "Acceptor.member(n, n)"


def test_long_terms_are_broken() -> None:
    text = show_term(Implies(And((A, B, C)), Or((Not(And((A, B))), D))), 13)
    assert text.splitlines() == ["   a & b & c", "->   ~(a & b)", "   | d"]
    text = show_term(Quantified("forall", (X,), Implies(BELOW, A)), 16)
    assert text.splitlines() == ["forall x: Ballot.", "    x < y -> a"]


def test_arithmetic() -> None:
    size, total, f = (
        Quantity("size", "size"),
        Quantity("total", "Acceptor"),
        Quantity("parameter", "f"),
    )
    half = Arithmetic("//", Arithmetic("+", total, Number(1)), Number(2))
    minus = Arithmetic("-", total, Arithmetic("-", f, Number(1)))
    enough = Comparison(">=", size, half)
    few = Comparison("<", Arithmetic("*", Number(3), f), minus)
    both = Boolean("and", (enough, Boolean("not", (Boolean("or", (few, enough)),))))
    assert show_condition(both) == (
        "size >= (total Acceptor + 1) // 2 and"
        " not (3 * f < total Acceptor - (f - 1) or size >= (total Acceptor + 1) // 2)"
    )
    assert show_condition(Boolean("true", ())) == "true"
