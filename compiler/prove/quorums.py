"""Quorum facts: what is claimed of the thresholds, and the verdict on each claim.

Besides the facts that are declared, two claims are made of each quorum. It is *available*: for
every number of nodes that the assumptions allow, at least one of each role, the set of all nodes is
one; else a protocol that waits for it is safe for the wrong reason, and the rule of logic that
no sort is empty would be false of it. It is *monotone*: with more nodes it is still one, which is
what `S includes Q` means in code.

How a claim is decided, for all numbers of nodes at once, is in `counting`.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from compiler.model.system import Fact, Model, QuorumLayout
from compiler.model.term import Sort
from compiler.prove.cache import Cache
from compiler.prove.normal import numbered, rename
from compiler.prove.obligations import digest
from compiler.prove.verdict import FactProved, FactResult, Unknown


def prove_facts(model: Model, cache: Cache | None = None) -> tuple[FactResult, ...]:
    """Return the verdict on each declared fact, and on two claims about each quorum.

    Proofs are remembered in `cache`; a run answered from it does not load the solver.
    """
    results: list[FactResult] = []
    for fact in model.facts:
        results.append(_decide(model, "fact", fact.name, fact, None, cache))
    for quorum in model.quorums:
        results.append(_decide(model, "available", quorum.sort.name, None, quorum, cache))
        results.append(_decide(model, "monotone", quorum.sort.name, None, quorum, cache))
    return tuple(results)


def _decide(
    model: Model,
    kind: Literal["fact", "available", "monotone"],
    name: str,
    fact: Fact | None,
    quorum: QuorumLayout | None,
    cache: Cache | None,
) -> FactResult:
    span = fact.span if fact is not None else quorum.span if quorum is not None else None
    key = _key(model, kind, name, fact)
    if cache is not None and cache.find(key, frozenset()) is not None:
        return FactResult(kind, name, FactProved(), span)
    from compiler.prove.counting import Counting, Unsupported

    try:
        counting = Counting(model)
        if fact is not None and fact.formula is not None:
            verdict = counting.fact(name, fact.formula)
        elif fact is not None:
            verdict = counting.survival(fact)
        elif kind == "available":
            assert quorum is not None
            verdict = counting.available(quorum)
        else:
            assert quorum is not None
            verdict = counting.monotone(quorum)
    except Unsupported as unsupported:
        verdict = Unknown(str(unsupported))
    if cache is not None and isinstance(verdict, FactProved):
        cache.store(key, ())
    return FactResult(kind, name, verdict, span)


def _key(model: Model, kind: str, name: str, fact: Fact | None) -> str:
    """Return a digest of everything that the claim depends on."""
    lines = [kind]
    if fact is None:
        lines.append(name)
    elif fact.formula is not None:
        lines.append(digest((rename(fact.formula, numbered("a"), {}),), {}))
    else:
        lines.append(f"{fact.quorum} survives {fact.crashes}")
    lines.extend(f"{q.sort} {q.role} {q.threshold}" for q in model.quorums)
    lines.extend(f"{a.parameter} {a.condition}" for a in model.assumptions)
    lines.extend(f"{role} {single}" for role, single in roles(model))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def roles(model: Model) -> list[tuple[Sort, bool]]:
    """Return the roles, and whether each has exactly one node."""
    return [(d.sort, d.the is not None) for d in model.sorts if d.kind == "role"]
