"""Replies as bytes: where one ends, and what of it may differ between two servers."""

from __future__ import annotations

import re

_NESTED = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2}
_BULK = (ord("$"), ord("="))


def end_of_reply(data: bytes, at: int = 0) -> int | None:
    """Return where the reply that begins at `at` ends; None if it is not complete."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, after = data[at], line + 2
    if kind in _BULK:
        size = int(data[at + 1 : line])
        end = after if size < 0 else after + size + 2
        return end if end <= len(data) else None
    for _ in range(max(int(data[at + 1 : line]), 0) * _NESTED[kind] if kind in _NESTED else 0):
        following = end_of_reply(data, after)
        if following is None:
            return None
        after = following
    return after


def split_replies(data: bytes) -> list[bytes]:
    """Return the replies that `data` is made of."""
    replies = []
    at = 0
    while at < len(data):
        end = end_of_reply(data, at)
        assert end is not None, f"not a whole reply: {data[at:]!r}"
        replies.append(data[at:end])
        at = end
    return replies


_FAR = re.compile(rb":[89][0-9]{10}(?:[0-9]{3})?\r\n")
"""How many seconds it is to a time that a program names: another number each second."""


def comparable(words: list[bytes], reply: bytes) -> bytes:
    """Return a reply without what servers may do as they like: the order of keys.

    And without the seconds until a time that does not depend on when the program runs.
    """
    name = words[0].upper()
    reply = _FAR.sub(b":far\r\n", reply)
    if name not in (b"KEYS", b"SCAN", b"EXEC") or not reply.startswith(b"*"):
        return reply
    head, _, rest = reply.partition(b"\r\n")
    if name == b"KEYS":
        return head + b"".join(sorted(split_replies(rest)))
    return head + b"".join([_sorted(part) for part in split_replies(rest)])


def _sorted(reply: bytes) -> bytes:
    """Return a reply with what is in its arrays sorted."""
    if not reply.startswith(b"*"):
        return reply
    head, _, rest = reply.partition(b"\r\n")
    return head + b"".join(sorted([_sorted(part) for part in split_replies(rest)]))
