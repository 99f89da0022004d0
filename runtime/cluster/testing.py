"""Fixtures for pytest: a test of a user's own spec on a real cluster, on the simulator, or both.

    def test_tea(accordant):
        async def body(cluster):
            await cluster.request("p1", cluster.module.Propose("tea"))
            await cluster.until(lambda: cluster.outputs)
        accordant("generated/paxos.py", body)

`accordant_cluster` runs the body on processes, `accordant_simulator` on the simulator, and
`accordant` makes two tests of one: one on each. A body is what `Driver` says, and nothing of it
depends on which it is. Where a test is a coroutine itself, `async with Cluster(...)` needs none of
this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from runtime.cluster.driver import Driver


class Runner(Protocol):
    """Runs a body on a cluster of `module`; `options` are those of both kinds of cluster.

    They are `nodes`, `answers` and `constants`, as `Cluster` has them.
    """

    def __call__(
        self,
        module: str | Path,
        body: Callable[[Any], Awaitable[None]],
        **options: Any,
    ) -> None:
        """Start the cluster, await the body, and stop the cluster, whatever has happened."""


@pytest.fixture
def accordant_cluster(tmp_path: Path) -> Runner:
    """Run a body on a cluster of processes; what they leave is under the test's `tmp_path`."""
    from runtime.cluster.cluster import Cluster

    def run(module: str | Path, body: Callable[[Driver], Awaitable[None]], **options: Any) -> None:
        options.setdefault("data", tmp_path / "cluster")
        _run(Cluster(module, **options), body)

    return run


@pytest.fixture
def accordant_simulator() -> Runner:
    """Run a body on the simulator; with `seed` in the options, another run."""
    from runtime.cluster.simulated import SimulatedCluster

    def run(module: str | Path, body: Callable[[Driver], Awaitable[None]], **options: Any) -> None:
        _run(SimulatedCluster(module, **options), body)

    return run


@pytest.fixture(params=["simulator", "cluster"])
def accordant(request: pytest.FixtureRequest) -> Runner:
    """Run a body on both, as two tests."""
    runner: Runner = request.getfixturevalue(f"accordant_{request.param}")
    return runner


def _run(cluster: Any, body: Callable[[Any], Awaitable[None]]) -> None:
    async def main() -> None:
        async with cluster as driver:
            await body(driver)

    asyncio.run(main())
