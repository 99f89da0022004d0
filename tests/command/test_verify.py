"""`accordant verify`: verdicts, exit codes, options, and the cache."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from compiler.command.front import compile_file
from compiler.command.report import text_report
from compiler.diagnostics import Source, Span
from compiler.prove.verdict import FactProved, FactResult, Report
from tests.command.running import ONCE, ROOT, run


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["once"], 0),
        (["forgetful"], 1),
        (["weak"], 1),
        (["once", "forgetful"], 1),
        (["forgetful", "once"], 1),
        (["once", "once"], 0),
    ],
)
def test_the_exit_code_is_that_of_the_worst_verdict(files: list[str], code: int) -> None:
    result = run("verify", "--jobs", "1", *(f"{name}.accord" for name in files))
    assert (result.code, result.err) == (code, "")
    assert [line for line in result.out.splitlines() if line.endswith("accord: Once")] == [
        f"{name}.accord: Once" for name in files
    ]


def test_a_mistake_in_one_file_is_told_before_anything_is_proved(work: Path) -> None:
    (work / "bad.accord").write_text(ONCE.replace("some value", "valeu"))
    result = run("verify", "once.accord", "bad.accord")
    assert (result.code, result.out) == (2, "")
    assert "error[E101]" in result.err


def test_a_refutation_shows_an_execution() -> None:
    result = run("verify", "forgetful.accord")
    assert "one_value is broken by this execution" in result.out
    assert "  2. s1: crash" in result.out
    assert "after\n  * s1.kept = none  (was some v0)" in result.out


def test_out_of_time_is_unknown_soon_and_never_proved(work: Path) -> None:
    start = time.monotonic()
    result = run("verify", ROOT / "specs/paxos.accord", "--timeout", "0.5", "--no-cache")
    assert time.monotonic() - start < 20
    assert result.code == 3
    assert "unknown: Paxos" in result.out.splitlines()[-1]
    assert "    agreement                                  proved" not in result.out


def test_only_what_is_named_is_proved() -> None:
    result = run("verify", "once.accord", "--only", "one_value", "--json")
    (report,) = json.loads(result.out)
    assert report["selected"] == ["one_value"]
    assert {obligation["name"] for obligation in report["obligations"]} == {"one_value"}


def test_only_may_name_what_is_in_one_of_the_files() -> None:
    result = run("verify", "weak.accord", "once.accord", "--only", "what_is_told_is_kept")
    assert result.code == 0
    assert "weak.accord" not in result.out


def test_only_with_an_unknown_name() -> None:
    close = run("verify", "once.accord", "--only", "one_vale")
    assert (close.code, close.out) == (2, "")
    assert (
        close.err == "accordant: --only: nothing is called `one_vale`; did you mean `one_value`?\n"
    )
    far = run("verify", "once.accord", "--only", "zzz")
    assert far.code == 2
    assert "there are\n  one_value, what_is_told_is_kept, Store.on_request_put" in far.err


def test_quorum_lines_read_well_with_any_name() -> None:
    model = compile_file(Path("once.accord")).model
    span = Span(Source("once.accord", ONCE), 1, 1, 1, 1)
    facts = tuple(
        FactResult(kind, "Everyone", FactProved(), span) for kind in ("available", "monotone")
    )
    lines = text_report(Report(model, (), facts, (), (), (), (), 0.0), "once.accord").splitlines()
    assert [line.split("  ")[2] for line in lines[2:4]] == [
        "Everyone: all nodes together are one",
        "Everyone: a larger set is one too",
    ]


# --- the cache -----------------------------------------------------------------------------------


def counts(text: str) -> str:
    return next(line for line in text.splitlines() if "obligations: " in line).strip()


def test_the_second_run_is_answered_from_the_cache(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCORDANT_CACHE", str(work / "cache"))
    assert "proved by the solver" in counts(run("verify", "once.accord").out)
    again = counts(run("verify", "once.accord").out)
    assert "from the cache" in again
    assert "solver" not in again
    assert "from the cache" not in counts(run("verify", "once.accord", "--no-cache").out)


@pytest.mark.parametrize("place", ["file", "file/below", "read-only"])
def test_a_cache_that_cannot_be_written_changes_no_verdict(
    work: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (work / "file").write_text("not a directory")
    (work / "read-only").mkdir(mode=0o500)
    monkeypatch.setenv("ACCORDANT_CACHE", str(work / place))
    assert run("verify", "once.accord").code == 0


def test_a_cache_in_the_present_directory_is_the_default(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCORDANT_CACHE")
    run("verify", "once.accord")
    assert (work / ".accordant" / "cache").is_dir()


def test_a_spoilt_cache_is_no_proof(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORDANT_CACHE", str(work / "cache"))
    run("verify", "once.accord")
    for entry in (work / "cache").rglob("*.json"):
        entry.write_bytes(b"\x00 not JSON")
    result = run("verify", "once.accord")
    assert result.code == 0
    assert "from the cache" not in counts(result.out)


# --- executions for the generated code -----------------------------------------------------------


def test_an_execution_is_saved_and_replays_on_the_generated_code(work: Path) -> None:
    result = run("verify", "forgetful.accord", "--save-executions", "found")
    assert result.code == 1
    assert sorted(path.name for path in (work / "found").iterdir()) == [
        "forgetful_one_value.json",
        "forgetful_what_is_told_is_kept.json",
    ]
    assert run("build", "--unproved", "forgetful.accord").code == 0
    replayed = run(
        "simulate", "generated/forgetful.py", "--replay", "found/forgetful_one_value.json"
    )
    assert replayed.code == 1
    assert "violation: property `one_value`" in replayed.out


def test_executions_that_cannot_be_saved(work: Path) -> None:
    (work / "file").write_text("")
    result = run("verify", "forgetful.accord", "--save-executions", "file")
    assert result.code == 2
    assert "accordant: cannot write file/forgetful_one_value.json" in result.err
