"""Nodes as processes: signals, exit codes, and what SIGKILL leaves."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.host.config import (
    Address,
    ClusterConfig,
    NodeConfig,
    dump_config,
    read_config,
)
from runtime.host.membership import describe
from runtime.storage.store import Identity, SqliteStore
from tests.host.clusters import bound
from tests.host.modules import GENERATED, generated
from tests.host.traces import read, replay

ROOT = Path(__file__).parents[2]
SHARDS = generated("shard_transfer")
MODULE = GENERATED / "shard_transfer.py"


def cluster_file(directory: Path, *, metrics: bool = False) -> Path:
    sockets = [bound(), bound()]
    ports = [socket.getsockname()[1] for socket in sockets]
    for socket in sockets:
        socket.close()
    node = NodeConfig(
        "n1",
        "Node",
        Address("127.0.0.1", ports[0]),
        metrics=Address("127.0.0.1", ports[1]) if metrics else None,
    )
    path = directory / "cluster.toml"
    path.write_text(dump_config(ClusterConfig("ShardTransfer", {"n1": node})))
    return path


def command(directory: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "compiler", "node", str(MODULE), "--id", "n1"),
        *("--cluster", str(directory / "cluster.toml"), "--data", str(directory / "data"), *more),
    ]


@contextmanager
def process(
    directory: Path, *more: str, first: Callable[[], None] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a node, in a process that calls `first` before; it is killed in the end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command(directory, *more),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=first,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def fails(directory: Path, *more: str) -> tuple[int, str]:
    result = subprocess.run(
        command(directory, *more),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in result.stderr or result.returncode == 1
    return result.returncode, result.stderr


def stored(directory: Path) -> dict[tuple[str, tuple[object, ...]], object]:
    """Return what the node has made durable."""
    cluster = read_config(directory / "cluster.toml").cluster(SHARDS)
    identity = Identity(
        "ShardTransfer", SHARDS.SPEC_SHA256, "n1", "Node", describe(SHARDS, cluster, {})
    )
    store = SqliteStore(directory / "data", SHARDS, identity)
    try:
        return {(w.variable, w.keys): w.value for w in store.load()}
    finally:
        store.close()


COUNTING = ("--app", "tests.host.applications:Counting", "--log-level", "warning")


def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    cluster_file(tmp_path)
    trace = tmp_path / "n1.trace"
    last = 0
    for life in range(3):
        with process(tmp_path, *COUNTING, "--trace", str(trace)) as node:
            assert node.stdout is not None
            for _ in range(20 + 30 * life):
                number = int(node.stdout.readline())
                assert number > last
                last = number
            node.send_signal(signal.SIGKILL)
            rest = node.stdout.read().split()
            last = int(rest[-1]) if rest else last
            assert node.wait() == -signal.SIGKILL
        value = stored(tmp_path)["value", ("k",)]
        assert isinstance(value, int)
        assert last <= value <= last + 1
        last = value
    lives = read(trace)
    assert [life[0]["begin"]["incarnation"] for life in lives] == [1, 2, 3]
    durable = replay(SHARDS, lives)
    assert last - 1 <= durable["value", ("k",)].value <= last


def test_sigterm_stops_gracefully(tmp_path: Path) -> None:
    cluster_file(tmp_path, metrics=True)
    trace = tmp_path / "n1.trace"
    with process(tmp_path, "--app", COUNTING[1], "--trace", str(trace)) as node:
        assert node.stdout is not None
        assert node.stderr is not None
        for _ in range(20):
            node.stdout.readline()
        address = read_config(tmp_path / "cluster.toml").nodes["n1"].metrics
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
            text = page.read().decode()
        node.send_signal(signal.SIGTERM)
        out, err = node.communicate(timeout=30)
    assert node.returncode == 0
    *numbers, word = out.split()
    assert word == "stopped"
    metrics = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if not line.startswith("#")
    }
    assert metrics['accordant_steps_total{event="Put"}'] >= 20
    assert metrics["accordant_batch_steps_count"] >= metrics["accordant_commit_seconds_count"] >= 20
    assert metrics['accordant_commit_seconds_bucket{le="+Inf"}'] >= 20
    happenings = [json.loads(line)["event"] for line in err.splitlines()]
    assert happenings == ["started", "stopped"]
    lives = read(trace)
    assert "end" in lives[0][-1]
    durable = {place: write.value for place, write in replay(SHARDS, lives).items()}
    assert durable == stored(tmp_path)
    assert int(numbers[-1]) <= int(str(durable["value", ("k",)]))


def test_a_failure_is_exit_code_1(tmp_path: Path) -> None:
    cluster_file(tmp_path)
    code, text = fails(tmp_path, "--app", "tests.host.applications:Raising")
    assert code == 1
    (failed,) = (line for line in map(json.loads, text.splitlines()) if line["event"] == "failed")
    assert failed["reason"] == "RuntimeError: raised on purpose"


def test_a_disk_that_is_full_ends_the_node_and_loses_nothing(tmp_path: Path) -> None:
    cluster_file(tmp_path)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    with process(tmp_path, *COUNTING, first=small_files) as node:
        out, err = node.communicate(timeout=60)
    assert node.returncode == 1
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["failed"]
    assert "StoreFailure" in json.loads(err)["reason"]
    *numbers, word = out.split()
    assert word == "stopped"
    assert stored(tmp_path)["value", ("k",)] == int(numbers[-1]) > 10


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("--id", "n2"), "no node is called `n2`"),
        (("--cluster", "none.toml"), "cannot read none.toml"),
        (("--data", "/dev/null"), "cannot use /dev/null"),
        (("--trace", "/dev/null/x"), "cannot write the trace /dev/null/x"),
        (("--app", "nowhere:App"), "cannot import nowhere"),
        (("--app", "tests.host.applications:Missing"), "has no callable `Missing`"),
        (("--app", "nowhere"), "not of the form package.module:factory"),
        (("--log-level", "loud"), "--log-level"),
    ],
)
def test_what_cannot_be_run_is_exit_code_2(
    tmp_path: Path, change: tuple[str, str], text: str
) -> None:
    cluster_file(tmp_path)
    code, message = fails(tmp_path, *change)
    assert (code, text in message) == (2, True), message
    assert "Traceback" not in message
