"""On states in which every function has its one value, the solver's encoding is the model."""

from __future__ import annotations

from itertools import islice, product
from random import Random

import pytest

from compiler.model.evaluate import assignments, evaluate
from compiler.model.structure import Structure, Value
from compiler.model.system import Action, Model
from compiler.model.term import BOOL, FALSE, And, Apply, Var
from compiler.prove.relational import relationalise
from tests.end_to_end.compiling import build
from tests.end_to_end.specs import specs
from tests.end_to_end.states import any_state, small_starts, updated


def graph(model: Model, encoded: Model, state: Structure) -> Structure:
    """Return the state with functions as relations, as the encoding has them."""
    relations, functions = dict(state.relations), dict(state.functions)
    for before, after in zip(model.symbols, encoded.symbols, strict=True):
        if before != after:
            table = functions.pop(before)
            relations[after] = frozenset((*row, value) for row, value in table.items())
    return Structure(state.carriers, relations, functions)


def instances(action: Action, state: Structure, random: Random) -> list[dict[Var, Value]]:
    """Return some assignments of an action's parameters, those of contents included."""
    cases = list(islice(assignments(state, action.parameters), 3000))
    return [dict(case) for case in random.sample(cases, min(len(cases), 12))]


def agree(model: Model, state: Structure, random: Random) -> None:
    encoded = relationalise(model)
    relational = graph(model, encoded, state)
    mine = {p.name: p.formula for p in encoded.properties}
    for property_ in model.properties:
        expected = evaluate(property_.formula, state, {})
        assert evaluate(mine[property_.name], relational, {}) == expected, property_.name
    for name, formula in mine.items():
        if name.startswith("unique "):
            assert evaluate(formula, relational, {}), name
    for action, coded in zip(model.actions, encoded.actions, strict=True):
        for arguments in instances(action, state, random):
            enabled = bool(evaluate(action.guard, state, arguments)) and all(
                evaluate(content.formula, state, arguments)
                or not any(
                    evaluate(content.formula, state, {**arguments, **others})
                    for others in assignments(state, content.variables)
                )
                for content in action.contents
            )
            if coded.guard == FALSE:
                assert not enabled, action.name
                continue
            values = _values(coded, len(action.parameters), relational, arguments)
            full = {**arguments, **values}
            assert evaluate(coded.guard, relational, full) == enabled, action.name
            if not enabled:
                continue
            after = graph(model, encoded, updated(action, state, arguments))
            assert updated(coded, relational, full).fingerprint() == after.fingerprint()
            for asserted, code in zip(action.assertions, coded.assertions, strict=True):
                expected = evaluate(asserted.formula, state, arguments)
                assert evaluate(code.formula, relational, full) == expected, asserted.name


def _values(
    coded: Action, known: int, relational: Structure, arguments: dict[Var, Value]
) -> dict[Var, Value]:
    """Return the values of the parameters that stand for reads: the rows in the guard give them."""
    found: dict[Var, Value] = {}
    operands = coded.guard.operands if isinstance(coded.guard, And) else (coded.guard,)
    for variable in coded.parameters[known:]:
        for operand in operands:
            if isinstance(operand, Apply) and operand.arguments[-1] == variable:
                symbol = operand.symbol
                assert symbol.result == BOOL
                full = {**arguments, **found}
                row = tuple(evaluate(a, relational, full) for a in operand.arguments[:-1])
                (value,) = (r[-1] for r in relational.relations[symbol] if r[:-1] == row)
                found[variable] = value
                break
        else:
            raise AssertionError(f"{coded.name}: no row for {variable}")
    return found


def check(first: int, count: int, states: int) -> None:
    for seed, text in islice(specs(first, asserts=True), count):
        built = build(text)
        assert built is not None, f"the checker refuses spec {seed}:\n{text}"
        random = Random(seed)
        for start, _ in product(small_starts(built.model, random, 1), range(states)):
            try:
                agree(built.model, any_state(built.model, start, random), random)
            except AssertionError as error:
                raise AssertionError(f"spec {seed}: {error}\n{text}") from error


@pytest.mark.parametrize("first", [0, 50_000])
def test_encoding_and_model_agree(first: int) -> None:
    check(first, 25, 2)


@pytest.mark.slow
@pytest.mark.parametrize("first", [*range(30_000, 40_000, 1000), 51_000])
def test_encoding_and_model_agree_often(first: int) -> None:
    check(first, 60, 4)
