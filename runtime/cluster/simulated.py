"""The simulator as a cluster that a test drives: the same calls, virtual time, one seed.

Nothing happens but while the test waits: `request`, `until` and `sleep` take events from a heap
as they come in virtual time. Equal seeds and equal calls give equal runs. Messages are late by
chance, and lost where a partition or a crash loses them; further faults are those of
`runtime/simulator.py`, which is made for many runs and not to be driven.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

from runtime.cluster.driver import NodeDown, Told
from runtime.cluster.errors import ClusterFailure
from runtime.cluster.layout import sizes
from runtime.cluster.variables import variables
from runtime.codec import Codec
from runtime.contract import Effects, Message, NodeId
from runtime.faults import Latency
from runtime.load import LoadError, load
from runtime.membership import ClusterError, make_cluster
from runtime.membership import nodes as members_of
from runtime.network import TABLE_SIZE, latency_table
from runtime.node import Node
from runtime.observer import Observer
from runtime.step import (
    Crash,
    Deliver,
    Handled,
    Recover,
    Request,
    Restart,
    Start,
    Timeout,
    answered,
    call,
)


class SimulatedCluster:
    """A `Driver` of simulated nodes; `nodes`, `answers` and `constants` are as for `Cluster`.

    `observer` watches every step: a `Monitor` compares them with the model. It may stop the run,
    which raises `ClusterFailure`.
    """

    def __init__(
        self,
        module: str | Path,
        nodes: int | Mapping[str, int] = 3,
        *,
        seed: int = 0,
        answers: Mapping[str, object] | None = None,
        constants: Mapping[NodeId, Mapping[str, object]] | None = None,
        latency: Latency | None = None,
        observer: Observer | None = None,
    ) -> None:
        try:
            self.module = load(module)
            self._cluster = make_cluster(self.module, sizes(self.module, nodes))
        except (LoadError, ClusterError) as error:
            raise ClusterFailure(str(error)) from None
        self._random = Random(seed)
        self._latencies = latency_table(latency or Latency())
        self._observer = observer
        self._codec = Codec(self.module)
        self._names = {class_: name for name, class_ in self.module.QUESTIONS.items()}
        self._constants = constants or {}
        self._roles = members_of(self.module, self._cluster)
        self._answers: dict[NodeId, dict[str, object]] = {
            id: dict(answers or {}) for id in self._roles
        }
        self._nodes: dict[NodeId, Node] = {}
        self._heap: list[tuple[int, int, Handled]] = []
        self._ticket = count().__next__
        self.time = 0
        """Virtual time, in microseconds."""
        self.outputs: list[Told] = []

    async def __aenter__(self) -> SimulatedCluster:
        for id, role in self._roles.items():
            constants = self._constants.get(id, {})
            self._nodes[id] = Node(self.module, self._cluster, id, role, constants)
        if self._observer is not None:
            code = {node.id: node.code for node in self._nodes.values()}
            self._observer.begin(self.module, self._cluster, code)
        for id in self._roles:
            self._step(Start(id))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._observer is not None:
            self._observer.end()

    @property
    def members(self) -> tuple[NodeId, ...]:
        """All nodes, in order."""
        return tuple(self._roles)

    # --- the driver ----------------------------------------------------------------------------

    async def request(self, node: NodeId, request: Message) -> bool:
        """Give a node a request; see `Driver`."""
        await asyncio.sleep(0)
        return self._step(Request(self._up(node).id, request)) is not None

    async def answer(self, node: NodeId, name: str, answer: object) -> None:
        """Have a node's application answer so from now on; see `Driver`."""
        self._answers[node][name] = answer

    async def variables(self, node: NodeId) -> dict[str, Any]:
        """Return a node's variables; see `Driver`."""
        return variables(self._codec, self._up(node).code)

    async def kill(self, node: NodeId) -> None:
        """Crash a node; see `Driver`."""
        member = self._nodes[node]
        if member.up:
            step = Crash(node)
            if self._observer is not None:
                self._observer.before(step, member.code)
            member.crash()
            self._after(step, member, ())

    async def restart(self, node: NodeId) -> None:
        """Start a node; one that is up is crashed before."""
        await self.kill(node)
        member = self._nodes[node]
        member.boot()
        self._after(Restart(node), member, ())
        self._step(Recover(node))

    async def partition(self, groups: Iterable[Iterable[NodeId]]) -> None:
        """Part the nodes; see `Driver`."""
        await self.heal()
        for number, group in enumerate(groups, 1):
            for node in group:
                self._nodes[node].side = number

    async def heal(self) -> None:
        """Undo all partitions; see `Driver`."""
        for member in self._nodes.values():
            member.side = 0

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Run until the condition holds; see `Driver`."""
        await asyncio.sleep(0)
        end = self.time + int(seconds * 1_000_000)
        while not condition():
            if not self._next(end):
                raise TimeoutError(f"it does not hold after {seconds:g} s of virtual time")

    async def sleep(self, seconds: float) -> None:
        """Run for some virtual time; see `Driver`."""
        await asyncio.sleep(0)
        end = self.time + int(seconds * 1_000_000)
        while self._next(end):
            pass

    # --- steps ---------------------------------------------------------------------------------

    def _up(self, node: NodeId) -> Node:
        member = self._nodes[node]
        if not member.up:
            raise NodeDown(f"{node} is down")
        return member

    def _next(self, end: int) -> bool:
        """Let the next thing happen that does before `end`; if nothing does, it is `end`."""
        if not self._heap or self._heap[0][0] > end:
            self.time = end
            return False
        self.time, number, step = heappop(self._heap)
        node = self._nodes[step.node]
        if isinstance(step, Timeout):
            if node.timers.get(step.timer) == number:
                del node.timers[step.timer]
                self._step(step)
        elif node.up:
            self._step(step)
        return True

    def _step(self, step: Handled) -> Effects | None:
        """Take a step with the answers that it needs, and carry out its effects."""
        node = self._nodes[step.node]
        if self._observer is not None:
            self._observer.before(step, node.code)
        answers: dict[str, object] = {}
        effects = call(node.code, step, answers)
        while effects and isinstance(effects[0], self.module.Ask):
            name = self._names[type(effects[0].question)]
            if name not in self._answers[node.id]:
                raise ClusterFailure(f"{node.id} asks {name}, and was given no answer to it")
            answers[name] = self._answers[node.id][name]
            effects = call(node.code, step, answers)
        self._after(answered(step, answers), node, effects)
        for effect in effects or ():
            self._carry_out(node, effect)
        return effects

    def _after(self, step: Any, node: Node, effects: Effects | None) -> None:
        if self._observer is not None and self._observer.after(step, node.code, effects):
            raise ClusterFailure(f"{step} is none that the model has")

    def _carry_out(self, node: Node, effect: Any) -> None:
        module = self.module
        if isinstance(effect, module.Send):
            if self._nodes[effect.receiver].side == node.side:
                late = self._latencies[self._random.randrange(TABLE_SIZE)]
                self._push(self.time + late, Deliver(effect.receiver, node.id, effect.message))
        elif isinstance(effect, module.Persist):
            for write in effect.writes:
                node.store[write.variable, write.keys] = write
        elif isinstance(effect, module.Tell):
            self.outputs.append(Told(node.id, effect.output))
        elif isinstance(effect, module.Arm):
            delay = effect.low + (effect.high - effect.low) * self._random.random()
            due = self.time + int(delay * 1000)
            node.timers[effect.timer] = self._push(due, Timeout(node.id, effect.timer))
        else:
            node.timers.pop(effect.timer, None)

    def _push(self, time: int, step: Handled) -> int:
        number = self._ticket()
        heappush(self._heap, (time, number, step))
        return number
