"""Stories for people: counterexamples and executions in the spec's own words.

Only what is true or changed is told. Text and data (`to_data`) are made from the same
pictures, so they say the same. What states look like is `picture`'s affair; the diagram of an
execution is `sequence`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from compiler.model.layout import Flat
from compiler.model.structure import Structure, Value
from compiler.model.system import (
    Crashed,
    FieldParameters,
    Model,
    Received,
    Recovered,
    Requested,
    Started,
    TimedOut,
)
from compiler.model.term import Var
from compiler.prove.picture import Painter, added, call, changes
from compiler.prove.sequence import Event, diagram
from compiler.prove.verdict import Counterexample, Step, Trace

Data: TypeAlias = "bool | int | str | list[Data] | dict[str, Data] | None"


@dataclass(frozen=True, slots=True)
class StepText:
    """A step in words.

    `node` takes it; `what` happens to it (`on Prepare(b1)`, `crash`); `sender` is the node a
    message came from; `choices` were made by the node or its application (`fresh = b1`).
    """

    node: str
    what: str
    sender: str | None
    choices: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self.node}: {self.what}"
        if self.sender is not None:
            text += f" from {self.sender}"
        if self.choices:
            text += f", {', '.join(self.choices)}"
        return text


def describe_step(painter: Painter, step: Step) -> StepText:
    """Return a step in words."""
    action, arguments, naming = step.action, step.arguments, painter.naming

    def named(variable: Var) -> str:
        return naming(variable.sort, arguments[variable])

    def fields(parameters: tuple[FieldParameters, ...], shapes: list[Flat | None]) -> list[str]:
        return [
            _field(painter, parameter, shape, arguments)
            for parameter, shape in zip(parameters, shapes, strict=True)
        ]

    sender = None
    trigger = action.trigger
    match trigger:
        case Received(message=name, sender=variable, fields=parameters):
            layout = next(m for m in painter.model.messages if m.name == name)
            what = "on " + call(name, fields(parameters, [f.shape for f in layout.fields]))
            sender = named(variable)
        case Requested(request=name, fields=parameters):
            layout = next(r for r in painter.model.requests if r.name == name)
            shapes: list[Flat | None] = [f.shape for f in layout.fields]
            what = "on request " + call(name, fields(parameters, shapes))
        case TimedOut(timer=name, fields=parameters):
            what = "on timeout " + call(name, fields(parameters, [None] * len(parameters)))
        case Started():
            what = "on start"
        case Recovered():
            what = "on recover"
        case Crashed(stops=stops):
            what = "crash, and stop for ever" if stops else "crash"
        case _:
            assert_never(trigger)
    choices = []
    for choice in action.choices:
        values = ", ".join(named(v) for v in choice.variables)
        if len(choice.variables) > 1:
            values = f"({values})"
        choices.append(f"{choice.kind} {choice.name} = {values}")
    return StepText(named(action.node), what, sender, tuple(choices))


def _field(
    painter: Painter,
    field: FieldParameters,
    shape: Flat | None,
    arguments: Mapping[Var, Value],
) -> str:
    if field.present is not None and not arguments[field.present]:
        return "none"
    row = tuple(arguments[variable] for variable in field.variables)
    if shape is not None:
        text = painter.flat(shape, row)
    else:
        names = [painter.naming(v.sort, arguments[v]) for v in field.variables]
        text = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return text if field.present is None else f"some {text}"


# --- counterexamples ------------------------------------------------------------------------------


def counterexample_text(model: Model, found: Counterexample) -> str:
    """Return a counterexample as text: the elements, before, the step, and what it changed."""
    painter = Painter(model, found.before)
    before = painter.picture(found.before)
    told = painter.told(before)
    title = "before" if found.step is not None else "initial state"
    lines = ["where", *_indented(painter.elements(found.before))]
    if found.step is None:
        told = [f"{place} = {value}" for place, value in before.places.items()]
    lines += [title, *_indented(told or ["(as in the initial state)"])]
    if found.step is not None:
        lines += ["step", *_indented([str(describe_step(painter, found.step))])]
    if found.after is not None:
        after = painter.picture(found.after)
        lines.append("after")
        changed = [f"* {c}  (was {c.before})" for c in changes(before, after)]
        changed += [f"+ {record}" for record in added(before, after)]
        lines += _indented(changed or ["(nothing changed)"])
    return "\n".join(lines)


def counterexample_data(model: Model, found: Counterexample) -> Data:
    """Return a counterexample as JSON-ready data."""
    painter = Painter(model, found.before)
    data: dict[str, Data] = {
        "elements": _elements(painter, found.before),
        "before": _state(painter, found.before),
        "step": None if found.step is None else _step(painter, found.step),
        "after": None if found.after is None else _state(painter, found.after),
    }
    if found.after is not None:
        data["changed"] = _changed(painter, found.before, found.after)
    return data


# --- executions -----------------------------------------------------------------------------------


def trace_text(model: Model, trace: Trace) -> str:
    """Return an execution as numbered steps, each with what it wrote and sent."""
    painter = Painter(model, trace.states[0])
    lines = ["where", *_indented(painter.elements(trace.states[0])), "steps"]
    width = len(str(len(trace.steps)))
    before = painter.picture(trace.states[0])
    for number, (step, state) in enumerate(zip(trace.steps, trace.states[1:], strict=True), 1):
        after = painter.picture(state)
        lines.append(f"  {number:>{width}}. {describe_step(painter, step)}")
        effects = [str(change) for change in changes(before, after)] + added(before, after)
        lines += [" " * (width + 6) + effect for effect in effects]
        before = after
    return "\n".join(lines)


def trace_diagram(model: Model, trace: Trace, width: int = 100) -> str:
    """Return an execution as a message-sequence diagram of at most `width` columns."""
    painter = Painter(model, trace.states[0])
    texts = [describe_step(painter, step) for step in trace.steps]
    events = []
    for text, step in zip(texts, trace.steps, strict=True):
        what = text.what.removeprefix("on ")
        if text.choices:
            what += f", {', '.join(text.choices)}"
        crash = isinstance(step.action.trigger, Crashed)
        events.append(Event("crash" if crash else "event", text.node, what, text.sender))
    taking_part = {e.node for e in events} | {e.sender for e in events if e.sender is not None}
    nodes = [
        painter.naming(role.sort, node)
        for role in model.roles
        if role.sort is not None
        for node in trace.states[0].carriers[role.sort]
    ]
    return diagram([node for node in nodes if node in taking_part], events, width)


def trace_data(model: Model, trace: Trace) -> Data:
    """Return an execution as JSON-ready data: elements, and steps with their changes."""
    painter = Painter(model, trace.states[0])
    steps: list[Data] = []
    for index, step in enumerate(trace.steps):
        data = _step(painter, step)
        data["changed"] = _changed(painter, trace.states[index], trace.states[index + 1])
        steps.append(data)
    return {
        "elements": _elements(painter, trace.states[0]),
        "steps": steps,
        "final": _state(painter, trace.states[-1]),
    }


def to_data(model: Model, story: Counterexample | Trace) -> Data:
    """Return a counterexample or an execution as JSON-ready data."""
    match story:
        case Counterexample():
            return counterexample_data(model, story)
        case Trace():
            return trace_data(model, story)
    assert_never(story)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _elements(painter: Painter, structure: Structure) -> Data:
    elements: dict[str, Data] = {}
    for declaration in painter.model.sorts:
        sort = declaration.sort
        names: list[Data] = [painter.naming(sort, e) for e in structure.carriers[sort]]
        if declaration.kind not in ("enum", "set"):
            elements[sort.name] = names
        if declaration.owner is not None:
            owner = declaration.owner
            elements[owner.name] = {
                painter.naming(sort, e): painter.naming(
                    owner.result, structure.functions[owner][(e,)]
                )
                for e in structure.carriers[sort]
            }
    return elements


def _state(painter: Painter, structure: Structure) -> Data:
    picture = painter.picture(structure)
    variables: dict[str, Data] = {c.place: c.after for c in changes(painter.initial, picture)}
    return {"variables": variables, "records": list(picture.records)}


def _changed(painter: Painter, before: Structure, after: Structure) -> Data:
    first, second = painter.picture(before), painter.picture(after)
    variables: dict[str, Data] = {c.place: c.after for c in changes(first, second)}
    return {"variables": variables, "records": list(added(first, second))}


def _step(painter: Painter, step: Step) -> dict[str, Data]:
    text = describe_step(painter, step)
    arguments: dict[str, Data] = {
        variable.name: _plain(painter, variable, value)
        for variable, value in step.arguments.items()
    }
    return {
        "action": step.action.name,
        "node": text.node,
        "event": text.what,
        "sender": text.sender,
        "choices": list(text.choices),
        "arguments": arguments,
    }


def _plain(painter: Painter, variable: Var, value: Value) -> Data:
    return value if isinstance(value, bool) else painter.naming(variable.sort, value)
