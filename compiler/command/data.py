"""The report of `verify`, as data for JSON. docs/verify.md describes it."""

from __future__ import annotations

from typing import Any

from compiler.diagnostics import Span
from compiler.prove.narrate import counterexample_data, trace_data
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
    Unknown,
)


def report_data(report: Report, path: str) -> dict[str, Any]:
    """Return everything that the report says; keys are always present."""
    return {
        "file": path,
        "protocol": report.model.name,
        "status": report.status,
        "selected": list(report.selected),
        "seconds": round(report.seconds, 3),
        "facts": [_fact(result) for result in report.facts],
        "properties": [_property(report, result) for result in report.properties],
        "possibilities": [_possibility(report, result) for result in report.possibilities],
        "obligations": [_obligation(report, result) for result in report.obligations],
        "findings": [
            {
                "severity": finding.severity,
                "kind": finding.kind,
                "name": finding.name,
                "message": finding.message,
                "place": _place(finding.span),
            }
            for finding in report.findings
        ],
    }


def _place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {"file": span.source.path, "line": span.line, "column": span.column}


def _fact(result: FactResult) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": result.kind, "name": result.name, "place": _place(result.span)}
    match result.verdict:
        case FactProved():
            return data | {"status": "proved"}
        case FactRefuted(quantities=quantities, regions=regions, explanation=explanation):
            return data | {
                "status": "refuted",
                "quantities": dict(quantities),
                "regions": [{"in": list(sets), "nodes": n} for sets, n in regions.items()],
                "explanation": explanation,
            }
        case Unknown(reason=reason):
            return data | {"status": "unknown", "reason": reason}


def _property(report: Report, result: PropertyResult) -> dict[str, Any]:
    data: dict[str, Any] = {
        "kind": result.property.kind,
        "name": result.property.name,
        "status": result.status,
        "place": _place(result.property.span),
        "execution": None,
        "searched": None,
    }
    match result.execution:
        case Reachable(trace=trace, bound=bound):
            data["execution"] = trace_data(report.model, trace)
            data["searched"] = bound
        case NotReached(bound=bound):
            data["searched"] = bound
        case None:
            pass
    return data


def _possibility(report: Report, result: PossibilityResult) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": result.possibility.name,
        "without": list(result.possibility.without),
        "status": result.status,
        "place": _place(result.possibility.span),
        "instances": [],
        "execution": None,
        "searched": None,
        "reason": None,
    }
    match result.verdict:
        case Possible(instances=instances):
            data["instances"] = [{"sizes": i.sizes, "states": i.states} for i in instances]
        case Reachable(trace=trace, bound=bound):
            data["execution"] = trace_data(report.model, trace)
            data["searched"] = bound
        case Unknown(reason=reason):
            data["reason"] = reason
    return data


def _obligation(report: Report, result: ObligationResult) -> dict[str, Any]:
    obligation = result.obligation
    data: dict[str, Any] = {
        "kind": obligation.kind,
        "name": obligation.name,
        "action": None if obligation.action is None else obligation.action.name,
        "seconds": round(result.seconds, 3),
    }
    match result.verdict:
        case Proved(by=by):
            return data | {"status": "proved", "by": by}
        case Refuted(counterexample=counterexample):
            return data | {
                "status": "refuted",
                "counterexample": counterexample_data(report.model, counterexample),
            }
        case Unknown(reason=reason):
            return data | {"status": "unknown", "reason": reason}
