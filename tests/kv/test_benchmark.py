"""The comparison: what it counts as an answer, and that it runs as far as things are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.kv.load import VALUE, LoadError
from benchmarks.kv.wires import Grpc, Resp


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def test_replies_are_counted_wherever_they_are_cut() -> None:
    wire = Resp()
    wire.requests("GET", [b"a"] * 3)
    data = b"$%d\r\n%b\r\n" % (len(VALUE), VALUE) * 3
    assert sum(wire.feed(data[at : at + 7])[0] for at in range(0, len(data), 7)) == 3
    wire.requests("SET", [b"a"])
    assert wire.feed(b"+OK\r\n") == (1, b"")
    with pytest.raises(LoadError, match="CLUSTERDOWN"):
        wire.feed(b"-CLUSTERDOWN no\r\n")


def test_a_call_is_answered_by_a_message_and_trailers() -> None:
    wire = Grpc()
    sent = wire.requests("SET", [b"a", b"b"])
    assert sent.count(b"/etcdserverpb.KV/Put") == 2
    answer = b"".join(
        frame(1, 4, n, b"h") + frame(0, 0, n, b"m") + frame(1, 5, n, b"t") for n in (1, 3)
    )
    assert sum(wire.feed(answer[at : at + 5])[0] for at in range(0, len(answer), 5)) == 2
    assert wire.feed(frame(6, 0, 0, b"12345678")) == (0, frame(6, 1, 0, b"12345678"))
    assert wire.feed(frame(4, 0, 0, b"")) == (0, frame(4, 1, 0, b""))
    with pytest.raises(LoadError):
        wire.feed(frame(1, 5, 5, b"an error has trailers alone"))
    with pytest.raises(LoadError):
        wire.feed(frame(7, 0, 0, b""))


@pytest.mark.slow
def test_the_comparison_runs(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    said = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.kv", "--seconds", "0.3", "--failovers", "1"),
            *("--data", str(tmp_path), "--write", str(table)),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert said.stderr == ""
    assert table.read_text("utf-8").count("\n| ") >= 9
