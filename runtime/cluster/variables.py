"""A node's variables as JSON, and in short for a table."""

from __future__ import annotations

import enum
from typing import Any

from runtime.codec import Codec
from runtime.contract import Role


def variables(codec: Codec, code: Role) -> dict[str, Any]:
    """Return a node's variables by their names in the spec, encoded by `codec`.

    Sets are lists in a fixed order, maps lists of pairs. `state` is that of the role, if its
    spec gives it any.
    """
    found = {
        name: encode_variable(codec, getattr(code, attribute))
        for name, attribute in type(code).VARIABLES.items()
    }
    state = getattr(code, "state", None)
    if isinstance(state, enum.Enum):
        found["state"] = state.value
    return found


def encode_variable(codec: Codec, value: Any) -> Any:
    """Return a variable's value as JSON."""
    if isinstance(value, dict):
        return [[codec.encode(key), encode_variable(codec, part)] for key, part in value.items()]
    if isinstance(value, list):
        return [encode_variable(codec, part) for part in value]
    return codec.encode(value)


LONGEST = 14


def brief(code: Role, codec: Codec) -> dict[str, str]:
    """Return a node's variables in a few letters each; of sets and maps, the number of entries.

    The state is left out: it has a place of its own.
    """
    return {
        name: short(codec, getattr(code, attribute))
        for name, attribute in type(code).VARIABLES.items()
        if name != "state"
    }


def short(codec: Codec, value: Any) -> str:
    """Return a value in `LONGEST` letters at most."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case enum.Enum():
            text = str(value.value)
        case dict() | set() | frozenset() | list():
            return f"#{len(value)}"
        case tuple() if hasattr(value, "_fields"):
            text = ".".join(str(part) for part in value if part != "")
        case str() | int() | float():
            text = str(value)
        case bytes():
            return f"{len(value)} bytes"
        case _:
            text = str(codec.encode(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
