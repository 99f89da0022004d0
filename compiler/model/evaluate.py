"""What a term means in a finite structure: the reference evaluator.

It follows the definition of truth word for word, by recursion and with whole carriers for
every quantifier, so that it can be checked by reading it. It is slow on purpose. `compiled`
computes the same values quickly, and tests hold it to this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import assert_never

from compiler.model.structure import Structure, Value
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Term,
    Truth,
    Var,
)

BOOLEANS: tuple[Value, ...] = (False, True)
"""The carrier of `BOOL`, the same in every structure."""


def carrier(structure: Structure, sort: Sort) -> tuple[Value, ...]:
    """Return the elements of `sort`; also for `BOOL`, which structures need not list."""
    return BOOLEANS if sort == BOOL else structure.carriers[sort]


def assignments(structure: Structure, variables: tuple[Var, ...]) -> Iterator[dict[Var, Value]]:
    """Yield every assignment of elements to `variables`, the last one changing fastest."""
    carriers = [carrier(structure, variable.sort) for variable in variables]
    for values in product(*carriers):
        yield dict(zip(variables, values, strict=True))


def evaluate(term: Term, structure: Structure, environment: Mapping[Var, Value]) -> Value:
    """Return the value of `term`; a `bool` for a formula.

    `environment` gives the free variables. Raises `KeyError` where it, or the structure,
    lacks a meaning that is needed.
    """
    match term:
        case Var():
            return environment[term]
        case Truth(value=value):
            return value
        case Element(name=name):
            return name
        case Apply(symbol=symbol, arguments=arguments):
            row = tuple(evaluate(argument, structure, environment) for argument in arguments)
            if symbol.result == BOOL:
                return row in structure.relations[symbol]
            return structure.functions[symbol][row]
        case Equal(left=left, right=right) | Iff(left=left, right=right):
            first = evaluate(left, structure, environment)
            return first == evaluate(right, structure, environment)
        case Not(operand=operand):
            return not evaluate(operand, structure, environment)
        case And(operands=operands):
            return all(evaluate(operand, structure, environment) for operand in operands)
        case Or(operands=operands):
            return any(evaluate(operand, structure, environment) for operand in operands)
        case Implies(left=left, right=right):
            return not evaluate(left, structure, environment) or bool(
                evaluate(right, structure, environment)
            )
        case Ite(condition=condition, then=then, otherwise=otherwise):
            holds = evaluate(condition, structure, environment)
            return evaluate(then if holds else otherwise, structure, environment)
        case Quantified(kind=kind, variables=variables, body=body):
            cases = (
                bool(evaluate(body, structure, {**environment, **assignment}))
                for assignment in assignments(structure, variables)
            )
            return all(cases) if kind == "forall" else any(cases)
    assert_never(term)
