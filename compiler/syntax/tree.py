"""The syntax tree: a spec as it was written, names not yet resolved.

Every node is a frozen dataclass with the span it came from. Nothing here knows what a name
means; `compiler.check` turns this tree into the checked one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, Union

from compiler.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier at a place."""

    text: str
    span: Span


# --- types -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedType:
    """`bool`, or the name of an enum, role, opaque, ordered, counter, record or quorum type."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class OptionType:
    """`option T`."""

    content: TypeExpression
    span: Span


@dataclass(frozen=True, slots=True)
class SetType:
    """`set T`."""

    element: TypeExpression
    span: Span


@dataclass(frozen=True, slots=True)
class MapType:
    """`map K to V`."""

    key: TypeExpression
    value: TypeExpression
    span: Span


@dataclass(frozen=True, slots=True)
class TupleType:
    """`(T, U)`, two parts or more."""

    parts: tuple[TypeExpression, ...]
    span: Span


TypeExpression: TypeAlias = "NamedType | OptionType | SetType | MapType | TupleType"


# --- expressions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NameExpression:
    """A bare name: variable, parameter, enum value, `zero`, `self`, `size`, `total`."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class BoolLiteral:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class IntLiteral:
    """A whole number; only thresholds, assumptions and timer ranges have numbers."""

    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class NoneLiteral:
    """`none`."""

    span: Span


@dataclass(frozen=True, slots=True)
class SomeExpression:
    """`some e`."""

    content: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class TupleExpression:
    """`(a, b)`, two parts or more."""

    parts: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class SetExpression:
    """`{a, b}`; `{}` is the empty set."""

    elements: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`{x: T, y: U where e}`: the tuples of the bound variables for which `e` holds."""

    binders: tuple[Binder, ...]
    condition: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class FieldExpression:
    """`e.name`: a record's field, a node's variable, an ordered value's `owner`, a counter's
    `next` or `previous`.
    """

    subject: Expression
    field: Name
    span: Span


@dataclass(frozen=True, slots=True)
class IndexExpression:
    """`m[k]`; several indices stand for a tuple key."""

    subject: Expression
    indices: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CallExpression:
    """`f(a, b)`: a record constructor or a definition."""

    function: Name
    arguments: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class AskExpression:
    """`ask f(a)`: a question to the application."""

    question: Name
    arguments: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class UnaryExpression:
    """`not e` or `-e`."""

    operator: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class BinaryExpression:
    """Two operands and one of

    `and or implies iff = != < <= > >= in` `not in` `+ - * //`, and `includes`.
    """

    operator: str
    left: Expression
    right: Expression
    operator_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class IsExpression:
    """`e is some (a, b)` (a pattern match), `e is some`, `e is none`, or `n is State`."""

    subject: Expression
    pattern: SomePattern | NonePattern | StateName
    span: Span


@dataclass(frozen=True, slots=True)
class Quantifier:
    """`forall x, y: T, z: U: e`; a binder may be bounded: `forall x in s: e`."""

    kind: str  # "forall" or "exists"
    binders: tuple[Binder | SetBinder, ...]
    body: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class SentExpression:
    """`sent M(a, _) from p to q`: such a message was sent, now or ever before.

    `kind` is `sent`, `requested` (`requested R(a) at n`) or `output` (`output O(a) at n`);
    for the last two `sender` is the node and `receiver` is None.
    An argument that is None is a wildcard `_`.
    """

    kind: str
    message: Name
    arguments: tuple[Expression | None, ...]
    sender: Expression | None
    receiver: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class SurvivesExpression:
    """`Q survives e`: with any `e` nodes crashed, the others still include a `Q`."""

    quorum: Name
    crashes: Expression
    span: Span


Expression: TypeAlias = Union[
    "NameExpression",
    "BoolLiteral",
    "IntLiteral",
    "NoneLiteral",
    "SomeExpression",
    "TupleExpression",
    "SetExpression",
    "Comprehension",
    "FieldExpression",
    "IndexExpression",
    "CallExpression",
    "AskExpression",
    "UnaryExpression",
    "BinaryExpression",
    "IsExpression",
    "Quantifier",
    "SentExpression",
    "SurvivesExpression",
]


@dataclass(frozen=True, slots=True)
class Binder:
    """`x, y: T` in a quantifier or comprehension."""

    names: tuple[Name, ...]
    type: TypeExpression
    span: Span


@dataclass(frozen=True, slots=True)
class SetBinder:
    """`x in s` in a quantifier."""

    name: Name
    domain: Expression
    span: Span


# --- patterns --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A name to bind; `_` binds nothing."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class TuplePattern:
    """`(a, b)`."""

    parts: tuple[Pattern, ...]
    span: Span


Pattern: TypeAlias = "NamePattern | TuplePattern"


@dataclass(frozen=True, slots=True)
class SomePattern:
    """`some p` after `is`; `content` is None for a bare `some`."""

    content: Pattern | None
    span: Span


@dataclass(frozen=True, slots=True)
class NonePattern:
    """`none` after `is`."""

    span: Span


@dataclass(frozen=True, slots=True)
class StateName:
    """The name of a role's state after `is`."""

    name: Name
    span: Span


# --- statements ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign:
    """`target := e`, `target += e` or `target -= e`; `operator` is `:=`, `+=` or `-=`."""

    target: Expression
    operator: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """One `if` or `elif` arm."""

    condition: Expression
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    """`if … elif … else …`; `otherwise` is None where there is no `else`."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Statement, ...] | None
    span: Span


@dataclass(frozen=True, slots=True)
class Let:
    """`let p = e`."""

    pattern: Pattern
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class For:
    """`for p in s:`; all rounds happen at once."""

    pattern: Pattern
    domain: Expression
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Message:
    """`M(a, b)` in a sending statement, or `O(a)` in an output."""

    name: Name
    arguments: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Send:
    """`send M(…) to n`."""

    message: Message
    receiver: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Reply:
    """`reply M(…)`: send to the node the handled message came from."""

    message: Message
    span: Span


@dataclass(frozen=True, slots=True)
class Broadcast:
    """`broadcast M(…) to Role`: send to every node of the role, itself included."""

    message: Message
    role: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Become:
    """`become State`."""

    state: Name
    span: Span


@dataclass(frozen=True, slots=True)
class OutputStatement:
    """`output O(…)`: tell the application."""

    output: Message
    span: Span


@dataclass(frozen=True, slots=True)
class Pick:
    """`pick x in s where e` or `pick x in T where e`; `condition` may be None."""

    name: Name
    domain: Expression
    condition: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class Arm:
    """`arm timer(…)`."""

    timer: Message
    span: Span


@dataclass(frozen=True, slots=True)
class Disarm:
    """`disarm timer(…)`."""

    timer: Message
    span: Span


@dataclass(frozen=True, slots=True)
class Require:
    """`require e`: the handler is not enabled unless `e` holds."""

    condition: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Assert:
    """`assert e`: a proof obligation."""

    condition: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Assume:
    """`assume e`."""

    condition: Expression
    span: Span


Statement: TypeAlias = Union[
    "Assign",
    "If",
    "Let",
    "For",
    "Send",
    "Reply",
    "Broadcast",
    "Become",
    "OutputStatement",
    "Pick",
    "Arm",
    "Disarm",
    "Require",
    "Assert",
    "Assume",
]


# --- declarations ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """A typed name: a field of a message, record, definition and so on."""

    name: Name
    type: TypeExpression
    span: Span


@dataclass(frozen=True, slots=True)
class OpaqueDeclaration:
    """`opaque T`."""

    name: Name
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class OrderedDeclaration:
    """`ordered T` or `ordered T owned by R`."""

    name: Name
    owner: Name | None
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class CounterDeclaration:
    """`counter T`."""

    name: Name
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class EnumDeclaration:
    """`enum T: A, B, C`."""

    name: Name
    members: tuple[Name, ...]
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class RecordDeclaration:
    """`record T(a: A, b: B)`."""

    name: Name
    fields: tuple[Parameter, ...]
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class SignatureDeclaration:
    """`message M(…)`, `request R(…)`, `output O(…)`, or `ask q(…): T`.

    `kind` is `message`, `request`, `output` or `ask`; only `ask` has a `result`.
    """

    kind: str
    name: Name
    fields: tuple[Parameter, ...]
    result: TypeExpression | None
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class ParameterDeclaration:
    """`parameter f` or `parameter f: assumption`: a whole number, 0 or more."""

    name: Name
    assumption: Expression | None
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class QuorumDeclaration:
    """`quorum Q of R: threshold`."""

    name: Name
    role: Name
    threshold: Expression
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class DefinitionDeclaration:
    """`definition d(a: A): formula`."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: Expression
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class PropertyDeclaration:
    """`safety p: formula`, `invariant p: …`, `fact p: …` or `possible p without R, …: …`.

    `without` has the roles that a `possible` does without.
    """

    kind: str
    name: Name
    body: Expression
    doc: str | None
    span: Span
    without: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableDeclaration:
    """`durable x: T = e`; `kind` is `durable`, `volatile`, `const` or `ghost`."""

    kind: str
    name: Name
    type: TypeExpression
    initial: Expression | None
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class TimerDeclaration:
    """`timer t(x: T) after 100 to 200`: the range of its delay, in milliseconds."""

    name: Name
    fields: tuple[Parameter, ...]
    delay: tuple[int, int] | None
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Event:
    """What a handler reacts to.

    `kind` is `message`, `request`, `timeout`, `start` or `recover`. `name` is None for the
    last two. `patterns` bind the fields; `sender` is the name after `from` (messages only),
    with its role where one is written (`from n: R`).
    """

    kind: str
    name: Name | None
    patterns: tuple[Pattern, ...]
    sender: Name | None
    sender_role: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Handler:
    """`on … when …:` and its body."""

    event: Event
    guard: Expression | None
    body: tuple[Statement, ...]
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class StateDeclaration:
    """`state S (initial):` with the handlers that stand in it."""

    name: Name
    initial: bool
    handlers: tuple[Handler, ...]
    doc: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class RoleDeclaration:
    """`role R:`, `role R single:`, `role R never crashes:`.

    `durable_state` is the span of the line `durable state`, if there is one: the role's
    present state then survives a crash.
    """

    name: Name
    single: bool
    never_crashes: bool
    durable_state: Span | None
    variables: tuple[VariableDeclaration, ...]
    timers: tuple[TimerDeclaration, ...]
    states: tuple[StateDeclaration, ...]
    handlers: tuple[Handler, ...]
    doc: str | None
    span: Span
    stops: bool = False


Declaration: TypeAlias = Union[
    "OpaqueDeclaration",
    "OrderedDeclaration",
    "CounterDeclaration",
    "EnumDeclaration",
    "RecordDeclaration",
    "SignatureDeclaration",
    "ParameterDeclaration",
    "QuorumDeclaration",
    "DefinitionDeclaration",
    "PropertyDeclaration",
    "VariableDeclaration",
    "RoleDeclaration",
]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A whole spec."""

    name: Name
    doc: str | None
    declarations: tuple[Declaration, ...]
    span: Span
