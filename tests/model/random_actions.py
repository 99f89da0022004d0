"""Random actions over the vocabulary, and what they mean by the plain evaluator."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product

from compiler.model.evaluate import assignments, carrier, evaluate
from compiler.model.structure import Row, Structure, Value
from compiler.model.system import Action, Content, Crashed, Update
from compiler.model.term import (
    BOOL,
    Apply,
    Equal,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    ite,
    negation,
)
from tests.model.vocabulary import NODE, SYMBOLS, TIME, VALUE, VOTE, RandomTerms, parameters


def random_action(rng: random.Random) -> Action:
    """Return an action with one parameter of each sort, and perhaps the content of a vote."""
    plain = parameters(rng)
    node = next(variable for variable in plain if variable.sort == NODE)
    contents: tuple[Content, ...] = ()
    inner = plain
    if rng.random() < 0.5:
        voted = (Var("voted_time", TIME), Var("voted_value", VALUE))
        contents = (Content(voted, Apply(VOTE, (node, *voted))),)
        inner = plain + voted
    terms = RandomTerms(rng)
    changed = [symbol for symbol in SYMBOLS if symbol.mutable and rng.random() < 0.4]
    return Action(
        name="Node.on_event",
        role="Node",
        handler="on_event",
        node=node,
        trigger=Crashed(),
        choices=(),
        contents=contents,
        parameters=inner,
        guard=conjunction(terms.formula(rng.randint(0, 2), inner) for _ in range(3)),
        updates=tuple(_update(rng, terms, symbol, inner) for symbol in changed),
        assertions=(),
    )


def _update(
    rng: random.Random, terms: RandomTerms, symbol: Symbol, scope: tuple[Var, ...]
) -> Update:
    formals = tuple(Var(f"f{i}", sort) for i, sort in enumerate(symbol.arguments))
    old: Term = Apply(symbol, formals)
    inner = scope + formals
    place = conjunction(
        Equal(formal, terms.term(formal.sort, 1, scope))
        for formal in formals
        if formal.sort != BOOL and rng.random() < 0.8
    )
    when = conjunction((place, terms.formula(rng.randint(0, 1), inner)))
    match rng.randrange(5):
        case 0:
            value: Term = terms.term(symbol.result, 2, inner)
        case 1 if symbol.result == BOOL:
            value = disjunction((old, when))
        case 2 if symbol.result == BOOL:
            value = conjunction((old, negation(when)))
        case 3:
            value = ite(when, terms.term(symbol.result, 1, inner), old)
        case _:
            other = terms.formula(1, inner)
            inside = ite(other, terms.term(symbol.result, 1, inner), old)
            value = ite(when, terms.term(symbol.result, 1, scope), inside)
    return Update(symbol, formals, value)


def enabled_by_definition(
    action: Action, structure: Structure, known: Mapping[Var, Value]
) -> list[dict[Var, Value]]:
    """Try every assignment of the parameters."""
    found = []
    carriers = [
        (known[v],) if v in known else carrier(structure, v.sort) for v in action.parameters
    ]
    for values in product(*carriers):
        arguments = dict(zip(action.parameters, values, strict=True))
        if all(_is_content(c, structure, arguments, known) for c in action.contents) and evaluate(
            action.guard, structure, arguments
        ):
            found.append(arguments)
    return found


def _is_content(
    content: Content,
    structure: Structure,
    arguments: Mapping[Var, Value],
    known: Mapping[Var, Value],
) -> bool:
    rows = [
        row
        for row in assignments(structure, content.variables)
        if evaluate(content.formula, structure, {**arguments, **row})
    ]
    row = rows[0] if rows else {v: carrier(structure, v.sort)[0] for v in content.variables}
    return all(arguments[v] == row[v] for v in content.variables if rows or v not in known)


def apply_by_definition(
    updates: tuple[Update, ...], structure: Structure, arguments: Mapping[Var, Value]
) -> Structure:
    """Compute every row of every updated symbol."""
    relations = dict(structure.relations)
    functions = dict(structure.functions)
    for update in updates:
        values: dict[Row, Value] = {
            tuple(row.values()): evaluate(update.value, structure, {**arguments, **row})
            for row in assignments(structure, update.formals)
        }
        if update.symbol.result == BOOL:
            relations[update.symbol] = frozenset(row for row, holds in values.items() if holds)
        else:
            functions[update.symbol] = values
    return Structure(structure.carriers, relations, functions)
