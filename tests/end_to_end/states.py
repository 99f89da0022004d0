"""Finite states of a model: where a run can start, and states of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from random import Random
from typing import Any

from compiler.model.evaluate import carrier, evaluate
from compiler.model.structure import Row, Structure, Value
from compiler.model.successors import initial_structure, rigid_structure, sized_carriers
from compiler.model.system import Action, Model
from compiler.model.term import BOOL, Sort, Symbol, Var


def small_starts(model: Model, random: Random, count: int) -> Iterator[Structure]:
    """Yield initial states with one or two nodes of each role, as far as there are quorums."""
    for _ in range(count):
        sizes: dict[str, int] = {}
        for declaration in model.sorts:
            match declaration.kind:
                case "role" if declaration.the is None:
                    sizes[declaration.sort.name] = random.choice((1, 2))
                case "opaque":
                    sizes[declaration.sort.name] = random.choice((1, 2))
                case "ordered":
                    sizes[declaration.sort.name] = random.choice((2, 3))
                case _:
                    pass
        carriers = sized_carriers(model, sizes)
        constants = dict(_constants(model, carriers, random))
        rigid = rigid_structure(model, carriers, parameters={"f": 0}, constants=constants)
        yield initial_structure(model, rigid)


def _constants(
    model: Model, carriers: Mapping[Sort, Sequence[Value]], random: Random
) -> Iterator[tuple[Symbol, Any]]:
    enums = {d.sort: d.elements for d in model.sorts if d.kind == "enum"}
    full: dict[Sort, Sequence[Value]] = {**carriers, **enums, BOOL: (False, True)}
    defined = {
        symbol
        for d in model.sorts
        for symbol in (d.less, d.zero, d.owner, d.member, d.the)
        if symbol is not None
    }
    for symbol in model.symbols:
        if not symbol.mutable and symbol not in defined:
            yield symbol, _meaning(symbol, full, random)


def _meaning(symbol: Symbol, full: Mapping[Sort, Sequence[Value]], random: Random) -> Any:
    """Return a random meaning: total, and of a partial function one value at most."""
    keys = symbol.arguments[: len(symbol.arguments) - symbol.unique]
    rows: list[Row] = list(product(*(full[sort] for sort in keys)))
    if symbol.result != BOOL:
        return {row: random.choice(full[symbol.result]) for row in rows}
    chosen = [row for row in rows if random.random() < 0.5]
    rest = symbol.arguments[len(keys) :]
    return frozenset(row + tuple(random.choice(full[sort]) for sort in rest) for row in chosen)


def any_state(model: Model, start: Structure, random: Random) -> Structure:
    """Return a state over the rigid symbols of `start`, whether or not it can be reached."""
    full: dict[Sort, Sequence[Value]] = {**start.carriers, BOOL: (False, True)}
    relations, functions = dict(start.relations), dict(start.functions)
    for symbol in model.symbols:
        if symbol.mutable:
            target: dict[Symbol, Any] = relations if symbol.result == BOOL else functions
            target[symbol] = _meaning(symbol, full, random)
    return Structure(start.carriers, relations, functions)


def updated(action: Action, state: Structure, arguments: Mapping[Var, Value]) -> Structure:
    """Return the state after an action, computed word for word from its definition."""
    relations, functions = dict(state.relations), dict(state.functions)
    for update in action.updates:
        rows = list(product(*(carrier(state, formal.sort) for formal in update.formals)))
        values = {
            row: evaluate(
                update.value, state, {**arguments, **dict(zip(update.formals, row, strict=True))}
            )
            for row in rows
        }
        if update.symbol.result == BOOL:
            relations[update.symbol] = frozenset(row for row, holds in values.items() if holds)
        else:
            functions[update.symbol] = values
    return Structure(state.carriers, relations, functions)
