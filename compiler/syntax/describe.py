"""Tokens in the language's own words, for "expected …, found …"."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lark import Token

from compiler.syntax.automaton import END
from compiler.syntax.layout import DEDENT, INDENT, NEWLINE
from compiler.syntax.words import DECLARATION_WORDS, ROLE_WORDS, STATEMENT_WORDS, WORD_TYPES, words

_MARKS = {
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "LBRACE": "{",
    "RBRACE": "}",
    "_COMPREHENSION": "{",
    "COLON": ":",
    "_SENDER_COLON": ":",
    "COMMA": ",",
    "DOT": ".",
    "ASSIGN": ":=",
    "ADD": "+=",
    "REMOVE": "-=",
    "EQUAL": "=",
    "UNEQUAL": "!=",
    "LESS": "<",
    "AT_MOST": "<=",
    "MORE": ">",
    "AT_LEAST": ">=",
    "PLUS": "+",
    "MINUS": "-",
    "TIMES": "*",
    "QUOTIENT": "//",
}

_OTHERS = {
    "NAME": "a name",
    "INT": "a number",
    "DOC": "documentation",
    NEWLINE: "the end of the line",
    INDENT: "an indented body",
    DEDENT: "the end of the block",
    END: "the end of the file",
}

_EXPRESSION = frozenset(
    words(
        "NAME INT TRUE FALSE NONE LPAR LBRACE _COMPREHENSION SOME NOT MINUS FORALL EXISTS ASK "
        "TOTAL SENT REQUESTED OUTPUT"
    )
)
_OPERATORS = frozenset(
    words(
        "IFF IMPLIES OR AND NOT EQUAL UNEQUAL LESS AT_MOST MORE AT_LEAST IN INCLUDES IS SURVIVES "
        "PLUS MINUS TIMES QUOTIENT DOT LSQB LPAR"
    )
)

# A group of token types that begin one thing: what shows that it can stand here, what it
# covers, and what it is called.
_GROUPS: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (
        frozenset({"OPAQUE", "SAFETY"}),
        frozenset(w.upper() for w in DECLARATION_WORDS),
        "a declaration",
    ),
    (
        frozenset({"DURABLE", "TIMER", "ON"}),
        frozenset({"NAME", *(w.upper() for w in ROLE_WORDS)}),
        "a variable, timer, state or handler",
    ),
    (
        frozenset({"SEND", "BECOME"}),
        frozenset({*_EXPRESSION, *(w.upper() for w in STATEMENT_WORDS), "ELIF", "ELSE"}),
        "a statement",
    ),
    (frozenset({"TRUE", "NONE", "LPAR"}), _EXPRESSION, "an expression"),
    (
        frozenset({"OPTION", "SET", "MAP"}),
        frozenset({"NAME", "OPTION", "SET", "MAP", "LPAR"}),
        "a type",
    ),
    (
        frozenset({"START", "RECOVER"}),
        frozenset({"NAME", *words("REQUEST TIMEOUT START RECOVER")}),
        "a message, `request`, `timeout`, `start` or `recover`",
    ),
    (frozenset({"EQUAL", "AND"}), _OPERATORS, "an operator"),
    (frozenset({"PLUS", "AND"}), _OPERATORS, "an operator"),
    (
        frozenset({"ASSIGN", "ADD"}),
        frozenset(words("ASSIGN ADD REMOVE DOT LSQB LPAR")),
        "an assignment (`:=`, `+=` or `-=`)",
    ),
    (frozenset({"DOT", "LSQB"}), frozenset({"DOT", "LSQB"}), ""),
)

_ORDER = ["NAME", "COLON", "COMMA"]


def found(token: Token) -> str:
    """Say what a token is."""
    if token.type in _OTHERS and token.type not in {"NAME", "INT"}:
        return _OTHERS[token.type]
    return f"`{token}`"


def word_of(kind: str) -> str | None:
    """Return how a token type that has only one spelling is written."""
    if kind in WORD_TYPES:
        return kind.lower()
    return _MARKS.get(kind)


def expected(kinds: Collection[str]) -> str:
    """Say which tokens could stand at a place, most general first.

    >>> expected(["COLON", "WHEN", "FROM"])
    '`:`, `from` or `when`'
    """
    rest = {kind for kind in kinds if not kind.startswith("MISTAKE") and kind != "DOC"}
    parts: list[str] = []
    for signs, members, name in _GROUPS:
        if signs <= rest:
            rest -= members
            if name:
                parts.append(name)
    if parts or rest - {END, DEDENT}:
        rest -= {END, DEDENT}
    kinds_left = sorted(rest, key=lambda k: (k not in _ORDER, k))
    single = [f"`{word_of(k)}`" if word_of(k) else _OTHERS.get(k, k.lower()) for k in kinds_left]
    return either(list(dict.fromkeys([*parts, *single])))


def either(choices: Sequence[str]) -> str:
    """Join choices to `a, b or c`."""
    if len(choices) < 2:
        return "".join(choices)
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
