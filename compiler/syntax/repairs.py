"""Repairs: what a mistake probably was, with its diagnostic and the change that puts it right.

`proposed` yields candidates, most telling first; `mend.py` takes the first that works. A
repair that does not help costs nothing, so what each function asks is only whether the
mistake has the look of the one it knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lark import Token

from compiler.diagnostics import Code, Diagnostic, Source, Span
from compiler.syntax.automaton import END, Automaton, Stack
from compiler.syntax.describe import expected, found, word_of
from compiler.syntax.layout import DEDENT, INDENT, NEWLINE
from compiler.syntax.problems import span_of
from compiler.syntax.words import (
    DECLARATION_WORDS,
    RESERVED_TYPES,
    STATEMENT_WORDS,
    WORD_TYPES,
    can_be_name,
    nearest,
    words,
)

_COMPARISONS = frozenset(words("EQUAL UNEQUAL LESS AT_MOST MORE AT_LEAST IN INCLUDES IS"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the parser can't go on: `token`, at `index`, cannot come after `stack`.

    The output is what was accepted so far, and `before` the stack before each token of it.
    """

    tokens: list[Token]
    index: int
    line_start: int
    token: Token
    output: list[Token]
    line_output: int
    stack: Stack
    before: list[Stack]
    automaton: Automaton
    source: Source

    @property
    def line(self) -> list[Token]:
        """What was accepted of the present logical line."""
        return self.output[self.line_output :]

    @property
    def last(self) -> Token | None:
        """The token accepted last."""
        return self.output[-1] if self.output else None

    def following(self, distance: int = 1) -> str:
        """Return the type of the token that many places on."""
        place = self.index + distance
        return self.tokens[place].type if place < len(self.tokens) else END

    def accepts(self, kind: str) -> bool:
        """Whether a token of type `kind` could come next."""
        return self.automaton.accepts(self.stack, kind)

    def make(self, kind: str, text: str = "") -> Token:
        """Return a token to insert before the present one."""
        if self.last is None:
            return Token(kind, text, 0, 1, 1, 1, 1, 0)
        line, column, position = self.last.end_line, self.last.end_column, self.last.end_pos
        return Token(kind, text, position, line, column, line, column, position)


@dataclass(frozen=True, slots=True)
class Repair:
    """A change: take back some of the output, insert tokens, skip some of the input.

    It is taken if `enough` tokens after it, or all to the end of the line, can be read.
    `drop_block_end` deletes the end of the block that begins here.
    """

    diagnostic: Diagnostic | None
    insert: tuple[Token, ...] = ()
    skip: int = 0
    take_back: int = 0
    enough: int = 3
    drop_block_end: bool = False


def proposed(place: Place, broken: bool) -> Iterator[Repair]:
    """Yield what may have been meant. In a broken line, also what needs no diagnostic."""
    yield from _protocol(place)
    yield from _assignment(place)
    yield from _else_if(place)
    yield from _misspelt(place)
    if place.following() in {"COLON", "COMMA"}:
        yield from _separators(place)  # `forall a b: T` lacks a comma rather than a colon
    yield from _colon(place)
    yield from _layout(place)
    yield from _documentation(place)
    yield from _separators(place)
    if broken:
        yield from _closing(place)


def _retyped(token: Token, kind: str) -> Token:
    return Token.new_borrow_pos(kind, word_of(kind) or str(token), token)


def _after(place: Place) -> Span:
    """Return the place right behind the last accepted token."""
    return span_of(place.make("", ""), place.source)


def _protocol(place: Place) -> Iterator[Repair]:
    """The file does not begin with its `protocol` line, or has two."""
    token = place.token
    span = span_of(token, place.source)
    if place.accepts("PROTOCOL"):
        name = nearest(str(token), ["protocol"])
        if token.type == "NAME" and name is not None and place.following() == "NAME":
            yield Repair(
                _misspelling(token, "protocol", place), (_retyped(token, "PROTOCOL"),), skip=1
            )
        help = "begin the file with `protocol NAME`"
        if token.type == END:
            message = "there is no spec in this file"
        elif any(t.type == "PROTOCOL" for t in place.tokens):
            message, help = "this stands before the line `protocol NAME`", "put it after that line"
        else:
            message = "a spec begins with the line `protocol NAME`"
        missing = (place.make("MISTAKE"),)
        yield Repair(Diagnostic(Code.NO_PROTOCOL, message, span, help), missing, enough=0)


def _assignment(place: Place) -> Iterator[Repair]:
    """`=` and `:=` confused."""
    token = place.token
    span = span_of(token, place.source)
    if token.type == "EQUAL" and place.accepts("ASSIGN"):
        yield Repair(
            Diagnostic(
                Code.EQUALS_FOR_ASSIGNMENT,
                "`=` compares; it does not assign",
                span,
                "assign with `:=`",
            ),
            (_retyped(token, "ASSIGN"),),
            skip=1,
        )
    if token.type == "ASSIGN" and place.accepts("EQUAL"):
        first = place.line[0].type if place.line else ""
        if first == "LET":
            message, help = "`let` names a value; it does not assign", "write `let name = value`"
        elif first in {"DURABLE", "CONST", "GHOST"} or (
            first == "NAME" and len(place.line) > 1 and place.line[1].type == "COLON"
        ):
            message, help = "an initial value is not an assignment", "write `= value`"
        else:
            message, help = "`:=` assigns; it does not compare", "compare with `=`"
        yield Repair(
            Diagnostic(Code.ASSIGNMENT_FOR_EQUALS, message, span, help),
            (_retyped(token, "EQUAL"),),
            skip=1,
        )


def _colon(place: Place) -> Iterator[Repair]:
    """A colon is missing."""
    if not place.accepts("COLON") or place.token.type == "COLON" or _word_as_name(place):
        return
    first = place.line[0] if place.line else None
    what = f"`{first}`" if first is not None and first.type in WORD_TYPES else "this"
    colon = place.make("COLON", ":")
    diagnostic = Diagnostic(
        Code.MISSING_COLON,
        f"a colon is missing after {what}" if first is place.last else "a colon is missing here",
        _after(place),
        "write `:` before the body" if place.token.type == NEWLINE else "write `:` here",
    )
    yield Repair(diagnostic, (colon,))


def _else_if(place: Place) -> Iterator[Repair]:
    last = place.last
    if place.token.type == "IF" and last is not None and last.type == "ELSE":
        yield Repair(
            Diagnostic(
                Code.SYNTAX,
                "`else if` is one word",
                span_of(last, place.source).to(span_of(place.token, place.source)),
                "write `elif`",
            ),
            (Token.new_borrow_pos("ELIF", "elif", last),),
            skip=1,
            take_back=1,
        )


def _misspelling(token: Token, word: str, place: Place) -> Diagnostic:
    return Diagnostic(
        Code.SYNTAX,
        f"`{token}` is not a word of the language",
        span_of(token, place.source),
        f"did you mean `{word}`?",
    )


def _misspelt(place: Place) -> Iterator[Repair]:
    """A keyword is misspelt: the present token, the one before, or the first of the line."""
    if place.token.type == "NAME" or place.token.type in RESERVED_TYPES:
        word = _keyword(place, place.token, place.stack)
        if word is not None:
            yield Repair(
                _misspelling(place.token, word, place),
                (_retyped(place.token, word.upper()),),
                skip=1,
                enough=1,
            )
    length = len(place.line)
    for back in dict.fromkeys((1, length)):
        if not 0 < back <= length:
            continue
        token = place.line[-back]
        if token.type != "NAME":
            continue
        word = _keyword(place, token, place.before[len(place.output) - back])
        if word is not None:
            again = place.line[len(place.line) - back + 1 :]
            yield Repair(
                _misspelling(token, word, place),
                (_retyped(token, word.upper()), *again),
                take_back=back,
                enough=1,
            )


def _keyword(place: Place, token: Token, stack: Stack) -> str | None:
    possible = [k.lower() for k in place.automaton.expected(stack) if k in WORD_TYPES]
    word = nearest(str(token), possible)
    return None if word == str(token) else word


def _layout(place: Place) -> Iterator[Repair]:
    """A block that nothing opens, and a body that is not there."""
    token = place.token
    if token.type == INDENT:
        line = place.tokens[place.index + 1]
        yield Repair(
            Diagnostic(
                Code.BAD_INDENTATION,
                "this line is indented more than the one before, which opens no block",
                span_of(line, place.source),
                "indent it like the line before",
            ),
            skip=1,
            enough=0,
            drop_block_end=True,
        )
    elif place.accepts(INDENT):
        yield Repair(
            _empty_body(place),
            (place.make(INDENT), place.make("MISTAKE"), place.make(DEDENT)),
            enough=0,
        )
    elif token.type == DEDENT and place.accepts("MISTAKE"):
        yield Repair(_empty_body(place), (place.make("MISTAKE"),), enough=0)


def _empty_body(place: Place) -> Diagnostic:
    opener = next((t for t in reversed(place.output) if t.type == "COLON"), place.output[-1])
    return Diagnostic(
        Code.EMPTY_BODY,
        "the body after this colon is empty",
        span_of(opener, place.source),
        "indent its lines more than this one",
    )


def _documentation(place: Place) -> Iterator[Repair]:
    """Documentation where none can stand."""
    if place.token.type != "DOC":
        return
    line, column = place.token.line or 1, place.token.column or 1
    alone = not place.line and place.following() == NEWLINE
    if not alone and not place.accepts(NEWLINE):
        return  # what it interrupts is the mistake
    yield Repair(
        Diagnostic(
            Code.SYNTAX,
            "documentation can't stand here",
            Span(place.source, line, column, line, column + 3),
            "it is the first thing in a body, or stands indented under a line without one; "
            "a comment begins with `#`",
        ),
        skip=2 if alone else 1,
        enough=0,
    )


def _separators(place: Place) -> Iterator[Repair]:
    """A comma is missing between two things in a list."""
    begins = can_be_name(place.token) or place.token.type in {"LPAR", "INT", "SOME", "NONE"}
    if begins and place.accepts("COMMA") and place.last is not None:
        yield Repair(
            Diagnostic(
                Code.SYNTAX,
                f"a comma is missing between `{place.last}` and `{place.token}`",
                _after(place),
                "write `,` here",
            ),
            (place.make("COMMA", ","),),
        )


def _closing(place: Place) -> Iterator[Repair]:
    """A bracket that was reported as unclosed is closed here, so that the line is read on."""
    for kind, text in (("RPAR", ")"), ("RSQB", "]"), ("RBRACE", "}")):
        if place.accepts(kind) and place.token.type != kind:
            yield Repair(None, (place.make(kind, text),))


def unreadable(place: Place) -> Diagnostic | None:
    """Return the diagnostic for a mistake that no repair knows, None if it has one already."""
    token, line = place.token, place.line
    if token.type == "PROTOCOL" and place.output[0].type == "MISTAKE":
        return None  # what stands before it was reported
    stack = place.stack
    if _word_as_name(place):
        token, line = place.tokens[place.line_start], []
        stack = place.before[place.line_output]
    if token.type == NEWLINE and line and line[-1].type == "COLON":
        return _empty_body(place)
    kinds = place.automaton.expected(stack)
    return Diagnostic(
        Code.SYNTAX,
        f"expected {expected(kinds)}, found {found(token)}",
        span_of(token, place.source),
        _advice(token, line, kinds, place.following()),
    )


def _word_as_name(place: Place) -> bool:
    """Whether the line begins with a keyword that has no place here and so was read as a name.

    `send M to n` in the body of a role, for example, reads at first like a variable `send`.
    """
    return (
        len(place.line) == 1
        and place.line[0].type == "NAME"
        and place.tokens[place.line_start].type in WORD_TYPES
    )


def _advice(token: Token, line: list[Token], kinds: list[str], after: str) -> str | None:
    """Return what may help; `line` is what was understood, `after` the type of what follows."""
    if not line:
        if token.type == "NAME" and after in {"ASSIGN", "ADD", "REMOVE"}:
            return "a statement stands in the body of a handler"
        misplaced = _misplaced(token)
        if misplaced is None and token.type in RESERVED_TYPES and after == "COLON":
            return f"`{token}` is a reserved word; choose another name"
        return misplaced
    kinds_before = {t.type for t in line}
    if token.type in {"ASSIGN", "ADD", "REMOVE"} and len(line) == 1:
        return "a statement stands in the body of a handler"
    if token.type == "NOT" and line[-1].type == "IS":
        return "write `not (… is …)`"
    if token.type in _COMPARISONS and kinds_before & _COMPARISONS:
        return "comparisons do not chain: join two of them with `and`"
    if token.type in RESERVED_TYPES and "NAME" in kinds:
        return f"`{token}` is a reserved word; choose another name"
    if token.type == "DOT" and kinds_before & {"FORALL", "EXISTS"}:
        return "a quantifier names the type of its variables: `forall x: T: …`"
    return None


def _misplaced(token: Token) -> str | None:
    """Where a line that begins with `token` belongs, if it can't stand where it does."""
    match token.type:
        case "ON":
            return "a handler stands in the body of a role or of one of its states"
        case "STATE" | "TIMER" | "DURABLE" | "CONST":
            return f"`{token}` stands in the body of a role"
        case "ELIF" | "ELSE":
            return f"`{token}` follows the body of an `if`, with the same indentation as the `if`"
        case "PROTOCOL":
            return "a file holds one protocol"
        case _:
            if str(token) in STATEMENT_WORDS:
                return f"`{token}` stands in the body of a handler"
            if str(token) in DECLARATION_WORDS:
                return f"`{token}` stands at the top level, in the first column"
            return None
