"""What is proved of a random spec holds in all small states that can be reached.

And what is refuted is false: counterexamples are computed again by the plain evaluator, and
executions run on the model and on the code.
"""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from compiler.command.execution import schedule_of
from compiler.model.evaluate import evaluate
from compiler.model.substitute import bound_variables
from compiler.model.successors import explore, machine
from compiler.model.system import Model, Property
from compiler.model.term import BOOL
from compiler.prove.replay import is_initial
from compiler.prove.replay import replay as take_again
from compiler.prove.verdict import Reachable, Refuted, Report
from compiler.prove.verify import VerifyOptions, verify
from runtime.checking import Monitor
from runtime.replay import replay as run
from tests.end_to_end.compiling import Built, build
from tests.end_to_end.specs import specs
from tests.end_to_end.states import small_starts, updated


def built_from(seed: int, text: str) -> Built:
    built = build(text)
    assert built is not None, f"the checker refuses spec {seed}:\n{text}"
    return built


def proved_properties_hold(model: Model, report: Report, random: Random, limit: int) -> None:
    """Check what is proved in the states that can be reached, as far as `limit`."""
    proved = {p.property.name for p in report.properties if p.status == "proved"}
    properties = [p for p in model.properties if p.name in proved]
    compiled = machine(model)
    for start in small_starts(model, random, 3):
        states = explore(model, start, limit=limit).states
        for state in states:
            for property_ in properties:
                assert compiled.properties[property_.name](state), property_.name
        for state in states[:50]:
            for action in model.actions:
                asserted = [a for a in action.assertions if a.name in proved]
                for arguments in compiled.enabled(action, state, {}) if asserted else ():
                    for assertion in asserted:
                        assert evaluate(assertion.formula, state, arguments), assertion.name


def refutations_hold(model: Model, report: Report) -> None:
    """Check every counterexample by the definition of truth."""
    formulas = {p.name: p.formula for p in model.properties}
    for result in report.obligations:
        if not isinstance(result.verdict, Refuted):
            continue
        obligation, found = result.obligation, result.verdict.counterexample
        before = found.before
        assert all(evaluate(axiom.formula, before, {}) for axiom in report.axioms)
        if obligation.kind == "initial":
            assert is_initial(model, before)
            assert not evaluate(formulas[obligation.name], before, {})
            continue
        assert found.step is not None
        action, arguments = found.step.action, found.step.arguments
        assert all(evaluate(formula, before, {}) for formula in formulas.values())
        assert evaluate(action.guard, before, arguments)
        if obligation.kind == "assertion":
            (asserted,) = (a for a in action.assertions if a.name == obligation.name)
            assert not evaluate(asserted.formula, before, arguments)
            continue
        after = updated(action, before, arguments)
        assert found.after is not None
        assert after.fingerprint() == found.after.fingerprint()
        assert not evaluate(formulas[obligation.name], after, {})


def executions_run(built: Built, report: Report) -> int:
    """Check every execution on the model, and on the code; return how many ran on the code."""
    model, ran = built.model, 0
    for result in report.properties:
        property_, found = result.property, result.execution
        if not isinstance(found, Reachable) or property_.kind == "assertion":
            continue
        start = found.trace.states[0]
        assert is_initial(model, start)
        again = take_again(model, start, found.trace.steps)
        assert again is not None
        assert not evaluate(property_.formula, again.states[-1], {})
        module = built.module()
        schedule = schedule_of(model, found.trace, module)
        if schedule is None or _about_all_values(model, property_):
            continue
        monitor = Monitor(model)
        run(module, schedule, observer=monitor)
        assert all(v.kind == "property" for v in monitor.violations), monitor.violations
        # Another property may fail earlier; a run is stopped at the first.
        assert monitor.violations, f"{property_.name} holds of the code"
        ran += property_.name in {v.name for v in monitor.violations}
    return ran


def _about_all_values(model: Model, property_: Property) -> bool:
    """Whether a property may fail of a value that a run never speaks of."""
    sorts = {v.sort for v in bound_variables(property_.formula)} - {BOOL}
    return any(model.sort(sort.name).kind in ("opaque", "ordered") for sort in sorts)


def check_proofs(first: int, count: int, limit: int) -> None:
    for seed, text in islice(specs(first, asserts=True), count):
        model = built_from(seed, text).model
        report = verify(
            model, VerifyOptions(timeout=20.0, search=False, counterexample_seconds=1.0)
        )
        try:
            proved_properties_hold(model, report, Random(seed), limit)
            refutations_hold(model, report)
        except AssertionError as error:
            raise AssertionError(f"spec {seed}: {error}\n{text}") from error


def check_executions(first: int, count: int) -> int:
    ran = 0
    for seed, text in islice(specs(first), count):
        built = built_from(seed, text)
        options = VerifyOptions(timeout=20.0, search_seconds=1.0, counterexample_seconds=0.5)
        report = verify(built.model, options)
        try:
            ran += executions_run(built, report)
        except AssertionError as error:
            raise AssertionError(f"spec {seed}: {error}\n{text}") from error
    return ran


@pytest.mark.parametrize("first", [100, 3000])
def test_what_is_proved_holds(first: int) -> None:
    check_proofs(first, 6, limit=100)


def test_executions_run_on_the_code() -> None:
    assert check_executions(0, 3)


@pytest.mark.slow
@pytest.mark.parametrize("first", [*range(10_000, 20_000, 1000), 51_000])
def test_what_is_proved_holds_often(first: int) -> None:
    check_proofs(first, 60, limit=400)


@pytest.mark.slow
@pytest.mark.parametrize("first", [*range(20_000, 25_000, 1000), 50_000])
def test_executions_run_on_the_code_often(first: int) -> None:
    assert check_executions(first, 15)
