"""Running a schedule on generated code: exactly, and with nothing left to chance.

The network of a replay is the set of messages ever sent, as in the model: a message may be
delivered to its receiver as soon as it was sent, any number of times. Timers may fire whether
or not they are armed, as the model allows and as a clock that went wrong would do. So every
execution of the model is one of the code, and what a replay shows is the code's own doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from runtime.contract import Effects, Message, Module, NodeId, Role, stopping
from runtime.membership import nodes
from runtime.node import Node
from runtime.observer import Observer
from runtime.record import Record, Taken
from runtime.schedule import Schedule
from runtime.step import (
    Crash,
    Deliver,
    Handled,
    Recover,
    Request,
    Restart,
    Start,
    Step,
    Timeout,
    call,
)


class ReplayError(Exception):
    """A step of a schedule is impossible; `index` counts from 0."""

    def __init__(self, index: int, step: Step, reason: str) -> None:
        self.index = index
        self.step = step
        self.reason = reason
        super().__init__(f"step {index + 1}: {reason}")


@dataclass(frozen=True, slots=True)
class Told:
    """An output of a node in the step with that index."""

    index: int
    node: NodeId
    output: Message


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay.

    `taken` are the steps that mattered: those that a handler did not ignore, and the last one
    if the observer stopped the replay there (`stopped`). `skipped` are the indices of the
    steps that were impossible, `ignored` of those that were ignored. In `records` times are
    indices of steps.
    """

    taken: tuple[Step, ...]
    skipped: tuple[int, ...]
    ignored: tuple[int, ...]
    stopped: bool
    outputs: tuple[Told, ...]
    records: tuple[Record, ...]
    nodes: Mapping[NodeId, Role | None]


def replay(
    module: Module,
    schedule: Schedule,
    observer: Observer | None = None,
    *,
    skip_impossible: bool = False,
) -> Replay:
    """Take the steps of `schedule` in order.

    A step that is impossible (a message that was never sent, a step of a node that is down,
    a question without an answer) raises `ReplayError`, or is skipped if `skip_impossible`.
    """
    player = Player(module, schedule)
    taken: list[Step] = []
    skipped: list[int] = []
    ignored: list[int] = []
    outputs: list[Told] = []
    records: list[Record] = []
    if observer is not None:
        observer.begin(module, schedule.cluster, player.code())
    stopped = False
    for index, step in enumerate(schedule.steps):
        reason = player.obstacle(step)
        if reason is not None:
            if not skip_impossible:
                raise ReplayError(index, step, reason)
            skipped.append(index)
            continue
        if observer is not None:
            observer.before(step, player.nodes[step.node].code)
        try:
            effects = player.take(step)
        except Unanswered as error:
            if not skip_impossible:
                raise ReplayError(index, step, str(error)) from None
            skipped.append(index)
            continue
        if effects is None:
            ignored.append(index)
        else:
            taken.append(step)
            outputs += [
                Told(index, step.node, effect.output)
                for effect in effects
                if isinstance(effect, module.Tell)
            ]
        records.append(Taken(index, step, None if effects is None else tuple(effects)))
        if observer is not None and observer.after(step, player.nodes[step.node].code, effects):
            stopped = True
            if effects is None:
                taken.append(step)
            break
    if observer is not None:
        observer.end()
    return Replay(
        taken=tuple(taken),
        skipped=tuple(skipped),
        ignored=tuple(ignored),
        stopped=stopped,
        outputs=tuple(outputs),
        records=tuple(records),
        nodes={node.id: node.code if node.up else None for node in player.nodes.values()},
    )


class Unanswered(Exception):
    """The code asks the question `name`, and the step has no answer to it.

    Nothing has happened; the step can be taken again with an answer.
    """

    def __init__(self, node: NodeId, name: str) -> None:
        self.name = name
        super().__init__(f"{node} asks `{name}`, and the step has no answer to it")


class Player:
    """Nodes that take steps one by one, and the set of messages they ever sent."""

    def __init__(self, module: Module, schedule: Schedule) -> None:
        self._module = module
        self._names = {class_: name for name, class_ in module.QUESTIONS.items()}
        self._stopping = stopping(module)
        self.nodes = {
            node: Node(module, schedule.cluster, node, role, schedule.constants.get(node, {}))
            for node, role in nodes(module, schedule.cluster).items()
        }
        self.sent: dict[tuple[NodeId, NodeId, Message], None] = {}  # a set in order

    def code(self) -> dict[NodeId, Role]:
        """Return the code of every node, as it is or as it was before it crashed."""
        return {node.id: node.code for node in self.nodes.values()}

    def obstacle(self, step: Step) -> str | None:
        """Return why `step` is impossible now, None if it is possible."""
        node = self.nodes[step.node]
        match step:
            case Restart():
                if node.role in self._stopping:
                    return f"{node.id} has stopped for ever" if not node.up else "it is not down"
                return f"{node.id} is not down" if node.up else None
            case Deliver(sender=sender, message=message):
                if (sender, node.id, message) not in self.sent:
                    return f"{sender} never sent {message!r} to {node.id}"
            case Request() | Timeout() | Start() | Recover() | Crash():
                pass
            case _:
                assert_never(step)
        return None if node.up else f"{node.id} is down"

    def take(self, step: Step) -> Effects | None:
        """Take a possible step; return its effects, None if the handler ignored it."""
        node = self.nodes[step.node]
        match step:
            case Crash():
                node.crash()
                return ()
            case Restart():
                node.boot()
                return ()
            case _:
                return self._handle(node, step)

    def _handle(self, node: Node, step: Handled) -> Effects | None:
        module = self._module
        effects = call(node.code, step, dict(step.answers))
        for effect in effects or ():
            if isinstance(effect, module.Ask):
                name = self._names[type(effect.question)]
                raise Unanswered(node.id, name)
            if isinstance(effect, module.Send):
                self.sent[node.id, effect.receiver, effect.message] = None
            elif isinstance(effect, module.Persist):
                for write in effect.writes:
                    node.store[write.variable, write.keys] = write
        return effects
