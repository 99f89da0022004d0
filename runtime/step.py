"""Steps: what a node can be made to do, as data.

An execution is the order of its steps. A message may be delivered any number of times once it
was sent, and what is never delivered was lost, so a list of steps says everything that loss,
duplication, reordering and partitions did to the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, Union, assert_never

from runtime.contract import Answers, Effects, Message, NodeId, Role

AnswerPairs: TypeAlias = tuple[tuple[str, object], ...]
"""The application's answers in the step, by the name of the question, in the order asked."""

CrashPoint: TypeAlias = Literal["idle", "before persist", "after persist"]


@dataclass(frozen=True, slots=True)
class Deliver:
    """`node` receives `message`, which `sender` sent to it earlier."""

    node: NodeId
    sender: NodeId
    message: Message
    answers: AnswerPairs = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A client asks `node`."""

    node: NodeId
    request: Message
    answers: AnswerPairs = ()


@dataclass(frozen=True, slots=True)
class Timeout:
    """A timer of `node` fires."""

    node: NodeId
    timer: Message
    answers: AnswerPairs = ()


@dataclass(frozen=True, slots=True)
class Start:
    """The first start of `node`."""

    node: NodeId
    answers: AnswerPairs = ()


@dataclass(frozen=True, slots=True)
class Recover:
    """`node` is up again after a crash and begins its recovery."""

    node: NodeId
    answers: AnswerPairs = ()


@dataclass(frozen=True, slots=True)
class Crash:
    """`node` loses its volatile state.

    `point`: while it was idle; when it had begun a step of which nothing was persistent yet
    (the step has then never happened); or in the step before this one, whose durable writes
    are kept and of whose effects the world saw nothing else.
    """

    node: NodeId
    point: CrashPoint = "idle"


@dataclass(frozen=True, slots=True)
class Restart:
    """`node` is up again with what it had made durable."""

    node: NodeId


Handled: TypeAlias = Union[Deliver, Request, Timeout, Start, Recover]
"""The steps that a handler of the node takes."""

Step: TypeAlias = Union[Handled, Crash, Restart]


def call(code: Role, step: Handled, answers: Answers) -> Effects | None:
    """Have `code` take `step` with `answers`; return what it returns."""
    match step:
        case Deliver(sender=sender, message=message):
            return code.deliver(message, sender, answers)
        case Request(request=request):
            return code.request(request, answers)
        case Timeout(timer=timer):
            return code.timeout(timer, answers)
        case Start():
            return code.start(answers)
        case Recover():
            return code.recover(answers)
        case _:
            assert_never(step)


def answered(step: Handled, answers: Answers) -> Handled:
    """Return `step` with the answers that were given in it."""
    return replace(step, answers=tuple(answers.items())) if answers else step
