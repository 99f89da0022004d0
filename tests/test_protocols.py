"""The examples of docs/protocols.md run, each on its own, after the driver that they share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "protocols.md").read_text(encoding="utf-8")
DRIVER, *EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert DRIVER.startswith("def drive(")
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split()[3])
def test_an_example_runs(example: str) -> None:
    assert len([line for line in example.splitlines() if line]) <= 10
    exec(compile(DRIVER + example, "docs/protocols.md", "exec"), {})
