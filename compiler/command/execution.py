"""An execution of the model as a schedule for the generated code.

The steps are the same; what differs is the names of elements. Nodes and opaque values keep
theirs. An ordered value has no name in the code: the code makes it where the model picks it. So
the schedule grows step by step, each prefix is run on the code, and what the node then has in
its variables tells which value of the code an element of the model is. Where the model's order
and the code's would differ, the nodes are named the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations, product
from typing import Any, assert_never

from compiler.model.layout import (
    Flat,
    Leaf,
    Product,
    SignatureLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
)
from compiler.model.structure import Row, Structure, Value
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
from compiler.model.term import BOOL, Sort, Symbol, Var
from compiler.prove.naming import set_rows
from compiler.prove.verdict import Step, Trace
from runtime.codec import Codec
from runtime.contract import Module
from runtime.replay import ReplayError, replay
from runtime.schedule import Schedule, loads

Json = Any


class _DifferentChoice(Exception):
    """The code chooses another value than the model, and this naming does not bridge that."""


def schedule_of(model: Model, trace: Trace, module: Module) -> Schedule | None:
    """Return `trace` as a schedule that `module` can run.

    None if the code never makes the choices of this execution: it picks the least value it
    can make, the model any.
    """
    for naming in _namings(model, trace.states[0]):
        try:
            return _Converter(model, trace, module, naming).convert()
        except _DifferentChoice:
            continue
    return None


def _namings(model: Model, start: Structure) -> Iterator[dict[tuple[Sort, Value], str]]:
    """Yield the ways to name nodes: those that own ordered values in every order."""
    owners = {
        declaration.owner.result for declaration in model.sorts if declaration.owner is not None
    }
    roles = [declaration.sort for declaration in model.sorts if declaration.kind == "role"]
    orders = [
        permutations(start.carriers[role]) if role in owners else [start.carriers[role]]
        for role in roles
    ]
    for order in product(*orders):
        yield {
            (role, node): str(name)
            for role, names in zip(roles, order, strict=True)
            for node, name in zip(start.carriers[role], names, strict=True)
        }


class _Converter:
    def __init__(
        self, model: Model, trace: Trace, module: Module, naming: Mapping[tuple[Sort, Value], str]
    ) -> None:
        self.model = model
        self.trace = trace
        self.module = module
        self.codec = Codec(module)
        self.kinds = {declaration.sort: declaration.kind for declaration in model.sorts}
        self.sets = {d.sort: d for d in model.sorts if d.kind == "set"}
        self.known: dict[tuple[Sort, Value], Json] = dict(naming)
        start = trace.states[0]
        for declaration in model.sorts:
            if declaration.zero is not None:
                zero = self.codec.encode(module.ORDEREDS[declaration.sort.name])
                self.known[declaration.sort, start.carriers[declaration.sort][0]] = zero
            if declaration.next is not None:
                ranks = enumerate(start.carriers[declaration.sort])
                self.known |= {(declaration.sort, element): rank for rank, element in ranks}
        self.signatures: dict[tuple[str, str], SignatureLayout] = {
            **{("message", layout.name): layout for layout in model.messages},
            **{("request", layout.name): layout for layout in model.requests},
        }

    def convert(self) -> Schedule:
        steps: list[Json] = []
        skipped: set[int] = set()  # the code ignores these, and so does the model
        schedule = self._schedule(steps)
        for step, after in zip(self.trace.steps, self.trace.states[1:], strict=True):
            steps.extend(self._step(step))
            schedule = self._schedule(steps)
            try:
                result = replay(self.module, schedule)
            except ReplayError as error:
                raise _DifferentChoice(str(error)) from None
            if step.action.skips:
                skipped.add(len(steps) - 1)
            if set(result.ignored) != skipped:
                raise _DifferentChoice("a step was ignored")
            node = self._value(step.action.node.sort, step.arguments[step.action.node])
            code = result.nodes[node]
            if code is not None:
                self._learn_from(step, code, after)
        return schedule

    # --- steps -----------------------------------------------------------------------------

    def _schedule(self, steps: Sequence[Json]) -> Schedule:
        start = self.trace.states[0]
        totals = {
            role.name: [self._value(role.sort, node) for node in start.carriers[role.sort]]
            for role in self.model.roles
            if role.sort is not None
        }
        header = {
            "protocol": self.module.PROTOCOL,
            "spec_sha256": self.module.SPEC_SHA256,
            "cluster": {role: sorted(names) for role, names in totals.items()},
            "parameters": dict(self.trace.parameters),
            "constants": dict(self._constants(start)),
            "steps": list(steps),
        }
        return loads(self.module, json.dumps(header))

    def _constants(self, start: Structure) -> Iterator[tuple[str, dict[str, Json]]]:
        for role in self.model.roles:
            assert role.sort is not None
            constants = [variable for variable in role.variables if variable.kind == "const"]
            for node in start.carriers[role.sort] if constants else ():
                yield (
                    self._value(role.sort, node),
                    {v.name: self._constant(v.stored, (node,), start) for v in constants},
                )

    def _constant(self, stored: Stored, row: Row, state: Structure) -> Json:
        match stored:
            case StoredLeaf(symbol=symbol):
                if symbol.result == BOOL:
                    return row in state.relations[symbol]
                return self._value(symbol.result, state.functions[symbol][row])
            case StoredProduct(parts=parts):
                return [self._constant(part, row, state) for part in parts]
            case StoredOption(symbol=symbol, content=content):
                found = self._rows(symbol, row, state)
                return self._flat(content, iter(found[0])) if found else None
            case StoredSet(symbol=symbol, element=element):
                return [self._flat(element, iter(r)) for r in self._rows(symbol, row, state)]
            case StoredMap():
                raise _DifferentChoice("a constant map has no place in a schedule")
        assert_never(stored)

    @staticmethod
    def _rows(symbol: Symbol, prefix: Row, state: Structure) -> list[Row]:
        width = len(prefix)
        return sorted(
            (row[width:] for row in state.relations[symbol] if row[:width] == prefix), key=repr
        )

    def _step(self, step: Step) -> Iterator[Json]:
        action, arguments = step.action, step.arguments
        node = self._value(action.node.sort, arguments[action.node])
        match action.trigger:
            case Received(message=name, sender=sender, fields=fields):
                layout = self.signatures["message", name]
                data = {
                    "step": "deliver",
                    "from": self._value(sender.sort, arguments[sender]),
                    "to": node,
                    "message": {name: self._fields(layout, fields, arguments)},
                }
            case Requested(request=name, fields=fields):
                layout = self.signatures["request", name]
                data = {
                    "step": "request",
                    "node": node,
                    "request": {name: self._fields(layout, fields, arguments)},
                }
            case TimedOut(timer=name, fields=fields):
                values = [
                    self._value(v.sort, arguments[v]) for field in fields for v in field.variables
                ]
                data = {"step": "timeout", "node": node, "timer": {name: values}}
            case Started():
                data = {"step": "start", "node": node}
            case Recovered():
                data = {"step": "recover", "node": node}
            case Crashed(stops=True):
                yield {"step": "crash", "node": node}
                return
            case Crashed():
                yield {"step": "crash", "node": node}
                data = {"step": "restart", "node": node}
            case _:
                assert_never(action.trigger)
        answers = {
            choice.name: self._answer(choice.variables, arguments)
            for choice in action.choices
            if choice.kind == "ask"
        }
        yield data | ({"answers": answers} if answers else {})

    def _fields(
        self,
        layout: SignatureLayout,
        fields: Sequence[FieldParameters],
        arguments: Mapping[Var, Value],
    ) -> list[Json]:
        found: list[Json] = []
        for field, parameters in zip(layout.fields, fields, strict=True):
            if parameters.present is not None and not arguments[parameters.present]:
                found.append(None)
            else:
                values = iter([arguments[variable] for variable in parameters.variables])
                found.append(self._flat(field.shape, values))
        return found

    def _answer(self, variables: Sequence[Var], arguments: Mapping[Var, Value]) -> Json:
        values = [self._value(variable.sort, arguments[variable]) for variable in variables]
        return values[0] if len(values) == 1 else values

    def _flat(self, shape: Flat, values: Iterator[Value]) -> Json:
        match shape:
            case Leaf(sort=sort):
                return self._value(sort, next(values))
            case Product(parts=parts):
                return [self._flat(part, values) for part in parts]
        assert_never(shape)

    def _value(self, sort: Sort, element: Value) -> Json:
        if (sort, element) in self.known:
            return self.known[sort, element]
        declaration = self.sets.get(sort)
        if declaration is not None and declaration.element is not None:
            rows = set_rows(declaration, self.trace.states[0], element)
            return [self._flat(declaration.element, iter(row)) for row in sorted(rows, key=repr)]
        if self.kinds.get(sort) == "ordered":
            raise _DifferentChoice(f"{element} is not a value that the code has made")
        return element

    # --- what the code chose -----------------------------------------------------------------

    def _learn_from(self, step: Step, code: object, after: Structure) -> None:
        role = next(layout for layout in self.model.roles if layout.name == step.action.role)
        prefix: Row = (step.arguments[step.action.node],)
        attributes: Mapping[str, str] = self.module.ROLES[role.name].VARIABLES
        for variable in role.variables:
            if variable.name in attributes and variable.kind != "const":
                value = getattr(code, attributes[variable.name])
                self._learn(variable.stored, prefix, value, after)
        self._check_order(after)

    def _learn(self, stored: Stored, row: Row, value: Any, state: Structure) -> None:
        match stored:
            case StoredLeaf(symbol=symbol):
                if symbol.result != BOOL:
                    self._bind(symbol.result, state.functions[symbol][row], value)
            case StoredProduct(parts=parts):
                for part, inner in zip(parts, self._parts(value), strict=True):
                    self._learn(part, row, inner, state)
            case StoredOption(symbol=symbol, content=content):
                rows = self._rows(symbol, row, state)
                if rows and value is not None:
                    self._bind_flat(content, iter(rows[0]), value)
            case StoredMap(key=Leaf(sort=sort), value=inner_stored):
                entries = {json.dumps(self.codec.encode(k)): v for k, v in value.items()}
                for element in state.carriers[sort]:
                    if self.kinds.get(sort) != "ordered" or (sort, element) in self.known:
                        entry = json.dumps(self._value(sort, element))
                        if entry in entries:
                            self._learn(inner_stored, (*row, element), entries[entry], state)
            case StoredSet() | StoredMap():
                pass  # what is in them has been in a variable or message of its own
            case _:
                assert_never(stored)

    def _bind_flat(self, shape: Flat, values: Iterator[Value], value: Any) -> None:
        match shape:
            case Leaf(sort=sort):
                self._bind(sort, next(values), value)
            case Product(parts=parts):
                for part, inner in zip(parts, self._parts(value), strict=True):
                    self._bind_flat(part, values, inner)

    @staticmethod
    def _parts(value: Any) -> list[Any]:
        if isinstance(value, tuple):
            return list(value)
        return [getattr(value, name) for name in type(value).__dataclass_fields__]

    def _bind(self, sort: Sort, element: Value, value: Any) -> None:
        if self.kinds.get(sort) != "ordered":
            return
        encoded = self.codec.encode(value)
        if self.known.setdefault((sort, element), encoded) != encoded:
            raise _DifferentChoice(f"{element} is {self.known[sort, element]} and {encoded}")

    def _check_order(self, state: Structure) -> None:
        for sort, kind in self.kinds.items():
            if kind == "ordered":
                carrier = [(sort, element) for element in state.carriers[sort]]
                made = [self.known[key] for key in carrier if key in self.known]
                if any(not a < b for a, b in pairwise(made)):
                    raise _DifferentChoice(f"the code orders values of {sort} in another way")
