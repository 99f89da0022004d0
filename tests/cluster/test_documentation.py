"""The programs in docs/cluster.md run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cluster.process import environment

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "cluster.md").read_text("utf-8")
SECTION = TEXT.split("## From Python and pytest\n", 1)[1].split("\n## ", 1)[0]
PROGRAM, TEST = re.findall(r"```python\n(.*?)```", SECTION, re.S)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the generated modules in it, as the programs expect it."""
    (tmp_path / "generated").symlink_to(ROOT / "generated")
    return tmp_path


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_context_manager(directory: Path) -> None:
    imports, body = PROGRAM.split("async with", 1)
    block = "".join(f"    {line}\n" for line in f"async with{body}".splitlines())
    text = f"import asyncio\n{imports}async def main():\n{block}\nasyncio.run(main())\n"
    (directory / "program.py").write_text(text, "utf-8")
    run(directory, "-W", "error", "program.py")
    assert (directory / "data" / "cluster.toml").exists()


def test_the_fixture(directory: Path) -> None:
    names = "accordant, accordant_cluster, accordant_simulator"
    (directory / "conftest.py").write_text(f"from runtime.cluster.testing import {names}\n")
    (directory / "test_paxos.py").write_text(TEST, "utf-8")
    out = run(directory, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_paxos.py")
    assert "2 passed" in out
