"""The checked tree: a spec in which every name is resolved and every expression has a type.

The checker builds it from the syntax tree; lowering and the emitter read it. It is smaller
than the syntax tree: `reply` is a `Send`, `+=` says whether an element or a set is added,
`not in` is a negated `Member`, and a handler knows its state and has its own name.

A `Binding` is one bound name (a handler's parameter, a `let`, a `pick`, a quantified
variable). Bindings are told apart by `number`, unique in the protocol, since two branches may
use one name for different things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Literal, TypeAlias, Union

from compiler.check.types import (
    BOOL,
    INT,
    BoolType,
    EnumType,
    IntType,
    OpaqueType,
    OptionType,
    OrderedType,
    QuorumType,
    RecordType,
    RoleType,
    SetType,
    TupleType,
    Type,
)
from compiler.diagnostics import Source, Span


@dataclass(frozen=True, slots=True)
class Binding:
    """One bound name."""

    name: str
    type: Type
    number: int
    span: Span = field(compare=False)


# --- declared things ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A typed field of a message, request, output, question or timer."""

    name: str
    type: Type
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Channel:
    """One pair of roles between which a message travels.

    `broadcast_only`: every statement that sends the message on this channel broadcasts it, so
    whoever is in the receiving role was sent it and the receiver need not be recorded.
    """

    sender: RoleType
    receiver: RoleType
    broadcast_only: bool


@dataclass(frozen=True, slots=True)
class Message:
    """`message M(…)` with the channels it travels on; none if nothing sends it."""

    name: str
    fields: tuple[Field, ...]
    channels: tuple[Channel, ...]
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Request:
    """`request R(…)`: something a client asks a node; `roles` handle it."""

    name: str
    fields: tuple[Field, ...]
    roles: tuple[RoleType, ...]
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Output:
    """`output O(…)`: something a node tells its application; `roles` do so."""

    name: str
    fields: tuple[Field, ...]
    roles: tuple[RoleType, ...]
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    """`ask q(…): T`: a question to the application; the answer is flat."""

    name: str
    fields: tuple[Field, ...]
    result: Type
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Timer:
    """`timer t(…) after LOW to HIGH`: milliseconds; fields are flat."""

    name: str
    role: RoleType
    fields: tuple[Field, ...]
    delay: tuple[int, int]
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a role, or (`role` is None) a ghost variable of the whole protocol.

    `initial` is None where the default of the type is meant, and for constants, which may
    have any value.
    """

    role: RoleType | None
    name: str
    type: Type
    kind: Literal["durable", "volatile", "const", "ghost"]
    initial: Expression | None
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ProtocolParameter:
    """`parameter f: assumption`: a whole number, 0 or more, of which `assumption` holds."""

    name: str
    assumption: Expression | None
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Quorum:
    """`quorum Q of R: threshold`."""

    type: QuorumType
    threshold: Expression
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """`definition d(a: A): formula`; calls are expanded by lowering."""

    name: str
    parameters: tuple[Binding, ...]
    body: Expression
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Property:
    """A `safety`, `invariant`, `fact` or `possible`; the last does `without` some roles."""

    kind: Literal["safety", "invariant", "fact", "possible"]
    name: str
    body: Expression
    doc: str | None
    span: Span = field(compare=False)
    without: tuple[RoleType, ...] = ()


# --- expressions -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Local:
    """The value of a binding."""

    binding: Binding
    span: Span = field(compare=False)

    @property
    def type(self) -> Type:
        return self.binding.type


@dataclass(frozen=True, slots=True)
class SelfNode:
    """`self`: the node that takes the step."""

    type: RoleType
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SingleNode:
    """The one node of a `single` role, by the role's name."""

    type: RoleType
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Read:
    """A variable of a node: of `self` in a handler, of any node in a formula.

    `node` is None for a ghost variable of the whole protocol.
    """

    node: Expression | None
    variable: Variable
    span: Span = field(compare=False)

    @property
    def type(self) -> Type:
        return self.variable.type


@dataclass(frozen=True, slots=True)
class BoolValue:
    """`true` or `false`."""

    value: bool
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A member of an enum."""

    type: EnumType
    member: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Zero:
    """The least value of an ordered type."""

    type: OrderedType
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class NoneValue:
    """`none` of an option type."""

    type: OptionType
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SomeValue:
    """`some e`."""

    type: OptionType
    content: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class TupleValue:
    """`(a, b)`; also the key of a map that is indexed with several values."""

    type: TupleType
    parts: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class RecordValue:
    """`Entry(a, b)`."""

    type: RecordType
    parts: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class SetValue:
    """`{a, b}` or `{}`."""

    type: SetType
    elements: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`{x: T, y: U where e}`; only in formulas and assignments to ghosts."""

    type: SetType
    bindings: tuple[Binding, ...]
    condition: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of a record; `index` counts from 0."""

    type: Type
    subject: Expression
    name: str
    index: int
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class OwnerOf:
    """`b.owner` of a value of an owned ordered type."""

    type: RoleType
    subject: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """`i.next` or `i.previous` of a counter's value; `zero.previous` is `zero`.

    Anywhere in a handler outside quantifiers and comprehensions; elsewhere only as one side of
    `=` or `!=`.
    """

    type: OrderedType
    subject: Expression
    direction: Literal["next", "previous"]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """`m[k]`; `key` is a `TupleValue` where several indices were given."""

    type: Type
    map: Expression
    key: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`not e`."""

    operand: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Logical:
    """`and`, `or`, `implies`, `iff`."""

    operator: Literal["and", "or", "implies", "iff"]
    left: Expression
    right: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Compare:
    """`= != < <= > >=`; both sides have one type. Ordered types and ints only for the last four.

    Options, sets, records and tuples may be compared for equality; maps only in formulas.
    """

    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    left: Expression
    right: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Member:
    """`e in s`, where `s` is a set or a quorum."""

    element: Expression
    set: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Includes:
    """`s includes Q`: the set has a `Q` in it."""

    set: Expression
    quorum: QuorumType
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class InState:
    """`n is State`."""

    node: Expression
    state: str
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class IsDown:
    """`n is down`, of a node of a role that `stops`; only in formulas."""

    node: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class IsSome:
    """`e is some`; `e is none` is its negation."""

    subject: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Match:
    """`e is some p`: true if `e` is some, and then the names of `pattern` are bound.

    Only as a conjunct of a `when`, `if`, `elif` or `require` condition; the names are known
    in the conjuncts to its right and in what the condition guards.
    """

    subject: Expression
    pattern: Pattern
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Quantified:
    """`forall` or `exists` over whole types; only in formulas and assignments to ghosts."""

    kind: Literal["forall", "exists"]
    bindings: tuple[Binding, ...]
    body: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class QuantifiedIn:
    """`forall x in s: e` or `exists x in s: e` over a set (not a quorum, in code)."""

    kind: Literal["forall", "exists"]
    binding: Binding
    domain: Expression
    body: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class Sent:
    """`sent M(a, _) from p to q`, `requested R(a) at n`, `output O(a) at n`; formulas only.

    None stands for "any". `sender` is the node for requests and outputs. The type of `sender`
    and `receiver` (or the message's own channels, where they are None) says which channels
    are meant; there is at least one.
    """

    subject: Message | Request | Output
    arguments: tuple[Expression | None, ...]
    sender: Expression | None
    receiver: Expression | None
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class CallDefinition:
    """A definition's body with arguments for its parameters; formulas only."""

    definition: Definition
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)
    type: BoolType = BOOL


@dataclass(frozen=True, slots=True)
class AskValue:
    """`ask q(a)`: the application's answer; each question at most once on a handler's path."""

    type: Type
    question: Question
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class IntValue:
    """A whole number, in a threshold or assumption."""

    value: int
    span: Span = field(compare=False)
    type: IntType = INT


@dataclass(frozen=True, slots=True)
class IntName:
    """`size`, a `total`, or a parameter, in a threshold or assumption.

    For `total`, `role` is the role whose nodes are counted; else None.
    """

    kind: Literal["size", "total", "parameter"]
    name: str
    role: RoleType | None
    span: Span = field(compare=False)
    type: IntType = INT


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * //`: one side of `*` and the right side of `//` is a literal (`//` positive)."""

    operator: Literal["+", "-", "*", "//"]
    left: Expression
    right: Expression
    span: Span = field(compare=False)
    type: IntType = INT


@dataclass(frozen=True, slots=True)
class Survives:
    """`Q survives e`, the whole body of a fact."""

    quorum: QuorumType
    crashes: Expression
    span: Span = field(compare=False)
    type: BoolType = BOOL


Expression: TypeAlias = Union[
    Local,
    SelfNode,
    SingleNode,
    Read,
    BoolValue,
    EnumValue,
    Zero,
    NoneValue,
    SomeValue,
    TupleValue,
    RecordValue,
    SetValue,
    Comprehension,
    FieldOf,
    OwnerOf,
    Neighbour,
    Lookup,
    Not,
    Logical,
    Compare,
    Member,
    Includes,
    InState,
    IsDown,
    IsSome,
    Match,
    Quantified,
    QuantifiedIn,
    Sent,
    CallDefinition,
    AskValue,
    IntValue,
    IntName,
    Arithmetic,
    Survives,
]


# --- patterns ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BindPattern:
    """A name."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """`_`."""

    type: Type


@dataclass(frozen=True, slots=True)
class TuplePattern:
    """`(a, b)`, against a tuple or a record."""

    type: TupleType | RecordType
    parts: tuple[Pattern, ...]


Pattern: TypeAlias = Union[BindPattern, IgnorePattern, TuplePattern]


# --- statements --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign:
    """An assignment to a variable of `self` or to a ghost variable of the protocol.

    `keys` lead into nested maps: `v[a][b, c] := e` has the keys `a` and `(b, c)`. For `set`
    the value has the type of the place; `add` and `remove` take an element of the set there,
    `union` and `difference` a set. `ghost`: the variable is a ghost, so the statement is not
    in the generated code. `node` is None for a protocol's ghost and `SelfNode` else.
    """

    variable: Variable
    keys: tuple[Expression, ...]
    operator: Literal["set", "add", "remove", "union", "difference"]
    value: Expression
    span: Span = field(compare=False)

    @property
    def ghost(self) -> bool:
        return self.variable.kind == "ghost"


@dataclass(frozen=True, slots=True)
class Branch:
    """One `if` or `elif` arm."""

    condition: Expression
    body: tuple[Statement, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """`if … elif … else …`; no `else` is an empty `otherwise`."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Statement, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Let:
    """`let p = e`."""

    pattern: Pattern
    value: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class For:
    """`for p in s:` over a set; the rounds happen at once.

    The checker has made sure that no round reads what another writes: the body holds only
    sends, outputs, timers, additions to and removals from sets, assignments to a map at keys
    that contain all names of the pattern, `if`, `let` and nested `for`, and reads no variable
    (at another key) that it writes.
    """

    pattern: Pattern
    domain: Expression
    body: tuple[Statement, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Send:
    """`send M(…) to n` or `reply M(…)`."""

    message: Message
    arguments: tuple[Expression, ...]
    receiver: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Broadcast:
    """`broadcast M(…) to R`: to every node of the role, the sender included if it is one."""

    message: Message
    arguments: tuple[Expression, ...]
    role: RoleType
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Become:
    """`become State`."""

    state: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Emit:
    """`output O(…)`."""

    output: Output
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class PickFrom:
    """`pick x in s where e`, from a set."""

    binding: Binding
    domain: Expression
    condition: Expression | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class PickAbove:
    """`pick x in T where x > e and … and x.owner = n`, for an ordered type.

    `bounds` are the expressions that `x` must exceed, one or more; `owner` is the node that
    `x` is to belong to, for an owned type. Generated code takes the least such value it can make.
    """

    binding: Binding
    bounds: tuple[Expression, ...]
    owner: Expression | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Arm:
    """`arm timer(…)`: start it anew, whether or not it was running."""

    timer: Timer
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Disarm:
    """`disarm timer(…)`."""

    timer: Timer
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Require:
    """`require e`."""

    condition: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Assert:
    """`assert e`; a formula may stand here, and then it is not in the generated code.

    `executable` says whether the condition could be code.
    """

    condition: Expression
    executable: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Assume:
    """`assume e`: the environment lets the step happen only if the formula `condition` holds.

    No code comes of it.
    """

    condition: Expression
    span: Span = field(compare=False)


Statement: TypeAlias = Union[
    Assign,
    If,
    Let,
    For,
    Send,
    Broadcast,
    Become,
    Emit,
    PickFrom,
    PickAbove,
    Arm,
    Disarm,
    Require,
    Assert,
    Assume,
]


# --- roles and the whole -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """`on M(…) from n`; `sender` is always bound, under a made-up name if none was written.

    `sender_named` says whether it was.
    """

    message: Message
    patterns: tuple[Pattern, ...]
    sender: Binding
    sender_named: bool


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """`on request R(…)`."""

    request: Request
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class TimeoutEvent:
    """`on timeout t(…)`."""

    timer: Timer
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class StartEvent:
    """`on start`."""


@dataclass(frozen=True, slots=True)
class RecoverEvent:
    """`on recover`."""


Event: TypeAlias = Union[MessageEvent, RequestEvent, TimeoutEvent, StartEvent, RecoverEvent]


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler.

    `name` is unique in the role and a Python identifier: `on_prepare`, `on_timeout_retry`,
    `on_request_propose`, `on_start`; where a role has several for one event, the state's name
    or else a number is added. `state` is the state it stands in, or None for any state.
    A message that several handlers accept goes to the first of them, in source order.
    """

    name: str
    event: Event
    state: str | None
    guard: Expression | None
    body: tuple[Statement, ...]
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """`state S`."""

    name: str
    doc: str | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Role:
    """One role; `states` is empty where none are declared, else `initial_state` is one of them.

    `handlers` are in source order, those in states among the others.
    """

    type: RoleType
    single: bool
    never_crashes: bool
    variables: tuple[Variable, ...]
    timers: tuple[Timer, ...]
    states: tuple[State, ...]
    initial_state: str | None
    state_durable: bool
    handlers: tuple[Handler, ...]
    doc: str | None
    span: Span = field(compare=False)
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """A whole spec, checked. All tuples are in source order."""

    name: str
    doc: str | None
    source: Source
    enums: tuple[EnumType, ...]
    opaques: tuple[OpaqueType, ...]
    ordereds: tuple[OrderedType, ...]
    records: tuple[RecordType, ...]
    messages: tuple[Message, ...]
    requests: tuple[Request, ...]
    outputs: tuple[Output, ...]
    questions: tuple[Question, ...]
    parameters: tuple[ProtocolParameter, ...]
    quorums: tuple[Quorum, ...]
    facts: tuple[Property, ...]
    definitions: tuple[Definition, ...]
    ghosts: tuple[Variable, ...]
    roles: tuple[Role, ...]
    properties: tuple[Property, ...]
    docs: tuple[tuple[str, str], ...]  # documentation of the types, by type name
    span: Span = field(compare=False)


def walk(node: object) -> Iterator[object]:
    """Yield a node of the tree and everything below it, parents first."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif is_dataclass(node) and not isinstance(node, type | Span | Source):
        yield node
        for child in fields(node):
            yield from walk(getattr(node, child.name))
