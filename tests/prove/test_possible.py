"""`possible`: what can always still be reached, in instances small enough to visit whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from compiler.check import check
from compiler.diagnostics import Diagnostics, Source
from compiler.model.evaluate import evaluate
from compiler.model.lower import lower
from compiler.model.successors import explore
from compiler.model.system import Crashed, Model
from compiler.prove.cache import Cache
from compiler.prove.possible import counts, decide
from compiler.prove.verdict import Possible, Reachable, Unknown
from compiler.syntax import parse

SPECS = Path(__file__).parents[2] / "specs"

LAMPS = """
protocol Lamps
message Wake
role Keeper single stops:
    lit: bool
    on timeout tick when not lit:
        lit := true
        broadcast Wake to Lamp
    timer tick
role Lamp:
    on_: bool
    broken: bool
    timer flicker
    on Wake when not broken: on_ := true
    on timeout flicker when on_:
        broken := true
        on_ := false
possible WHAT: FORMULA
"""


def model_of(text: str) -> Model:
    source, diagnostics = Source("lamps.accord", dedent(text).lstrip()), Diagnostics()
    tree = parse(source, diagnostics)
    protocol = None if tree is None else check(tree, source, diagnostics)
    assert protocol is not None, diagnostics.sorted()
    return lower(protocol)


def lamps(what: str, formula: str) -> Model:
    return model_of(LAMPS.replace("WHAT", what).replace("FORMULA", formula))


@pytest.mark.parametrize(
    ("what", "formula", "status"),
    [
        ("seen", "forall k: Keeper: k.lit or k is down", "holds"),
        ("seen without Keeper", "forall k: Keeper: k.lit or k is down", "holds"),
        ("seen without Keeper", "forall k: Keeper: k.lit", "refuted"),
        ("glows", "forall l: Lamp: l.on_", "refuted"),
        ("ends", "forall l: Lamp, k: Keeper: k is down or l.broken", "holds"),
    ],
)
def test_verdicts(what: str, formula: str, status: str) -> None:
    model = lamps(what, formula)
    result = decide(model, model.possibilities[0], 60.0)
    assert result.status == status


def test_the_execution_leads_to_where_nothing_helps() -> None:
    model = lamps("glows", "forall l: Lamp: l.on_")
    (possibility,) = model.possibilities
    verdict = decide(model, possibility, 60.0).verdict
    assert isinstance(verdict, Reachable)

    # The plain explorer, with the steps that count, does not find the formula from its end.
    forward = tuple(action for action in model.actions if counts(action, possibility))
    last = verdict.trace.states[-1]
    found = explore(replace(model, actions=forward), last)
    assert found.complete
    assert not any(evaluate(possibility.formula, state, {}) for state in found.states)


def test_without_a_role_its_nodes_may_only_crash() -> None:
    model = lamps("seen without Keeper", "true")
    (possibility,) = model.possibilities
    for action in model.actions:
        crash = isinstance(action.trigger, Crashed)
        assert counts(action, possibility) == (crash if action.role == "Keeper" else not crash)


def test_what_is_not_found_out_is_unknown() -> None:
    model = lamps("seen", "true")
    verdict = decide(model, model.possibilities[0], 0.0).verdict
    assert isinstance(verdict, Unknown)


def test_what_holds_is_remembered(tmp_path: Path) -> None:
    model = lamps("seen", "true")
    (possibility,) = model.possibilities
    cache = Cache(tmp_path, "x")
    first = decide(model, possibility, 60.0, cache)
    assert isinstance(first.verdict, Possible)
    assert decide(model, possibility, 0.0, cache) == first


def test_ordered_values_do_not_run_out() -> None:
    """In an instance with two values there is no greater one, but in truth there always is."""
    model = model_of(
        """
        protocol Climb
        ordered Height
        role Climber:
            durable now: Height
            durable top: Height
            timer up
            timer mark
            on timeout up:
                pick next in Height where next > now
                now := next
            on timeout mark: top := now
        possible higher: forall c: Climber: c.now > c.top
        """
    )
    assert decide(model, model.possibilities[0], 60.0).status == "holds"


def test_two_phase_commit_blocks_without_its_coordinator() -> None:
    path = SPECS / "flawed" / "two_phase_commit_blocking.accord"
    model = model_of(path.read_text(encoding="utf-8"))
    verdict = decide(model, model.possibilities[0], 60.0).verdict
    assert isinstance(verdict, Reachable)
    assert [step.action.name for step in verdict.trace.steps] == [
        "Coordinator.on_request_begin",
        "Participant.on_prepare",
    ]
