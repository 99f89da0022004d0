"""The state of the service: keys, their values, when they expire, and when each last changed.

Every replica has one and makes the same changes to it in the order of the log, so nothing here may
depend on anything else: no clock, no order of a hash that changes from run to run, no
configuration. Time is what the log says (`advance`): a key is there until an entry of the log
carries a time that is not before its expiry, and then it is gone everywhere.

For `SCAN`, keys lie in a fixed number of buckets by a checksum, and a cursor is the number of a
bucket: a key that is there all the while is found, whatever comes and goes beside it. For `WATCH`,
each change has a number. A key that is gone has the number of the last key that was deleted from
its bucket: it takes no memory for every key there ever was, and at worst a transaction is told,
without need, to try again.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final
from zlib import crc32

BUCKETS: Final = 4096
LONGEST_VALUE: Final = 8 * 1024 * 1024
"""The most bytes that a value may grow to."""


class Keyspace:
    """Keys and values; times are milliseconds since 1970."""

    __slots__ = (
        "_changes",
        "_deleted",
        "_due",
        "_expiries",
        "_keys",
        "_values",
        "_versions",
        "now",
        "shown",
    )

    def __init__(self) -> None:
        self.now = 0
        self.shown = 0  # the time for answers about the time that is left
        self._values: dict[bytes, bytes] = {}
        self._expiries: dict[bytes, int] = {}
        self._due: list[tuple[int, bytes]] = []  # a heap; what is not in `_expiries` as well is old
        self._keys: list[set[bytes]] = [set() for _ in range(BUCKETS)]
        self._versions: dict[bytes, int] = {}
        self._deleted = [0] * BUCKETS
        self._changes = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: bytes) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._values)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is no such key."""
        return self._values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Give a key a value. When it expires stays as it is."""
        if key not in self._values:
            self._keys[crc32(key) % BUCKETS].add(key)
        self._values[key] = value
        self._changes += 1
        self._versions[key] = self._changes

    def delete(self, key: bytes) -> bool:
        """Remove a key; return whether it was there."""
        if key not in self._values:
            return False
        del self._values[key]
        del self._versions[key]
        self._expiries.pop(key, None)
        bucket = crc32(key) % BUCKETS
        self._keys[bucket].discard(key)
        self._changes += 1
        self._deleted[bucket] = self._changes
        return True

    def clear(self) -> None:
        """Remove all keys."""
        for key in list(self._values):
            self.delete(key)
        self._due.clear()

    def version(self, key: bytes) -> int:
        """Return a number that is another one after each change of the key."""
        return self._versions.get(key) or self._deleted[crc32(key) % BUCKETS]

    # --- expiry ---

    @property
    def expiring(self) -> int:
        """How many keys will expire."""
        return len(self._expiries)

    def expiry(self, key: bytes) -> int | None:
        """Return when a key expires, None if it does not."""
        return self._expiries.get(key)

    def expire(self, key: bytes, at: int) -> None:
        """Let a key that is there expire at `at`; a time that has come removes it."""
        if at <= self.now:
            self.delete(key)
            return
        self._expiries[key] = at
        heappush(self._due, (at, key))
        if len(self._due) > 64 and len(self._due) > 4 * len(self._expiries):
            self._due = [(when, key) for key, when in self._expiries.items()]
            heapify(self._due)
        self._touch(key)

    def persist(self, key: bytes) -> bool:
        """Let a key not expire; return whether it would have."""
        if self._expiries.pop(key, None) is None:
            return False
        self._touch(key)
        return True

    def forget_expiry(self, key: bytes) -> None:
        """Let a key not expire that has just been given a value."""
        if self._expiries:
            self._expiries.pop(key, None)

    def _touch(self, key: bytes) -> None:
        self._changes += 1
        self._versions[key] = self._changes

    def advance(self, time: int) -> None:
        """Let the time be `time`, unless it is later already, and remove what has expired."""
        if time <= self.now:
            return
        self.now = self.shown = time
        while self._due and self._due[0][0] <= time:
            at, key = heappop(self._due)
            if self._expiries.get(key) == at:
                self.delete(key)

    def next_expiry(self) -> int | None:
        """Return when the next key expires; None if none does."""
        while self._due:
            at, key = self._due[0]
            if self._expiries.get(key) == at:
                return at
            heappop(self._due)
        return None

    # --- scanning ---

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Return about `count` keys of buckets from `cursor` on, and where to go on; 0: done."""
        found: list[bytes] = []
        while cursor < BUCKETS and len(found) < count:
            found += sorted(self._keys[cursor])
            cursor += 1
        return (cursor if cursor < BUCKETS else 0), found
