"""Source places and diagnostics: the bottom room, which knows no other."""

from compiler.diagnostics.catalogue import Code
from compiler.diagnostics.diagnostic import Diagnostic, Diagnostics, Label, Severity, SpecError
from compiler.diagnostics.span import Source, Span

__all__ = ["Code", "Diagnostic", "Diagnostics", "Label", "Severity", "Source", "Span", "SpecError"]
