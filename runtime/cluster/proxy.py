"""Links between nodes that can be cut, clogged, and released: a TCP proxy for each pair.

Two nodes have one connection, which one of them dials. It dials the pair's proxy, and the proxy the
other node. What flows in each direction can be held back by itself: the proxy stops reading, its
buffers and those of the system fill, and the sender feels it as it would feel a slow network.
Nothing is ever taken from the middle of a stream; with TLS on top it would be noticed as an attack.
So messages are lost only with their connection, and what was held arrives late, in order, when the
link is released.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from runtime.contract import NodeId
from runtime.host.config import Address

_FULL: Final = "full"
_BUFFER: Final = 64 * 1024


class Link:
    """The proxy between a node that dials and the node that it reaches at `target`."""

    def __init__(self, dialer: NodeId, target: NodeId, address: Address) -> None:
        self.dialer = dialer
        self.target = target
        self._address = address
        self._holds: dict[NodeId, set[str]] = {dialer: set(), target: set()}
        self._sides: set[_Side] = set()
        self._dialing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._server: asyncio.Server | None = None

    async def open(self) -> Address:
        """Begin to listen, at a free port; return where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Side(self, self.dialer), "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return Address("127.0.0.1", port)

    async def close(self) -> None:
        """Close all connections, and listen no more."""
        self._closed = True
        self.reset()
        for task in self._dialing:
            task.cancel()
        if self._dialing:
            await asyncio.wait(self._dialing)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await asyncio.sleep(0)  # aborted transports close in the next turn of the loop

    def hold(self, sender: NodeId, why: str) -> None:
        """Hold back what `sender` sends, until it is released as often, for the same reasons."""
        self._holds[sender].add(why)
        for side in self._sides:
            if side.sender == sender:
                side.pause(why)

    def release(self, sender: NodeId, why: str) -> None:
        """Let what `sender` has sent go on, unless it is held for another reason."""
        self._holds[sender].discard(why)
        for side in list(self._sides):
            if side.sender == sender:
                side.resume(why)

    def held(self, sender: NodeId) -> bool:
        """Whether what `sender` sends is held back."""
        return bool(self._holds[sender])

    def reset(self) -> None:
        """Break all connections; what they held is lost. New ones may come at once."""
        for side in list(self._sides):
            side.abort()

    # --- what the sides call -----------------------------------------------------------------

    def opened(self, side: _Side) -> None:
        """Take a new side; for one that was dialled, dial the other node."""
        if self._closed:
            side.abort()
            return
        self._sides.add(side)
        for why in self._holds[side.sender]:
            side.pause(why)
        if side.other is None:
            side.pause("dialing")
            task = asyncio.get_running_loop().create_task(self._dial(side))
            self._dialing.add(task)
            task.add_done_callback(self._dialing.discard)

    def lost(self, side: _Side) -> None:
        """Forget a side."""
        self._sides.discard(side)

    async def _dial(self, near: _Side) -> None:
        far = _Side(self, self.target)
        far.other = near
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: far, self._address.host, self._address.port
            )
        except OSError:
            near.abort()
            return
        if near.lost:
            far.abort()
            return
        near.other = far
        near.resume("dialing")


class _Side(asyncio.Protocol):
    """One end of a connection through the proxy: reads what `sender` sends, for the other side."""

    def __init__(self, link: Link, sender: NodeId) -> None:
        self._link = link
        self.sender = sender
        self.other: _Side | None = None
        self.lost = False
        self._paused: set[str] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_BUFFER)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other._transport is not None:
            self.other._transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause(_FULL)

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume(_FULL)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._link.lost(self)
        if self.other is not None and self.other._transport is not None:
            self.other._transport.close()  # what was read still goes

    def pause(self, why: str) -> None:
        """Read no more."""
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._paused.add(why)

    def resume(self, why: str) -> None:
        """Read again, unless there is another reason not to."""
        if why in self._paused:
            self._paused.discard(why)
            transport = self._transport
            if not self._paused and transport is not None and not transport.is_closing():
                transport.resume_reading()

    def abort(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()
