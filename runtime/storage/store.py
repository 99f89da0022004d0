"""The store of a node: what it has made durable, one row for each variable or entry of a map.

SQLite keeps it, in WAL mode with `synchronous=FULL`: a commit has returned only after its bytes
were synced. One transaction holds the writes of a whole batch of steps, and of these only what is
different from before. Each row has a checksum of its own, and the identity of the node, down to the
hash of its spec, lies beside them; a directory that is not this node's, or not whole, is refused.

What SQLite alone would not notice is a commit that was there and is gone: it ends its log at the
first frame that does not add up, without a word, and a log that somebody has deleted is as good as
none. So each transaction also counts itself, in a row, and in the file `commits` beside the
database, which is not synced. After a crash of the process the file is as new as the last commit,
and a database with fewer commits is refused; after a loss of power it may be older, and says less.

A write that fails is never tried again: after a failed sync nobody knows what is on the disk. The
store is done for then, and so is the node.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from runtime.contract import Module, Write
from runtime.storage.directory import DirectoryLock, StorageError
from runtime.storage.values import StoredValueError, ValueCodec

FORMAT: Final = 1
DATABASE: Final = "state.sqlite"
COMMITS: Final = "commits"

_COMMITS_KEY: Final = b"commits"
_INCARNATION_KEY: Final = b"incarnation"
_OWN: Final = ""
"""The variable of the rows that are the store's own; no variable of a spec has that name."""

_TABLES: Final = """
CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE durable (
    variable TEXT, keys BLOB, value BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (variable, keys)
) WITHOUT ROWID;
"""
_UPSERT: Final = (
    "INSERT INTO durable VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
    "SET value = excluded.value, checksum = excluded.checksum"
)
_COUNT: Final = struct.Struct(">QI")


class StoreFailure(Exception):
    """A commit has failed, or a value cannot be stored; the node must stop, and tell nobody."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose data a directory holds.

    `cluster` is the membership, as text: with other nodes beside it, a node's promises mean
    something else.
    """

    protocol: str
    spec_sha256: str
    node: str
    role: str
    cluster: str


class Store(Protocol):
    """What a host needs of a store. `commits` counts the commits that have succeeded.

    `incarnation` is how often the node has come up with this store, 0 for a new one.
    """

    commits: int
    incarnation: int

    def load(self) -> list[Write]:
        """Return all that is durable, as the writes that led to it."""

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        """Make all the writes durable, together, or raise `StoreFailure`.

        Of two to the same place the later one counts. With `incarnation`, that is stored as well.
        """

    def close(self) -> None:
        """Close the store; another process may open the directory then."""


class SqliteStore:
    """The store in a directory, which is made if there is none.

    Raises `StorageError` if the directory cannot be used for this node.
    """

    def __init__(self, directory: Path, module: Module, identity: Identity) -> None:
        self.directory = directory
        self._module = module
        self._values = ValueCodec(module)
        self._lock = DirectoryLock(directory)
        self._known: dict[str, object] = {}
        self._rows: list[Write] = []
        self._failed = False
        self._count = -1
        self._connection: sqlite3.Connection | None = None
        try:
            self._open(identity)
        except sqlite3.DatabaseError as error:
            self.close()
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise StorageError(f"cannot use {directory}: {error}") from None
            raise StorageError(f"{directory} is damaged: {error}. {_ADVICE}") from None
        except OSError as error:
            self.close()
            raise StorageError(f"cannot use {directory}: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    # --- opening -------------------------------------------------------------------------

    def _open(self, identity: Identity) -> None:
        path = self.directory / DATABASE
        counted = self._counted()
        new = not path.exists()
        self._connection = connection = sqlite3.connect(path, isolation_level=None)
        self._cursor = connection.cursor()
        (mode,) = self._cursor.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageError(f"{self.directory}: the file system allows no write-ahead log")
        self._cursor.execute("PRAGMA synchronous = FULL")
        names = {name for (name,) in self._cursor.execute("SELECT name FROM sqlite_master")}
        if not {"identity", "durable"} & names:
            # Also where an earlier process died before its first transaction.
            if counted:
                raise StorageError(
                    f"{self.directory} has lost its database: {counted} commits were made, "
                    f"and none is there. {_ADVICE}"
                )
            self._create(identity)
            if new:
                _sync_directory(self.directory)
                _sync_directory(self.directory.parent)
        else:
            problems = [text for (text,) in self._cursor.execute("PRAGMA quick_check(1)")]
            if problems != ["ok"]:
                raise StorageError(f"{self.directory} is damaged: {problems[0]}. {_ADVICE}")
            self._compare(identity)
        self._rows = self._read()
        if self.commits < counted:
            self._rows = []
            raise StorageError(
                f"{self.directory} has lost commits: {counted} were made, and only "
                f"{self.commits} are there. {_ADVICE}"
            )
        self._count = os.open(
            self.directory / COMMITS, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
        )

    def _create(self, identity: Identity) -> None:
        facts = asdict(identity) | {"format": str(FORMAT)}
        self._cursor.execute("BEGIN IMMEDIATE")
        for statement in filter(str.strip, _TABLES.split(";")):
            self._cursor.execute(statement)
        rows = [*facts.items(), ("checksum", _digest(facts))]
        self._cursor.executemany("INSERT INTO identity VALUES (?, ?)", rows)
        self._cursor.execute("COMMIT")

    def _compare(self, identity: Identity) -> None:
        stored = dict(self._cursor.execute("SELECT name, value FROM identity"))
        known = stored.get("format")
        if known != str(FORMAT):
            raise StorageError(
                f"{self.directory} has the format {known}; this version knows {FORMAT} only"
            )
        if stored.pop("checksum", None) != _digest(stored):
            raise StorageError(f"{self.directory} is damaged: its identity. {_ADVICE}")
        for name, own in asdict(identity).items():
            if stored.get(name) != own:
                raise StorageError(
                    f"{self.directory} holds the data of another {_WHAT[name]}: "
                    f"{stored.get(name)}; this one is {own}"
                )

    def _read(self) -> list[Write]:
        writes: list[Write] = []
        own = {_COMMITS_KEY: 0, _INCARNATION_KEY: 0}
        rows = self._cursor.execute("SELECT variable, keys, value, checksum FROM durable")
        for variable, keys, value, checksum in rows:
            if checksum != _checksum(variable, keys, value):
                raise StorageError(
                    f"{self.directory} is damaged: the checksum of "
                    f"{variable or 'a row of its own'} is wrong. {_ADVICE}"
                )
            if variable == _OWN:
                own[keys] = int(value)
                continue
            try:
                way, content = self._values.decode(keys), self._values.decode(value)
            except StoredValueError as error:
                raise StorageError(
                    f"{self.directory} is damaged: {variable} holds {error}. {_ADVICE}"
                ) from None
            if not way:
                self._known[variable] = content
            writes.append(self._module.Write(variable, way, content))
        self.commits = own[_COMMITS_KEY]
        self.incarnation = own[_INCARNATION_KEY]
        return writes

    def _counted(self) -> int:
        """Return how many commits the last process says it has made; 0 if it says nothing."""
        try:
            data = (self.directory / COMMITS).read_bytes()
        except FileNotFoundError:
            return 0
        if len(data) != _COUNT.size:
            return 0
        count, checksum = _COUNT.unpack(data)
        return int(count) if checksum == zlib.crc32(data[:8]) else 0

    # --- use -----------------------------------------------------------------------------

    def load(self) -> list[Write]:
        """Return what was durable when the store was opened, as the writes that led to it."""
        return self._rows

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        """Make all the writes durable, together, or raise `StoreFailure`, once and for all.

        Nothing is written if nothing is different from before.
        """
        if self._failed:
            raise StoreFailure(f"{self.directory}: an earlier commit has failed")
        self._failed = True  # until it has succeeded
        try:
            rows = self._changed(writes)
            if incarnation is not None:
                rows.append(_own_row(_INCARNATION_KEY, incarnation))
            if rows:
                count = self.commits + 1
                rows.append(_own_row(_COMMITS_KEY, count))
                execute = self._cursor.execute
                execute("BEGIN IMMEDIATE")
                self._cursor.executemany(_UPSERT, rows)
                execute("COMMIT")
                data = count.to_bytes(8, "big")
                os.pwrite(self._count, data + zlib.crc32(data).to_bytes(4, "big"), 0)
                self.commits = count
                if incarnation is not None:
                    self.incarnation = incarnation
        except (sqlite3.Error, OSError, StoredValueError) as error:
            raise StoreFailure(f"{self.directory}: {error}") from error
        self._failed = False

    def _changed(self, writes: Iterable[Write]) -> list[tuple[str, bytes, bytes, int]]:
        """Return the rows of the writes, without those of variables that are as they were."""
        known, encode, encode_keys = self._known, self._values.encode, self._values.encode_keys
        rows = []
        for write in writes:
            variable, keys, value = write.variable, write.keys, write.value
            if keys:
                way = encode_keys(keys)
            else:
                if variable in known and known[variable] == value:
                    continue
                known[variable] = value
                way = _WHOLE
            data = encode(value)
            rows.append((variable, way, data, _checksum(variable, way, data)))
        return rows

    def close(self) -> None:
        """Close the store and let go of the directory; a second call does nothing."""
        if self._connection is not None:
            with suppress(sqlite3.Error):  # whatever it is, what was committed is durable
                self._connection.close()
            self._connection = None
        if self._count >= 0:
            os.close(self._count)
            self._count = -1
        self._lock.close()
        self._rows = []


_ADVICE: Final = (
    "Nothing was changed. Bring back a copy, or let the node go for good; with an empty "
    "directory it would have forgotten what it promised"
)
_WHAT: Final = {
    "protocol": "protocol",
    "spec_sha256": "version of the spec (by its hash)",
    "node": "node",
    "role": "role",
    "cluster": "cluster, or of one with other members",
}
_WHOLE: Final = b"\x90"
"""The bytes of no keys."""


def _checksum(variable: str, keys: bytes, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(keys, zlib.crc32(variable.encode())))


def _own_row(keys: bytes, number: int) -> tuple[str, bytes, bytes, int]:
    value = str(number).encode()
    return _OWN, keys, value, _checksum(_OWN, keys, value)


def _digest(facts: dict[str, str]) -> str:
    return f"{zlib.crc32(repr(sorted(facts.items())).encode()):08x}"


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
