"""`accordant cluster` and `accordant torture`, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command.running import COMMAND, ROOT, environment, run

SHARDS = ROOT / "generated" / "shard_transfer.py"


@contextmanager
def up(directory: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a cluster, and wait until it is up; it is stopped in the end."""
    with subprocess.Popen(
        [*COMMAND, "cluster", "up", str(SHARDS), "--data", str(directory), *more],
        env=environment(directory),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("up:"):
                    break
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def test_a_cluster_is_driven_from_elsewhere(tmp_path: Path) -> None:
    directory = tmp_path / ("a directory whose name is long" * 4)  # too long for a socket's name
    data = ("--data", str(directory))
    with up(directory, "--nodes", "2") as process:
        assert run("cluster", "kill", "1", *data).code == 0
        assert run("cluster", "pause", "n2", *data).code == 0
        status = run("cluster", "status", *data)
        assert status.code == 0
        first, second = status.out.splitlines()
        assert first.startswith("n1 Node down")
        assert second.startswith("n2 Node paused")
        disturbances: list[tuple[str, ...]] = [
            ("resume", "2"),
            ("restart", "n1"),
            ("partition", "1/2"),
            ("clog", "1", "2"),
        ]
        for words in disturbances:
            assert run("cluster", *words, *data).code == 0
        found = json.loads(run("cluster", "status", "--json", *data).out)
        assert [(one["id"], one["process"], one["cut"]) for one in found] == [
            ("n1", "up", ["n2"]),
            ("n2", "up", ["n1"]),
        ]
        assert found[0]["variables"] == {"epoch": "#0", "value": "#0", "leaving": "#0"}
        repairs: list[tuple[str, ...]] = [("heal",), ("release", "1", "2")]
        for words in repairs:
            assert run("cluster", *words, *data).code == 0
        wrong = run("cluster", "kill", "n3", *data)
        assert (wrong.code, wrong.err) == (
            2,
            "accordant: no node is called `n3`; there are: n1, n2\n",
        )
        second_one = run("cluster", "up", SHARDS, *data)
        assert second_one.code == 2
        assert "is up already" in second_one.err
        assert run("cluster", "down", *data).code == 0
        assert process.wait(timeout=60) == 0
    assert run("cluster", "status", *data).code == 2
    traces = sorted(path.name for path in directory.glob("traces/*"))
    assert traces == ["n1.trace", "n2.trace"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it(tmp_path: Path, number: signal.Signals) -> None:
    with up(tmp_path / "data", "--nodes", "1", "--no-trace", "--tls") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
    assert "n1 is down" in out
    assert err == ""
    assert not (tmp_path / "data" / "traces").exists()
    assert (tmp_path / "data" / "certs" / "n1.pem").exists()


def test_a_node_that_dies_by_itself_is_exit_code_1(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--nodes", "1") as process:
        (status,) = json.loads(run("cluster", "status", "--json", "--data", data).out)
        os.kill(status["pid"], signal.SIGKILL)
        assert process.stdout is not None
        assert any("n1 was killed by SIGKILL" in line for line in process.stdout)
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
    assert "n1 was killed by SIGKILL" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("up", "nowhere.py"), "cannot be read"),
        (("up", str(SHARDS), "--nodes", "Node=x"), "not of the form ROLE=NUMBER"),
        (("up", str(SHARDS), "--nodes", "0"), "needs at least one node"),
        (("up", str(SHARDS), "--app", "nowhere:App", "--nodes", "1"), "cannot import nowhere"),
        (("status",), "no cluster is up"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    result = run("cluster", *arguments, "--data", tmp_path / "data")
    assert result.code == 2
    assert text in result.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nowhere.py",), "cannot be read"),
        ((str(SHARDS),), "torture is for the key-value service"),
    ],
)
def test_what_cannot_be_tortured(arguments: tuple[str, ...], text: str) -> None:
    result = run("torture", *arguments)
    assert result.code == 2
    assert text in result.err


def test_torture_tells_what_came_of_it(tmp_path: Path) -> None:
    raft = ROOT / "generated" / "raft.py"
    data = tmp_path / "data"
    options = ("--seconds", "3", "--seed", "4", "--rate", "60", "--data", data)
    result = run("torture", raft, *options, "--faults", "pause,clog,weather", "--json")
    assert result.code == 0, result
    told = json.loads(result.out)
    assert told["outcome"] == "right"
    assert told["trace"] == "conforms"
    assert told["lost"] == {}
    assert told["acknowledged"] > 0
    again = run("torture", raft, *options)
    assert (again.code, "traces of an earlier run" in again.err) == (2, True)
    wrong = run("torture", raft, "--faults", "rain")
    assert (wrong.code, "there is no `rain`" in wrong.err) == (2, True)


def lives(pid: int) -> bool:
    """Whether there is a process that has not ended, whether or not anybody has asked for how."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="a paused process can outlive it elsewhere")
def test_nothing_outlives_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--nodes", "2") as process:
        assert run("cluster", "pause", "2", "--data", data).code == 0
        statuses = json.loads(run("cluster", "status", "--json", "--data", data).out)
        process.kill()
        process.wait(timeout=60)
        end = time.monotonic() + 20
        while any(lives(one["pid"]) for one in statuses):
            assert time.monotonic() < end
            time.sleep(0.05)
    again = run("cluster", "status", "--data", data)
    assert (again.code, "no cluster is up" in again.err) == (2, True)
