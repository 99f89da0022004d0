"""A load of clients that each send some requests, wait for all their replies, and send the next.

One process makes the load for every system, with as little work for a request as it can: what is
sent was encoded before, and of what comes back only as much is looked at as tells a reply from an
error. `Wire` is what differs from system to system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast

Address: TypeAlias = tuple[str, int]
Operation: TypeAlias = Literal["SET", "GET"]

T = TypeVar("T")
KEYS = 1000
VALUE = b"v" * 64


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the fastest loop there is: the load should cost as little as it can."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


class LoadError(Exception):
    """A system has answered by an error, or not at all."""


class Wire(Protocol):
    """One connection's side of a protocol."""

    def greeting(self) -> bytes:
        """Return what is sent first."""

    def requests(self, operation: Operation, keys: Sequence[bytes]) -> bytes:
        """Return the bytes of requests, one for each key."""

    def feed(self, data: bytes) -> tuple[int, bytes]:
        """Take bytes; return how many requests they answer, and what is to be sent at once."""


class MakeWire(Protocol):
    """Makes the side of one connection."""

    def __call__(self) -> Wire:
        """Make one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests a second, and how long one took, in seconds: the median and the 99th percentile."""

    rate: float
    median: float
    slow: float


class _Client(asyncio.Protocol):
    def __init__(
        self, wire: Wire, operation: Operation, pipeline: int, random: Random, end: float
    ) -> None:
        self.wire = wire
        self.operation = operation
        self.pipeline = pipeline
        self.random = random
        self.end = end
        self.taken: list[float] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.wire.greeting())
        self.send()

    def send(self) -> None:
        keys = [b"key:%d" % self.random.randrange(KEYS) for _ in range(self.pipeline)]
        data = self.wire.requests(self.operation, keys)
        self.left = self.pipeline
        self.began = perf_counter()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        try:
            answered, reply = self.wire.feed(data)
        except LoadError as error:
            self.fail(error)
            return
        if reply:
            self.transport.write(reply)
        self.left -= answered
        if self.left == 0:
            now = perf_counter()
            self.taken.append(now - self.began)
            if now < self.end:
                self.send()
            elif not self.finished.done():
                self.finished.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(LoadError("the connection was lost"))

    def fail(self, error: Exception) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)


async def measure(
    address: Address,
    make_wire: MakeWire,
    operation: Operation,
    clients: int,
    pipeline: int,
    seconds: float,
) -> Measured:
    """Let that many clients, with that many requests each at a time, work for some seconds."""
    loop = asyncio.get_running_loop()
    began = perf_counter()
    members = []
    for number in range(clients):
        _, client = await loop.create_connection(
            lambda number=number: _Client(  # type: ignore[misc]
                make_wire(), operation, pipeline, Random(number), began + seconds
            ),
            *address,
        )
        members.append(client)
    try:
        async with asyncio.timeout(seconds + 60):
            await asyncio.gather(*(client.finished for client in members))
    finally:
        for client in members:
            if not client.finished.done():
                client.finished.cancel()
            client.transport.abort()
    took = perf_counter() - began
    times = sorted(time for client in members for time in client.taken)
    return Measured(
        len(times) * pipeline / took, times[len(times) // 2], times[len(times) * 99 // 100]
    )


async def fill(address: Address, make_wire: MakeWire) -> None:
    """Write all keys once."""

    class Filler(_Client):
        def send(self) -> None:
            keys = [b"key:%d" % number for number in range(KEYS)]
            self.left = KEYS
            self.began = perf_counter()
            for at in range(0, KEYS, 50):
                self.transport.write(self.wire.requests("SET", keys[at : at + 50]))

    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Filler(make_wire(), "SET", KEYS, Random(0), 0.0), *address
    )
    try:
        async with asyncio.timeout(60):
            await client.finished
    finally:
        client.transport.abort()


async def first_write(addresses: Sequence[Address], make_wire: MakeWire, patience: float) -> float:
    """Return the seconds until a write is accepted, by whichever node.

    One is tried on a new connection every 10 ms, at one node after the other, since one that was
    sent before there is a leader may be lost for long.
    """
    loop = asyncio.get_running_loop()
    began = perf_counter()
    attempts: set[asyncio.Task[None]] = set()

    async def attempt(address: Address) -> None:
        _, client = await loop.create_connection(
            lambda: _Client(make_wire(), "SET", 1, Random(0), 0.0), *address
        )
        try:
            await client.finished
        finally:
            if not client.finished.done():
                client.finished.cancel()
            client.transport.abort()

    number = 0
    try:
        while perf_counter() - began < patience:
            attempts.add(asyncio.create_task(attempt(addresses[number % len(addresses)])))
            number += 1
            done, attempts = await asyncio.wait(
                attempts, timeout=0.01, return_when=asyncio.FIRST_COMPLETED
            )
            if any(task.exception() is None for task in done):
                return perf_counter() - began
        raise LoadError(f"no write was accepted within {patience} s")
    finally:
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
