"""Python names for the names of a spec.

A name of a spec may be a Python keyword, hide something that the generated code needs, or
clash with another once both are written in Python's case. Every Python scope of a generated
module is a `Scope` here: it holds what is taken, and mends what clashes with trailing
underscores. Names are given out in source order, so the result depends on the spec alone, and
no two things of one scope share a name.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Hashable, Iterable
from pathlib import PurePath

from compiler.check.names import snake_case


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BUILTINS = _words(
    "all any bool dict enumerate float frozenset getattr int isinstance len list max min object"
    " repr set sorted str tuple type TypeError ValueError property super id self cls"
)
"""What the generated code uses or would be misread without; listed, since `dir(builtins)`
differs between versions of Python."""

IMPORTED = _words(
    "annotations enum Hashable Iterable Mapping dataclass ClassVar Final NamedTuple Never"
    " TypeAlias cast"
)

PRELUDE = _words(
    "PROTOCOL SPEC SPEC_SHA256 PROVED NO_ANSWERS NodeId Delivered Requested TimedOut Started"
    " Recovered Event Write Writes Persist Send Tell Arm Disarm Ask Effect Effects Answers"
    " broadcast persist note"
    " Message Request Output Timer Question Cluster ROLES CLUSTER_FIELDS MESSAGES"
    " REQUESTS OUTPUTS QUESTIONS TIMERS ENUMS RECORDS ORDEREDS SINGLE NEVER_CRASHES STOPS"
    " ANSWERS"
)
"""Names that are the same in every generated module."""

NODE = _words("id cluster durable step deliver request timeout start recover ROLE VARIABLES")
"""Attributes of every role class, and the parameters of its constructor."""

FIELD = _words("bool int tuple frozenset Hashable Mapping NodeId mro")
"""Names that the annotations of fields use, beside those of declared types; and `mro`, which
every class has, so that a dataclass takes it for a default."""

HANDLER = _words("self message request timer answers effects writes")
"""Names that the frame of a handler uses."""

FRAME = HANDLER | _words("sender event write answer entries entries_2 entries_3")
"""Local names of the methods that are not handlers; a class so called would be hidden there."""


class Scope:
    """The names taken in one Python scope."""

    def __init__(self, *taken: Iterable[str]) -> None:
        self._taken: set[str] = {name for names in taken for name in names}
        self._given: dict[Hashable, str] = {}

    @property
    def taken(self) -> frozenset[str]:
        """Everything that a new name must differ from."""
        return frozenset(self._taken)

    @property
    def given(self) -> dict[Hashable, str]:
        """Return the names given so far, by key."""
        return dict(self._given)

    def give(self, key: Hashable, *wanted: str) -> str:
        """Return the name of `key`: the first of `wanted` that is free, else a mended last."""
        if key in self._given:
            return self._given[key]
        candidates = [identifier(name) for name in wanted]
        name = next((name for name in candidates if self._free(name)), candidates[-1])
        while not self._free(name):
            name += "_"
        self._taken.add(name)
        self._given[key] = name
        return name

    def _free(self, name: str) -> bool:
        return name not in self._taken and not keyword.iskeyword(name)

    def __getitem__(self, key: Hashable) -> str:
        return self._given[key]


def identifier(name: str) -> str:
    """Return `name` as a public identifier in ASCII.

    Leading underscores go, since names with them are special to classes and enums.
    """
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name).lstrip("_")
    return plain if plain and not plain[0].isdigit() else f"x_{plain}"


def upper_case(name: str) -> str:
    """Return `CanCommit` as `CAN_COMMIT`."""
    return snake_case(name).upper()


def camel_case(name: str) -> str:
    """Return `can_commit` as `CanCommit`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def module_name(path: str) -> str:
    """Return the name of the module for the spec at `path`: `specs/paxos.accord` is `paxos`.

    A stem that is no identifier is mended. So is a keyword, and the name of a module of the
    standard library, which the generated module would hide from whatever stands beside it.
    """
    stem = re.sub(r"\W", "_", PurePath(path).name.removesuffix(".accord"), flags=re.ASCII)
    if not stem or stem[0].isdigit() or stem.startswith("__"):
        stem = f"protocol_{stem.lstrip('_')}".rstrip("_") if stem.strip("_") else "protocol"
    if keyword.iskeyword(stem) or stem in sys.stdlib_module_names:
        stem += "_"
    return stem
