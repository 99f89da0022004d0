"""Each form of statement does in Python what it means in the language."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from compiler.diagnostics import SpecError
from compiler.emit import emit
from tests.emit.building import ROOT, compiled_text, emitted, loaded

forms = loaded("tests/emit/specs/forms.accord")
SOURCE = emitted("tests/emit/specs/forms.accord")
CLUSTER = forms.Cluster(worker=("w1", "w2"))


def worker(*durable: Any) -> Any:
    return forms.Worker("w1", CLUSTER, durable)


def kept(*items: str) -> Any:
    return forms.Write("kept", (), frozenset(items))


def told(effects: list[Any]) -> list[Any]:
    return [effect.output for effect in effects if isinstance(effect, forms.Tell)]


def writes(effects: list[Any]) -> list[tuple[str, tuple[object, ...], object]]:
    assert not any(isinstance(effect, forms.Persist) for effect in effects[1:])
    if not effects or not isinstance(effects[0], forms.Persist):
        return []
    return [(write.variable, write.keys, write.value) for write in effects[0].writes]


def test_two_writes_to_one_place_are_one_with_the_last_value() -> None:
    node = worker(forms.Write("rank", (), forms.Rank(3)))
    assert writes(node.request(forms.Twice("x", "x"))) == [("place", ("x",), forms.RANK_ZERO)]
    assert writes(node.request(forms.Twice("x", "y"))) == [
        ("place", ("x",), forms.Rank(3)),
        ("place", ("y",), forms.RANK_ZERO),
    ]


def test_a_pick_takes_the_first_that_will_do() -> None:
    node = worker(kept("b", "a", "c"), forms.Write("place", ("a",), forms.Rank(5)))
    assert node.request(forms.Take()) is None  # nothing is below the rank
    node = worker(
        kept("b", "a", "c"),
        forms.Write("place", ("a",), forms.Rank(5)),
        forms.Write("rank", (), forms.Rank(2)),
    )
    assert told(node.request(forms.Take())) == [forms.Took("b")]
    assert node.kept == {"a", "c"}


def test_a_new_value_is_above_every_bound_and_ones_own() -> None:
    node = worker(forms.Write("turn", (), forms.Turn(4, "w2")))
    effects = node.request(forms.Rise(forms.Rank(7)))
    assert writes(effects) == [("rank", (), forms.Rank(8)), ("turn", (), forms.Turn(5, "w1"))]


def test_zero_belongs_to_the_first_node() -> None:
    node = worker()
    assert node.deliver(forms.Counted(forms.Turn(1, "w2"), "w2"), "w1") is None
    assert node.deliver(forms.Counted(forms.Turn(1, "w2"), "w2"), "w2") is not None
    assert node.deliver(forms.Counted(forms.TURN_ZERO, "w1"), "w1") is None  # not above
    assert "number.owner or self.cluster.worker[0]" in SOURCE


def test_a_loop_runs_over_what_was_there() -> None:
    node = worker(kept("b", "a"), forms.Write("rank", (), forms.Rank(1)))
    effects = node.request(forms.Sweep())
    assert writes(effects) == [
        ("place", ("a",), forms.Rank(1)),
        ("place", ("b",), forms.Rank(1)),
        ("kept", (), frozenset()),
    ]
    assert told(effects) == [forms.Took("a"), forms.Took("b")]


def test_matches_bind_and_later_branches_follow() -> None:
    pair = forms.Pair("x", "y")
    node = worker(kept("x"))
    assert node.request(forms.Match(None)) is None
    assert node.request(forms.Match(forms.Pair("x", "x"))) is None
    assert told(node.request(forms.Match(pair))) == [forms.Saw("x", "y")]
    assert told(worker().request(forms.Match(pair))) == [forms.Saw("x", "x")]
    node = worker()
    node.deliver(forms.Pinged("x"), "w2")
    assert told(node.request(forms.Match(pair))) == [forms.Saw("x", "y")]


def test_a_let_keeps_a_set_as_it_was() -> None:
    node = worker()
    assert told(node.request(forms.Snapshot("x"))) == []
    assert told(node.request(forms.Snapshot("x"))) == [forms.Took("x")]


def test_nested_maps() -> None:
    node = worker(kept("k"))
    effects = node.request(forms.Nest("a", "b"))
    assert writes(effects) == [
        ("nest", ("a", "b"), frozenset({"a", "b"})),
        ("nest", ("b", "a"), frozenset({"k"})),
    ]
    again = worker(*effects[0].writes)
    assert again.nest == node.nest
    node.request(forms.Keep("later"))
    assert node.nest["b"]["a"] == {"k"}  # not the same set as `kept`


def test_questions_are_asked_only_where_they_matter() -> None:
    node = worker()
    confirm = forms.Confirm("x")
    assert node.request(confirm) == [forms.Ask(forms.MoodQuestion())]
    calm = {"mood": forms.Mood.CALM}
    assert node.request(confirm, calm) == [forms.Tell(forms.Felt(forms.Mood.CALM))]
    tense = {"mood": forms.Mood.TENSE}
    assert node.request(confirm, tense) == [forms.Ask(forms.Sure("x"))]
    assert node.kept == set()
    effects = node.request(confirm, {**tense, "sure": True})
    assert writes(effects) == [("kept", (), frozenset({"x"}))]
    assert node.request(confirm) is None  # now it is kept, and nothing is asked


def test_effects_have_the_value_at_their_statement() -> None:
    node = worker()
    node.request(forms.Late("x"))
    effects = node.request(forms.Late("y"))
    assert effects is not None
    assert effects[1:] == [
        forms.Send("w1", forms.Pinged("y")),
        forms.Send("w2", forms.Pinged("y")),
        forms.Send("w1", forms.Pinged("x")),
    ]


def test_what_was_assigned_is_read_after() -> None:
    node = worker()
    assert told(node.request(forms.Cheer())) == [forms.Felt(forms.Mood.TENSE)]
    assert node.request(forms.Cheer()) is None


def test_assertions_are_checked() -> None:
    node = worker(kept("x", "y"))
    assert node.request(forms.Check("x")) is not None
    node = worker(kept("x", "y"), forms.Write("place", ("y",), forms.Rank(1)))
    with pytest.raises(AssertionError):
        node.request(forms.Check("x"))


def test_ghosts_leave_no_trace() -> None:
    assert "all_kept" not in forms.Worker.VARIABLES
    assert "all_kept" not in SOURCE


def test_whole_maps_are_refused() -> None:
    text = """\
protocol P
opaque Item
request Copy
role Worker:
    one: map Item to bool
    other: map Item to bool
    on request Copy: one := other
"""
    try:
        protocol = compiled_text(text)
    except SpecError:
        return  # the checker refuses it already
    with pytest.raises(SpecError):
        emit(protocol, spec_path="p.accord", proved=False)


def test_the_order_of_effects_does_not_depend_on_hashes() -> None:
    program = (
        "from tests.emit.test_forms import forms, kept, worker\n"
        "node = worker(kept(*(f'item {i}' for i in range(50))))\n"
        "print(node.request(forms.Sweep()))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.replace("frozenset()", "")
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
