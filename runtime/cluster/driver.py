"""What a test may do to a cluster, whether its nodes are processes or simulated.

A test body that takes a `Driver` runs on both: quick and repeatable on the simulator, in earnest
on processes, disks and sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.contract import Message, Module, NodeId


class NodeDown(Exception):
    """A node was asked something and is not up, or went down before it had answered."""


@dataclass(frozen=True, slots=True)
class Told:
    """An output of the spec, and the node that told it."""

    node: NodeId
    output: Message


class Driver(Protocol):
    """A cluster that is up."""

    @property
    def module(self) -> Module:
        """The generated module: its classes are those of requests and outputs."""

    @property
    def members(self) -> Sequence[NodeId]:
        """All nodes, in order."""

    @property
    def outputs(self) -> Sequence[Told]:
        """All outputs so far; of each node in order, through all its lives.

        Of outputs that came just before a crash some may be missing, as they are for an
        application: it dies with its node.
        """

    async def request(self, node: NodeId, request: Message) -> bool:
        """Give a request of the spec to a node; return whether a handler took it.

        The step is durable when this returns. Raises `NodeDown`.
        """

    async def answer(self, node: NodeId, name: str, answer: object) -> None:
        """Have a node's application answer so to the question `name`, from now on."""

    async def variables(self, node: NodeId) -> dict[str, Any]:
        """Return a node's variables by their names in the spec, as JSON; raises `NodeDown`.

        Values are encoded as in a schedule; a set is a list, a map a list of pairs.
        """

    async def kill(self, node: NodeId) -> None:
        """Crash a node, whatever it is doing."""

    async def restart(self, node: NodeId) -> None:
        """Start a node that is down, with what it had made durable."""

    async def partition(self, groups: Iterable[Iterable[NodeId]]) -> None:
        """Let nodes of different groups hear nothing of each other; the rest is a group too."""

    async def heal(self) -> None:
        """Undo all partitions."""

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Let the cluster run until the condition holds, or raise `TimeoutError`.

        The condition is evaluated again and again, at least whenever there is a new output. The
        time is that of the cluster: virtual on the simulator.
        """

    async def sleep(self, seconds: float) -> None:
        """Let the cluster run for some time of its own."""
