"""Running commands: in this process where that will do, in one of their own where it will not."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from compiler.command.main import main

ROOT = Path(__file__).parents[2]
ONCE = (Path(__file__).parent / "once.accord").read_text("utf-8")
"""A small spec that is proved."""
FORGETFUL = ONCE.replace("durable kept", "kept")
"""Refuted: a crash forgets what was told."""
WEAK = ONCE[: ONCE.index("invariant")]
"""Not inductive: true, but without the invariant that the induction needs."""

COMMAND = [sys.executable, "-m", "compiler"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left: its exit code and what it wrote to either stream."""

    code: int
    out: str
    err: str


def run(*arguments: str | Path) -> Result:
    """Run a command in this process, its streams no terminals."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    assert "Traceback" not in err.getvalue()
    return Result(code, out.getvalue(), err.getvalue())


def environment(cache: Path) -> dict[str, str]:
    """Return the environment of a command in a process of its own."""
    return {**os.environ, "ACCORDANT_CACHE": str(cache), "PYTHONPATH": str(ROOT)}


def run_process(cache: Path, *arguments: str | Path, **options: object) -> Result:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    return Result(done.returncode, done.stdout, done.stderr)
