"""What random specs speak of: types, variables, messages and roles, drawn once a spec."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random


@dataclass(frozen=True)
class Type:
    """A type: `kind`, and for the composed ones the types it is made of."""

    kind: str  # bool enum opaque ordered role tuple record option set map
    name: str = ""
    parts: tuple[Type, ...] = ()
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        match self.kind:
            case "bool":
                return "bool"
            case "tuple":
                return f"({', '.join(map(str, self.parts))})"
            case "option" | "set":
                return f"{self.kind} {self.parts[0]}"
            case "map":
                return f"map {self.parts[0]} to {self.parts[1]}"
            case _:
                return self.name


BOOL = Type("bool")


def option(content: Type) -> Type:
    return Type("option", parts=(content,))


def set_of(element: Type) -> Type:
    return Type("set", parts=(element,))


@dataclass(frozen=True)
class Variable:
    name: str
    type: Type
    kind: str  # durable, volatile, const, ghost


@dataclass
class Message:
    """A message; `routes` are the pairs of roles that send and handle it."""

    name: str
    fields: tuple[tuple[str, Type], ...]
    routes: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Role:
    name: str
    single: bool
    never_crashes: bool
    states: tuple[str, ...]
    durable_state: bool
    variables: list[Variable]
    timers: list[tuple[str, tuple[Type, ...]]]
    type: Type


@dataclass(frozen=True)
class Place:
    """What expressions may use: texts that can be read, with their types.

    `formula`: whether it is in a formula; `quorum`: whether `includes` may be used.
    """

    readable: tuple[tuple[str, Type], ...]
    formula: bool
    states: tuple[tuple[str, str], ...] = ()  # node text, state

    def plus(self, *more: tuple[str, Type]) -> Place:
        return replace(self, readable=(*self.readable, *more))

    def without(self, names: set[str]) -> Place:
        return replace(self, readable=tuple(r for r in self.readable if r[0] not in names))


WITH_SETS = 50_000
"""From this seed on fields may be sets."""


class Declarations:
    """The declarations of one spec; equal seeds draw equal ones."""

    def __init__(self, seed: int, properties: int = 4, asserts: bool = False) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.properties = properties
        self.asserts = asserts  # code stops at one that fails, so only where none is run
        self.count = 0
        self._declare()

    # --- draws ------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    # --- declarations -------------------------------------------------------------------------

    def _declare(self) -> None:
        r = self.random
        self.role_names = ["Alpha", "Beta"][: r.choice((1, 2, 2))]
        role_types = [Type("role", name) for name in self.role_names]
        self.enum = Type("enum", "Color", members=("Red", "Green", "Blue")[: r.choice((2, 3))])
        self.opaque = Type("opaque", "Item")
        self.owner = r.choice([None, *self.role_names])
        self.ordered = Type("ordered", "Num")
        self.simple = [BOOL, self.enum, self.opaque, self.ordered, *role_types]
        self.record = Type("record", "Pair", (r.choice(self.simple), r.choice(self.simple)))
        self.quorum_role = r.choice(self.role_names)
        threshold = r.choice(
            ("2 * size > total", "size >= total", "size >= total - f", "size >= 1", "size > f")
        )
        self.quorum = threshold
        self.roles = [self._role(role_type) for role_type in role_types]
        self.messages = [
            Message(self.name("Msg"), self._fields()) for _ in range(r.choice((1, 2, 2)))
        ]
        self.requests = [
            (self.name("Req"), tuple(f for f in self._fields() if self._anywhere(f[1])))
            for _ in range(r.choice((1, 1, 2)))
        ]
        self.outputs = [(self.name("Out"), self._fields())] if self.chance(0.6) else []
        self.asks = [
            (self.name("ask"), r.choice([BOOL, self.enum])) for _ in range(r.choice((0, 1)))
        ]
        self.ghosts = [self._variable("ghost", BOOL)] if self.chance(0.3) else []
        for message in self.messages:
            for _ in range(r.choice((1, 1, 2))):
                route = (r.choice(self.role_names), r.choice(self.role_names))
                if route not in message.routes:
                    message.routes.append(route)
        self.sent_by: dict[str, set[str]] = {}
        self.used: set[str] = set()  # requests and outputs that some handler takes or makes
        self.asked: set[str] = set()  # in the present handler
        self.channels: set[tuple[str, str, str]] = set()

    def _flat(self) -> Type:
        r = self.random
        if self.chance(0.8):
            return r.choice(self.simple)
        if self.chance(0.5):
            return self.record
        return Type("tuple", parts=(r.choice(self.simple), r.choice(self.simple)))

    def _anywhere(self, type_: Type) -> bool:
        """Whether any random value that looks like one of the type is one, whatever the roles.

        The simulator's random clients know of nodes, not of their roles.
        """
        if type_.kind == "role" or (type_.kind == "ordered" and self.owner is not None):
            return len(self.role_names) == 1
        return all(self._anywhere(part) for part in type_.parts)

    def _fields(self) -> tuple[tuple[str, Type], ...]:
        found = []
        for _ in range(self.random.choice((0, 1, 1, 2))):
            type_ = self._flat()
            if self.seed >= WITH_SETS and self.chance(0.3):
                found.append((self.name("f"), set_of(type_)))
            else:
                found.append((self.name("f"), option(type_) if self.chance(0.35) else type_))
        return tuple(found)

    def _role(self, type_: Type) -> Role:
        r = self.random
        states = ("Idle", "Busy", "Done") if type_.name == "Alpha" else ("Low", "High", "Top")
        count = r.choice((0, 0, 2, 3))
        role = Role(
            type_.name,
            self.chance(0.25) and type_.name != self.quorum_role,
            self.chance(0.25),
            states[:count],
            self.chance(0.4),
            [],
            [],
            type_,
        )
        for _ in range(r.choice((1, 2, 2, 3))):
            kinds = ("durable", "durable", "volatile", "volatile", "const", "ghost")
            role.variables.append(self._variable(r.choice(kinds)))
        if self.chance(0.4):
            role.variables.append(
                Variable(self.name("votes"), set_of(Type("role", self.quorum_role)), "volatile")
            )
        if self.chance(0.4):
            types = tuple(r.choice([self.opaque, self.enum]) for _ in range(r.choice((0, 1))))
            role.timers.append((self.name("timer"), types))
        return role

    def _variable(self, kind: str, type_: Type | None = None) -> Variable:
        r = self.random
        if type_ is None:
            inner = self._flat()
            stored = [BOOL, self.enum, self.ordered]
            type_ = r.choice(
                (
                    r.choice(stored),
                    Type("tuple", parts=(r.choice(stored), r.choice(stored))),
                    option(inner),
                    set_of(inner),
                    Type(
                        "map",
                        parts=(
                            r.choice([t for t in self.simple if t != BOOL]),
                            r.choice([BOOL, self.enum, self.ordered, option(inner), set_of(inner)]),
                        ),
                    ),
                )
            )
            if kind == "const" and (
                type_.kind in ("map", "set", "tuple") or not self._anywhere(type_)
            ):
                type_ = r.choice([BOOL, self.enum, self.opaque])
        return Variable(self.name(kind[0]), type_, kind)
