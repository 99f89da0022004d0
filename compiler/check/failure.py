"""The type and the expression that stand where a mistake was found.

They let checking go on without follow-up mistakes: the error type agrees with every type. It
is not one of the language's types, and no tree that holds it leaves this room, because `check`
returns no tree once it has reported an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from compiler.check import checked
from compiler.check.types import MapType, OptionType, RecordType, SetType, TupleType, Type
from compiler.diagnostics import Span


@dataclass(frozen=True, slots=True)
class _ErrorType:
    """The type of what could not be typed."""

    def __str__(self) -> str:
        return "an unknown type"


ERROR: Type = cast("Type", _ErrorType())


def failure(span: Span) -> checked.Expression:
    """Return the expression that stands for one with a mistake in it."""
    return checked.Local(checked.Binding("_", ERROR, 0, span), span)


def broken(type_: Type) -> bool:
    """Whether the error type occurs in `type_`."""
    match type_:
        case OptionType(content=content):
            return broken(content)
        case SetType(element=element):
            return broken(element)
        case MapType(key=key, value=value):
            return broken(key) or broken(value)
        case TupleType(parts=parts):
            return any(broken(part) for part in parts)
        case RecordType(fields=fields):
            return any(broken(field_type) for _, field_type in fields)
        case _:
            return type_ == ERROR


def agree(left: Type, right: Type) -> bool:
    """Whether the types are equal as far as they are known."""
    return left == right or broken(left) or broken(right)
