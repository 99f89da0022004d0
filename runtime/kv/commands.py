"""The commands on keys: what each does to the keyspace, and what it answers.

All are functions of the keyspace and their arguments, so that replicas that execute the same
commands in the same order have the same keys. The names, numbers of arguments and errors are those
of Redis 7.0; values are strings, so nothing ever has the wrong type.

`Command.access` says how a command gets to the keyspace: one that may change it goes through the
log, one that only reads is answered from a state that is recent enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from runtime.kv.expiry import EXPIRY, Options, TimeError, set_options
from runtime.kv.keyspace import LONGEST_VALUE, Keyspace
from runtime.kv.numbers import HIGHEST, LOWEST, NOT_AN_INTEGER, integer
from runtime.kv.pattern import matcher
from runtime.kv.resp import OK, Arguments, Failure, Reply, Simple

Execute: TypeAlias = Callable[[Keyspace, Arguments], Reply]


class Access(Enum):
    """What a command may do to the keyspace."""

    READ = "readonly"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Command:
    """A command on keys.

    `arity` is the number of its words with its name, negative if it may have more. `keys` says
    which words are keys: the first, the last (negative: from the end), and the step; 0 if none are.
    """

    name: str
    arity: int
    access: Access
    execute: Execute
    keys: tuple[int, int, int]
    summary: str


SYNTAX: Final = Failure("ERR syntax error")
OVERFLOW: Final = Failure("ERR increment or decrement would overflow")
TOO_LONG: Final = Failure("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


def wrong_arity(name: str) -> Failure:
    """Return the error of a command with too few or too many words."""
    return Failure(f"ERR wrong number of arguments for '{name}' command")


# --- values --------------------------------------------------------------------------------------


def get(keys: Keyspace, words: Arguments) -> Reply:
    """GET key."""
    return keys.get(words[1])


def set_(keys: Keyspace, words: Arguments) -> Reply:
    """SET key value, with options."""
    key = words[1]
    if len(words) == 3:
        keys.put(key, words[2])
        keys.forget_expiry(key)
        return OK
    options = set_options(words[3:])
    if options is None:
        return SYNTAX
    at = _deadline(keys, options, "set")
    if isinstance(at, Failure):
        return at
    old = keys.get(key)
    if (options.only_new and old is not None) or (options.only_old and old is None):
        return old if options.get else None
    keys.put(key, words[2])
    if not options.keep:
        keys.forget_expiry(key)
    if at is not None:
        keys.expire(key, at)
    return old if options.get else OK


def _deadline(keys: Keyspace, options: Options, name: str) -> int | Failure | None:
    try:
        return options.deadline(keys.now)
    except TimeError:
        return Failure(f"ERR invalid expire time in '{name}' command")
    except ValueError:
        return NOT_AN_INTEGER


def getset(keys: Keyspace, words: Arguments) -> Reply:
    """GETSET key value."""
    old = keys.get(words[1])
    keys.put(words[1], words[2])
    keys.forget_expiry(words[1])
    return old


def getdel(keys: Keyspace, words: Arguments) -> Reply:
    """GETDEL key."""
    old = keys.get(words[1])
    keys.delete(words[1])
    return old


def getex(keys: Keyspace, words: Arguments) -> Reply:
    """GETEX key, with options."""
    options = set_options(words[2:])
    if options is None or options.only_new or options.only_old or options.get or options.keep:
        return SYNTAX
    old = keys.get(words[1])
    if old is None:
        return None
    at = _deadline(keys, options, "getex")
    if isinstance(at, Failure):
        return at
    if options.persist:
        keys.persist(words[1])
    elif at is not None:
        keys.expire(words[1], at)
    return old


def setnx(keys: Keyspace, words: Arguments) -> Reply:
    """SETNX key value."""
    if words[1] in keys:
        return 0
    keys.put(words[1], words[2])
    return 1


def setex(keys: Keyspace, words: Arguments) -> Reply:
    """SETEX key seconds value."""
    return _set_for(keys, words, b"EX", "setex")


def psetex(keys: Keyspace, words: Arguments) -> Reply:
    """PSETEX key milliseconds value."""
    return _set_for(keys, words, b"PX", "psetex")


def _set_for(keys: Keyspace, words: Arguments, unit: bytes, name: str) -> Reply:
    at = _deadline(keys, Options(unit=unit, amount=words[2]), name)
    if isinstance(at, Failure):
        return at
    assert at is not None
    keys.put(words[1], words[3])
    keys.forget_expiry(words[1])
    keys.expire(words[1], at)
    return OK


def mget(keys: Keyspace, words: Arguments) -> Reply:
    """MGET key..."""
    return [keys.get(key) for key in words[1:]]


def mset(keys: Keyspace, words: Arguments) -> Reply:
    """MSET key value..."""
    if len(words) % 2 == 0:
        return wrong_arity("mset")
    for at in range(1, len(words), 2):
        keys.put(words[at], words[at + 1])
        keys.forget_expiry(words[at])
    return OK


def msetnx(keys: Keyspace, words: Arguments) -> Reply:
    """MSETNX key value...: all or none."""
    if len(words) % 2 == 0:
        return wrong_arity("msetnx")
    if any(key in keys for key in words[1::2]):
        return 0
    mset(keys, words)
    return 1


def append(keys: Keyspace, words: Arguments) -> Reply:
    """APPEND key value."""
    value = (keys.get(words[1]) or b"") + words[2]
    if len(value) > LONGEST_VALUE:
        return TOO_LONG
    keys.put(words[1], value)
    return len(value)


def strlen(keys: Keyspace, words: Arguments) -> Reply:
    """STRLEN key."""
    return len(keys.get(words[1]) or b"")


def getrange(keys: Keyspace, words: Arguments) -> Reply:
    """GETRANGE key start end; both ends belong to it, negative ones count from the end."""
    start, end = integer(words[2]), integer(words[3])
    if start is None or end is None:
        return NOT_AN_INTEGER
    value = keys.get(words[1]) or b""
    if start < 0 and end < 0 and start > end:
        return b""
    start = max(start + len(value), 0) if start < 0 else start
    end = max(end + len(value), 0) if end < 0 else end
    return value[start : end + 1]


def setrange(keys: Keyspace, words: Arguments) -> Reply:
    """SETRANGE key offset value; a gap is filled with zeros."""
    offset = integer(words[2])
    if offset is None:
        return NOT_AN_INTEGER
    if offset < 0:
        return Failure("ERR offset is out of range")
    old, new = keys.get(words[1]) or b"", words[3]
    if not new:
        return len(old)
    if offset + len(new) > LONGEST_VALUE:
        return TOO_LONG
    value = old[:offset].ljust(offset, b"\0") + new + old[offset + len(new) :]
    keys.put(words[1], value)
    return len(value)


# --- numbers -------------------------------------------------------------------------------------


def incr(keys: Keyspace, words: Arguments) -> Reply:
    """INCR key."""
    return _add(keys, words[1], 1)


def decr(keys: Keyspace, words: Arguments) -> Reply:
    """DECR key."""
    return _add(keys, words[1], -1)


def incrby(keys: Keyspace, words: Arguments) -> Reply:
    """INCRBY key amount."""
    amount = integer(words[2])
    return NOT_AN_INTEGER if amount is None else _add(keys, words[1], amount)


def decrby(keys: Keyspace, words: Arguments) -> Reply:
    """DECRBY key amount."""
    amount = integer(words[2])
    if amount is None:
        return NOT_AN_INTEGER
    if amount == LOWEST:
        return Failure("ERR decrement would overflow")
    return _add(keys, words[1], -amount)


def _add(keys: Keyspace, key: bytes, amount: int) -> Reply:
    value = keys.get(key)
    number = 0 if value is None else integer(value)
    if number is None:
        return NOT_AN_INTEGER
    number += amount
    if not LOWEST <= number <= HIGHEST:
        return OVERFLOW
    keys.put(key, b"%d" % number)
    return number


# --- keys ----------------------------------------------------------------------------------------


def delete(keys: Keyspace, words: Arguments) -> Reply:
    """DEL key..."""
    return sum(keys.delete(key) for key in words[1:])


def exists(keys: Keyspace, words: Arguments) -> Reply:
    """EXISTS key...; a key that stands there twice counts twice."""
    return sum(key in keys for key in words[1:])


def type_(keys: Keyspace, words: Arguments) -> Reply:
    """TYPE key."""
    return Simple(b"string" if words[1] in keys else b"none")


def dbsize(keys: Keyspace, words: Arguments) -> Reply:
    """DBSIZE."""
    return len(keys)


def keys_(keys: Keyspace, words: Arguments) -> Reply:
    """KEYS pattern."""
    matches = matcher(words[1])
    return [key for key in keys if matches(key)]


def scan(keys: Keyspace, words: Arguments) -> Reply:
    """SCAN cursor, with options."""
    if not words[1].isdigit() or int(words[1]) >= 2**64:
        return Failure("ERR invalid cursor")
    matches, count, kind = matcher(b"*"), 10, b"string"
    options = words[2:]
    for name, value in zip(options[::2], options[1::2], strict=False):
        match name.upper():
            case b"MATCH":
                matches = matcher(value)
            case b"COUNT":
                number = integer(value)
                if number is None:
                    return NOT_AN_INTEGER
                if number < 1:
                    return SYNTAX
                count = number
            case b"TYPE":
                kind = value.lower()
            case _:
                return SYNTAX
    if len(options) % 2:
        return SYNTAX
    cursor, found = keys.scan(int(words[1]), count)
    if kind != b"string":
        found = []
    return [b"%d" % cursor, [key for key in found if matches(key)]]


def flush(keys: Keyspace, words: Arguments) -> Reply:
    """FLUSHALL or FLUSHDB."""
    if len(words) > 2 or (len(words) == 2 and words[1].upper() not in (b"SYNC", b"ASYNC")):
        return SYNTAX
    keys.clear()
    return OK


# --- the table -----------------------------------------------------------------------------------

_ONE: Final = (1, 1, 1)
_ALL: Final = (1, -1, 1)
_PAIRS: Final = (1, -1, 2)
_NONE: Final = (0, 0, 0)
_R: Final = Access.READ
_W: Final = Access.WRITE

COMMANDS: Final = {
    command.name.upper().encode(): command
    for command in (
        Command("get", 2, _R, get, _ONE, "Returns the value of a key."),
        Command("set", -3, _W, set_, _ONE, "Sets the value of a key."),
        Command("getset", 3, _W, getset, _ONE, "Sets the value of a key, returns the old one."),
        Command("getdel", 2, _W, getdel, _ONE, "Deletes a key, returns its value."),
        Command("getex", -2, _W, getex, _ONE, "Returns a value, sets when its key expires."),
        Command("setnx", 3, _W, setnx, _ONE, "Sets a value if there is no such key."),
        Command("setex", 4, _W, setex, _ONE, "Sets a value that expires, in seconds."),
        Command("psetex", 4, _W, psetex, _ONE, "Sets a value that expires, in milliseconds."),
        Command("mget", -2, _R, mget, _ALL, "Returns the values of keys."),
        Command("mset", -3, _W, mset, _PAIRS, "Sets the values of keys."),
        Command("msetnx", -3, _W, msetnx, _PAIRS, "Sets values if none of the keys is there."),
        Command("append", 3, _W, append, _ONE, "Appends to the value of a key."),
        Command("strlen", 2, _R, strlen, _ONE, "Returns the length of a value."),
        Command("getrange", 4, _R, getrange, _ONE, "Returns a part of a value."),
        Command("setrange", 4, _W, setrange, _ONE, "Overwrites a part of a value."),
        Command("incr", 2, _W, incr, _ONE, "Adds one to a number."),
        Command("decr", 2, _W, decr, _ONE, "Takes one from a number."),
        Command("incrby", 3, _W, incrby, _ONE, "Adds to a number."),
        Command("decrby", 3, _W, decrby, _ONE, "Takes from a number."),
        Command("del", -2, _W, delete, _ALL, "Deletes keys."),
        Command("unlink", -2, _W, delete, _ALL, "Deletes keys."),
        Command("exists", -2, _R, exists, _ALL, "Counts the keys that are there."),
        Command("touch", -2, _R, exists, _ALL, "Counts the keys that are there."),
        Command("type", 2, _R, type_, _ONE, "Returns the type of a value."),
        Command("dbsize", 1, _R, dbsize, _NONE, "Returns the number of keys."),
        Command("keys", 2, _R, keys_, _NONE, "Returns the keys that match a pattern."),
        Command("scan", -2, _R, scan, _NONE, "Returns some of the keys, and where to go on."),
        Command("flushall", -1, _W, flush, _NONE, "Deletes all keys."),
        Command("flushdb", -1, _W, flush, _NONE, "Deletes all keys."),
        *(
            Command(e.name, e.arity, _W if e.writes else _R, e.execute, _ONE, e.summary)
            for e in EXPIRY
        ),
    )
}
"""By the name in capitals."""
