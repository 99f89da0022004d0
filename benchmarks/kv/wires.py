"""The protocols that the load is made in: RESP, and gRPC as etcd's clients speak it.

Of HTTP/2 and gRPC there is only as much here as a load needs: headers without compression, windows
so large that they never fill, and of a response whether it carries a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

from benchmarks.kv.load import VALUE, LoadError, Operation


class Resp:
    """RESP2, with all values of one length."""

    def __init__(self) -> None:
        self._unit = 0  # bytes of a reply
        self._head = b""
        self._held = 0

    def greeting(self) -> bytes:
        """Return nothing."""
        return b""

    def requests(self, operation: Operation, keys: Sequence[bytes]) -> bytes:
        """Return commands."""
        if operation == "SET":
            self._head = b"+OK\r\n"
            self._unit = len(self._head)
            form = b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
            return b"".join([form % (len(key), key, len(VALUE), VALUE) for key in keys])
        self._head = b"$%d\r\n%b\r\n" % (len(VALUE), VALUE)
        self._unit = len(self._head)
        return b"".join([b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in keys])

    def feed(self, data: bytes) -> tuple[int, bytes]:
        """Take replies."""
        if self._held == 0 and data[:1] != self._head[:1]:
            raise LoadError(data[:200].decode("utf-8", "replace"))
        answered, self._held = divmod(self._held + len(data), self._unit)
        return answered, b""


_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_HIGHEST = 2**31 - 1


class Grpc:
    """Unary calls to etcd's service KV. Reads are linearizable, as is its default."""

    def __init__(self) -> None:
        self._stream = -1
        self._buffer = b""
        self._messages: set[int] = set()

    def greeting(self) -> bytes:
        """Return the preface, and windows for all there will ever be."""
        settings = pack(">HI", 4, _HIGHEST)
        return (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, settings)
            + _frame(_WINDOW, 0, 0, pack(">I", _HIGHEST - 65535))
        )

    def requests(self, operation: Operation, keys: Sequence[bytes]) -> bytes:
        """Return calls, each a stream of its own."""
        parts = []
        method = b"Put" if operation == "SET" else b"Range"
        headers = _headers(b"/etcdserverpb.KV/" + method)
        for key in keys:
            message = b"\n%c%b" % (len(key), key)
            if operation == "SET":
                message += b"\x12%c%b" % (len(VALUE), VALUE)
            self._stream += 2
            parts.append(_frame(_HEADERS, 4, self._stream, headers))
            body = pack(">BI", 0, len(message)) + message
            parts.append(_frame(_DATA, 1, self._stream, body))
        return b"".join(parts)

    def feed(self, data: bytes) -> tuple[int, bytes]:
        """Take frames."""
        data = self._buffer + data
        at = answered = 0
        replies = []
        while len(data) - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3], "big")
            if end > len(data):
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9], "big")
            if kind == _DATA:
                self._messages.add(stream)
            elif kind == _HEADERS and flags & 1:
                # An error has no message before its trailers.
                if stream not in self._messages:
                    raise LoadError(repr(data[at + 9 : end]))
                self._messages.discard(stream)
                answered += 1
            elif kind == _SETTINGS and not flags & 1:
                replies.append(_frame(_SETTINGS, 1, 0, b""))
            elif kind == _PING and not flags & 1:
                replies.append(_frame(_PING, 1, 0, data[at + 9 : end]))
            elif kind in (_RESET, _GOAWAY):
                raise LoadError(f"frame of kind {kind}: {data[at + 9 : end]!r}")
            at = end
        self._buffer = data[at:]
        return answered, b"".join(replies)


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + pack(">BBI", kind, flags, stream) + body


def _headers(path: bytes) -> bytes:
    """Return the header block of a call: static names, literal values, nothing to remember."""
    kind = b"application/grpc"
    return (
        b"\x83\x86"  # POST, http
        + b"\x04%c%b" % (len(path), path)
        + b"\x01\x09localhost"
        + b"\x0f\x10%c%b" % (len(kind), kind)
        + b"\x00\x02te\x08trailers"
    )
