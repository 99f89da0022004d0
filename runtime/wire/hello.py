"""The handshake: both sides say who they are and what they run, before anything else.

The side that dials says hello, and the other one answers with its own or with a refusal. They talk
on only if they run the same version of the same spec, speak the same format, and each is the one
that the other one means.
"""

from __future__ import annotations

from typing import Final

import msgspec

from runtime.contract import NodeId
from runtime.wire.frames import HELLO, REFUSAL, FrameError, frame

FORMAT: Final = 1
"""The version of frames and handshake."""

LIMIT: Final = 4096
"""The largest frame of a handshake."""

_REASON: Final = 1000


class Hello(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a node says first; `spec` is the SHA-256 of the spec in hexadecimal digits."""

    format: int
    protocol: str
    spec: str
    sender: NodeId
    receiver: NodeId


_encode = msgspec.msgpack.Encoder().encode
_hello = msgspec.msgpack.Decoder(Hello).decode
_refusal = msgspec.msgpack.Decoder(str).decode


def encode_hello(hello: Hello) -> bytes:
    """Return the frame of a hello."""
    return frame(HELLO, _encode(hello))


def encode_refusal(reason: str) -> bytes:
    """Return the frame that refuses a hello."""
    return frame(REFUSAL, _encode(reason[:_REASON]))


def decode_handshake(kind: int, body: bytes) -> Hello | str:
    """Return the hello of a frame, or the reason of a refusal; `FrameError` if it is neither."""
    try:
        if kind == HELLO:
            return _hello(body)
        if kind == REFUSAL:
            return _refusal(body)[:_REASON]
    except (msgspec.DecodeError, ValueError) as error:
        raise FrameError(f"a malformed handshake: {error}") from None
    raise FrameError(f"a frame of kind {kind} before the handshake")


def objection(own: Hello, other: Hello) -> str | None:
    """Return why a node that would say `own` to this peer cannot talk to one that says `other`.

    None if it can. `own.receiver` is the peer that is meant; empty for any.
    """
    if other.format != own.format:
        return f"it speaks format {other.format}, this node {own.format}"
    if other.protocol != own.protocol:
        return f"it runs the protocol {other.protocol!r:.80}, this node {own.protocol}"
    if other.spec != own.spec:
        return (
            f"it runs another version of {own.protocol}: its spec has the hash "
            f"{other.spec!r:.80}, this node's {own.spec}"
        )
    if other.receiver != own.sender:
        return f"it means to talk to {other.receiver!r:.80}, and this node is {own.sender}"
    if own.receiver and other.sender != own.receiver:
        return f"it is {other.sender!r:.80}, where {own.receiver} was expected"
    return None
