"""The model: a protocol as a many-sorted first-order transition system.

It is the centre of the compiler. Lowering makes it from the checked tree; the prover, the
bounded search, the evaluator and the trace checker read it and nothing earlier. Everything
in it is total and functional: a scalar variable of a node is a function symbol, an option a
relation that is a partial function, a set a relation. Encodings that suit a solver better are
the prover's own business.

Names. A variable `x` of role `R` has the symbols `R.x`, or `R.x.f` for a part of it; the
present state of a role is `R.state`, its phase (see `lower`) `R.phase`; `sent.M` holds the
messages ever sent, with `sent.M.some` and `sent.M.none` where a field is an option, and with
the roles added where a message travels on several channels; `requested.R` and `output.O` are
the histories of requests and outputs, present only if a property speaks of them; `T.<` and
`T.zero` order an ordered sort, `T.owner` is its owner, `T.next` relates a value of a counter to
the one after it; `R.the` is the node of a single role;
`Q.member` relates nodes to a quorum, and `set T.member` elements to a set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

from compiler.diagnostics import Span
from compiler.model.layout import Flat, RoleLayout, SignatureLayout
from compiler.model.term import TRUE, And, Sort, Symbol, Term, Var, conjunction


@dataclass(frozen=True, slots=True)
class SortDeclaration:
    """A sort and its kind.

    `elements` are an enum's members. `less`, `zero` and (if owned) `owner` are the symbols of
    an ordered sort; one with `next` is a counter, whose values are zero, the one next to it,
    and so on (in a finite carrier the last has no next one). `member` is a quorum's, and takes a
    node and a quorum, or that of a sort whose elements stand for sets: then it takes the columns
    of an `element` and a set. `single`: a role with exactly one node, which is `the`.

    Sets that are part of messages, requests or outputs, or quantified over, are elements of a
    sort of kind `set`. What is in such a set never changes, so its membership is rigid. Which
    sets there are is left open, as is whether two of them may have the same elements: what holds
    whatever sets there are holds where there are all finite ones, each once. See `Action.sets`.
    """

    sort: Sort
    kind: Literal["role", "opaque", "ordered", "enum", "quorum", "set"]
    elements: tuple[str, ...] = ()
    less: Symbol | None = None
    zero: Symbol | None = None
    owner: Symbol | None = None
    next: Symbol | None = None
    member: Symbol | None = None
    the: Symbol | None = None
    element: Flat | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Axiom:
    """A formula over rigid symbols that every structure satisfies, and where it comes from.

    `origin` is `order`, `single`, `option` (a constant option has one content at most) or
    `fact`. A fact is an axiom only once it is proved.
    """

    name: str
    formula: Term
    origin: Literal["order", "single", "option", "fact"]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Update:
    """`symbol(formals) := value`, for all values of the formals, all updates at once.

    `value` reads the state before. It may mention the action's parameters.
    """

    symbol: Symbol
    formals: tuple[Var, ...]
    value: Term


@dataclass(frozen=True, slots=True)
class Content:
    """Action parameters that stand for the content of an option.

    `variables` are the one tuple of which `formula` holds in the state before, if there is
    one; else they may be anything, and the action does not depend on them.
    """

    variables: tuple[Var, ...]
    formula: Term


@dataclass(frozen=True, slots=True)
class Assertion:
    """`assert e`: wherever the action is enabled, `formula` holds."""

    name: str
    formula: Term
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FieldParameters:
    """How one field of the triggering message, request or timer enters the action.

    `variables` are the parameters for its leaves, in order. For an option field, `present`
    is the Boolean parameter that says whether it is some.
    """

    variables: tuple[Var, ...]
    present: Var | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message was delivered: from the node `sender`."""

    message: str
    sender: Var
    fields: tuple[FieldParameters, ...]


@dataclass(frozen=True, slots=True)
class Requested:
    """A client asked."""

    request: str
    fields: tuple[FieldParameters, ...]


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A timer fired."""

    timer: str
    fields: tuple[FieldParameters, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """The node's first start."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """The node is up again after a crash."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The node lost its volatile state; or it `stops`: it takes no step any more."""

    stops: bool = False


Trigger: TypeAlias = Union[Received, Requested, TimedOut, Started, Recovered, Crashed]


@dataclass(frozen=True, slots=True)
class Choice:
    """A `pick` (chosen by the node) or an `ask` (answered by the application)."""

    kind: Literal["pick", "ask"]
    name: str
    variables: tuple[Var, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """A guarded step of one node: a handler, or a crash.

    It can happen in a state for any values of `parameters` that satisfy `guard`, and changes
    exactly the symbols of `updates`. `node` is the parameter for the node that steps. The
    conjuncts of `assumption` are among those of the guard: the environment sees to them, not
    the code. So are those of `sets`: the sets that the step sends are in their sorts. Where all
    finite sets are, that is always true; where one is missing, the step is not possible.
    `parameters` include `node`, the trigger's and choices' variables and the contents'.
    `conditions` are conjuncts of the guard, each with its place in the spec.
    """

    name: str  # "Acceptor.on_prepare", "Acceptor.crash"
    role: str
    handler: str  # "on_prepare", or "crash"
    node: Var
    trigger: Trigger
    choices: tuple[Choice, ...]
    contents: tuple[Content, ...]
    parameters: tuple[Var, ...]
    guard: Term
    updates: tuple[Update, ...]
    assertions: tuple[Assertion, ...]
    span: Span | None = field(default=None, compare=False)
    assumption: Term = TRUE
    conditions: tuple[tuple[Term, Span], ...] = field(default=(), compare=False, repr=False)
    sets: Term = TRUE

    @property
    def changed(self) -> frozenset[Symbol]:
        """The symbols the action may change."""
        return frozenset(update.symbol for update in self.updates)

    @property
    def enabling(self) -> Term:
        """The guard without `sets`: when the step is possible if all sets are there."""
        given = _conjuncts(self.sets)
        return conjunction(part for part in _conjuncts(self.guard) if part not in given)

    @property
    def skips(self) -> bool:
        """Whether it is the step in which no handler takes a start or recovery."""
        return self.handler in ("skip_start", "skip_recover")


def _conjuncts(formula: Term) -> tuple[Term, ...]:
    return formula.operands if isinstance(formula, And) else (formula,)


@dataclass(frozen=True, slots=True)
class Property:
    """A formula that is to hold in every reachable state.

    A model's own properties are of the first two kinds; verdicts speak of assertions as well.
    """

    kind: Literal["safety", "invariant", "assertion"]
    name: str
    formula: Term
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Possibility:
    """`possible`: a state with `formula` can be reached from every reachable state.

    It is reached by steps that are not crashes, of nodes of roles other than `without`; the
    nodes of those may crash and do nothing else. It takes part in no proof.
    """

    name: str
    formula: Term
    without: tuple[str, ...] = ()
    span: Span | None = field(default=None, compare=False)


# --- arithmetic, for quorums ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    value: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """`size` of the set in question, `total` nodes of a role (named), or a parameter (named)."""

    kind: Literal["size", "total", "parameter"]
    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * //`; linear: one side of `*` and the right side of `//` is a `Number`."""

    operator: Literal["+", "-", "*", "//"]
    left: Linear
    right: Linear


Linear: TypeAlias = Union[Number, Quantity, Arithmetic]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A linear comparison."""

    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    left: Linear
    right: Linear


@dataclass(frozen=True, slots=True)
class Boolean:
    """`and`, `or`, `not` (one operand), `true` (none)."""

    operator: Literal["and", "or", "not", "true"]
    operands: tuple[Condition, ...]


Condition: TypeAlias = Union[Comparison, Boolean]


@dataclass(frozen=True, slots=True)
class QuorumLayout:
    """A quorum sort: a set of nodes of `role` is one if `threshold` holds of its size."""

    sort: Sort
    role: Sort
    member: Symbol
    threshold: Condition
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Assumption:
    """What a spec assumes of a parameter (`true` if nothing). Parameters are 0 or more."""

    parameter: str
    condition: Condition
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """A claim about quorums, to be proved from the thresholds for every number of nodes.

    `formula` is a first-order formula over quorum members, or None for a survival fact: with
    any `crashes` nodes of the quorum's role gone, the others include a `quorum`.
    """

    name: str
    formula: Term | None
    quorum: Sort | None = None
    crashes: Linear | None = None
    span: Span | None = field(default=None, compare=False)


# --- the whole -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """A protocol as a transition system.

    `symbols` are all symbols, rigid and mutable. `initial` defines every mutable symbol in
    the initial state (there is one initial state for each meaning of the rigid symbols).
    `axioms` do not hold the facts; see `facts`.
    """

    name: str
    sorts: tuple[SortDeclaration, ...]
    symbols: tuple[Symbol, ...]
    axioms: tuple[Axiom, ...]
    initial: tuple[Update, ...]
    actions: tuple[Action, ...]
    properties: tuple[Property, ...]
    quorums: tuple[QuorumLayout, ...]
    assumptions: tuple[Assumption, ...]
    facts: tuple[Fact, ...]
    roles: tuple[RoleLayout, ...]
    ghosts: RoleLayout  # the protocol's own ghosts, as a role without nodes
    messages: tuple[SignatureLayout, ...]
    requests: tuple[SignatureLayout, ...]
    outputs: tuple[SignatureLayout, ...]
    possibilities: tuple[Possibility, ...] = ()

    def sort(self, name: str) -> SortDeclaration:
        """Return the declaration of the sort called `name`; `KeyError` if there is none."""
        for declaration in self.sorts:
            if declaration.sort.name == name:
                return declaration
        raise KeyError(name)
