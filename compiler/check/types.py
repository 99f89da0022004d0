"""The types of the language, resolved.

A type is *flat* if its values are a fixed number of elements of sorts: `bool`, enums, roles,
opaque, ordered and quorum types, and records and tuples of flat types. Contents of options,
elements of sets, keys of maps and fields of messages are flat (a message's field may also be
an option or a set of a flat type); values of maps may be anything. So every variable is a bundle of
first-order functions and relations, and nothing in a spec needs a second order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from compiler.diagnostics import Span


@dataclass(frozen=True, slots=True)
class BoolType:
    """`bool`."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class IntType:
    """A whole number: only in thresholds and assumptions, never in a variable."""

    def __str__(self) -> str:
        return "int"


@dataclass(frozen=True, slots=True)
class EnumType:
    """An enum; `members` in the order of the declaration."""

    name: str
    members: tuple[str, ...]
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class RoleType:
    """A role; a value is the identity of one of its nodes."""

    name: str
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """A type of which only equality is known."""

    name: str
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OrderedType:
    """A total order with a least element `zero`; with `owner`, each value belongs to a node.

    `counts`: it is a counter, whose values are zero, its successor, and so on.
    """

    name: str
    owner: RoleType | None
    span: Span = field(compare=False)
    counts: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class QuorumType:
    """A quorum; a value is a set of nodes of `role` that meets the threshold."""

    name: str
    role: RoleType
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record; `fields` in the order of the declaration."""

    name: str
    fields: tuple[tuple[str, Type], ...]
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TupleType:
    """`(T, U)`."""

    parts: tuple[Type, ...]

    def __str__(self) -> str:
        return "(" + ", ".join(str(part) for part in self.parts) + ")"


@dataclass(frozen=True, slots=True)
class OptionType:
    """`option T`."""

    content: Type

    def __str__(self) -> str:
        return f"option {self.content}"


@dataclass(frozen=True, slots=True)
class SetType:
    """`set T`."""

    element: Type

    def __str__(self) -> str:
        return f"set {self.element}"


@dataclass(frozen=True, slots=True)
class MapType:
    """`map K to V`: total, every key has the default of `V` until it is assigned."""

    key: Type
    value: Type

    def __str__(self) -> str:
        return f"map {self.key} to {self.value}"


Type: TypeAlias = (
    "BoolType | IntType | EnumType | RoleType | OpaqueType | OrderedType | QuorumType"
    " | RecordType | TupleType | OptionType | SetType | MapType"
)

BOOL = BoolType()
INT = IntType()


def is_flat(type_: Type) -> bool:
    """Whether values of `type_` are a fixed number of elements of sorts."""
    match type_:
        case RecordType(fields=fields):
            return all(is_flat(field_type) for _, field_type in fields)
        case TupleType(parts=parts):
            return all(is_flat(part) for part in parts)
        case OptionType() | SetType() | MapType() | IntType():
            return False
        case _:
            return True


def has_default(type_: Type) -> bool:
    """Whether a variable of `type_` may stand without an initial value.

    `bool` is false, an ordered type `zero`, an option `none`, a set or map empty; a record or
    tuple has a default if each of its parts has.
    """
    match type_:
        case RecordType(fields=fields):
            return all(has_default(field_type) for _, field_type in fields)
        case TupleType(parts=parts):
            return all(has_default(part) for part in parts)
        case MapType(value=value):
            return has_default(value)
        case BoolType() | OrderedType() | OptionType() | SetType():
            return True
        case _:
            return False
