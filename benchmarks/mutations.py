"""What a proof notices: each spec with one thing left out, verified.

A spec that is proved may still say more than its proof needs: a guard that protects nothing, a
variable that need not be durable, an invariant that no other leans on. And a prover with a
mistake may prove what is not so. Both show in the same way. Leave out one guard, one part of a
guard, one `require` or `assume`, one `durable`, one `stops`, one invariant or one fact at a time,
and see whether what is left is still proved. A mutant that is survives, and someone has to say
why.

The explanations stand in docs/mutations.md, one to a survivor, found by the name that this
command prints. A survivor without an explanation is a failure, and so is an explanation of
something that does not survive.

Mutants are made on the syntax tree, so each differs from the spec in the one thing and nothing
else. The proofs of the spec itself are kept in a cache that all its mutants read: only what a
change touches is proved again. Without an invariant or a fact the protocol is the same, so where
the spec itself is proved there is no execution to look for.

    python benchmarks/mutations.py specs/*.accord [--json] [--jobs N]

Exit codes: 0 every mutant fails or is explained, 1 one is not, 2 a spec is not proved as it is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from compiler.check import check
from compiler.diagnostics import Diagnostics, Source, Span, SpecError
from compiler.diagnostics.render import render
from compiler.model.lower import lower
from compiler.model.system import Model
from compiler.prove.cache import Cache
from compiler.prove.verdict import Proved, Reachable, Refuted, Report
from compiler.prove.verify import VerifyOptions, verify
from compiler.syntax import load, parse
from compiler.syntax import tree as syntax

EXPLANATIONS = Path(__file__).resolve().parents[1] / "docs" / "mutations.md"
MISTAKE = 2

T = TypeVar("T")
U = TypeVar("U")
Statements: TypeAlias = tuple[syntax.Statement, ...]

Kind: TypeAlias = Literal[
    "guard",
    "conjunct",
    "require",
    "assume",
    "durable",
    "durable state",
    "stops",
    "invariant",
    "fact",
]
Result: TypeAlias = Literal[
    "input mistake", "refuted", "hollow", "not inductive", "unknown", "still proved"
]

SAME_PROTOCOL: tuple[Kind, ...] = ("invariant", "fact")
"""Left out, these change what is known of the protocol, and not the protocol."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A spec without one thing. `name` says which, and stays when the lines move."""

    kind: Kind
    name: str
    line: int
    text: str
    protocol: syntax.Protocol


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant.

    `result`: `input mistake` (the checker refuses it), `refuted` (an execution breaks a
    property), `hollow` (what is proved says nothing), `not inductive` (an obligation fails, or
    is not decided, and no execution was found), `unknown` (out of time), `still proved`.
    `detail` is for a person; `steps` is the length of the execution.
    """

    spec: str
    kind: Kind
    name: str
    line: int
    text: str
    result: Result
    detail: str
    steps: int | None
    seconds: float
    explained: bool = False

    @property
    def key(self) -> str:
        """The name under which docs/mutations.md explains it."""
        return f"{self.spec}: {self.name}"


# --- mutants -------------------------------------------------------------------------------


def mutations(protocol: syntax.Protocol) -> list[Mutation]:
    """Return every spec that is `protocol` without one thing, in source order."""
    found: list[Mutation] = []
    for index, declaration in enumerate(protocol.declarations):
        before, after = protocol.declarations[:index], protocol.declarations[index + 1 :]
        match declaration:
            case syntax.PropertyDeclaration(kind="invariant" | "fact" as kind, name=name):
                rest = replace(protocol, declarations=(*before, *after))
                removed: Kind = "invariant" if kind == "invariant" else "fact"
                text = f"{kind} {name.text}"
                found.append(Mutation(removed, text, name.span.line, text, rest))
            case syntax.RoleDeclaration():
                for label, change in _role(declaration):
                    rest = replace(protocol, declarations=(*before, change.rest, *after))
                    found.append(Mutation(change.kind, label, change.line, change.text, rest))
            case _:
                pass
    return _distinct(sorted(found, key=lambda mutation: mutation.line))


def _distinct(found: Sequence[Mutation]) -> list[Mutation]:
    """Number those that have the same name."""
    seen: Counter[str] = Counter()
    distinct = []
    for mutation in found:
        seen[mutation.name] += 1
        times = seen[mutation.name]
        distinct.append(
            mutation if times == 1 else replace(mutation, name=f"{mutation.name} ({times})")
        )
    return distinct


@dataclass(frozen=True, slots=True)
class _Change(Generic[T]):
    """A part of the tree without one thing; `line` and `text` are of that thing."""

    kind: Kind
    line: int
    text: str
    rest: T

    def within(self, whole: U) -> _Change[U]:
        """Return this change as one of what it is a part of: `whole` is without it."""
        return _Change(self.kind, self.line, self.text, whole)


def _role(role: syntax.RoleDeclaration) -> Iterator[tuple[str, _Change[syntax.RoleDeclaration]]]:
    """Yield what may be left out of a role, with a name for each."""
    here = role.name.text
    if role.stops:
        rest = replace(role, stops=False)
        yield f"{here}: stops", _Change("stops", role.span.line, "stops", rest)
    if role.durable_state is not None:
        rest = replace(role, durable_state=None)
        text = "durable state"
        yield (
            f"{here}: {text}",
            _Change("durable state", role.durable_state.line, text, rest),
        )
    for index, variable in enumerate(role.variables):
        if variable.kind == "durable":
            volatile = replace(variable, kind="volatile")
            rest = replace(role, variables=_with(role.variables, index, volatile))
            text = f"durable {variable.name.text}"
            yield f"{here}: {text}", _Change("durable", variable.span.line, text, rest)
    for index, change in _each(role.handlers, _handler):
        event = _on(role.handlers[index].event)
        rest = replace(role, handlers=_with(role.handlers, index, change.rest))
        yield f"{here} {event}: {change.text}", change.within(rest)
    for number, state in enumerate(role.states):
        for index, change in _each(state.handlers, _handler):
            event = _on(state.handlers[index].event)
            other = replace(state, handlers=_with(state.handlers, index, change.rest))
            rest = replace(role, states=_with(role.states, number, other))
            yield f"{here}.{state.name.text} {event}: {change.text}", change.within(rest)


def _handler(handler: syntax.Handler) -> Iterator[_Change[syntax.Handler]]:
    guard = handler.guard
    if guard is not None:
        text = f"when {source_text(guard.span)}"
        yield _Change("guard", guard.span.line, text, replace(handler, guard=None))
        for conjunct, rest in without_conjunct(guard):
            text = f"{source_text(conjunct.span)}, of the guard"
            yield _Change("conjunct", conjunct.span.line, text, replace(handler, guard=rest))
    for change in _body(handler.body):
        yield change.within(replace(handler, body=change.rest))


def _body(body: Statements) -> Iterator[_Change[Statements]]:
    """Yield `body` without each `require` and `assume` in it, at any depth."""
    for index, statement in enumerate(body):
        match statement:
            case syntax.Require(condition=condition, span=span):
                rest = (*body[:index], *body[index + 1 :])
                text = f"require {source_text(condition.span)}"
                yield _Change("require", span.line, text, rest)
            case syntax.Assume(condition=condition, span=span):
                rest = (*body[:index], *body[index + 1 :])
                text = f"assume {source_text(condition.span)}"
                yield _Change("assume", span.line, text, rest)
            case syntax.If(branches=branches, otherwise=otherwise):
                for number, branch in enumerate(branches):
                    for change in _body(branch.body):
                        arms = _with(branches, number, replace(branch, body=change.rest))
                        other = replace(statement, branches=arms)
                        yield change.within(_with(body, index, other))
                for change in _body(otherwise or ()):
                    other = replace(statement, otherwise=change.rest)
                    yield change.within(_with(body, index, other))
            case syntax.For(body=inner):
                for change in _body(inner):
                    loop = replace(statement, body=change.rest)
                    yield change.within(_with(body, index, loop))
            case _:
                pass  # nothing else holds statements


def without_conjunct(
    condition: syntax.Expression,
) -> Iterator[tuple[syntax.Expression, syntax.Expression]]:
    """Yield each conjunct of a conjunction, and the conjunction without it."""
    if not isinstance(condition, syntax.BinaryExpression) or condition.operator != "and":
        return
    for side, other in (("left", condition.right), ("right", condition.left)):
        inner = condition.left if side == "left" else condition.right
        deeper = list(without_conjunct(inner))
        if not deeper:
            yield inner, other
        for conjunct, rest in deeper:
            whole = (
                replace(condition, left=rest) if side == "left" else replace(condition, right=rest)
            )
            yield conjunct, whole


def _each(
    items: Sequence[T], changes: Callable[[T], Iterator[_Change[T]]]
) -> Iterator[tuple[int, _Change[T]]]:
    for index, item in enumerate(items):
        for change in changes(item):
            yield index, change


def _with(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _on(event: syntax.Event) -> str:
    match event.kind:
        case "message":
            return f"on {event.name.text}" if event.name else "on"
        case kind:
            return f"on {kind} {event.name.text}" if event.name else f"on {kind}"


def source_text(span: Span) -> str:
    """Return what stands at `span`, on one line."""
    lines = span.source.text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return " ".join(" ".join(lines).split())


# --- verdicts ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds: for a mutant as a whole, for one execution, for one counterexample."""

    whole: float = 120.0
    execution: float = 20.0
    counterexample: float = 5.0


def model_of(protocol: syntax.Protocol, source: Source) -> Model:
    """Check and lower; `SpecError` if the mutant has a mistake."""
    diagnostics = Diagnostics()
    checked = check(protocol, source, diagnostics)
    diagnostics.raise_errors()
    assert checked is not None
    return lower(checked)


def tree_of(path: Path) -> tuple[Source, syntax.Protocol]:
    """Read and parse a spec; `SpecError` if it cannot be."""
    source = load(path)
    diagnostics = Diagnostics()
    protocol = parse(source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    return source, protocol


def judge(path: Path, index: int, cache: Path, budget: Budget) -> Outcome:
    """Verify the mutant of that index of the spec at `path`."""
    source, protocol = tree_of(path)
    mutation = mutations(protocol)[index]
    started = time.monotonic()
    steps: int | None = None
    result: Result
    try:
        model = model_of(mutation.protocol, source)
    except SpecError as error:
        result, detail = "input mistake", error.diagnostics[0].message
    else:
        options = VerifyOptions(
            timeout=budget.whole,
            cache=Cache(cache),
            search=mutation.kind not in SAME_PROTOCOL,
            search_seconds=budget.execution,
            counterexample_seconds=budget.counterexample,
        )
        result, detail, steps = verdict_on(verify(model, options))
    return Outcome(
        spec=path.stem,
        kind=mutation.kind,
        name=mutation.name,
        line=mutation.line,
        text=mutation.text,
        result=result,
        detail=detail,
        steps=steps,
        seconds=time.monotonic() - started,
    )


def verdict_on(report: Report) -> tuple[Result, str, int | None]:
    """Return the verdict on a mutant, what it is about, and the length of an execution.

    Of several executions the one that breaks a safety property is told, then the shortest.
    """
    executions = [
        (result.property.kind != "safety", len(result.execution.trace.steps), result.execution.name)
        for result in report.properties
        if isinstance(result.execution, Reachable)
    ]
    if executions:
        _, steps, name = min(executions)
        return "refuted", name, steps
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors:
        return "hollow", errors[0].message, None
    open_ = [r for r in report.obligations if not isinstance(r.verdict, Proved)]
    if open_:
        failing = [r for r in open_ if isinstance(r.verdict, Refuted)] or open_
        obligation = failing[0].obligation
        after = f" after {obligation.action.name}" if obligation.action else ""
        result: Result = "not inductive" if failing is not open_ else "unknown"
        return result, f"{obligation.name}{after}", None
    if report.status != "proved":
        return "unknown", "a fact is not proved", None
    return "still proved", "", None


# --- explanations --------------------------------------------------------------------------


def explanations(text: str) -> dict[str, str]:
    """Return the explanations in a text, by key: list items that begin with a key in backticks."""
    found = re.findall(r"^- `([^`]+)`[ \n]*—?(.*?)(?=^- |^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return {" ".join(key.split()): " ".join(why.split()) for key, why in found}


# --- the command ---------------------------------------------------------------------------


def outcomes(
    paths: Sequence[Path], jobs: int, cache: Path, budget: Budget
) -> Iterator[Outcome | str]:
    """Yield the outcome of every mutant, in order; a text for a spec that is not proved."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for path in paths:
            source, protocol = tree_of(path)
            options = VerifyOptions(timeout=budget.whole, cache=Cache(cache), jobs=jobs)
            report = verify(model_of(protocol, source), options)
            if report.status != "proved":
                yield f"{path}: {report.status} as it is, so its mutants tell nothing"
                continue
            count = len(mutations(protocol))
            yield from pool.map(
                judge, [path] * count, range(count), [cache] * count, [budget] * count
            )


def table(found: Sequence[Outcome]) -> str:
    """Return the outcomes as a table, a line each."""
    rows = [(f"{one.spec}:{one.line}", one.name, verdict_text(one), one) for one in found]
    places = max(len(place) for place, _, _, _ in rows)
    names = max(len(name) for _, name, _, _ in rows)
    verdicts = max(len(verdict) for _, _, verdict, _ in rows)
    return "\n".join(
        f"{place:{places}}  {name:{names}}  {verdict:{verdicts}} {one.seconds:6.1f} s"
        for place, name, verdict, one in rows
    )


def verdict_text(one: Outcome) -> str:
    """Return the verdict in words."""
    if one.result == "refuted":
        return f"{one.detail} refuted, {one.steps} steps"
    if one.result == "still proved":
        return "still proved, explained" if one.explained else "STILL PROVED"
    return f"{one.result}: {one.detail}" if one.detail else one.result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description="Verify specs with one thing left out at a time.")
    parser.add_argument("files", nargs="+", type=Path, metavar="SPEC")
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    options = parser.parse_args(arguments)
    known = explanations(EXPLANATIONS.read_text(encoding="utf-8"))
    found: list[Outcome] = []
    unproved: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="accordant-mutations-") as cache:
            for one in outcomes(options.files, max(1, options.jobs), Path(cache), Budget()):
                if isinstance(one, str):
                    unproved.append(one)
                else:
                    found.append(replace(one, explained=one.key in known))
    except SpecError as error:
        sys.stderr.write(render(list(error.diagnostics), color=False))
        return MISTAKE
    problems = [*unproved, *disagreements(found, known)]
    if options.json:
        data = [asdict(one) | {"key": one.key, "why": known.get(one.key)} for one in found]
        print(json.dumps({"mutants": data, "problems": problems}, indent=2))
    elif found:
        print(table(found))
        print("\n" + summary(found))
    for problem in problems:
        print(problem, file=sys.stderr)
    return MISTAKE if unproved else int(bool(problems))


def disagreements(found: Sequence[Outcome], known: Mapping[str, str]) -> list[str]:
    """Return where outcomes and explanations do not agree."""
    survivors = {one.key for one in found if one.result == "still proved"}
    specs = {one.spec for one in found}
    missing = [f"still proved, and not explained: {key}" for key in survivors - known.keys()]
    stale = [
        f"explained, and not a survivor: {key}"
        for key in known
        if key.partition(":")[0] in specs and key not in survivors
    ]
    return sorted(missing) + sorted(stale)


def summary(found: Sequence[Outcome]) -> str:
    """Return how many mutants there were of each verdict."""
    counts = Counter(one.result for one in found)
    parts = ", ".join(f"{count} {result}" for result, count in counts.most_common())
    return f"{len(found)} mutants: {parts}"


if __name__ == "__main__":
    sys.exit(main())
