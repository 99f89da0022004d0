"""What a stored variable becomes: values taken apart into the symbols that keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.model.layout import (
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
)
from compiler.model.substitute import substitute
from compiler.model.term import (
    And,
    Ite,
    Or,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    implication,
    ite,
    negation,
)
from compiler.model.values import (
    MapValue,
    Names,
    OptionValue,
    Parts,
    Scalar,
    SetValue,
    SymbolicValue,
)


def define(
    stored: Stored, formals: tuple[Var, ...], value: SymbolicValue, names: Names
) -> Iterator[tuple[Symbol, tuple[Var, ...], Term]]:
    """Yield each symbol of a stored variable, its columns, and the term that `value` is there."""
    match stored, value:
        case StoredLeaf(symbol=symbol), Scalar(term=term):
            yield symbol, formals, term
        case StoredProduct(parts=parts), Parts(parts=inner):
            for part, part_value in zip(parts, inner, strict=True):
                yield from define(part, formals, part_value, names)
        case StoredOption(symbol=symbol, content=content), OptionValue() as option:
            row = names.for_shape(content)
            yield symbol, formals + row, option.some(row)
        case StoredSet(symbol=symbol, element=element), SetValue() as elements:
            row = names.for_shape(element)
            yield symbol, formals + row, elements.contains(row)
        case StoredMap(key=key, value=inner_stored), MapValue() as mapping:
            row = names.for_shape(key)
            yield from define(inner_stored, formals + row, mapping.at(row), names)
        case _:
            raise AssertionError("a value of another type than its place")


def merge(here: Term, new: Term, old: Term, at_node: Mapping[Var, Term]) -> Term:
    """Return `ite(here, new, old)`, saying as little as possible.

    `here` is `n = self`, and `at_node` puts `n` for `self`. Where `new` falls back to the old
    value of `self`, that is the old value of `n`, since there `n` is `self`.
    """
    match new:
        case Ite(condition=condition, then=then, otherwise=otherwise):
            if substitute(otherwise, at_node) == old:
                return merge(conjunction((here, condition)), then, old, at_node)
            if substitute(then, at_node) == old:
                return merge(conjunction((here, negation(condition))), otherwise, old, at_node)
        case Or(operands=operands):
            added = [o for o in operands if substitute(o, at_node) != old]
            if len(added) < len(operands):
                return disjunction((old, conjunction((here, disjunction(added)))))
        case And(operands=operands):
            kept = [o for o in operands if substitute(o, at_node) != old]
            if len(kept) < len(operands):
                return conjunction((old, implication(here, conjunction(kept))))
        case _:
            if substitute(new, at_node) == old:
                return old
    return ite(here, new, old)
