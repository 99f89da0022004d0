"""Bytes that are no requests, on the port for clients: nothing stops, and nothing is left over."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.kv.clients import connect
from tests.kv.clusters import Nodes
from tests.kv.engine import request

VALID = [
    request("SET", "a", "1"),
    request("GET", "a"),
    request("MULTI") + request("INCR", "n") + request("EXEC"),
    request("MULTI") + request("GET") + request("EXEC"),
    request("WATCH", "a") + request("MULTI") + request("PING") + request("EXEC"),
    request("HELLO", 3, "SETNAME", "x") + request("CLIENT", "LIST"),
    request("SCAN", "0", "MATCH", "[a-", "COUNT", "3"),
    request("SET", "a", "1", "PX", "5"),
    request("MSET", "a", "1", "b"),
    request("SETRANGE", "a", "99999999", "x"),
    request("COMMAND", "GETKEYS", "MSET", "a", "1"),
    b"GET a\r\nSET b 'x\\'y' \r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n",
    b"*1048577\r\n",
    b"*-9\r\n*0\r\n\r\n\r\n$5\r\n",
    b"%1\r\n+a\r\n:1\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x00\x00\x00\x10\x00\x00rest of a frame",
]


def inputs(seed: int, count: int) -> Iterator[bytes]:
    """Yield bytes: requests in which something was changed, and any bytes at all."""
    random = Random(seed)
    for _ in range(count):
        if random.random() < 0.2:
            yield random.randbytes(random.randrange(120))
            continue
        data = bytearray(b"".join(random.choices(VALID, k=random.randint(1, 3))))
        for _ in range(random.randrange(5)):
            at = random.randrange(len(data))
            change = random.randrange(4)
            if change == 0:
                data[at] = random.randrange(256)
            elif change == 1:
                del data[at : at + random.randrange(1, 9)]
            elif change == 2:
                data[at:at] = random.choice([b"\r\n", b"*", b"$-1", b"9" * 30, b"\xff", b"'"])
            else:
                del data[at:]
            if not data:
                data += b"*"
        yield bytes(data)


async def send_all(port: int, data: Iterator[bytes], at_once: int) -> None:
    """Send each of them on a connection of its own, cut in two, and read what comes back."""

    async def work(random: Random) -> None:
        for one in data:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            connection: socket.socket = writer.get_extra_info("socket")
            # Reset it in the end: a port that waits for late packets could not be used again.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            at = random.randrange(len(one) + 1)
            try:
                writer.write(one[:at])
                await asyncio.sleep(0)
                writer.write(one[at:])
                if random.random() < 0.3:
                    writer.write_eof()
                    await reader.read(1000)
            except OSError:
                pass  # it was wrong, and the service has closed the connection
            finally:
                writer.transport.abort()

    await asyncio.gather(*(work(Random(number)) for number in range(at_once)))


def check(tmp_path: Path, count: int, logged: pytest.CaptureFixture[str]) -> None:
    """Send that many inputs to a follower and see that all goes on as before."""
    with Nodes(tmp_path) as nodes:
        id = nodes.followers()[0]
        port = nodes.port(id)
        asyncio.run(send_all(port, inputs(1, count), 20))
        deadline = time.monotonic() + 20
        service = nodes.services[id]
        while service.connections:
            assert time.monotonic() < deadline, f"{len(service.connections)} connections are left"
            time.sleep(0.01)
        assert "client failed" not in "".join(logged.readouterr())
        assert not any(host.failed for host in nodes.hosts.values())
        with connect(port=port) as client:
            client.set("fuzz", "over")
            assert client.get("fuzz") == b"over"
        assert len(service._batches) == len(service._reads) == len(service._writing) == 0


def test_a_thousand_inputs_change_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, 1000, capfd)


@pytest.mark.slow
def test_a_hundred_thousand_inputs_change_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, 100_000, capfd)
