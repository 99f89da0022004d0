"""What one client's connection means: logged in or not, which RESP, in a transaction or not.

A session knows no sockets. It takes commands in the order in which they came and cuts them into
turns (`take`): commands on keys that go to the log or to a state that is recent enough together,
and between them the replies that need neither. Once the results are there, `finish` makes the
bytes for the client. A connection has one turn at a time; so its commands take effect in its order,
even if what was sent first had to be sent again.

Transactions: commands are queued here, and EXEC is one entry of the log, or one read if none of its
commands writes. WATCH reads the numbers of the keys' last changes (`Keyspace.version`), and EXEC
compares them where it is executed. So nothing of a transaction is kept anywhere but here.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from runtime.kv.commands import COMMANDS, Access, wrong_arity
from runtime.kv.execution import transaction
from runtime.kv.local import CONTAINERS, LOCAL, Client, Local
from runtime.kv.resp import (
    OK,
    QUEUED,
    Arguments,
    Failure,
    NullArray,
    Reply,
    Simple,
    encode,
)

LONGEST_TURN: Final = 1024
"""Commands of one turn; what a client sent beyond them waits."""
LONGEST_TRANSACTION: Final = 4 * 1024 * 1024
"""Bytes of a transaction."""
MOST_WATCHED: Final = 10_000
LARGEST_REPLY: Final = 64 * 1024 * 1024
"""Bytes that may wait for one client; one that asks for more is disconnected."""


class Server(Protocol):
    """What a session asks the service that it belongs to."""

    @property
    def password(self) -> str | None:
        """What clients have to know, if anything."""

    def info(self, sections: Sequence[str]) -> bytes:
        """Return the text of INFO."""

    def clients(self) -> Sequence[Client]:
        """Return all clients."""

    def config(self) -> Mapping[bytes, bytes]:
        """Return what CONFIG GET may tell."""


@dataclass(slots=True)
class Turn:
    """Commands of one client that are executed together.

    `commands` have results, in order; `literals` are the bytes of other replies, by their place
    among all. `queued` is a transaction's, if the last command is its EXEC, and `watching` the keys
    of a WATCH that is the last. `size` is that of the commands in bytes, or more.
    """

    commands: list[Arguments] = field(default_factory=list)
    literals: dict[int, bytes] = field(default_factory=dict)
    writes: bool = False
    queued: list[Arguments] | None = None
    watching: Arguments | None = None
    size: int = 0


class _Later:
    """In the place of a reply: it is the result of the turn's last command."""


_LATER: Final = _Later()
RESET: Final = Simple(b"RESET")
_CHANGES_PROTOCOL: Final = frozenset({b"HELLO", b"RESET"})
_HTTP: Final = frozenset({b"POST", b"HOST:"})
"""What a browser says that somebody has led here: nothing that follows is to be executed."""
_NOAUTH: Final = Failure("NOAUTH Authentication required.")
_WITHOUT_LOGIN: Final = frozenset({b"AUTH", b"HELLO", b"QUIT", b"RESET"})
_AT_ONCE: Final = frozenset({b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"QUIT", b"RESET"})
"""What is not queued in a transaction."""


class Session:
    """One client."""

    def __init__(self, server: Server, client: Client) -> None:
        self.server = server
        self.client = client
        self.closing = False
        """Whether the connection is to be closed once what is due has been sent."""
        self.authenticated = server.password is None
        self._queue: list[Arguments] | None = None  # of the transaction that has begun
        self._queued_size = 0
        self._broken = False  # a command of it could not be queued
        self._watched: dict[bytes, int] = {}

    # --- cutting ---

    def take(self, waiting: deque[Arguments]) -> Turn:
        """Remove commands that make one turn from the left of `waiting`, which is not empty."""
        turn = Turn()
        commands = turn.commands
        known = COMMANDS.get
        count = 0
        while waiting and count < LONGEST_TURN:
            count += 1
            words = waiting.popleft()
            called = words[0]
            command = known(called)
            if command is None:
                words[0] = called.upper()
                command = known(words[0])
            if command is not None and self._queue is None and self.authenticated:
                arity, size = command.arity, len(words)
                if size == arity or (arity < 0 and size >= -arity):
                    commands.append(words)
                    if command.access is Access.WRITE:
                        turn.writes = True
                    continue
            if commands and words[0] in _CHANGES_PROTOCOL:
                # What came before it is still answered in the one that was spoken then.
                waiting.appendleft(words)
                break
            reply = self._other(words, called, turn)
            if not isinstance(reply, _Later):
                place = len(commands) + len(turn.literals)
                turn.literals[place] = encode(reply, self.client.protocol)
            if self.closing:
                waiting.clear()
            if turn.queued is not None or turn.watching is not None:
                break
        return turn

    def _other(self, words: Arguments, called: bytes, turn: Turn) -> Reply | _Later:
        """Return the reply to what is no plain command, or that the turn ends with its result."""
        name = words[0]
        found = LOCAL.get(name)
        error = self._refusal(words, called, found)
        if error is not None:
            self._broken = self._broken or self._queue is not None
            return error
        if self._queue is not None and name not in _AT_ONCE:
            return self._enqueue(words)
        match name:
            case b"MULTI":
                if self._queue is not None:
                    return Failure("ERR MULTI calls can not be nested")
                self._queue, self._queued_size, self._broken = [], 0, False
                return OK
            case b"DISCARD":
                if self._queue is None:
                    return Failure("ERR DISCARD without MULTI")
                self._leave()
                return OK
            case b"EXEC":
                return self._exec(turn)
            case b"WATCH":
                return self._watch(words, turn)
            case b"UNWATCH":
                self._watched.clear()
                return OK
            case b"RESET":
                self._leave()
                self.client.protocol = 2
                self.client.name = b""
                self.authenticated = self.server.password is None
                return RESET
            case _:
                assert found is not None
                return self._local(words, found)

    def _refusal(self, words: Arguments, called: bytes, found: Local | None) -> Failure | None:
        """Return why a command cannot even be queued; None if it can."""
        name = words[0]
        command = COMMANDS.get(name)
        if command is not None:
            arity, label = command.arity, command.name
        elif found is not None:
            arity, label = found.arity, name.decode().lower()
            if name in CONTAINERS and len(words) > 1:
                sub = CONTAINERS[name].get(words[1].upper())
                if sub is None:
                    shown = words[1][:128].decode("utf-8", "surrogateescape")
                    return Failure(f"ERR unknown subcommand '{shown}'. Try {name.decode()} HELP.")
                arity, label = sub, f"{label}|{words[1].decode().lower()}"
        else:
            self.closing = self.closing or name in _HTTP
            return _unknown(called, words)
        if len(words) != arity and (arity > 0 or len(words) < -arity):
            return wrong_arity(label)
        if not self.authenticated and name not in _WITHOUT_LOGIN:
            return _NOAUTH
        return None

    # --- transactions ---

    def _enqueue(self, words: Arguments) -> Reply:
        assert self._queue is not None
        self._queued_size += sum(map(len, words)) + 16 * len(words)
        if self._queued_size > LONGEST_TRANSACTION:
            self._broken = True
            return Failure("ERR the transaction is too long")
        self._queue.append(words)
        return QUEUED

    def _leave(self) -> None:
        self._queue = None
        self._broken = False
        self._watched.clear()

    def _exec(self, turn: Turn) -> Reply | _Later:
        queue = self._queue
        if queue is None:
            return Failure("ERR EXEC without MULTI")
        broken, watched = self._broken, dict(self._watched)
        self._leave()
        if broken:
            return Failure("EXECABORT Transaction discarded because of previous errors.")
        commands = [words for words in queue if words[0] in COMMANDS]
        turn.queued = queue
        turn.commands.append(transaction(commands, watched))
        if any(COMMANDS[words[0]].access is Access.WRITE for words in commands):
            turn.writes = True
        return _LATER

    def _watch(self, words: Arguments, turn: Turn) -> Reply | _Later:
        if self._queue is not None:
            return Failure("ERR WATCH inside MULTI is not allowed")
        if len(self._watched) + len(words) > MOST_WATCHED:
            return Failure("ERR too many keys are watched")
        turn.watching = words[1:]
        turn.commands.append([b"VERSIONS", *words[1:]])
        return _LATER

    # --- finishing ---

    def finish(self, turn: Turn, results: Sequence[Reply]) -> bytes:
        """Return the bytes for the client; `results` are those of the turn's commands."""
        results = list(results)
        if turn.watching is not None:
            versions = results[-1]
            if isinstance(versions, list):
                for key, version in zip(turn.watching, versions, strict=True):
                    self._watched.setdefault(key, version)
                results[-1] = OK
        if turn.queued is not None:
            results[-1] = self._merged(turn.queued, results[-1])
        protocol = self.client.protocol
        parts: list[bytes] = []
        size = 0
        for result in results:
            part = encode(result, protocol)
            size += len(part)
            if size > LARGEST_REPLY:
                self.closing = True
                return b""
            parts.append(part)
        if turn.literals:
            rest = iter(parts)
            count = len(parts) + len(turn.literals)
            literals = turn.literals
            parts = [literals[n] if n in literals else next(rest) for n in range(count)]
        return b"".join(parts)

    def _merged(self, queued: list[Arguments], result: Reply) -> Reply:
        """Put the replies to the commands that are not on keys among those that are."""
        if isinstance(result, Failure | NullArray) or not isinstance(result, list):
            return result
        results = iter(result)
        merged: list[Reply] = []
        for words in queued:
            found = LOCAL.get(words[0])
            merged.append(next(results) if found is None else self._local(words, found))
        return merged

    # --- what needs no keys ---

    def _local(self, words: Arguments, found: Local) -> Reply:
        match words[0]:
            case b"AUTH":
                return self._auth(words)
            case b"HELLO":
                return self._hello(words)
            case b"QUIT":
                self.closing = True
                return OK
            case b"UNWATCH":
                return OK
            case _:
                return found.answer(self.server, self.client, words)

    def _auth(self, words: Arguments) -> Reply:
        if len(words) > 3:
            return Failure("ERR syntax error")
        if len(words) == 2 and self.server.password is None:
            return Failure(
                "ERR AUTH <password> called without any password configured for the default "
                "user. Are you sure your configuration is correct?"
            )
        user = words[1] if len(words) == 3 else b"default"
        return OK if self._login(user, words[-1]) else _WRONG_LOGIN

    def _login(self, user: bytes, password: bytes) -> bool:
        expected = self.server.password
        fits = expected is None or hmac.compare_digest(expected.encode(), password)
        if fits and user == b"default":
            self.authenticated = True
            return True
        return False

    def _hello(self, words: Arguments) -> Reply:
        protocol = self.client.protocol
        name: bytes | None = None
        if len(words) > 1:
            if not words[1].isdigit() or len(words[1]) > 18:
                return Failure("ERR Protocol version is not an integer or out of range")
            protocol = int(words[1])
            if protocol not in (2, 3):
                return Failure("NOPROTO unsupported protocol version")
        at = 2
        while at < len(words):
            option = words[at].upper()
            if option == b"AUTH" and at + 2 < len(words):
                if not self._login(words[at + 1], words[at + 2]):
                    return _WRONG_LOGIN
                at += 3
            elif option == b"SETNAME" and at + 1 < len(words):
                name = words[at + 1]
                if not self.client.can_be_called(name):
                    return Client.BAD_NAME
                at += 2
            else:
                shown = words[at].decode("utf-8", "surrogateescape")
                return Failure(f"ERR Syntax error in HELLO option '{shown}'")
        if not self.authenticated:
            return Failure(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                "client and select the RESP protocol version at the same time"
            )
        if name is not None:
            self.client.name = name
        self.client.protocol = protocol
        return self.client.greeting()


_WRONG_LOGIN: Final = Failure("WRONGPASS invalid username-password pair or user is disabled.")


def _unknown(called: bytes, words: Arguments) -> Failure:
    name = called[:128].decode("utf-8", "surrogateescape")
    shown = ""
    for word in words[1:]:
        if len(shown) >= 128:
            break
        shown += f"'{word[: 128 - len(shown)].decode('utf-8', 'surrogateescape')}' "
    return Failure(f"ERR unknown command '{name}', with args beginning with: {shown}")
