"""Why a step is not one of the model's: the nearest action, and what of it is false or different.

The nearest action is the handler of the same event that comes closest: one that is enabled and
leads to another state, or else the one with the fewest false conditions. The conditions are the
conjuncts of its guard, in the order of the spec. One is called false if it can't hold together
with those before it that do, whatever the node or its application might have chosen.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from compiler.model.structure import Structure
from compiler.model.successors import Machine
from compiler.model.system import Action, Model
from compiler.model.term import And, Symbol, Term, Var, conjunction, exists, free_variables


@dataclass(frozen=True, slots=True)
class Difference:
    """The code's step and the model's differ in `symbol`; None: the code took none."""

    symbol: Symbol | None
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that the step could have been, with the parameters that it determines.

    `differences` has one for each way in which it is enabled; it is empty if it is not.
    """

    action: Action
    known: Mapping[Var, Hashable]
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that is not the model's, in the state `before` it."""

    model: Model
    machine: Machine
    before: Structure
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The action that comes closest, the conjuncts of its guard that are false, and differences.

    It has one of the two. Where a conjunct stands in the spec the action's `conditions` say.
    """

    action: Action
    false: tuple[Term, ...]
    differences: tuple[Difference, ...]


def nearest(failure: Failure) -> Nearest | None:
    """Return the nearest action; None if no handler of the role takes such an event."""
    for candidate in failure.candidates:
        if candidate.differences:
            return Nearest(candidate.action, (), tuple(dict.fromkeys(candidate.differences)))
    found = [
        Nearest(candidate.action, _false(failure, candidate), ())
        for candidate in failure.candidates
    ]
    return min(found, key=lambda near: len(near.false), default=None)


def _false(failure: Failure, candidate: Candidate) -> tuple[Term, ...]:
    action = candidate.action
    hold: list[Term] = []
    for content in action.contents:
        if _possible(failure, candidate, [*hold, content.formula]):
            hold.append(content.formula)
    false = []
    for part in action.guard.operands if isinstance(action.guard, And) else (action.guard,):
        if _possible(failure, candidate, [*hold, part]):
            hold.append(part)
        else:
            false.append(part)
    return tuple(false)


def _possible(failure: Failure, candidate: Candidate, parts: Sequence[Term]) -> bool:
    """Whether all parts hold for some values of the parameters that are not known."""
    formula = conjunction(parts)
    known = tuple(candidate.known)
    unknown = [v for v in candidate.action.parameters if v in free_variables(formula)]
    unknown = [v for v in unknown if v not in candidate.known]
    holds = failure.machine.compile(exists(unknown, formula), known)
    return bool(holds(failure.before, *candidate.known.values()))
