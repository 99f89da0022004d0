"""Primitive assignments: what a place holds after one, in all rounds of the loops around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from compiler.diagnostics import Code, Diagnostic, Span, SpecError
from compiler.model import values
from compiler.model.substitute import exists_conjunction, substitute
from compiler.model.term import (
    TRUE,
    Term,
    Var,
    conjunction,
    disjunction,
    equal,
    free_variables,
    ite,
    negation,
)
from compiler.model.values import (
    Columns,
    MapValue,
    Names,
    OptionValue,
    Parts,
    Scalar,
    SetValue,
    SymbolicValue,
    all_equal,
    flatten,
)

Place: TypeAlias = tuple[str, str]
"""A variable: the name of its role, "" for the protocol's ghosts, and its own."""

Predicate: TypeAlias = Callable[[Columns], Term]


@dataclass(frozen=True, slots=True)
class Loop:
    """The loops around a statement: their variables, and what holds of these."""

    variables: tuple[Var, ...] = ()
    condition: Term = TRUE


@dataclass(frozen=True, slots=True)
class Assigned:
    """A primitive assignment, made in every round of `loop` in which `condition` holds."""

    place: Place
    keys: tuple[Columns, ...]
    operator: Literal["set", "add", "remove", "union", "difference"]
    value: SymbolicValue
    condition: Term
    loop: Loop
    span: Span


def assign(
    present: SymbolicValue,
    keys: tuple[Columns, ...],
    row: Columns,
    effect: Assigned,
) -> SymbolicValue:
    """Return `present` with an assignment made below the map entry `row`, for all rounds."""
    if keys:
        assert isinstance(present, MapValue)
        table = present

        def at(key: Columns) -> SymbolicValue:
            return assign(table.at(key), keys[1:], row + key, effect)

        return MapValue(table.key, at)
    wanted = [column for key in effect.keys for column in key]
    here = [equal(column, key) for column, key in zip(row, wanted, strict=True)]
    conditions = [*here, effect.loop.condition, effect.condition]
    if effect.operator == "set":
        return _overwrite(present, wanted, row, effect, conditions)
    assert isinstance(present, SetValue)
    old = present

    def contains(element: Columns) -> Term:
        if effect.operator in ("add", "remove"):
            touched = all_equal(element, flatten(effect.value))
        else:
            assert isinstance(effect.value, SetValue)
            touched = effect.value.contains(element)
        hit = exists_conjunction(effect.loop.variables, [*conditions, touched])
        if effect.operator in ("add", "union"):
            return disjunction((old.contains(element), hit))
        return conjunction((old.contains(element), negation(hit)))

    return SetValue(old.shape, contains)


def _overwrite(
    present: SymbolicValue,
    wanted: Sequence[Term],
    row: Columns,
    effect: Assigned,
    conditions: Sequence[Term],
) -> SymbolicValue:
    """Return the value of a place after `:=` in all rounds of the loop.

    The keys determine the round (the checker's rule), so the loop's variables are solved from
    them and put into the value. What is then left are the contents of options that conditions
    in the loop match. An option or a set can be assigned with them in it, since it is a
    predicate; a scalar cannot, since a term would have to name the content.
    """
    solved = {
        key: column
        for column, key in zip(row, wanted, strict=True)
        if isinstance(key, Var) and key in effect.loop.variables
    }
    value = values.substitute_in(effect.value, solved)
    free = [variable for variable in effect.loop.variables if variable not in solved]
    left = [substitute(condition, solved) for condition in conditions]
    hit = exists_conjunction(free, left)
    if not free or not _mentions(value, free):
        return values.choose(hit, value, present)

    def matched(new: Predicate, old: Predicate) -> Predicate:
        return lambda row: ite(hit, exists_conjunction(free, [*left, new(row)]), old(row))

    match value, present:
        case OptionValue() as new, OptionValue() as old:
            return OptionValue(new.shape, matched(new.some, old.some))
        case SetValue() as new, SetValue() as old:
            return SetValue(new.shape, matched(new.contains, old.contains))
        case _:
            raise SpecError(
                (
                    Diagnostic(
                        Code.LOOP_DEPENDENCE,
                        "this value depends on the content of an option that the loop matches, "
                        "or on the next or previous value of what differs by round",
                        effect.span,
                        "assign an option instead, or use the name in the key",
                    ),
                )
            )


def _mentions(value: SymbolicValue, variables: Sequence[Var]) -> bool:
    match value:
        case Scalar(term=term):
            return bool(free_variables(term) & set(variables))
        case Parts(parts=parts):
            return any(_mentions(part, variables) for part in parts)
        case OptionValue(shape=shape, some=predicate) | SetValue(shape=shape, contains=predicate):
            return bool(free_variables(predicate(Names().for_shape(shape, "·"))) & set(variables))
        case MapValue(key=key, at=at):
            return _mentions(at(Names().for_shape(key, "·")), variables)
    assert_never(value)
