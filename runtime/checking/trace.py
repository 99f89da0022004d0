"""Holding a real run, all nodes together, to the proved model.

Nodes record their own steps, each in its own order. The checker makes one execution of them: it
takes the next step of any node, where that is the delivery of a message only if the message has
been sent by a step taken before. *This finds an execution if there is one.* In the model the
network is the set of messages ever sent, so a step that could be taken stays possible while
other nodes step: it depends on its own node, whose steps are in order, and on a message's being
in a set that only grows. So whatever order exists, its first step that was not yet taken can be
taken; and if no node can go on while some have steps left, there is no order, and a message was
delivered that nobody had sent. A life of a node begins after a crash of the one before.

A spec may say more of its environment: by `assume`, where what a step needs can be that another
node is down, or has not done something yet. Then the order matters. The clocks of the nodes tell it
about as well as it can be told: of what can be taken, the earliest is. If steps are left over
even so, nothing is known.

Beside the records runs the module's code (`shadow`). Each step, with its recorded effects, goes to
the `Monitor`: the model has to have an action that does just that. At the end each node is made to
crash once more, so that what it holds to be durable is seen to be so.

A property is evaluated in the states of the merged execution. Not all of these have been at any
instant of the run; but each is a state of an execution of the model, and there it must hold.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, Union

from compiler.model.system import Model
from runtime.checking.explain import Nearest, nearest
from runtime.checking.monitor import Monitor, Violation
from runtime.checking.recorded import NodeTrace, RecordedStep, Recording
from runtime.checking.shadow import ForeignEffects, Shadow
from runtime.checking.slice import steps_only
from runtime.codec import Codec
from runtime.contract import Effects, Message, Module, NodeId, stopping
from runtime.step import Crash, Deliver, Handled, Restart


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a node: its number among the node's recorded steps, from 1, and its line."""

    node: NodeId
    path: Path
    line: int
    number: int
    step: Handled | None  # None: the beginning of a life


@dataclass(frozen=True, slots=True)
class Conforms:
    """Every step is one of the model's; `undone` steps were lost with their node.

    The latter are not among `steps`. `lives` are the incarnations of all nodes.
    """

    steps: int
    undone: int
    lives: int


@dataclass(frozen=True, slots=True)
class Deviates:
    """A step is not the model's, or a property fails after it.

    `kind` besides those of a `Violation`: `causality`, a message was delivered that nobody had
    sent; `durability`, a store has lost what it had committed; `faults`, a crash or restart that
    the spec rules out. `nearest` explains a mismatch.
    """

    kind: Literal[
        "property", "mismatch", "assertion", "nondeterminism", "causality", "durability", "faults"
    ]
    name: str
    detail: str
    place: Place | None
    nearest: Nearest | None
    steps: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Nothing is known after `steps` of `total`, all of which are the model's.

    `time`: the limit was reached. `order`: the next steps need something that the spec assumes,
    at `place` for example, and no order was found in which it is so.
    """

    steps: int
    total: int
    reason: Literal["time", "order"]
    place: Place | None = None


TraceVerdict: TypeAlias = Union[Conforms, Deviates, Unfinished]


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to check.

    `properties`: evaluate them after every so many steps, and at the end; None for at the end
    only, 0 for never. Where the model is proved they hold, and invariants that speak of all that
    ever happened take longer and longer to evaluate.
    `invariants`: count invariants as well as safety. `goes_on` is asked now and then whether
    there is time left.
    """

    properties: int | None = 0
    invariants: bool = True
    goes_on: Callable[[int, int], bool] = lambda steps, total: True


def check_trace(
    module: Module, model: Model, recording: Recording, options: TraceOptions | None = None
) -> TraceVerdict:
    """Check a recording against the model; `module` is what the nodes ran, or should have."""
    return _Checker(module, model, recording, options or TraceOptions()).run()


class _Stop(Exception):
    """The check has come to a verdict."""

    def __init__(self, verdict: TraceVerdict) -> None:
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class _Crashed:
    """A node is down; `last`: it was not seen to come up again, and may still be up."""

    line: int
    time: float
    last: bool


@dataclass(frozen=True, slots=True)
class _Restarted:
    """A node is up again."""

    line: int
    time: float


_Event: TypeAlias = Union[RecordedStep, _Crashed, _Restarted]


class _Running:
    """A node in the course of the check: what it does, and how far it is."""

    def __init__(self, shadow: Shadow, trace: NodeTrace) -> None:
        self.trace = trace
        self.shadow = shadow
        self.events: list[_Event] = []
        self.next = 0
        self.number = 0  # recorded steps taken
        for life in trace.lives:
            if self.events:
                down = self.events[-1].time
                self.events += [_Crashed(life.line, down, False), _Restarted(life.line, life.time)]
            self.events += life.happened
        if self.events and not trace.lives[-1].ended:
            self.events.append(_Crashed(trace.lives[-1].line, math.inf, True))

    @property
    def event(self) -> _Event | None:
        """What the node does next."""
        return self.events[self.next] if self.next < len(self.events) else None

    def place(self, event: _Event) -> Place:
        """Return where the next event is recorded."""
        step = event.step if isinstance(event, RecordedStep) else None
        number = self.number + (step is not None)
        return Place(self.trace.node, self.trace.path, event.line, number, step)


class _Checker:
    def __init__(
        self, module: Module, model: Model, recording: Recording, options: TraceOptions
    ) -> None:
        self._module = module
        self._options = options
        self._codec = Codec(module)
        self._monitor = Monitor(
            model if options.properties != 0 else steps_only(model),
            check="every" if options.properties == 1 else "end",
            invariants=options.invariants,
        )
        self._cluster = recording.cluster
        layouts = {role.name: role for role in model.roles}
        self._nodes = {
            node: _Running(
                Shadow(module, self._codec, layouts[trace.role], recording.cluster, trace), trace
            )
            for node, trace in recording.traces.items()
        }
        lives = [life for trace in recording.traces.values() for life in trace.lives]
        self._total = sum(len(life.happened) for life in lives)
        self._undone = sum(len(life.undone) for life in lives)
        self._lives = len(lives)
        self._steps = 0
        self._sent: set[tuple[NodeId, NodeId, Message]] = set()
        self._waiting: dict[tuple[NodeId, NodeId, Message], NodeId] = {}
        self._ready: deque[NodeId] = deque(self._nodes)

    def run(self) -> TraceVerdict:
        try:
            self._run()
        except _Stop as stop:
            return stop.verdict
        return Conforms(self._steps, self._undone, self._lives)

    def _run(self) -> None:
        code = {name: running.shadow.node.code for name, running in self._nodes.items()}
        self._monitor.begin(self._module, self._cluster, code)
        self._judge(None)
        if self._monitor.assumes:
            self._run_by_time()
        while self._ready:
            self._advance(self._nodes[self._ready.popleft()])
        if self._waiting:
            self._stuck()
        for running in self._nodes.values():
            self._check_durable(running)
        if self._options.properties != 0:
            self._monitor.evaluate()
            self._judge(None)

    def _stop(
        self,
        kind: Literal["causality", "durability", "faults"],
        name: str,
        detail: str,
        place: Place,
    ) -> None:
        raise _Stop(Deviates(kind, name, detail, place, None, self._steps))

    # --- one execution of all nodes ------------------------------------------------------------

    def _advance(self, running: _Running) -> None:
        """Let a node go on until it has nothing left to do, or waits for a message."""
        while (event := running.event) is not None:
            if isinstance(event, _Crashed | _Restarted):
                self._fault(running, event)
                continue
            needed = self._needed(event)
            if needed is not None:
                self._waiting[needed] = running.trace.node
                return
            self._take(running, event)

    def _needed(self, event: RecordedStep) -> tuple[NodeId, NodeId, Message] | None:
        """Return the message that has to be sent before the step."""
        step = event.step
        if isinstance(step, Deliver):
            needed = (step.sender, step.node, step.message)
            if needed not in self._sent:
                return needed
        return None

    def _run_by_time(self) -> None:
        """Take the earliest event that is possible and that the spec's assumptions allow."""
        while True:
            left = [r for r in self._nodes.values() if r.event is not None]
            left.sort(key=lambda running: running.event.time if running.event else 0)
            taken = next((running for running in left if self._is_allowed(running)), None)
            if taken is not None:
                event = taken.event
                if isinstance(event, RecordedStep):
                    self._take(taken, event)
                elif event is not None:
                    self._fault(taken, event)
                continue
            for running in left:
                if isinstance(running.event, RecordedStep):
                    needed = self._needed(running.event)
                    if needed is not None and not self._is_sent_later(*needed):
                        self._waiting[needed] = running.trace.node
                        self._stuck()
            if left and left[0].event is not None:
                place = left[0].place(left[0].event)
                raise _Stop(Unfinished(self._steps, self._total, "order", place))
            self._ready.clear()
            return

    def _is_allowed(self, running: _Running) -> bool:
        event = running.event
        if not isinstance(event, RecordedStep):
            return True
        return self._needed(event) is None and self._monitor.permits(event.step)

    def _fault(self, running: _Running, event: _Crashed | _Restarted) -> None:
        """Let a node crash or come up again."""
        node, place = running.shadow.node, running.place(event)
        running.next += 1
        if isinstance(event, _Crashed):
            if event.last and not self._monitor.assumes:
                return  # nobody else can tell
            if node.role in self._module.NEVER_CRASHES:
                detail = f"a {node.role} never crashes, says the spec"
                self._stop("faults", node.role, detail, place)
            before = node.code
            node.crash()
            self._monitor.after(Crash(node.id), before, ())
        else:
            if node.role in stopping(self._module):
                detail = f"a {node.role} that crashes stops for ever, says the spec"
                self._stop("faults", node.role, detail, place)
            node.boot()
            self._monitor.after(Restart(node.id), node.code, ())
        self._judge(place)

    def _check_durable(self, running: _Running) -> None:
        """See that what a node holds to be durable is, by one more crash of it."""
        node, trace = running.shadow.node, running.trace
        if trace.lost is not None:
            place = Place(node.id, trace.path, trace.lost.line, 0, None)
            detail = f"{trace.lost.done} commits were done, and {trace.lost.found} are there"
            self._stop("durability", "store", detail, place)
        lasting = {*self._module.NEVER_CRASHES, *stopping(self._module)}
        if node.up and node.role not in lasting:
            last = Place(node.id, trace.path, trace.lives[-1].line, running.number, None)
            before = node.code
            node.crash()
            self._monitor.after(Crash(node.id), before, ())
            node.boot()
            self._monitor.after(Restart(node.id), node.code, ())
            self._judge(last)

    def _stuck(self) -> None:
        """Say which message was delivered though nobody had sent it."""
        found = list(self._waiting)
        unsent = [needed for needed in found if not self._is_sent_later(*needed)]
        sender, receiver, message = (unsent or found)[0]
        running = self._nodes[receiver]
        assert running.event is not None
        name = self._codec.name(message)
        detail = f"{receiver} received {name}{self._text(message)}, which {sender} had not sent"
        wanted = self._wanted(receiver, message)
        for life in self._nodes[sender].trace.lives:
            for undone in life.undone:
                if undone.effects and wanted in undone.effects:
                    detail += (
                        f": {sender} was to send it after its step at line {undone.line}, "
                        "which was not durable when it died"
                    )
                    self._stop("causality", name, detail, running.place(running.event))
        self._stop("causality", name, detail, running.place(running.event))

    def _is_sent_later(self, sender: NodeId, receiver: NodeId, message: Message) -> bool:
        """Whether a step that the sender has still to take sends the message."""
        wanted, running = self._wanted(receiver, message), self._nodes[sender]
        return any(
            isinstance(event, RecordedStep) and event.effects and wanted in event.effects
            for event in running.events[running.next :]
        )

    def _wanted(self, receiver: NodeId, message: Message) -> dict[str, object]:
        return {"send": self._codec.encode_message(message), "to": receiver}

    def _text(self, message: Message) -> str:
        (fields,) = self._codec.encode_message(message).values()
        text = ", ".join(map(str, fields))
        return f"({text})" if len(text) <= 200 else f"({text[:199]}…)"

    # --- one step ------------------------------------------------------------------------------

    def _take(self, running: _Running, recorded: RecordedStep) -> None:
        if self._steps % 256 == 0 and not self._options.goes_on(self._steps, self._total):
            raise _Stop(Unfinished(self._steps, self._total, "time"))
        shadow = running.shadow
        try:
            effects = shadow.step(recorded)
        except ForeignEffects as error:
            detail = f"its recorded effects are none of this protocol: {error}"
            role, place = shadow.node.role, running.place(recorded)
            raise _Stop(Deviates("mismatch", role, detail, place, None, self._steps)) from None
        self._monitor.after(recorded.step, shadow.node.code, effects)
        self._judge(running.place(recorded) if self._monitor.violations else None)
        self._steps += 1
        shadow.keep(effects)
        self._send(shadow.node.id, effects)
        every = self._options.properties or 0
        if every > 1 and self._steps % every == 0:
            self._monitor.evaluate()
            self._judge(running.place(recorded) if self._monitor.violations else None)
        running.next += 1
        running.number += 1

    def _send(self, sender: NodeId, effects: Effects | None) -> None:
        """Add what a step has sent to the network; who waits for it can go on."""
        for effect in effects or ():
            if isinstance(effect, self._module.Send):
                key = (sender, effect.receiver, effect.message)
                if key not in self._sent:
                    self._sent.add(key)
                    waiting = self._waiting.pop(key, None)
                    if waiting is not None:
                        self._ready.append(waiting)

    def _judge(self, place: Place | None) -> None:
        if not self._monitor.violations:
            return
        violation: Violation = self._monitor.violations[0]
        failure = self._monitor.failure
        explained = nearest(failure) if failure is not None else None
        raise _Stop(
            Deviates(
                violation.kind, violation.name, violation.detail, place, explained, self._steps
            )
        )
