"""The generated modules that tests run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from runtime.load import load

GENERATED: Final = Path(__file__).parents[2] / "generated"
PATHS: Final = sorted(p.stem for p in GENERATED.glob("*.py") if p.stem != "__init__")
MODULES: Final = [load(GENERATED / f"{name}.py") for name in PATHS]


def generated(name: str) -> Any:
    """Return a module by name, untyped: for its classes."""
    return MODULES[PATHS.index(name)]
