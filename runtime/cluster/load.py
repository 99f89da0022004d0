"""Load for the key-value service: Redis clients that write down what they did and were told.

Each client does one operation at a time on a random key, at a node of its own choice, and goes to
another when that one fails it. What an operation without an answer came to is unknown, and it is
written down so. Values are unlike each other, so that a read says which write it has seen.

Keys are used for a while and then left for others: a key's history stays short, and it can be
decided whether it is linearizable. Every fourth operation writes a key that nobody else ever
writes; all of those that were acknowledged have to be there in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from runtime.cluster.layout import CLIENT
from runtime.contract import NodeId
from runtime.history.recorder import Recorder
from runtime.host.config import Address, TlsFiles

_ANSWER_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.05
_NOT_EXECUTED: Final = "CLUSTERDOWN"
FINAL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """`clients` at once, each waiting about `clients / rate` seconds between operations.

    A key is one of `keys`, and is left for another after about `operations` operations on it.
    Values have up to `size` letters more than they need: with much on its way, messages are lost
    when a connection breaks.
    """

    clients: int = 8
    rate: float = 200.0
    keys: int = 12
    operations: int = 150
    size: int = 0


class Load:
    """The clients of a cluster whose nodes listen at `addresses`."""

    def __init__(
        self,
        addresses: Mapping[NodeId, Address],
        seed: int,
        options: LoadOptions,
        tls: TlsFiles | None = None,
    ) -> None:
        self.recorder = Recorder()
        self.acknowledged: dict[str, str] = {}
        """The keys that are written once, whose writes were acknowledged."""
        self.errors: dict[str, int] = {}
        self.keys: dict[str, None] = {}
        """The other keys."""
        self._addresses = list(addresses.values())
        self._seed = seed
        self._options = options
        self._tls = tls
        self._count = 0
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Let all clients work until `stop`."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._options.clients + 1):
                group.create_task(self._client(f"c{number}", Random(f"{self._seed}:c{number}")))

    def stop(self) -> None:
        """Let the clients end after the operation that each is doing."""
        self._ending.set()

    async def _client(self, name: str, random: Random) -> None:
        written = 0
        redis: Any = None
        try:
            while not self._ending.is_set():
                if redis is None:
                    redis = await self._connect(random.choice(self._addresses))
                    if redis is None:
                        await asyncio.sleep(_PAUSE_SECONDS)
                        continue
                written += 1
                value = f"{name}.{written}" + "." * random.randint(0, self._options.size)
                if not await self._operate(redis, name, value, random):
                    await _close(redis)
                    redis = None
                pause = random.expovariate(self._options.rate / self._options.clients)
                await asyncio.sleep(min(pause, 1.0))
        finally:
            await _close(redis)

    async def _connect(self, address: Address) -> Any:
        """Return a client with a connection; None if the node has none for it.

        It connects now, so that an operation is not begun that cannot be.
        """
        redis: Any = client(address, self._tls)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await redis.initialize()
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            await _close(redis)
            return None
        return redis

    async def _operate(self, redis: Any, name: str, value: str, random: Random) -> bool:
        """Do an operation; return whether the connection can be used again."""
        if random.random() < 0.25:
            key, operation, arguments = f"once:{value.rstrip('.')}", "set", (value,)
        else:
            key, operation, arguments = self._choose(value, random)
            self.keys[key] = None
        with self.recorder.operation(name, operation, key, *arguments) as recording:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    result = await OPERATIONS[operation](redis, key, *arguments)
            except ResponseError as error:
                if str(error).startswith(_NOT_EXECUTED):
                    recording.never_sent()
                self._failed(error)
                return True
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error)
                return False
            recording.returned(result)
        if key.startswith("once:"):
            self.acknowledged[key] = value
        return True

    def _choose(self, value: str, random: Random) -> tuple[str, str, tuple[Any, ...]]:
        options = self._options
        self._count += 1
        age = self._count // (options.keys * options.operations)
        kind, operations = random.choice(_KINDS)
        key = f"{kind}{age}.{random.randrange(options.keys // len(_KINDS) or 1)}"
        operation = random.choice(operations)
        match operation:
            case "set" if kind == "number":
                return key, operation, (str(random.randrange(1000)),)
            case "set" | "setnx" | "append":
                return key, operation, (value,)
            case "incr":
                return key, operation, (random.randrange(1, 10),)
            case _:
                return key, operation, ()

    def _failed(self, error: BaseException) -> None:
        text = type(error).__name__
        if isinstance(error, ResponseError):
            text = str(error).split(" ", 1)[0]
        self.errors[text] = self.errors.get(text, 0) + 1

    # --- the end -------------------------------------------------------------------------------

    async def read_all(self) -> dict[str, str]:
        """Read every key once more, the nodes taking turns; return what is not as acknowledged.

        For each such key, what is there instead. The reads of keys that several clients wrote go
        into the history. Raises `TimeoutError` if the cluster does not answer any more.
        """
        wrong: dict[str, str] = {}
        names = [*self.keys, *self.acknowledged]
        async with asyncio.timeout(FINAL_SECONDS + len(names) / 500):
            for number, key in enumerate(self.keys):
                await self._read(number, key)
            many = list(self.acknowledged.items())
            for start in range(0, len(many), 100):
                part = many[start : start + 100]
                found = await self._read_many(start, [key for key, _ in part])
                for (key, value), there in zip(part, found, strict=True):
                    if there != value:
                        wrong[key] = repr(there)
        return wrong

    async def _read(self, number: int, key: str) -> None:
        with self.recorder.operation("reader", "get", key) as recording:
            recording.returned(await self._patiently(number, lambda redis: redis.get(key)))

    async def _read_many(self, number: int, keys: Sequence[str]) -> list[str | None]:
        found: list[str | None] = await self._patiently(number, lambda redis: redis.mget(keys))
        return found

    async def _patiently(self, number: int, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        """Ask until there is an answer: a read can be asked again."""
        while True:
            address = self._addresses[number % len(self._addresses)]
            number += 1
            redis = await self._connect(address)
            if redis is not None:
                try:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        return await ask(redis)
                except (RedisError, OSError, TimeoutError) as error:
                    self._failed(error)
                finally:
                    await _close(redis)
            await asyncio.sleep(_PAUSE_SECONDS)


_KINDS: Final = (
    ("text", ("get", "get", "set", "setnx", "del", "exists")),
    ("list", ("get", "append", "append", "del")),
    ("number", ("get", "incr", "incr", "set")),
)


async def _get(redis: Any, key: str) -> Any:
    return await redis.get(key)


async def _set(redis: Any, key: str, value: str) -> Any:
    return await redis.set(key, value)


async def _setnx(redis: Any, key: str, value: str) -> Any:
    return bool(await redis.set(key, value, nx=True))


async def _append(redis: Any, key: str, value: str) -> Any:
    return await redis.append(key, value)


async def _incr(redis: Any, key: str, by: int) -> Any:
    return await redis.incrby(key, by)


async def _delete(redis: Any, key: str) -> Any:
    return bool(await redis.delete(key))


async def _exists(redis: Any, key: str) -> Any:
    return bool(await redis.exists(key))


OPERATIONS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "get": _get,
    "set": _set,
    "setnx": _setnx,
    "append": _append,
    "incr": _incr,
    "del": _delete,
    "exists": _exists,
}
"""The operations by their names in `runtime.history.model.KeyValue`."""


def client(address: Address, tls: TlsFiles | None = None) -> Any:
    """Return a Redis client that tries nothing twice: what is not answered may have been done."""
    options: dict[str, Any] = {}
    if tls is not None:
        options = {
            "ssl": True,
            "ssl_ca_certs": str(tls.ca),
            "ssl_certfile": str(tls.certificate(CLIENT)),
            "ssl_keyfile": str(tls.key(CLIENT)),
        }
    return Redis(
        host=address.host,
        port=address.port,
        decode_responses=True,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=_ANSWER_SECONDS,
        **options,
    )


async def _close(redis: Any) -> None:
    if redis is not None:
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await redis.aclose()
