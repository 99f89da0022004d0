"""The key-value service: an application on the generated Raft, spoken to by Redis clients.

Every node serves clients. What all of them sent in one turn of the event loop goes to the leader
as one batch, one entry of the log. The leader sends the results back when it has applied it: a
follower learns that an entry is committed with the next one, which may take until the next
heartbeat. Reads go no way through the log: the leader asks, once for all reads that have come,
whether it still leads, and answers them from a state that has all that was committed by then; so
no reply is ever older than the read. While batches are under way, what comes gathers for the next
one: the more load, the larger the batches.

Nobody may ever be told what did not happen, and nothing may happen twice. So a batch whose fate is
not known is sent again, to whoever leads now, and the replicas apply it once (`batch.py`). If
no leader takes it within `Options.patience`, its clients get an error that says whether it was
certainly not executed (`CLUSTERDOWN`) or nobody can tell (`UNCERTAIN`).

Time. Keys expire by the times that batches carry. A node's clock is the time at its start, and
counts from there, so that a clock that is set while it runs changes nothing. If the log is ahead of
it, it is put forward: else, after a node with a wrong clock, the log's time would stand still until
the others have caught up. When a key is due and nobody writes, the leader proposes an empty batch.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

from prometheus_client import Counter, Gauge

from runtime.contract import Message
from runtime.host.application import Node
from runtime.host.config import parse_address
from runtime.kv.batch import BatchError, Header, pack, pack_commands, read_header
from runtime.kv.clock import Clock
from runtime.kv.connection import Connection
from runtime.kv.information import information
from runtime.kv.local import Client
from runtime.kv.machine import Machine
from runtime.kv.options import Options
from runtime.kv.remote import pack_replies, read_reads, read_replies
from runtime.kv.resp import Arguments, Failure, Reply
from runtime.kv.session import Turn
from runtime.kv.waiting import Batch, Read, Waiting
from runtime.kv.waiting import Client as Waiter

PASSWORD_VARIABLE: Final = "ACCORDANT_KV_PASSWORD"


def application() -> KeyValue:
    """Return the service, for `accordant node --app`; a password is taken from the environment."""
    return KeyValue(Options(password=os.environ.get(PASSWORD_VARIABLE) or None))


# What nodes send each other: a kind, then what belongs to it.
_SUBMIT: Final = b"S"  # a batch
_ASK: Final = b"Q"  # a read: incarnation, number, commands
_REFUSED: Final = b"N"  # incarnation and number of a batch or read that has to be sent again
_RESULTS: Final = b"R"  # incarnation, number, and the replies
_ID: Final = Struct(">QQ")

_DOWN: Final = Failure("CLUSTERDOWN no server leads the cluster; nothing was executed")
_UNCERTAIN: Final = Failure(
    "UNCERTAIN no majority has answered in time; it may or may not be executed"
)


class _Remote:
    """In the place of a connection: commands that another node's clients have sent."""

    def __init__(self, service: KeyValue, peer: str, incarnation: int, number: int) -> None:
        self._service = service
        self._peer = peer
        self._id = _ID.pack(incarnation, number)

    def finish(self, turn: Turn, results: Sequence[Reply]) -> None:
        """Send the results to the other node."""
        self._service.node.send(self._peer, _RESULTS + self._id + pack_replies(results))

    def fail(self, turn: Turn, error: Failure) -> None:
        """Let the other node send it again."""
        self.refuse()

    def refuse(self) -> None:
        """Let the other node send it again."""
        self._service.node.send(self._peer, _REFUSED + self._id)


_MOST_FORWARDED: Final = 10_000


class KeyValue:
    """The service on one node."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.machine = Machine()
        self.incarnation = secrets.randbits(62)
        self.connections: dict[int, Connection] = {}
        self.clock = Clock()
        self._ids = count(1)
        self._numbers = count(1)
        self._ready: list[Connection] = []
        self._scheduled = False
        self._writing: deque[tuple[Connection, Turn]] = deque()
        self._reading: list[tuple[Waiter, Turn]] = []
        self._forwarded: dict[tuple[str, int, int], None] = {}  # batches of other nodes
        self._batches: dict[int, Batch] = {}
        self._reads: dict[int, Read] = {}
        self._stopping = False
        self._server: asyncio.Server | None = None
        self._made_at = 0.0  # the latest batch
        self._spacing: asyncio.TimerHandle | None = None
        self._checking: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._tick_at = 0
        self.executed = 0
        self.node: Node
        self.loop: asyncio.AbstractEventLoop

    @property
    def password(self) -> str | None:
        """What clients have to know."""
        return self.options.password

    # --- the application -----------------------------------------------------------------------

    async def start(self, node: Node) -> None:
        """Listen for clients, if the node has an address for them."""
        self.node = node
        self.loop = asyncio.get_running_loop()
        self._submit_type = node.module.REQUESTS["Submit"]
        self._read_type = node.module.REQUESTS["Read"]
        outputs = node.module.OUTPUTS
        self._applied_type, self._answered_type = outputs["Applied"], outputs["Answered"]
        self._refused_type, self._declined_type = outputs["Refused"], outputs["Declined"]
        self._count_clients = Gauge(
            "accordant_kv_clients", "Clients that are connected.", registry=node.registry
        )
        commands = Counter(
            "accordant_kv_commands",
            "Commands of this node's clients that were executed.",
            ["access"],
            registry=node.registry,
        )
        self._count_writes = commands.labels("log")
        self._count_reads = commands.labels("read")
        if node.clients_address is not None:
            address = parse_address(node.clients_address, "clients")
            self._server = await self.loop.create_server(
                lambda: Connection(self),
                address.host,
                address.port,
                ssl=node.client_tls,
                backlog=1024,
            )

    @property
    def port(self) -> int:
        """The port on which it listens for clients."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close all clients."""
        self._stopping = True
        for handle in (self._checking, self._tick, self._spacing):
            if handle is not None:
                handle.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections.values()):
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()

    def answer(self, question: Message) -> object:
        """Raise `LookupError`: the protocol asks nothing."""
        raise LookupError(f"{question!r} is not for the key-value service")

    def output(self, output: Any) -> None:
        """Take what the protocol tells."""
        kind = type(output)
        if kind is self._applied_type:
            self._apply(output.index, output.command)
        elif kind is self._answered_type:
            self._answered(output.query, output.index)
        elif kind is self._refused_type:
            self._refused(output.command)
        elif kind is self._declined_type:
            self._declined(output.query)

    def received(self, peer: str, body: bytes) -> None:
        """Take what the service on another node has sent; raises `ValueError` if it is nothing."""
        kind, rest = body[:1], body[1:]
        try:
            match kind:
                case b"S":
                    self._receive_batch(peer, rest)
                case b"Q":
                    incarnation, number = _ID.unpack(rest[: _ID.size])
                    self._receive_read(peer, incarnation, number, rest[_ID.size :])
                case b"R":
                    incarnation, number = _ID.unpack(rest[: _ID.size])
                    if incarnation == self.incarnation:
                        self._receive_results(number, read_replies(rest[_ID.size :]))
                case b"N":
                    incarnation, number = _ID.unpack(rest)
                    if incarnation == self.incarnation:
                        self._again(self._batches.get(number) or self._reads.get(number))
                case _:
                    raise ValueError(f"unknown kind {kind!r}")
        except struct_error as error:
            raise ValueError(str(error)) from None

    def _receive_batch(self, peer: str, body: bytes) -> None:
        header = read_header(body)
        if header.node != peer:
            raise BatchError(f"made by {header.node}")
        while len(self._forwarded) >= _MOST_FORWARDED:
            del self._forwarded[next(iter(self._forwarded))]
        self._forwarded[peer, header.incarnation, header.number] = None
        self._request(self._submit_type(body))

    def _receive_read(self, peer: str, incarnation: int, number: int, body: bytes) -> None:
        commands = read_reads(body)
        remote = _Remote(self, peer, incarnation, number)
        if self._leader() != self.node.id:
            remote.refuse()
            return
        self._reading.append((remote, Turn(commands)))
        self._go_on()

    def _receive_results(self, number: int, results: list[Reply]) -> None:
        waiting = self._batches.get(number) or self._reads.get(number)
        if waiting is None:
            return
        if len(results) != sum(len(turn.commands) for _, turn in waiting.turns):
            raise ValueError("results do not fit")
        self._batches.pop(number, None)
        self._reads.pop(number, None)
        self._distribute(waiting, results)
        self._go_on()

    def _request(self, request: Message) -> None:
        self.node.request(request)

    # --- clients ---------------------------------------------------------------------------------

    def connected(self, connection: Connection) -> Client | None:
        """Let a client in; None if there are too many."""
        if len(self.connections) >= self.options.most_clients or self._stopping:
            return None
        client = Client(next(self._ids))
        self.connections[client.id] = connection
        self._count_clients.set(len(self.connections))
        return client

    def disconnected(self, client: Client) -> None:
        """Forget a client."""
        self.connections.pop(client.id, None)
        self._count_clients.set(len(self.connections))

    def ready(self, connection: Connection) -> None:
        """Let a connection that has no turn under way take one after this turn of the loop."""
        self._ready.append(connection)
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._take_turns)

    def _take_turns(self) -> None:
        self._scheduled = False
        ready, self._ready = self._ready, []
        for connection in ready:
            try:
                turn = connection.next_turn()
            except Exception as error:
                # A mistake of ours: it costs this client its connection, and nobody else.
                self.node.logger.error("client failed", reason=repr(error), exc_info=error)
                connection.abort()
                continue
            if turn is None:
                continue
            if turn.writes:
                self._writing.append((connection, turn))
            else:
                self._reading.append((connection, turn))
        self._go_on()

    def _go_on(self) -> None:
        """Send off what is waiting, as far as enough has come back."""
        if self._stopping:
            return
        while self._writing and self._may_make_batch():
            self._make_batch()
        if self._reading and len(self._reads) < self.options.reads_in_flight:
            number = next(self._numbers)
            turns, self._reading = self._reading, []
            read = Read(turns, self.loop.time() + self.options.patience)
            self._reads[number] = read
            self._send_read(number, read)
        if (self._batches or self._reads) and self._checking is None:
            self._checking = self.loop.call_later(self.options.check, self._check)

    def _may_make_batch(self) -> bool:
        options, under_way = self.options, len(self._batches)
        if under_way == 0:
            return True
        if under_way >= options.in_flight:
            return False
        left = self._made_at + options.spacing - self.loop.time()
        if left <= 0:
            return True
        if self._spacing is None:
            self._spacing = self.loop.call_later(left, self._spaced)
        return False

    def _spaced(self) -> None:
        self._spacing = None
        self._go_on()

    def _make_batch(self) -> None:
        turns: list[tuple[Waiter, Turn]] = []
        commands: list[Arguments] = []
        size = 0
        while self._writing and size < self.options.batch_bytes:
            connection, turn = self._writing.popleft()
            turns.append((connection, turn))
            commands += turn.commands
            size += turn.size
        self._propose(turns, commands)

    def _propose(self, turns: list[tuple[Waiter, Turn]], commands: list[Arguments]) -> None:
        number = next(self._numbers)
        floor = min(self._batches, default=number)
        header = Header(self.node.id, self.incarnation, number, floor, self.clock.now())
        batch = Batch(turns, self.loop.time() + self.options.patience)
        batch.header, batch.commands, batch.body = header, commands, pack(header, commands)
        self._batches[number] = batch
        self._made_at = self.loop.time()
        self._send_batch(batch)

    # --- to the leader and back ----------------------------------------------------------------

    def _send_batch(self, batch: Batch) -> None:
        leader = self._leader()
        if leader is None:
            return
        if leader == self.node.id:
            self._request(self._submit_type(batch.body))
        elif not self.node.send(leader, _SUBMIT + batch.body):
            return
        self._sent(batch, leader)

    def _send_read(self, number: int, read: Read) -> None:
        leader = self._leader()
        if leader is None:
            return
        if leader == self.node.id:
            self._request(self._read_type((self.incarnation, number)))
        else:
            commands = [words for _, turn in read.turns for words in turn.commands]
            body = _ASK + _ID.pack(self.incarnation, number) + pack_commands(commands)
            if not self.node.send(leader, body):
                return
        self._sent(read, leader)

    def _leader(self) -> str | None:
        leader: str | None = self.node.code.leads  # type: ignore[attr-defined]
        return leader

    def _sent(self, waiting: Waiting, leader: str) -> None:
        waiting.sent_to, waiting.sent_at, waiting.sent = leader, self.loop.time(), True

    def _again(self, waiting: Waiting | None) -> None:
        """Let something be sent again at the next check."""
        if waiting is not None:
            waiting.sent_to = None

    def _check(self) -> None:
        """Send again what was sent to nobody, or to who leads no more, or too long ago."""
        self._checking = None
        if self._stopping:
            return
        now, leader = self.loop.time(), self._leader()
        for number, batch in list(self._batches.items()):
            if now >= batch.deadline:
                del self._batches[number]
                self._fail(batch, _UNCERTAIN if batch.sent else _DOWN)
            elif self._is_due(batch, leader, now):
                self._send_batch(batch)
        for number, read in list(self._reads.items()):
            if now >= read.deadline:
                del self._reads[number]
                self._fail(read, _DOWN)
            elif read.index is None and self._is_due(read, leader, now):
                self._send_read(number, read)
        self._go_on()

    def _is_due(self, waiting: Waiting, leader: str | None, now: float) -> bool:
        if leader is None:
            return False
        return waiting.sent_to != leader or now - waiting.sent_at > self.options.resend

    def _fail(self, waiting: Waiting, error: Failure) -> None:
        for connection, turn in waiting.turns:
            connection.fail(turn, error)

    def _refused(self, body: object) -> None:
        header = _header(body)
        if header is None:
            return
        if header.node != self.node.id:
            self.node.send(header.node, _REFUSED + _ID.pack(header.incarnation, header.number))
        elif header.incarnation == self.incarnation:
            self._again(self._batches.get(header.number))

    def _declined(self, query: tuple[int, int]) -> None:
        incarnation, number = query
        if incarnation == self.incarnation:
            self._again(self._reads.get(number))

    def _answered(self, query: tuple[int, int], index: int) -> None:
        incarnation, number = query
        if incarnation == self.incarnation:
            self._settle_read(number, index)

    # --- results ---------------------------------------------------------------------------------

    def _apply(self, index: int, body: object) -> None:
        batch: Batch | None = None
        header = _header(body)
        if header and header.incarnation == self.incarnation and header.node == self.node.id:
            batch = self._batches.pop(header.number, None)
        commands = None if batch is None else batch.commands
        results = self.machine.apply(index, body, header, commands)
        self.clock.put_forward(self.machine.keys.now)
        if self._forwarded and header is not None:
            self._return_results(header, results)
        if batch is not None and results is not None:
            self._distribute(batch, results)
            self._count_writes.inc(len(results))
        answered = False
        for number, read in list(self._reads.items()):
            if read.index is not None and read.index <= index:
                self._answer_read(number, read)
                answered = True
        self._schedule_tick()
        if batch is not None or answered:
            self._go_on()

    def _settle_read(self, number: int, index: int) -> None:
        read = self._reads.get(number)
        if read is None or read.index is not None:
            return
        read.index = index
        if index <= self.machine.index:
            self._answer_read(number, read)
            self._go_on()

    def _answer_read(self, number: int, read: Read) -> None:
        del self._reads[number]
        now = self.clock.now()
        for connection, turn in read.turns:
            connection.finish(turn, self.machine.read(turn.commands, now))
            self._count_reads.inc(len(turn.commands))

    def _return_results(self, header: Header, results: list[Reply] | None) -> None:
        """Send the results of a batch to the node that has sent it here."""
        maker = header.node, header.incarnation, header.number
        if maker in self._forwarded:
            del self._forwarded[maker]
            if results is not None:
                body = _RESULTS + _ID.pack(*maker[1:]) + pack_replies(results)
                self.node.send(header.node, body)

    def _distribute(self, waiting: Waiting, results: list[Reply]) -> None:
        at = 0
        for connection, turn in waiting.turns:
            end = at + len(turn.commands)
            connection.finish(turn, results[at:end])
            at = end

    # --- time ------------------------------------------------------------------------------------

    def _schedule_tick(self) -> None:
        """See to it that there is an entry of the log once the next key is due."""
        due = self.machine.keys.next_expiry()
        if due == self._tick_at or self._stopping:
            return
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._tick_at = due or 0
        if due is not None:
            delay = max(due - self.clock.now(), 0) / 1000 + 0.001
            self._tick = self.loop.call_later(min(delay, 3600.0), self._expire)

    def _expire(self) -> None:
        self._tick, self._tick_at = None, 0
        due = self.machine.keys.next_expiry()
        if self._stopping or due is None:
            return
        if due > self.clock.now():
            self._schedule_tick()
            return
        if self._leader() == self.node.id and len(self._batches) < self.options.in_flight:
            self._propose([], [])
        self._tick = self.loop.call_later(0.05, self._expire)

    # --- what it tells of itself -----------------------------------------------------------------

    def info(self, sections: Sequence[str]) -> bytes:
        """Return the text of INFO."""
        return information(self, sections)

    def clients(self) -> Sequence[Client]:
        """Return all clients."""
        return [connection.client for connection in self.connections.values()]

    def config(self) -> Mapping[bytes, bytes]:
        """Return what CONFIG GET may tell."""
        return {
            b"appendfsync": b"always",
            b"appendonly": b"yes",
            b"databases": b"1",
            b"maxclients": b"%d" % self.options.most_clients,
            b"maxmemory": b"0",
            b"proto-max-bulk-len": b"1048576",
            b"save": b"",
            b"timeout": b"0",
        }


def _header(body: object) -> Header | None:
    """Return the header of an entry of the log, None if it is no batch."""
    try:
        return read_header(body) if isinstance(body, bytes) else None
    except BatchError:
        return None
