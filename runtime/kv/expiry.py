"""When keys expire: the options of `SET` and the commands on a key's time.

Whether a key is there is for the log to say; how long it still has, a reader wants to know as of
now. So the time that is left is counted from the reader's clock (`Keyspace.shown`), and is never
negative as long as the key is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.kv.keyspace import Keyspace
from runtime.kv.numbers import HIGHEST, LOWEST, NOT_AN_INTEGER, integer
from runtime.kv.resp import Arguments, Failure, Reply


class TimeError(Exception):
    """A time that is not possible."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of `SET` and `GETEX`; `amount` is in `unit`: EX, PX, EXAT or PXAT."""

    only_new: bool = False
    only_old: bool = False
    get: bool = False
    keep: bool = False
    persist: bool = False
    unit: bytes = b""
    amount: bytes = b""

    def deadline(self, now: int) -> int | None:
        """Return when the key is to expire, if an option says so.

        Raises `ValueError` if the amount is no number, `TimeError` if it is not possible.
        """
        if not self.unit:
            return None
        amount = integer(self.amount)
        if amount is None:
            raise ValueError(self.amount)
        scale = 1000 if self.unit in (b"EX", b"EXAT") else 1
        base = now if self.unit in (b"EX", b"PX") else 0
        if amount <= 0 or amount > HIGHEST // scale or amount * scale > HIGHEST - base:
            raise TimeError
        return amount * scale + base


def set_options(words: Sequence[bytes]) -> Options | None:
    """Return the options that `words` are; None if they are none."""
    flags: set[bytes] = set()
    unit = amount = b""
    at = 0
    while at < len(words):
        word = words[at].upper()
        at += 1
        if word in (b"NX", b"XX", b"GET", b"KEEPTTL", b"PERSIST"):
            flags.add(word)
        elif word in (b"EX", b"PX", b"EXAT", b"PXAT") and at < len(words) and unit in (b"", word):
            unit, amount = word, words[at]
            at += 1
        else:
            return None
    times = len(flags & {b"KEEPTTL", b"PERSIST"}) + bool(unit)
    if times > 1 or {b"NX", b"XX"} <= flags:
        return None
    return Options(
        b"NX" in flags,
        b"XX" in flags,
        b"GET" in flags,
        b"KEEPTTL" in flags,
        b"PERSIST" in flags,
        unit,
        amount,
    )


def _expire(keys: Keyspace, words: Arguments, scale: int, relative: bool) -> Reply:
    flags = set()
    for word in words[3:]:
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            return Failure(f"ERR Unsupported option {word.decode('utf-8', 'replace')}")
        flags.add(word.upper())
    if b"NX" in flags and len(flags) > 1:
        return Failure("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= flags:
        return Failure("ERR GT and LT options at the same time are not compatible")
    amount = integer(words[2])
    if amount is None:
        return NOT_AN_INTEGER
    base = keys.now if relative else 0
    if not LOWEST // scale < amount <= HIGHEST // scale or amount * scale > HIGHEST - base:
        name = words[0].decode().lower()
        return Failure(f"ERR invalid expire time in '{name}' command")
    at = amount * scale + base
    if words[1] not in keys:
        return 0
    now = keys.expiry(words[1])
    if (
        (b"NX" in flags and now is not None)
        or (b"XX" in flags and now is None)
        or (b"GT" in flags and (now is None or at <= now))
        or (b"LT" in flags and now is not None and at >= now)
    ):
        return 0
    keys.expire(words[1], at)
    return 1


def expire(keys: Keyspace, words: Arguments) -> Reply:
    """EXPIRE key seconds, with options."""
    return _expire(keys, words, 1000, True)


def pexpire(keys: Keyspace, words: Arguments) -> Reply:
    """PEXPIRE key milliseconds, with options."""
    return _expire(keys, words, 1, True)


def expireat(keys: Keyspace, words: Arguments) -> Reply:
    """EXPIREAT key seconds since 1970, with options."""
    return _expire(keys, words, 1000, False)


def pexpireat(keys: Keyspace, words: Arguments) -> Reply:
    """PEXPIREAT key milliseconds since 1970, with options."""
    return _expire(keys, words, 1, False)


def persist(keys: Keyspace, words: Arguments) -> Reply:
    """PERSIST key."""
    return int(keys.persist(words[1]))


def _left(keys: Keyspace, key: bytes, relative: bool) -> int:
    if key not in keys:
        return -2
    at = keys.expiry(key)
    if at is None:
        return -1
    return max(at - keys.shown, 0) if relative else at


def ttl(keys: Keyspace, words: Arguments) -> Reply:
    """TTL key, in seconds; -1 if it does not expire, -2 if it is not there."""
    left = _left(keys, words[1], True)
    return left if left < 0 else (left + 500) // 1000


def pttl(keys: Keyspace, words: Arguments) -> Reply:
    """PTTL key, in milliseconds."""
    return _left(keys, words[1], True)


def expiretime(keys: Keyspace, words: Arguments) -> Reply:
    """EXPIRETIME key, in seconds since 1970."""
    at = _left(keys, words[1], False)
    return at if at < 0 else (at + 500) // 1000


def pexpiretime(keys: Keyspace, words: Arguments) -> Reply:
    """PEXPIRETIME key, in milliseconds since 1970."""
    return _left(keys, words[1], False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command on a key's time; `arity` as in `Command`."""

    name: str
    arity: int
    writes: bool
    execute: Callable[[Keyspace, Arguments], Reply]
    summary: str


EXPIRY: Final = (
    Entry("expire", -3, True, expire, "Lets a key expire, in seconds."),
    Entry("pexpire", -3, True, pexpire, "Lets a key expire, in milliseconds."),
    Entry("expireat", -3, True, expireat, "Lets a key expire at a time, in seconds."),
    Entry("pexpireat", -3, True, pexpireat, "Lets a key expire at a time, in milliseconds."),
    Entry("persist", 2, True, persist, "Lets a key not expire."),
    Entry("ttl", 2, False, ttl, "Returns the time a key has left, in seconds."),
    Entry("pttl", 2, False, pttl, "Returns the time a key has left, in milliseconds."),
    Entry("expiretime", 2, False, expiretime, "Returns when a key expires, in seconds."),
    Entry("pexpiretime", 2, False, pexpiretime, "Returns when a key expires, in milliseconds."),
)
