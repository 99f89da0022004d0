"""The connections of a node to its peers.

There is one connection between two nodes, used in both directions. The node whose name comes first
in the order of strings dials, so that the two never dial each other at the same time; it dials
again after a pause that doubles from try to try, up to a second, with jitter. A new connection of
a peer takes the place of an old one, which is closed: what was on its way there is lost, and
nothing that was sent later arrives before what was sent earlier.

What can't be written waits, up to a bound; beyond it the oldest goes, and is counted. The protocol
has to live with lost messages anyway, and a peer that is slow or gone takes no memory without end.

Whatever comes that is not as it should be closes the connection it came on, and touches nothing
else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, Protocol, cast

from runtime.contract import NodeId
from runtime.host.config import Address
from runtime.host.statistics import Statistics
from runtime.host.tls import certified
from runtime.wire.frames import FrameError, FrameReader
from runtime.wire.hello import (
    LIMIT as HELLO_LIMIT,
)
from runtime.wire.hello import (
    Hello,
    decode_handshake,
    encode_hello,
    encode_refusal,
    objection,
)

HANDSHAKE_SECONDS: Final = 5.0
SHORTEST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 1.0
MOST_STRANGERS: Final = 256
"""Connections of which it is not known yet whose they are."""

_USER_TIMEOUT: Final = 10_000
"""After so many milliseconds without an acknowledgement a connection is given up."""


class Receiver(Protocol):
    """Takes the frames of peers."""

    def frame(self, peer: NodeId, kind: int, body: bytes) -> None:
        """Take a frame; `FrameError` if it is not what it should be."""

    @property
    def busy(self) -> bool:
        """Whether so much waits to be handled that no more is to be read for now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes: of one frame, of what waits for a peer, and of that while there is no
    connection to it.
    """

    frame: int
    waiting: int
    disconnected: int


class Peer:
    """Another node: the connection to it, if there is one, and what waits to be sent.

    `size` is the number of bytes that wait.
    """

    __slots__ = ("_limits", "_statistics", "address", "connection", "id", "queue", "size")

    def __init__(
        self, id: NodeId, address: Address, limits: Limits, statistics: Statistics
    ) -> None:
        self.id = id
        self.address = address
        self.connection: Connection | None = None
        self.queue: deque[bytes] = deque()
        self.size = 0
        self._limits = limits
        self._statistics = statistics
        statistics.connected[id] = 0
        statistics.sent[id] = statistics.received[id] = statistics.dropped[id] = 0

    def put(self, frame: bytes) -> None:
        """Add a frame to what is to be sent; `flush` sends it."""
        self.queue.append(frame)
        self.size += len(frame)

    def flush(self) -> None:
        """Send what waits, if that is possible now; else keep no more of it than is allowed."""
        connection, queue = self.connection, self.queue
        if connection is not None and not connection.paused:
            if queue:
                connection.transport.write(queue[0] if len(queue) == 1 else b"".join(queue))
                self._statistics.sent[self.id] += len(queue)
                queue.clear()
                self.size = 0
            return
        most = self._limits.disconnected if connection is None else self._limits.waiting
        while self.size > most:
            self.size -= len(queue.popleft())
            self._statistics.dropped[self.id] += 1


class Connection(asyncio.Protocol):
    """One connection, from its first byte to its last; `peer` is known after the handshake.

    `paused` is whether the transport has more to write than it should have.
    """

    def __init__(self, peers: Peers, expected: Peer | None) -> None:
        self._peers = peers
        self._expected = expected
        self._reader = FrameReader(HELLO_LIMIT)
        self._timeout: asyncio.TimerHandle | None = None
        self._certified: str | None = None
        self.paused = False
        self.peer: Peer | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    # --- what the transport calls ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self.transport = transport = cast(asyncio.Transport, transport)
        peers = self._peers
        _tune(transport.get_extra_info("socket"))
        self._timeout = peers.loop.call_later(HANDSHAKE_SECONDS, self._refuse, "handshake", _SLOW)
        if self._expected is None:
            peers.strangers.add(self)
        if peers.server_tls is not None:
            self._certified = certified(transport.get_extra_info("peercert"))
            if self._certified is None:
                self._refuse("certificate", "its certificate is for no node")
                return
            if self._expected is not None and self._certified != self._expected.id:
                self._refuse("certificate", f"its certificate is for {self._certified}")
                return
        if self._expected is not None:
            transport.write(encode_hello(peers.hello(self._expected.id)))

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        peers = self._peers
        try:
            if self.peer is not None:
                peer, receive = self.peer.id, peers.receiver.frame
                for kind, body in self._reader.feed(data):
                    receive(peer, kind, body)
                if peers.receiver.busy:
                    peers.hold(self)
                return
            self._shake(data)
        except FrameError as error:
            self._refuse("frame", str(error))

    def eof_received(self) -> None:
        """Close when the other side has ended; a frame that has begun is one too few."""
        if self._reader.pending:
            self._refuse("frame", f"ended within a frame, after {self._reader.pending} bytes")

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self._end()
        if error is not None and self.peer is None:
            # With TLS 1.3 the side that dials learns here that it was refused.
            self._peers.logger.warning(
                "connection lost in the handshake", **self._about(), reason=str(error)
            )

    def pause_writing(self) -> None:
        """Let what is sent wait: the other side reads too slowly."""
        self.paused = True

    def resume_writing(self) -> None:
        """Send what waits."""
        self.paused = False
        if self.peer is not None:
            self.peer.flush()

    def abort(self) -> None:
        """Close the connection at once."""
        if hasattr(self, "transport"):
            self.transport.abort()
        self._end()

    # --- the handshake ---------------------------------------------------------------------

    def _shake(self, data: bytes) -> None:
        frames = self._reader.feed(data)
        for kind, body in frames:
            hello = decode_handshake(kind, body)
            if isinstance(hello, str):
                if self._expected is None:
                    raise FrameError("a refusal of nothing")
                if self._peers.refusals.get(self._expected.id) != hello:
                    self._peers.refusals[self._expected.id] = hello
                    self._peers.logger.error("refused by peer", **self._about(), reason=hello)
                self.abort()
                return
            problem = self._problem(hello)
            if problem is not None:
                reason = "certificate" if hello.sender != self._certified else "hello"
                if self._expected is None:
                    self.transport.write(encode_refusal(problem))
                self._refuse(reason if self._certified else "hello", problem, gently=True)
                return
            self._welcome(self._peers.members[hello.sender])
            break
        else:
            return
        # Nothing that is allowed comes with a hello but what its sender may say after it.
        assert self.peer is not None
        for kind, body in frames:
            self._peers.receiver.frame(self.peer.id, kind, body)

    def _problem(self, hello: Hello) -> str | None:
        own = self._peers.hello("" if self._expected is None else self._expected.id)
        problem = objection(own, hello)
        if problem is not None:
            return problem
        if hello.sender not in self._peers.members:
            return f"no other node of the cluster is called {hello.sender!r:.80}"
        if self._certified is not None and self._certified != hello.sender:
            return f"it says it is {hello.sender}, and its certificate is for {self._certified}"
        if self._expected is None and hello.sender > own.sender:
            return f"{own.sender} dials {hello.sender}, not the other way round"
        return None

    def _welcome(self, peer: Peer) -> None:
        peers = self._peers
        if self._timeout is not None:
            self._timeout.cancel()
        peers.strangers.discard(self)
        if self._expected is None:
            self.transport.write(encode_hello(peers.hello(peer.id)))
        old = peer.connection
        self.peer, peer.connection = peer, self
        if old is not None:
            peers.logger.info("connection replaced", peer=peer.id)
            old.abort()
        self._reader.limit = peers.limits.frame
        peers.refusals.pop(peer.id, None)
        peers.statistics.connected[peer.id] = 1
        peers.logger.info("connected", peer=peer.id)
        peer.flush()

    # --- the end ---------------------------------------------------------------------------

    def _refuse(self, reason: str, text: str, *, gently: bool = False) -> None:
        """Close the connection, count that and log it; gently: what was written still goes."""
        self._peers.statistics.refuse(reason)
        self._peers.logger.warning("refused", kind=reason, reason=text, **self._about())
        if gently:
            self.transport.close()
            self._end()
        else:
            self.abort()

    def _about(self) -> dict[str, Any]:
        peer = self.peer or self._expected
        if peer is not None:
            return {"peer": peer.id}
        return {"address": str(self.transport.get_extra_info("peername"))}

    def _end(self) -> None:
        peers = self._peers
        if self._timeout is not None:
            self._timeout.cancel()
        peers.strangers.discard(self)
        peers.held.discard(self)
        peer = self.peer
        if peer is not None and peer.connection is self:
            peer.connection = None
            peers.statistics.connected[peer.id] = 0
            peers.logger.info("disconnected", peer=peer.id)
        if not self.closed.done():
            self.closed.set_result(None)


_SLOW: Final = f"no handshake within {HANDSHAKE_SECONDS:g} s"


class Peers:
    """All peers of a node: dials those that it has to, and listens for the others."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        receiver: Receiver,
        addresses: dict[NodeId, Address],
        limits: Limits,
        statistics: Statistics,
        logger: Any,
        hello: Callable[[NodeId], Hello],
        server_tls: ssl.SSLContext | None,
        dial_tls: ssl.SSLContext | None,
    ) -> None:
        self.loop = loop
        self.receiver = receiver
        self.members = {id: Peer(id, a, limits, statistics) for id, a in addresses.items()}
        self.limits = limits
        self.statistics = statistics
        self.logger = logger
        self.hello = hello
        self.server_tls = server_tls
        self._dial_tls = dial_tls
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._admitting: set[socket.socket] = set()
        self.strangers: set[Connection] = set()
        self.held: set[Connection] = set()
        self.refusals: dict[NodeId, str] = {}  # what peers say again and again, to log it once
        self._random = Random()

    def listen(self, listener: socket.socket) -> None:
        """Accept the connections of peers on a bound socket."""
        listener.setblocking(False)
        listener.listen(128)
        self._listener = listener
        self._run(self._accept(listener))

    def dial(self, own: NodeId) -> None:
        """Start to dial the peers whose names come after one's own."""
        for peer in self.members.values():
            if own < peer.id:
                self._run(self._dial(peer))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        """Accept connections one by one.

        A server of the event loop would not say which of them failed in the TLS handshake.
        """
        while True:
            try:
                accepted, address = await self.loop.sock_accept(listener)
            except OSError as error:  # too many open files, for one
                self.logger.error("cannot accept", reason=str(error))
                await asyncio.sleep(LONGEST_PAUSE)
                continue
            if len(self.strangers) + len(self._admitting) >= MOST_STRANGERS:
                accepted.close()
                self._turn_away("strangers", address, "too many connections without a handshake")
                continue
            self._admitting.add(accepted)
            self._run(self._admit(accepted, address))

    async def _admit(self, accepted: socket.socket, address: Any) -> None:
        tls = self.server_tls
        try:
            await self.loop.connect_accepted_socket(
                lambda: Connection(self, None),
                accepted,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
            )
        except OSError as error:  # `SSLError` is one
            self._turn_away("tls", address, _text(error))
        self._admitting.discard(accepted)

    def _turn_away(self, reason: str, address: Any, text: str) -> None:
        self.statistics.refuse(reason)
        self.logger.warning("refused", kind=reason, reason=text, address=str(address))

    async def _dial(self, peer: Peer) -> None:
        pause, failing = SHORTEST_PAUSE, False
        while True:
            connection = Connection(self, peer)
            try:
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    await self.loop.create_connection(
                        partial(_same, connection),
                        peer.address.host,
                        peer.address.port,
                        ssl=self._dial_tls,
                    )
            except (OSError, TimeoutError) as error:
                connection.abort()
                if not failing:
                    self.logger.info("cannot connect", peer=peer.id, reason=_text(error))
                failing = True
            else:
                failing = False
                try:
                    await connection.closed
                finally:
                    connection.abort()
                if connection.peer is not None:
                    pause = SHORTEST_PAUSE
            await asyncio.sleep(pause * (0.5 + self._random.random()))
            pause = min(2 * pause, LONGEST_PAUSE)

    def hold(self, connection: Connection) -> None:
        """Read no more from a connection until `resume`."""
        if connection not in self.held:
            self.held.add(connection)
            connection.transport.pause_reading()

    def resume(self) -> None:
        """Read again from all connections."""
        for connection in self.held:
            connection.transport.resume_reading()
        self.held.clear()

    def stop_accepting(self) -> None:
        """Close the listener, and dial nobody any more."""
        for task in self._tasks:
            task.cancel()

    async def close(self, *, abruptly: bool = False) -> None:
        """Close all connections, after what was written has gone, unless abruptly."""
        self.stop_accepting()
        connections = [*self.strangers]
        connections += [p.connection for p in self.members.values() if p.connection is not None]
        for connection in connections:
            if abruptly:
                connection.abort()
            else:
                connection.transport.close()
        if connections:
            await asyncio.wait([connection.closed for connection in connections], timeout=1.0)
        for connection in connections:
            connection.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for accepted in self._admitting:
            accepted.close()
        if self._listener is not None:
            self._listener.close()


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _same(connection: Connection) -> Connection:
    return connection


def _tune(sock: Any) -> None:
    """Have the system notice a peer that has vanished without a word."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)
