"""Records: what happened in a run, in order, as data.

The steps among the records are a schedule; the others say what the network did, which a
reader wants to know and a replay need not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, Union

from runtime.contract import Message, NodeId
from runtime.step import Step


@dataclass(frozen=True, slots=True)
class Taken:
    """A step; `effects` is None where a handler's node ignored it. Times in microseconds."""

    time: int
    step: Step
    effects: tuple[object, ...] | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A message was lost.

    `loss`: by the network; `partition`: its nodes were on different sides when it was sent;
    `down`: the receiver was down when it arrived; `crash`: the sender crashed before it left.
    """

    time: int
    sender: NodeId
    receiver: NodeId
    message: Message
    reason: Literal["loss", "partition", "down", "crash"]


@dataclass(frozen=True, slots=True)
class Duplicated:
    """The network will deliver a message twice."""

    time: int
    sender: NodeId
    receiver: NodeId
    message: Message


@dataclass(frozen=True, slots=True)
class Delayed:
    """The network holds a message back for much longer than the usual latency."""

    time: int
    sender: NodeId
    receiver: NodeId
    message: Message


@dataclass(frozen=True, slots=True)
class Partitioned:
    """The nodes fell into two sides that do not hear each other; `side` is one of them."""

    time: int
    side: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Healed:
    """The partition is over."""

    time: int


Record: TypeAlias = Union[Taken, Lost, Duplicated, Delayed, Partitioned, Healed]


def steps_of(records: Iterable[Record]) -> tuple[Step, ...]:
    """Return the steps among the records: a schedule of the run."""
    return tuple(record.step for record in records if isinstance(record, Taken))
