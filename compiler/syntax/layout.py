"""Lines and columns to tokens: where a line ends, and where a block begins and ends.

A postlex of Lark's lexer. The lexer drops all white space; what it meant is recovered here from
the places of the tokens. A *logical line* ends where a token begins a new physical line, except

- inside brackets; if one was never closed, as long as its lines break off or go on as no line can
  end or begin (after a comma, say, or with `and`), so that what it held together is still one line;
- in a top-level declaration other than a role, which reaches to the next line that begins in
  column one: property, definition, quorum and so on are one expression over many lines;
- before a documentation string that stands indented under a line without a body.

Each new token has the place of the end of the token before it and no width, so that the spans
which Lark computes for the tree never reach into white space.

Mistakes are tokens too (`Problem`), to be reported by `problems.py`: a postlex has no other way to
speak, and a mistake in the middle of a stream has a place there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from lark import Token
from lark.lark import PostLex

from compiler.syntax.words import DECLARATION_WORDS, ROLE_WORDS, can_be_name, nearest

NEWLINE = "_NEWLINE"
INDENT = "_INDENT"
DEDENT = "_DEDENT"


class Problem(StrEnum):
    """The types of the tokens that are mistakes in themselves."""

    # Found by the lexer; the terminals stand at the end of grammar.lark.
    FOREIGN = "FOREIGN"
    UNCLOSED_STRING = "UNCLOSED_STRING"
    STRING = "STRING"
    BAD_NUMBER = "BAD_NUMBER"
    BAD_CHARACTER = "BAD_CHARACTER"
    TAB = "TAB_INDENTATION"
    # Found here. A bracket without a partner stays, and is followed by one of the last two.
    DEDENT_BETWEEN = "DEDENT_BETWEEN"
    UNCLOSED_BRACKET = "UNCLOSED_BRACKET"
    UNOPENED_BRACKET = "UNOPENED_BRACKET"


TAB_WIDTH = 8
CLOSING = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}

FLAT = ["protocol", *(word for word in DECLARATION_WORDS if word != "role")]
"""First words of the declarations that are one logical line, however many lines they take."""

_CONNECTIVES = frozenset(["AND", "OR", "IMPLIES", "IFF"])
_BREAKS_OFF = frozenset(["COMMA", *CLOSING]) | _CONNECTIVES
_GOES_ON = frozenset(CLOSING.values()) | _CONNECTIVES

_OPENERS = frozenset([*DECLARATION_WORDS, *ROLE_WORDS, "if", "for"])


@dataclass(slots=True)
class _Lines:
    """The state of one run over a file."""

    indents: list[int] = field(default_factory=lambda: [0])
    depth: int = 0  # of brackets that have a partner
    start: Token | None = None  # the first token of the logical line
    last: Token | None = None
    flat: bool = False
    unclosed: bool = False  # whether a bracket without a partner was opened in the logical line


class Layout(PostLex):
    """Inserts the tokens of the layout into the lexer's stream. Has no state of its own."""

    always_accept = tuple(Problem)  # or Lark would drop the terminals that no rule uses

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens of `stream` and, between them, those of the layout."""
        everything = list(stream)
        tabs = {_line(token): token for token in everything if token.type == Problem.TAB}
        tokens = [token for token in everything if token.type != Problem.TAB]
        unpaired = unpaired_brackets(tokens)
        lines = _Lines()
        for index, token in enumerate(tokens):
            first = lines.last is None or _line(token) > _end_line(lines.last)
            if first and not self._continues(tokens, index, lines):
                yield from self._new_line(tokens, index, tabs.get(_line(token)), lines)
            yield token
            if index in unpaired:
                unclosed = token.type in CLOSING
                problem = Problem.UNCLOSED_BRACKET if unclosed else Problem.UNOPENED_BRACKET
                lines.unclosed |= unclosed
                yield Token.new_borrow_pos(problem, str(token), token)
            elif token.type in CLOSING:
                lines.depth += 1
            elif token.type in CLOSING.values():
                lines.depth -= 1
            lines.last = token
        if lines.last is not None:
            yield _at_end(NEWLINE, lines.last)
            for _ in lines.indents[1:]:
                yield _at_end(DEDENT, lines.last)

    def _continues(self, tokens: list[Token], index: int, lines: _Lines) -> bool:
        """Whether the token at `index`, first of its physical line, continues the logical one."""
        if lines.start is None or lines.last is None:
            return False
        token = tokens[index]
        if lines.depth > 0 or (lines.flat and _column(token) > 1):
            return True
        if lines.unclosed and (lines.last.type in _BREAKS_OFF or token.type in _GOES_ON):
            return not _begins_block(tokens, index)
        if token.type != "DOC" or lines.last.type == "COLON":
            return False
        # Documentation under a line without a body is all that is indented under it.
        start = _column(lines.start)
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        ends_line = following is None or _line(following) > _end_line(token)
        alone = following is None or _column(following) <= start
        return ends_line and alone and _column(token) > start

    def _new_line(
        self, tokens: list[Token], index: int, tab: Token | None, lines: _Lines
    ) -> Iterator[Token]:
        """End the logical line; the token at `index` begins one, behind the white space `tab`."""
        token = tokens[index]
        width = _column(token) - 1 if tab is None else len(tab.expandtabs(TAB_WIDTH))
        if lines.last is not None:
            yield _at_end(NEWLINE, lines.last)
            if width > lines.indents[-1]:
                lines.indents.append(width)
                yield _at_end(INDENT, lines.last)
            while width < lines.indents[-1] and not _stays(tokens, index, width, lines.indents):
                lines.indents.pop()
                yield _at_end(DEDENT, lines.last)
        if width != lines.indents[-1]:
            yield Token.new_borrow_pos(Problem.DEDENT_BETWEEN, str(width), token)
        if tab is not None:
            yield tab
        lines.start = token
        lines.unclosed = False
        lines.flat = len(lines.indents) == 1 and is_flat(token)


def _stays(tokens: list[Token], index: int, width: int, indents: list[int]) -> bool:
    """Whether a line that is indented like no block was probably meant to stay in the inner one.

    So it is if the inner block goes on after it, or is nearer than the one outside.
    """
    inner, outer = indents[-1], indents[-2]
    if width <= outer:
        return False
    line = _line(tokens[index])
    rest = [t for t in tokens[index : index + 200] if _line(t) > line]
    opens_block = any(t.type == "COLON" for t in tokens[index : index + 200] if _line(t) == line)
    if rest and not opens_block and _column(rest[0]) - 1 >= inner:
        return True
    return inner - width < width - outer


def is_flat(token: Token) -> bool:
    """Whether a token that begins a line in column one begins a declaration of one logical line.

    A misspelt first word counts as the word it is nearest to, so that the layout of a misspelt
    `role` is still that of a role.
    """
    if token.type == "NAME":
        word = nearest(str(token), [*FLAT, "role"])
        return word is None or word in FLAT
    return str(token) in FLAT


def unpaired_brackets(tokens: list[Token]) -> set[int]:
    """Return the indices of the brackets without a partner.

    A bracket that is never closed would make one logical line of the rest of the file. So it
    must be found before the lines are; and a line that begins like a new declaration, handler
    or block, no further right than the line the bracket stands in, closes all that is open.
    """
    unpaired: set[int] = set()
    open_brackets: list[tuple[int, int]] = []  # index, and column of the line's first token
    line_column = 1
    last_line = 0
    for index, token in enumerate(tokens):
        if _line(token) > last_line:
            column = _column(token)
            if _begins_block(tokens, index):
                unpaired.update(i for i, start in open_brackets if column <= start)
                open_brackets = [entry for entry in open_brackets if column > entry[1]]
            if not open_brackets:
                line_column = column
        last_line = _end_line(token)
        if token.type in CLOSING:
            open_brackets.append((index, line_column))
        elif token.type in CLOSING.values():
            partners = [
                place
                for place, (opened, _) in enumerate(open_brackets)
                if CLOSING[tokens[opened].type] == token.type
            ]
            if not partners:
                unpaired.add(index)
                continue
            unpaired.update(opened for opened, _ in open_brackets[partners[-1] + 1 :])
            del open_brackets[partners[-1] :]
    unpaired.update(opened for opened, _ in open_brackets)
    return unpaired


def _begins_block(tokens: list[Token], index: int) -> bool:
    """Whether the line at `index` begins like a declaration, a part of a role, or a block."""
    if str(tokens[index]) not in _OPENERS or index + 1 == len(tokens):
        return False
    return can_be_name(tokens[index + 1])


def _at_end(kind: str, token: Token) -> Token:
    """Return a token without width at the end of `token`."""
    line, column, position = token.end_line, token.end_column, token.end_pos
    return Token(kind, "", position, line, column, line, column, position)


def _line(token: Token) -> int:
    return token.line or 0


def _end_line(token: Token) -> int:
    return token.end_line or 0


def _column(token: Token) -> int:
    return token.column or 0
