"""What a node does with what arrives: together, once to the disk, and only then out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from runtime.contract import Module, Write
from runtime.host.application import RequestError
from runtime.host.config import ConfigError
from runtime.host.host import DEFAULT_OPTIONS, Host, HostError, Options
from runtime.host.logs import node_logger
from runtime.storage.directory import StorageError
from runtime.storage.store import Identity, SqliteStore, StoreFailure
from tests.host.applications import Recorder, eventually
from tests.host.clusters import configure, running
from tests.host.modules import generated
from tests.runtime.building import module_of

PAXOS = generated("paxos")
COMMIT = generated("two_phase_commit")
SHARDS = generated("shard_transfer")
ONE_EACH = {"Proposer": 1, "Acceptor": 1, "Learner": 1}


def test_paxos_decides(tmp_path: Path) -> None:
    async def main() -> None:
        apps: dict[str, Recorder] = {}
        async with running(
            PAXOS, {"Acceptor": 3}, tmp_path, lambda id: apps.setdefault(id, Recorder())
        ) as hosts:
            assert await hosts["p1"].request(PAXOS.Propose(b"tea"))
            for app in (apps["l1"], apps["l2"], apps["l3"]):
                await app.until(app.outputs.__len__)
                assert app.outputs[0] == PAXOS.Decided(b"tea")
            assert hosts["l1"].code.decided == b"tea"  # type: ignore[attr-defined]
            assert hosts["p1"].peers == ("p2", "p3", "a1", "a2", "a3", "l1", "l2", "l3")
        assert all(app.stopped for app in apps.values())

    asyncio.run(main())


def test_what_is_durable_is_there_after_a_restart_and_recover_comes_first(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, ONE_EACH)
        for socket in sockets.values():
            socket.close()
        data = tmp_path / "p1"
        async with Host(PAXOS, "p1", config, data) as host:
            assert await host.request(PAXOS.Propose("tea"))
            assert host.statistics.ignored == {"start": 1}
        async with Host(PAXOS, "p1", config, data) as host:
            await eventually(lambda: host.statistics.ignored)
            assert host.statistics.ignored == {"recover": 1}
            assert host.code.ballot == PAXOS.Ballot(1, "p1")  # type: ignore[attr-defined]
            host.kill()
        async with Host(PAXOS, "p1", config, data) as host:
            assert await host.request(PAXOS.Propose("coffee"))
            assert host.code.ballot == PAXOS.Ballot(2, "p1")  # type: ignore[attr-defined]

    asyncio.run(main())


# --- batches -------------------------------------------------------------------------------------


class SpyStore(SqliteStore):
    """Counts the writes of each commit, and calls `before` first."""

    def __init__(self, directory: Path, module: Module, identity: Identity) -> None:
        super().__init__(directory, module, identity)
        self.batches: list[int] = []
        self.before: Any = lambda: None

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        self.before()
        writes = list(writes)
        self.batches.append(len(writes))
        super().commit(writes, incarnation)


def test_what_arrives_together_is_one_commit(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(SHARDS, {"Node": 1})
        app = Recorder()
        stores: list[SpyStore] = []

        def opened(*arguments: Any) -> SpyStore:
            stores.append(SpyStore(*arguments))
            return stores[0]

        async with Host(
            SHARDS, "n1", config, tmp_path, app, listener=sockets["n1"], open_store=opened
        ) as host:
            keys = await owned(host)
            stores[0].batches.clear()
            commits = stores[0].commits
            stores[0].before = lambda: told.append(len(app.outputs))
            told: list[int] = []
            puts = [host.request(SHARDS.Put(keys, n)) for n in range(100)]
            assert all(await asyncio.gather(*puts))
            assert stores[0].batches == [1]  # 100 writes to one place are the last one
            assert stores[0].commits == commits + 1
            assert told == [0]
            assert app.outputs == [SHARDS.Stored(keys, n) for n in range(100)]

    asyncio.run(main())


async def owned(host: Host) -> str:
    """Return a key that the node owns."""
    for n in range(20):
        if await host.request(SHARDS.Put(f"k{n}", "old")):
            host._application.outputs.clear()  # type: ignore[attr-defined]
            return f"k{n}"
    raise AssertionError("the node owns no key")


def test_a_batch_has_its_bound_and_the_rest_is_not_lost(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, ONE_EACH)
        sockets["a1"].close()
        sockets["l1"].close()
        options = Options(batch_limit=10)
        async with Host(
            PAXOS, "p1", config, tmp_path, listener=sockets["p1"], options=options
        ) as host:
            taken = await asyncio.gather(*(host.request(PAXOS.Propose(n)) for n in range(95)))
            assert taken == [True] + [False] * 94
            assert host.statistics.batches.count == 10

    asyncio.run(main())


# --- failures ------------------------------------------------------------------------------------


class FailingStore(SqliteStore):
    """Fails at the commit whose number is `fails_at`."""

    fails_at = 0

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        if self.commits + 1 == self.fails_at:
            raise StoreFailure("no space left on device")
        super().commit(writes, incarnation)


def test_nothing_leaves_when_the_disk_fails(tmp_path: Path) -> None:
    async def main() -> None:
        apps: dict[str, Recorder] = {}

        def opened(directory: Path, module: Module, identity: Identity) -> SqliteStore:
            store = FailingStore(directory, module, identity)
            store.fails_at = 2 if identity.node == "p1" else 0
            return store

        async with running(
            PAXOS,
            ONE_EACH,
            tmp_path,
            lambda id: apps.setdefault(id, Recorder()),
            open_store=opened,
        ) as hosts:
            await eventually(lambda: all(hosts["a1"].statistics.connected.values()))
            request = hosts["p1"].request(PAXOS.Propose("tea"))
            with pytest.raises(HostError, match="p1: no space left on device"):
                await hosts["p1"].wait()
            assert request.cancelled()
            assert hosts["p1"].request(PAXOS.Propose("tea")).cancelled()
            await eventually(lambda: not hosts["a1"].statistics.connected["p1"])
            assert hosts["a1"].statistics.received["p1"] == 0
        assert apps["p1"].stopped

    asyncio.run(main())


def test_an_application_that_raises_ends_the_node(tmp_path: Path) -> None:
    async def main() -> None:
        def broken(_: object) -> None:
            raise RuntimeError("broken application")

        apps: dict[str, Recorder] = {}
        async with running(
            COMMIT,
            {"Participant": 1},
            tmp_path,
            lambda id: apps.setdefault(id, Recorder(broken)),
        ) as hosts:
            await hosts["c1"].request(COMMIT.Begin("t"))
            with pytest.raises(HostError, match="broken application"):
                await hosts["p1"].wait()
            assert not hosts["c1"].failed

    asyncio.run(main())


def test_a_question_without_an_application_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(COMMIT, {"Participant": 1}, tmp_path) as hosts:
            await hosts["c1"].request(COMMIT.Begin("t"))
            with pytest.raises(HostError, match="name one with --app"):
                await hosts["p1"].wait()

    asyncio.run(main())


def test_answers_of_the_wrong_type_end_the_node(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(
            COMMIT, {"Participant": 1}, tmp_path, lambda _: Recorder(lambda q: "yes")
        ) as hosts:
            await hosts["c1"].request(COMMIT.Begin("t"))
            with pytest.raises(HostError, match="can_commit: Expected `bool`, got `str`"):
                await hosts["p1"].wait()

    asyncio.run(main())


# --- questions, requests, bytes ------------------------------------------------------------------


def test_outputs_of_earlier_steps_are_told_before_a_question(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(COMMIT, {"Participant": 1})
        sockets["c1"].close()
        app = Recorder()
        async with Host(COMMIT, "p1", config, tmp_path, app, listener=sockets["p1"]) as host:
            deliver = 0
            for message in (
                COMMIT.Prepare("t"),
                COMMIT.DoCommit("t"),
                COMMIT.Prepare("u"),
                COMMIT.DoAbort("u"),
                COMMIT.Prepare("v"),
            ):
                host._add(deliver, message, "c1")
            await app.until(lambda: len(app.questions) == 3)
            assert app.questions == [
                (COMMIT.CanCommit("t"), 0),
                (COMMIT.CanCommit("u"), 1),
                (COMMIT.CanCommit("v"), 2),
            ]

    asyncio.run(main())


def test_a_request_that_does_not_fit_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, ONE_EACH)
        async with Host(
            PAXOS, "p1", config, tmp_path, listener=sockets["p1"], options=Options(frame_limit=1000)
        ) as host:
            unfit: tuple[object, ...] = (None, [], 2**64, b"x" * 501, float("nan"))
            for value in unfit:
                with pytest.raises(RequestError):
                    host.request(PAXOS.Propose(value))
            with pytest.raises(RequestError):
                host.request("tea")
            assert await host.request(PAXOS.Propose(b"x" * 400))
        sockets["a1"].close()
        sockets["l1"].close()

    asyncio.run(main())


def test_applications_exchange_bytes(tmp_path: Path) -> None:
    async def main() -> None:
        apps: dict[str, Recorder] = {}
        async with running(
            PAXOS, ONE_EACH, tmp_path, lambda id: apps.setdefault(id, Recorder())
        ) as hosts:
            p1, a1 = hosts["p1"], hosts["a1"]
            await eventually(lambda: all(p1.statistics.connected.values()))
            assert p1.send("a1", b"hello")
            assert p1.send("a1", b"")
            await apps["a1"].until(lambda: len(apps["a1"].bytes) == 2)
            assert apps["a1"].bytes == [("p1", b"hello"), ("p1", b"")]
            assert a1.send("p1", b"refuse me")
            await eventually(lambda: p1.statistics.refused)
            assert p1.statistics.refused == {"frame": 1}
            await eventually(lambda: a1.send("p1", b"again"))
            await apps["p1"].until(lambda: apps["p1"].bytes)
            with pytest.raises(ValueError, match="more than a frame"):
                a1.send("p1", bytes(DEFAULT_OPTIONS.frame_limit))
            hosts["a1"].kill()
            assert not a1.send("p1", b"dead")

    asyncio.run(main())


# --- refusals ------------------------------------------------------------------------------------


def test_a_node_that_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    config, sockets = configure(PAXOS, ONE_EACH)
    for socket in sockets.values():
        socket.close()
    with pytest.raises(ConfigError, match="no node is called `x`; there are: p1, a1, l1"):
        Host(PAXOS, "x", config, tmp_path)


def test_another_nodes_directory_is_refused_and_nothing_is_left_open(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, ONE_EACH)
        for socket in sockets.values():
            socket.close()
        logger = node_logger("a1", "error")
        async with Host(PAXOS, "p1", config, tmp_path, logger=logger):
            with pytest.raises(StorageError, match="in use"):
                await Host(PAXOS, "a1", config, tmp_path, logger=logger).start()
        with pytest.raises(StorageError, match="another node"):
            await Host(PAXOS, "a1", config, tmp_path, logger=logger).start()
        larger, more = configure(PAXOS, {"Proposer": 1, "Acceptor": 2, "Learner": 1})
        for socket in more.values():
            socket.close()
        with pytest.raises(StorageError, match="other members"):
            await Host(PAXOS, "p1", larger, tmp_path, logger=logger).start()

    asyncio.run(main())


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, ONE_EACH)
        sockets["p1"].listen()
        with pytest.raises(ConfigError, match=r"cannot listen at 127\.0\.0\.1:"):
            await Host(PAXOS, "p1", config, tmp_path).start()
        for socket in sockets.values():
            socket.close()

    asyncio.run(main())


# --- what a node has to do with itself ------------------------------------------------------------


def test_what_a_node_sends_itself_belongs_to_the_same_batch(tmp_path: Path) -> None:
    chain: Any = module_of(Path(__file__).parent / "chain.accord")

    async def main(options: Options) -> tuple[list[Any], int]:
        config, sockets = configure(chain, {"Node": 1})
        app = Recorder()
        async with Host(
            chain,
            "n1",
            config,
            tmp_path / str(options.batch_limit),
            app,
            listener=sockets["n1"],
            options=options,
        ) as host:
            await host.request(chain.Go())
            await app.until(lambda: len(app.outputs) == 3)
            return app.outputs, host.statistics.commits.count

    counted = [chain.Counted(1), chain.Counted(2), chain.Counted(3)]
    assert asyncio.run(main(DEFAULT_OPTIONS)) == (counted, 1)
    # One step a batch: the start, the request, and three messages.
    assert asyncio.run(main(Options(batch_limit=1))) == (counted, 5)
