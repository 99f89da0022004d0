"""A node as its driver sees it: the running code, what it made durable, and its timers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runtime.contract import Effects, Message, Module, NodeId, Role, Write


class Node:
    """One node.

    `up` is whether its code runs. `store` is all it has made durable, in order of the first
    write. `timers` maps each armed timer to the number of its event; an event with another
    number is stale. Of the faults that await it: `doomed`, to crash on the next event instead
    of handling it; `torn`, to crash in the next step between its durable writes and its other
    effects. `healthy` is that it is up and not doomed. `rate` is how much longer its clock
    takes for a second; nodes whose `side` differs do not hear each other.
    """

    __slots__ = (
        "_class",
        "_cluster",
        "_constants",
        "code",
        "deliver",
        "doomed",
        "healthy",
        "id",
        "rate",
        "request",
        "role",
        "side",
        "store",
        "timeout",
        "timers",
        "torn",
        "up",
    )

    code: Role
    deliver: Callable[[Any, NodeId], Effects | None]
    request: Callable[[Any], Effects | None]
    timeout: Callable[[Any], Effects | None]

    def __init__(
        self,
        module: Module,
        cluster: Any,
        id: NodeId,
        role: str,
        constants: Mapping[str, object],
    ) -> None:
        self.id = id
        self.role = role
        self._class = module.ROLES[role]
        self._cluster = cluster
        self._constants = constants
        self.store: dict[tuple[str, tuple[object, ...]], Write] = {}
        self.timers: dict[Message, int] = {}
        self.rate = 1.0
        self.side = 0
        self.boot()

    def boot(self) -> None:
        """Make the node's code from what is durable."""
        code: Role = self._class(self.id, self._cluster, self.store.values(), **self._constants)
        self.code = code
        self.deliver = code.deliver
        self.request = code.request
        self.timeout = code.timeout
        self.up = self.healthy = True
        self.doomed = self.torn = False

    def crash(self) -> None:
        """Lose everything but what is durable."""
        self.up = self.healthy = False
        self.doomed = self.torn = False
        self.timers.clear()
