"""Every mistake the checker knows, as a program that makes it and what is said about it.

`ACCORDANT_UPDATE_GOLDENS=1 pytest tests/check` writes the `.err` files anew.
"""

import os
import re
from pathlib import Path

import pytest

from compiler.check import check
from compiler.diagnostics import Code, Diagnostics, Source
from compiler.diagnostics.render import render
from compiler.syntax import parse

ERRORS = Path(__file__).parent / "errors"
SYNTAX_ERRORS = Path(__file__).parents[1] / "syntax" / "errors"
PROGRAMS = sorted(ERRORS.glob("*.accord"))


def diagnose(path: Path) -> Diagnostics:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    assert tree is not None, render(diagnostics.sorted(), color=False)
    assert not diagnostics.has_errors, render(diagnostics.sorted(), color=False)
    found = check(tree, source, diagnostics)
    assert (found is None) == diagnostics.has_errors
    return diagnostics


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    text = render(diagnose(path).sorted(), color=False)
    golden = path.with_suffix(".err")
    if os.environ.get("ACCORDANT_UPDATE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_has_a_program() -> None:
    assert {path.stem for path in ERRORS.glob("*.err")} == {path.stem for path in PROGRAMS}


def test_every_code_has_a_golden() -> None:
    """Codes of use (`E5..`) are mistakes in options and files, not in specs."""
    shown: set[str] = set()
    for folder in (ERRORS, SYNTAX_ERRORS):
        for golden in folder.glob("*.err"):
            shown |= set(re.findall(r"^\w+\[(\w+)\]", golden.read_text(encoding="utf-8"), re.M))
    wanted = {code.value for code in Code if not code.value.startswith("E5")}
    assert wanted - shown == set()
