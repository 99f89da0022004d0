"""Commands that one node executes for another, and their replies, as MessagePack.

A node only reads for another one what it is sure only reads; the rest is for the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.kv.execution import only_reads
from runtime.kv.resp import NO_ARRAY, OK, Arguments, Failure, Reply, Simple

_encode = msgspec.msgpack.Encoder().encode
_decode_commands = msgspec.msgpack.Decoder(list[list[bytes]]).decode
_decode_replies = msgspec.msgpack.Decoder(list[Any]).decode


def read_reads(body: bytes) -> list[Arguments]:
    """Return commands that only read; raises `ValueError` if the bytes are none."""
    commands = _decode_commands(body)
    if not all(map(only_reads, commands)):
        raise ValueError("a command that may write, among reads")
    return commands


def pack_replies(replies: Sequence[Reply]) -> bytes:
    """Return the bytes of the replies of commands on keys."""
    return _encode(replies)


def read_replies(body: bytes) -> list[Reply]:
    """Return replies from `pack_replies`; raises `ValueError` if the bytes are none."""
    return [_reply(part) for part in _decode_replies(body)]


def _reply(part: Any) -> Reply:
    match part:
        case None | bytes() | int():
            return part
        case list():
            return [_reply(inner) for inner in part]
        case {"text": b"OK"}:
            return OK
        case {"text": bytes(status)}:
            return Simple(status)
        case {"text": str(error)}:
            return Failure(error)
        case {} if not part:
            return NO_ARRAY
        case _:
            raise ValueError(f"{part!r:.80} is no reply")
