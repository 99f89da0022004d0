"""Parsing: a source to its syntax tree, or to diagnostics of all its mistakes of form.

The way of a text: Lark's lexer, `Layout` (lines and blocks), `mend` (keywords and names told
apart; mistakes reported and put right or cut out), Lark's LALR parser, `Builder`. What reaches
the parser is always a text without mistakes, so a file with several is parsed to its end, and
its tree has everything but what could not be understood.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lark import Lark, Token, Tree

from compiler.diagnostics import Code, Diagnostic, Diagnostics, Source, Span, SpecError
from compiler.syntax import tree
from compiler.syntax.automaton import END, Automaton
from compiler.syntax.builder import Builder, span_at
from compiler.syntax.mend import mend
from compiler.syntax.table import load_parser, table_directories

DEEPEST = 120
"""Levels of a syntax tree. The stages after this one walk a tree by recursion."""


def load(path: str | Path) -> Source:
    """Read a spec. Raises `SpecError` (CANNOT_READ) if it is not a readable UTF-8 text file."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _cannot_read(path, f"it is not UTF-8 text (byte {error.start})") from None
    except FileNotFoundError:
        raise _cannot_read(path, "there is no such file") from None
    except IsADirectoryError:
        raise _cannot_read(path, "it is a directory") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _cannot_read(path, reason[:1].lower() + reason[1:]) from None
    return Source(str(path), text.replace("\r\n", "\n"))


def _cannot_read(path: str | Path, reason: str) -> SpecError:
    place = Span(Source(str(path), ""), 1, 1, 1, 1)
    return SpecError((Diagnostic(Code.CANNOT_READ, f"cannot read {path}: {reason}", place),))


def parse(source: Source, diagnostics: Diagnostics) -> tree.Protocol | None:
    """Parse a spec, recording every mistake of form.

    Returns the tree of what could be understood; None if there is no protocol in it.
    """
    lark, automaton = _parser()
    tokens = mend(list(lark.lex(source.text)), automaton, source, diagnostics)
    interactive = lark.parse_interactive()
    for token in tokens:
        interactive.feed_token(token)
    parsed = interactive.feed_token(Token(END, ""))
    too_deep = _nested_too_deeply(parsed)
    if too_deep is not None:
        diagnostics.error(
            Code.SYNTAX,
            f"more than {DEEPEST} things within each other",
            span_at(too_deep.meta, source),
            "name parts of it with `definition`",
        )
        return None
    return Builder(source).transform(parsed)


def _nested_too_deeply(parsed: Tree[Token]) -> Tree[Token] | None:
    """Return an innermost tree of more than `DEEPEST` levels, if there is one."""
    depths: dict[int, int] = {}
    for subtree in parsed.iter_subtrees():  # children come before their parents
        inner = [depths[id(child)] for child in subtree.children if isinstance(child, Tree)]
        depth = depths[id(subtree)] = 1 + max(inner, default=0)
        if depth > DEEPEST:
            return subtree
    return None


@cache
def _parser() -> tuple[Lark, Automaton]:
    lark = load_parser(table_directories())
    return lark, Automaton(lark)
