"""Runs as text, to compare them: two runs are the same exactly if their lines are.

The lines cover every record of a run, steps, effects, network and times, in an encoding that
does not depend on the order in which a set iterates. That order differs between processes, so
a run repeated in another process shows any place where it leaked into what the nodes did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import assert_never

from runtime.codec import Codec, Json
from runtime.contract import Message, Module, NodeId
from runtime.record import Delayed, Duplicated, Healed, Lost, Partitioned, Record, Taken
from runtime.schedule import encode_step
from runtime.simulator import Run


def encode_record(codec: Codec, record: Record) -> Json:
    """Return a record as JSON: the time in microseconds, the kind, and what it is about."""

    def about(kind: str, sender: NodeId, receiver: NodeId, message: Message) -> list[Json]:
        return [record.time, kind, sender, receiver, codec.encode_message(message)]

    match record:
        case Taken(time=time, step=step, effects=effects):
            done = None if effects is None else [codec.encode_effect(e) for e in effects]
            return [time, "step", encode_step(codec, step), done]
        case Lost(sender=sender, receiver=receiver, message=message, reason=reason):
            return [*about("lost", sender, receiver, message), reason]
        case Duplicated(sender=sender, receiver=receiver, message=message):
            return about("duplicated", sender, receiver, message)
        case Delayed(sender=sender, receiver=receiver, message=message):
            return about("delayed", sender, receiver, message)
        case Partitioned(time=time, side=side):
            return [time, "partitioned", list(side)]
        case Healed(time=time):
            return [time, "healed"]
        case _:
            assert_never(record)


def lines(module: Module, run: Run) -> tuple[str, ...]:
    """Return the records of a recorded run, one line each."""
    codec = Codec(module)
    return tuple(json.dumps(encode_record(codec, record)) for record in run.records)


def digest(texts: Iterable[str]) -> str:
    """Return a short digest of lines."""
    state = hashlib.blake2b(digest_size=8)
    for text in texts:
        state.update(text.encode() + b"\n")
    return state.hexdigest()
