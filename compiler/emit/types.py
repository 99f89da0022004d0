"""Types and default values in Python.

A value is *stored* where a node keeps it and changes it in place: then a set is a `set` and a
map a `dict`. Anywhere else it is *fixed*: a set is a `frozenset`. Contents of options, parts of
tuples and records, fields of messages and what is persisted are always fixed, so nothing that
has left a node can change under the hands of whoever got it.
"""

from __future__ import annotations

from typing import assert_never

from compiler.check.types import (
    BoolType,
    EnumType,
    IntType,
    MapType,
    OpaqueType,
    OptionType,
    OrderedType,
    QuorumType,
    RecordType,
    RoleType,
    SetType,
    TupleType,
    Type,
)
from compiler.emit.scopes import Names


def fixed(type_: Type, names: Names) -> str:
    """Return the annotation of values of `type_` that nobody changes."""
    match type_:
        case BoolType():
            return "bool"
        case IntType():
            return "int"
        case RoleType():
            return "NodeId"
        case EnumType() | OpaqueType() | OrderedType() | RecordType():
            return names.type(type_)
        case QuorumType():
            return "frozenset[NodeId]"
        case OptionType(content=content):
            return f"{fixed(content, names)} | None"
        case SetType(element=element):
            return f"frozenset[{fixed(element, names)}]"
        case MapType(key=key, value=value):
            return f"Mapping[{fixed(key, names)}, {fixed(value, names)}]"
        case TupleType(parts=parts):
            return f"tuple[{', '.join(fixed(part, names) for part in parts)}]"
        case _:
            assert_never(type_)


def stored(type_: Type, names: Names) -> str:
    """Return the annotation of a variable of `type_` that a node changes."""
    match type_:
        case SetType(element=element):
            return f"set[{fixed(element, names)}]"
        case MapType(key=key, value=value):
            return f"dict[{fixed(key, names)}, {stored(value, names)}]"
        case _:
            return fixed(type_, names)


def default(type_: Type, names: Names) -> str | None:
    """Return the value that a variable of `type_` has unless another is declared.

    Of a map, that of its entries. None if there is no such value.
    """
    match type_:
        case BoolType():
            return "False"
        case OrderedType():
            return names.zero(type_)
        case OptionType():
            return "None"
        case SetType():
            return "set()"
        case MapType(value=value):
            return default(value, names)
        case TupleType(parts=parts):
            values = [_fixed_default(part, names) for part in parts]
            return _all(values, "(", ")")
        case RecordType(fields=fields):
            values = [_fixed_default(field_type, names) for _, field_type in fields]
            return _all(values, f"{names.type(type_)}(", ")")
        case EnumType() | RoleType() | OpaqueType() | QuorumType() | IntType():
            return None
        case _:
            assert_never(type_)


def _fixed_default(type_: Type, names: Names) -> str | None:
    return "frozenset()" if isinstance(type_, SetType) else default(type_, names)


def _all(values: list[str | None], left: str, right: str) -> str | None:
    present = [value for value in values if value is not None]
    return f"{left}{', '.join(present)}{right}" if len(present) == len(values) else None


def entry_type(type_: Type) -> Type:
    """Return the type of the entries of a map, of maps of maps the innermost."""
    return entry_type(type_.value) if isinstance(type_, MapType) else type_
