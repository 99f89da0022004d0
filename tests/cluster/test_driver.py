"""Test bodies that run on the simulator and on processes alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.cluster import ClusterFailure, Driver, NodeDown, SimulatedCluster
from runtime.cluster.testing import Runner
from tests.host.modules import GENERATED

PAXOS = GENERATED / "paxos.py"
COMMIT = GENERATED / "two_phase_commit.py"
SMALL = {"Proposer": 2, "Acceptor": 3, "Learner": 1}


def test_paxos_decides_once(accordant: Runner) -> None:
    async def body(cluster: Driver) -> None:
        module: Any = cluster.module
        assert await cluster.request("p1", module.Propose("tea"))
        await cluster.until(lambda: cluster.outputs)
        await cluster.kill("a1")
        await cluster.request("p2", module.Propose("coffee"))
        await cluster.until(lambda: len(cluster.outputs) > 1)
        assert {told.output for told in cluster.outputs} == {module.Decided("tea")}

    accordant(PAXOS, body, nodes=SMALL)


def test_what_was_promised_survives(accordant: Runner) -> None:
    async def body(cluster: Driver) -> None:
        module: Any = cluster.module
        await cluster.request("p1", module.Propose("tea"))
        await cluster.until(lambda: cluster.outputs)
        before = await cluster.variables("a2")
        assert before["accepted"] is not None
        await cluster.kill("a2")
        with pytest.raises(NodeDown):
            await cluster.variables("a2")
        with pytest.raises(NodeDown):
            await cluster.request("a2", module.Propose("milk"))
        await cluster.restart("a2")
        assert await cluster.variables("a2") == before

    accordant(PAXOS, body, nodes={**SMALL, "Acceptor": 2})


def test_a_partition_keeps_a_minority_from_deciding(accordant: Runner) -> None:
    async def body(cluster: Driver) -> None:
        module: Any = cluster.module
        await cluster.partition([["p1", "a1"]])
        await cluster.request("p1", module.Propose("tea"))
        await cluster.sleep(0.5)
        assert not cluster.outputs
        await cluster.heal()
        await cluster.until(lambda: cluster.outputs)

    accordant(PAXOS, body, nodes=SMALL)


def finished(cluster: Driver) -> list[Any]:
    module: Any = cluster.module
    return [told.output for told in cluster.outputs if isinstance(told.output, module.Finished)]


@pytest.mark.parametrize("answer", [True, False])
def test_the_application_answers(accordant: Runner, answer: bool) -> None:
    async def body(cluster: Driver) -> None:
        module: Any = cluster.module
        await cluster.answer("p2", "can_commit", answer)
        await cluster.request("c1", module.Begin("t1"))
        await cluster.until(lambda: len(finished(cluster)) == 3)
        assert {output.status.value for output in finished(cluster)} == {
            "Committed" if answer else "Aborted"
        }

    accordant(COMMIT, body, answers={"can_commit": True})


def test_equal_seeds_are_equal_runs() -> None:
    async def run(seed: int) -> tuple[int, int]:
        async with SimulatedCluster(PAXOS, seed=seed) as cluster:
            module: Any = cluster.module
            await cluster.request("p1", module.Propose("tea"))
            await cluster.request("p2", module.Propose("coffee"))
            await cluster.until(lambda: len(cluster.outputs) >= 3)
            return cluster.time, len(cluster.outputs)

    assert asyncio.run(run(1)) == asyncio.run(run(1))
    assert len({asyncio.run(run(seed)) for seed in range(5)}) > 1


def test_the_simulator_says_what_does_not_come() -> None:
    async def body() -> None:
        async with SimulatedCluster(COMMIT) as cluster:
            with pytest.raises(TimeoutError, match="after 2 s of virtual time"):
                await cluster.until(lambda: cluster.outputs, 2)
            module: Any = cluster.module
            await cluster.request("c1", module.Begin("t1"))
            with pytest.raises(ClusterFailure, match="given no answer"):
                await cluster.sleep(1)

    asyncio.run(body())


def test_a_failing_body_fails_the_test(accordant: Runner) -> None:
    async def body(cluster: Driver) -> None:
        raise AssertionError("on purpose")

    with pytest.raises(AssertionError, match="on purpose"):
        accordant(PAXOS, body, nodes=SMALL)
