"""What a node counts, and how Prometheus gets it.

The host adds to plain numbers; a collector makes metrics of them when somebody asks. Counting costs
next to nothing that way, and it happens at every step.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from runtime.contract import Role
from runtime.host.config import Address, ConfigError

_BATCHES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_SECONDS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Distribution:
    """How often a number was in which range."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many values were at most each bound, as Prometheus has it."""
        running, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            running += count
            buckets.append((bound, float(running)))
        return buckets


class Statistics:
    """The numbers of one node.

    `steps` and `ignored` count by the class of the event, `sent`, `received` and `dropped` messages
    by peer, `refused` frames and connections by reason.
    """

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}
        self.ignored: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self.received: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.connected: dict[str, int] = {}
        self.batches = Distribution(_BATCHES)
        self.commits = Distribution(_SECONDS)
        self.writes = 0

    def refuse(self, reason: str) -> None:
        """Count a frame or connection that was refused."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, for a registry."""
        yield _counter("steps", "Steps taken, by event.", "event", self.steps)
        yield _counter("ignored", "Events that no handler took, by event.", "event", self.ignored)
        yield _counter("sent", "Messages given to the connection to a peer.", "peer", self.sent)
        yield _counter("received", "Messages that came from a peer.", "peer", self.received)
        yield _counter("dropped", "Messages that were lost before they left.", "peer", self.dropped)
        yield _counter("refused", "Frames and connections refused.", "reason", self.refused)
        connected = GaugeMetricFamily(
            "accordant_connected", "Whether there is a connection to a peer.", labels=["peer"]
        )
        for peer, value in list(self.connected.items()):
            connected.add_metric([peer], value)
        yield connected
        yield HistogramMetricFamily(
            "accordant_batch_steps",
            "Events stepped together.",
            buckets=self.batches.buckets(),
            sum_value=self.batches.total,
        )
        yield HistogramMetricFamily(
            "accordant_commit_seconds",
            "Time to make the writes of a batch durable.",
            buckets=self.commits.buckets(),
            sum_value=self.commits.total,
        )
        yield CounterMetricFamily(
            "accordant_writes", "Durable writes, before those without a change.", value=self.writes
        )


class Coded(Protocol):
    """Whoever has a node's code, once it runs."""

    role: str
    code: Role


class Variables:
    """Collects the state of a node and those of its variables that are numbers.

    Of an ordered value it shows the number. What it shows may not be durable yet.
    """

    def __init__(self, node: Coded) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, for a registry; none before the node runs."""
        code = getattr(self._node, "code", None)
        if code is None:
            return
        variables = GaugeMetricFamily(
            "accordant_variable", "A variable of the spec that is a number.", labels=["variable"]
        )
        for name, attribute in code.VARIABLES.items():
            value = getattr(code, attribute)
            if isinstance(value, enum.Enum) and name == "state":
                state = GaugeMetricFamily(
                    "accordant_state", "1 for the state of the node.", labels=["role", "state"]
                )
                state.add_metric([self._node.role, str(value.value)], 1)
                yield state
                continue
            if isinstance(value, tuple):
                value = getattr(value, "number", None)
            if isinstance(value, int):
                variables.add_metric([name], value)
        yield variables


def _counter(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"accordant_{name}", text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family


class MetricsServer:
    """Serves a registry over HTTP in a thread of its own, until closed."""

    def __init__(self, registry: CollectorRegistry, address: Address) -> None:
        try:
            self._server, self._thread = start_http_server(
                address.port, addr=address.host, registry=registry
            )
        except OSError as error:
            raise ConfigError(f"cannot listen at {address} for metrics: {error.strerror}") from None
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
