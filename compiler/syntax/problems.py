"""Mistakes in single tokens: found by the lexer and the layout, reported here.

Each is put right as far as its meaning can be guessed, so that the line can still be parsed. A
line with such a mistake is *broken*: what else seems wrong with it may follow from the guess, and
is not reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from lark import Token

from compiler.diagnostics import Code, Diagnostics, Label, Source, Span
from compiler.syntax.describe import word_of
from compiler.syntax.layout import DEDENT, INDENT, NEWLINE, Problem
from compiler.syntax.words import DECLARATION_WORDS

# Foreign operator: the token type it probably stands for (None: nothing), and what to write.
_FOREIGN: dict[str, tuple[str | None, str]] = {
    "==": ("EQUAL", "equality is `=`"),
    "===": ("EQUAL", "equality is `=`"),
    "!==": ("UNEQUAL", "inequality is `!=`"),
    "<>": ("UNEQUAL", "inequality is `!=`"),
    "=>": ("IMPLIES", "implication is `implies`; at least is `>=`"),
    "->": ("IMPLIES", "implication is `implies`"),
    "<=>": ("IFF", "equivalence is `iff`"),
    "<->": ("IFF", "equivalence is `iff`"),
    "<-": ("ASSIGN", "assignment is `:=`"),
    "=<": ("AT_MOST", "at most is `<=`"),
    "&&": ("AND", "conjunction is `and`"),
    "&": ("AND", "conjunction is `and`"),
    "/\\": ("AND", "conjunction is `and`"),
    "||": ("OR", "disjunction is `or`"),
    "|": ("OR", "disjunction is `or`"),
    "\\/": ("OR", "disjunction is `or`"),
    "!": ("NOT", "negation is `not`"),
    "/": ("QUOTIENT", "division of whole numbers, rounded down, is `//`"),
    ";": (None, "a statement ends with its line"),
    "++": (None, "there is no `++`; `next` of an ordered value is chosen by `pick`"),
    "--": (None, "there is no `--`"),
    "**": ("TIMES", "there are no powers"),
    "%": ("TIMES", "there is no remainder"),
    "^": ("TIMES", "there are no powers"),
    "*=": ("ASSIGN", "assignment is `:=`; `+=` and `-=` add to a set and remove from it"),
    "/=": ("UNEQUAL", "inequality is `!=`"),
}

_LOOKALIKES: dict[str, tuple[str, str]] = {
    "≤": ("AT_MOST", "<="),
    "≥": ("AT_LEAST", ">="),
    "≠": ("UNEQUAL", "!="),
    "∧": ("AND", "and"),
    "\N{LOGICAL OR}": ("OR", "or"),
    "¬": ("NOT", "not"),
    "→": ("IMPLIES", "implies"),
    "⇒": ("IMPLIES", "implies"),
    "⇔": ("IFF", "iff"),
    "↔": ("IFF", "iff"),
    "∀": ("FORALL", "forall"),
    "∃": ("EXISTS", "exists"),
    "∈": ("IN", "in"),
    "\N{MULTIPLICATION SIGN}": ("TIMES", "*"),
    "\N{MINUS SIGN}": ("MINUS", "-"),
    "\N{EN DASH}": ("MINUS", "-"),
    "≔": ("ASSIGN", ":="),
}


_PROBLEMS = frozenset(Problem)


@dataclass(slots=True)
class Lines:
    """The tokens of a file without problems, and the numbers of its broken logical lines.

    A logical line's number is the number of `_NEWLINE` tokens before it.
    """

    tokens: list[Token] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)


def span_of(token: Token, source: Source) -> Span:
    """Return the place of a token; one without width gets the character it stands before."""
    line, column = token.line or 1, token.column or 1
    end_line, end_column = token.end_line or line, token.end_column or column
    if (end_line, end_column) <= (line, column):
        return Span(source, line, column, line, column + 1)
    return Span(source, line, column, end_line, end_column)


def report_problems(tokens: list[Token], source: Source, diagnostics: Diagnostics) -> Lines:
    """Report the mistakes in single tokens, and return the tokens without them."""
    cut = _unclosed_documentation(tokens)
    lines = Lines()
    number = 0
    tab_reported = False
    for token in tokens[:cut]:
        if token.type not in _PROBLEMS:
            lines.tokens.append(token)
            number += token.type == NEWLINE
            continue
        lines.broken.add(number)
        if token.type == Problem.TAB and tab_reported:
            continue
        tab_reported = tab_reported or token.type == Problem.TAB
        _report(Problem(token.type), token, span_of(token, source), lines, diagnostics)
    if cut is not None:
        _report_unclosed_documentation(tokens, cut, source, diagnostics)
        lines.broken.add(number)
        _close(lines)
    return lines


def _report(
    problem: Problem, token: Token, span: Span, lines: Lines, diagnostics: Diagnostics
) -> None:
    """Report one mistake, and add to the lines what the token was probably meant to be."""
    match problem:
        case Problem.TAB:
            diagnostics.error(
                Code.BAD_INDENTATION,
                "a tab in the indentation",
                span,
                "indent with spaces, here and in the rest of the file",
            )
        case Problem.DEDENT_BETWEEN:
            diagnostics.error(
                Code.BAD_INDENTATION,
                f"this line is indented by {token} space{'' if token == '1' else 's'}, "
                "like no block around it",
                span,
                "indent it like the other lines of the block it belongs to",
            )
        case Problem.UNCLOSED_BRACKET:
            closer = {"(": ")", "[": "]", "{": "}"}[str(token)]
            diagnostics.error(
                Code.UNCLOSED_BRACKET, f"`{token}` is never closed", span, f"add `{closer}`"
            )
        case Problem.UNOPENED_BRACKET:
            lines.tokens.pop()
            diagnostics.error(
                Code.UNCLOSED_BRACKET,
                f"`{token}` closes no bracket",
                span,
                "delete it, or open the bracket before it",
            )
        case Problem.FOREIGN:
            kind, help = _FOREIGN[str(token)]
            diagnostics.error(
                Code.FOREIGN_OPERATOR, f"`{token}` is not an operator of the language", span, help
            )
            if kind is not None:
                lines.tokens.append(_instead(token, kind))
        case Problem.STRING:
            _report_string(token, span, diagnostics)
            lines.tokens.append(_instead(token, "DOC", f'""{token}""'))
        case Problem.BAD_NUMBER:
            _report_number(token, span, diagnostics)
            lines.tokens.append(_instead(token, "INT", "0"))
        case Problem.BAD_CHARACTER:
            _report_character(token, span, lines, diagnostics)
        case Problem.UNCLOSED_STRING:
            raise AssertionError("the tokens end before an unclosed string")
        case _:
            assert_never(problem)


def _instead(token: Token, kind: str, text: str | None = None) -> Token:
    """Return what a token was probably meant to be."""
    return Token.new_borrow_pos(kind, text or word_of(kind) or str(token), token)


def _report_string(token: Token, span: Span, diagnostics: Diagnostics) -> None:
    text = str(token)
    if len(text) < 2 or text[-1] != text[0]:
        diagnostics.error(
            Code.UNCLOSED_STRING,
            "a string that does not end on its line",
            span,
            'documentation stands between `"""` and `"""`',
        )
    else:
        diagnostics.error(
            Code.SYNTAX,
            "there are no strings in the language",
            span,
            'documentation stands between `"""` and `"""`; '
            "a value nothing is known of has an `opaque` type",
        )


def _report_number(token: Token, span: Span, diagnostics: Diagnostics) -> None:
    text = str(token)
    if text.isdigit():
        help = "a number has 18 digits at most"
    elif "." in text:
        help = "numbers are whole; multiply both sides to get rid of a fraction"
    else:
        digits = text[: next(i for i, c in enumerate(text) if not c.isdigit())]
        help = f"a product is written with `*`: `{digits} * {text[len(digits) :]}`"
    diagnostics.error(Code.SYNTAX, f"`{text}` is neither a number nor a name", span, help)


def _report_character(token: Token, span: Span, lines: Lines, diagnostics: Diagnostics) -> None:
    character = str(token)
    last = diagnostics.items[-1] if diagnostics.items else None
    if character in _LOOKALIKES:
        kind, spelling = _LOOKALIKES[character]
        lines.tokens.append(_instead(token, kind))
        help = f"write `{spelling}`"
    elif (
        last is not None
        and last.code is Code.BAD_CHARACTER
        and (last.span.end_line, last.span.end_column) == (span.line, span.column)
    ):
        return  # one report for characters side by side
    elif character in "“”„«»`":
        help = 'documentation stands between `"""` and `"""`'
    elif character.isalpha():
        help = "names are made of the letters a to z and A to Z, digits and `_`"
    else:
        help = "delete it"
    shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    diagnostics.error(Code.BAD_CHARACTER, f"the character {shown} has no meaning here", span, help)


def _unclosed_documentation(tokens: list[Token]) -> int | None:
    """Return the index of the documentation whose end is missing.

    With one `\"\"\"` missing, every later one is taken for its opposite, and it is the last that
    seems unclosed. The one to blame is the first that has a line of the spec in its text.
    """
    if not any(token.type == Problem.UNCLOSED_STRING for token in tokens):
        return None
    for index, token in enumerate(tokens):
        if token.type == Problem.UNCLOSED_STRING or (
            token.type == "DOC" and _swallowed_code(token)
        ):
            return index
    return None


def _swallowed_code(token: Token) -> bool:
    """Whether a line of a documentation string looks like a line of the spec."""
    for line in str(token).split("\n")[1:]:
        words = line.split()
        if not words:
            continue
        indentation = len(line) - len(line.lstrip())
        if indentation == 0 and words[0] in DECLARATION_WORDS:
            return True
        if indentation < (token.column or 1) - 1 or (words[0] == "on" and line.endswith(":")):
            return True
    return False


def _report_unclosed_documentation(
    tokens: list[Token], cut: int, source: Source, diagnostics: Diagnostics
) -> None:
    last = next(t for t in reversed(tokens) if t.type == Problem.UNCLOSED_STRING)
    labels = (
        ()
        if last is tokens[cut]
        else (Label(_quotes(last, source), "which is why this seems to have no end"),)
    )
    diagnostics.error(
        Code.UNCLOSED_STRING,
        "documentation without an end",
        _quotes(tokens[cut], source),
        'end it with `"""`; what follows is not checked until then',
        labels,
    )


def _quotes(token: Token, source: Source) -> Span:
    """Return the place of the quotes that a documentation string begins with."""
    line, column = token.line or 1, token.column or 1
    return Span(source, line, column, line, column + 3)


def _close(lines: Lines) -> None:
    """End the line and the blocks that are open where a file was cut short."""
    if not lines.tokens:
        return
    depth = 0
    for token in lines.tokens:
        depth += {INDENT: 1, DEDENT: -1}.get(token.type, 0)
    last = lines.tokens[-1]
    if last.type not in {NEWLINE, INDENT, DEDENT}:
        lines.tokens.append(_empty(NEWLINE, last))
    lines.tokens.extend(_empty(DEDENT, last) for _ in range(depth))


def _empty(kind: str, after: Token) -> Token:
    line, column, position = after.end_line, after.end_column, after.end_pos
    return Token(kind, "", position, line, column, line, column, position)
