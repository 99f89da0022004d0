"""Stories, compared with goldens; `ACCORDANT_UPDATE_GOLDENS=1` rewrites them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from compiler.model.structure import Structure, Value
from compiler.model.successors import initial_structure, rigid_structure
from compiler.model.system import Model
from compiler.model.term import BOOL, Sort
from compiler.prove.counterexample import Context, CounterexampleFinder
from compiler.prove.naming import Naming, prefixes
from compiler.prove.narrate import counterexample_text, to_data, trace_diagram, trace_text
from compiler.prove.replay import replay
from compiler.prove.sequence import Event, diagram
from compiler.prove.verdict import Counterexample, Obligation, Reachable, Step, Trace
from tests.prove.specimens import (
    ASSERTING,
    facts_of,
    model_of_file,
    model_of_text,
    shortest_execution,
)

STORIES = Path(__file__).parent / "stories"
TWINS = [
    "paxos_half_quorum",
    "paxos_volatile_promise",
    "paxos_deaf_proposer",
    "two_phase_commit_majority",
]


def compare(name: str, text: str) -> None:
    path = STORIES / name
    if os.environ.get("ACCORDANT_UPDATE_GOLDENS"):
        path.write_text(text + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text + "\n"


def execution(name: str) -> tuple[Model, Trace]:
    model, found = shortest_execution(name)
    assert isinstance(found, Reachable)
    return model, found.trace


@pytest.mark.parametrize("name", TWINS)
def test_every_step_is_told(name: str) -> None:
    model, trace = execution(name)
    text = trace_text(model, trace)
    steps = [line for line in text.splitlines() if line.lstrip()[:1].isdigit()]
    assert len(steps) == len(trace.steps)
    drawing = trace_diagram(model, trace)
    assert max(len(line) for line in drawing.splitlines()) <= 100
    narrow = trace_diagram(model, trace, width=60)
    assert max(len(line) for line in narrow.splitlines()) <= 60
    data = json.loads(json.dumps(to_data(model, trace)))
    assert len(data["steps"]) == len(trace.steps)
    assert data["steps"][0]["sender"] is None


def test_a_hand_made_execution() -> None:
    """Solvers may find different shortest executions; this one is fixed."""
    model = model_of_text(ASSERTING)
    compare("counting.txt", "\n\n".join(counting_story(model)))


def counting_story(model: Model) -> list[str]:
    carriers: dict[Sort, tuple[Value, ...]] = {
        model.sort("Clock").sort: ("the clock",),
        model.sort("Watch").sort: ("left", "right"),
        model.sort("Tick").sort: (0, 1, 2),
    }
    start = initial_structure(model, rigid_structure(model, carriers))
    actions = {action.name: action for action in model.actions}

    def step(name: str, **arguments: Value) -> Step:
        action = actions[name]
        return Step(action, {p: arguments[p.name] for p in action.parameters})

    crash = next(a for a in model.actions if a.name == "Watch.crash")
    beat = {"self": "the clock"}
    receive = {"self": "right", "sender": "the clock"}
    trace = replay(
        model,
        start,
        [
            step("Clock.on_timeout_beat", **beat, later=1),
            step("Watch.on_next", **receive, tick=1),
            Step(crash, {crash.node: "right"}),
            step("Clock.on_timeout_beat", **beat, later=2),
            step("Watch.on_next", **receive, tick=2),
        ],
    )
    assert trace is not None
    last = Counterexample(trace.states[-2], trace.steps[-1], trace.states[-1])
    return [
        trace_text(model, trace),
        trace_diagram(model, trace),
        counterexample_text(model, last),
        counterexample_text(model, Counterexample(start, None, None)),
        json.dumps(to_data(model, last), indent=2),
    ]


def test_a_counterexample_tells_what_changed() -> None:
    model = model_of_file("two_phase_commit.accord")
    hypotheses = tuple(p for p in model.properties if p.name != "commit_is_unanimous")
    action = next(a for a in model.actions if a.name == "Participant.on_do_commit")
    obligation = Obligation("preserved", "unanimity", action)
    finder = CounterexampleFinder(Context(model, hypotheses, facts_of(model)))
    found = finder.find(obligation, seconds=60)
    assert found is not None
    compare("unanimity.txt", counterexample_text(model, found))


def test_names_are_short_and_distinct() -> None:
    model = model_of_file("paxos.accord")
    assert {sort.name: prefix for sort, prefix in prefixes(model).items()} == {
        "Proposer": "p",
        "Acceptor": "a",
        "Learner": "l",
        "Value": "v",
        "Ballot": "b",
        "Majority": "m",
    }
    text = ASSERTING.replace("Watch", "Clerk")
    found = {sort.name: prefix for sort, prefix in prefixes(model_of_text(text)).items()}
    assert found == {"Tick": "t", "Clock": "clo", "Clerk": "cle"}


def test_elements_of_any_kind_are_named_by_their_places() -> None:
    model = model_of_text(ASSERTING)
    carriers = {
        model.sort("Clock").sort: (object(),),
        model.sort("Watch").sort: (("x", 1), ("y", 2)),
        model.sort("Tick").sort: (0, 10),
    }
    naming = Naming.of(model, Structure(carriers, {}, {}))
    assert naming(model.sort("Watch").sort, ("y", 2)) == "w2"
    assert naming(model.sort("Tick").sort, 10) == "t1"
    assert naming(BOOL, True) == "true"


def test_many_nodes_and_long_texts_stay_within_the_width() -> None:
    nodes = [f"n{i}" for i in range(40)]
    events = [
        Event("event", "n0", "request " + "Something(" + "very, " * 30 + "long)"),
        Event("event", "n39", "Message(b1)", "n0"),
        Event("event", "n3", "Message(b1, " + "x" * 150 + ")", "n1"),
        Event("event", "n2", "Message(b1)", "n2"),
        Event("crash", "n5", "crash"),
    ]
    text = diagram(nodes, events, 100)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "from n0" in text
    assert "X crash" in text
    assert diagram([], [], 100) == ""
