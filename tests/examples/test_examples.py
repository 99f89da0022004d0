"""Each example holds what it promises while it is killed, and notices when it does not hold."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples import bank, shards, wordcount

EXAMPLES = Path(bank.__file__).parent


def example(name: str, *arguments: str, temporary: Path) -> str:
    """Run an example as a user does; return what it prints. Nothing of it may be left."""
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=temporary.parent,
        env=os.environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert list(temporary.iterdir()) == []
    assert processes_with(str(temporary)) == []
    return done.stdout


def processes_with(text: str) -> list[str]:
    """Return the command lines of processes that have `text` in them, where Linux shows them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue  # it has just ended
    return [line for line in lines if text in line]


# --- as they should be -----------------------------------------------------------------------


def test_the_banks_keep_the_sum(tmp_path: Path) -> None:
    small = ["--transfers", "40", "--kills", "3", "--banks", "2", "--clients", "4"]
    printed = example("bank.py", *small, temporary=tmp_path / "tmp")
    assert "40 transfers: " in printed
    assert " 0 committed" not in printed
    assert "killed 3: " in printed
    assert "the banks have 1000, and had 1000" in printed
    assert "no transfer is half done" in printed


def test_words_are_counted_as_in_a_sequential_run(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.mkdir()
    for number in range(6):
        (text / f"{number}.txt").write_text(f"tea for two, tea for {number * 'you '}", "utf-8")
    small = ["--splits", "4", "--partitions", "2", "--workers", "2", "--kills", "2"]
    printed = example("wordcount.py", str(text), *small, temporary=tmp_path / "tmp")
    assert "6 files, 2 workers: " in printed
    assert "killed 2: " in printed
    assert "most frequent: you 15, tea 12, for 12, two 6\n" in printed
    assert "count and index are those of a sequential run" in printed


def test_no_write_to_a_moving_shard_is_lost(tmp_path: Path) -> None:
    small = ["--seconds", "3", "--kills", "2", "--servers", "2", "--clients", "3"]
    printed = example("shards.py", *small, temporary=tmp_path / "tmp")
    writes, moved = (int(printed.split(text)[0].split()[-1]) for text in (" writes", " keys moved"))
    assert writes >= 10
    assert moved >= 5
    assert "killed 2: " in printed
    assert "each is at exactly one server, with its last write" in printed


# --- and with a mistake ------------------------------------------------------------------------


@pytest.mark.parametrize("mistake", ["Forgetful", "Careless"])
def test_a_bank_that_forgets_is_found_out(mistake: str) -> None:
    options = bank.Options(transfers=30, kills=3, banks=2, clients=4)
    where = {"Participant": ("finished",)}
    outcome = asyncio.run(bank.run(options, f"tests.examples.broken:{mistake}", where))
    assert outcome.problems


def test_a_reduce_of_all_attempts_is_found_out() -> None:
    options = wordcount.Options(splits=4, partitions=1, workers=2, kills=1)
    where = {"Worker": ("mapped",)}
    outcome = asyncio.run(wordcount.run(options, "tests.examples.broken:Greedy", where))
    assert not outcome.equal
    assert outcome.result["count"]["the"] > 100


def test_an_answer_before_the_disk_is_found_out() -> None:
    options = shards.Options(seconds=2, kills=3, servers=2, clients=3)
    where = {"Node": ("answered",)}
    outcome = asyncio.run(shards.run(options, "tests.examples.broken:Hasty", where))
    assert any("was acknowledged" in problem for problem in outcome.problems)


def test_a_key_at_two_servers_is_found_out() -> None:
    options = shards.Options(seconds=2, kills=3, servers=2, clients=3)
    where = {"Node": ("moved",)}
    store = "tests.examples.broken:KeepsWhatItGave"
    outcome = asyncio.run(shards.run(options, points=where, store=store))
    assert outcome.problems


# --- the command line --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--banks", "1"], "--banks must be 2 or more"),
        (["--transfers", "many"], "invalid int value: 'many'"),
        (["--data", str(EXAMPLES)], "is there already, and not empty"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        bank.main(arguments)
    assert refused.value.code == 2
    assert message in capsys.readouterr().err


def test_a_directory_without_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wordcount.main([str(tmp_path)]) == 2
    assert f"there are no such files in {tmp_path}" in capsys.readouterr().err


def test_a_plot_without_matplotlib_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert wordcount.main(["--plot", "speedup.svg"]) == 2
    assert "--plot needs matplotlib" in capsys.readouterr().err


def test_the_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot is for those who have it")
    outcomes = [wordcount.Outcome(1, {}, True, "", 1.0, 1.0 / number) for number in (1, 2, 3)]
    wordcount.plot(tmp_path / "speedup.svg", outcomes)
    assert "</svg>" in (tmp_path / "speedup.svg").read_text("utf-8")
