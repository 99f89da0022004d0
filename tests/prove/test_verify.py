"""Verification as a whole: verdicts, what they lean on, and how failures are answered."""

from pathlib import Path

import pytest

from compiler.check import check
from compiler.diagnostics import Diagnostics, Source
from compiler.model.lower import lower
from compiler.model.system import Model
from compiler.prove.cache import Cache
from compiler.prove.verdict import NotReached, Reachable, Refuted, Report, Unknown
from compiler.prove.verify import VerifyOptions, verify
from compiler.syntax import parse

HEAD = """protocol Example

opaque Value
request Add(value: Value)
request Drop(value: Value)

role Node:
    durable kept: set Value
    on request Add(value): kept += value
    on request Drop(value): kept -= value
"""


def model_of(text: str) -> Model:
    source, diagnostics = Source("example.accord", text), Diagnostics()
    tree = parse(source, diagnostics)
    assert tree is not None
    protocol = check(tree, source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    return lower(protocol)


def report_on(text: str, **options: object) -> Report:
    return verify(model_of(text), VerifyOptions(**options))  # type: ignore[arg-type]


def statuses(report: Report) -> dict[str, str]:
    return {result.property.name: result.status for result in report.properties}


def test_every_property_has_one_verdict_and_a_proof_leans_only_on_proofs() -> None:
    report = report_on(
        HEAD
        + """
safety requested:
    forall n: Node, v: Value: v in n.kept implies requested Add(v) at n
safety kept_by_all:
    forall m, n: Node, v: Value: v in m.kept implies v in n.kept
safety leans_on_what_is_false:
    forall m, n: Node, v: Value: v in m.kept and m != n implies v in n.kept
"""
    )
    assert statuses(report) == {
        "requested": "proved",
        "kept_by_all": "refuted",
        "leans_on_what_is_false": "refuted",
    }
    assert report.status == "refuted"


def test_what_leans_on_an_invariant_that_fails_is_not_proved() -> None:
    """`few` would follow from `none`, which is false, and is itself true of every state."""
    report = report_on(
        HEAD
        + """
ghost seen: bool
safety consequence: forall n: Node, v: Value: v not in n.kept or not seen
invariant nothing: forall n: Node, v: Value: v not in n.kept
""".replace("ghost seen: bool\n", "").replace(" or not seen", " or n != n")
    )
    assert statuses(report)["nothing"] == "refuted"
    assert statuses(report)["consequence"] != "proved"


def test_an_assertion_is_a_lemma_for_what_its_handler_keeps_if_it_is_proved() -> None:
    """`ordered` is kept only by what the assertion says, which holds or not by the guard."""
    text = """
protocol Counted
ordered Number
request Next(number: Number)
role Node:
    durable low: Number = zero
    durable high: Number = zero
    on request Next(number) when number {relation} high:
        assert number > low
        high := number
safety ordered: forall n: Node: n.low <= n.high
"""
    held = report_on(text.replace("{relation}", ">"))
    assert statuses(held) == {"ordered": "proved", "assert at line 9": "proved"}
    broken = report_on(text.replace("{relation}", "!="))
    assert statuses(broken)["assert at line 9"] == "refuted"
    assert statuses(broken)["ordered"] != "proved"


def test_a_failure_that_needs_more_than_three_elements_is_still_shown() -> None:
    report = report_on(
        HEAD
        + """
invariant few:
    forall n: Node, a, b, c, d: Value:
        a in n.kept and b in n.kept and c in n.kept and d in n.kept
            implies a = b or a = c or a = d or b = c or b = d or c = d
""",
        search=False,
    )
    failed = [r for r in report.obligations if isinstance(r.verdict, Refuted)]
    assert [r.obligation.action.name for r in failed if r.obligation.action] == [
        "Node.on_request_add"
    ]
    assert isinstance(failed[0].verdict, Refuted)
    before = failed[0].verdict.counterexample.before
    assert max(len(carrier) for carrier in before.carriers.values()) == 4


def test_an_invariant_that_is_true_but_not_inductive_is_told_apart_from_a_false_one() -> None:
    """A state that cannot be reached: the induction needs another invariant."""
    report = report_on(
        """protocol Chain

request Go

role Node:
    durable first: bool
    durable second: bool
    durable third: bool
    on request Go:
        third := second
        second := first

safety never: forall n: Node: not n.third
""",
    )
    (result,) = report.properties
    assert result.status == "unknown"
    assert isinstance(result.execution, NotReached)
    assert report.status == "not inductive"


@pytest.mark.parametrize("seconds", [0.01, 0.3])
def test_running_out_of_time_is_never_a_proof(seconds: float) -> None:
    text = (Path(__file__).parents[2] / "specs" / "paxos.accord").read_text()
    report = report_on(text, timeout=seconds)
    assert report.status == "unknown"
    assert any(isinstance(result.verdict, Unknown) for result in report.obligations)
    assert not any(isinstance(result.execution, Reachable) for result in report.properties)


def test_only_selects_and_says_so(tmp_path: Path) -> None:
    text = HEAD + "safety s: forall n: Node, v: Value: v in n.kept implies requested Add(v) at n\n"
    report = report_on(text, only=("Node.on_request_add",), cache=Cache(tmp_path))
    assert report.selected == ("Node.on_request_add",)
    assert {r.obligation.name for r in report.obligations} == {"s"}
    assert report.status == "proved"


def test_an_action_that_can_never_happen_is_an_error() -> None:
    report = report_on(
        HEAD
        + """    on timeout never when self is Off: kept := {}
    timer never
    state On (initial)
    state Off
invariant always_on: forall n: Node: n is On
"""
    )
    assert [f.kind for f in report.findings if f.severity == "error"] == ["dead_action"]
    assert report.status == "refuted"


def test_an_invariant_that_follows_from_the_others_is_noted() -> None:
    report = report_on(
        HEAD
        + """
invariant a: forall n: Node, v: Value: v in n.kept implies requested Add(v) at n
invariant b: forall n: Node, v: Value: v in n.kept implies requested Add(v)
"""
    )
    assert report.status == "proved"
    assert [(f.kind, f.name) for f in report.findings] == [("redundant", "b")]


def test_a_second_run_is_answered_from_the_cache(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "specs" / "two_phase_commit.accord").read_text()
    first = report_on(text, cache=Cache(tmp_path))
    second = report_on("# A comment changes nothing.\n" + text, cache=Cache(tmp_path))
    assert first.status == second.status == "proved"
    assert {r.verdict.by for r in second.obligations} == {"cache", "untouched"}  # type: ignore[union-attr]
