"""Symbolic values: what an expression of the language is while a handler is lowered.

A scalar is a term. An option is the predicate that holds of its content, a set the predicate
that holds of its elements, a map a function from key columns to values: so every type of the
language is first order, and merging two branches is if-then-else pushed to the leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union, assert_never

from compiler.model.layout import (
    Flat,
    Leaf,
    Product,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
    leaves,
)
from compiler.model.substitute import substitute
from compiler.model.term import (
    FALSE,
    TRUE,
    Apply,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    equal,
    equivalence,
    exists,
    forall,
    implication,
    ite,
    negation,
)

Columns: TypeAlias = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """One term; a formula for `bool`."""

    term: Term


@dataclass(frozen=True, slots=True)
class Parts:
    """A tuple or record."""

    parts: tuple[SymbolicValue, ...]


@dataclass(frozen=True, slots=True)
class OptionValue:
    """`some(columns)` holds of the content and of nothing else.

    `content` is the content where it is known that there is one; `absent` says it is known
    that there is none.
    """

    shape: Flat
    some: Callable[[Columns], Term]
    content: SymbolicValue | None = None
    present: Term | None = None


@dataclass(frozen=True, slots=True)
class SetValue:
    """`contains(columns)` holds of the elements.

    `term`: the element of a sort of sets that stands for it, if it is known to be one.
    """

    shape: Flat
    contains: Callable[[Columns], Term]
    term: Term | None = None


@dataclass(frozen=True, slots=True)
class MapValue:
    """`at(columns of the key)` is the value there."""

    key: Flat
    at: Callable[[Columns], SymbolicValue]


SymbolicValue: TypeAlias = Union[Scalar, Parts, OptionValue, SetValue, MapValue]


class Names:
    """Makes variables with names of their own, within one action or property."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def fresh(self, hint: str, sort: Sort) -> Var:
        """Return a variable called `hint`, or `hint_2`, `hint_3`, … if that is taken."""
        name = hint
        number = 1
        while name in self._used:
            number += 1
            name = f"{hint}_{number}"
        self._used.add(name)
        return Var(name, sort)

    def avoid(self, taken: Iterable[Var]) -> None:
        """Make no variable that is called like one of `taken`."""
        self._used.update(variable.name for variable in taken)

    def for_shape(self, shape: Flat, hint: str | None = None) -> tuple[Var, ...]:
        """Return a variable for each column of `shape`."""
        return tuple(
            self.fresh(hint if hint is not None else sort.name[0].lower(), sort)
            for sort in leaves(shape)
        )


def flatten(value: SymbolicValue) -> Columns:
    """Return the columns of a flat value."""
    match value:
        case Scalar(term=term):
            return (term,)
        case Parts(parts=parts):
            return tuple(column for part in parts for column in flatten(part))
        case _:
            raise AssertionError("not a flat value")


def unflatten(shape: Flat, columns: Columns) -> SymbolicValue:
    """Return the flat value of `shape` with the given columns."""
    match shape:
        case Leaf():
            return Scalar(columns[0])
        case Product(parts=parts):
            values: list[SymbolicValue] = []
            start = 0
            for part in parts:
                width = len(leaves(part))
                values.append(unflatten(part, columns[start : start + width]))
                start += width
            return Parts(tuple(values))


def all_equal(left: Columns, right: Columns) -> Term:
    """Return the formula that two rows are the same."""
    return conjunction(equal(a, b) for a, b in zip(left, right, strict=True))


def none_of(shape: Flat) -> OptionValue:
    """Return `none`."""
    return OptionValue(shape, lambda _: FALSE, present=FALSE)


def some_of(shape: Flat, content: SymbolicValue) -> OptionValue:
    """Return `some content`."""
    columns = flatten(content)
    return OptionValue(shape, lambda row: all_equal(row, columns), content, TRUE)


def is_present(option: OptionValue, names: Names) -> Term:
    """Return the formula that the option is some."""
    if option.present is not None:
        return option.present
    row = names.for_shape(option.shape)
    return exists(row, option.some(row))


def set_of(shape: Flat, elements: Iterable[SymbolicValue]) -> SetValue:
    """Return the set of some elements."""
    rows = [flatten(element) for element in elements]
    return SetValue(shape, lambda row: disjunction(all_equal(row, other) for other in rows))


def element_set(shape: Flat, member: Symbol, term: Term) -> SetValue:
    """Return the set that an element of a sort of sets stands for."""
    return SetValue(shape, lambda row: Apply(member, (*row, term)), term)


def is_set(member: Symbol, term: Term, value: SetValue, names: Names) -> Term:
    """Return the formula that an element of a sort of sets stands for the set `value`."""
    if value.term is not None:
        return equal(term, value.term)
    row = names.for_shape(value.shape)
    here = Apply(member, (*row, term))
    return conjunction(
        (
            forall(row, implication(here, value.contains(row))),
            forall(row, implication(value.contains(row), here)),
        )
    )


def values_equal(left: SymbolicValue, right: SymbolicValue, names: Names) -> Term:
    """Return the formula that two values of one type are equal."""
    match left, right:
        case Scalar(term=a), Scalar(term=b):
            return equal(a, b)
        case Parts(parts=xs), Parts(parts=ys):
            return conjunction(values_equal(x, y, names) for x, y in zip(xs, ys, strict=True))
        case OptionValue() as a, OptionValue() as b:
            for one, other in ((a, b), (b, a)):
                if one.content is not None and one.present == TRUE:
                    return other.some(flatten(one.content))
                if one.present == FALSE:
                    return negation(is_present(other, names))
            row = names.for_shape(a.shape)
            return forall(row, equivalence(a.some(row), b.some(row)))
        case SetValue() as a, SetValue() as b:
            if a.term is not None and a.term == b.term:
                return TRUE
            row = names.for_shape(a.shape)
            return forall(row, equivalence(a.contains(row), b.contains(row)))
        case MapValue() as a, MapValue() as b:
            row = names.for_shape(a.key)
            return forall(row, values_equal(a.at(row), b.at(row), names))
    raise AssertionError("values of different types")


def choose(condition: Term, then: SymbolicValue, otherwise: SymbolicValue) -> SymbolicValue:
    """Return `then` if `condition` holds, else `otherwise`."""
    if then is otherwise or condition == TRUE:
        return then
    if condition == FALSE:
        return otherwise
    match then, otherwise:
        case Scalar(term=a), Scalar(term=b):
            return Scalar(ite(condition, a, b))
        case Parts(parts=xs), Parts(parts=ys):
            return Parts(tuple(choose(condition, x, y) for x, y in zip(xs, ys, strict=True)))
        case OptionValue() as o, OptionValue() as p:
            present = (
                ite(condition, o.present, p.present)
                if o.present is not None and p.present is not None
                else None
            )
            content = (
                choose(condition, o.content, p.content)
                if o.content is not None and p.content is not None
                else None
            )
            return OptionValue(
                o.shape, lambda row: ite(condition, o.some(row), p.some(row)), content, present
            )
        case SetValue() as s, SetValue() as t:
            return SetValue(s.shape, lambda row: ite(condition, s.contains(row), t.contains(row)))
        case MapValue() as m, MapValue() as w:
            return MapValue(m.key, lambda row: choose(condition, m.at(row), w.at(row)))
    raise AssertionError("values of different types")


def substitute_in(value: SymbolicValue, mapping: Mapping[Var, Term]) -> SymbolicValue:
    """Replace variables in a value; see `substitute`."""
    match value:
        case Scalar(term=term):
            return Scalar(substitute(term, mapping))
        case Parts(parts=parts):
            return Parts(tuple(substitute_in(part, mapping) for part in parts))
        case OptionValue() as o:
            return OptionValue(
                o.shape,
                lambda row: substitute(o.some(row), mapping),
                None if o.content is None else substitute_in(o.content, mapping),
                None if o.present is None else substitute(o.present, mapping),
            )
        case SetValue() as s:
            return SetValue(
                s.shape,
                lambda row: substitute(s.contains(row), mapping),
                None if s.term is None else substitute(s.term, mapping),
            )
        case MapValue() as m:
            return MapValue(m.key, lambda row: substitute_in(m.at(row), mapping))
    assert_never(value)


def read(stored: Stored, prefix: Columns) -> SymbolicValue:
    """Return the value of a stored variable in the present state; `prefix` is its node."""
    match stored:
        case StoredLeaf(symbol=symbol):
            return Scalar(Apply(symbol, prefix))
        case StoredProduct(parts=parts):
            return Parts(tuple(read(part, prefix) for part in parts))
        case StoredOption(symbol=symbol, content=content):
            return OptionValue(content, lambda row: Apply(symbol, prefix + row))
        case StoredSet(symbol=symbol, element=element):
            return SetValue(element, lambda row: Apply(symbol, prefix + row))
        case StoredMap(key=key, value=value):
            return MapValue(key, lambda row: read(value, prefix + row))
    assert_never(stored)
