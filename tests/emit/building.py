"""Compiling specs and loading what the emitter makes of them, in memory."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from compiler.check import check, checked
from compiler.diagnostics import Diagnostics, Source
from compiler.emit import emit
from compiler.syntax import parse

ROOT = Path(__file__).parents[2]
OWN = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/emit/specs").iterdir())
SPECS = [
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "specs").rglob("*.accord")),
    "tests/specs/all_constructs.accord",
    *OWN,
]
"""Every spec of the house that compiles, relative to its root."""


def compiled_text(text: str, path: str = "test.accord") -> checked.Protocol:
    """Return a spec, checked."""
    source = Source(path, text)
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    diagnostics.raise_errors()
    assert tree is not None
    protocol = check(tree, source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    return protocol


@cache
def compiled(path: str) -> checked.Protocol:
    """Return the spec in a file of the house, checked."""
    return compiled_text((ROOT / path).read_text(encoding="utf-8"), path)


@cache
def emitted(path: str) -> str:
    """Return the module for a spec of the house."""
    return emit(compiled(path), spec_path=f"../{path}", proved=True)


def loaded_text(text: str, name: str) -> Any:
    """Return a generated module, executed."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, f"{name}.py", "exec"), vars(module))
    return module


@cache
def loaded(path: str) -> Any:
    """Return the module for a spec of the house, executed."""
    return loaded_text(emitted(path), f"emitted_{Path(path).stem}")
