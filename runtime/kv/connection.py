"""The connection of one client: bytes to and from its session, and how many of them may wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from runtime.kv.local import Client
from runtime.kv.resp import Arguments, Failure, Parser, Reply
from runtime.kv.session import LONGEST_TURN, Session, Turn

if TYPE_CHECKING:
    from runtime.kv.service import KeyValue

MOST_WAITING: Final = 4 * LONGEST_TURN
"""Commands of one client that may wait before it is no longer read from."""
MOST_WAITING_BYTES: Final = 1024 * 1024


class Connection(asyncio.Protocol):
    """One client."""

    client: Client
    session: Session

    def __init__(self, service: KeyValue) -> None:
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._parser = Parser()
        self._waiting: deque[Arguments] = deque()
        self._waiting_bytes = 0  # at least that of the commands that wait
        self._busy = False  # a turn is under way, or about to be taken
        self._full = False  # the client does not read what it is sent
        self._held = False  # it is not read from

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or tell it that there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        client = self._service.connected(self)
        if client is None:
            self._transport.write(b"-ERR max number of clients reached\r\n")
            self._transport.close()
            self._transport = None
            return
        client.address = _place(transport.get_extra_info("peername"))
        client.local_address = _place(transport.get_extra_info("sockname"))
        self.client = client
        self.session = Session(self._service, client)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        if self._transport is not None:
            self._transport = None
            self._waiting.clear()
            self._service.disconnected(self.client)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._transport is None or self.session.closing:
            return
        commands = self._parser.feed(data)
        if commands:
            self._waiting += commands
            self._waiting_bytes += len(data)
            if not self._busy and not self._full:
                self._busy = True
                self._service.ready(self)
            if (
                len(self._waiting) > MOST_WAITING or self._waiting_bytes > MOST_WAITING_BYTES
            ) and not self._held:
                self._held = True
                self._transport.pause_reading()
        if self._parser.error is not None and not self._busy:
            self._complain()

    def eof_received(self) -> bool:
        """Close the connection when the client has closed its side."""
        return False

    def pause_writing(self) -> None:
        """Take no more turns: the client does not read."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        if self._waiting and not self._busy:
            self._busy = True
            self._service.ready(self)

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def next_turn(self) -> Turn | None:
        """Take a turn; answer what needs no keys. None if there is nothing else."""
        session = self.session
        if self._transport is None:
            return None
        while self._waiting:
            turn = session.take(self._waiting)
            if turn.commands:
                turn.size = self._waiting_bytes
                self._took()
                return turn
            self._write(session.finish(turn, []))
        self._took()
        self._busy = False
        if self._parser.error is not None:
            self._complain()
        return None

    def _took(self) -> None:
        if not self._waiting:
            self._waiting_bytes = 0
        if self._held and self._transport is not None and len(self._waiting) <= MOST_WAITING:
            self._held = False
            self._transport.resume_reading()

    def finish(self, turn: Turn, results: Sequence[Reply]) -> None:
        """Send the results of a turn, and take the next one if there is something to do."""
        if self._transport is None:
            return
        self._write(self.session.finish(turn, results))
        if self._transport is None:
            return
        if self._waiting and not self._full:
            self._service.ready(self)
        else:
            self._busy = False
            if self._parser.error is not None and not self._waiting:
                self._complain()

    def fail(self, turn: Turn, error: Failure) -> None:
        """Answer the commands of a turn by an error."""
        self.finish(turn, [error] * len(turn.commands))

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        if data:
            transport.write(data)
        if self.session.closing:
            self._waiting.clear()
            transport.close()

    def _complain(self) -> None:
        """Tell the client what was wrong with its bytes, and close the connection."""
        error = self._parser.error
        if self._transport is not None and error is not None and not self.session.closing:
            self.session.closing = True
            self._write(b"-%b\r\n" % error.encode("latin-1", "replace"))


def _place(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
        return f"{host}:{address[1]}"
    return str(address)
