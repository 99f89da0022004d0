"""The example in docs/generated-code.md runs, and prints what it says."""

from __future__ import annotations

import subprocess
import sys

from tests.emit.building import ROOT


def test_the_example_prints_what_the_page_says() -> None:
    page = (ROOT / "docs" / "generated-code.md").read_text(encoding="utf-8")
    _, program, _, printed, *_ = page.split("```")
    done = subprocess.run(
        [sys.executable, "-c", program.removeprefix("python\n")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == printed.removeprefix("\n")
