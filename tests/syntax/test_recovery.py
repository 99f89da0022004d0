"""One mistake gives one diagnostic, and what is not mistaken is in the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.diagnostics import Code, Diagnostics, Source
from compiler.diagnostics.render import render
from compiler.syntax import parse, tree
from compiler.syntax.words import words

SPECS = Path(__file__).parents[2] / "specs"
TEXTS = [path.read_text("utf-8") for path in sorted(SPECS.glob("*.accord"))]
FRAGMENTS = [*"()[]{}:=\t\"'#,.é9_\r\0\n \N{LINE SEPARATOR}", '"""', ":=", "\n    ", "\n  "]
FRAGMENTS += words("on if else: elif forall role state and some when mesage protocol")


def errors(text: str) -> list[tuple[str, int]]:
    """The codes and lines of a text's diagnostics."""
    diagnostics = Diagnostics()
    parse(Source("test.accord", text), diagnostics)
    return [(d.code.value, d.span.line) for d in diagnostics.sorted()]


def lines(text: str) -> list[int]:
    """The numbers of the lines of a text that are neither empty nor documentation."""
    numbers, within = [], False
    for number, line in enumerate(text.split("\n"), 1):
        quotes = line.count('"""')
        if line.split("#")[0].strip() and not within and not quotes:
            numbers.append(number)
        within ^= quotes % 2 == 1
    return numbers


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """One of the specs with pieces deleted, inserted or cut off."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["delete", "insert", "cut end", "cut start"])):
            case "delete":
                text = text[:start] + text[start + draw(st.integers(1, 60)) :]
            case "insert":
                text = text[:start] + draw(st.sampled_from(FRAGMENTS)) + text[start:]
            case "cut end":
                text = text[: max(start, 200)]
            case _:
                text = text[min(start, 200) :]
    return text


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(damaged())
def test_damage_gives_diagnostics_and_never_an_exception(text: str) -> None:
    diagnostics = Diagnostics()
    protocol = parse(Source("test.accord", text), diagnostics)
    assert protocol is not None or diagnostics.has_errors
    source_lines = text.split("\n")
    for diagnostic in diagnostics:
        span = diagnostic.span
        assert 1 <= span.line <= span.end_line <= len(source_lines)
        assert 1 <= span.column <= len(source_lines[span.line - 1]) + 1
        assert (span.line, span.column) < (span.end_line, span.end_column)
    render(diagnostics.sorted(), color=False)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=200))
def test_any_text_gives_a_tree_or_diagnostics(text: str) -> None:
    diagnostics = Diagnostics()
    protocol = parse(Source("test.accord", text), diagnostics)
    assert protocol is not None or diagnostics.has_errors


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.split()[1])
def test_a_spoilt_line_is_the_only_one_reported(text: str) -> None:
    for number in lines(text):
        if text.split("\n")[number - 1].startswith("protocol"):
            continue
        spoilt = text.split("\n")
        spoilt[number - 1] = f"{spoilt[number - 1].split('#')[0]} ] ]"
        found = errors("\n".join(spoilt))
        assert found == [("E008", number)] * 2, spoilt[number - 1]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.split()[1])
def test_a_line_without_its_last_token_gives_one_diagnostic_at_most(text: str) -> None:
    for number in lines(text):
        spoilt = text.split("\n")
        code = spoilt[number - 1].split("#")[0].rstrip()
        if code.endswith("("):
            continue  # the lines that the bracket held together have lost what they were part of
        spoilt[number - 1] = code[: -1 if not code[-1].isalnum() else -len(code.split()[-1])]
        found = errors("\n".join(spoilt))
        assert len(found) <= 1, (code, found)


def test_the_tree_has_everything_but_the_mistaken() -> None:
    text = """\
protocol Partial

message Good
message Bad(
opaque Value

role Acceptor:
    durable first: bool
    durable second: = bool
    durable third: bool
    on Good:
        first := true
        second ::= true
        third := true
    on Good when (first:
        third := false
        if third and:
            third := true
        else:
            third := false
    on Good: become Done
"""
    diagnostics = Diagnostics()
    protocol = parse(Source("test.accord", text), diagnostics)
    assert [d.span.line for d in diagnostics.sorted()] == [4, 9, 13, 15, 17]
    assert protocol is not None
    role = protocol.declarations[-1]
    assert isinstance(role, tree.RoleDeclaration)
    assert [v.name.text for v in role.variables] == ["first", "third"]
    assert len(role.handlers[0].body) == 2


def test_nesting_without_end_is_a_diagnostic() -> None:
    for deep in ("(" * 3000, "not " * 3000 + "a", "forall x: T: " * 500 + "a", "a" + ".b" * 500):
        diagnostics = Diagnostics()
        parse(Source("test.accord", f"protocol Deep\nsafety s: {deep}\n"), diagnostics)
        assert diagnostics.has_errors


def test_an_unreadable_protocol_line_leaves_no_tree() -> None:
    diagnostics = Diagnostics()
    assert parse(Source("test.accord", "protocol\nopaque T\n"), diagnostics) is None
    assert [d.code for d in diagnostics] == [Code.SYNTAX]
