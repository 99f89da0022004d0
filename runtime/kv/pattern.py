r"""Patterns of keys, as Redis has them: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before any byte.

Redis matches by trying every length for every star, which takes exponential time for patterns made
to take it. What a star stands for need only be revised for the last one, since an earlier star that
took more would leave less for the rest. So the time is at most that of pattern times key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

Token: TypeAlias = "frozenset[int] | None"
"""The bytes that one byte of a key may be; None is a star."""

_ANY: Final = frozenset(range(256))


def matcher(pattern: bytes) -> Callable[[bytes], bool]:
    """Return what tells whether a key matches `pattern`."""
    if pattern == b"*":
        return lambda key: True
    tokens = _tokens(pattern)
    return lambda key: _matches(tokens, key)


def _matches(tokens: tuple[Token, ...], key: bytes) -> bool:
    at, place = 0, 0  # in the tokens, in the key
    star, after = -1, 0  # the last star seen, and where in the key what it stands for ends
    size = len(tokens)
    while place < len(key):
        token = tokens[at] if at < size else _NOTHING
        if token is None:
            star, after = at, place
            at += 1
        elif key[place] in token:
            at += 1
            place += 1
        elif star >= 0:
            after += 1
            at, place = star + 1, after
        else:
            return False
    return all(token is None for token in tokens[at:])


_NOTHING: Final[frozenset[int]] = frozenset()


@lru_cache(maxsize=64)
def _tokens(pattern: bytes) -> tuple[Token, ...]:
    tokens: list[Token] = []
    at, end = 0, len(pattern)
    while at < end:
        byte = pattern[at]
        at += 1
        if byte == ord("*"):
            if not tokens or tokens[-1] is not None:
                tokens.append(None)
        elif byte == ord("?"):
            tokens.append(_ANY)
        elif byte == ord("["):
            members, at = _members(pattern, at)
            tokens.append(members)
        else:
            if byte == ord("\\") and at < end:
                byte = pattern[at]
                at += 1
            tokens.append(frozenset((byte,)))
    return tuple(tokens)


def _members(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """Read what stands between brackets; one that is not closed goes to the end."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members: set[int] = set()
    while at < len(pattern) and pattern[at] != ord("]"):
        if pattern[at] == ord("\\") and at + 1 < len(pattern):
            members.add(pattern[at + 1])
            at += 2
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.update(range(low, high + 1))
            at += 3
        else:
            members.add(pattern[at])
            at += 1
    return (_ANY - members if negated else frozenset(members)), at + 1
