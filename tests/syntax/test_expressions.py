"""How expressions, types and patterns are read."""

from __future__ import annotations

import pytest

from compiler.syntax.words import (
    DECLARATION_WORDS,
    OTHER_WORDS,
    RESERVED,
    ROLE_WORDS,
    STATEMENT_WORDS,
)
from tests.syntax.sketch import expression, parsed, sketch


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        # Precedence, loosest first.
        ("a iff b implies c or d and not e = f", "(a iff (b implies (c or (d and (not (e = f))))))"),  # noqa: E501
        ("a iff b iff c", "((a iff b) iff c)"),
        ("a implies b implies c", "(a implies (b implies c))"),
        ("a or b or c and d", "((a or b) or (c and d))"),
        ("not not a and b", "((not (not a)) and b)"),
        ("not a in s", "(not (a in s))"),
        ("a not in s and b", "((a not in s) and b)"),
        ("a + b - c * d // e <= -f", "(((a + b) - ((c * d) // e)) <= (- f))"),
        ("2 * size > total", "((2 * size) > total)"),
        ("(a or b) and c", "((a or b) and c)"),
        ("a.x.y[b, c].z", "(FieldExpression (IndexExpression (FieldExpression (FieldExpression a x) y) [b c]) z)"),  # noqa: E501
        ("some a.x = some b", "((SomeExpression (FieldExpression a x)) = (SomeExpression b))"),
        ("votes[a] includes Majority", "((IndexExpression votes [a]) includes Majority)"),
        # Quantifiers reach to the right as far as they can.
        ("forall x: T: a and b implies c", "(Quantifier forall [(Binder [x] T)] ((a and b) implies c))"),  # noqa: E501
        ("a and forall x: T: b or c", "(a and (Quantifier forall [(Binder [x] T)] (b or c)))"),
        ("a implies not exists x: T: b iff c", "(a implies (not (Quantifier exists [(Binder [x] T)] (b iff c))))"),  # noqa: E501
        ("forall x, y: T, z: set U: exists v in s: x", "(Quantifier forall [(Binder [x y] T) (Binder [z] (SetType U))] (Quantifier exists [(SetBinder v s)] x))"),  # noqa: E501
        # Patterns and tests.
        ("a is some", "(IsExpression a (SomePattern -))"),
        ("a is some x and b", "((IsExpression a (SomePattern x)) and b)"),
        ("a is some (x, (_, y))", "(IsExpression a (SomePattern (TuplePattern [x (TuplePattern [_ y])])))"),  # noqa: E501
        ("a is none or n is Leader", "((IsExpression a none) or (IsExpression n Leader))"),
        # Messages in formulas.
        ("sent M", "(SentExpression sent M [] - -)"),
        ("sent M(a, _) from p.x to q and b", "((SentExpression sent M [a -] (FieldExpression p x) q) and b)"),  # noqa: E501
        ("requested R(a) at n", "(SentExpression requested R [a] n -)"),
        ("output O(_) implies a", "((SentExpression output O [-] - -) implies a)"),
        # The rest.
        ("{}", "(SetExpression [])"),
        ("{a, b,}", "(SetExpression [a b])"),
        ("{x, y: T where x = y} = s", "((Comprehension [(Binder [x y] T)] (x = y)) = s)"),
        ("(a, none, true)", "(TupleExpression [a none true])"),
        ("f() and g(a, b,)", "((CallExpression f []) and (CallExpression g [a b]))"),
        ("ask q(a) = ask r", "((AskExpression q [a]) = (AskExpression r []))"),
        ("Majority survives f + 1", "(SurvivesExpression Majority (f + 1))"),
        ("2 * f < total Acceptor", "((2 * f) < (CallExpression total [Acceptor]))"),
    ],
)  # fmt: skip
def test_reading(text: str, tree: str) -> None:
    assert expression(text) == tree


@pytest.mark.parametrize(
    "word",
    sorted(
        {*DECLARATION_WORDS, *ROLE_WORDS, *STATEMENT_WORDS, *OTHER_WORDS, "size", "zero", "self"}
        - set(RESERVED)
    ),
)
def test_words_that_are_not_reserved_are_names(word: str) -> None:
    text = f"""\
protocol Test
message M({word}: T)
role R:
    {word}: T
    const {word}: T
    on M({word}) from {word} when {word} = a.{word}:
        {word} := a.{word}
        {word} += {word}
        {word}[a] -= a
        let {word} = a
        send M(a) to b.{word}
definition d({word}: T): forall {word}: T: {word}.x = {word} or {word}[a] in a.{word}
"""
    assert f"(NameExpression {word})" not in sketch(parsed(text).declarations)


def test_a_condition_in_brackets_goes_over_lines() -> None:
    one = "protocol T\nrole R:\n    on M when (a and b):\n        x := f(a, b)\n"
    many = "protocol T\nrole R:\n  on M when (a\n    and\n  b):\n      x := f(\na,\n   b)\n"
    assert sketch(parsed(one).declarations) == sketch(parsed(many).declarations)


def test_types() -> None:
    text = "protocol T\nrecord R(a: option set T, b: map (A, B) to map C to (D, E), c: (F))\n"
    assert sketch(parsed(text).declarations[0]) == (
        "(RecordDeclaration R [(Parameter a (OptionType (SetType T))) (Parameter b (MapType "
        "(TupleType [A B]) (MapType C (TupleType [D E])))) (Parameter c F)] -)"
    )
