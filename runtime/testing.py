"""A Hypothesis state machine over a generated module, for this project's tests and its users'.

Hypothesis chooses every delivery, loss, crash, timeout, request and answer, and shrinks what
fails. With a model, the monitor compares each step with it. What fails is reported with the
schedule that led there, which `accordant simulate --replay` runs again.

    TestPaxos = protocol_machine(module, make_cluster(module), model).TestCase

It draws messages from all that were ever sent, so duplicates and old messages come as often
as new ones. The simulator meets long, likely runs; this meets short, unlikely ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from runtime.checking import Model, Monitor
from runtime.contract import Effects, Message, Module, NodeId, stopping
from runtime.membership import nodes
from runtime.replay import Player, Unanswered
from runtime.schedule import dumps, schedule_for
from runtime.step import Crash, Deliver, Handled, Recover, Request, Restart, Start, Step, Timeout
from runtime.types import (
    BoolShape,
    ClassShape,
    EnumShape,
    IntShape,
    NodeShape,
    OpaqueShape,
    OptionShape,
    SetShape,
    Shape,
    TupleShape,
    Types,
)

CHOICES = st.integers(min_value=0, max_value=1 << 16)
"""A choice among what there is: taken modulo its number, so that it shrinks to the first."""


def values(shape: Shape, members: Sequence[NodeId], pool: int = 3) -> st.SearchStrategy[Any]:
    """Return a strategy for values of `shape`; opaque ones as in `runtime.draw`."""
    match shape:
        case BoolShape():
            return st.booleans()
        case IntShape():
            return st.integers(min_value=0, max_value=pool - 1)
        case NodeShape():
            return st.sampled_from(members)
        case OpaqueShape(name=name):
            return st.sampled_from([f"{name[0].lower()}{number}" for number in range(pool)])
        case EnumShape(enum=enum):
            return st.sampled_from(list(enum))
        case TupleShape(parts=parts):
            return st.tuples(*(values(part, members, pool) for part in parts))
        case ClassShape(make=make, parts=parts):
            return st.builds(make, *(values(part, members, pool) for part in parts))
        case OptionShape(content=content):
            return st.none() | values(content, members, pool)
        case SetShape(element=element):
            return st.frozensets(values(element, members, pool), max_size=pool)
        case _:
            assert_never(shape)


def protocol_machine(
    module: Module,
    cluster: Any,
    model: Model | None = None,
    *,
    pool: int = 3,
    constants: Mapping[NodeId, Mapping[str, object]] | None = None,
) -> type[RuleBasedStateMachine]:
    """Return a state machine that runs `module` on `cluster`, step by chosen step.

    It fails if the code raises, and with a `model` at the first violation of it. Opaque values
    are of a pool of `pool`. `constants` are those of the nodes that have any, by name.
    """
    types = Types(module)
    members = nodes(module, cluster)
    ids = tuple(members)
    stopped = stopping(module)
    mortal = tuple(n for n, role in members.items() if role not in module.NEVER_CRASHES)
    requests = st.one_of(
        [
            st.tuples(
                st.sampled_from(
                    [n for n, role in members.items() if types.handlers(module.ROLES[role], class_)]
                    or ids
                ),
                values(types.of_class(class_), ids, pool),
            )
            for class_ in module.REQUESTS.values()
        ]
    )
    answers = {n: values(types.of(a), ids, pool) for n, a in module.ANSWERS.items()}

    class ProtocolMachine(RuleBasedStateMachine):
        """The nodes, the messages that may be delivered, and the timers that were armed."""

        def __init__(self) -> None:
            super().__init__()
            self.player = Player(module, schedule_for(module, cluster, (), constants))
            self.pending: list[tuple[NodeId, NodeId, Message]] = []
            self.timers: dict[tuple[NodeId, Message], None] = {}
            self.steps: list[Step] = []
            self.monitor = None if model is None else Monitor(model)
            if self.monitor is not None:
                self.monitor.begin(module, cluster, self.player.code())

        @initialize(data=st.data())
        def start(self, data: st.DataObject) -> None:
            """Start every node."""
            for node in ids:
                self.take(Start(node), data)

        @precondition(lambda self: bool(self.pending))
        @rule(choice=CHOICES, data=st.data())
        def deliver(self, choice: int, data: st.DataObject) -> None:
            """Deliver a message; it stays, and may come again."""
            sender, receiver, message = self.pending[choice % len(self.pending)]
            if self.player.nodes[receiver].up:
                self.take(Deliver(receiver, sender, message), data)

        @precondition(lambda self: bool(self.pending))
        @rule(choice=CHOICES)
        def drop(self, choice: int) -> None:
            """Lose a message: it will not be delivered any more."""
            del self.pending[choice % len(self.pending)]

        @precondition(lambda self: bool(self.timers))
        @rule(choice=CHOICES, data=st.data())
        def timeout(self, choice: int, data: st.DataObject) -> None:
            """Fire a timer that was armed at some time."""
            node, timer = list(self.timers)[choice % len(self.timers)]
            if self.player.nodes[node].up:
                self.take(Timeout(node, timer), data)

        @precondition(lambda self: bool(module.REQUESTS))
        @rule(request=requests, data=st.data())
        def request(self, request: tuple[NodeId, Message], data: st.DataObject) -> None:
            """Ask a node something."""
            node, content = request
            if self.player.nodes[node].up:
                self.take(Request(node, content), data)

        @precondition(lambda self: bool(mortal))
        @rule(choice=CHOICES)
        def crash(self, choice: int) -> None:
            """Crash a node."""
            node = mortal[choice % len(mortal)]
            if self.player.nodes[node].up:
                self.take(Crash(node))

        @precondition(lambda self: bool(self.restartable()))
        @rule(choice=CHOICES, data=st.data())
        def restart(self, choice: int, data: st.DataObject) -> None:
            """Restart a node that is down, and have it recover."""
            down = self.restartable()
            node = down[choice % len(down)]
            self.take(Restart(node))
            self.take(Recover(node), data)

        def restartable(self) -> list[NodeId]:
            """Return the nodes that are down and do not stay so."""
            nodes = self.player.nodes
            return [n for n in ids if not nodes[n].up and nodes[n].role not in stopped]

        def take(self, step: Step, data: st.DataObject | None = None) -> None:
            """Take a step, drawing the answers it needs, and check it."""
            code = self.player.nodes[step.node].code
            if self.monitor is not None:
                if not self.monitor.permits(step):
                    return  # the environment would not let it happen
                self.monitor.before(step, code)
            if isinstance(step, Crash | Restart):
                effects = self.player.take(step)
            else:
                step, effects = self.answer(step, data)
            self.steps.append(step)
            for effect in effects or ():
                if isinstance(effect, module.Send):
                    self.pending.append((step.node, effect.receiver, effect.message))
                elif isinstance(effect, module.Arm):
                    self.timers[step.node, effect.timer] = None
            code = self.player.nodes[step.node].code
            if self.monitor is not None and self.monitor.after(step, code, effects):
                schedule = schedule_for(module, cluster, tuple(self.steps), constants)
                text = dumps(module, schedule)
                raise AssertionError(f"{self.monitor.violations[0]}\n{text}")

        def answer(
            self, step: Handled, data: st.DataObject | None
        ) -> tuple[Handled, Effects | None]:
            """Take a step, with answers drawn from `data`; return it with them."""
            while True:
                try:
                    return step, self.player.take(step)
                except Unanswered as question:
                    assert data is not None
                    given = data.draw(answers[question.name], label=question.name)
                    step = replace(step, answers=(*step.answers, (question.name, given)))

    return ProtocolMachine
