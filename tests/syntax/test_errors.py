"""Every mistake of form has a diagnostic: `errors/NAME.accord` gives exactly `errors/NAME.err`.

`ACCORDANT_UPDATE_GOLDENS=1` writes the `.err` files anew, to be read in review.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from compiler.diagnostics import Code, Diagnostics
from compiler.diagnostics.render import render
from compiler.syntax import load, parse

ERRORS = Path(__file__).parent / "errors"
SPECS = sorted(ERRORS.glob("*.accord"))


def report(path: Path) -> str:
    """What a user is told about a file."""
    diagnostics = Diagnostics()
    source = load(path)
    parse(source, diagnostics)
    return render(diagnostics.sorted(), color=False).replace(str(path), path.name)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_diagnostics_are_the_golden_ones(path: Path) -> None:
    golden = path.with_suffix(".err")
    reported = report(path)
    if os.environ.get("ACCORDANT_UPDATE_GOLDENS"):
        golden.write_text(reported, "utf-8")
    assert reported == golden.read_text("utf-8")


def test_every_code_of_form_has_a_golden() -> None:
    seen = set(re.findall(r"^error\[(E0\d\d)\]", "\n".join(map(report, SPECS)), re.MULTILINE))
    assert seen == {code.value for code in Code if code.value.startswith("E0")}


def test_no_diagnostic_names_a_token_type() -> None:
    for path in SPECS:
        messages = re.findall(r"^(?:error|help).*", report(path), re.MULTILINE)
        for message in messages:
            words = re.sub(r"\[E\d+\]|`[^`]*`|U\+[0-9A-F]+|NAME|T: …", "", message)
            assert not re.search(r"\b_?[A-Z]{2,}", words), message
