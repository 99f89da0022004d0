"""Batches: what clients sent to one node at one time, as one command of the log; each once.

A batch carries who made it and a number, and every replica remembers which have been applied. So
whoever does not know what became of one may send it again. What has to be remembered is bounded:
a batch also carries the lowest number that its maker may still send, and whatever lies below it
is settled, applied or not.

A maker is a node and its incarnation, a random number since its process started. Of each node, the
latest few incarnations are remembered. A batch of an older one could only come from a leader that
has held it back for as long, and its log would have been overwritten by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

import msgspec

from runtime.kv.resp import Arguments

REMEMBERED: Final = 4
"""Incarnations of each node."""

_HEADER: Final = Struct(">BQQQQ")  # length of the name, incarnation, number, floor, time
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[bytes]]).decode


class BatchError(ValueError):
    """Bytes are no batch."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who made a batch and which one it is; `time` is its maker's, in ms since 1970."""

    node: str
    incarnation: int
    number: int
    floor: int
    time: int


def pack(header: Header, commands: Sequence[Arguments]) -> bytes:
    """Return the bytes of a batch."""
    name = header.node.encode()
    head = _HEADER.pack(len(name), header.incarnation, header.number, header.floor, header.time)
    return head + name + _encode(commands)


def pack_commands(commands: Sequence[Arguments]) -> bytes:
    """Return the bytes of commands alone."""
    return _encode(commands)


def read_header(body: bytes) -> Header:
    """Return the header of a batch; raises `BatchError`."""
    if len(body) < _HEADER.size:
        raise BatchError("too short")
    size, incarnation, number, floor, time = _HEADER.unpack_from(body)
    try:
        name = body[_HEADER.size : _HEADER.size + size].decode()
    except UnicodeDecodeError as error:
        raise BatchError(str(error)) from None
    return Header(name, incarnation, number, floor, time)


def read_commands(body: bytes) -> list[Arguments]:
    """Return the commands of a batch; raises `BatchError`."""
    try:
        return _decode(memoryview(body)[_HEADER.size + body[0] :])
    except (msgspec.DecodeError, IndexError) as error:
        raise BatchError(str(error)) from None


@dataclass(slots=True)
class _Maker:
    floor: int = 0
    applied: set[int] = field(default_factory=set)  # of those from `floor` on


class Applied:
    """Which batches have been applied. The same on every replica."""

    def __init__(self) -> None:
        self._makers: dict[str, dict[int, _Maker]] = {}

    def add(self, header: Header) -> bool:
        """Note that a batch is applied now; False if it was before, or is settled."""
        incarnations = self._makers.setdefault(header.node, {})
        maker = incarnations.get(header.incarnation)
        if maker is None:
            maker = incarnations[header.incarnation] = _Maker()
            if len(incarnations) > REMEMBERED:
                del incarnations[next(iter(incarnations))]
        number = header.number
        if number < maker.floor or number in maker.applied:
            return False
        if header.floor > maker.floor:
            maker.floor = header.floor
            maker.applied = {one for one in maker.applied if one >= maker.floor}
        maker.applied.add(number)
        return True
