"""Disks that fail: a store whose writes the system refuses from some byte on.

The refusal is a real one. While the store commits, the process may not write to any file beyond a
limit (`RLIMIT_FSIZE`), so SQLite gets an error from the system somewhere in its log, perhaps in the
middle of a page. Everything else the process writes is outside of that time and goes on.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable
from pathlib import Path

from runtime.contract import Module, Write
from runtime.storage.store import DATABASE, Identity, SqliteStore, Store

StoreFactory = Callable[[Path, Module, Identity], Store]


class FragileDisk:
    """Opens stores; `fail` makes the disk under them full."""

    def __init__(self, factory: StoreFactory = SqliteStore) -> None:
        self._factory = factory
        self.limit: int | None = None
        self.log: Path | None = None

    def open(self, directory: Path, module: Module, identity: Identity) -> Store:
        """Open a store, as the factory does."""
        self.log = directory / f"{DATABASE}-wal"
        return FragileStore(self, self._factory(directory, module, identity))

    def fail(self, room: int) -> None:
        """Leave room for so many bytes more at the end of the log, and for nothing else."""
        size = self.log.stat().st_size if self.log is not None and self.log.exists() else 0
        self.limit = size + room


class FragileStore:
    """A store on a fragile disk."""

    def __init__(self, disk: FragileDisk, store: Store) -> None:
        self._disk = disk
        self._store = store
        self.commits = store.commits
        self.incarnation = store.incarnation

    def load(self) -> list[Write]:
        """Return all that is durable."""
        return self._store.load()

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        """Make the writes durable, as far as the disk lets it."""
        limit, store = self._disk.limit, self._store
        if limit is None:
            store.commit(writes, incarnation)
        else:
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                store.commit(writes, incarnation)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.commits, self.incarnation = store.commits, store.incarnation

    def close(self) -> None:
        """Close the store."""
        self._store.close()
