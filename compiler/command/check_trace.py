"""`accordant check-trace`: what the nodes of a real run have recorded, held to the model."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, assert_never

from compiler.check import checked
from compiler.command.console import plural, progress
from compiler.command.front import Compiled, compile_file
from compiler.command.mistakes import UsageError
from compiler.command.modules import module_of
from compiler.diagnostics import Span
from compiler.model.term import Symbol
from compiler.model.text import show_term
from runtime.checking import CheckingError
from runtime.checking.explain import Nearest
from runtime.checking.recorded import TraceError, read_recording, trace_files
from runtime.checking.trace import (
    Conforms,
    Deviates,
    Place,
    TraceOptions,
    TraceVerdict,
    Unfinished,
    check_trace,
)
from runtime.codec import Codec
from runtime.contract import Module
from runtime.load import LoadError, load
from runtime.schedule import encode_step

EXITS = {Conforms: 0, Deviates: 1, Unfinished: 3}


def run(options: argparse.Namespace) -> int:
    """Check the traces in a directory; return 1 if a step is not the model's, 3 out of time."""
    compiled = compile_file(options.spec)
    module = _module(compiled, options)
    began = time.monotonic()
    try:
        recording = read_recording(module, trace_files(options.directory))
        with progress(module.PROTOCOL, enabled=not options.json) as advance:

            def goes_on(steps: int, total: int) -> bool:
                advance(steps, total, "steps")
                return options.timeout is None or time.monotonic() - began < options.timeout

            verdict = check_trace(
                module,
                compiled.model,
                recording,
                TraceOptions(options.properties, not options.safety_only, goes_on),
            )
    except (TraceError, CheckingError) as error:
        raise UsageError(str(error)) from None
    seconds = time.monotonic() - began
    if options.json:
        print(json.dumps(_data(compiled, module, verdict), indent=2))
    else:
        print_verdict(compiled, module, verdict, seconds)
    return EXITS[type(verdict)]


def _module(compiled: Compiled, options: argparse.Namespace) -> Module:
    """Return the code that runs beside the records."""
    if options.module is None:
        return module_of(compiled.protocol)
    try:
        module = load(options.module)
    except LoadError as error:
        raise UsageError(str(error)) from None
    if sha256(compiled.source.text.encode()).hexdigest() != module.SPEC_SHA256:
        raise UsageError(f"{options.module} was not built of {options.spec} as it is now")
    return module


# --- where in the spec --------------------------------------------------------------------------


def _places(compiled: Compiled, near: Nearest) -> list[tuple[Span, str]]:
    """Return what of the spec a step does not fit, each place with a remark."""
    known = dict(near.action.conditions)
    found = [
        (known.get(part, near.action.span), f"false: {show_term(part)}") for part in near.false
    ]
    for difference in near.differences:
        remark = difference.text
        spans: list[Span | None] = list(_statements(compiled, near, difference.symbol))
        found += [(span, remark) for span in spans or [near.action.span]]
    return [(span, remark) for span, remark in found if span is not None]


def _statements(compiled: Compiled, near: Nearest, symbol: Symbol | None) -> Iterator[Span]:
    """Yield the statements of the action's handler that change what `symbol` stands for."""
    if symbol is None:
        return
    group, _, name = symbol.name.partition(".")
    name = name.partition(".")[0]
    for role in compiled.protocol.roles:
        for handler in role.handlers:
            if (role.type.name, handler.name) != (near.action.role, near.action.handler):
                continue
            for node in checked.walk(handler.body):
                match node:
                    case checked.Assign(variable=variable, span=span):
                        owner = "" if variable.role is None else variable.role.name
                        if (owner, variable.name) in ((group, name), ("", group)):
                            yield span
                    case checked.Become(span=span) if name == "state":
                        yield span
                    case checked.Send(message=message, span=span):
                        if (group, name) == ("sent", message.name):
                            yield span
                    case checked.Broadcast(message=message, span=span):
                        if (group, name) == ("sent", message.name):
                            yield span
                    case checked.Emit(output=output, span=span):
                        if (group, name) == ("output", output.name):
                            yield span
                    case _:
                        pass


def _property_span(compiled: Compiled, verdict: Deviates) -> Span | None:
    for property_ in compiled.model.properties:
        if verdict.kind == "property" and property_.name == verdict.name:
            return property_.span
    for action in compiled.model.actions:
        for assertion in action.assertions:
            if verdict.kind == "assertion" and assertion.name == verdict.name:
                return assertion.span
    return None


# --- telling --------------------------------------------------------------------------------------


HEADLINES = {
    "mismatch": "not a step of the model",
    "property": "a property does not hold",
    "assertion": "an assertion does not hold",
    "nondeterminism": "not deterministic",
    "causality": "a message that nobody had sent",
    "durability": "durable state is lost",
    "faults": "a fault that the spec rules out",
}


def print_verdict(
    compiled: Compiled, module: Module, verdict: TraceVerdict, seconds: float
) -> None:
    """Print a verdict for a person; a step that is not the model's with its place in the spec."""
    name = module.PROTOCOL
    match verdict:
        case Conforms(steps=steps, undone=undone, lives=lives):
            print(f"{name}: {plural(steps, 'step')}, all of the model ({seconds:.1f} s)")
            print(f"  {plural(lives, 'life', 'lives')} of nodes")
            if undone:
                print(f"  {plural(undone, 'step')} left out: not durable when their node died")
        case Unfinished(steps=steps, total=total, reason="time"):
            print(f"{name}: unknown: out of time after {steps:,} of {plural(total, 'step')}")
        case Unfinished(steps=steps, total=total, place=place):
            print(f"{name}: unknown: stopped after {steps:,} of {plural(total, 'step')}")
            print("  because   in no order found is what the spec assumes so for the next steps")
            if place is not None:
                print(f"  for one   {place.path}:{place.line}")
        case Deviates():
            _print_deviation(compiled, module, verdict)
        case _:
            assert_never(verdict)


def _print_deviation(compiled: Compiled, module: Module, verdict: Deviates) -> None:
    print(f"{module.PROTOCOL}: {HEADLINES[verdict.kind]}: {verdict.name}")
    if verdict.place is not None:
        place = verdict.place
        print(f"  node      {place.node}, {_which(place)}")
        print(f"  recorded  {place.path}:{place.line}")
        if place.step is not None:
            print(f"  step      {_shorter(json.dumps(encode_step(Codec(module), place.step)))}")
    print(f"  because   {_shorter(verdict.detail)}")
    print(f"  before    {plural(verdict.steps, 'step')} of all nodes, which are the model's")
    if verdict.nearest is not None:
        print(f"  nearest   {verdict.nearest.action.name}")
        for place_in_spec, remark in _places(compiled, verdict.nearest):
            _print_place(place_in_spec, remark)
    span = _property_span(compiled, verdict)
    if span is not None:
        _print_place(span, "false after this step")


def _which(place: Place) -> str:
    return f"its step {place.number}" if place.step is not None else "where a life begins"


def _print_place(span: Span, remark: str) -> None:
    line = span.source.line(span.line).expandtabs(4)
    margin = " " * len(str(span.line))
    end = span.end_column if span.end_line == span.line else len(line) + 1
    start = min(span.column, len(line) + 1)
    print(f"{margin} --> {span}")
    print(f"{margin} |")
    print(f"{span.line} | {line}")
    print(f"{margin} | {' ' * (start - 1)}{'^' * max(1, end - start)}")
    print(f"{margin} = {_shorter(remark)}")


def _shorter(text: str, limit: int = 400) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _data(compiled: Compiled, module: Module, verdict: TraceVerdict) -> dict[str, Any]:
    data: dict[str, Any] = {"protocol": module.PROTOCOL}
    match verdict:
        case Conforms(steps=steps, undone=undone, lives=lives):
            return {**data, "verdict": "conforms", "steps": steps, "undone": undone, "lives": lives}
        case Unfinished(steps=steps, total=total, reason=reason):
            unknown = {"verdict": "unknown", "reason": reason, "steps": steps, "total": total}
            return {**data, **unknown}
        case Deviates():
            place, near = verdict.place, verdict.nearest
            span = _property_span(compiled, verdict)
            places = [] if near is None else _places(compiled, near)
            if span is not None:
                places.append((span, "false after this step"))
            return {
                **data,
                "verdict": "deviates",
                "kind": verdict.kind,
                "name": verdict.name,
                "detail": verdict.detail,
                "steps": verdict.steps,
                "place": None
                if place is None
                else {
                    "node": place.node,
                    "step": place.number,
                    "file": str(place.path),
                    "line": place.line,
                    "event": None if place.step is None else encode_step(Codec(module), place.step),
                },
                "nearest": None if near is None else near.action.name,
                "spec": [{"place": str(span), "remark": remark} for span, remark in places],
            }
        case _:
            assert_never(verdict)
