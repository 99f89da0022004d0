"""Links that are held, released and reset, between two ends in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from runtime.cluster.proxy import Link
from runtime.host.config import Address

Ends = tuple[
    Link, asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamWriter
]


@asynccontextmanager
async def linked() -> AsyncIterator[Ends]:
    """Yield a link from `a` to `b`, and the streams of both ends of a connection over it."""
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = Link("a", "b", Address("127.0.0.1", port))
    address = await link.open()
    reader, writer = await asyncio.open_connection(address.host, address.port)
    far_reader, far_writer = await accepted.get()
    try:
        async with asyncio.timeout(20):
            yield link, reader, writer, far_reader, far_writer
    finally:
        await link.close()
        for one in (writer, far_writer):
            one.close()
        while not accepted.empty():
            accepted.get_nowait()[1].close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)


async def silent(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes for a while."""
    try:
        async with asyncio.timeout(0.1):
            await reader.readexactly(1)
    except TimeoutError:
        return True
    return False


def test_bytes_go_both_ways() -> None:
    async def run() -> None:
        async with linked() as (_, reader, writer, far_reader, far_writer):
            data = bytes(range(256)) * 4000
            writer.write(data)
            assert await far_reader.readexactly(len(data)) == data
            far_writer.write(b"back")
            assert await reader.readexactly(4) == b"back"

    asyncio.run(run())


def test_what_is_held_in_one_direction_comes_late_and_the_other_goes_on() -> None:
    async def run() -> None:
        async with linked() as (link, reader, writer, far_reader, far_writer):
            link.hold("a", "clog")
            assert link.held("a")
            assert not link.held("b")
            writer.write(b"late")
            far_writer.write(b"now")
            assert await reader.readexactly(3) == b"now"
            assert await silent(far_reader)
            link.hold("a", "partition")
            link.release("a", "clog")
            assert await silent(far_reader)
            link.release("a", "partition")
            assert await far_reader.readexactly(4) == b"late"

    asyncio.run(run())


def test_a_reset_breaks_the_connection_and_the_next_is_held_as_well() -> None:
    async def run() -> None:
        async with linked() as (link, reader, _, far_reader, _):
            link.hold("b", "clog")
            link.reset()
            assert await far_reader.read() == b""
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            assert link.held("b")

    asyncio.run(run())


def test_who_listens_no_more_is_a_broken_connection() -> None:
    async def run() -> None:
        link = Link("a", "b", Address("127.0.0.1", 1))
        address = await link.open()
        reader, writer = await asyncio.open_connection(address.host, address.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await link.close()

    asyncio.run(run())
