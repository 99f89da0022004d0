"""Sequential models: what a service would answer if it did one operation at a time.

A model is a small pure object. Its states are hashable and compared by equality; nothing in
it knows of time or of clients.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol


class ModelError(Exception):
    """A history has an operation that the model does not know, or with wrong arguments."""


class SequentialModel(Protocol):
    """What the checker asks of a model.

    `reads` names the operations that change no state at all, in any state. (One that
    only happens to leave the present state as it is, such as writing the value that is there,
    is none of them: later it would change something.)
    """

    @property
    def initial(self) -> Hashable:
        """The state of one part before its first operation."""

    @property
    def reads(self) -> frozenset[str]:
        """The operations that never change the state."""

    def part(self, name: str, arguments: tuple[object, ...]) -> Hashable:
        """Return the part of the service that an operation speaks to.

        Parts are independent of each other: an operation reads and changes its own alone. A
        model that can't be divided returns the same for all.
        """

    def step(
        self, state: Hashable, name: str, arguments: tuple[object, ...]
    ) -> tuple[Hashable, object]:
        """Return the state after an operation and its result; raise ModelError."""


NOT_A_NUMBER = "not a number"
"""The result of `incr` where the value is no whole number; other results of it are numbers."""


class KeyValue:
    """A store of texts by key, each key a part of its own; a state is a text, or None.

    | operation | result |
    | --- | --- |
    | `get key` | the value, None if there is none |
    | `exists key` | whether there is a value |
    | `set key value` | True |
    | `setnx key value` | whether it was set: not where there is a value already |
    | `append key value` | the length after it |
    | `cas key old new` | whether `old` was the value, and was replaced |
    | `incr key by` | the number after it, or `NOT_A_NUMBER`; nothing counts as 0 |
    | `del key` | whether there was a value |
    """

    initial: Hashable = None
    reads = frozenset({"get", "exists"})

    def part(self, name: str, arguments: tuple[object, ...]) -> Hashable:
        """Return the key."""
        if not arguments:
            raise ModelError(f"`{name}` without a key")
        return arguments[0]

    def step(
        self, state: Hashable, name: str, arguments: tuple[object, ...]
    ) -> tuple[Hashable, object]:
        """Do one operation on the value of one key."""
        match name, arguments:
            case "get", (_,):
                return state, state
            case "set", (_, str(value)):
                return value, True
            case "append", (_, str(value)):
                appended = value if state is None else f"{state}{value}"
                return appended, len(appended)
            case "incr", (_, int(by)):
                try:
                    number = (0 if state is None else int(str(state))) + by
                except ValueError:
                    return state, NOT_A_NUMBER
                return str(number), number
            case "cas", (_, old, (str() | None) as new):
                return (new, True) if state == old else (state, False)
            case "del", (_,):
                return None, state is not None
            case "exists", (_,):
                return state, state is not None
            case "setnx", (_, str(value)):
                return (value, True) if state is None else (state, False)
            case _:
                raise ModelError(f"a key-value store has no `{name}` with {arguments!r}")
