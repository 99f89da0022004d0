"""What Prometheus is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from runtime.host.config import Address, ConfigError
from runtime.host.host import Host
from runtime.host.statistics import Distribution, MetricsServer, Statistics
from tests.host.clusters import bound, configure
from tests.host.modules import generated

PAXOS = generated("paxos")


def lines(registry: CollectorRegistry) -> dict[str, float]:
    """Return the samples of a registry."""
    text = generate_latest(registry).decode().splitlines()
    pairs = (line.rpartition(" ") for line in text if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_distributions_count_up_to_each_bound() -> None:
    values = Distribution((1, 2, 5))
    for value in (1, 1, 2, 3, 9):
        values.add(value)
    assert values.buckets() == [("1", 2), ("2", 3), ("5", 4), ("+Inf", 5)]
    assert (values.count, values.total) == (5, 16)


def test_numbers_have_their_labels() -> None:
    statistics, registry = Statistics(), CollectorRegistry()
    registry.register(statistics)
    statistics.steps["Prepare"] = 3
    statistics.refuse("frame")
    statistics.refuse("frame")
    statistics.connected["a1"] = 1
    statistics.batches.add(7)
    found = lines(registry)
    assert found['accordant_steps_total{event="Prepare"}'] == 3
    assert found['accordant_refused_total{reason="frame"}'] == 2
    assert found['accordant_connected{peer="a1"}'] == 1
    assert found['accordant_batch_steps_bucket{le="5"}'] == 0
    assert found['accordant_batch_steps_bucket{le="10"}'] == 1
    assert found["accordant_batch_steps_sum"] == 7


def test_a_node_shows_its_state_and_numbers(tmp_path: Path) -> None:
    async def main() -> None:
        config, sockets = configure(PAXOS, {"Proposer": 1, "Acceptor": 1, "Learner": 1})
        for id in ("a1", "l1"):
            sockets[id].close()
        host = Host(PAXOS, "p1", config, tmp_path, listener=sockets["p1"])
        assert "accordant_state" not in generate_latest(host.registry).decode()
        async with host:
            await host.request(PAXOS.Propose("tea"))
            found = lines(host.registry)
            assert found['accordant_state{role="Proposer",state="Preparing"}'] == 1
            assert found['accordant_variable{variable="ballot"}'] == 1
            assert 'accordant_variable{variable="proposal"}' not in found
            assert found['accordant_steps_total{event="Propose"}'] == 1

    asyncio.run(main())


def test_a_port_in_use_is_told() -> None:
    with bound() as taken:
        taken.listen()
        with pytest.raises(ConfigError, match=r"cannot listen at .* for metrics"):
            MetricsServer(CollectorRegistry(), Address("127.0.0.1", taken.getsockname()[1]))
