"""The service without a cluster: sessions over one state machine, fed through the real batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from runtime.kv.batch import Header, pack
from runtime.kv.local import Client
from runtime.kv.machine import Machine
from runtime.kv.resp import Arguments, Parser
from runtime.kv.session import Session


class Engine:
    """One node that commits at once. `now` is its clock, in milliseconds."""

    def __init__(self, password: str | None = None) -> None:
        self.password = password
        self.now = 1_700_000_000_000
        self.machine = Machine()
        self.log: list[bytes] = []
        self.sessions: list[Connected] = []

    def connect(self) -> Connected:
        """Return a new client."""
        client = Connected(self, len(self.sessions) + 1)
        self.sessions.append(client)
        return client

    def info(self, sections: Sequence[str]) -> bytes:
        """Return some text."""
        return b"# Server\r\n"

    def clients(self) -> Sequence[Client]:
        """Return all clients."""
        return [session.client for session in self.sessions]

    def config(self) -> Mapping[bytes, bytes]:
        """Return some settings."""
        return {b"appendonly": b"yes", b"save": b"", b"maxmemory": b"0"}


class Connected:
    """A client of an engine."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.engine = engine
        self.client = Client(number)
        self.session = Session(engine, self.client)
        self.parser = Parser()

    def send(self, data: bytes) -> bytes:
        """Take bytes of the client, execute what is complete, and return the replies."""
        waiting = deque(self.parser.feed(data))
        replies = [self._turn(waiting) for _ in iter(lambda: bool(waiting), False)]
        if self.parser.error is not None and not self.session.closing:
            self.session.closing = True
            replies.append(b"-%b\r\n" % self.parser.error.encode())
        return b"".join(replies)

    def _turn(self, waiting: deque[Arguments]) -> bytes:
        engine = self.engine
        turn = self.session.take(waiting)
        if not turn.commands:
            return self.session.finish(turn, [])
        if not turn.writes:
            return self.session.finish(turn, engine.machine.read(turn.commands, engine.now))
        number = len(engine.log) + 1
        body = pack(Header("s1", 7, number, number, engine.now), turn.commands)
        engine.log.append(body)
        results = engine.machine.apply(number, body)
        assert results is not None
        return self.session.finish(turn, results)


def request(*words: bytes | str | int) -> bytes:
    """Return the bytes of a command."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    parts = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
    return b"*%d\r\n%b" % (len(encoded), parts)
