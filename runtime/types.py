"""The types of a module's values, read from its annotations.

The values that cross a module's border are Booleans, members of enums, node identities,
opaque values, ordered values (named tuples), counters, records, tuples of these, and options.
Opaque types are aliases of `Hashable` in a module and would look alike once resolved, so each gets
a marker class of its own here.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeAlias, Union

from runtime.contract import Module


@dataclass(frozen=True, slots=True)
class BoolShape:
    """`bool`."""


@dataclass(frozen=True, slots=True)
class IntShape:
    """`int`: a counter's value, or the number of an ordered one; 0 or more."""


@dataclass(frozen=True, slots=True)
class NodeShape:
    """The identity of a node of some role."""


@dataclass(frozen=True, slots=True)
class OpaqueShape:
    """An opaque type, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class EnumShape:
    """An enum."""

    enum: type[enum.Enum]


@dataclass(frozen=True, slots=True)
class TupleShape:
    """A tuple."""

    parts: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class ClassShape:
    """A record or a message (`ordered` false), or an ordered type; `make` takes the fields."""

    make: Any
    ordered: bool
    names: tuple[str, ...]
    parts: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class OptionShape:
    """An option: the content or None."""

    content: Shape


@dataclass(frozen=True, slots=True)
class SetShape:
    """A set."""

    element: Shape


Shape: TypeAlias = Union[
    BoolShape,
    IntShape,
    NodeShape,
    OpaqueShape,
    EnumShape,
    TupleShape,
    ClassShape,
    OptionShape,
    SetShape,
]


class Types:
    """The shapes of a module's types."""

    def __init__(self, module: Module) -> None:
        self._names: dict[str, Any] = dict(vars(module))
        self._opaques: dict[object, str] = {}
        for name, value in vars(module).items():
            if value is Hashable and name != "Hashable":
                marker = type(name, (), {})
                self._names[name] = marker
                self._opaques[marker] = name
        self._classes: dict[object, ClassShape] = {}

    def of_class(self, class_: Any) -> ClassShape:
        """Return the shape of a message, request, output, timer, question or record."""
        shape = self._classes.get(class_)
        if shape is None:
            hints = self._hints(class_)
            ordered = not dataclasses.is_dataclass(class_)
            names = tuple(
                class_._fields if ordered else (field.name for field in dataclasses.fields(class_))
            )
            shape = ClassShape(class_, ordered, names, tuple(self.of(hints[n]) for n in names))
            self._classes[class_] = shape
        return shape

    def constants(self, role: Any) -> dict[str, Shape]:
        """Return the shapes of a role's constants, by the names of its keyword arguments."""
        hints: dict[str, Any] = getattr(role.__init__, "__annotations__", {})
        known = {"id", "cluster", "durable", "return"}
        return {name: self.of(hint) for name, hint in hints.items() if name not in known}

    def handlers(self, role: Any, event: Any) -> bool:
        """Whether a handler of `role` takes an `event` (a message, request or timer class)."""
        return any(
            event.__name__ in method.__annotations__.values()
            for name, method in vars(role).items()
            if name.startswith("on_") and isinstance(method, types.FunctionType)
        )

    def _hints(self, subject: Any) -> dict[str, Any]:
        return typing.get_type_hints(subject, globalns=self._names)

    def of(self, hint: Any) -> Shape:
        """Return the shape of a type hint."""
        if isinstance(hint, str):
            hint = typing.get_type_hints(_Holder(hint), globalns=self._names)["it"]
        if hint in self._opaques:
            return OpaqueShape(self._opaques[hint])
        if hint is bool:
            return BoolShape()
        if hint is int:
            return IntShape()
        if hint is str:
            return NodeShape()
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is tuple:
            return TupleShape(tuple(self.of(argument) for argument in arguments))
        if origin in (frozenset, set):
            return SetShape(self.of(arguments[0]))
        if origin in (Union, types.UnionType):
            (content,) = (argument for argument in arguments if argument is not type(None))
            return OptionShape(self.of(content))
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return EnumShape(hint)
        if isinstance(hint, type):
            return self.of_class(hint)
        return OpaqueShape("Value")


class _Holder:
    def __init__(self, hint: str) -> None:
        self.__annotations__ = {"it": hint}
