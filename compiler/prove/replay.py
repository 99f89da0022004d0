"""Replaying executions in the evaluator: the check on what the solvers found.

A solver's answer is shown only if the evaluator, which shares nothing with the encodings,
takes the same steps and sees the same violation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compiler.model.evaluate import evaluate
from compiler.model.structure import Structure, Value
from compiler.model.successors import apply, enabled, initial_structure, machine
from compiler.model.system import Action, Model
from compiler.model.term import Var
from compiler.prove.verdict import Step, Trace


class ReplayError(Exception):
    """The evaluator does not agree with a solver: an error of this program, not of a spec."""


def chosen(action: Action, arguments: Mapping[Var, Value]) -> dict[Var, Value]:
    """Return the arguments that are chosen from outside, not read from the state."""
    contents = {variable for content in action.contents for variable in content.variables}
    return {v: arguments[v] for v in action.parameters if v not in contents}


def take(model: Model, structure: Structure, step: Step) -> tuple[Step, Structure] | None:
    """Take a step if it is enabled; the contents of options are read from the state."""
    action = step.action
    known = chosen(action, step.arguments)
    for arguments in enabled(model, action, structure, known):
        return Step(action, dict(arguments)), apply(model, action, structure, arguments)
    return None


def replay(model: Model, start: Structure, steps: Sequence[Step]) -> Trace | None:
    """Take `steps` from `start`; None if one of them is not enabled when it is due."""
    states, taken = [start], list[Step]()
    for step in steps:
        result = take(model, states[-1], step)
        if result is None:
            return None
        taken.append(result[0])
        states.append(result[1])
    return Trace(tuple(states), tuple(taken))


def is_initial(model: Model, structure: Structure) -> bool:
    """Whether `structure` is the initial state over its own rigid symbols."""
    return initial_structure(model, structure).fingerprint() == structure.fingerprint()


def broken_properties(model: Model, structure: Structure) -> frozenset[str]:
    """Return the names of the properties that do not hold in `structure`."""
    compiled = machine(model).properties
    return frozenset(name for name, formula in compiled.items() if not formula(structure))


def broken_assertions(structure: Structure, step: Step) -> frozenset[str]:
    """Return the names of the step's assertions that do not hold before it."""
    return frozenset(
        assertion.name
        for assertion in step.action.assertions
        if not evaluate(assertion.formula, structure, step.arguments)
    )


def violations(model: Model, trace: Trace) -> frozenset[str]:
    """Return what is broken at the end of a trace: properties, and assertions of the last step."""
    broken = broken_properties(model, trace.states[-1])
    if trace.steps:
        broken |= broken_assertions(trace.states[-2], trace.steps[-1])
    return broken
