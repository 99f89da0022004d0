"""Modules and models for the tests, built from specs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from compiler.check import check
from compiler.diagnostics import Diagnostics
from compiler.emit.module import emit
from compiler.model.lower import lower
from compiler.model.system import Model
from compiler.syntax import load as load_source
from compiler.syntax import parse
from runtime.contract import Module
from runtime.load import load

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
ALL_CONSTRUCTS = ROOT / "tests" / "specs" / "all_constructs.accord"


@cache
def scratch() -> Path:
    """Return a directory for modules that is removed at the end of the tests."""
    holder = tempfile.TemporaryDirectory(prefix="accordant-runtime-tests-")
    _HOLDERS.append(holder)
    return Path(holder.name)


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []


@cache
def compiled(spec: Path) -> tuple[str, Model]:
    """Return the text of the module for a spec, and its model."""
    source = load_source(spec)
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    diagnostics.raise_errors()
    assert tree is not None
    protocol = check(tree, source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    return emit(protocol, spec_path=spec.name, proved=False), lower(protocol)


def model_of(spec: Path) -> Model:
    """Return the model of a spec."""
    return compiled(spec)[1]


def module_path(spec: Path, changes: Iterable[tuple[str, str]] = ()) -> Path:
    """Return the file of the module for a spec, with some of its text changed."""
    text = compiled(spec)[0]
    for old, new in changes:
        assert old in text, f"the generated code has no {old!r}"
        text = text.replace(old, new)
    path = scratch() / f"{spec.stem}_{abs(hash(text)):x}.py"
    path.write_text(text)
    return path


def module_of(spec: Path, changes: Iterable[tuple[str, str]] = ()) -> Module:
    """Return the module for a spec, with some of its text changed."""
    return load(module_path(spec, changes))


PAXOS = SPECS / "paxos.accord"
TWO_PHASE_COMMIT = SPECS / "two_phase_commit.accord"
PAXOS_SIZES = {"Proposer": 2, "Acceptor": 3, "Learner": 2}
