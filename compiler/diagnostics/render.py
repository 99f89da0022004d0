"""Diagnostics as text for people: the message, the source line, a caret under the place.

    error[E005]: `=` compares; it does not assign
      --> specs/paxos.accord:52:18
       |
    52 |         promised = ballot
       |                  ^
    help: assign with `:=`

Tabs and characters that take two cells of a terminal are reckoned with, and what a terminal
would obey instead of show is replaced. Colour marks the same parts that the layout marks, so
nothing is lost without it.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len

from compiler.diagnostics.diagnostic import Diagnostic, Label, Severity
from compiler.diagnostics.span import Span

TAB_WIDTH = 4
LONGEST_LINE = 120
"""Cells of a source line that are shown; of a longer one, a piece around the place."""

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_BLUE = "\x1b[1;34m"
_CYAN = "\x1b[1;36m"
_COLOURS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m"}


def render(diagnostics: Iterable[Diagnostic], *, color: bool) -> str:
    """Return the text of the diagnostics, in their order, with a line that counts them.

    `color` adds the escape sequences of ANSI terminals. The text ends with a line end; it is
    empty if there are no diagnostics.
    """
    listed = list(diagnostics)
    if not listed:
        return ""
    parts = [_one(diagnostic, color) for diagnostic in listed]
    return "\n".join([*parts, _summary(listed, color)])


def _one(diagnostic: Diagnostic, color: bool) -> str:
    severity = diagnostic.severity
    tone = _COLOURS[severity]
    head = _paint(f"{severity.value}[{diagnostic.code.value}]", tone, color)
    lines = [f"{head}{_paint(': ' + _printable(diagnostic.message), _BOLD, color)}"]
    span = diagnostic.span
    numbers = [span.line, *(label.span.line for label in diagnostic.labels)]
    gutter = max(len(str(number)) for number in numbers)
    arrow = _paint(f"{' ' * gutter} -->", _BLUE, color)
    if not span.source.text:
        lines.append(f"{arrow} {span.source.path}")
    else:
        lines.append(f"{arrow} {span}")
        lines.append(_paint(f"{' ' * gutter} |", _BLUE, color))
        lines.extend(_snippets(diagnostic, gutter, tone, color))
    if diagnostic.help is not None:
        lines.append(f"{_paint('help', _CYAN, color)}: {_printable(diagnostic.help)}")
    return "\n".join(lines) + "\n"


def _snippets(diagnostic: Diagnostic, gutter: int, tone: str, color: bool) -> Iterable[str]:
    """Yield the source lines of a diagnostic and its labels, each line of source once in a row."""
    marks: list[tuple[Label, str, str]] = [(Label(diagnostic.span, ""), "^", tone)]
    marks.extend((label, "-", _BLUE) for label in diagnostic.labels)
    margin = " " * gutter
    shown: tuple[str, int] | None = None
    for label, mark, mark_tone in marks:
        span = label.span
        here = (span.source.path, span.line)
        text, start, width = _placed(span)
        if here != shown:
            if span.source.path != diagnostic.span.source.path:
                yield f"{_paint(f'{margin} :::', _BLUE, color)} {span}"
            elif shown is not None and span.line != shown[1] + 1:
                yield _paint(f"{'.' * gutter}", _BLUE, color)
            yield f"{_paint(f'{span.line:>{gutter}} |', _BLUE, color)} {text}".rstrip()
        note = f" {_printable(label.text)}" if label.text else ""
        underline = _paint(f"{mark * width}{note}", mark_tone, color)
        yield f"{_paint(f'{margin} |', _BLUE, color)} {' ' * start}{underline}"
        shown = here


def _placed(span: Span) -> tuple[str, int, int]:
    """Return the line of a span as it is shown, where its underline begins, and its length.

    A span of several lines is underlined to the end of its first.
    """
    line = span.source.line(span.line)
    last = span.end_column if span.end_line == span.line else len(line) + 1
    before = _shown(line[: span.column - 1], 0)
    within = _shown(line[span.column - 1 : last - 1], cell_len(before))
    after = _shown(line[last - 1 :], cell_len(before) + cell_len(within)).rstrip()
    start, width = cell_len(before), max(cell_len(within), 1)
    text = before + within + after
    if cell_len(text) <= LONGEST_LINE:
        return text, start, width
    if start > LONGEST_LINE // 2:
        kept = before[-(LONGEST_LINE // 3) :]
        text, start = f"…{kept}{within}{after}", cell_len(kept) + 1
    while cell_len(text) > LONGEST_LINE:
        text = text[: LONGEST_LINE - 1 if len(text) > LONGEST_LINE else -1]
    return f"{text}…", start, max(min(width, cell_len(text) - start), 1)


def _shown(text: str, at: int) -> str:
    """Return text that begins at cell `at` with its tabs expanded and nothing unprintable."""
    parts: list[str] = []
    cells = at
    for character in text:
        part = " " * (TAB_WIDTH - cells % TAB_WIDTH) if character == "\t" else _printable(character)
        parts.append(part)
        cells += cell_len(part)
    return "".join(parts)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _summary(diagnostics: list[Diagnostic], color: bool) -> str:
    counts = [(severity, sum(d.severity is severity for d in diagnostics)) for severity in Severity]
    parts = [
        _paint(f"{n} {severity.value}{'' if n == 1 else 's'}", _COLOURS[severity], color)
        for severity, n in counts
        if n
    ]
    return ", ".join(parts) + "\n"


def _paint(text: str, tone: str, color: bool) -> str:
    return f"{tone}{text}{_RESET}" if color else text
