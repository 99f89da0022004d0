"""Loading modules: what is wrong with a file is said, and nothing else escapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.load import LoadError, load
from tests.runtime.building import PAXOS, compiled, module_path


def test_a_generated_module_loads_once() -> None:
    path = module_path(PAXOS)
    assert load(path) is load(path)
    assert load(path).PROTOCOL == "Paxos"


def test_a_missing_file() -> None:
    with pytest.raises(LoadError, match="cannot be read: No such file"):
        load("no/such/file.py")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no python at all", "cannot be imported: SyntaxError"),
        ("raise ValueError('no')", "cannot be imported: ValueError: no"),
        ("x = 1", "has no `PROTOCOL`"),
    ],
)
def test_a_file_that_is_no_module(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(text)
    with pytest.raises(LoadError, match=problem):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("\nTIMERS:", "\nCLOCKS:", "has no `TIMERS`"),
        ("def recover(", "def revive(", "role `Acceptor` has no method `recover`"),
        ('"Learner": "learner"', '"Learner": "student"', "`Cluster` has no field `student`"),
        ("\nSINGLE:", "\nUNIQUE:", "has no `SINGLE`"),
    ],
)
def test_a_module_that_breaks_the_contract(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text, _ = compiled(PAXOS)
    assert old in text
    path = tmp_path / "changed.py"
    path.write_text(text.replace(old, new))
    with pytest.raises(LoadError) as caught:
        load(path)
    assert any(problem in p for p in caught.value.problems)
