"""Suggestions: which known name was probably meant by one that is not known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """Return "did you mean `x`?" for the candidate nearest to `name`, if one is near.

    Names that differ only in case count as nearest, since `acceptor` for `Acceptor` is the
    commonest slip and difflib finds short ones far apart.
    """
    names = list(dict.fromkeys(candidates))
    for candidate in names:
        if candidate.lower() == name.lower():
            return f"did you mean `{candidate}`?"
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def listing(names: Iterable[str]) -> str:
    """Return the names as "`a`, `b` and `c`"."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return ", ".join(quoted[:-1]) + " and " + quoted[-1]


def suggest_or_list(name: str, candidates: Iterable[str], what: str) -> str:
    """Return a suggestion, or else the list of the candidates; `what` is their plural."""
    names = list(candidates)
    if not names:
        return f"there are no {what} here"
    if len(names) == 1:
        return suggest(name, names) or f"there is only {listing(names)}"
    return suggest(name, names) or f"the {what} are {listing(names)}"


def snake_case(name: str) -> str:
    """Return `CanCommit` as `can_commit`."""
    parts = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()


def count_of(number: int, noun: str) -> str:
    """Return "1 field", "2 fields"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
