"""Vacuity: what would make a proof hollow, put together as findings.

A spec that nothing satisfies proves everything. Small structures show that the axioms are
consistent, that there is an initial state, and which actions can happen; what they do not
show is only claimed where the caller has a proof of it (`Evidence`), and is a note otherwise.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from compiler.model.system import Model
from compiler.prove.sat import Deadline, OutOfTime
from compiler.prove.search import Search
from compiler.prove.verdict import Finding


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the caller's solver proved for every number of nodes.

    `inconsistent`: no structure satisfies the axioms and facts. `dead`: actions whose guard
    the invariants exclude. `redundant`: invariants that follow from the other properties.
    """

    inconsistent: bool = False
    dead: frozenset[str] = frozenset()
    redundant: frozenset[str] = frozenset()


def findings(
    model: Model, search: Search, evidence: Evidence | None = None, seconds: float = 5.0
) -> tuple[Finding, ...]:
    """Return the findings about `model`, worst first; `seconds` bound the searching."""
    evidence = evidence or Evidence()
    found: list[Finding] = []
    deadline = Deadline(seconds)
    if evidence.inconsistent:
        found.append(
            Finding("error", "inconsistent", model.name, "no structure satisfies the axioms", None)
        )
    elif not search.scopes:
        thresholds = ", ".join(quorum.sort.name for quorum in model.quorums)
        found.append(
            Finding(
                "note",
                "inconsistent",
                model.name,
                "no small number of nodes meets the assumptions and has a quorum of each kind"
                f" ({thresholds}), so small executions say nothing about this spec",
                None,
            )
        )
    else:
        with suppress(OutOfTime):
            found.extend(_initial_states(model, search, deadline))
        found.extend(_actions(model, search, evidence, deadline))
    for item in model.properties:
        if item.name in evidence.redundant:
            message = f"{item.name} follows from the other properties"
            found.append(Finding("note", "redundant", item.name, message, item.span))
    return tuple(sorted(found, key=lambda finding: finding.severity != "error"))


def _initial_states(model: Model, search: Search, deadline: Deadline) -> list[Finding]:
    """Look for a scope with an initial state. One is enough: the others differ in size only."""
    if any(search.has_initial_state(scope, deadline) for scope in search.scopes):
        return []
    tried = "; ".join(scope.describe(model) for scope in search.scopes)
    message = f"there is no initial state with {tried}"
    return [Finding("error", "no_initial_state", model.name, message, None)]


def _actions(model: Model, search: Search, evidence: Evidence, deadline: Deadline) -> list[Finding]:
    found = []
    seen, bound = search.find_enabled(max(0.0, deadline.remaining))
    for action in model.actions:
        if action.name in seen or action.skips:
            continue
        if action.name in evidence.dead:
            message = f"{action.name} can never happen: the properties exclude its guard"
            found.append(Finding("error", "dead_action", action.name, message, action.span))
        else:
            message = f"{action.name} was never seen enabled (looked at {bound or 'nothing'})"
            found.append(Finding("note", "unseen_action", action.name, message, action.span))
    return found
