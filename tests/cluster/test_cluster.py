"""Clusters of processes: faults, what is left, and what is told when something is wrong."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from runtime.checking.recorded import read_recording, trace_files
from runtime.cluster import Cluster, ClusterFailure, NodeDown
from runtime.codec import Codec
from runtime.load import load
from tests.host.modules import GENERATED

PAXOS = GENERATED / "paxos.py"
SHARDS = GENERATED / "shard_transfer.py"
SMALL = {"Proposer": 1, "Acceptor": 3, "Learner": 1}


def alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def put(cluster: Cluster, node: str, number: int) -> bool:
    module: Any = cluster.module
    return await cluster.request(node, module.Put("k", number))


def test_faults_and_what_is_left(tmp_path: Path) -> None:
    async def run() -> list[int | None]:
        async with Cluster(SHARDS, 2, data=tmp_path, tls=True) as cluster:
            pids = [status.pid for status in await cluster.status()]
            assert all(map(alive, pids))
            assert await put(cluster, "n1", 1)
            await cluster.pause("n1")
            (one, _) = await cluster.status()
            assert (one.process, one.variables) == ("paused", None)
            await cluster.resume("n1")
            await cluster.partition([["n1"]])
            (one, two) = await cluster.status()
            assert (one.cut, two.cut) == (("n2",), ("n1",))
            await cluster.heal()
            await cluster.clog("n1", "n2")
            module: Any = cluster.module
            assert await cluster.request("n1", module.Move("k", "n2"))
            await cluster.sleep(0.3)
            assert await cluster.variables("n2") == {"epoch": [], "value": [], "leaving": []}
            await cluster.release("n1", "n2")
            await cluster.kill("n1")
            await cluster.restart("n1")
            await cluster.connected()
            await cluster.request("n2", module.Get("k"))
            await cluster.until(lambda: cluster.outputs[-1].output == module.Found("k", 1))
            status = await cluster.node_status("n1")
            assert (status.starts, status.process) == (2, "up")
            return pids

    pids = asyncio.run(run())
    assert not any(map(alive, pids))
    recording = read_recording(load(SHARDS), trace_files(tmp_path))
    assert [len(trace.lives) for trace in recording.traces.values()] == [2, 1]


def test_a_directory_can_be_used_again_and_not_for_another_cluster(tmp_path: Path) -> None:
    async def run() -> None:
        async with Cluster(SHARDS, 1, data=tmp_path) as cluster:
            await put(cluster, "n1", 7)
            before = cluster.clients("n1")
        async with Cluster(SHARDS, 1, data=tmp_path) as cluster:
            assert (await cluster.variables("n1"))["value"] == [["k", 7]]
            assert cluster.clients("n1") == before
        with pytest.raises(ClusterFailure, match="take another directory"):
            await Cluster(SHARDS, 2, data=tmp_path).start()

    asyncio.run(run())


@pytest.mark.parametrize("room", [0, 6000])
def test_a_node_whose_disk_fails_stops_and_has_kept_what_it_said(tmp_path: Path, room: int) -> None:
    async def run() -> None:
        async with Cluster(SHARDS, 1, data=tmp_path) as cluster:
            await put(cluster, "n1", 1)
            await cluster.fail_disk("n1", room)
            said = 1
            with suppress(ValueError, NodeDown):
                while await put(cluster, "n1", said + 1):
                    said += 1
            await cluster.process("n1").ended()
            assert cluster.process("n1").state == "died"
            assert cluster.process("n1").exit_code == 1
            await cluster.restart("n1")
            ((_, there),) = (await cluster.variables("n1"))["value"]
            assert said <= there <= said + 1

    asyncio.run(run())


def test_a_node_that_dies_by_itself_is_told_with_what_it_wrote_last() -> None:
    async def run() -> None:
        async with Cluster(SHARDS, 2) as cluster:
            pid = cluster.process("n1").pid
            assert pid is not None
            os.kill(pid, 9)
            await cluster.until(lambda: False, 20)

    with pytest.raises(ClusterFailure, match="n1 was killed by SIGKILL") as failure:
        asyncio.run(run())
    assert '"event": "started"' in str(failure.value)


def test_a_node_that_cannot_start_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    async def run() -> None:
        cluster = Cluster(SHARDS, 2, data=tmp_path, app="nowhere:App")
        with pytest.raises(ClusterFailure, match="cannot import nowhere"):
            await cluster.start()
        assert [cluster.process(node).pid for node in cluster.members] == [None, None]

    asyncio.run(run())


def test_a_body_that_fails_leaves_nothing(tmp_path: Path) -> None:
    pids: list[int | None] = []

    async def run() -> None:
        async with Cluster(SHARDS, 2, data=tmp_path) as cluster:
            await cluster.pause("n2")
            pids.extend(cluster.process(node).pid for node in cluster.members)
            raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        asyncio.run(run())
    assert len(pids) == 2
    assert not any(map(alive, pids))


def test_a_clock_that_is_set_is_the_applications_alone(tmp_path: Path) -> None:
    async def run() -> None:
        app = "tests.cluster.applications:Times"
        async with Cluster(SHARDS, 1, data=tmp_path, app=app) as cluster:
            await cluster.set_clock("n1", 86_400.0)
            await put(cluster, "n1", 1)
            await cluster.restart("n1")
            await put(cluster, "n1", 2)
            await cluster.set_clock("n1", -2 * 86_400.0)
            await put(cluster, "n1", 3)

    asyncio.run(run())
    log = (tmp_path / "nodes" / "n1" / "log").read_text()
    assert [line for line in log.splitlines() if line.startswith("day")] == [
        "day 1",
        "day 1",
        "day -1",
    ]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with Cluster(PAXOS, SMALL, data=tmp_path) as cluster:
            assert cluster.node("2") == cluster.members[1]
            for wrong in ("9", "0", "p9"):
                with pytest.raises(ClusterFailure, match="no node is called"):
                    cluster.node(wrong)
            with pytest.raises(ClusterFailure, match="one group only"):
                await cluster.partition([["a1"], ["a1", "a2"]])
            with pytest.raises(ClusterFailure, match="between two nodes"):
                await cluster.clog("a1", "a1")
            with pytest.raises(ValueError, match="nothing here is called"):
                await cluster.process("a1").order("request", {"Nothing": []})
        assert Codec(cluster.module)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ({"Nobody": 3}, "no role or parameter is called `Nobody`"),
        (0, "needs at least one node"),
    ],
)
def test_a_cluster_that_cannot_be(tmp_path: Path, nodes: Any, text: str) -> None:
    with pytest.raises(ClusterFailure, match=text):
        asyncio.run(Cluster(PAXOS, nodes, data=tmp_path).start())
