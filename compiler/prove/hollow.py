"""The evidence for `vacuity`: what the solver and small structures say of the whole model.

What was found of a model in which nothing is amiss is kept in the cache under the digest of
the model's text, as the set of its redundant properties.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.model.system import Model
from compiler.model.text import show
from compiler.prove.cache import Cache
from compiler.prove.obligations import Obligations, Task, consequence, exclusion
from compiler.prove.solve import solve
from compiler.prove.verdict import Finding, Obligation, Proved

if TYPE_CHECKING:
    from compiler.prove.counterexample import CounterexampleFinder
    from compiler.prove.search import Search

_SECONDS = 20.0  # for all of it; what is not found out by then is a note


def remembered(model: Model, cache: Cache | None) -> tuple[Finding, ...] | None:
    """Return what was found before of a model whose obligations are all proved, as now."""
    names = frozenset(property_.name for property_ in model.properties)
    known = None if cache is None else cache.find(_digest(model), names)
    return None if known is None else _redundant(model, known)


def hollow(
    work: Obligations,
    search: Search,
    finder: CounterexampleFinder,
    cache: Cache | None,
    proved: bool,
    seconds: float,
) -> tuple[Finding, ...]:
    """Return what would make the proof of a model hollow, and what a reader should know.

    `proved`: all obligations are. Only then is it asked which invariants follow from others,
    and only then do the properties say that an action can never happen.
    """
    from compiler.prove.vacuity import Evidence, findings

    deadline = time.monotonic() + min(_SECONDS, seconds)
    model = search.model
    left = max(0.5, deadline - time.monotonic())
    unseen = frozenset(a.name for a in model.actions if not a.skips) - _seen(search, left)
    evidence = Evidence(
        inconsistent=not search.scopes and _inconsistent(work),
        dead=frozenset(name for name in unseen if proved and _excluded(work, name)),
        redundant=_followers(work, finder, deadline) if proved else frozenset(),
    )
    found = findings(model, search, evidence, max(0.5, deadline - time.monotonic()))
    if proved and cache is not None and all(f.kind == "redundant" for f in found):
        cache.store(_digest(model), evidence.redundant)
    return found


def _digest(model: Model) -> str:
    return hashlib.sha256(f"hollow\n{show(model)}".encode()).hexdigest()


def _redundant(model: Model, names: frozenset[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding("note", "redundant", p.name, f"{p.name} follows from the other properties", p.span)
        for p in model.properties
        if p.name in names
    )


def _seen(search: Search, seconds: float) -> frozenset[str]:
    return search.find_enabled(seconds)[0] if search.scopes else frozenset()


def _inconsistent(work: Obligations) -> bool:
    """Whether the axioms alone are contradictory."""
    nothing = Task(Obligation("assertion", "axioms", None), (), False, "", frozenset())
    return _holds(replace(work, tasks=(nothing,)))


def _excluded(work: Obligations, name: str) -> bool:
    """Whether the properties exclude the guard of the action."""
    action = next(action for action in work.model.actions if action.name == name)
    return _holds(replace(work, tasks=(exclusion(work, action),)))


def _followers(work: Obligations, finder: CounterexampleFinder, deadline: float) -> frozenset[str]:
    """Return the invariants that follow from the other properties, without the step.

    A small structure in which all others hold and the one does not settles most of them.
    """
    found: set[str] = set()
    for property_ in finder.context.model.properties:
        left = deadline - time.monotonic()
        if property_.kind != "invariant" or left <= 0:
            continue
        if not finder.independent(property_.name, left) and _holds(
            consequence(work, property_.name)
        ):
            found.add(property_.name)
    return frozenset(found)


def _holds(work: Obligations) -> bool:
    (answer,) = solve(work, timeout=5.0)
    return isinstance(answer.outcome, Proved)
