"""`accordant build`: what is written, when, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command.running import ONCE, run


def test_a_proved_spec_is_built(work: Path) -> None:
    result = run("build", "once.accord")
    assert (result.code, result.out, result.err) == (0, "generated/once.py: written\n", "")
    text = (work / "generated/once.py").read_text()
    assert "PROVED: Final = True" in text


@pytest.mark.parametrize("name", ["forgetful", "weak"])
def test_an_unproved_spec_is_refused(work: Path, name: str) -> None:
    result = run("build", f"{name}.accord")
    assert (result.code, result.out) == (2, "")
    assert "error[E503]: `Once` is not proved" in result.err
    assert not (work / "generated").exists()


def test_unproved_is_said_in_the_module(work: Path) -> None:
    result = run("build", "--unproved", "forgetful.accord")
    assert (result.code, result.out) == (0, "generated/forgetful.py: written, not proved\n")
    text = (work / "generated/forgetful.py").read_text()
    assert "PROVED: Final = False" in text
    assert "Proved: NO (built with --unproved)" in text


def test_one_refusal_leaves_all_files_as_they_were(work: Path) -> None:
    (work / "generated").mkdir()
    (work / "generated/once.py").write_text("old")
    assert run("build", "once.accord", "weak.accord").code == 2
    assert [path.name for path in (work / "generated").iterdir()] == ["once.py"]
    assert (work / "generated/once.py").read_text() == "old"


def test_one_file_that_cannot_be_written_leaves_all_as_they_were(work: Path) -> None:
    (work / "copy.accord").write_text(ONCE)
    (work / "generated/once.py").mkdir(parents=True)
    result = run("build", "copy.accord", "once.accord")
    assert (result.code, result.out) == (2, "")
    assert "error[E504]" in result.err
    assert "generated/once.py" in result.err
    assert [path.name for path in (work / "generated").iterdir()] == ["once.py"]


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_an_output_that_is_no_directory(work: Path, output: str) -> None:
    (work / "file").write_text("kept")
    result = run("build", "once.accord", "--output", output)
    assert (result.code, result.out) == (2, "")
    assert "error[E504]: the generated module can't be written" in result.err
    assert (work / "file").read_text() == "kept"


def test_two_specs_of_one_module_name(work: Path) -> None:
    (work / "other").mkdir()
    (work / "other/once.accord").write_text(ONCE)
    result = run("build", "once.accord", "other/once.accord")
    assert result.code == 2
    assert "once.accord and other/once.accord would both be built into generated/once.py" in (
        result.err
    )
    assert not (work / "generated").exists()


def test_building_twice_and_from_elsewhere_gives_the_same_bytes(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("build", "once.accord")
    first = (work / "generated/once.py").read_bytes()
    run("build", "once.accord")
    assert (work / "generated/once.py").read_bytes() == first
    (work / "elsewhere").mkdir()
    monkeypatch.chdir(work / "elsewhere")
    run("build", work / "once.accord", "--output", work / "generated")
    assert (work / "generated/once.py").read_bytes() == first
    run("build", "../once.accord", "--output", "../generated")
    assert (work / "generated/once.py").read_bytes() == first


def test_check_compares_and_writes_nothing(work: Path) -> None:
    missing = run("build", "--check", "once.accord")
    assert missing.code == 1
    assert not (work / "generated").exists()
    run("build", "once.accord")
    same = run("build", "--check", "once.accord")
    assert (same.code, same.out, same.err) == (0, "", "")
    path = work / "generated/once.py"
    path.write_text(path.read_text() + "\n")
    different = run("build", "--check", "once.accord")
    assert different.code == 1
    assert different.out == (
        "generated/once.py: not what `accordant build` makes of its spec now\n"
    )


def test_check_tells_a_module_that_was_not_proved_from_one_that_was(work: Path) -> None:
    run("build", "--unproved", "once.accord")
    assert run("build", "--check", "once.accord").code == 1
    assert run("build", "--check", "--unproved", "once.accord").code == 0
