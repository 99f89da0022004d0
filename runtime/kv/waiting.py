"""What a node has sent to the leader, or has to send, and who waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runtime.kv.batch import Header
from runtime.kv.resp import Arguments, Failure, Reply
from runtime.kv.session import Turn


class Client(Protocol):
    """Who waits for the results of a turn: a connection, or another node."""

    def finish(self, turn: Turn, results: Sequence[Reply]) -> None:
        """Take the results of a turn's commands."""

    def fail(self, turn: Turn, error: Failure) -> None:
        """Learn that there are none."""


@dataclass(slots=True)
class Waiting:
    """Turns that are executed together, and where they have been sent; times are the loop's."""

    turns: list[tuple[Client, Turn]]
    deadline: float
    sent_to: str | None = None  # None: has to be sent
    sent_at: float = 0.0
    sent: bool = False  # ever


@dataclass(slots=True)
class Batch(Waiting):
    """Commands for the log, as one entry: `body`."""

    header: Header | None = None
    commands: list[Arguments] = field(default_factory=list)
    body: bytes = b""


@dataclass(slots=True)
class Read(Waiting):
    """Commands that only read."""

    index: int | None = None  # answer from there
