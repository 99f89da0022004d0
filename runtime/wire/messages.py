"""The messages of a module as frames, and back.

A message is a frame whose kind is its place in the module's table, and whose body is the
MessagePack array of its fields. Two nodes that agree on the hash of the spec, which the handshake
makes sure of, agree on both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from runtime.contract import Message, Module, NodeId
from runtime.types import ClassShape, Shape, Types
from runtime.wire.frames import DEFAULT_LIMIT, FIRST_MESSAGE, FrameError, frame
from runtime.wire.values import Convert, fields, from_wire, to_wire, tuple_type, wire_type

_REASONS = (msgspec.DecodeError, ValueError, TypeError, RecursionError)
"""How a body can fail to decode; `msgspec.ValidationError` is a `DecodeError`."""

_encode = msgspec.msgpack.Encoder().encode


class MessageCodec:
    """Encodes and decodes the messages of `module` in a cluster of `nodes`.

    Frames of more than `limit` bytes are not made.
    """

    def __init__(
        self, module: Module, nodes: Sequence[NodeId], *, limit: int = DEFAULT_LIMIT
    ) -> None:
        types = Types(module)
        self.limit = limit
        self._encoders: dict[type, tuple[int, Convert]] = {}
        self._decoders: dict[int, Callable[[bytes], Message]] = {}
        for kind, class_ in enumerate(module.MESSAGES.values(), FIRST_MESSAGE):
            shape = types.of_class(class_)
            self._encoders[class_] = kind, fields(shape)
            self._decoders[kind] = _decoder(shape, nodes)

    def encode(self, message: Message) -> bytes:
        """Return the frame of a message; `FrameError` if it is larger than the limit."""
        kind, parts = self._encoders[type(message)]
        body = _encode(parts(message))
        if len(body) + 2 > self.limit:
            name = type(message).__name__
            raise FrameError(f"a message {name} of {len(body)} bytes; {self.limit} are possible")
        return frame(kind, body)

    def decode(self, kind: int, body: bytes) -> Message:
        """Return the message of a frame; `FrameError` if there is none such, or it is malformed."""
        decode = self._decoders.get(kind)
        if decode is None:
            raise FrameError(f"a frame of the unknown kind {kind}")
        try:
            return decode(body)
        except _REASONS as error:
            raise FrameError(f"a malformed frame of kind {kind}: {error}") from None


class Checker:
    """Says of values that come from the application whether they can go on the wire and the disk.

    It encodes and decodes them by the same types as messages are, so what passes is a value of
    `shape` that others will take.
    """

    def __init__(self, shape: Shape, nodes: Sequence[NodeId]) -> None:
        self._prepare = to_wire(shape) or _as_it_is
        self._decode = msgspec.msgpack.Decoder(wire_type(shape, nodes)).decode
        self._convert = from_wire(shape) or _as_it_is

    def problem(self, value: object, limit: int) -> str | None:
        """Return what is wrong with `value`, None if nothing is.

        `limit` is how many bytes it may have.
        """
        try:
            body = _encode(self._prepare(value))
            if len(body) > limit:
                return f"it has {len(body)} bytes; {limit} are possible"
            if self._convert(self._decode(body)) != value:
                return f"{value!r:.80} would come back as something else"
        except (*_REASONS, msgspec.EncodeError, OverflowError, AttributeError) as error:
            return str(error)
        return None


def _as_it_is(value: Any) -> Any:
    return value


def _decoder(shape: ClassShape, nodes: Sequence[NodeId]) -> Callable[[bytes], Message]:
    decode = msgspec.msgpack.Decoder(tuple_type(shape.parts, nodes)).decode
    make: Callable[..., Message] = shape.make
    needed = [
        (index, convert)
        for index, part in enumerate(shape.parts)
        if (convert := from_wire(part)) is not None
    ]
    if not needed:
        return lambda body: make(*decode(body))

    def converting(body: bytes) -> Message:
        values = list(decode(body))
        for index, convert in needed:
            values[index] = convert(values[index])
        return make(*values)

    return converting
