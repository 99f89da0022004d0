"""RESP, the protocol of Redis clients: bytes in, commands out; replies in, bytes out. No sockets.

Requests are arrays of bulk strings, or inline commands (a line of words). A `Parser` takes bytes as
they arrive, in pieces of any size, and bounds whatever a client can make grow. Most requests come
whole, with arguments that hold no line break; those are cut by one `bytes.split` for all that
arrived, which takes about a microsecond a command. Everything else goes through the exact,
resumable way, whose work for a byte does not depend on what arrived before it.

A reply is data (`Reply`), so that what a command answers does not depend on the version of the
protocol that its client speaks: `encode` writes it as RESP2 or RESP3.

The format: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Arguments: TypeAlias = list[bytes]
"""A command: its name and its arguments."""


# --- replies -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple string: a status."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """An error: its code in capitals, then what it says."""

    text: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A text for people; a bulk string in RESP2."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """What nobody asked for; RESP3 tells it apart from replies."""

    parts: Sequence[Reply]


@dataclass(frozen=True, slots=True)
class NullArray:
    """The null that stands for an array: RESP2 has two nulls, RESP3 one."""


Reply: TypeAlias = (
    "bytes | int | float | bool | Simple | Failure | Verbatim | Push | NullArray"
    " | Sequence[Reply] | Mapping[bytes, Reply] | frozenset[bytes] | None"
)

OK: Final = Simple(b"OK")
QUEUED: Final = Simple(b"QUEUED")
NO_ARRAY: Final = NullArray()


def encode(reply: Reply, protocol: int) -> bytes:
    """Return the bytes of a reply in RESP2 or RESP3; `protocol` is 2 or 3."""
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if reply is OK:
        return b"+OK\r\n"
    if isinstance(reply, int) and not isinstance(reply, bool):
        return b":%d\r\n" % reply
    if reply is None:
        return b"$-1\r\n" if protocol == 2 else b"_\r\n"
    if isinstance(reply, list):
        parts = [encode(part, protocol) for part in reply]
        return b"*%d\r\n%b" % (len(parts), b"".join(parts))
    return _encode_rare(reply, protocol)


def _encode_rare(reply: Reply, protocol: int) -> bytes:
    match reply:
        case Simple(text=status):
            return b"+%b\r\n" % status
        case Failure(text=error):
            flat = error.replace("\r", " ").replace("\n", " ")
            return b"-%b\r\n" % flat.encode("utf-8", "surrogateescape")
        case NullArray():
            return b"*-1\r\n" if protocol == 2 else b"_\r\n"
        case bool():
            if protocol == 2:
                return b":%d\r\n" % reply
            return b"#t\r\n" if reply else b"#f\r\n"
        case float():
            number = repr(reply).encode()
            return encode(number, 2) if protocol == 2 else b",%b\r\n" % number
        case Verbatim(text=text):
            if protocol == 2:
                return encode(text, 2)
            return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text)
        case Push(parts=parts):
            return _many(b"*" if protocol == 2 else b">", parts, len(parts), protocol)
        case frozenset():
            return _many(b"*" if protocol == 2 else b"~", sorted(reply), len(reply), protocol)
        case Mapping():
            flat_pairs = [part for pair in reply.items() for part in pair]
            if protocol == 2:
                return encode(flat_pairs, 2)
            return _many(b"%", flat_pairs, len(reply), protocol)
        case Sequence():
            return encode(list(reply), protocol)
        case _:
            raise TypeError(f"{reply!r} is no reply")


def _many(mark: bytes, parts: Sequence[Reply], size: int, protocol: int) -> bytes:
    return b"%b%d\r\n%b" % (mark, size, b"".join([encode(part, protocol) for part in parts]))


# --- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may send: bytes of a line, of an argument, of a command; arguments of one."""

    line: int = 64 * 1024
    argument: int = 1024 * 1024
    arguments: int = 64 * 1024
    command: int = 4 * 1024 * 1024


_COUNTS: Final = {b"*%d" % n: n for n in range(1, 65)}
_SIZES: Final = {b"$%d" % n: n for n in range(1025)}


@dataclass(slots=True)
class Parser:
    """Requests out of the bytes of one client.

    `error` is what is wrong with the bytes, in Redis' words, once something is. It stands for good:
    where the next request begins is not known, so nothing that follows is read.
    """

    bounds: Bounds = field(default_factory=Bounds)
    error: str | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _wanted: int = 0  # with fewer bytes in the buffer there is nothing to do
    _arguments: Arguments = field(default_factory=list)  # of the command that has begun
    _left: int = 0  # how many more it has
    _size: int = 0  # bytes of the arguments
    _cuts: bool = field(init=False)  # no command that `_cut` takes is out of bounds

    def __post_init__(self) -> None:
        most, longest = len(_COUNTS), len(_SIZES) - 1
        bounds = self.bounds
        self._cuts = (
            bounds.arguments >= most
            and bounds.argument >= longest
            and bounds.command >= most * longest
        )

    def feed(self, data: bytes) -> list[Arguments]:
        """Take bytes as they arrived; return the commands that are complete now, in order."""
        commands: list[Arguments] = []
        if self.error is not None:
            return commands
        if not self._buffer and not self._left:
            data = self._cut(data, commands)
            if not data:
                return commands
        self._buffer += data
        try_to_cut = self._cuts
        while len(self._buffer) >= self._wanted and self._exact(commands):
            if try_to_cut:
                # What was in the way may have been one command; if not, one try was enough.
                before = len(commands)
                self._buffer[:] = self._cut(bytes(self._buffer), commands)
                try_to_cut = len(commands) > before
        return commands

    def _cut(self, data: bytes, commands: list[Arguments]) -> bytes:
        """Append the commands at the beginning of `data` that are plain; return what follows."""
        if not self._cuts:
            return data
        parts = data.split(b"\r\n")
        end = len(parts) - 1  # what is there was not ended by a line break
        at = 0
        while at < end:
            count = _COUNTS.get(parts[at])
            if count is None:
                break
            stop = at + 1 + 2 * count
            if stop > end:
                break
            arguments = parts[at + 2 : stop : 2]
            if list(map(_SIZES.get, parts[at + 1 : stop : 2])) != list(map(len, arguments)):
                break
            commands.append(arguments)
            at = stop
        return parts[end] if at == end else b"\r\n".join(parts[at:])

    def _exact(self, commands: list[Arguments]) -> bool:
        """Read the buffer up to the end of a command; False if it ends before, or is wrong."""
        buffer = self._buffer
        at = 0
        self._wanted = 0
        try:
            while at < len(buffer):
                if not self._left:
                    if buffer[at] != ord("*"):
                        at = self._inline(at, commands)
                        if at < 0:
                            return False
                        del buffer[:at]
                        return True
                    end = self._line(at, "too big mbulk count string")
                    if end < 0:
                        break
                    count = _number(buffer[at + 1 : end])
                    if count is None or count > self.bounds.arguments:
                        raise _Wrong("invalid multibulk length")
                    at = end + 2
                    if count > 0:
                        self._left = count
                        self._arguments = []
                        self._size = 0
                    continue
                if buffer[at] != ord("$"):
                    raise _Wrong(f"expected '$', got '{chr(buffer[at])}'")
                end = self._line(at, "too big bulk count string")
                if end < 0:
                    break
                size = _number(buffer[at + 1 : end])
                if size is None or size < 0 or size > self.bounds.argument:
                    raise _Wrong("invalid bulk length")
                self._size += size
                if self._size > self.bounds.command:
                    raise _Wrong("the command is too long")
                start = end + 2
                if len(buffer) < start + size + 2:
                    self._size -= size
                    self._wanted = start + size + 2 - at
                    break
                self._arguments.append(bytes(buffer[start : start + size]))
                self._left -= 1
                at = start + size + 2
                if not self._left:
                    commands.append(self._arguments)
                    del buffer[:at]
                    return True
        except _Wrong as wrong:
            self.error = f"ERR Protocol error: {wrong}"
            buffer.clear()
            return False
        del buffer[:at]
        return False

    def _line(self, at: int, error: str) -> int:
        """Return where the line ends that begins at `at`, -1 if it has not come yet."""
        end = self._buffer.find(b"\r", at, at + self.bounds.line)
        if end < 0 and len(self._buffer) - at >= self.bounds.line:
            raise _Wrong(error)
        return end if 0 <= end < len(self._buffer) - 1 else -1

    def _inline(self, at: int, commands: list[Arguments]) -> int:
        """Read a line of words; return where the next one begins, -1 if it has not come yet."""
        end = self._buffer.find(b"\n", at, at + self.bounds.line)
        if end < 0:
            if len(self._buffer) - at >= self.bounds.line:
                raise _Wrong("too big inline request")
            del self._buffer[:at]
            return -1
        line = bytes(self._buffer[at:end])
        words = split_words(line.removesuffix(b"\r"))
        if words is None:
            raise _Wrong("unbalanced quotes in request")
        if words:
            commands.append(words)
        return end + 1


class _Wrong(Exception):
    """The bytes are no request."""


def _number(text: bytes | bytearray) -> int | None:
    """Return the number that a length is, None if it is none."""
    if len(text) > 20 or not text.removeprefix(b"-").isdigit():
        return None
    return int(text)


_ESCAPES: Final = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}
_SPACE: Final = b" \n\r\t\v\f\0"
_HEX: Final = b"0123456789abcdefABCDEF"


def split_words(line: bytes) -> list[bytes] | None:
    r"""Return the words of an inline command, None if its quotes do not fit.

    Words in "..." may hold `\n`, `\r`, `\t`, `\b`, `\a`, `\xHH` and `\` before any byte that stands
    for itself; in '...' only `\'`. A closing quote ends its word.
    """
    words: list[bytes] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in _SPACE:
            at += 1
        if at == end:
            return words
        word = bytearray()
        quote = 0
        while True:
            if at >= end:
                if quote:
                    return None
                break
            byte = line[at]
            if quote == ord('"') and byte == ord("\\") and at + 1 < end:
                code = line[at + 2 : at + 4]
                if line[at + 1] == ord("x") and len(code) == 2 and all(c in _HEX for c in code):
                    word.append(int(code, 16))
                    at += 4
                    continue
                word += _ESCAPES.get(chr(line[at + 1]), line[at + 1 : at + 2])
                at += 2
                continue
            if quote == ord("'") and line[at : at + 2] == b"\\'":
                word += b"'"
                at += 2
                continue
            if quote:
                at += 1
                if byte != quote:
                    word.append(byte)
                    continue
                if at < end and line[at] not in _SPACE:
                    return None
                break
            if byte in _SPACE:
                break
            if byte in b"\"'":
                quote = byte
            else:
                word.append(byte)
            at += 1
        words.append(bytes(word))
