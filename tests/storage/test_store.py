"""What was committed is there when the store is opened again; what is not right is refused."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.contract import Write
from runtime.storage.directory import StorageError
from runtime.storage.store import COMMITS, DATABASE, Identity, SqliteStore, StoreFailure
from tests.host.modules import generated

PAXOS = generated("paxos")
IDENTITY = Identity("Paxos", PAXOS.SPEC_SHA256, "a1", "Acceptor", "{}")


def opened(directory: Path) -> SqliteStore:
    return SqliteStore(directory, PAXOS, IDENTITY)


def write(variable: str, value: object, *keys: object) -> Write:
    made: Write = PAXOS.Write(variable, keys, value)
    return made


def contents(directory: Path) -> dict[tuple[str, tuple[object, ...]], object]:
    store = opened(directory)
    try:
        return {(w.variable, w.keys): w.value for w in store.load()}
    finally:
        store.close()


def test_writes_are_there_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert (store.load(), store.commits, store.incarnation) == ([], 0, 0)
    ballot = PAXOS.Ballot(3, "p1")
    store.commit([write("promised", ballot), write("log", (ballot, b"x"), 1)], incarnation=1)
    store.commit([write("log", None, 2), write("log", "y", 1)])
    assert (store.commits, store.incarnation) == (2, 1)
    store.close()
    assert contents(tmp_path) == {
        ("promised", ()): ballot,
        ("log", (1,)): "y",
        ("log", (2,)): None,
    }
    store = opened(tmp_path)
    assert (store.commits, store.incarnation) == (2, 1)
    store.close()


def test_a_batch_is_one_commit_and_what_is_unchanged_is_not_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    statements: list[str] = []
    assert store._connection is not None
    store._connection.set_trace_callback(statements.append)
    store.commit([write("log", n, n) for n in range(20)] + [write("last", 20)])
    assert sum(s.startswith("COMMIT") for s in statements) == 1
    assert sum(s.startswith("INSERT") for s in statements) == 22
    statements.clear()
    store.commit([write("last", 20)])
    assert statements == []
    assert store.commits == 1
    store.commit([write("last", 21), write("log", 5, 5)])
    assert sum(s.startswith("INSERT") for s in statements) == 3
    store.close()
    assert contents(tmp_path)["last", ()] == 21


def test_the_store_is_as_durable_as_it_says(tmp_path: Path) -> None:
    store = opened(tmp_path)
    (mode,) = store._cursor.execute("PRAGMA journal_mode").fetchone()
    (level,) = store._cursor.execute("PRAGMA synchronous").fetchone()
    assert (mode, level) == ("wal", 2)
    store.close()


def test_what_was_committed_survives_a_process_that_ends_without_closing(tmp_path: Path) -> None:
    store = opened(tmp_path / "a")
    for n in range(10):
        store.commit([write("last", n)])
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # as a SIGKILL would leave it
    assert contents(tmp_path / "b") == {("last", ()): 9}
    store.close()


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"protocol": "Raft"}, "another protocol: Paxos; this one is Raft"),
        ({"spec_sha256": "0" * 64}, "another version of the spec"),
        ({"node": "a2"}, "another node: a1; this one is a2"),
        ({"role": "Learner"}, "another role: Acceptor; this one is Learner"),
        ({"cluster": "{1}"}, "another cluster, or of one with other members"),
    ],
)
def test_the_data_of_another_is_refused(tmp_path: Path, change: dict[str, str], text: str) -> None:
    opened(tmp_path).close()
    with pytest.raises(StorageError, match=text):
        SqliteStore(tmp_path, PAXOS, replace(IDENTITY, **change))
    opened(tmp_path).close()  # it has changed nothing


def alter(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / DATABASE)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE identity SET value = '9' WHERE name = 'format'", "format 9; this version knows 1"),
        ("UPDATE identity SET value = 'a2' WHERE name = 'node'", "damaged: its identity"),
        ("DELETE FROM identity WHERE name = 'checksum'", "damaged: its identity"),
        ("UPDATE durable SET value = x'05' WHERE variable = 'last'", "checksum of last is wrong"),
        ("UPDATE durable SET variable = 'first' WHERE variable = 'last'", "checksum of first"),
        ("UPDATE durable SET value = x'39' WHERE variable = ''", "a row of its own"),
        ("DROP TABLE durable", "no such table"),
    ],
)
def test_altered_data_is_refused(tmp_path: Path, statement: str, text: str) -> None:
    store = opened(tmp_path)
    store.commit([write("last", 4)])
    store.close()
    alter(tmp_path, statement)
    with pytest.raises(StorageError, match=text):
        opened(tmp_path)


@pytest.mark.parametrize("place", [0, 100, 4096, 4100, 8191])
def test_a_database_with_wrong_bytes_is_refused(tmp_path: Path, place: int) -> None:
    store = opened(tmp_path)
    store.commit([write("log", b"x" * 50, n) for n in range(200)])
    store.close()
    data = bytearray((tmp_path / DATABASE).read_bytes())
    data[place : place + 40] = bytes(b ^ 0x55 for b in data[place : place + 40])
    (tmp_path / DATABASE).write_bytes(data)
    with pytest.raises(StorageError, match=r"damaged|lost"):
        opened(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="damaged: file is not a database"):
        opened(tmp_path)


def crashed(directory: Path, commits: int) -> Path:
    """Return a directory as a killed process leaves it, after so many commits."""
    store = opened(directory / "alive")
    for n in range(commits):
        store.commit([write("last", n)])
    shutil.copytree(directory / "alive", directory / "dead")
    store.close()
    return directory / "dead"


def test_a_log_that_has_gone_is_noticed(tmp_path: Path) -> None:
    dead = crashed(tmp_path, 5)
    (dead / f"{DATABASE}-wal").unlink()
    with pytest.raises(StorageError, match=r"5 (commits )?were made"):
        opened(dead)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_log_that_was_cut_or_altered_is_noticed(tmp_path: Path, share: float) -> None:
    dead = crashed(tmp_path, 5)
    log = dead / f"{DATABASE}-wal"
    data = log.read_bytes()
    log.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(StorageError, match="commits"):
        opened(dead)
    place = int(len(data) * share)
    log.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with pytest.raises(StorageError, match="commits"):
        opened(dead)


def test_a_lost_database_is_noticed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([write("last", 1)])
    store.close()
    (tmp_path / DATABASE).unlink()
    with pytest.raises(StorageError, match="has lost its database: 1 commits were made"):
        opened(tmp_path)


def test_an_older_count_is_what_a_loss_of_power_leaves(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([write("last", 1)])
    old = (tmp_path / COMMITS).read_bytes()
    store.commit([write("last", 2)])
    store.close()
    for count in (old, b"", b"\0" * 12):
        (tmp_path / COMMITS).write_bytes(count)
        assert contents(tmp_path) == {("last", ()): 2}


def test_a_directory_belongs_to_one_store_at_a_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(StorageError, match=r"in use by a process that is alive \(process \d+\)"):
        opened(tmp_path)
    store.close()
    store.close()
    opened(tmp_path).close()


def test_a_place_that_cannot_be_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use"):
        opened(tmp_path / "file")


# --- failures ------------------------------------------------------------------------------------


def test_a_full_disk_ends_the_store_and_keeps_what_was_committed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit([write("last", 1)])
    (pages,) = store._cursor.execute("PRAGMA page_count").fetchone()
    store._cursor.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFailure, match="full"):
        store.commit([write("last", 2), write("log", b"x" * 50_000, 1)])
    with pytest.raises(StoreFailure, match="an earlier commit has failed"):
        store.commit([write("last", 3)])
    store.close()
    assert contents(tmp_path) == {("last", ()): 1}


def test_a_value_that_cannot_be_stored_ends_the_store(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(StoreFailure, match="cannot be stored"):
        store.commit([write("last", 2**70)])
    store.close()
    assert contents(tmp_path) == {}
