"""Lowering, text in and text out: each spec in `lowering/` beside the model that it becomes."""

import os
from pathlib import Path

import pytest

from compiler.command.front import compile_file
from compiler.model.text import show
from compiler.model.validate import validate

FOLDER = Path(__file__).parent / "lowering"


@pytest.mark.parametrize("spec", sorted(FOLDER.glob("*.accord")), ids=lambda path: path.stem)
def test_lowering(spec: Path) -> None:
    model = compile_file(spec).model
    assert validate(model) == []
    golden = spec.with_suffix(".model")
    if os.environ.get("ACCORDANT_UPDATE_GOLDENS"):
        golden.write_text(show(model))
    assert show(model) == golden.read_text()
