"""The report of `verify`, as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from compiler.command.console import plural
from compiler.model.text import show_condition
from compiler.prove.verdict import (
    FactProved,
    FactRefuted,
    FactResult,
    NotReached,
    ObligationResult,
    PossibilityResult,
    Possible,
    PropertyResult,
    Proved,
    Reachable,
    Refuted,
    Report,
    Status,
    Unknown,
)

_VERDICTS: Mapping[Status, str] = {
    "proved": "proved",
    "refuted": "refuted",
    "not inductive": "not proved (the induction fails)",
    "unknown": "unknown",
}

_SHOWN = 3
"""How many failed obligations are told in full; the others are listed."""


def text_report(report: Report, path: str) -> str:
    """Return the whole report; it ends with one line that says the verdict."""
    return "\n".join(_lines(report, path)) + "\n"


def _lines(report: Report, path: str) -> Iterator[str]:
    model = report.model
    yield f"{path}: {model.name}"
    if report.facts:
        yield "  quorums"
        for fact in report.facts:
            yield from _fact(report, fact)
    failing = {r.obligation.name for r in report.obligations if not isinstance(r.verdict, Proved)}
    for kind, title in (
        ("safety", "safety"),
        ("invariant", "invariants"),
        ("assertion", "assertions"),
    ):
        results = [result for result in report.properties if result.property.kind == kind]
        if results:
            yield f"  {title}"
            yield from (_property(result, failing) for result in results)
    if report.possibilities:
        yield "  possible"
        for possibility in report.possibilities:
            yield from _possibility(possibility)
    yield f"  {_counts(report)}"
    for finding in report.findings:
        yield f"  {finding.severity}: {finding.message}"
    executions = report.executions
    # The reader's questions come first; an invariant's execution is told only if there is no other.
    asked = {p.name for p in model.properties if p.kind == "safety"}
    asked |= {p.name for p in model.possibilities}
    chosen = [e for e in executions if e.name in asked] or list(executions[:1])
    for execution in chosen:
        yield ""
        yield from _execution(report, execution)
    failed = [result for result in report.obligations if isinstance(result.verdict, Refuted)]
    for result in failed[:_SHOWN]:
        yield ""
        yield from _failed(report, result)
    if len(failed) > _SHOWN:
        yield ""
        yield f"  and {plural(len(failed) - _SHOWN, 'more obligation')} not kept:"
        yield from (f"    {_obligation(result)}" for result in failed[_SHOWN:])
    for result in report.obligations:
        if isinstance(result.verdict, Unknown):
            yield f"  unknown: {_obligation(result)}: {result.verdict.reason}"
    yield ""
    yield _conclusion(report)


def _fact(report: Report, result: FactResult) -> Iterator[str]:
    quorum = next((q for q in report.model.quorums if q.sort.name == result.name), None)
    match result.kind:
        case "fact":
            name = result.name
        case "available":
            name = f"{result.name}: all nodes together are one"
        case "monotone":
            name = f"{result.name}: a larger set is one too"
    match result.verdict:
        case FactProved():
            yield f"    {name:<42} proved"
        case FactRefuted(explanation=explanation):
            yield f"    {name:<42} refuted"
            yield f"      {explanation}"
            if quorum is not None:
                yield f"      the threshold is {show_condition(quorum.threshold)}"
        case Unknown(reason=reason):
            yield f"    {name:<42} unknown: {reason}"


def _property(result: PropertyResult, failing: Set[str]) -> str:
    """Return the line on a property; `failing` are those with an obligation that fails."""
    words: str = result.status
    if result.status == "unknown":
        words = "not proved"
        if result.property.name not in failing:
            words += ": it leans on what is not"
        if isinstance(result.execution, NotReached):
            words += "; no execution that breaks it was found"
    return f"    {result.property.name:<42} {words}"


def _possibility(result: PossibilityResult) -> Iterator[str]:
    possibility = result.possibility
    name = possibility.name
    if possibility.without:
        name += f" without {', '.join(possibility.without)}"
    match result.verdict:
        case Possible(instances=instances):
            yield f"    {name:<42} holds in these instances; not a proof for every number of nodes"
            for instance in instances:
                states = plural(instance.states, "reachable state")
                yield f"      {states} with {instance.sizes}"
        case Reachable():
            yield f"    {name:<42} refuted"
        case Unknown(reason=reason):
            yield f"    {name:<42} unknown: {reason}"


def _counts(report: Report) -> str:
    by: Counter[str] = Counter()
    for result in report.obligations:
        match result.verdict:
            case Proved(by=how):
                by[how] += 1
            case Refuted():
                by["refuted"] += 1
            case Unknown():
                by["unknown"] += 1
    words = {
        "solver": "proved by the solver",
        "cache": "proved before (from the cache)",
        "untouched": "untouched by the action",
        "refuted": "refuted",
        "unknown": "unknown",
    }
    parts = [f"{by[how]} {text}" for how, text in words.items() if by[how]]
    total = plural(len(report.obligations), "obligation")
    return f"{total}: {', '.join(parts)}" if parts else total


def _obligation(result: ObligationResult) -> str:
    obligation = result.obligation
    match obligation.kind:
        case "initial":
            return f"{obligation.name} does not hold initially"
        case "preserved":
            assert obligation.action is not None
            return f"{obligation.action.name} does not keep {obligation.name}"
        case "assertion":
            assert obligation.action is not None
            return f"{obligation.name} of {obligation.action.name} does not hold"


def _execution(report: Report, execution: Reachable) -> Iterator[str]:
    from compiler.prove.narrate import trace_diagram, trace_text

    if any(p.name == execution.name for p in report.model.possibilities):
        yield f"after this execution {execution.name} is out of reach for ever ({execution.bound}):"
    else:
        yield f"{execution.name} is broken by this execution ({execution.bound}):"
    yield from trace_text(report.model, execution.trace).splitlines()
    yield ""
    yield from trace_diagram(report.model, execution.trace).splitlines()


def _failed(report: Report, result: ObligationResult) -> Iterator[str]:
    from compiler.prove.narrate import counterexample_text

    assert isinstance(result.verdict, Refuted)
    yield f"{_obligation(result)}:"
    yield from counterexample_text(report.model, result.verdict.counterexample).splitlines()
    yield from _reachability(report.properties, result)


def _reachability(properties: Sequence[PropertyResult], result: ObligationResult) -> Iterator[str]:
    """Answer the question that decides what to do next: can that state be reached?"""
    name = result.obligation.name
    found = next((p.execution for p in properties if p.property.name == name), None)
    match found:
        case Reachable(trace=trace):
            steps = plural(len(trace.steps), "step")
            yield f"  Can {name} really break? Yes: an execution of {steps} breaks it."
        case NotReached(bound=bound):
            yield f"  Can {name} really break? No execution was found: {bound}."
            yield "  If it cannot, the induction needs another invariant that excludes this state."
        case None:
            pass


def _conclusion(report: Report) -> str:
    model, verdict = report.model, _VERDICTS[report.status]
    seconds = f"({report.seconds:.1f} s)"
    if report.selected:
        names = ", ".join(report.selected)
        return f"{verdict}: of {model.name} only {names}, the rest taken as given {seconds}"
    if report.status != "proved":
        return f"{verdict}: {model.name} {seconds}"
    counted = [role.name for role in model.roles if not role.single]
    names = " and ".join([", ".join(counted[:-1]), counted[-1]] if counted[1:] else counted)
    scope = f", for any number of {names} nodes" if counted else ""
    limits = "; what is possible holds in the instances above" if report.possibilities else ""
    return f"proved: {model.name}{scope}{limits} {seconds}"
