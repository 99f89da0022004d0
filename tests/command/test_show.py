"""`accordant show`: the middle of the compiler as text."""

from __future__ import annotations

import pytest

from tests.command.running import ROOT, run


def test_the_model_is_what_is_shown_if_nothing_is_said() -> None:
    plain = run("show", "once.accord")
    assert (plain.code, plain.err) == (0, "")
    assert plain == run("show", "--model", "once.accord")
    assert "one_value" in plain.out


def test_the_encoding_is_another_text() -> None:
    encoding = run("show", "--encoding", ROOT / "specs/paxos.accord")
    assert encoding.code == 0
    assert encoding.out != run("show", ROOT / "specs/paxos.accord").out


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tests/command/once.accord", "Once: every obligation lies in a decidable fragment"),
        ("specs/paxos.accord", "Paxos: some obligations lie outside the decidable fragment, since"),
    ],
)
def test_the_fragment_report(name: str, line: str) -> None:
    result = run("show", "--fragment", ROOT / name)
    assert result.code == 0
    assert result.out.splitlines()[0] == line
