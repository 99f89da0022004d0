"""Durable values as bytes that say themselves what they are.

A durable variable has no type that could be asked for at run time, so its value is written with the
names of what it is made of: MessagePack, in which a tuple is an array, and sets, members of enums,
and values of the module's classes are extensions. Equal values have equal bytes, also where a set
iterates in another order: the bytes of keys are compared.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Final

import msgspec

from runtime.contract import Module

_SET: Final = 1
_ENUM: Final = 2
_CLASS: Final = 3
_SIMPLE: Final = frozenset({str, int, bytes})
_PLAIN: Final = frozenset({str, int, bytes, bool, type(None)})


class StoredValueError(Exception):
    """A value cannot be stored, or bytes are no stored value; the message says why."""


class ValueCodec:
    """Encodes and decodes the durable values of one module."""

    def __init__(self, module: Module) -> None:
        classes = [
            class_
            for class_ in vars(module).values()
            if isinstance(class_, type) and class_.__module__ == module.__name__
        ]
        self._enums = {c.__name__: c for c in classes if issubclass(c, enum.Enum)}
        made = [*module.RECORDS.values(), *(c for c in classes if issubclass(c, tuple))]
        self._classes: dict[str, Any] = {c.__name__: c for c in made}
        self._names = {class_: name for name, class_ in self._classes.items()}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._extension).decode

    def encode(self, value: object) -> bytes:
        """Return the bytes of a value; `StoredValueError` if it is of no durable type."""
        try:
            return self._encode(value if type(value) in _PLAIN else self._plain(value))
        except (ValueError, OverflowError) as error:
            raise StoredValueError(f"{value!r:.80} cannot be stored: {error}") from None

    def encode_keys(self, keys: tuple[object, ...]) -> bytes:
        """Return the bytes of the keys of a map, the same for all that are equal."""
        try:
            if len(keys) == 1 and type(keys[0]) in _SIMPLE:
                return self._encode(keys)  # an entry of a log, most of the time
            return self._encode(self._plain(_same(keys)))
        except (ValueError, OverflowError) as error:
            raise StoredValueError(f"{keys!r:.80} cannot be stored: {error}") from None

    def decode(self, data: bytes) -> Any:
        """Return the value of some bytes; `StoredValueError` if there is none."""
        try:
            return _tuples(self._decode(data))
        except (msgspec.DecodeError, ValueError, TypeError, LookupError) as error:
            raise StoredValueError(f"no value of the module: {error}") from None

    def _plain(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN or kind is float:
            return value
        if kind is tuple:
            return [self._plain(part) for part in value]
        if kind is frozenset or kind is set:
            elements = sorted(self._encode(self._plain(element)) for element in value)
            return msgspec.msgpack.Ext(_SET, self._encode(elements))
        if isinstance(value, enum.Enum):
            return msgspec.msgpack.Ext(_ENUM, self._encode([kind.__name__, value.value]))
        name = self._names.get(kind)
        if name is None:
            raise StoredValueError(f"{value!r:.80} is of no durable type")
        parts: Any = value
        if not isinstance(value, tuple):
            parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return msgspec.msgpack.Ext(
            _CLASS, self._encode([name, *(self._plain(part) for part in parts)])
        )

    def _extension(self, code: int, data: memoryview) -> Any:
        parts = self._decode(data)
        if code == _SET:
            return frozenset([_tuples(self._decode(element)) for element in parts])
        name, *fields = parts
        if code == _ENUM:
            return self._enums[name](*fields)
        if code == _CLASS:
            return self._classes[name](*map(_tuples, fields))
        raise ValueError(f"the unknown extension {code}")


def _tuples(value: Any) -> Any:
    """Return a decoded value with tuples for its lists."""
    return tuple([_tuples(part) for part in value]) if type(value) is list else value


def _same(value: Any) -> Any:
    """Return one value for all that are equal to `value`: 1, 1.0 and True are one key of a map."""
    kind = type(value)
    if kind is bool or (kind is float and value.is_integer() and -(2**63) <= value < 2**64):
        return int(value)
    if kind is tuple or kind is frozenset:
        return kind([_same(part) for part in value])
    if dataclasses.is_dataclass(value):
        return kind(*[_same(getattr(value, field.name)) for field in dataclasses.fields(value)])
    return value
