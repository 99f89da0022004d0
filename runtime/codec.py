"""Values of a module as JSON and back, by the module's own tables and types.

A message is `{"Promise": [[1, "p1"], null]}`: its name in the spec and its fields in order.
Ordered values, records and tuples are lists, a set is a list in a fixed order, a member of an
enum is its name, `none` is null. Decoding goes by the declared types, so nothing needs to be
marked but the bytes among opaque values, `{"bytes": …}` in base 64; an encoding depends on the
value alone, never on the order in which a set iterates.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, TypeAlias, assert_never

from runtime.contract import Message, Module
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
    Types,
)

Json: TypeAlias = Any


class CodecError(Exception):
    """A value cannot be encoded, or JSON does not fit a type; the message says which."""


class Codec:
    """The codec of one module."""

    def __init__(self, module: Module) -> None:
        self.types = Types(module)
        self._module = module
        self._names: dict[object, str] = {
            class_: name
            for table in (module.MESSAGES, module.REQUESTS, module.OUTPUTS, module.QUESTIONS)
            for name, class_ in table.items()
        }
        self._names |= {class_: timer for (_, timer), class_ in module.TIMERS.items()}

    def name(self, message: Message) -> str:
        """Return the name in the spec of a message, request, output, timer or question."""
        try:
            return self._names[type(message)]
        except KeyError:
            raise CodecError(f"{message!r} is of no declared kind") from None

    # --- encoding ------------------------------------------------------------------------

    def encode(self, value: object) -> Json:
        """Return `value` as JSON."""
        match value:
            case None | bool() | int() | str():
                return value
            case float() if math.isfinite(value):
                return value
            case bytes():
                return {"bytes": b64encode(value).decode("ascii")}
            case enum.Enum():
                return value.value
            case tuple():
                return [self.encode(part) for part in value]
            case frozenset() | set():
                return sorted((self.encode(part) for part in value), key=json.dumps)
            case _ if dataclasses.is_dataclass(value):
                return [self.encode(getattr(value, f.name)) for f in dataclasses.fields(value)]
            case _:
                raise CodecError(f"{value!r} has no encoding")

    def encode_message(self, message: Message) -> Json:
        """Return a message, request, output, timer or question as `{name: fields}`."""
        return {self.name(message): self.encode(message)}

    def encode_effect(self, effect: Any) -> Json:
        """Return an effect as JSON: its kind and its parts."""
        module = self._module
        if isinstance(effect, module.Send):
            return {"send": self.encode_message(effect.message), "to": effect.receiver}
        if isinstance(effect, module.Persist):
            writes = [
                [write.variable, self.encode(write.keys), self.encode(write.value)]
                for write in effect.writes
            ]
            return {"persist": writes}
        if isinstance(effect, module.Tell):
            return {"tell": self.encode_message(effect.output)}
        if isinstance(effect, module.Arm):
            timer = self.encode_message(effect.timer)
            return {"arm": timer, "low": effect.low, "high": effect.high}
        if isinstance(effect, module.Disarm):
            return {"disarm": self.encode_message(effect.timer)}
        if isinstance(effect, module.Ask):
            return {"ask": self.encode_message(effect.question)}
        raise CodecError(f"{effect!r} is not an effect")

    # --- decoding ------------------------------------------------------------------------

    def decode_message(self, table: Mapping[str, Any], data: Json) -> Message:
        """Return the message, request, … of `table` that `data` encodes."""
        if not isinstance(data, dict) or len(data) != 1:
            raise CodecError(f"{data!r} is not of the form {{name: fields}}")
        ((name, fields),) = data.items()
        if name not in table:
            known = ", ".join(table)
            raise CodecError(f"nothing here is called `{name}`; there are: {known}")
        message: Message = self._class(self.types.of_class(table[name]), fields, name)
        return message

    def decode_answers(self, data: Mapping[str, Json]) -> tuple[tuple[str, object], ...]:
        """Return answers by the name of the question."""
        answers = []
        for name, value in data.items():
            if name not in self._module.ANSWERS:
                raise CodecError(f"no question is called `{name}`")
            shape = self.types.of(self._module.ANSWERS[name])
            answers.append((name, self.decode(shape, value)))
        return tuple(answers)

    def decode(self, shape: Shape, data: Json) -> Any:
        """Return the value of `shape` that `data` encodes."""
        match shape:
            case BoolShape():
                return _expect(data, bool, "true or false")
            case IntShape():
                number = _expect(data, int, "a whole number")
                if number < 0:
                    raise CodecError(f"{data!r} should be a whole number, 0 or more")
                return number
            case NodeShape():
                return _expect(data, str, "a node's name")
            case OpaqueShape():
                return _opaque(data)
            case EnumShape(enum=members):
                try:
                    return members(data)
                except ValueError:
                    names = ", ".join(str(member.value) for member in members)
                    raise CodecError(f"{data!r} is none of {names}") from None
            case TupleShape(parts=parts):
                values = _expect(data, list, "a list")
                if len(values) != len(parts):
                    raise CodecError(f"{data!r} needs {len(parts)} parts")
                return tuple(self.decode(p, v) for p, v in zip(parts, values, strict=True))
            case ClassShape(make=make):
                return self._class(shape, data, make.__name__)
            case OptionShape(content=content):
                return None if data is None else self.decode(content, data)
            case SetShape(element=element):
                return frozenset(self.decode(element, v) for v in _expect(data, list, "a list"))
            case _:
                assert_never(shape)

    def _class(self, shape: ClassShape, data: Json, name: str) -> Any:
        values = _expect(data, list, f"the list of `{name}`'s fields")
        if len(values) != len(shape.parts):
            raise CodecError(f"`{name}` has {len(shape.parts)} fields, not {len(values)}")
        return shape.make(*(self.decode(p, v) for p, v in zip(shape.parts, values, strict=True)))


def _expect(data: Json, type_: type, what: str) -> Any:
    if not isinstance(data, type_) or (type_ is int and isinstance(data, bool)):
        raise CodecError(f"{data!r} should be {what}")
    return data


def _opaque(data: Json) -> object:
    if isinstance(data, list):
        return tuple(_opaque(part) for part in data)
    if isinstance(data, dict):
        try:
            (_,) = data
            return b64decode(data["bytes"], validate=True)
        except (ValueError, TypeError, KeyError):
            raise CodecError(f"{data!r} is not a value") from None
    return data
