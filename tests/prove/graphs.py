"""States of the encoded model: functions as the relations between arguments and value."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable

from compiler.model.layout import RoleLayout
from compiler.model.structure import Structure
from compiler.model.system import Action, Model, Property, SortDeclaration
from compiler.model.term import Symbol, Term
from tests.model.vocabulary import MODE, MODES, NODE, SYMBOLS, TIME, VALUE

MODEL = Model(
    name="Vocabulary",
    sorts=(
        SortDeclaration(NODE, "role"),
        SortDeclaration(TIME, "ordered"),
        SortDeclaration(VALUE, "opaque"),
        SortDeclaration(MODE, "enum", elements=MODES),
    ),
    symbols=SYMBOLS,
    axioms=(),
    initial=(),
    actions=(),
    properties=(),
    quorums=(),
    assumptions=(),
    facts=(),
    roles=(),
    ghosts=RoleLayout("ghosts", None, False, ()),
    messages=(),
    requests=(),
    outputs=(),
)


def with_formulas(formulas: Iterable[Term]) -> Model:
    """Return a model over the vocabulary with these formulas as properties."""
    properties = [Property("invariant", f"p{i}", formula) for i, formula in enumerate(formulas)]
    return dataclasses.replace(MODEL, properties=tuple(properties))


def with_action(action: Action) -> Model:
    """Return a model over the vocabulary with one action."""
    return dataclasses.replace(MODEL, actions=(action,))


def graph(structure: Structure, model: Model, encoded: Model) -> Structure:
    """Return the state of `encoded` that stands for a state of `model`."""
    relations = dict(structure.relations)
    functions = dict(structure.functions)
    for before, after in zip(model.symbols, encoded.symbols, strict=True):
        if before != after:
            rows = functions.pop(before)
            relations[after] = frozenset((*row, value) for row, value in rows.items())
    return Structure(structure.carriers, relations, functions)


def with_holes(structure: Structure, symbols: Iterable[Symbol], rng: random.Random) -> Structure:
    """Return the state with some rows of these relations left out."""
    relations = dict(structure.relations)
    for symbol in symbols:
        relations[symbol] = frozenset(r for r in sorted(relations[symbol]) if rng.random() < 0.7)
    return Structure(structure.carriers, relations, structure.functions)
