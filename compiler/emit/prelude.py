"""The part of a generated module that is the same in every one: events and effects."""

from __future__ import annotations

PRELUDE = '''\
NodeId: TypeAlias = str

# --- what a node exchanges with whatever drives it (the same in every generated module) ---


@dataclass(frozen=True, slots=True)
class Delivered:
    """An event: `message` has arrived from `sender`."""

    message: Message
    sender: NodeId


@dataclass(frozen=True, slots=True)
class Requested:
    """An event: a client asks something of the node."""

    request: Request


@dataclass(frozen=True, slots=True)
class TimedOut:
    """An event: a timer that was armed has run out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Started:
    """An event: the node starts for the first time."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """An event: the node is back after a crash, with what it had made durable."""


Event: TypeAlias = Delivered | Requested | TimedOut | Started | Recovered


@dataclass(frozen=True, slots=True)
class Write:
    """A durable variable, or the entry of a durable map at `keys`, has a new value.

    `variable` is its name in the spec, or "state" for a durable state. `keys` lead into nested
    maps and are empty for a whole variable. The value is immutable; sets are frozen.
    """

    variable: str
    keys: tuple[object, ...]
    value: object


@dataclass(frozen=True, slots=True)
class Persist:
    """An effect: make the writes durable, all at once and before the step's other effects."""

    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """An effect: send `message` to the node `receiver`."""

    receiver: NodeId
    message: Message


@dataclass(frozen=True, slots=True)
class Tell:
    """An effect: tell the application."""

    output: Output


@dataclass(frozen=True, slots=True)
class Arm:
    """An effect: let `timer` run out in `low` to `high` milliseconds; a running one restarts."""

    timer: Timer
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Disarm:
    """An effect: stop `timer`."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Ask:
    """The only effect of a step that needs an answer: nothing has happened yet.

    Take the step again with the answer, by the question's name in the spec.
    """

    question: Question


Effect: TypeAlias = Persist | Send | Tell | Arm | Disarm | Ask
Effects: TypeAlias = list[Effect]
Answers: TypeAlias = Mapping[str, object]
Writes: TypeAlias = dict[tuple[str, tuple[object, ...]], Write]

NO_ANSWERS: Final[Answers] = {}


def broadcast(receivers: tuple[NodeId, ...], message: Message) -> Effects:
    """Return the effects of sending `message` to every receiver."""
    return [Send(receiver, message) for receiver in receivers]


def persist(*writes: Write) -> Persist:
    """Return the effect of making `writes` durable together."""
    return Persist(writes)


def note(writes: Writes, variable: str, keys: tuple[object, ...], value: object) -> None:
    """Add a durable write to `writes`; it takes the place of an earlier one to the same place."""
    writes[(variable, keys)] = Write(variable, keys, value)
'''
