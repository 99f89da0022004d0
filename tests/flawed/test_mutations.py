"""The mutants of specs: made as they should be, and their survivors explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.mutations import (
    EXPLANATIONS,
    Mutation,
    Outcome,
    disagreements,
    explanations,
    main,
    mutations,
    tree_of,
)
from tests.flawed.cases import SPECS

SPEC = """
protocol Sample
opaque Value
quorum Most of Node: 2 * size > total
fact most_meet: forall p, q: Most: exists n: Node: n in p and n in q
message Vote(value: Value)
role Node:
    durable state
    durable held: option Value = none
    heard: set Node
    state Asking (initial):
        on Vote(value) from n when (n in heard) and (held is none and
                n != self):
            held := some value
            if n in heard:
                require held is none
        on Vote(value) from n when n in heard: held := none
    state Done
safety fine: forall n: Node: n is Asking or n is Done
invariant also_fine: forall n: Node: n is Done or n is Asking
"""


def mutants_of(text: str, directory: Path) -> list[Mutation]:
    path = directory / "sample.accord"
    path.write_text(text.lstrip())
    return mutations(tree_of(path)[1])


def labels(found: Sequence[Mutation]) -> list[str]:
    return [f"{one.line} {one.kind}: {one.name}" for one in found]


def test_each_thing_is_left_out_once(tmp_path: Path) -> None:
    assert labels(mutants_of(SPEC, tmp_path)) == [
        "4 fact: fact most_meet",
        "7 durable state: Node: durable state",
        "8 durable: Node: durable held",
        "11 guard: Node.Asking on Vote: when (n in heard) and (held is none and n != self)",
        "11 conjunct: Node.Asking on Vote: n in heard, of the guard",
        "11 conjunct: Node.Asking on Vote: held is none, of the guard",
        "12 conjunct: Node.Asking on Vote: n != self, of the guard",
        "15 require: Node.Asking on Vote: require held is none",
        "16 guard: Node.Asking on Vote: when n in heard",
        "19 invariant: invariant also_fine",
    ]


def test_what_is_left_out_is_all_that_differs(tmp_path: Path) -> None:
    found = mutants_of(SPEC, tmp_path)
    whole = tree_of(tmp_path / "sample.accord")[1]
    protocols = [one.protocol for one in found]
    assert whole not in protocols
    assert all(protocols.count(protocol) == 1 for protocol in protocols)
    without_fact = protocols[0]
    assert len(without_fact.declarations) == len(whole.declarations) - 1
    assert set(without_fact.declarations) < set(whole.declarations)


def test_what_is_asked_of_the_environment_is_left_out_too(tmp_path: Path) -> None:
    text = """
protocol Sample
role Node stops:
    seen: bool
    timer suspect
    on timeout suspect:
        pick n in {n: Node where n is up}
        assume n is down
        seen := true
safety fine: forall n: Node: n.seen implies n.seen
"""
    assert labels(mutants_of(text, tmp_path)) == [
        "2 stops: Node: stops",
        "7 assume: Node on timeout suspect: assume n is down",
    ]


def test_equal_names_are_numbered(tmp_path: Path) -> None:
    text = SPEC.replace(
        "when (n in heard) and (held is none and\n                n != self)", "when n in heard"
    )
    names = [one.name for one in mutants_of(text, tmp_path) if one.kind == "guard"]
    assert names == [
        "Node.Asking on Vote: when n in heard",
        "Node.Asking on Vote: when n in heard (2)",
    ]


def test_explanations_are_read() -> None:
    text = """# Title
- `a: one` — because
  of that.
- `a: two`
  — since.

## More
Text with `a: three` in it.
- `b: four` — so.
"""
    assert explanations(text) == {
        "a: one": "because of that.",
        "a: two": "since.",
        "b: four": "so.",
    }


def survivor(name: str) -> Outcome:
    return Outcome("a", "guard", name, 1, "", "still proved", "", None, 0.0)


def test_survivors_and_explanations_must_agree() -> None:
    known = {"a: one": "why", "a: two": "why", "b: three": "why"}
    assert disagreements([survivor("one"), survivor("two")], known) == []
    assert disagreements([survivor("one")], known) == ["explained, and not a survivor: a: two"]
    assert disagreements([survivor("one"), survivor("two"), survivor("four")], known) == [
        "still proved, and not explained: a: four"
    ]


def test_what_is_explained_is_in_the_specs() -> None:
    known = explanations(EXPLANATIONS.read_text(encoding="utf-8"))
    assert known
    assert all(known.values())
    names = {
        f"{path.stem}: {one.name}"
        for path in SPECS.glob("*.accord")
        if any(key.startswith(f"{path.stem}: ") for key in known)
        for one in mutations(tree_of(path)[1])
    }
    assert known.keys() <= names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paxos", "two_phase_commit"])
def test_every_survivor_is_explained(name: str) -> None:
    assert main([str(SPECS / f"{name}.accord"), "--jobs", "2"]) == 0
