"""Traces of nodes, merged and held to the model; and what is wrong with them, told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from runtime.checking import Monitor
from runtime.checking.recorded import TraceError, read_recording, trace_files
from runtime.checking.slice import steps_only
from runtime.checking.trace import (
    Conforms,
    Deviates,
    TraceOptions,
    TraceVerdict,
    Unfinished,
    check_trace,
)
from runtime.contract import Module
from runtime.membership import make_cluster
from runtime.simulator import Run, simulate
from runtime.step import Restart
from tests.runtime.building import (
    ALL_CONSTRUCTS,
    PAXOS,
    PAXOS_SIZES,
    SPECS,
    TWO_PHASE_COMMIT,
    model_of,
    module_of,
)
from tests.runtime.tracing import write_traces

Changes = tuple[tuple[str, str], ...]


@cache
def recorded(spec: Path, changes: Changes, seed: int, steps: int) -> tuple[Module, Any, Run]:
    module = module_of(spec, changes)
    sizes = {PAXOS: PAXOS_SIZES, ALL_CONSTRUCTS: {"f": 1, "spare": 1}}.get(spec, {})
    cluster = make_cluster(module, sizes)
    # What the spec assumes of its environment the simulator sees to only while it is watched.
    monitor = Monitor(model_of(spec), check="end")
    observer = monitor if monitor.assumes else None
    run = simulate(module, cluster, seed, steps=steps, record=True, observer=observer)
    return module, cluster, run


def traced(
    directory: Path, spec: Path, changes: Changes = (), *, seed: int = 1, steps: int = 150
) -> dict[str, Path]:
    """Write the traces of a run of the simulator; return the file of each node."""
    module, cluster, run = recorded(spec, changes, seed, steps)
    return write_traces(directory, module, cluster, run.records, run.schedule.constants)


def checked(directory: Path, spec: Path, options: TraceOptions | None = None) -> TraceVerdict:
    """Check traces with the module that the spec is built to."""
    module = module_of(spec)
    recording = read_recording(module, trace_files(directory))
    return check_trace(module, model_of(spec), recording, options)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    "spec",
    [
        PAXOS,
        TWO_PHASE_COMMIT,
        ALL_CONSTRUCTS,
        SPECS / "map_reduce.accord",
        SPECS / "shard_transfer.accord",
        SPECS / "three_phase_commit.accord",
    ],
    ids=lambda spec: spec.stem,
)
def test_what_the_code_does_is_the_model_s(tmp_path: Path, spec: Path, batch: int) -> None:
    module, cluster, run = recorded(spec, (), 3, 300)
    write_traces(tmp_path, module, cluster, run.records, run.schedule.constants, batch)
    verdict = checked(tmp_path, spec)
    assert isinstance(verdict, Conforms)
    assert verdict.steps >= 250
    restarts = sum(isinstance(step, Restart) for step in run.schedule.steps)
    assert verdict.lives == len(trace_files(tmp_path)) + restarts


MUTANTS = [
    # A vote is not made durable; a promise is not.
    (PAXOS, 'persist(Write("promised", (), self.promised)),', "", "Acceptor.on_prepare", True),
    (PAXOS, 'persist(Write("decided", (), self.decided)), ', "", "Learner.on_accepted", True),
    # A guard is weaker, and stronger.
    (PAXOS, "ballot > self.promised", "ballot >= self.promised", "Acceptor.on_prepare", False),
    (PAXOS, "ballot >= self.promised", "ballot > self.promised", "Acceptor.on_accept", True),
    # A quorum is too small; a message is another.
    (
        PAXOS,
        "2 * len(self.promises) >",
        "4 * len(self.promises) >",
        "Proposer.on_promise",
        True,
    ),
    (
        TWO_PHASE_COMMIT,
        " Yes(transaction)",
        " No(transaction)",
        "Participant.on_prepare",
        True,
    ),
    (
        TWO_PHASE_COMMIT,
        "self.in_doubt.add(transaction)",
        "pass",
        "Participant.on_prepare",
        True,
    ),
]


@pytest.mark.parametrize(("spec", "old", "new", "action", "differs"), MUTANTS)
def test_a_step_of_broken_code_is_found_and_explained(
    tmp_path: Path, spec: Path, old: str, new: str, action: str, differs: bool
) -> None:
    paths = traced(tmp_path, spec, ((old, new),), seed=3, steps=400)
    verdict = checked(tmp_path, spec)
    assert isinstance(verdict, Deviates)
    assert verdict.kind == "mismatch"
    assert verdict.nearest is not None
    assert verdict.nearest.action.name == action
    assert bool(verdict.nearest.differences) == differs
    assert bool(verdict.nearest.false) != differs
    assert verdict.place is not None
    assert verdict.place.path == paths[verdict.place.node]
    line = json.loads(verdict.place.path.read_text().splitlines()[verdict.place.line - 1])
    assert line["step"]["step"] == "deliver"


@pytest.mark.parametrize(("spec", "old", "new", "action", "differs"), MUTANTS)
def test_and_so_it_is_beside_the_code_that_ran(
    tmp_path: Path, spec: Path, old: str, new: str, action: str, differs: bool
) -> None:
    """A write that is missing shows, at the latest, when all nodes crash in the end."""
    traced(tmp_path, spec, ((old, new),), seed=3, steps=400)
    module = module_of(spec, ((old, new),))
    recording = read_recording(module, trace_files(tmp_path))
    verdict = check_trace(module, model_of(spec), recording)
    assert isinstance(verdict, Deviates)
    role, _, _ = action.partition(".")
    if "persist" in old:
        assert (verdict.name, verdict.nearest) == (f"{role}.restart", None)
    else:
        assert verdict.nearest is not None
        assert verdict.nearest.action.name == action


def test_the_false_conjunct_has_its_place_in_the_spec(tmp_path: Path) -> None:
    weaker = ("ballot > self.promised", "ballot >= self.promised")
    traced(tmp_path, PAXOS, (weaker,), seed=3, steps=400)
    verdict = checked(tmp_path, PAXOS)
    assert isinstance(verdict, Deviates)
    assert verdict.nearest is not None
    (false,) = verdict.nearest.false
    span = dict(verdict.nearest.action.conditions)[false]
    assert span.text == "ballot > promised"


def test_volatile_state_that_went_another_way_shows_in_what_it_leads_to(tmp_path: Path) -> None:
    """No record holds a volatile variable: the first effect that depends on it does not fit."""
    traced(tmp_path, PAXOS, (("self.state = ProposerState.PROPOSING", "pass"),), seed=2)
    verdict = checked(tmp_path, PAXOS, TraceOptions(properties=0))
    assert isinstance(verdict, Deviates)
    assert verdict.nearest is not None
    assert verdict.nearest.action.name == "Proposer.on_promise"


def test_a_property_of_a_wrong_protocol_fails(tmp_path: Path) -> None:
    spec = SPECS / "flawed" / "two_phase_commit_majority.accord"
    traced(tmp_path, spec, seed=2, steps=400)
    for properties in (1, 50, None):
        options = TraceOptions(properties, invariants=False)
        verdict = checked(tmp_path, spec, options)
        assert isinstance(verdict, Deviates)
        assert (verdict.kind, verdict.nearest) == ("property", None)
    assert isinstance(checked(tmp_path, spec, TraceOptions(0)), Conforms)


def test_without_properties_no_ghost_is_needed(tmp_path: Path) -> None:
    spec = SPECS / "raft.accord"
    model = model_of(spec)
    sliced = steps_only(model)
    ghosts = {s.name for s in model.symbols if s.name.startswith("ghost.")}
    assert ghosts
    assert not ghosts & {u.symbol.name for action in sliced.actions for u in action.updates}
    assert [a.guard for a in sliced.actions] == [a.guard for a in model.actions]
    traced(tmp_path, spec)
    for properties in (0, None):
        options = TraceOptions(properties, invariants=False)
        assert isinstance(checked(tmp_path, spec, options), Conforms)


def test_out_of_time(tmp_path: Path) -> None:
    traced(tmp_path, PAXOS)
    verdict = checked(tmp_path, PAXOS, TraceOptions(goes_on=lambda steps, total: False))
    assert isinstance(verdict, Unfinished)
    assert (verdict.steps, verdict.reason) == (0, "time")
    assert verdict.total >= 150


# --- files that do not say what nodes do ----------------------------------------------------------


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewrite(path: Path, data: Iterable[Any]) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in data))


def index_of(data: list[Any], wanted: Callable[[Any], bool]) -> int:
    return next(index for index, line in enumerate(data) if wanted(line))


def test_a_message_that_nobody_sent(tmp_path: Path) -> None:
    paths = traced(tmp_path, PAXOS)
    data = lines_of(paths["a1"])
    at = index_of(data, lambda line: "Prepare" in str(line.get("step")))
    data[at]["step"]["message"] = {"Prepare": [[99, "p1"]]}
    rewrite(paths["a1"], data)
    verdict = checked(tmp_path, PAXOS)
    assert isinstance(verdict, Deviates)
    assert (verdict.kind, verdict.name) == ("causality", "Prepare")
    sender = data[at]["step"]["from"]
    assert verdict.detail == f"a1 received Prepare([99, 'p1']), which {sender} had not sent"
    assert verdict.place is not None
    assert verdict.place.line == at + 1


def test_a_reply_before_the_disk(tmp_path: Path) -> None:
    """What a step sent was received, and the step was lost with its node."""
    paths = traced(tmp_path, PAXOS)
    data = lines_of(paths["a1"])
    at = index_of(data, lambda line: "Promise" in str(line.get("effects")))
    batch = data[at + 1]["batch"]
    again = {**data[0]["begin"], "incarnation": 2, "commits": batch - 1}
    rewrite(paths["a1"], [*data[: at + 2], {"begin": again}])
    verdict = checked(tmp_path, PAXOS)
    assert isinstance(verdict, Deviates)
    assert verdict.kind == "causality"
    assert f"after its step at line {at + 1}, which was not durable when it died" in verdict.detail


def test_the_last_batch_of_a_life_has_happened_if_the_next_one_finds_it(tmp_path: Path) -> None:
    module, cluster, run = recorded(PAXOS, (), 1, 150)
    paths = write_traces(tmp_path, module, cluster, run.records)
    for path in paths.values():
        data = lines_of(path)
        lives = [i for i, line in enumerate(data) if "begin" in line and i]
        # Leave out the marks that the last batches of all lives but the last were done.
        rewrite(path, [line for i, line in enumerate(data) if i + 1 not in lives])
    verdict = checked(tmp_path, PAXOS)
    assert isinstance(verdict, Conforms)
    assert verdict.undone == 0


def test_steps_that_were_not_committed_have_not_happened(tmp_path: Path) -> None:
    paths = traced(tmp_path, PAXOS)
    for path in paths.values():
        data = lines_of(path)
        last = max(i for i, line in enumerate(data) if "done" in line)
        rewrite(path, data[:last])
    # Some of what was sent at the end was received; the rest of the run is one all the same.
    recording = read_recording(module_of(PAXOS), trace_files(tmp_path))
    undone = [life.undone for trace in recording.traces.values() for life in trace.lives]
    assert sum(map(len, undone)) >= len(paths)


def test_a_store_that_lost_commits(tmp_path: Path) -> None:
    paths = traced(tmp_path, PAXOS)
    data = lines_of(paths["a1"])
    done = max(line["done"] for line in data if "done" in line)
    data.append({"begin": {**data[0]["begin"], "incarnation": 9, "commits": done - 1}})
    rewrite(paths["a1"], data)
    verdict = checked(tmp_path, PAXOS)
    assert isinstance(verdict, Deviates)
    assert verdict.kind == "durability"
    assert f"{done} commits were done, and {done - 1} are there" in verdict.detail


def test_a_line_that_was_not_written_whole_is_left_out(tmp_path: Path) -> None:
    paths = traced(tmp_path, PAXOS)
    for path in paths.values():
        path.write_text(path.read_text() + '{"step": {"st')
    assert isinstance(checked(tmp_path, PAXOS), Conforms)


def test_a_crash_of_a_role_that_never_crashes(tmp_path: Path) -> None:
    spec = tmp_path / "steady.accord"
    spec.write_text(
        "protocol Steady\n\nopaque Value\n\nmessage Hello(value: Value)\n\n"
        "request Say(value: Value)\n\n"
        "role A never crashes:\n    heard: option Value = none\n\n"
        "    on request Say(value):\n        broadcast Hello(value) to A\n\n"
        "    on Hello(value):\n        heard := some value\n\n"
        "safety fine:\n    forall a: A: a = a\n"
    )
    paths = traced(tmp_path, spec, steps=20)
    data = lines_of(paths["a1"])
    done = max(line["done"] for line in data if "done" in line)
    data.append({"begin": {**data[0]["begin"], "incarnation": 2, "commits": done}})
    data.append({"step": {"step": "recover", "node": "a1"}, "effects": None})
    data += [{"batch": done + 1}, {"done": done + 1}]
    rewrite(paths["a1"], data)
    verdict = checked(tmp_path, spec)
    assert isinstance(verdict, Deviates)
    assert verdict.kind == "faults"


def broken(change: Callable[[list[Any]], object]) -> Callable[[list[Any]], list[Any]]:
    def apply(data: list[Any]) -> list[Any]:
        change(data)
        return data

    return apply


BROKEN: dict[str, tuple[Callable[[list[Any]], list[Any]], str]] = {
    "empty": (lambda data: [], "empty: a trace starts with `begin`"),
    "no begin": (lambda data: data[1:], ":1: a trace starts with `begin`"),
    "a number": (lambda data: [*data[:1], 5], ":2: not an object"),
    "nothing known": (lambda data: [*data[:1], {"x": 1}], ":2: none of `begin`"),
    "version": (broken(lambda d: d[0]["begin"].update(trace=7)), ":1: a trace of version 7"),
    "protocol": (broken(lambda d: d[0]["begin"].update(protocol="X")), ":1: a trace of 'X'"),
    "hash": (
        broken(lambda d: d[0]["begin"].update(spec_sha256="0")),
        "another version of the spec",
    ),
    "node": (broken(lambda d: d[0]["begin"].update(node="zz")), "has no Acceptor called 'zz'"),
    "other cluster": (
        broken(lambda d: d[0]["begin"].update(parameters={"n": 1})),
        "another cluster|parameters",
    ),
    "twice": (broken(lambda d: d[0]["begin"].update(node="a2")), "step of another node|already"),
    "kind of step": (broken(lambda d: d[1]["step"].update(step="hop")), ":2: 'hop' is not a step"),
    "effects": (broken(lambda d: d[1].update(effects=3)), ":2: `effects` is neither"),
    "batch twice": (lambda data: [data[0], {"batch": 1}, {"batch": 2}], ":3: a batch before"),
    "other batch": (lambda data: [data[0], {"batch": 1}, {"done": 2}], ":3: batch 2 is done"),
    "commits": (broken(lambda d: d[0]["begin"].update(commits=-1)), "`commits` is not a whole"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_of(tmp_path: Path, name: str) -> None:
    change, message = BROKEN[name]
    paths = traced(tmp_path, PAXOS)
    rewrite(paths["a1"], change(lines_of(paths["a1"])))
    with pytest.raises(TraceError, match=message):
        checked(tmp_path, PAXOS)


def test_rubbish_in_the_middle(tmp_path: Path) -> None:
    paths = traced(tmp_path, PAXOS)
    lines = paths["a1"].read_text().splitlines()
    paths["a1"].write_text("\n".join([*lines[:3], lines[3][:9], *lines[4:]]) + "\n")
    with pytest.raises(TraceError, match=r"a1\.trace:4: "):
        checked(tmp_path, PAXOS)


def test_effects_that_no_protocol_has(tmp_path: Path) -> None:
    paths = traced(tmp_path, PAXOS)
    data = lines_of(paths["a1"])
    at = index_of(data, lambda line: bool(line.get("effects")))
    data[at]["effects"] = [{"send": {"Bogus": []}, "to": "p1"}]
    rewrite(paths["a1"], data)
    verdict = checked(tmp_path, PAXOS)
    assert isinstance(verdict, Deviates)
    assert verdict.detail.startswith("its recorded effects are none of this protocol")


def test_all_nodes_are_needed(tmp_path: Path) -> None:
    traced(tmp_path, PAXOS)["a2"].unlink()
    with pytest.raises(TraceError, match="no trace of a2"):
        checked(tmp_path, PAXOS)


def test_a_directory_without_traces(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no traces here"):
        trace_files(tmp_path)
    with pytest.raises(TraceError, match="not a directory"):
        trace_files(tmp_path / "nowhere")
