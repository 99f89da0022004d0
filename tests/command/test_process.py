"""What only a process of its own can show: pipes, terminals, interrupts, and start-up."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command.running import COMMAND, ROOT, environment, run_process

PAXOS = str(ROOT / "specs/paxos.accord")


def test_a_pipe_gets_the_result_and_nothing_else(proofs: Path) -> None:
    result = run_process(proofs, "verify", "once.accord")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("once.accord: Once\n")
    assert "\x1b" not in result.out


def test_a_reader_that_goes_away(proofs: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [*COMMAND, "show", "once.accord"],
        env=environment(proofs),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_disk_that_is_full(proofs: Path) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*COMMAND, "show", "once.accord"],
            env=environment(proofs),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert result.stderr.startswith("accordant: ")
    assert "Traceback" not in result.stderr


def test_streams_that_are_closed(proofs: Path) -> None:
    command = f'"{sys.executable}" -m compiler verify once.accord >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], env=environment(proofs)).returncode == 0


def test_letters_that_the_output_cannot_show(proofs: Path, work: Path) -> None:
    text = (work / "once.accord").read_text().replace("A store", "A störe \N{SNOWMAN}")
    (work / "once.accord").write_text(text.replace("one_value", "öne"), encoding="utf-8")
    result = subprocess.run(
        [*COMMAND, "show", "once.accord"],
        env={**environment(proofs), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert result.returncode in (0, 2)
    assert b"Traceback" not in result.stderr


def on_terminal(command: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run a command whose streams are a terminal; return its code and all it wrote."""
    parent, child = pty.openpty()
    process = subprocess.Popen(command, env=env, stdin=child, stdout=child, stderr=child)
    os.close(child)
    written = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the process is
        while chunk := os.read(parent, 4096):
            written += chunk
    os.close(parent)
    return process.wait(), written.decode()


def test_a_terminal_sees_progress_and_then_the_result(proofs: Path) -> None:
    env = environment(proofs) | {"TERM": "xterm-256color", "COLUMNS": "100"}
    code, written = on_terminal([*COMMAND, "verify", "--no-cache", "once.accord"], env)
    assert code == 0
    assert "\x1b[" in written
    assert "Once \x1b[38;5;" in written  # the bar
    assert "proved: Once, for any number of Store nodes" in written


def test_colour_can_be_declined(proofs: Path, work: Path) -> None:
    (work / "bad.accord").write_text("protocol\n")
    command = [*COMMAND, "show", "bad.accord"]
    plain = {key: value for key, value in environment(proofs).items() if key != "NO_COLOR"}
    assert "\x1b[" in on_terminal(command, plain | {"TERM": "xterm"})[1]
    assert "\x1b[" not in on_terminal(command, plain | {"TERM": "xterm", "NO_COLOR": "1"})[1]


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def await_children(process: subprocess.Popen[str], count: int) -> list[int]:
    """Return the children of a process as soon as there are so many; it must not end before."""
    found: list[int] = []
    until = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until:
        assert process.poll() is None
        found = children(process.pid)
    return found


def hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("command", ["verify", "simulate"])
@pytest.mark.parametrize("to_all", [False, True], ids=["to the command", "to all, as ^C"])
def test_an_interrupt_ends_the_workers_too(proofs: Path, command: str, to_all: bool) -> None:
    arguments = ["verify", "--no-cache", "--jobs", "2", PAXOS]
    if command == "simulate":
        run_process(proofs, "build", "once.accord")
        arguments = ["simulate", "generated/once.py", "--seeds", "100000", "--jobs", "2"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(proofs),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what it runs in the background deaf to interrupts, this test too.
        preexec_fn=hear_interrupts,
    )
    try:
        workers = await_children(process, 2)
        if to_all:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    # One that watches over shared memory ends when it sees that its parent has.
    until = time.monotonic() + 10
    while (left := [w for w in workers if Path(f"/proc/{w}").exists()]) and command == "simulate":
        assert time.monotonic() < until
    assert left == []


def test_an_answer_from_the_cache_loads_no_solver(proofs: Path) -> None:
    run_process(proofs, "verify", "once.accord")
    script = (
        "import sys; from compiler.command.main import main; code = main();"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, "verify", "once.accord"],
        env=environment(proofs),
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(result.stderr.split())
    assert result.returncode == 0
    assert not loaded & {"z3", "pysat", "rich", "multiprocessing", "runtime"}
