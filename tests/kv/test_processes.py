"""The service as processes: killed for good, and cut off, while clients go on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import redis

from runtime.cluster.cluster import Cluster
from tests.kv.clients import connect_async

MODULE = Path(__file__).parents[2] / "generated" / "raft.py"


async def leader_of(cluster: Cluster) -> str:
    """Return the node that leads, once it has committed something."""
    while True:
        for status in await cluster.status():
            if status.protocol_state == "Leader":
                client = connect_async(port=cluster.clients(status.id).port)
                try:
                    info = await client.info("raft")
                finally:
                    await client.aclose()
                if info["raft_committed"] > 0 and info["raft_leader"] == status.id:
                    return status.id
        await asyncio.sleep(0.02)


def test_nothing_that_was_acknowledged_is_lost_when_leaders_are_killed(tmp_path: Path) -> None:
    async def body() -> None:
        async with Cluster(
            MODULE, data=tmp_path / "cluster", app="runtime.kv.service:application", trace=False
        ) as cluster:
            async with asyncio.timeout(60):
                leader = await leader_of(cluster)
                others = [node for node in cluster.members if node != leader]
                clients = {node: connect_async(port=cluster.clients(node).port) for node in others}
                acknowledged = 0
                for round_ in range(30):
                    await clients[others[round_ % 2]].incr("n")
                    acknowledged += 1
                await cluster.kill(leader)
                began = time.monotonic()
                # A connection to a node that lives has nobody to tell it that the leader died.
                await clients[others[0]].incr("n")
                acknowledged += 1
                took = time.monotonic() - began
                assert took < 3, took
                await cluster.restart(leader)
                assert int(await clients[others[1]].get("n")) == acknowledged
                # Each in turn is cut off from the others, and cannot answer with what is old.
                cut = await leader_of(cluster)
                rest = [node for node in cluster.members if node != cut]
                await cluster.partition([[cut], rest])
                old = connect_async(port=cluster.clients(cut).port, socket_timeout=0.5, retry=None)
                new = connect_async(port=cluster.clients(rest[0]).port)
                assert int(await new.incr("n")) == acknowledged + 1
                try:
                    value = await old.get("n")
                except redis.RedisError:
                    value = None
                assert value is None, value
                await cluster.heal()
                await old.aclose()
                again = connect_async(port=cluster.clients(cut).port)
                assert int(await again.get("n")) == acknowledged + 1
                for client in (*clients.values(), new, again):
                    await client.aclose()

    asyncio.run(body())
