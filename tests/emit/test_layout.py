"""Generated modules are formatted, typed and linted as they are written, and always the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from compiler.emit import emit
from tests.emit.building import ROOT, SPECS, compiled_text, emitted

STRETCHED = (
    *("Server", "Lease", "lease", "voted", "where_from", "site", "enrolled", "heard"),
    *("Worker", "Item", "Pinged", "kept", "place", "nest", "pair", "rank", "last"),
)
TOOLS = Path(sys.executable).parent


def run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the modules for all specs of the house."""
    path = tmp_path_factory.mktemp("generated")
    for spec in SPECS:
        (path / f"{Path(spec).stem}.py").write_text(emitted(spec), encoding="utf-8")
    return path


def test_ruff_formats_nothing_anew(directory: Path) -> None:
    run(TOOLS / "ruff", "format", "--diff", "--config", ROOT / "pyproject.toml", directory)


@pytest.mark.parametrize("seed", [1, 2])
def test_ruff_formats_nothing_anew_where_names_are_long(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    for spec in ("tests/specs/all_constructs.accord", "tests/emit/specs/forms.accord"):
        text = (ROOT / spec).read_text(encoding="utf-8")
        for word in (
            "Server",
            "Lease",
            "lease",
            "voted",
            "where_from",
            "site",
            "enrolled",
            "heard",
        ):
            text = stretch(text, word, random)
        for word in ("Worker", "Item", "Pinged", "kept", "place", "nest", "pair", "rank", "last"):
            text = stretch(text, word, random)
        module = emit(compiled_text(text), spec_path="x.accord", proved=True)
        (tmp_path / f"{Path(spec).stem}.py").write_text(module, encoding="utf-8")
    run(TOOLS / "ruff", "format", "--diff", "--config", ROOT / "pyproject.toml", tmp_path)


def stretch(text: str, word: str, random: Random) -> str:
    """Return a spec with a longer name for `word`, or with the same."""
    longer = word + "_long" * random.choice([0, 1, 3, 6])
    return re.sub(rf"\b{word}\b", longer, text)


def test_ruff_finds_nothing(directory: Path) -> None:
    config = ROOT / "pyproject.toml"
    run(TOOLS / "ruff", "check", "--config", config, "--ignore", "RUF", directory)


def test_mypy_strict_finds_nothing(directory: Path, tmp_path: Path) -> None:
    modules = sorted(directory.glob("*.py"))
    run(
        TOOLS / "mypy",
        "--strict",
        "--config-file",
        os.devnull,
        "--cache-dir",
        tmp_path / "cache",
        *modules,
    )


def test_the_same_bytes_for_every_hash_seed_and_directory(tmp_path: Path) -> None:
    spec = "tests/specs/all_constructs.accord"
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.emit.building import emitted\n"
        f"sys.stdout.buffer.write(emitted({spec!r}).encode())\n"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert done.stdout == emitted(spec).encode()


@pytest.mark.parametrize("name", ["paxos", "two_phase_commit"])
def test_committed_modules_are_what_the_specs_give(name: str) -> None:
    committed = (ROOT / "generated" / f"{name}.py").read_text(encoding="utf-8")
    assert committed == emitted(f"specs/{name}.accord")
