"""Counters in finite structures: no gaps, and no next value of the last."""

from __future__ import annotations

from itertools import pairwise

import pytest

from compiler.diagnostics import Code, SpecError
from compiler.model.evaluate import evaluate
from compiler.model.rigid import rigid_structure, sized_carriers
from compiler.model.structure import Structure
from compiler.model.successors import enabled, extend, initial_structure
from compiler.model.system import Model
from compiler.model.term import Sort, Symbol
from compiler.prove.bounded import find_structure
from compiler.prove.fragment import alternations
from compiler.prove.ground import Grounder
from compiler.prove.obligations import obligations
from compiler.prove.relational import relationalise
from compiler.prove.sat import TRUE_LITERAL
from compiler.prove.scope import Scope
from tests.counters.test_replicated_log import TEXT, changed, compiled
from tests.prove.specimens import model_of_text

INDEX = Sort("Index")
NEXT = Symbol("Index.next", (INDEX, INDEX), Sort("Bool"), mutable=False, unique=1)


def start(model: Model, size: int) -> Structure:
    rigid = rigid_structure(model, sized_carriers(model, {"Index": size}))
    return initial_structure(model, rigid)


def pairs(structure: Structure) -> set[tuple[object, object]]:
    elements = structure.carriers[INDEX]
    return set(pairwise(elements))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_standard_meaning_satisfies_the_axioms(size: int) -> None:
    model = model_of_text(TEXT)
    structure = start(model, size)
    assert structure.relations[NEXT] == pairs(structure)
    assert all(evaluate(axiom.formula, structure, {}) for axiom in model.axioms)


def test_a_step_that_would_count_past_the_last_value_is_not_possible() -> None:
    model = model_of_text(TEXT)
    append = next(a for a in model.actions if a.handler == "on_request_append")
    assert list(enabled(model, append, start(model, 1), {})) == []
    assert len(list(enabled(model, append, start(model, 2), {}))) == 2  # one for each value


def test_a_counter_grows_at_its_end() -> None:
    model = model_of_text(TEXT)
    grown = extend(model, start(model, 2), INDEX, "Index2")
    assert grown == start(model, 3)
    with pytest.raises(ValueError, match="grows at its end"):
        extend(model, start(model, 2), INDEX, "between", 1)


def test_the_grounder_has_the_same_meaning() -> None:
    model = model_of_text(TEXT)
    sizes = (("Writer", 1), ("Reader", 1), ("Value", 1), ("Index", 4))
    table = Grounder(model, Scope(sizes)).relations[NEXT]
    assert {row for row, literal in table.items() if literal == TRUE_LITERAL} == {
        (0, 1),
        (1, 2),
        (2, 3),
    }


def test_a_structure_from_the_solver_has_no_gaps() -> None:
    model = compiled(changed("when index = last.next:", "when index > last:"))[1]
    work = obligations(model, relationalise(model))
    task = next(
        t
        for t in work.tasks
        if t.obligation.name == "no_gaps"
        and t.obligation.action is not None
        and t.obligation.action.handler == "on_entry"
    )
    found = find_structure(work, task)
    assert found is not None
    assert len(found.structure.carriers[INDEX]) == 3
    assert found.structure.relations[NEXT] == pairs(found.structure)


def test_the_axioms_of_a_counter_have_no_alternation() -> None:
    for axiom in obligations(model_of_text(TEXT), relationalise(model_of_text(TEXT))).axioms:
        assert alternations(axiom.formula) == frozenset()


def test_a_round_cannot_assign_the_next_value_to_a_scalar() -> None:
    text = TEXT.replace(
        "    on start: arm poll\n",
        "    heard: map Writer to Index\n    writers: set Writer\n"
        "    on start:\n        for w in writers:\n            heard[w] := heard[w].next\n",
    )
    with pytest.raises(SpecError) as caught:
        compiled(text)
    assert [d.code for d in caught.value.diagnostics] == [Code.LOOP_DEPENDENCE]
