"""Is the proof in a decidable fragment? And if not, what takes it out.

The *alternation graph* has the uninterpreted sorts as nodes. A function from A to B is an edge
A -> B, and so is an existential over B that stands under a universal over A, since it
is a function once skolemised. If the graph of a set of formulas has no cycle, only finitely
many ground terms can be built from its constants, instantiation ends, and the solver
decides (Bernays and Schoenfinkel's class, stratified: see Ge and de Moura, Complete
instantiation for quantified formulas in satisfiability modulo theories, 2009).

With a cycle a proof may still be found, and mostly is. But where the solver gives up, the cycle
is the place to look: `fragment` names the functions and quantifiers that close it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from compiler.diagnostics import Span
from compiler.model.system import Model
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
    free_variables,
)
from compiler.prove.obligations import Obligations


@dataclass(frozen=True, slots=True)
class Edge:
    """`source -> target`, because of a function or an alternation in what is called `cause`."""

    source: Sort
    target: Sort
    kind: str  # "function" or "alternation"
    cause: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        if self.kind == "function":
            return f"the function {self.cause} leads from {self.source} to {self.target}"
        return f"{self.cause} has an exists over {self.target} under a forall over {self.source}"


@dataclass(frozen=True, slots=True)
class FragmentReport:
    """`decidable`: there is no cycle; else `cycles` are shortest ones, one for each sort on any."""

    decidable: bool
    edges: tuple[Edge, ...]
    cycles: tuple[tuple[Edge, ...], ...]


def fragment(work: Obligations) -> FragmentReport:
    """Return whether the hypotheses and negated goals of `work` together are decidable.

    Each obligation is one question to the solver, so its graph has the edges of all hypotheses
    and of its own goal only. The cycles are those of the hypotheses, then those that only
    some goal closes.
    """
    model = work.model
    spans = spans_of(model)
    finite = frozenset(work.members)
    common: dict[Edge, None] = {}
    for hypothesis in (*work.axioms, *work.properties):
        span = spans.get(hypothesis.name)
        for source, target in alternations(hypothesis.formula):
            common[Edge(source, target, "alternation", hypothesis.name, span)] = None
    for symbol in model.symbols:
        if symbol.result == BOOL or symbol.result in finite:
            continue
        for sort in symbol.arguments:
            if sort not in finite:
                common[Edge(sort, symbol.result, "function", symbol.name)] = None
    edges = dict(common)
    cycles: dict[tuple[Edge, ...], None] = dict.fromkeys(_cycles(common))
    for task in work.tasks:
        obligation = task.obligation
        where = obligation.action.name if obligation.action else "the initial state"
        own: dict[Edge, None] = {}
        for formula in task.formulas:
            for source, target in alternations(formula):
                cause = f"the negated goal {obligation.name} after {where}"
                own[Edge(source, target, "alternation", cause, spans.get(obligation.name))] = None
        edges.update(own)
        if not cycles and own:
            cycles.update(dict.fromkeys(_cycles({**common, **own})))
    return FragmentReport(not cycles, tuple(edges), tuple(cycles))


def spans_of(model: Model) -> dict[str, Span | None]:
    """Return the place of each property, fact and axiom, by name."""
    spans = {axiom.name: axiom.span for axiom in model.axioms}
    spans.update((fact.name, fact.span) for fact in model.facts)
    spans.update((property_.name, property_.span) for property_ in model.properties)
    return spans


def alternations(formula: Term) -> frozenset[tuple[Sort, Sort]]:
    """Return (A, B) for each existential over B under, and depending on, a universal over A.

    `formula` is in negation normal form. An existential depends on the universals whose
    variables are free in it, directly or through another existential's.
    """
    found: set[tuple[Sort, Sort]] = set()

    def visit(term: Term, depends: Mapping[Var, frozenset[Sort]]) -> None:
        match term:
            case Quantified(kind="forall", variables=variables, body=body):
                visit(body, {**depends, **{v: frozenset((v.sort,)) for v in variables}})
            case Quantified(variables=variables, body=body):
                free = free_variables(term)
                sources = frozenset().union(*(depends.get(v, frozenset()) for v in free))
                found.update((source, v.sort) for source in sources for v in variables)
                visit(body, {**depends, **dict.fromkeys(variables, sources)})
            case And(operands=operands) | Or(operands=operands):
                for operand in operands:
                    visit(operand, depends)
            case Var() | Truth() | Element() | Apply() | Equal() | Not():
                pass
            case Implies() | Iff() | Ite():
                raise ValueError("not in negation normal form")
            case _:
                assert_never(term)

    visit(formula, {})
    return frozenset(found)


def functions(symbols: Iterable[Symbol], finite: Iterable[Sort]) -> frozenset[tuple[Sort, Sort]]:
    """Return (A, B) for each function among `symbols` from A to B, sorts in `finite` left out."""
    ignored = {BOOL, *finite}
    return frozenset(
        (source, symbol.result)
        for symbol in symbols
        if symbol.result not in ignored
        for source in symbol.arguments
        if source not in ignored
    )


def adds_no_cycle(new: Iterable[tuple[Sort, Sort]], edges: Iterable[tuple[Sort, Sort]]) -> bool:
    """Whether no edge of `new` that is not among `edges` lies on a cycle of both together."""
    old = set(edges)
    fresh = set(new) - old
    targets: dict[Sort, set[Sort]] = {}
    for source, target in old | fresh:
        targets.setdefault(source, set()).add(target)

    def reaches(start: Sort, goal: Sort) -> bool:
        seen: set[Sort] = set()
        pending = [start]
        while pending:
            sort = pending.pop()
            if sort == goal:
                return True
            if sort not in seen:
                seen.add(sort)
                pending.extend(targets.get(sort, ()))
        return False

    return not any(reaches(target, source) for source, target in fresh)


def _cycles(edges: Iterable[Edge]) -> list[tuple[Edge, ...]]:
    """Return a shortest cycle through each sort that is on one, each cycle once."""
    outgoing: dict[Sort, list[Edge]] = {}
    for edge in edges:
        outgoing.setdefault(edge.source, []).append(edge)
    found: dict[frozenset[Sort], tuple[Edge, ...]] = {}
    for start in outgoing:
        reached: dict[Sort, tuple[Edge, ...]] = {}
        frontier: list[tuple[Sort, tuple[Edge, ...]]] = [(start, ())]
        while frontier and start not in reached:
            following: list[tuple[Sort, tuple[Edge, ...]]] = []
            for sort, path in frontier:
                for edge in outgoing.get(sort, ()):
                    if edge.target not in reached:
                        reached[edge.target] = (*path, edge)
                        following.append((edge.target, (*path, edge)))
            frontier = following
        if start in reached:
            cycle = reached[start]
            found.setdefault(frozenset(edge.source for edge in cycle), cycle)
    return list(found.values())
