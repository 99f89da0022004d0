"""Commands that need no keys: about the connection, and about the service.

What they say of the service is what clients look for: a server of version 7.0 that appends to disk
always. Libraries decide by that version which commands they may use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from runtime.kv.commands import COMMANDS, SYNTAX, Command, wrong_arity
from runtime.kv.pattern import matcher
from runtime.kv.resp import OK, Arguments, Failure, Reply, Simple, Verbatim

VERSION: Final = b"7.0.15"
"""The version of Redis whose commands and errors these are."""


@dataclass(slots=True)
class Client:
    """What is known of one client. `created` is in seconds of `time.monotonic`."""

    id: int
    address: str = ""
    local_address: str = ""
    name: bytes = b""
    protocol: int = 2
    library: bytes = b""
    library_version: bytes = b""
    created: float = field(default_factory=time.monotonic)

    BAD_NAME: ClassVar[Failure] = Failure(
        "ERR Client names cannot contain spaces, newlines or special characters."
    )

    @staticmethod
    def can_be_called(name: bytes) -> bool:
        """Return whether a client may have that name."""
        return all(ord("!") <= byte <= ord("~") for byte in name)

    def greeting(self) -> Reply:
        """Return the reply to HELLO."""
        return {
            b"server": b"redis",
            b"version": VERSION,
            b"proto": self.protocol,
            b"id": self.id,
            b"mode": b"standalone",
            b"role": b"master",
            b"modules": [],
        }

    def line(self) -> bytes:
        """Return the line of CLIENT LIST."""
        age = int(time.monotonic() - self.created)
        head = f"id={self.id} addr={self.address} laddr={self.local_address} name="
        tail = f" age={age} db=0 resp={self.protocol} lib-name="
        return b"%b%b%b%b lib-ver=%b" % (
            head.encode(),
            self.name,
            tail.encode(),
            self.library,
            self.library_version,
        )


class About(Protocol):
    """What the service knows of itself."""

    def info(self, sections: Sequence[str]) -> bytes:
        """Return the text of INFO."""

    def clients(self) -> Sequence[Client]:
        """Return all clients."""

    def config(self) -> Mapping[bytes, bytes]:
        """Return what CONFIG GET may tell."""


Answer = Callable[[About, Client, Arguments], Reply]


@dataclass(frozen=True, slots=True)
class Local:
    """A command; `arity` as in `Command`."""

    arity: int
    answer: Answer


def _ping(about: About, client: Client, words: Arguments) -> Reply:
    if len(words) > 2:
        return wrong_arity("ping")
    return words[1] if len(words) == 2 else Simple(b"PONG")


def _echo(about: About, client: Client, words: Arguments) -> Reply:
    return words[1]


def _select(about: About, client: Client, words: Arguments) -> Reply:
    if not words[1].removeprefix(b"-").isdigit() or len(words[1]) > 10:
        return Failure("ERR value is not an integer or out of range")
    return OK if int(words[1]) == 0 else Failure("ERR DB index is out of range")


def _time(about: About, client: Client, words: Arguments) -> Reply:
    seconds, rest = divmod(time.time_ns() // 1000, 1_000_000)
    return [b"%d" % seconds, b"%d" % rest]


def _info(about: About, client: Client, words: Arguments) -> Reply:
    return Verbatim(about.info([word.decode("utf-8", "replace").lower() for word in words[1:]]))


def _client(about: About, client: Client, words: Arguments) -> Reply:
    match words[1].upper():
        case b"ID":
            return client.id
        case b"GETNAME":
            return client.name or None
        case b"SETNAME":
            if not Client.can_be_called(words[2]):
                return Client.BAD_NAME
            client.name = words[2]
            return OK
        case b"SETINFO":
            return _set_info(client, words[2].upper(), words[3])
        case b"INFO":
            return Verbatim(client.line() + b"\n")
        case b"LIST":
            return Verbatim(b"".join([one.line() + b"\n" for one in about.clients()]))
        case b"NO-EVICT":
            return OK if words[2].upper() in (b"ON", b"OFF") else SYNTAX
        case _:
            return _help(b"CLIENT")


def _set_info(client: Client, attribute: bytes, value: bytes) -> Reply:
    if not Client.can_be_called(value):
        name = attribute.decode("utf-8", "replace").lower()
        return Failure(f"ERR {name} cannot contain spaces, newlines or special characters.")
    match attribute:
        case b"LIB-NAME":
            client.library = value
        case b"LIB-VER":
            client.library_version = value
        case _:
            shown = attribute.decode("utf-8", "surrogateescape")
            return Failure(f"ERR Unrecognized option '{shown}'")
    return OK


def _config(about: About, client: Client, words: Arguments) -> Reply:
    match words[1].upper():
        case b"GET":
            known = about.config()
            tests = [matcher(word.lower()) for word in words[2:]]
            return {key: value for key, value in known.items() if any(t(key) for t in tests)}
        case b"SET":
            shown = words[2].decode("utf-8", "surrogateescape")
            return Failure(f"ERR Unknown option or number of arguments for CONFIG SET - '{shown}'")
        case b"RESETSTAT":
            return OK
        case _:
            return _help(b"CONFIG")


def _help(name: bytes) -> Reply:
    known = b", ".join(sorted(CONTAINERS[name]))
    return [Simple(b"%b <subcommand>. Subcommands are: %b." % (name, known))]


def _command(about: About, client: Client, words: Arguments) -> Reply:
    if len(words) == 1:
        return [_details(command) for command in COMMANDS.values()]
    names = [word.upper() for word in words[2:]]
    match words[1].upper():
        case b"COUNT":
            return len(COMMANDS) + len(LOCAL)
        case b"LIST":
            return [name.lower() for name in (*COMMANDS, *LOCAL)]
        case b"INFO":
            return [
                _details(COMMANDS[name]) if name in COMMANDS else None for name in names or COMMANDS
            ]
        case b"DOCS":
            return {
                COMMANDS[name].name.encode(): {
                    b"summary": COMMANDS[name].summary.encode(),
                    b"since": b"1.0.0",
                    b"group": b"string",
                }
                for name in names or COMMANDS
                if name in COMMANDS
            }
        case b"GETKEYS":
            return _keys_of(words[2:])
        case _:
            return _help(b"COMMAND")


def _details(command: Command) -> Reply:
    first, last, step = command.keys
    return [
        command.name.encode(),
        command.arity,
        [Simple(command.access.value.encode())],
        first,
        last,
        step,
        [],
        [],
        [],
        [],
    ]


def _keys_of(words: Arguments) -> Reply:
    command = COMMANDS.get(words[0].upper())
    if command is None:
        return Failure("ERR Invalid command specified")
    first, last, step = command.keys
    if not first:
        return Failure("ERR The command has no key arguments")
    if len(words) != command.arity and (command.arity > 0 or len(words) < -command.arity):
        return Failure("ERR Invalid number of arguments specified for command")
    return words[first : last % len(words) + 1 : step]


def _elsewhere(about: About, client: Client, words: Arguments) -> Reply:
    raise AssertionError(f"{words[0]!r} is the session's to answer")


LOCAL: Final[Mapping[bytes, Local]] = {
    b"PING": Local(-1, _ping),
    b"ECHO": Local(2, _echo),
    b"SELECT": Local(2, _select),
    b"TIME": Local(1, _time),
    b"INFO": Local(-1, _info),
    b"CLIENT": Local(-2, _client),
    b"CONFIG": Local(-2, _config),
    b"COMMAND": Local(-1, _command),
    b"AUTH": Local(-2, _elsewhere),
    b"HELLO": Local(-1, _elsewhere),
    b"QUIT": Local(-1, _elsewhere),
    b"RESET": Local(1, _elsewhere),
    b"MULTI": Local(1, _elsewhere),
    b"EXEC": Local(1, _elsewhere),
    b"DISCARD": Local(1, _elsewhere),
    b"WATCH": Local(-2, _elsewhere),
    b"UNWATCH": Local(1, _elsewhere),
}
"""By the name in capitals."""

CONTAINERS: Final[Mapping[bytes, Mapping[bytes, int]]] = {
    b"CLIENT": {
        b"ID": 2,
        b"GETNAME": 2,
        b"SETNAME": 3,
        b"SETINFO": 4,
        b"INFO": 2,
        b"LIST": -2,
        b"NO-EVICT": 3,
        b"HELP": 2,
    },
    b"CONFIG": {b"GET": -3, b"SET": -4, b"RESETSTAT": 2, b"HELP": 2},
    b"COMMAND": {b"COUNT": 2, b"LIST": -2, b"INFO": -2, b"DOCS": -2, b"GETKEYS": -4, b"HELP": 2},
}
"""The subcommands of a command, with their arities."""
