"""The frame of a handler: its lines so far, its local names, and how patterns bind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from compiler.check import checked
from compiler.check.types import RecordType, Type
from compiler.emit.expressions import Expressions
from compiler.emit.names import Scope
from compiler.emit.simplify import Statements, locals_in


@dataclass(slots=True)
class Lines:
    """Lines of code, each with its depth; not wrapped yet."""

    items: list[tuple[int, str]] = field(default_factory=list)
    depth: int = 0

    def add(self, text: str) -> None:
        """Append a line."""
        self.items.append((self.depth, text))

    def guard(self, condition: str, result: str = "None") -> None:
        """Append an early return."""
        self.add(f"if {condition}:")
        self.items.append((self.depth + 1, f"return {result}"))


class Frame:
    """The lines and local names of one handler.

    `used` are the numbers of the bindings that code reads.
    """

    def __init__(self, expressions: Expressions, scope: Scope, used: set[int]) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.scope = scope
        self.used = used
        self.lines = Lines()
        self._temporaries = 0

    def bind(self, binding: checked.Binding, form: object = "plain") -> str:
        """Return the local variable of a binding.

        Branches may bind one name each for itself; they share a variable if its type is the
        same too, which `form` says as far as the language's types don't.
        """
        known = self.expressions.locals.get(binding.number)
        if known is not None and known.isidentifier():
            return known
        name = self.scope.give((binding.name, binding.type, form), binding.name)
        self.expressions.locals[binding.number] = name
        return name

    def is_used(self, pattern: checked.Pattern) -> bool:
        """Whether code reads any name that the pattern binds."""
        match pattern:
            case checked.BindPattern(binding=binding):
                return binding.number in self.used
            case checked.IgnorePattern():
                return False
            case checked.TuplePattern(parts=parts):
                return any(self.is_used(part) for part in parts)
            case _:
                assert_never(pattern)

    def target(self, pattern: checked.Pattern, top: bool = True) -> str | None:
        """Return the pattern as the target of an assignment; None if Python has none for it."""
        match pattern:
            case checked.BindPattern(binding=binding):
                return self.bind(binding) if self.is_used(pattern) else "_"
            case checked.IgnorePattern():
                return "_"
            case checked.TuplePattern(type=RecordType()):
                return None if self.is_used(pattern) else "_"
            case checked.TuplePattern(parts=parts):
                if not self.is_used(pattern):
                    return "_"
                targets = [self.target(part, top=False) for part in parts]
                known = [target for target in targets if target is not None]
                if len(known) < len(targets):
                    return None
                text = ", ".join(known)
                return text if top else f"({text})"
            case _:
                assert_never(pattern)

    def unpack(self, pattern: checked.Pattern, value: str) -> None:
        """Bind the names of a pattern to the parts of a value, which is cheap to write again."""
        if not self.is_used(pattern):
            return
        target = self.target(pattern)
        if target is not None:
            if target != value:
                self.lines.add(f"{target} = {value}")
            return
        assert isinstance(pattern, checked.TuplePattern)
        for part, (place, _) in zip(pattern.parts, self.parts(pattern, value), strict=True):
            self.unpack(part, place)

    def parts(self, pattern: checked.TuplePattern, value: str) -> Iterator[tuple[str, Type]]:
        """Yield where the parts of a value are, with their types."""
        match pattern.type:
            case RecordType(fields=fields):
                class_ = self.names.type(pattern.type)
                for name, type_ in fields:
                    yield f"{value}.{self.names.field(class_, name)}", type_
            case tuple_type:
                for index, type_ in enumerate(tuple_type.parts):
                    yield f"{value}[{index}]", type_

    def refer(self, pattern: checked.Pattern, value: str) -> None:
        """Let the names of a pattern stand for the parts of a value, without binding them."""
        match pattern:
            case checked.BindPattern(binding=binding):
                self.expressions.locals[binding.number] = value
            case checked.IgnorePattern():
                pass
            case checked.TuplePattern(parts=parts):
                places = self.parts(pattern, value)
                for part, (place, _) in zip(parts, places, strict=True):
                    self.refer(part, place)
            case _:
                assert_never(pattern)

    def forget(self, pattern: checked.Pattern) -> None:
        """Forget what the names of a pattern stood for in the condition."""
        match pattern:
            case checked.BindPattern(binding=binding):
                self.expressions.locals.pop(binding.number, None)
            case checked.IgnorePattern():
                pass
            case checked.TuplePattern(parts=parts):
                for part in parts:
                    self.forget(part)
            case _:
                assert_never(pattern)

    def temporary(self, wanted: str) -> str:
        """Return a local variable that the spec has no name for."""
        self._temporaries += 1
        return self.scope.give((wanted, self._temporaries), wanted)

    def unpack_all(self, unpacked: list[tuple[checked.Pattern, str]], body: Statements) -> None:
        """Bind the names that a condition has matched and `body` uses."""
        used = self.used
        self.used = used & {local.binding.number for local in locals_in(body)}
        for pattern, place in unpacked:
            self.forget(pattern)
            self.unpack(pattern, place)
        self.used = used
