"""Every test works in an empty directory, with a cache of proofs that the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.running import FORGETFUL, ONCE, WEAK


@pytest.fixture(scope="session")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proofs")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, proofs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the present directory, which holds three specs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACCORDANT_CACHE", str(proofs))
    for name, text in (("once", ONCE), ("forgetful", FORGETFUL), ("weak", WEAK)):
        (tmp_path / f"{name}.accord").write_text(text)
    return tmp_path
