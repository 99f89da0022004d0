"""What comes on a connection that should not: it ends that connection, and nothing else."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
import pytest

from runtime.host.config import Address
from runtime.host.host import Host, Options
from runtime.host.logs import node_logger
from runtime.host.peers import Limits, Peer
from runtime.host.statistics import Statistics
from runtime.wire.frames import BYTES, FIRST_MESSAGE, HELLO, REFUSAL, FrameReader, frame
from runtime.wire.hello import FORMAT, Hello, decode_handshake, encode_hello, encode_refusal
from runtime.wire.messages import MessageCodec
from tests.host.applications import Recorder, eventually
from tests.host.clusters import configure
from tests.host.modules import generated

PAXOS = generated("paxos")
SIZES = {"Proposer": 1, "Acceptor": 2, "Learner": 1}
NODES = ("p1", "a1", "a2", "l1")
ENCODE = msgspec.msgpack.Encoder().encode
CODEC = MessageCodec(PAXOS, NODES)
HELLO_FROM_A1 = Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "a1", "p1")
PREPARE = CODEC.encode(PAXOS.Prepare(PAXOS.Ballot(1, "p1")))


@asynccontextmanager
async def one_node(directory: Path, **options: Any) -> AsyncIterator[tuple[Host, Recorder]]:
    """Run `p1`, which all others dial; the test plays the others."""
    config, sockets = configure(PAXOS, SIZES)
    for id in ("a1", "a2", "l1"):
        sockets[id].close()
    app = Recorder()
    async with Host(
        PAXOS,
        "p1",
        config,
        directory,
        app,
        listener=sockets["p1"],
        options=Options(**options),
        logger=node_logger("p1", "error"),
    ) as host:
        yield host, app


async def dial(host: Host) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", host.config.address.port)


async def greet(host: Host, hello: Hello = HELLO_FROM_A1) -> tuple[Any, asyncio.StreamWriter]:
    """Connect as `a1`, and return once the node has said hello."""
    reader, writer = await dial(host)
    writer.write(encode_hello(hello))
    header = await reader.readexactly(4)
    await reader.readexactly(int.from_bytes(header, "big"))
    return reader, writer


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the node closes."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


STRANGE = {
    "unknown kind": frame(9, b""),
    "unknown message": frame(FIRST_MESSAGE + 99, b"\x90"),
    "late hello": encode_hello(HELLO_FROM_A1),
    "late refusal": frame(REFUSAL, ENCODE("no")),
    "not MessagePack": frame(FIRST_MESSAGE, b"\xc1"),
    "wrong type": frame(FIRST_MESSAGE, ENCODE(["x"])),
    "too much": PREPARE[:3] + bytes([PREPARE[3] + 1]) + PREPARE[4:] + b"\0",
    "too large": (1 << 30).to_bytes(4, "big") + b"\0\0",
    "too small": b"\0\0\0\1\0\0",
    "random bytes": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_frame_that_is_none_closes_its_connection_alone(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with one_node(tmp_path) as (host, app):
            reader, writer = await greet(host)
            _, other_writer = await greet(
                host, Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "a2", "p1")
            )
            writer.write(PREPARE + STRANGE[name] + PREPARE)
            await closed(reader)
            assert host.statistics.refused == {"frame": 1}
            assert host.statistics.received["a1"] == 1  # what came before was good
            other_writer.write(frame(BYTES, b"still here"))
            await app.until(lambda: app.bytes)
            assert app.bytes == [("a2", b"still here")]
            assert host.statistics.connected == {"a1": 0, "a2": 1, "l1": 0}
            assert not host.failed
            reader, again = await greet(host)  # it may come back
            for each in (writer, other_writer, again):
                each.close()

    asyncio.run(main())


def test_a_frame_that_ends_too_early_is_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_node(tmp_path) as (host, _):
            reader, writer = await greet(host)
            writer.write(PREPARE[:-1])
            writer.write_eof()
            await closed(reader)
            await eventually(lambda: host.statistics.refused)
            assert host.statistics.refused == {"frame": 1}
            assert host.statistics.received["a1"] == 0
            writer.close()

    asyncio.run(main())


GREETINGS = {
    "other format": Hello(FORMAT + 1, "Paxos", PAXOS.SPEC_SHA256, "a1", "p1"),
    "other protocol": Hello(FORMAT, "Raft", PAXOS.SPEC_SHA256, "a1", "p1"),
    "other spec": Hello(FORMAT, "Paxos", "0" * 64, "a1", "p1"),
    "other receiver": Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "a1", "a2"),
    "a stranger": Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "x1", "p1"),
    "the node itself": Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "p1", "p1"),
}
REASONS = {
    "other format": "speaks format 2, this node 1",
    "other protocol": "runs the protocol 'Raft', this node Paxos",
    "other spec": "another version of Paxos",
    "other receiver": "means to talk to 'a2', and this node is p1",
    "a stranger": "no other node of the cluster is called 'x1'",
    "the node itself": "no other node of the cluster is called 'p1'",
}


@pytest.mark.parametrize("name", GREETINGS)
def test_who_does_not_fit_is_told_why(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with one_node(tmp_path) as (host, _):
            reader, writer = await dial(host)
            writer.write(encode_hello(GREETINGS[name]) + PREPARE)
            answer = await closed(reader)
            ((kind, body),) = FrameReader().feed(answer)
            assert kind == REFUSAL
            assert REASONS[name] in msgspec.msgpack.decode(body)
            assert host.statistics.refused == {"hello": 1}
            assert set(host.statistics.connected.values()) == {0}
            writer.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "data",
    [
        PREPARE,
        frame(HELLO, b"\x90"),
        frame(HELLO, ENCODE(["x"] * 5)),
        frame(REFUSAL, ENCODE("no")),
        (5000).to_bytes(4, "big") + b"\0\0",
    ],
)
def test_no_frame_but_a_hello_comes_first(data: bytes, tmp_path: Path) -> None:
    async def main() -> None:
        async with one_node(tmp_path) as (host, _):
            reader, writer = await dial(host)
            writer.write(data)
            assert await closed(reader) == b""
            assert host.statistics.refused == {"frame": 1}
            writer.close()

    asyncio.run(main())


def test_who_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr("runtime.host.peers.HANDSHAKE_SECONDS", 0.05)
        monkeypatch.setattr("runtime.host.peers.MOST_STRANGERS", 2)
        async with one_node(tmp_path) as (host, _):
            reader, writer = await dial(host)
            await closed(reader)
            assert host.statistics.refused == {"handshake": 1}
            monkeypatch.setattr("runtime.host.peers.HANDSHAKE_SECONDS", 10)
            many = [await dial(host) for _ in range(3)]
            assert await closed(many[2][0]) == b""
            assert host.statistics.refused == {"handshake": 1, "strangers": 1}
            for _, each in (*many, (reader, writer)):
                each.close()

    asyncio.run(main())


def test_a_new_connection_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_node(tmp_path) as (host, app):
            old, old_writer = await greet(host)
            _, writer = await greet(host)
            assert await closed(old) == b""
            writer.write(frame(BYTES, b"new"))
            await app.until(lambda: app.bytes)
            assert host.statistics.connected["a1"] == 1
            assert host.statistics.refused == {}
            for each in (old_writer, writer):
                each.close()

    asyncio.run(main())


class Pipe:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.paused = False
        self.transport = self
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def test_what_waits_for_a_peer_is_bounded_and_the_oldest_goes() -> None:
    statistics, pipe = Statistics(), Pipe()
    peer = Peer("a1", Address("127.0.0.1", 1), Limits(100, 10, 5), statistics)
    for letter in (b"ab", b"cd", b"ef"):
        peer.put(letter)
        peer.flush()
    assert (list(peer.queue), peer.size, statistics.dropped) == ([b"cd", b"ef"], 4, {"a1": 1})
    peer.connection = cast(Any, pipe)
    pipe.paused = True
    for letter in (b"ghi", b"jkl", b"mno"):
        peer.put(letter)
        peer.flush()
    assert list(peer.queue) == [b"ghi", b"jkl", b"mno"]
    assert (peer.size, statistics.dropped, pipe.written) == (9, {"a1": 3}, [])
    pipe.paused = False
    peer.flush()
    assert pipe.written == [b"ghijklmno"]  # one write
    assert (peer.size, len(peer.queue), statistics.sent) == (0, 0, {"a1": 3})


def test_what_was_sent_before_there_was_a_connection_arrives_after_the_hello(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with one_node(tmp_path) as (host, _):
            assert await host.request(PAXOS.Propose("tea"))
            reader, writer = await dial(host)
            writer.write(encode_hello(HELLO_FROM_A1))
            frames: list[tuple[int, bytes]] = []
            cutter = FrameReader()
            while len(frames) < 2:
                frames += list(cutter.feed(await reader.read(1000)))
            assert [kind for kind, _ in frames[:2]] == [HELLO, FIRST_MESSAGE]
            assert CODEC.decode(*frames[1]) == PAXOS.Prepare(PAXOS.Ballot(1, "p1"))
            writer.close()

    asyncio.run(main())


def test_a_peer_waits_while_the_inbox_is_full(tmp_path: Path) -> None:
    async def main() -> None:
        async with one_node(tmp_path, inbox_limit=20, batch_limit=5) as (host, _):
            reader, writer = await greet(host)
            writer.write(PREPARE * 5000)
            await eventually(lambda: host.statistics.received["a1"] == 5000)
            await eventually(lambda: host.statistics.ignored.get("Prepare") == 5000)
            assert host._peers is not None
            assert not host._peers.held
            writer.close()
            await closed(reader)

    asyncio.run(main())


# --- fuzz ----------------------------------------------------------------------------------------


def mutant(random: Random) -> bytes:
    """Return bytes that look more or less like frames."""
    ballot = PAXOS.Ballot(random.randrange(3), random.choice(NODES))
    good = [
        PREPARE,
        CODEC.encode(PAXOS.Promise(ballot, (ballot, random.choice(["x", b"y", (1, (2.5,))])))),
        CODEC.encode(PAXOS.Accepted(ballot, random.randrange(2**40))),
        encode_hello(HELLO_FROM_A1),
        frame(BYTES, random.randbytes(5)),
    ]
    data = bytearray(b"".join(random.choices(good, k=random.randrange(1, 4))))
    kind = random.randrange(6)
    if kind == 0:
        return random.randbytes(random.randrange(1, 40))
    if kind == 1:
        return bytes(data[: random.randrange(len(data))])
    for _ in range(random.randrange(1, 4)):
        place = random.randrange(len(data))
        if kind == 2:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 3:
            data[place] = random.choice((0, 1, 0x7F, 0x80, 0xC0, 0xC1, 0xC7, 0xD9, 0xDF, 0xFF))
        elif kind == 4:
            del data[place : place + random.randrange(1, 5)]
            data = data or bytearray(b"\0")
        else:
            data[place:place] = random.randbytes(random.randrange(1, 5))
    return bytes(data)


async def fuzz(host: Host, count: int, seed: int) -> None:
    """Send `count` malformed inputs, each on a connection of its own, before and after a hello."""
    random = Random(seed)
    hello = encode_hello(HELLO_FROM_A1)
    for number in range(count):
        reader, writer = await dial(host)
        writer.write((hello if number % 4 else b"") + mutant(random))
        writer.write_eof()
        await closed(reader)
        writer.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def survive(directory: Path, count: int) -> None:
    async with one_node(directory) as (host, app):
        other, writer = await greet(host, Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "a2", "p1"))
        await fuzz(host, 20, 0)
        before, tasks = descriptors(), len(asyncio.all_tasks())
        await fuzz(host, count, 1)
        await eventually(lambda: not host._peers.strangers)  # type: ignore[union-attr]
        await eventually(lambda: descriptors() <= before)
        assert len(asyncio.all_tasks()) <= tasks
        assert not host.failed
        assert sum(host.statistics.refused.values()) > count / 4
        writer.write(frame(BYTES, b"still here"))
        await app.until(lambda: ("a2", b"still here") in app.bytes)
        writer.close()
        await closed(other)


def test_malformed_input_changes_nothing(tmp_path: Path) -> None:
    asyncio.run(survive(tmp_path, 2000))


@pytest.mark.slow
def test_100_000_malformed_inputs_change_nothing(tmp_path: Path) -> None:
    asyncio.run(survive(tmp_path, 100_000))


def test_a_node_that_is_refused_says_so_once_and_tries_again(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, SIZES)
        for id in ("p1", "l1"):
            sockets[id].close()
        tries: list[Hello] = []

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            header = await reader.readexactly(6)
            body = await reader.readexactly(int.from_bytes(header[:4], "big") - 2)
            hello = decode_handshake(HELLO, body)
            assert isinstance(hello, Hello)
            tries.append(hello)
            writer.write(encode_refusal("not today"))
            writer.close()

        log = io.StringIO()
        server = await asyncio.start_server(refuse, sock=sockets["a2"])
        async with Host(
            PAXOS,
            "a1",
            config,
            tmp_path,
            listener=sockets["a1"],
            logger=node_logger("a1", "error", log),
        ) as host:
            await eventually(lambda: len(tries) == 3)
            assert tries[0] == Hello(FORMAT, "Paxos", PAXOS.SPEC_SHA256, "a1", "a2")
            assert host.statistics.connected["a2"] == 0
        server.close()
        await server.wait_closed()
        (line,) = log.getvalue().splitlines()
        said = json.loads(line)
        assert (said["event"], said["peer"], said["reason"]) == (
            "refused by peer",
            "a2",
            "not today",
        )

    asyncio.run(main())
