"""What the nemesis does to a cluster, and what becomes of a run in which a node dies by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from runtime.cluster import Cluster
from runtime.cluster.nemesis import FAULTS, Nemesis
from tests.cluster import broken
from tests.host.modules import GENERATED

SHARDS = GENERATED / "shard_transfer.py"


def test_every_fault_is_undone(tmp_path: Path) -> None:
    async def run() -> None:
        async with Cluster(SHARDS, 3, data=tmp_path) as cluster:
            nemesis = Nemesis(cluster, 3, interval=0.05, length=0.05)
            async with asyncio.TaskGroup() as group:
                group.create_task(nemesis.run())
                await asyncio.sleep(4)
                nemesis.stop()
            await cluster.connected()
            statuses = await cluster.status()
            assert {status.process for status in statuses} == {"up"}
            assert not any(status.cut for status in statuses)
            assert len(nemesis.counts) >= 4
            assert set(nemesis.counts) <= set(FAULTS)
            assert not cluster.deaths

    asyncio.run(run())


def test_a_node_that_dies_by_itself_is_a_finding(tmp_path: Path) -> None:
    from runtime.cluster.torture import TortureOptions, torture

    options = TortureOptions(seconds=3, application="tests.cluster.broken:dying")
    options = replace(options, interval=0.2, length=0.2, faults=("pause",))
    result, _ = asyncio.run(torture(broken.RAFT, tmp_path / "cluster", options))
    assert result.outcome == "wrong"
    assert any("died on purpose" in death for death in result.deaths)
