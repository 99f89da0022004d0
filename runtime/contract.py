"""The contract between generated modules and whatever drives them.

A generated module imports nothing of ours and knows nothing of this file; the classes here
are structural types that say what a driver may expect of it. What a module does is pure: a
step takes an event and returns the effects as data, or None if the event is ignored.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

NodeId: TypeAlias = str

Message: TypeAlias = Hashable
"""A message, request, output, timer or question: a frozen dataclass of the module."""

Effects: TypeAlias = Sequence[object]
"""Effects in the order in which they happen; `Persist`, if there is one, is first."""

Answers: TypeAlias = Mapping[str, object]
"""The application's answers, by the name of the question."""


class Write(Protocol):
    """A durable variable, or the entry of a durable map at `keys`, has a new value."""

    @property
    def variable(self) -> str:
        """The name in the spec; `state` for a role's durable state."""

    @property
    def keys(self) -> tuple[object, ...]:
        """Empty for a whole variable, else the way into nested maps."""

    @property
    def value(self) -> object:
        """Immutable: sets are frozen, maps never whole."""


class Role(Protocol):
    """One node: its identity and state, and a method for each kind of event.

    Each method returns the effects, or None if the event is ignored; then nothing has
    changed. If the only effect is `Ask`, nothing has changed either, and the step is to be
    taken again with the answer.
    """

    ROLE: ClassVar[str]
    VARIABLES: ClassVar[Mapping[str, str]]
    id: NodeId

    def deliver(self, message: Any, sender: NodeId, answers: Answers = ...) -> Effects | None:
        """Handle a message."""

    def request(self, request: Any, answers: Answers = ...) -> Effects | None:
        """Handle what a client asks."""

    def timeout(self, timer: Any, answers: Answers = ...) -> Effects | None:
        """Handle a timer that fired."""

    def start(self, answers: Answers = ...) -> Effects | None:
        """Handle the node's first start."""

    def recover(self, answers: Answers = ...) -> Effects | None:
        """Handle the first moment after a crash."""


class RoleClass(Protocol):
    """The class of a role; `durable` are the writes to start from, constants go by name."""

    ROLE: str
    VARIABLES: Mapping[str, str]

    def __call__(
        self, id: NodeId, cluster: Any, durable: Iterable[Any] = ..., **constants: Any
    ) -> Role:
        """Make a node."""


class Module(Protocol):
    """A generated module. Names of tables are those of the spec."""

    __name__: str
    PROTOCOL: str
    SPEC: str  # relative to the module's file
    SPEC_SHA256: str
    PROVED: bool

    Cluster: Any
    Write: Any
    Persist: Any
    Send: Any
    Tell: Any
    Arm: Any
    Disarm: Any
    Ask: Any

    ROLES: Mapping[str, Any]
    CLUSTER_FIELDS: Mapping[str, str]  # roles and parameters -> the field of Cluster
    MESSAGES: Mapping[str, Any]
    REQUESTS: Mapping[str, Any]
    OUTPUTS: Mapping[str, Any]
    QUESTIONS: Mapping[str, Any]
    TIMERS: Mapping[tuple[str, str], Any]  # (role, timer) -> class
    ENUMS: Mapping[str, Any]
    RECORDS: Mapping[str, Any]
    ORDEREDS: Mapping[str, Any]  # ordered type -> its zero
    SINGLE: frozenset[str]  # roles with exactly one node
    NEVER_CRASHES: frozenset[str]
    ANSWERS: Mapping[str, Any]  # question -> type of its answer


def stopping(module: Module) -> frozenset[str]:
    """Return the roles whose nodes stop for ever when they crash.

    A module has the table `STOPS` only if its spec has such a role.
    """
    found: frozenset[str] = getattr(module, "STOPS", frozenset())
    return found


SCALARS = ("PROTOCOL", "SPEC", "SPEC_SHA256", "PROVED")
CLASSES = ("Cluster", "Write", "Persist", "Send", "Tell", "Arm", "Disarm", "Ask")
TABLES = (
    "ROLES",
    "CLUSTER_FIELDS",
    "MESSAGES",
    "REQUESTS",
    "OUTPUTS",
    "QUESTIONS",
    "TIMERS",
    "ENUMS",
    "RECORDS",
    "ORDEREDS",
    "ANSWERS",
)
METHODS = ("deliver", "request", "timeout", "start", "recover")
