"""Frames: how a stream of bytes is divided.

A frame is a length (4 bytes, big-endian: of all that follows), a kind (2 bytes, big-endian), and
a body. What a kind means and what its body is, others know; here it is only cut out, and never
more is kept of it than the limit allows. Nothing here knows of sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

DEFAULT_LIMIT: Final = 16 * 1024 * 1024
"""The largest frame, in bytes: what a node may have to keep of each peer before it can judge it."""

HELLO: Final = 0
REFUSAL: Final = 1
BYTES: Final = 2
FIRST_MESSAGE: Final = 16
"""Kinds: a handshake, its refusal, bytes of the application, and from here on the protocol's
messages in the order of the module's table."""

_HEADER: Final = Struct(">IH")
_pack_header = _HEADER.pack
_read_header = _HEADER.unpack_from
_HEADER_SIZE: Final = _HEADER.size
_KIND_SIZE: Final = 2


class FrameError(Exception):
    """Bytes that came are no frame, or a frame is not what it should be; the message says why."""


def frame(kind: int, body: bytes) -> bytes:
    """Return a frame."""
    return _pack_header(len(body) + _KIND_SIZE, kind) + body


class FrameReader:
    """Cuts frames out of a stream; `limit` is the most that a frame may have after its length."""

    __slots__ = ("_chunks", "_held", "_missing", "limit")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self._chunks: list[bytes] = []  # the start of a frame that is not complete
        self._held = 0  # their size
        self._missing = _HEADER_SIZE  # the frame, or its header, is not complete before that

    @property
    def pending(self) -> int:
        """The number of bytes of a frame that has begun; were the stream to end, it is truncated.

        0 between two frames.
        """
        return self._held

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield kind and body of each frame that is complete with `data`, the next bytes.

        Raises `FrameError` at a frame whose length is not possible. After that the stream makes
        no sense any more. The iterator has to be exhausted before the next call.
        """
        if self._held:
            self._chunks.append(data)
            self._held += len(data)
            if self._held < self._missing:
                return
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._held = 0
        position, end, limit = 0, len(data), self.limit
        missing = _HEADER_SIZE
        while end - position >= _HEADER_SIZE:
            length, kind = _read_header(data, position)
            if not _KIND_SIZE <= length <= limit:
                raise FrameError(f"a frame of {length} bytes; {_KIND_SIZE} to {limit} are possible")
            after = position + 4 + length
            if after > end:
                missing = 4 + length
                break
            yield kind, data[position + _HEADER_SIZE : after]
            position = after
        if position < end:
            self._chunks.append(data[position:] if position else data)
            self._held = end - position
            self._missing = missing
