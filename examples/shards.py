"""A sharded store whose shards move from server to server, while clients write and servers die.

Keys belong to shards, and the protocol moves key by key. Each server listens for clients: one JSON
array a line, `["put", key, value]`, `["get", key]` or `["move", shard, server]`, and one line for
an answer. It answers a put or get when the protocol has told it the outcome, so not before that is
durable. A client that asks the wrong server is told where the key has gone.

Each key has one writer, which writes ever greater numbers. So it knows what a read may find: its
last acknowledged number, or a later one that it has not been answered. It looks whenever its
connection broke. In the end each key must be served by exactly one server, with such a number.

    python examples/shards.py --seconds 10 --kills 6 --seed 1
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final

# A checkout will do; nothing of it has to be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import (
    ANYWHERE,
    DIRECTORY,
    Help,
    Killer,
    Points,
    crash_point,
    finish,
    parse,
    provided,
)
from runtime.cluster import Cluster
from runtime.host.application import Node

ROOT: Final = Path(__file__).resolve().parents[1]
POINTS: Final = {"Node": (ANYWHERE, "stored", "moved")}
FIRST: Final = "n1"
"""The server that has every key at first."""
PATIENCE: Final = 10.0
"""Of a client, in seconds; a connection to a process that dies breaks at once."""


def shard_of(key: str) -> str:
    """Return the shard of a key: what comes before the slash."""
    return key.partition("/")[0]


# --- what runs in the processes --------------------------------------------------------------


class Server:
    """The application of a node: answers clients."""

    async def start(self, node: Node) -> None:
        """Listen for clients."""
        self.node = node
        self.module: Any = node.module
        self.waiting: deque[asyncio.Future[Any]] = deque()
        assert node.clients_address is not None
        host, _, port = node.clients_address.rpartition(":")
        self.clients: set[asyncio.StreamWriter] = set()
        self.listener = await asyncio.start_server(self.serve, host, int(port))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client, until it or the server goes."""
        self.clients.add(writer)
        with suppress(ConnectionError, asyncio.CancelledError):
            while line := await reader.readline():
                await self.obey(json.loads(line), writer)
        self.clients.discard(writer)
        writer.close()

    async def obey(self, order: list[Any], writer: asyncio.StreamWriter) -> None:
        """Carry out one order and answer it."""
        answer: Any
        match order:
            case ["put", key, value]:
                answer = await self.ask(self.module.Put(key, value))
            case ["get", key]:
                answer = await self.ask(self.module.Get(key))
            case ["move", shard, server]:
                answer = await self.move(shard, server)
            case _:
                answer = ["error", "no such order"]
        self.reply(writer, answer)

    def reply(self, writer: asyncio.StreamWriter, answer: list[Any]) -> None:
        """Send an answer."""
        writer.write(json.dumps(answer).encode() + b"\n")

    async def ask(self, request: Any) -> list[Any]:
        """Return the outcome of a put or get.

        Each of them has exactly one output, and outputs come in the order of the requests.
        """
        outcome: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.waiting.append(outcome)
        self.node.request(request)
        return await outcome

    async def move(self, shard: str, server: str) -> list[Any]:
        """Hand over the keys of a shard that are here; return how many."""
        code: Any = self.node.code
        keys = [key for key, value in code.value.items() if value is not None]
        moves = [self.module.Move(key, server) for key in keys if shard_of(key) == shard]
        moved = await asyncio.gather(*map(self.node.request, moves))
        if any(moved):
            crash_point(self.node.id, "moved")
        return ["moved", sum(moved)]

    def output(self, output: Any) -> None:
        """Pass on an outcome; its step is durable."""
        if isinstance(output, self.module.Stored):
            crash_point(self.node.id, "stored")
            outcome = ["stored"]
        elif isinstance(output, self.module.Found):
            outcome = ["found", output.value]
        else:
            outcome = ["elsewhere", output.node]
        waiting = self.waiting.popleft()
        if not waiting.done():  # the client may have gone
            waiting.set_result(outcome)

    def received(self, peer: str, body: bytes) -> None:
        """Nothing comes from other servers but by the protocol."""

    async def stop(self) -> None:
        """Let the clients go."""
        self.listener.close()
        for writer in list(self.clients):
            writer.close()


# --- what drives and judges them -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """How much of what."""

    seconds: Annotated[float, Help("how long, at least")] = 10.0
    kills: Annotated[int, Help("how many processes to kill")] = 6
    servers: Annotated[int, Help("how many servers", 2)] = 3
    shards: Annotated[int, Help("how many shards", 1)] = 6
    clients: Annotated[int, Help("how many clients", 1)] = 6
    keys: Annotated[int, Help("how many keys each client writes", 1)] = 5
    seed: Annotated[int, Help("of what is drawn")] = 1
    data: Annotated[Path | None, Help("a new directory, to keep all data in")] = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; `problems` are all that was found wrong."""

    writes: int
    reads: int
    moved: int
    killed: str
    keys: int
    problems: tuple[str, ...]


class Connections:
    """Connections of one client, one a server."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._open: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def call(self, server: str, order: list[Any]) -> list[Any] | None:
        """Return a server's answer; None if it gave none, and then the connection is closed."""
        try:
            async with asyncio.timeout(PATIENCE):
                if server not in self._open:
                    address = self._cluster.clients(server)
                    self._open[server] = await asyncio.open_connection(address.host, address.port)
                reader, writer = self._open[server]
                writer.write(json.dumps(order).encode() + b"\n")
                if not (line := await reader.readline()).endswith(b"\n"):
                    raise ConnectionError("cut off")
        except OSError:  # as are a timeout and a broken connection
            self._cluster.check()
            if server in self._open:
                self._open.pop(server)[1].close()
            return None
        answer: list[Any] = json.loads(line)
        return answer

    async def close(self) -> None:
        """Close them all."""
        for _, writer in self._open.values():
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@dataclass(slots=True)
class Client:
    """The one writer of its keys. Of each key it knows the last number tried and acknowledged."""

    connections: Connections
    keys: list[str]
    where: dict[str, str] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    writes: int = 0
    reads: int = 0
    problems: list[str] = field(default_factory=list)

    async def run(self, random: Random, end: asyncio.Event) -> None:
        """Write and read until the end."""
        while not end.is_set():
            key = random.choice(self.keys)
            whole = await (self.put(key) if random.random() < 0.7 else self.get(key))
            if not whole:
                for each in self.keys:
                    await self.get(each)

    async def put(self, key: str) -> bool:
        """Write the next number; return whether no connection broke meanwhile."""
        number = self.tried[key] = self.tried.get(key, 0) + 1
        _, whole = await self.ask(key, ["put", key, number])
        self.stored[key] = number
        self.writes += 1
        return whole

    async def get(self, key: str) -> bool:
        """Read, and judge what is found; return whether no connection broke meanwhile."""
        answer, whole = await self.ask(key, ["get", key])
        self.reads += 1
        self.judge(key, answer[1], "a read found")
        return whole

    def judge(self, key: str, found: int | None, who: str) -> None:
        """Put down what is wrong with a value."""
        least, most = self.stored.get(key, 0), self.tried.get(key, 0)
        if not least <= (found or 0) <= most:
            self.problems.append(f"{who} {found} for {key}; {least} was acknowledged")

    async def ask(self, key: str, order: list[Any]) -> tuple[list[Any], bool]:
        """Ask whoever has the key, again and again; a number can be stored twice without harm."""
        whole = True
        while True:
            server = self.where.get(key, FIRST)
            answer = await self.connections.call(server, order)
            if answer is None:
                whole = False
                await asyncio.sleep(0.05)
            elif answer[0] == "elsewhere":
                self.where[key] = answer[1]
                await asyncio.sleep(0.005)  # it may be on its way
            else:
                return answer, whole


async def move(cluster: Cluster, options: Options, random: Random, end: asyncio.Event) -> int:
    """Move one shard after another until the end; return the number of keys that moved."""
    connections = Connections(cluster)
    moved = 0
    while not end.is_set():
        order = ["move", f"s{random.randrange(options.shards)}", random.choice(cluster.members)]
        for server in cluster.members:
            answer = await connections.call(server, order)
            moved += 0 if answer is None else answer[1]
        await asyncio.sleep(0.02)
    await connections.close()
    return moved


async def audit(cluster: Cluster, clients: list[Client]) -> list[str]:
    """Wait until no key is on its way; return what is wrong with where they are."""
    async with asyncio.timeout(30):
        while True:
            of = {server: await cluster.variables(server) for server in cluster.members}
            if not any(variables["leaving"] for variables in of.values()):
                break
            await asyncio.sleep(0.1)
    epochs = {server: dict(variables["epoch"]) for server, variables in of.items()}
    values = {server: dict(variables["value"]) for server, variables in of.items()}
    problems = []
    for client in clients:
        for key in client.keys:
            serving = [s for s in of if epochs[s].get(key, [0, FIRST])[1] == s]
            if len(serving) == 1:
                client.judge(key, values[serving[0]].get(key), f"{serving[0]} has in the end")
            else:
                problems.append(f"{key} is served by {serving or 'nobody'}")
        problems += client.problems
    return problems


async def run(
    options: Options,
    application: str = "examples.shards:Server",
    points: Points = POINTS,
    store: str | None = None,
) -> Outcome:
    """Run the cluster and judge it; raises `ClusterFailure` and `OSError`."""
    random, end = Random(options.seed), asyncio.Event()
    with provided(options.data) as directory:
        cluster = Cluster(
            ROOT / "generated" / "shard_transfer.py",
            {"Node": options.servers},
            data=directory / "cluster",
            app=application,
            store=store,
            trace=options.data is not None,
            environment={DIRECTORY: str(directory)},
        )
        async with cluster:
            clients = []
            for number in range(options.clients):
                names = [f"k{number}-{one}" for one in range(options.keys)]
                keys = [f"s{random.randrange(options.shards)}/{name}" for name in names]
                clients.append(Client(Connections(cluster), keys))
            killer = Killer(cluster, directory, points, Random(options.seed))
            began = time.monotonic()

            async def kill() -> None:
                span = options.seconds
                await killer.run(options.kills, lambda: (time.monotonic() - began) / span)
                await asyncio.sleep(max(0.0, began + span - time.monotonic()))
                end.set()

            mover = asyncio.create_task(move(cluster, options, random, end))
            await asyncio.gather(
                mover,
                kill(),
                *(client.run(Random(f"{options.seed} {client.keys}"), end) for client in clients),
            )
            for client in clients:
                await client.connections.close()
            problems = await audit(cluster, clients)
    return Outcome(
        sum(client.writes for client in clients),
        sum(client.reads for client in clients),
        mover.result(),
        killer.account(),
        sum(len(client.stored) for client in clients),
        tuple(problems),
    )


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return the exit code."""
    outcome = finish(run(parse(Options, __doc__, arguments)))
    print(
        f"{outcome.writes} writes acknowledged, {outcome.reads} reads; {outcome.moved} keys moved"
    )
    print(outcome.killed)
    for problem in outcome.problems:
        print("WRONG:", problem)
    if not outcome.problems:
        print(f"{outcome.keys} keys written: each is at exactly one server, with its last write")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
