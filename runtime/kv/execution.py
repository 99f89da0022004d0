"""Commands from the log on a keyspace: one after the other, or a transaction as one.

What comes out of the log was checked when it went in; but a replica that is handed something else
must neither stop nor differ from the others, so whatever does not fit is answered by an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from runtime.kv.commands import COMMANDS, Access, wrong_arity
from runtime.kv.keyspace import Keyspace
from runtime.kv.resp import NO_ARRAY, Arguments, Failure, Reply


class _Transaction(msgspec.Struct, array_like=True):
    watched: dict[bytes, int]
    commands: list[list[bytes]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Transaction).decode
_NOT_A_COMMAND: Final = Failure("ERR not a command of the log")


def transaction(commands: Sequence[Arguments], watched: Mapping[bytes, int]) -> Arguments:
    """Return the command of the log that is a transaction.

    `commands` are its commands on keys; `watched` are the keys that must not have changed since
    they had these versions.
    """
    return [b"EXEC", _encode(_Transaction(dict(watched), list(commands)))]


def execute(keys: Keyspace, words: Arguments) -> Reply:
    """Execute one command of the log, or a read, and return its reply."""
    command = COMMANDS.get(words[0]) if words else None
    if command is None:
        return _execute_special(keys, words)
    arity = command.arity
    if len(words) != arity and (arity > 0 or len(words) < -arity):
        return wrong_arity(command.name)
    return command.execute(keys, words)


def only_reads(words: Arguments) -> bool:
    """Return whether a command cannot change the keyspace."""
    match words:
        case [b"EXEC", body]:
            try:
                return all(map(only_reads, _decode(body).commands))
            except msgspec.DecodeError:
                return False
        case [name, *_]:
            command = COMMANDS.get(name)
            return name == b"VERSIONS" or (command is not None and command.access is Access.READ)
        case _:
            return False


def _execute_special(keys: Keyspace, words: Arguments) -> Reply:
    match words:
        case [b"EXEC", body]:
            try:
                what = _decode(body)
            except msgspec.DecodeError:
                return _NOT_A_COMMAND
            if any(keys.version(key) != version for key, version in what.watched.items()):
                return NO_ARRAY
            return [
                execute(keys, words) if words and words[0] in COMMANDS else _NOT_A_COMMAND
                for words in what.commands
            ]
        case [b"VERSIONS", *names]:
            return [keys.version(key) for key in names]
        case _:
            return _NOT_A_COMMAND
