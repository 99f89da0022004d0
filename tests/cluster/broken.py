"""Builds that are wrong on purpose, each in one way that torture has to notice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runtime.contract import Module, Write
from runtime.kv.service import KeyValue
from runtime.storage.store import Identity, SqliteStore
from tests.host.modules import GENERATED

RAFT = GENERATED / "raft.py"


def vote_not_durable(directory: Path) -> Path:
    """Return a Raft that forgets in a crash whom it has voted for."""
    return _patched(
        directory,
        'persist(Write("term", (), self.term), Write("voted", (), self.voted)),\n'
        "            Send(candidate, Vote(number)),",
        'persist(Write("term", (), self.term)),\n            Send(candidate, Vote(number)),',
    )


def truncates_without_conflict(directory: Path) -> Path:
    """Return a Raft whose follower cuts its log at each entry that it gets, even one it has."""
    return _patched(
        directory,
        "if not (index <= self.last and "
        "self.entry_term.get(index, TERM_ZERO) == index_term):\n"
        "            self.entry_term[index] = index_term",
        "if True:\n            self.entry_term[index] = index_term",
    )


def _patched(directory: Path, right: str, wrong: str) -> Path:
    text = RAFT.read_text("utf-8")
    assert text.count(right) == 1, "the module has changed: adapt the mistake"
    path = directory / "raft.py"
    path.write_text(text.replace(right, wrong), "utf-8")
    return path


class LateStore:
    """Says that writes are durable, and makes them so with the next ones."""

    def __init__(self, directory: Path, module: Module, identity: Identity) -> None:
        self._store = SqliteStore(directory, module, identity)
        self._late: tuple[list[Write], int | None] | None = None

    @property
    def commits(self) -> int:
        return self._store.commits + (self._late is not None)

    @property
    def incarnation(self) -> int:
        return self._store.incarnation

    def load(self) -> list[Write]:
        return self._store.load()

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        kept = list(writes)
        self._write()
        self._late = kept, incarnation

    def _write(self) -> None:
        if self._late is not None:
            late, self._late = self._late, None
            self._store.commit(*late)

    def close(self) -> None:
        self._write()
        self._store.close()


class StaleKeyValue(KeyValue):
    """Answers reads from what this node has applied, without asking whether that is all."""

    def _send_read(self, number: int, read: Any) -> None:
        self._settle_read(number, 0)


def stale() -> StaleKeyValue:
    return StaleKeyValue()


class DyingKeyValue(KeyValue):
    """Ends its node after a few batches."""

    def _apply(self, index: int, body: object) -> None:
        super()._apply(index, body)
        if index > 20 and self.node.id == "s1":
            raise RuntimeError("died on purpose")


def dying() -> DyingKeyValue:
    return DyingKeyValue()
