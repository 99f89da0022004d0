"""`accordant check-trace`: what it says, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from runtime.membership import make_cluster
from runtime.simulator import simulate
from tests.command.running import run
from tests.runtime.building import PAXOS, TWO_PHASE_COMMIT, module_of, module_path
from tests.runtime.tracing import write_traces

WEAKER = ("ballot > self.promised", "ballot >= self.promised")
FORGOTTEN = ('persist(Write("promised", (), self.promised)),', "")


def traces(directory: Path, *changes: tuple[str, str]) -> Path:
    module = module_of(PAXOS, changes)
    cluster = make_cluster(module)
    seen = simulate(module, cluster, 3, steps=300, record=True)
    write_traces(directory, module, cluster, seen.records, seen.schedule.constants)
    return directory


def test_a_run_of_the_model(tmp_path: Path) -> None:
    result = run("check-trace", traces(tmp_path), "--spec", PAXOS)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Paxos: ")
    assert " steps, all of the model (" in result.out
    module = module_path(PAXOS)
    result = run("check-trace", tmp_path, "--spec", PAXOS, "--module", module, "--json")
    assert result.code == 0
    assert json.loads(result.out)["verdict"] == "conforms"


def test_a_false_guard_is_shown_in_the_spec(tmp_path: Path) -> None:
    result = run("check-trace", traces(tmp_path, WEAKER), "--spec", PAXOS)
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0] == "Paxos: not a step of the model: Acceptor.deliver"
    assert "  nearest   Acceptor.on_prepare" in lines
    shown = next(i for i, line in enumerate(lines) if "when ballot > promised" in line)
    start = lines[shown].index("ballot > promised")
    assert lines[shown + 1][start:] == "^" * len("ballot > promised")
    assert lines[shown + 2].strip() == "= false: Acceptor.promised(self) < ballot"


def test_a_statement_that_did_something_else_is_shown(tmp_path: Path) -> None:
    traces(tmp_path, FORGOTTEN)
    result = run("check-trace", tmp_path, "--spec", PAXOS)
    assert result.code == 1
    assert "promised := ballot\n" in result.out
    data = json.loads(run("check-trace", tmp_path, "--spec", PAXOS, "--json").out)
    assert data["verdict"] == "deviates"
    assert data["nearest"] == "Acceptor.on_prepare"
    assert data["place"]["event"]["step"] == "deliver"
    (place,) = data["spec"]
    assert place["place"].startswith(f"{PAXOS}:")


def test_out_of_time_is_unknown(tmp_path: Path) -> None:
    result = run("check-trace", traces(tmp_path), "--spec", PAXOS, "--timeout", "0.000001")
    assert result.code == 3
    assert "unknown: out of time after 0 of" in result.out


def test_bad_input(tmp_path: Path) -> None:
    result = run("check-trace", tmp_path, "--spec", PAXOS)
    assert result.code == 2
    assert "no traces here" in result.err
    traces(tmp_path)
    result = run("check-trace", tmp_path, "--spec", TWO_PHASE_COMMIT)
    assert result.code == 2
    assert "a1.trace:1: a trace of 'Paxos', not of TwoPhaseCommit" in result.err
    other = module_path(TWO_PHASE_COMMIT)
    result = run("check-trace", tmp_path, "--spec", PAXOS, "--module", other)
    assert result.code == 2
    assert "was not built of" in result.err
    result = run("check-trace", tmp_path, "--spec", PAXOS, "--properties", "often")
    assert result.code == 2
    assert "not a whole number" in result.err
