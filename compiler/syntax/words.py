"""Words: which are reserved, and where a keyword is only a name.

The lexer knows a keyword by its letters alone. Most of the language's keywords are nevertheless
good names (`value`, `state`, `from`, `request`, `output` …) and a spec may use them: a keyword is
a name wherever the grammar has no place for the keyword, and, where it has a place for both,
wherever what follows shows it to be a name. Only `RESERVED` words are never names.

Two marks have two readings that a parser with one token of lookahead cannot tell apart; the
choice between them is made here, by looking further ahead: `{` of a comprehension, and `:`
before the sender's role in `on M from n: Role:`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from lark import Token


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


RESERVED = words(
    "and or not implies iff in is includes true false none some forall exists if elif else"
)
"""The words that are never names."""

DECLARATION_WORDS = words(
    "opaque ordered counter enum record message request output ask parameter quorum fact "
    "definition ghost safety invariant possible role"
)
ROLE_WORDS = words("durable const ghost timer state on")
STATEMENT_WORDS = words(
    "if elif else for let send reply broadcast become output pick arm disarm require assert assume"
)
OTHER_WORDS = words(
    "protocol owned by of single never crashes stops without after to initial from when where "
    "timeout start recover requested sent at total survives option set map"
)

WORD_TYPES = frozenset(
    word.upper()
    for word in (*DECLARATION_WORDS, *ROLE_WORDS, *STATEMENT_WORDS, *RESERVED, *OTHER_WORDS)
)
"""The token types of all keywords; Lark calls a keyword's token by the word in capitals."""

RESERVED_TYPES = frozenset(word.upper() for word in RESERVED)

# Before a name these begin an expression; before anything else they are names.
_PREFIXES = frozenset({"TOTAL", "SENT", "REQUESTED", "OUTPUT", "ASK"})

# These go on with a phrase that has begun, so a keyword before them is a name.
_LINKS = frozenset({"FROM", "TO", "AT", "WHEN", "WHERE", "SURVIVES"})

# What can follow a name in an expression or at the beginning of a line, but not a keyword that
# begins a declaration, a statement or an event.
_AFTER_NAMES = frozenset(
    {"ASSIGN", "ADD", "REMOVE", "DOT", "LSQB", "COLON", "COMMA", "RPAR", "RSQB", "RBRACE"}
    | {"EQUAL", "UNEQUAL", "LESS", "AT_MOST", "MORE", "AT_LEAST", "PLUS", "TIMES", "QUOTIENT"}
)

# Keywords that a colon does follow.
_BEFORE_COLON = frozenset({"START", "RECOVER", "SINGLE", "CRASHES", "STOPS"})

_BRACKETS = {"LPAR": 1, "LSQB": 1, "LBRACE": 1, "RPAR": -1, "RSQB": -1, "RBRACE": -1}


def can_be_name(token: Token) -> bool:
    """Whether a token is a name, or a keyword that can be one."""
    return token.type == "NAME" or (token.type in WORD_TYPES and token.type not in RESERVED_TYPES)


def is_name_here(tokens: Sequence[Token], index: int) -> bool:
    """Whether a keyword is a name by what follows it.

    Asked only where the grammar has a place for the keyword and for a name.
    """
    word = tokens[index].type
    follower = tokens[index + 1] if index + 1 < len(tokens) else None
    if word in RESERVED_TYPES or follower is None:
        return False
    begins_line = index > 0 and tokens[index - 1].type in {"_NEWLINE", "_INDENT", "_DEDENT"}
    if word in _PREFIXES and not begins_line:
        return not can_be_name(follower) or follower.type in _LINKS
    if word in {"REQUEST", "TIMEOUT", "START", "RECOVER"} and follower.type in {"LPAR", "FROM"}:
        return True
    if word in _BEFORE_COLON and follower.type == "COLON":
        return False
    return follower.type in _AFTER_NAMES


def opens_comprehension(tokens: Sequence[Token], index: int) -> bool:
    """Whether the `{` at `index` is that of `{x: T where e}`: its bracket has `where` in it."""
    depth = 0
    for token in tokens[index:]:
        depth += _BRACKETS.get(token.type, 0)
        if depth == 0 or token.type in {"_NEWLINE", "_INDENT", "_DEDENT"}:
            return False
        if depth == 1 and token.type == "WHERE":
            return True
    return False


def colon_before_role(tokens: Sequence[Token], index: int) -> bool:
    """Whether the `:` at `index` is the first of `on M from n: Role:` or `… n: Role when`."""
    around = tokens[max(index - 2, 0) : index + 3]
    if len(around) < 5 or around[0].type != "FROM":
        return False
    return (
        can_be_name(around[1])
        and can_be_name(around[3])
        and around[4].type in {"COLON", "WHEN", "_NEWLINE"}
    )


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate a misspelt word was probably meant to be, or None."""
    candidates = list(candidates)
    lower = word.lower()
    if lower in candidates:
        return lower
    matches = difflib.get_close_matches(lower, candidates, n=1, cutoff=0.72)
    return matches[0] if matches else None
