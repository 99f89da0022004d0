"""How many handler steps a second the simulator takes, against a bare event loop.

The bare loop does the least that any discrete event simulator in Python must: take an event
from a heap, call a method of a node with it, and put the next event into the heap. The ratio
says what the simulator adds: effects as data, durable stores, timers, faults.

    python -m benchmarks.simulator [MODULE ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from runtime.faults import DEFAULT_FAULTS, NO_FAULTS, Faults
from runtime.load import LoadError, load
from runtime.membership import make_cluster
from runtime.simulator import simulate

ROUNDS = 5
SEEDS = 20
STEPS = 2_000
BARE_EVENTS = 200_000
DEFAULT_MODULES = ("generated/paxos.py", "generated/two_phase_commit.py")


@dataclass(frozen=True, slots=True)
class Rate:
    """Steps a second, in the best of several rounds."""

    name: str
    per_second: float
    ignored: float = 0.0  # share of the steps


class _Node:
    """A node that counts what it is called with."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def handle(self, number: int) -> int:
        self.count += number
        return self.count


def bare_loop(events: int) -> int:
    """Handle `events` events in a bare loop; return how many."""
    random = Random(1).random
    nodes = [_Node() for _ in range(9)]
    heap = [(index, index, node) for index, node in enumerate(nodes)]
    sequence = len(heap)
    for _ in range(events):
        now, _, node = heappop(heap)
        node.handle(1)
        sequence += 1
        heappush(heap, (now + int(random() * 1000), sequence, node))
    return events


def best(name: str, run: Callable[[], int]) -> Rate:
    """Return the rate of the best round of `run`, which returns how many steps it took.

    Processor time is counted, so that what else the machine does matters less.
    """
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        steps = run()
        rates.append(steps / (time.process_time() - started))
    return Rate(name, max(rates))


def simulator_rate(path: str, name: str, faults: Faults) -> Rate:
    """Return the rate at which the simulator runs the module at `path`, checks off."""
    module = load(path)
    cluster = make_cluster(module)
    ignored = total = 0

    def run() -> int:
        nonlocal ignored, total
        steps = 0
        for seed in range(SEEDS):
            result = simulate(module, cluster, seed, steps=STEPS, faults=faults)
            steps += result.steps
            ignored += result.ignored
        total += steps
        return steps

    rate = best(f"{Path(path).stem}, {name}", run)
    return replace(rate, ignored=ignored / total)


def main(paths: tuple[str, ...]) -> int:
    """Measure and print; return the exit code."""
    bare = best("bare event loop", lambda: bare_loop(BARE_EVENTS))
    rates = [bare]
    try:
        for path in paths:
            rates.append(simulator_rate(path, "no faults", NO_FAULTS))
            rates.append(simulator_rate(path, "all faults", replace(DEFAULT_FAULTS, swarm=False)))
    except LoadError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{'':36} {'steps/s':>10} {'of bare':>8} {'ignored':>8}")
    for rate in rates:
        share = rate.per_second / bare.per_second
        print(f"{rate.name:36} {rate.per_second:10,.0f} {share:8.2f} {rate.ignored:8.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:]) or DEFAULT_MODULES))
