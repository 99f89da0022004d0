"""`accordant simulate`: seeds, violations, and schedules."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.command.running import run

FEW = ("--seeds", "3", "--steps", "40", "--jobs", "1")


@pytest.fixture
def forgetful(work: Path) -> str:
    assert run("build", "--unproved", "forgetful.accord").code == 0
    return "generated/forgetful.py"


def test_a_protocol_that_is_right(work: Path) -> None:
    run("build", "once.accord")
    result = run("simulate", "generated/once.py", *FEW, "--nodes", " Store = 2 ,")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Once: 3 seeds, 120 steps (")
    assert result.out.endswith("no violation\n")


def test_without_checks_neither_spec_nor_verdict_is_needed(work: Path) -> None:
    run("build", "once.accord")
    (work / "once.accord").unlink()
    result = run("simulate", "generated/once.py", *FEW, "--check", "off")
    assert result.code == 0
    assert result.out.endswith("done\n")


def test_a_violation_is_saved_and_runs_again(work: Path, forgetful: str) -> None:
    result = run("simulate", forgetful, "--seeds", "20", "--jobs", "1", "--save", "found.json")
    assert result.code == 1
    assert "run it again: accordant simulate generated/forgetful.py --replay found.json" in (
        result.out
    )
    again = run("simulate", forgetful, "--replay", "found.json")
    assert again.code == 1
    assert "violation: property" in again.out
    data = json.loads(run("simulate", forgetful, "--replay", "found.json", "--json").out)
    assert [violation["kind"] for violation in data["violations"]] == ["property"]


def test_a_schedule_that_cannot_be_saved_does_not_hide_the_violation(
    work: Path, forgetful: str
) -> None:
    result = run("simulate", forgetful, "--seeds", "20", "--jobs", "1", "--save", "no/such/place")
    assert result.code == 1
    assert result.err == "accordant: cannot write no/such/place: No such file or directory\n"
    assert "violation in seed" in result.out
    assert "run it again" not in result.out


def test_a_replay_without_checks_finds_nothing(work: Path, forgetful: str) -> None:
    run("simulate", forgetful, "--seeds", "20", "--jobs", "1", "--save", "found.json")
    result = run("simulate", forgetful, "--replay", "found.json", "--check", "off")
    assert result.code == 0


def test_the_same_seeds_give_the_same_result(work: Path, forgetful: str) -> None:
    def data() -> dict[str, object]:
        found = json.loads(run("simulate", forgetful, *FEW, "--json").out)
        return {key: found[key] for key in found if not key.startswith("seconds")} | {
            "steps_per_second": None
        }

    assert data() == data()
    assert os.listdir(work / "generated") == ["forgetful.py"]
