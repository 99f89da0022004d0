"""From a file to a model: the stages that every command begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compiler.check import check, checked
from compiler.command.mistakes import InternalError
from compiler.diagnostics import Diagnostic, Diagnostics, Source
from compiler.model.lower import lower
from compiler.model.system import Model
from compiler.model.validate import validate
from compiler.syntax import load, parse


@dataclass(frozen=True, slots=True)
class Compiled:
    """One spec, as far as the model; `warnings` in source order."""

    source: Source
    protocol: checked.Protocol
    model: Model
    warnings: tuple[Diagnostic, ...]


def compile_file(path: Path) -> Compiled:
    """Read, parse, check and lower a spec.

    Raises `SpecError` with all mistakes of the first stage that finds one, and `InternalError`
    if the model is not well formed.
    """
    source = load(path)
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    diagnostics.raise_errors()
    assert tree is not None
    protocol = check(tree, source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    model = lower(protocol)
    flaws = validate(model)
    if flaws:
        raise InternalError("the model is not well formed: " + "; ".join(flaws))
    return Compiled(source, protocol, model, tuple(diagnostics.sorted()))
