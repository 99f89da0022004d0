"""Diagnostics as text."""

from __future__ import annotations

import re

from compiler.diagnostics import Code, Diagnostic, Diagnostics, Label, Severity, Source, Span
from compiler.diagnostics.render import render

SOURCE = Source("a.accord", "protocol P\n\tx = \N{CJK UNIFIED IDEOGRAPH-4E2D}y z\n\nlast")


def at(line: int, column: int, end_column: int, end_line: int | None = None) -> Span:
    return Span(SOURCE, line, column, end_line or line, end_column)


def test_the_whole_of_it() -> None:
    diagnostics = Diagnostics()
    diagnostics.error(
        Code.DUPLICATE_NAME,
        "`last` is declared twice",
        at(4, 1, 5),
        "rename one",
        (Label(at(1, 1, 9), "first declared here"),),
    )
    diagnostics.warning(Code.UNUSED_NAME, "`x` is not used", at(1, 10, 11))
    assert (
        render(diagnostics.sorted(), color=False)
        == """\
warning[W103]: `x` is not used
  --> a.accord:1:10
  |
1 | protocol P
  |          ^

error[E102]: `last` is declared twice
  --> a.accord:4:1
  |
4 | last
  | ^^^^
.
1 | protocol P
  | -------- first declared here
help: rename one

1 error, 1 warning
"""
    )


def test_tabs_and_wide_characters() -> None:
    text = render([Diagnostic(Code.SYNTAX, "here", at(2, 7, 8))], color=False)
    assert "2 |     x = \N{CJK UNIFIED IDEOGRAPH-4E2D}y z\n  |           ^\n" in text
    text = render([Diagnostic(Code.SYNTAX, "here", at(2, 6, 7))], color=False)
    assert "\n  |         ^^\n" in text
    text = render([Diagnostic(Code.SYNTAX, "here", at(2, 1, 2))], color=False)
    assert "\n  | ^^^^\n" in text


def test_places_at_and_past_ends() -> None:
    past = render([Diagnostic(Code.SYNTAX, "here", at(1, 11, 12))], color=False)
    assert "1 | protocol P\n  |           ^\n" in past
    several = render([Diagnostic(Code.SYNTAX, "here", at(2, 6, 3, 4))], color=False)
    assert "  |         ^^^^^\n" in several
    beyond = render([Diagnostic(Code.SYNTAX, "here", at(9, 5, 6))], color=False)
    assert "9 |\n  | ^\n" in beyond


def test_two_labels_on_one_line_share_it() -> None:
    label = Label(at(1, 1, 9), "there")
    text = render([Diagnostic(Code.SYNTAX, "here", at(1, 10, 11), None, (label,))], color=False)
    assert text.count("protocol P") == 1
    assert "  |          ^\n  | -------- there\n" in text


def test_a_label_in_another_file() -> None:
    other = Source("b.accord", "opaque T")
    label = Label(Span(other, 1, 8, 1, 9), "there")
    text = render([Diagnostic(Code.SYNTAX, "here", at(1, 1, 9), None, (label,))], color=False)
    assert "  ::: b.accord:1:8\n1 | opaque T\n  |        - there\n" in text


def test_long_lines_are_shown_around_the_place() -> None:
    source = Source("long.accord", "a" * 500 + "X" + "b" * 500)
    for column in (1, 60, 61, 400, 501, 1001):
        text = render(
            [Diagnostic(Code.SYNTAX, "here", Span(source, 1, column, 1, column + 1))], color=False
        )
        shown, caret = (line[4:] for line in text.splitlines()[3:5])
        assert len(shown) <= 125
        assert len(caret) <= len(shown) + 1
        if column == 501:
            assert shown[caret.index("^")] == "X"
    text = render([Diagnostic(Code.SYNTAX, "here", Span(source, 1, 1, 1, 1002))], color=False)
    assert max(map(len, text.splitlines())) <= 125


def test_a_file_that_could_not_be_read_has_no_lines() -> None:
    place = Span(Source("gone.accord", ""), 1, 1, 1, 1)
    text = render([Diagnostic(Code.CANNOT_READ, "cannot read it", place)], color=False)
    assert text == "error[E501]: cannot read it\n  --> gone.accord\n\n1 error\n"


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    source = Source("evil.accord", "x \x1b[2J y\r")
    span = Span(source, 1, 3, 1, 4)
    text = render([Diagnostic(Code.SYNTAX, "not \x1b[31m", span, "\x07")], color=False)
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)


def test_colour_adds_only_colour() -> None:
    diagnostics = [
        Diagnostic(Code.SYNTAX, "here", at(1, 1, 9), "so", (Label(at(4, 1, 2), "there"),)),
        Diagnostic(Code.UNUSED_NAME, "there", at(4, 1, 5), severity=Severity.WARNING),
    ]
    coloured = render(diagnostics, color=True)
    assert "\x1b[1;31merror[E001]\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(diagnostics, color=False)


def test_no_diagnostics_no_text() -> None:
    assert render([], color=True) == ""
