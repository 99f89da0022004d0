"""A log that is read entry by entry: proved, run, and wrong where a reader skips an entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.check import check, checked
from compiler.command.execution import schedule_of
from compiler.command.modules import module_of
from compiler.diagnostics import Diagnostics, Source
from compiler.emit import emit
from compiler.model.lower import lower
from compiler.model.system import Model
from compiler.model.term import Sort
from compiler.prove.verdict import Reachable
from compiler.prove.verify import VerifyOptions, verify
from compiler.syntax import parse
from runtime.campaign import Plan, run_campaign
from runtime.checking import Monitor
from runtime.replay import replay
from runtime.schedule import dumps, loads
from runtime.simulator import simulate

SPEC = Path(__file__).parent / "replicated_log.accord"
EVERY_WAY = Path(__file__).parents[1] / "model" / "lowering" / "counters.accord"
TEXT = SPEC.read_text("utf-8")
SIZES = {"Writer": 1, "Reader": 3}


def compiled(text: str) -> tuple[checked.Protocol, Model]:
    source, diagnostics = Source("replicated_log.accord", text), Diagnostics()
    tree = parse(source, diagnostics)
    assert tree is not None
    protocol = check(tree, source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    return protocol, lower(protocol)


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def test_it_is_proved() -> None:
    report = verify(compiled(TEXT)[1], VerifyOptions())
    assert {result.property.name: result.status for result in report.properties} == {
        "same_log": "proved",
        "no_gaps": "proved",
        "last_of_writer": "proved",
        "sent_is_written": "proved",
        "read_is_written": "proved",
    }


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        # A reader takes any later entry for the next one.
        ("when index = last.next:", "when index > last:", "no_gaps"),
        # The writer forgets to go on, and writes an entry twice.
        ("        last := last.next\n", "        last := last.next.previous\n", "same_log"),
    ],
)
def test_a_wrong_twin_is_refuted_by_an_execution_of_its_code(
    old: str, new: str, breaks: str
) -> None:
    protocol, model = compiled(changed(old, new))
    code = module_of(protocol)
    report = verify(model, VerifyOptions(search_seconds=60.0))
    result = next(r for r in report.properties if r.property.name == breaks)
    assert isinstance(result.execution, Reachable)
    schedule = schedule_of(model, result.execution.trace, code)
    assert schedule is not None
    monitor = Monitor(model, invariants=False)
    played = replay(code, loads(code, dumps(code, schedule)), monitor)
    assert (played.ignored, played.skipped) == ((), ())
    assert {(v.kind, v.name) for v in monitor.violations} == {("property", breaks)}


def test_runs_with_faults_are_those_of_the_model(tmp_path: Path) -> None:
    protocol, model = compiled(TEXT)
    path = tmp_path / "replicated_log.py"
    path.write_text(emit(protocol, spec_path="replicated_log.accord", proved=False), "utf-8")
    campaign = run_campaign(Plan(str(path), SIZES, seeds=20, steps=150, model=model, jobs=1))
    assert campaign.first is None


def test_every_way_to_count_runs_as_it_was_lowered() -> None:
    protocol, model = compiled(EVERY_WAY.read_text("utf-8"))
    code = module_of(protocol)
    cluster = code.Cluster(leader=("l1",), follower=("f1", "f2"))
    for seed in range(15):
        monitor = Monitor(model)
        simulate(code, cluster, seed=seed, steps=100, observer=monitor)
        assert monitor.violations == []


def test_the_values_are_numbers_without_gaps() -> None:
    protocol, model = compiled(TEXT)
    code = module_of(protocol)
    cluster = code.Cluster(writer=("w1",), reader=("r1", "r2"))
    monitor = Monitor(model)
    simulate(code, cluster, seed=3, steps=120, observer=monitor)
    assert monitor.violations == []
    indices = monitor.structure.carriers[Sort("Index")]
    highest = max(
        value
        for symbol, rows in monitor.structure.functions.items()
        if symbol.name in ("Writer.last", "Reader.last")
        for value in rows.values()
        if isinstance(value, int)
    )
    assert highest > 3
    assert indices == tuple(range(highest + 2))
