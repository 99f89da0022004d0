"""Values of a module's types between Python and MessagePack, checked by type on the way in.

What comes from outside is decoded by msgspec against a type that is derived from the shape: a node
is one of the cluster's names, a number is in range, an enum has that member, a tuple that many
parts. So nothing gets to a handler that its annotation does not allow. msgspec gives tuples,
numbers, strings; what Python has classes for (records, ordered values, sets of them) is converted
afterwards. A conversion that would change nothing is None, so that the common message costs no
call.

An opaque value is a `str`, `int` of 64 bits, `bytes`, `bool`, finite `float`, or a tuple of these.
(NaN does not equal itself, and JSON, in which traces are written, has no word for the rest.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, TypeAlias, assert_never

import msgspec

from runtime.contract import NodeId
from runtime.types import (
    BoolShape,
    ClassShape,
    EnumShape,
    IntShape,
    NodeShape,
    OpaqueShape,
    OptionShape,
    SetShape,
    Shape,
    TupleShape,
)

Convert: TypeAlias = Callable[[Any], Any]

HIGHEST: Final = 2**63 - 1
"""The highest counter or number of an ordered value."""

_PLAIN: Final = frozenset({str, int, bytes, bool})
_DEEPEST: Final = 32
"""How deep the tuples of an opaque value may be nested."""


class UnfitError(ValueError):
    """A value has the right MessagePack type and still is none of its declared type."""


# --- the type that msgspec decodes ---------------------------------------------------------------


def wire_type(shape: Shape, nodes: Sequence[NodeId]) -> Any:
    """Return the type that values of `shape` have on the wire, in a cluster of `nodes`."""
    match shape:
        case BoolShape():
            return bool
        case IntShape():
            return Annotated[int, msgspec.Meta(ge=0, le=HIGHEST)]
        case NodeShape():
            return Literal[tuple(nodes)]
        case OpaqueShape():
            return Any  # msgspec has no union of `str` and `bytes`; `opaque` checks it
        case EnumShape(enum=members):
            return members
        case TupleShape(parts=parts):
            return tuple_type(parts, nodes)
        case ClassShape(ordered=ordered, parts=parts):
            # The least value of an ordered type has no owner.
            return tuple_type(parts, (*nodes, "") if ordered else nodes)
        case OptionShape(content=content):
            return wire_type(content, nodes) | None
        case SetShape(element=element):
            return list.__class_getitem__(wire_type(element, nodes))
        case _:
            assert_never(shape)


def tuple_type(parts: Sequence[Shape], nodes: Sequence[NodeId]) -> Any:
    """Return the type on the wire of a tuple, or of the fields of a message."""
    return tuple.__class_getitem__(tuple(wire_type(part, nodes) for part in parts))


# --- from there to Python ------------------------------------------------------------------------


def from_wire(shape: Shape) -> Convert | None:
    """Return what makes a value of `shape` of one that was decoded; None: it is one already."""
    match shape:
        case BoolShape() | IntShape() | NodeShape() | EnumShape():
            return None
        case OpaqueShape():
            return opaque
        case TupleShape(parts=parts):
            inner = _parts([from_wire(part) for part in parts])
            return None if inner is None else lambda value: tuple(inner(value))
        case ClassShape(make=make, ordered=ordered, parts=parts):
            if ordered:
                return _ordered(make, len(parts))
            convert = _parts([from_wire(part) for part in parts])
            if convert is None:
                return lambda value: make(*value)
            return lambda value: make(*convert(value))
        case OptionShape(content=content):
            some = from_wire(content)
            return None if some is None else lambda value: None if value is None else some(value)
        case SetShape(element=element):
            each = from_wire(element)
            if each is None:
                return frozenset
            return lambda value: frozenset([each(one) for one in value])
        case _:
            assert_never(shape)


def opaque(value: Any, depth: int = 0) -> Any:
    """Return an opaque value of what was decoded: its lists are tuples; `ValueError` if none."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        if depth == _DEEPEST:
            raise UnfitError(f"an opaque value nested deeper than {_DEEPEST}")
        return tuple([opaque(part, depth + 1) for part in value])
    if kind is float and math.isfinite(value):
        return value
    raise UnfitError(f"{value!r:.60} is no opaque value")


def _ordered(make: Any, size: int) -> Convert:
    # The size is checked by msgspec; the class's own constructor would cost three times as much.
    made: Convert = partial(tuple.__new__, make)
    if size == 1:
        return made

    def owned(value: Any) -> Any:
        number, owner = value
        if (not owner) != (not number):
            raise UnfitError(f"number {number} with the owner {owner!r}")
        return made(value)

    return owned


def _parts(converts: list[Convert | None]) -> Convert | None:
    """Return what converts a tuple, to a list, part by part; None if there is nothing to do."""
    needed = [(index, convert) for index, convert in enumerate(converts) if convert is not None]
    if not needed:
        return None

    def convert_parts(value: Any) -> list[Any]:
        parts = list(value)
        for index, convert in needed:
            parts[index] = convert(parts[index])
        return parts

    return convert_parts


# --- and back ------------------------------------------------------------------------------------


def to_wire(shape: Shape) -> Convert | None:
    """Return what makes a value for msgspec's encoder of one of `shape`; None: it is one."""
    match shape:
        case BoolShape() | IntShape() | NodeShape() | EnumShape() | OpaqueShape():
            return None
        case TupleShape(parts=parts):
            return _parts([to_wire(part) for part in parts])
        case ClassShape(ordered=ordered, parts=parts):
            return None if ordered else fields(shape)
        case OptionShape(content=content):
            some = to_wire(content)
            return None if some is None else lambda value: None if value is None else some(value)
        case SetShape(element=element):
            each = to_wire(element)
            return None if each is None else lambda value: [each(one) for one in value]
        case _:
            assert_never(shape)


def fields(shape: ClassShape) -> Convert:
    """Return what makes a sequence of the fields of a message or record, for the encoder."""
    names = shape.names
    if not names:
        return lambda message: ()
    convert = _parts([to_wire(part) for part in shape.parts])
    get = attrgetter(*names)
    if len(names) == 1:
        if convert is None:
            return lambda message: (get(message),)
        return lambda message: convert((get(message),))
    if convert is None:
        return get
    return lambda message: convert(get(message))
