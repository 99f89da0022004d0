"""What goes wrong while a cluster is tortured: drawn from a seed, one fault after the other.

Several hands work at the same time, each with its own random numbers, so that faults overlap; a
node is in one hand at a time. Every fault is undone by the hand that made it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final

from runtime.cluster.cluster import Cluster
from runtime.cluster.driver import NodeDown
from runtime.cluster.errors import ClusterFailure
from runtime.contract import NodeId

FAULTS: Final = ("kill", "kill all", "pause", "partition", "clog", "disk", "clock", "weather")
HANDS: Final = 2
_DAY: Final = 86_400.0
_DIE_SECONDS: Final = 10.0


class Nemesis:
    """The faults of one run. `counts` are those that happened, by kind.

    `interval` is the mean time from one fault of a hand to its next, `length` that of a fault, in
    seconds. `faults` may leave some out.
    """

    def __init__(
        self,
        cluster: Cluster,
        seed: int,
        *,
        interval: float = 1.0,
        length: float = 1.0,
        faults: Sequence[str] = FAULTS,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._cluster = cluster
        self._seed = seed
        self._interval = interval
        self._length = length
        self._faults = faults
        self._held: set[NodeId] = set()
        self._parted = False
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Do harm until `stop`; then everything is undone."""
        async with asyncio.TaskGroup() as group:
            for hand in range(HANDS):
                group.create_task(self._work(Random(f"{self._seed}:nemesis:{hand}")))
        await self._cluster.heal()

    def stop(self) -> None:
        """Let the hands undo what they are doing, and end."""
        self._ending.set()

    async def _work(self, random: Random) -> None:
        while not self._ending.is_set():
            await self._wait(random, self._interval)
            if self._ending.is_set():
                return
            fault = random.choice(self._faults)
            nodes = self._take(random, fault)
            if nodes is None:
                continue
            self.counts[fault] += 1
            try:
                await self._harm(random, fault, nodes)
            except (NodeDown, ClusterFailure):
                if not self._cluster.deaths:
                    raise
                return  # a node has died of something else: that is the result of the run
            finally:
                self._held.difference_update(nodes)

    def _take(self, random: Random, fault: str) -> list[NodeId] | None:
        """Return the nodes that a fault is for, now held; None if others have hold of them."""
        members = self._cluster.members
        if fault in ("partition", "clog"):
            return None if fault == "partition" and self._parted else []
        free = [node for node in members if node not in self._held]
        if fault == "kill all":
            nodes = list(members) if len(free) == len(members) else []
        else:
            most = max(1, len(members) // 2)
            nodes = random.sample(free, min(len(free), random.randint(1, most)))
        self._held.update(nodes)
        return nodes or None

    async def _harm(self, random: Random, fault: str, nodes: list[NodeId]) -> None:
        match fault:
            case "kill" | "kill all":
                await self._kill(random, nodes)
            case "pause":
                await self._pause(random, nodes)
            case "partition":
                await self._partition(random)
            case "clog":
                await self._clog(random)
            case "disk":
                await self._fail_disk(random, nodes)
            case "clock":
                await self._set_clock(random, nodes)
            case _:
                await self._disturb(random, nodes)

    async def _wait(self, random: Random, mean: float) -> None:
        """Wait for a random time, or until the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(random.expovariate(1 / mean), 5 * mean)):
                await self._ending.wait()

    async def _kill(self, random: Random, nodes: list[NodeId]) -> None:
        await asyncio.gather(*map(self._cluster.kill, nodes))
        await self._wait(random, self._length)
        for node in nodes:
            await self._cluster.restart(node)

    async def _pause(self, random: Random, nodes: list[NodeId]) -> None:
        for node in nodes:
            await self._cluster.pause(node)
        await self._wait(random, self._length)
        for node in nodes:
            await self._cluster.resume(node)

    async def _partition(self, random: Random) -> None:
        self._parted = True
        try:
            members = list(self._cluster.members)
            random.shuffle(members)
            cut = random.randrange(1, len(members))
            groups = [members[:cut], members[cut:]]
            await self._cluster.partition(groups, reset=random.random() < 0.5)
            await self._wait(random, self._length)
            await self._cluster.heal()
        finally:
            self._parted = False

    async def _clog(self, random: Random) -> None:
        """Clog links one after another, and release them in another order."""
        members = self._cluster.members
        links = [(a, b) for a in members for b in members if a != b]
        chosen = random.sample(links, random.randint(1, len(links) - 1))
        for sender, receiver in chosen:
            await self._cluster.clog(sender, receiver)
            await self._wait(random, self._length / 8)
        await self._wait(random, self._length)
        random.shuffle(chosen)
        for sender, receiver in chosen:
            await self._cluster.release(sender, receiver)
            await self._wait(random, self._length / 8)

    async def _fail_disk(self, random: Random, nodes: list[NodeId]) -> None:
        """Let writes fail, somewhere in what is written next, until the nodes have died of it."""
        for node in nodes:
            with suppress(NodeDown):
                await self._cluster.fail_disk(node, random.choice((0, random.randrange(40_000))))
        for node in nodes:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DIE_SECONDS):
                    await self._cluster.process(node).ended()
        await self._wait(random, self._length)
        for node in nodes:
            await self._cluster.restart(node)

    async def _set_clock(self, random: Random, nodes: list[NodeId]) -> None:
        """Set clocks ahead or back, a little or by days; some nodes begin a life with that."""
        for node in nodes:
            shift = random.choice((1.0, 60.0, _DAY)) * random.uniform(-1, 1)
            await self._cluster.set_clock(node, shift)
            if random.random() < 0.5:
                await self._cluster.restart(node)

    async def _disturb(self, random: Random, nodes: list[NodeId]) -> None:
        """Let messages be lost, come twice, and overtake each other."""
        for node in nodes:
            share, delay = random.uniform(0.05, 0.5), random.uniform(0.01, 0.3)
            await self._cluster.set_weather(node, share, delay)
        await self._wait(random, self._length)
        for node in nodes:
            await self._cluster.set_weather(node, 0.0, 0.0)
