"""The deterministic simulator: one seed decides everything that happens in a run.

A run is a loop over a heap of events in virtual time: messages in flight, timers, requests,
and faults. Ties are broken by the order in which events were scheduled. Every random draw
comes from generators seeded with the run's seed, in an order that only the run itself
determines; recording and observing a run draw nothing and so do not change it.

The loop is written for speed: a step costs a pop, the handler's call, and a push for each
message, and everything that is rare is in methods of its own. What the faults mean, and how
they relate to what was proved, is told in docs/simulator.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final, Literal, TypeAlias

from runtime.contract import Effects, Message, Module, NodeId, Role, stopping
from runtime.draw import Pool, drawer
from runtime.faults import DEFAULT_FAULTS, Faults, weather
from runtime.membership import nodes
from runtime.network import TABLE_SIZE, latency_table
from runtime.node import Node
from runtime.observer import Observer
from runtime.record import Delayed, Duplicated, Healed, Lost, Partitioned, Record, Taken, steps_of
from runtime.schedule import Schedule, schedule_for
from runtime.step import (
    Crash,
    CrashPoint,
    Deliver,
    Handled,
    Recover,
    Request,
    Restart,
    Start,
    Step,
    Timeout,
    answered,
    call,
)
from runtime.types import Types
from runtime.workload import Application, RandomApplication, RandomWorkload, Workload

# Kinds of events in the heap; the steps of handlers come first.
DELIVER: Final = 0
TIMEOUT: Final = 1
REQUEST: Final = 2
START: Final = 3
RESTART: Final = 4
CRASH: Final = 5
PARTITION: Final = 6
HEAL: Final = 7

_HANDLED: Final = frozenset({DELIVER, TIMEOUT, REQUEST})

_PUT_OFF: Final = (10_000, 50_000)
"""How long an event waits that may not happen yet, in microseconds."""

_TRIES: Final = 100
"""How often the application is asked, until it answers what the spec assumes that it does."""

_IDLE: Final = 2_000
"""A run ends after so many events without a step: all nodes have stopped, or all wait."""

_FOR_EVER: Final = 0.2
"""The share of the crashes that happen where a crash is for ever; else little would be left."""

_Event: TypeAlias = tuple[int, int, int, Any, Any, Any]


class SimulationError(Exception):
    """A module did something that the contract excludes; the message says what."""


@dataclass(frozen=True, slots=True)
class Told:
    """An output of a node at a virtual time in microseconds."""

    time: int
    node: NodeId
    output: Message


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run.

    `steps` are handler calls, of which `ignored` were ignored; `time` is the virtual time at
    the end in microseconds. `faults` counts what was injected, by kind. `records` is empty
    unless the run was recorded.
    """

    seed: int
    steps: int
    ignored: int
    time: int
    outputs: tuple[Told, ...]
    faults: Mapping[str, int]
    records: tuple[Record, ...]
    schedule: Schedule
    nodes: Mapping[NodeId, Role | None]


def simulate(
    module: Module,
    cluster: Any,
    seed: int,
    *,
    steps: int = 1000,
    duration: int | None = None,
    faults: Faults = DEFAULT_FAULTS,
    workload: Workload | None = None,
    application: Application | None = None,
    constants: Mapping[NodeId, Mapping[str, object]] | None = None,
    observer: Observer | None = None,
    record: bool = False,
) -> Run:
    """Run `module` on `cluster` until `steps` handler steps or `duration` virtual ms are over.

    Equal arguments give equal runs, in any process. `workload` and `application` are by
    default random; constants that are not given are random too.
    """
    simulation = Simulation(
        module,
        cluster,
        seed,
        faults=faults,
        workload=workload,
        application=application,
        constants=constants,
        observer=observer,
        record=record,
    )
    return simulation.run(steps, duration)


class Simulation:
    """One run; `run` may be called once."""

    def __init__(
        self,
        module: Module,
        cluster: Any,
        seed: int,
        *,
        faults: Faults = DEFAULT_FAULTS,
        workload: Workload | None = None,
        application: Application | None = None,
        constants: Mapping[NodeId, Mapping[str, object]] | None = None,
        observer: Observer | None = None,
        record: bool = False,
    ) -> None:
        self._module = module
        self._cluster = cluster
        self._seed = seed
        if faults.swarm:
            faults = weather(faults, Random(f"{seed}:weather"))
        self._faults = faults
        self._workload = workload or RandomWorkload(module, cluster)
        self._application = application or RandomApplication(module, cluster)
        self._observer = observer
        self._recording = record
        self._records: list[Record] = []
        self._outputs: list[Told] = []
        self._watching = record or observer is not None
        self._latencies = latency_table(faults.latency)
        self._heap: list[_Event] = []
        self._ticket = count().__next__  # numbers events, and so breaks ties of time
        self._stopped = False
        self._names = {class_: name for name, class_ in module.QUESTIONS.items()}
        self._network = Random(f"{seed}:network")
        self._chaos = Random(f"{seed}:chaos")
        self._clients = Random(f"{seed}:clients")
        self._answers = Random(f"{seed}:answers")
        self._counts = dict.fromkeys(
            ("lost", "duplicated", "delayed", "partitions", "cut", "crashes", "torn", "down"), 0
        )
        self._constants = self._all_constants(constants or {})
        self._nodes = {
            node: Node(module, cluster, node, role, self._constants.get(node, {}))
            for node, role in nodes(module, cluster).items()
        }
        self._stopping = stopping(module)
        self._mortal = [n for n in self._nodes.values() if n.role not in module.NEVER_CRASHES]

    def _all_constants(
        self, given: Mapping[NodeId, Mapping[str, object]]
    ) -> dict[NodeId, dict[str, object]]:
        random, types = Random(f"{self._seed}:constants"), Types(self._module)
        members = nodes(self._module, self._cluster)
        ids = tuple(members)
        constants = {}
        for node, role in members.items():
            shapes = types.constants(self._module.ROLES[role])
            drawn = {name: drawer(shape, ids, Pool())(random) for name, shape in shapes.items()}
            if drawn:
                constants[node] = drawn | dict(given.get(node, {}))
        return constants

    # --- the loop ------------------------------------------------------------------------

    def run(self, steps: int, duration: int | None = None) -> Run:
        """Run until `steps` handler steps or `duration` virtual milliseconds are over."""
        self._begin()
        module, faults, members = self._module, self._faults, self._nodes
        persist_type, send_type, tell_type = module.Persist, module.Send, module.Tell
        arm_type, disarm_type, ask_type = module.Arm, module.Disarm, module.Ask
        heap, push, pop, ticket = self._heap, heappush, heappop, self._ticket
        random = self._network.random
        table, size = self._latencies, TABLE_SIZE
        trouble = faults.loss + faults.duplication + faults.delay
        outputs, watching, observer = self._outputs, self._watching, self._observer
        end = (1 << 62) if duration is None else duration * 1000
        taken, ignored, now, idle = 0, 0, 0, 0
        effects: Any = None
        while heap and taken < steps:
            event = pop(heap)
            time, _, kind, node, payload, sender = event
            idle += 1
            if time > end or self._stopped or idle > _IDLE:
                break
            now = time
            if observer is not None and kind in _HANDLED and self._put_off(now, event):
                continue
            if kind == DELIVER:
                if not node.healthy:
                    self._miss(now, node, payload, sender)
                    continue
                if watching:
                    effects = self._step(now, node, Deliver(node.id, sender, payload))
                else:
                    effects = node.deliver(payload, sender)
            elif kind == TIMEOUT:
                if node.timers.get(payload) != sender:
                    continue  # disarmed, armed anew, or lost in a crash
                del node.timers[payload]
                if not node.healthy:
                    self._miss(now, node, payload, None)
                    continue
                if watching:
                    effects = self._step(now, node, Timeout(node.id, payload))
                else:
                    effects = node.timeout(payload)
            elif kind == REQUEST:
                self._schedule_request(now)
                if not node.healthy:
                    self._miss(now, node, payload, None)
                    continue
                if watching:
                    effects = self._step(now, node, Request(node.id, payload))
                else:
                    effects = node.request(payload)
            else:
                step = self._rare(now, kind, node)
                if step is None or self._stopped:
                    continue
                effects = self._step(now, node, step)
                if effects is None:
                    continue  # the role has no such handler
            taken += 1
            idle = 0
            if not effects:
                if effects is None:
                    ignored += 1
                continue
            if effects[0].__class__ is ask_type:
                effects = self._step(now, node, _handled(kind, node.id, payload, sender))
                if effects is None:
                    ignored += 1
                    continue
            torn = node.torn
            for effect in effects:
                type_ = effect.__class__
                if type_ is send_type:
                    receiver, message = members[effect.receiver], effect.message
                    if torn or node.side != receiver.side:
                        self._cut(now, node, receiver, message)
                        continue
                    arrival = now + table[int(random() * size)]
                    if trouble:
                        luck = random()
                        if luck < trouble:
                            arrival = self._disturb(luck, now, node.id, receiver, message)
                            if not arrival:
                                continue
                    push(heap, (arrival, ticket(), DELIVER, receiver, message, node.id))
                elif type_ is persist_type:
                    store = node.store
                    for write in effect.writes:
                        store[write.variable, write.keys] = write
                elif torn:
                    continue
                elif type_ is tell_type:
                    outputs.append(Told(now, node.id, effect.output))
                elif type_ is arm_type:
                    low = effect.low * 1000
                    delay = low + int(random() * (effect.high * 1000 - low))
                    number, timer = ticket(), effect.timer
                    node.timers[timer] = number
                    wait = max(1, int(delay * node.rate))  # so that time goes on
                    push(heap, (now + wait, number, TIMEOUT, node, timer, number))
                elif type_ is disarm_type:
                    node.timers.pop(effect.timer, None)
                else:
                    raise SimulationError(f"{effect!r} is not an effect, or does not stand alone")
            if torn:
                self._crash(now, node, "after persist")
        if self._observer is not None:
            self._observer.end()
        return self._result(taken, ignored, now)

    def _begin(self) -> None:
        """Schedule what happens by itself: first starts, the first request, the first faults."""
        faults, chaos = self._faults, self._chaos
        if self._observer is not None:
            code = {node.id: node.code for node in self._nodes.values()}
            self._observer.begin(self._module, self._cluster, code)
        for node in self._nodes.values():
            node.rate = 1.0 + faults.skew * (2.0 * chaos.random() - 1.0)
            self._push(0, START, node)
        self._schedule_request(0)
        if faults.crash_interval and self._mortal:
            self._push(self._wait(faults.crash_interval), CRASH)
        if faults.partition_interval and len(self._nodes) > 1:
            self._push(self._wait(faults.partition_interval), PARTITION)

    def _result(self, taken: int, ignored: int, now: int) -> Run:
        steps = steps_of(self._records)
        return Run(
            seed=self._seed,
            steps=taken,
            ignored=ignored,
            time=now,
            outputs=tuple(self._outputs),
            faults=dict(self._counts),
            records=tuple(self._records),
            schedule=schedule_for(self._module, self._cluster, steps, self._constants),
            nodes={node.id: node.code if node.up else None for node in self._nodes.values()},
        )

    def _push(self, time: int, kind: int, node: Node | None = None, payload: Any = None) -> None:
        heappush(self._heap, (time, self._ticket(), kind, node, payload, None))

    # --- steps that are watched, or ask the application -----------------------------------

    def _step(self, now: int, node: Node, step: Handled) -> Effects | None:
        """Take a step with all the answers it needs; record it and show it to the observer."""
        if self._observer is not None:
            self._observer.before(step, node.code)
        answers: dict[str, object] = {}
        effects = call(node.code, step, answers)
        while effects and isinstance(effects[0], self._module.Ask):
            question = effects[0].question
            name = self._names[type(question)]
            if len(effects) > 1 or name in answers:
                raise SimulationError(f"the question `{name}` does not stand alone")
            for _ in range(_TRIES):
                answers[name] = self._application.answer(node.id, name, question, self._answers)
                if self._observer is None or self._observer.permits(answered(step, answers)):
                    break  # else the spec assumes that the application does not say so
            effects = call(node.code, step, answers)
        if self._watching:
            self._watch(now, answered(step, answers), node, effects)
        return effects

    def _put_off(self, now: int, event: _Event) -> bool:
        """Put an event off if the environment may not let it happen now."""
        assert self._observer is not None
        _, _, kind, node, payload, sender = event
        if not node.healthy or (kind == TIMEOUT and node.timers.get(payload) != sender):
            return False
        if self._observer.permits(_handled(kind, node.id, payload, sender)):
            return False
        later = now + self._network.randrange(*_PUT_OFF)
        heappush(self._heap, (later, self._ticket(), kind, node, payload, sender))
        return True

    def _watch(self, now: int, step: Step, node: Node, effects: Effects | None) -> None:
        if self._recording:
            self._records.append(Taken(now, step, None if effects is None else tuple(effects)))
        if self._observer is not None and self._observer.after(step, node.code, effects):
            self._stopped = True

    # --- what is rare ----------------------------------------------------------------------

    def _rare(self, now: int, kind: int, node: Node) -> Handled | None:
        """Handle an event that is not a step; return the step that follows from it, if any."""
        faults, chaos = self._faults, self._chaos
        if kind == START:
            return Start(node.id)
        if kind == RESTART:
            node.boot()
            self._watch(now, Restart(node.id), node, ())
            return Recover(node.id)
        if kind == CRASH:
            self._push(now + self._wait(faults.crash_interval), CRASH)
            if self._mortal:
                victim = chaos.choice(self._mortal)
                lucky = victim.role in self._stopping and chaos.random() > _FOR_EVER
                if victim.healthy and not lucky:
                    self._strike(now, victim)
        elif kind == PARTITION:
            self._partition(now)
            self._push(now + self._between(faults.partition_range), HEAL)
        elif kind == HEAL:
            for member in self._nodes.values():
                member.side = 0
            if self._recording:
                self._records.append(Healed(now))
            self._push(now + self._wait(faults.partition_interval), PARTITION)
        return None

    def _strike(self, now: int, node: Node) -> None:
        """Crash `node`, now or in its next step."""
        if self._chaos.random() >= self._faults.torn:
            self._crash(now, node, "idle")
        elif self._chaos.random() < 0.5:
            node.torn = True
        else:
            node.doomed, node.healthy = True, False

    def _crash(self, now: int, node: Node, point: CrashPoint) -> None:
        self._counts["crashes"] += 1
        if point != "idle":
            self._counts["torn"] += 1
        if self._observer is not None:
            self._observer.before(Crash(node.id, point), node.code)
        node.crash()
        self._watch(now, Crash(node.id, point), node, ())
        if node.role in self._stopping:
            self._mortal.remove(node)
        else:
            self._push(now + self._between(self._faults.down_range), RESTART, node)

    def _miss(self, now: int, node: Node, payload: Message, sender: NodeId | None) -> None:
        """Let an event pass a node that is down, or that crashes instead of handling it."""
        if node.doomed:
            self._crash(now, node, "before persist")
        if sender is not None:
            self._counts["down"] += 1
            if self._recording:
                self._records.append(Lost(now, sender, node.id, payload, "down"))

    def _partition(self, now: int) -> None:
        members = list(self._nodes.values())
        side = sorted(
            self._chaos.sample(range(len(members)), self._chaos.randrange(1, len(members)))
        )
        for index in side:
            members[index].side = 1
        self._counts["partitions"] += 1
        if self._recording:
            self._records.append(Partitioned(now, tuple(members[index].id for index in side)))

    def _cut(self, now: int, sender: Node, receiver: Node, message: Message) -> None:
        """Lose a message that a crash or a partition keeps from leaving."""
        if not sender.torn:
            self._counts["cut"] += 1
        if self._recording:
            reason: Literal["crash", "partition"] = "crash" if sender.torn else "partition"
            self._records.append(Lost(now, sender.id, receiver.id, message, reason))

    def _disturb(
        self, luck: float, now: int, sender: NodeId, receiver: Node, message: Message
    ) -> int:
        """Return when a message in trouble arrives, 0 for never; a second copy is scheduled."""
        faults = self._faults
        arrival = now + self._latencies[int(self._network.random() * TABLE_SIZE)]
        if luck < faults.loss:
            self._counts["lost"] += 1
            if self._recording:
                self._records.append(Lost(now, sender, receiver.id, message, "loss"))
            return 0
        if luck < faults.loss + faults.duplication:
            self._counts["duplicated"] += 1
            if self._recording:
                self._records.append(Duplicated(now, sender, receiver.id, message))
            event = (arrival, self._ticket(), DELIVER, receiver, message, sender)
            heappush(self._heap, event)
            return now + self._latencies[int(self._network.random() * TABLE_SIZE)]
        self._counts["delayed"] += 1
        if self._recording:
            self._records.append(Delayed(now, sender, receiver.id, message))
        low, high = faults.delay_range
        return arrival + self._network.randrange(low * 1000, high * 1000 + 1)

    def _schedule_request(self, now: int) -> None:
        arrival = self._workload.next(self._clients)
        if arrival is not None:
            node = self._nodes[arrival.node]
            self._push(now + arrival.delay, REQUEST, node, arrival.request)

    def _wait(self, mean: int) -> int:
        return 1 + int(self._chaos.expovariate(1.0) * mean * 1000)

    def _between(self, bounds: tuple[int, int]) -> int:
        return self._chaos.randrange(bounds[0] * 1000, bounds[1] * 1000 + 1)


def _handled(kind: int, node: NodeId, payload: Message, sender: NodeId) -> Handled:
    if kind == DELIVER:
        return Deliver(node, sender, payload)
    return Timeout(node, payload) if kind == TIMEOUT else Request(node, payload)
