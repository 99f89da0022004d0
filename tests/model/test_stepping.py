"""Compiled guards and updates against trying everything and recomputing everything."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.model.evaluate import carrier
from compiler.model.indexes import Indexes
from compiler.model.stepping import Change, Guard, Updates
from compiler.model.structure import Structure
from compiler.model.system import Update
from compiler.model.term import Apply, Equal, Not, Symbol, Var, disjunction, ite
from tests.model.random_actions import (
    apply_by_definition,
    enabled_by_definition,
    random_action,
)
from tests.model.vocabulary import LINK, NODE, TERM, TIME, ZERO, random_structure


def differences(before: Structure, after: Structure) -> dict[Symbol, Change]:
    """Return what is different in two states, by comparing every row."""
    found = {}
    for symbol, rows in after.relations.items():
        old = before.relations[symbol]
        if rows != old:
            found[symbol] = Change(rows - old, old - rows)
    for symbol, table in after.functions.items():
        was = before.functions[symbol]
        if table != was:
            put = {row: value for row, value in table.items() if was[row] != value}
            found[symbol] = Change(put=put)
    return found


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.randoms(use_true_random=False))
def test_updates_agree_with_recomputing_every_row(rng: Random) -> None:
    action = random_action(rng)
    updates = Updates(action.updates, action.parameters, Indexes(), {})
    structure = random_structure(rng)
    for _ in range(3):
        arguments = {v: rng.choice(carrier(structure, v.sort)) for v in action.parameters}
        after, changes = updates.apply(structure, tuple(arguments.values()))
        assert after == apply_by_definition(action.updates, structure, arguments)
        assert changes == differences(structure, after)
        structure = after


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.randoms(use_true_random=False))
def test_guards_agree_with_trying_every_assignment(rng: Random) -> None:
    action = random_action(rng)
    known = tuple(v for v in action.parameters if rng.random() < 0.4)
    guard = Guard(action, known, Indexes(), {})
    structure = random_structure(rng)
    for _ in range(2):
        values = {v: rng.choice(carrier(structure, v.sort)) for v in known}
        found = [
            dict(zip(action.parameters, row, strict=True))
            for row in guard(structure, values.values())
        ]
        assert found == enabled_by_definition(action, structure, values)
        structure = random_structure(rng, structure)


def test_an_update_of_one_row_looks_at_no_carrier() -> None:
    node, other, a, b = (Var(name, NODE) for name in ("node", "other", "a", "b"))
    row = Equal(a, node), Equal(b, other)
    gained = Update(
        LINK, (a, b), disjunction((Apply(LINK, (a, b)), Not(disjunction(map(Not, row)))))
    )
    time = Var("time", TIME)
    put = Update(TERM, (a,), ite(row[0], time, Apply(TERM, (a,))))
    source = Updates((gained, put), (node, other, time), Indexes(), {}).source
    assert "carriers[" not in source
    assert ".items()" not in source


def test_what_does_not_change_is_the_same_object() -> None:
    structure = random_structure(Random(1))
    node, a, b = (Var(name, NODE) for name in ("node", "a", "b"))
    same = Update(LINK, (a, b), Apply(LINK, (a, b)))
    zero = Update(TERM, (a,), ite(Equal(a, node), Apply(ZERO, ()), Apply(TERM, (a,))))
    updates = Updates((same, zero), (node,), Indexes(), {})
    after = updates(structure, ("n0",))
    assert after.relations is structure.relations
    assert updates(after, ("n0",)) is after
