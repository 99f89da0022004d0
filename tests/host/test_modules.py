"""Every generated module runs as a real cluster: sockets, disks, timers, a random workload."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from runtime.contract import Module
from runtime.host.host import Options
from runtime.host.process import run_as_processes_do
from runtime.membership import make_cluster
from runtime.workload import RandomWorkload
from tests.host.applications import Guesser, eventually
from tests.host.clusters import running
from tests.host.modules import MODULES, PATHS
from tests.host.traces import read, replay
from tests.runtime.building import ALL_CONSTRUCTS, module_of

SECONDS = 0.6


QUORUMS = {"q1": 2, "q2": 2}
"""Parameters that are not 1, as the specs have it where each role has three nodes."""


def sizes(module: Module) -> dict[str, int]:
    """Return the sizes of a module's cluster: roles as they come, and its parameters."""
    names = [name for name in module.CLUSTER_FIELDS if name not in module.ROLES]
    return {name: QUORUMS.get(name, 1) for name in names}


CASES = [*MODULES, module_of(ALL_CONSTRUCTS)]


@pytest.mark.parametrize("module", CASES, ids=[*PATHS, "all_constructs"])
def test_a_real_cluster(module: Module, tmp_path: Path) -> None:
    run_as_processes_do(run(module, tmp_path))
    for trace in tmp_path.glob("*.trace"):
        lives = read(trace)
        assert len(lives) == 1
        assert "end" in lives[0][-1]
        replay(module, lives)


async def run(module: Module, directory: Path) -> None:
    cluster = make_cluster(module, sizes(module))
    workload, random = RandomWorkload(module, cluster), Random(5)
    async with running(
        module,
        sizes(module),
        directory,
        lambda id: Guesser(module, cluster, id),
        options=lambda id: Options(trace=directory / f"{id}.trace"),
    ) as hosts:
        await eventually(lambda: all(all(h.statistics.connected.values()) for h in hosts.values()))
        loop, taken = asyncio.get_running_loop(), []
        end = loop.time() + SECONDS

        def delivered() -> int:
            return sum(sum(host.statistics.received.values()) for host in hosts.values())

        while loop.time() < end or (delivered() < 10 and loop.time() < end + 20):
            arrival = workload.next(random)
            if arrival is not None:
                taken.append(hosts[arrival.node].request(arrival.request))
            await asyncio.sleep(0.01)
        assert any([await request for request in taken]) or not module.REQUESTS
        assert delivered() >= 10
        assert not any(host.failed for host in hosts.values())
        assert not any(host.statistics.refused for host in hosts.values())
