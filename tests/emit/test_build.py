"""Modules are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compiler.diagnostics import Code, SpecError
from compiler.emit import write_module


def test_a_module_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "module.py"
    write_module('"""é"""\n', path)
    assert path.read_bytes() == '"""é"""\n'.encode()
    write_module("", path)
    assert path.read_bytes() == b""
    assert list(path.parent.iterdir()) == [path]


def test_a_module_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write_module("", tmp_path / "module.py")
    assert (tmp_path / "module.py").stat().st_mode == plain.stat().st_mode


def test_what_can_not_be_written_is_a_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpecError) as caught:
        write_module("", tmp_path / "file" / "module.py")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code is Code.CANNOT_WRITE


def test_a_failure_leaves_the_old_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "module.py"
    write_module("old", path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(SpecError):
        write_module("new", path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
