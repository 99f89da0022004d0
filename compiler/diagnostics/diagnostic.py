"""Diagnostics: what a user is told about a mistake in a spec, as data.

Each kind of mistake has one entry in a catalogue (`catalogue.py`): a stable code and a title.
A `Diagnostic` is one occurrence. A stage collects all mistakes it finds in a `Diagnostics`
and goes on; the driver stops after the first stage that found an error, with
`SpecError` carrying them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from compiler.diagnostics.catalogue import Code
from compiler.diagnostics.span import Span


class Severity(Enum):
    """How bad a diagnostic is: errors stop the compiler, warnings do not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that helps to understand a diagnostic ("first declared here")."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: its code, what is wrong in one sentence, where, and what to do."""

    code: Code
    message: str
    span: Span
    help: str | None = None
    labels: tuple[Label, ...] = ()
    severity: Severity = Severity.ERROR


@dataclass(slots=True)
class Diagnostics:
    """A growing list of diagnostics, handed from stage to stage."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(
        self,
        code: Code,
        message: str,
        span: Span,
        help: str | None = None,
        labels: tuple[Label, ...] = (),
    ) -> None:
        """Record an error."""
        self.items.append(Diagnostic(code, message, span, help, labels))

    def warning(self, code: Code, message: str, span: Span, help: str | None = None) -> None:
        """Record a warning."""
        self.items.append(Diagnostic(code, message, span, help, (), Severity.WARNING))

    @property
    def has_errors(self) -> bool:
        """Whether any error (not only warnings) was recorded."""
        return any(item.severity is Severity.ERROR for item in self.items)

    def sorted(self) -> list[Diagnostic]:
        """Return the diagnostics in source order, each distinct one once."""
        unique = dict.fromkeys(self.items)
        return sorted(
            unique, key=lambda d: (d.span.source.path, d.span.line, d.span.column, d.code.value)
        )

    def raise_errors(self) -> None:
        """Raise `SpecError` with everything recorded so far if there is an error in it."""
        if self.has_errors:
            raise SpecError(tuple(self.sorted()))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)


class SpecError(Exception):
    """A spec has mistakes. Carries all diagnostics, in source order."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__(f"{len(diagnostics)} diagnostics")
