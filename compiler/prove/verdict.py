"""Verdicts: what the prover found, as data.

`Proved` is only ever made where a solver answered unsat on the whole obligation, or where the
action cannot touch the property. `Unknown` is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, Union

from compiler.diagnostics import Span
from compiler.model.structure import Structure, Value
from compiler.model.system import Action, Axiom, Model, Possibility, Property
from compiler.model.term import Var


@dataclass(frozen=True, slots=True)
class Step:
    """One action with a value for each of its parameters."""

    action: Action
    arguments: Mapping[Var, Value]


@dataclass(frozen=True, slots=True)
class Trace:
    """An execution: `states` has one more entry than `steps`, the first is initial.

    `parameters` are the values of the spec's parameters, by name.
    """

    states: tuple[Structure, ...]
    steps: tuple[Step, ...]
    parameters: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Why an obligation fails: a state before in which all invariants hold, a step, and after.

    For an initial state that breaks a property, and for a failed assertion, `after` is None;
    for an initial state `step` is None too.
    """

    before: Structure
    step: Step | None
    after: Structure | None


@dataclass(frozen=True, slots=True)
class Proved:
    """The obligation holds. `by` says how: solver, cache (proved before), or untouched."""

    by: Literal["solver", "cache", "untouched"]


@dataclass(frozen=True, slots=True)
class Refuted:
    """The obligation fails, and the counterexample was re-checked by evaluating it."""

    counterexample: Counterexample


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer. `reason` is for a person: out of time, the solver's own words."""

    reason: str


Verdict: TypeAlias = Union[Proved, Refuted, Unknown]


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing to prove.

    `initial`: the initial state satisfies the property. `preserved`: the action keeps it.
    `assertion`: the assertion called `name` holds wherever the action is enabled.
    """

    kind: Literal["initial", "preserved", "assertion"]
    name: str  # of the property or assertion
    action: Action | None


@dataclass(frozen=True, slots=True)
class ObligationResult:
    """An obligation and its verdict; `seconds` of solving."""

    obligation: Obligation
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True)
class FactProved:
    """The fact holds for every number of nodes."""


@dataclass(frozen=True, slots=True)
class FactRefuted:
    """The fact fails with these sizes.

    `quantities`: the total of each role (`total Acceptor`) and each parameter. `regions`: how
    many nodes lie in exactly the named sets (quantified quorums), empty regions left out.
    """

    quantities: Mapping[str, int]
    regions: Mapping[tuple[str, ...], int]
    explanation: str


@dataclass(frozen=True, slots=True)
class FactResult:
    """The verdict on a fact, or on one of the implied claims about a quorum.

    `kind`: `fact` (declared), `available` (some set of nodes is a quorum, for every number of
    nodes that the assumptions allow) or `monotone` (more nodes are still a quorum).
    """

    kind: Literal["fact", "available", "monotone"]
    name: str  # of the fact, or of the quorum
    verdict: Union[FactProved, FactRefuted, Unknown]
    span: Span | None


@dataclass(frozen=True, slots=True)
class Reachable:
    """A real execution to a violation of the property or assertion `name` was found.

    For an assertion the last step is the one in which it fails. `bound` says in words among
    which executions this one is a shortest.
    """

    name: str
    trace: Trace
    bound: str = ""


@dataclass(frozen=True, slots=True)
class NotReached:
    """The bounded search found no violation; `bound` says in words how far it looked."""

    bound: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that would make a proof hollow, or that a reader should know.

    `error`: the spec is vacuous (inconsistent axioms, no initial state, an action that
    provably never happens). `note`: an action that was not seen within the bound, an
    invariant that follows from the others, a spec without properties.
    """

    severity: Literal["error", "note"]
    kind: Literal[
        "inconsistent",
        "no_initial_state",
        "dead_action",
        "unseen_action",
        "redundant",
        "nothing_claimed",
    ]
    name: str
    message: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class PropertyResult:
    """The one verdict on a declared property, or on an `assert` (of kind `assertion`).

    `proved` only if every obligation of it, and of every invariant it leans on, is. `execution`
    is set where it was searched for.
    """

    property: Property
    status: Literal["proved", "refuted", "unknown"]
    execution: Union[Reachable, NotReached, None]


@dataclass(frozen=True, slots=True)
class Explored:
    """An instance all of whose reachable states were visited: its sizes in words, and how many."""

    sizes: str
    states: int


@dataclass(frozen=True, slots=True)
class Possible:
    """In each of these instances, and only of them is this said, the formula stays reachable."""

    instances: tuple[Explored, ...]


@dataclass(frozen=True, slots=True)
class PossibilityResult:
    """The verdict on a `possible` property.

    If it fails, the execution is one to a state from which the formula can't be reached again.
    """

    possibility: Possibility
    verdict: Union[Possible, Reachable, Unknown]

    @property
    def status(self) -> Literal["holds", "refuted", "unknown"]:
        """The verdict in a word; never `proved`, since it is about some instances."""
        match self.verdict:
            case Possible():
                return "holds"
            case Reachable():
                return "refuted"
            case Unknown():
                return "unknown"


Status: TypeAlias = Literal["proved", "refuted", "not inductive", "unknown"]
"""`refuted`: an execution, the sizes of a quorum or a hollow spec shows that a claim is false.
`not inductive`: a step leads from a state in which all properties hold to one in which they do
not, but it is not known whether that state can be reached."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `verify` found out about one spec. `seconds` is the whole time."""

    model: Model
    axioms: tuple[Axiom, ...]  # those used: the model's and the proved facts
    facts: tuple[FactResult, ...]
    obligations: tuple[ObligationResult, ...]
    properties: tuple[PropertyResult, ...]
    findings: tuple[Finding, ...]
    selected: tuple[str, ...]  # if not empty, only what has these names was looked at
    seconds: float
    possibilities: tuple[PossibilityResult, ...] = ()

    @property
    def executions(self) -> tuple[Reachable, ...]:
        """The executions that refute something, those of properties first."""
        found = (
            *(result.execution for result in self.properties),
            *(result.verdict for result in self.possibilities),
        )
        return tuple(execution for execution in found if isinstance(execution, Reachable))

    @property
    def status(self) -> Status:
        """The verdict on the whole spec.

        A `possible` that holds adds nothing to it: that was seen in some instances, not proved.
        """
        statuses = [
            *(result.status for result in self.properties),
            *(result.status for result in self.possibilities),
        ]
        facts = [result.verdict for result in self.facts]
        results = [result.verdict for result in self.obligations]
        if (
            "refuted" in statuses
            or any(isinstance(verdict, FactRefuted) for verdict in facts)
            or any(finding.severity == "error" for finding in self.findings)
        ):
            return "refuted"
        if any(isinstance(verdict, Refuted) for verdict in results):
            return "not inductive"
        if (
            "unknown" in statuses
            or any(isinstance(verdict, Unknown) for verdict in facts)
            or any(isinstance(verdict, Unknown) for verdict in results)
        ):
            return "unknown"
        return "proved"
