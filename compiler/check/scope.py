"""Local names: what is bound where, and that no name hides another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from compiler.check import checked
from compiler.check.types import Type
from compiler.diagnostics import Code, Diagnostics, Label, Span
from compiler.syntax import tree


class Scope:
    """The local names known at a place, innermost frame last.

    `outer` holds the names that a local must not hide, with the place of each and what it is.
    """

    def __init__(self, numbers: count[int], outer: dict[str, tuple[Span, str]]) -> None:
        self._numbers = numbers
        self._outer = outer
        self._frames: list[dict[str, checked.Binding]] = [{}]
        # Names that a pattern in the wrong place would have bound; their uses are no news.
        self.forgiven: set[str] = set()

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Open a frame: names bound within are forgotten at its end."""
        self._frames.append({})
        try:
            yield
        finally:
            self._frames.pop()

    def find(self, name: str) -> checked.Binding | None:
        """Return the local called `name`."""
        for frame in reversed(self._frames):
            if name in frame:
                return frame[name]
        return None

    def names(self) -> list[str]:
        """Return all local names known here."""
        return [name for frame in self._frames for name in frame]

    def bind(self, name: tree.Name, type_: Type, diagnostics: Diagnostics) -> checked.Binding:
        """Bind a name, and report it if it hides one that is known here already."""
        first = self.find(name.text)
        hidden: tuple[Span, str] | None = (
            (first.span, "bound here") if first is not None else self._outer.get(name.text)
        )
        if name.text in {"self", "zero"}:
            diagnostics.error(
                Code.RESERVED_NAME,
                f"`{name.text}` has a meaning of its own and can't be bound",
                name.span,
                help="choose another name",
            )
        elif hidden is not None:
            span, what = hidden
            diagnostics.error(
                Code.SHADOWED_NAME,
                f"`{name.text}` would hide another `{name.text}`",
                name.span,
                help="choose another name, or write `_` if it isn't used",
                labels=(Label(span, what),),
            )
        return self.define(name.text, type_, name.span)

    def define(self, name: str, type_: Type, span: Span) -> checked.Binding:
        """Bind a name that is known to hide nothing."""
        binding = self.anonymous(name, type_, span)
        self._frames[-1][name] = binding
        return binding

    def anonymous(self, name: str, type_: Type, span: Span) -> checked.Binding:
        """Return a binding that no name in the spec refers to."""
        return checked.Binding(name, type_, next(self._numbers), span)
