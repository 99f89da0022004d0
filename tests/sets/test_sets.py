"""Nodes that send the sets they have: proved, run, and wrong where a set is not what was sent."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from compiler.check import check, checked
from compiler.command.execution import schedule_of
from compiler.command.modules import module_of
from compiler.diagnostics import Diagnostics, Source
from compiler.emit import emit
from compiler.model.lower import lower
from compiler.model.rigid import all_sets, rigid_structure, sized_carriers
from compiler.model.structure import Structure
from compiler.model.successors import extend, initial_structure, successors
from compiler.model.system import Model
from compiler.model.term import TRUE, Sort
from compiler.prove.narrate import trace_text
from compiler.prove.possible import decide
from compiler.prove.verdict import Possible, Reachable, Unknown
from compiler.prove.verify import VerifyOptions, verify
from compiler.syntax import parse
from runtime.checking import Monitor
from runtime.codec import Codec
from runtime.load import load
from runtime.membership import make_cluster
from runtime.replay import replay
from runtime.schedule import dumps, loads
from runtime.simulator import simulate
from tests.model.random_actions import apply_by_definition, enabled_by_definition

SPEC = Path(__file__).parent / "gossip.accord"
TEXT = SPEC.read_text("utf-8")
RUMOUR, SETS = Sort("Rumour"), Sort("set Rumour")


def compiled(text: str) -> tuple[checked.Protocol, Model]:
    source, diagnostics = Source("gossip.accord", text), Diagnostics()
    tree = parse(source, diagnostics)
    assert tree is not None
    protocol = check(tree, source, diagnostics)
    diagnostics.raise_errors()
    assert protocol is not None
    return protocol, lower(protocol)


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def start(model: Model, sizes: dict[str, int]) -> Structure:
    return initial_structure(model, rigid_structure(model, sized_carriers(model, sizes)))


# --- proofs ------------------------------------------------------------------------------------


def test_it_is_proved() -> None:
    report = verify(compiled(TEXT)[1], VerifyOptions())
    assert {result.property.name: result.status for result in report.properties} == {
        "nothing_is_made_up": "proved",
        "heard_is_told": "proved",
        "told_is_learnt": "proved",
        "who_spoke_told": "proved",
        "sets_with_equal_elements_are_equal": "proved",
    }


def test_that_a_set_can_be_sent_is_what_the_guard_says() -> None:
    """Without it there is a structure that lacks the set, and then nothing would be sent."""
    model = compiled(TEXT)[1]
    (tell,) = (action for action in model.actions if action.handler == "on_timeout_tell")
    assert tell.sets != TRUE
    assert tell.guard == tell.sets
    assert tell.enabling == TRUE
    start_of = start(model, {"Node": 1, "Rumour": 1})
    lacking = rigid_structure(model, {**start_of.carriers, SETS: [frozenset({("Rumour0",)})]})
    assert [action.handler for action, _, _ in successors(model, start_of)].count("on_timeout_tell")
    state = initial_structure(model, lacking)  # it has nothing to tell, and no set says so
    assert "on_timeout_tell" not in [action.handler for action, _, _ in successors(model, state)]


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        # A node tells its application of more than what it was told.
        ("output Heard(rumours)", "output Heard(known)", "heard_is_told"),
        # A node makes something up.
        ("spoke := true", "spoke := true\n        known += favourite", "nothing_is_made_up"),
    ],
    ids=["output", "favourite"],
)
def test_a_mistake_is_refuted_by_an_execution_of_the_code(old: str, new: str, breaks: str) -> None:
    text = changed(old, new).replace(
        "    timer tell", "    const favourite: Rumour\n    timer tell"
    )
    protocol, model = compiled(text)
    report = verify(model, VerifyOptions(only=(breaks,)))
    (result,) = report.properties
    assert isinstance(result.execution, Reachable)
    module = module_of(protocol)
    schedule = schedule_of(model, result.execution.trace, module)
    assert schedule is not None
    monitor = Monitor(model, invariants=False)
    replay(module, loads(module, dumps(module, schedule)), monitor)
    assert breaks in [violation.name for violation in monitor.violations]


def test_a_story_tells_sets_by_what_is_in_them() -> None:
    text = changed("output Heard(rumours)", "output Heard(known)")
    report = verify(compiled(text)[1], VerifyOptions(only=("heard_is_told",)))
    (result,) = report.properties
    assert isinstance(result.execution, Reachable)
    told = trace_text(compiled(text)[1], result.execution.trace)
    assert "sent Spread({" in told
    assert "on request Learn({r" in told
    assert "set Rumour" not in told


# --- finite structures ---------------------------------------------------------------------------


def test_all_sets_are_there_small_ones_first() -> None:
    model = compiled(TEXT)[1]
    carriers = sized_carriers(model, {"Rumour": 2})
    assert carriers[SETS] == (
        frozenset(),
        frozenset({("Rumour0",)}),
        frozenset({("Rumour1",)}),
        frozenset({("Rumour0",), ("Rumour1",)}),
    )
    shape = model.sort("set Rumour").element
    assert shape is not None
    assert all_sets(shape, {RUMOUR: ("a", "b", "c")}, limit=7) is None
    # Too many to write down: then there is none but the empty one.
    assert sized_carriers(model, {"Rumour": 12})[SETS] == (frozenset(),)


@pytest.mark.parametrize("seed", range(4))
def test_steps_are_what_the_definition_says(seed: int) -> None:
    model, random = compiled(TEXT)[1], Random(seed)
    state = start(model, {"Node": 2, "Rumour": 1})
    for _ in range(6):
        steps = list(successors(model, state))
        for action in model.actions:
            mine = [dict(arguments) for one, arguments, _ in steps if one is action]
            assert mine == list(enabled_by_definition(action, state, {}))
        action, arguments, after = random.choice(steps)
        assert after == apply_by_definition(action.updates, state, arguments)
        state = after


def test_a_set_that_comes_later_was_never_sent() -> None:
    model = compiled(TEXT)[1]
    state = start(model, {"Node": 1, "Rumour": 1})
    for _, _, after in islice(successors(model, state), 3):
        grown = extend(model, after, RUMOUR, "new")
        both = frozenset({("Rumour0",), ("new",)})
        grown = extend(model, grown, SETS, both)
        member = model.sort("set Rumour").member
        assert member is not None
        assert {row[0] for row in grown.relations[member] if row[1] == both} == {"Rumour0", "new"}
        for symbol, rows in after.relations.items():
            if symbol.mutable:
                assert grown.relations[symbol] == rows
    with pytest.raises(ValueError, match="in the sort set Rumour already"):
        extend(model, state, SETS, frozenset())


LAMPS = """
protocol Lamps
COLOUR
message Shine(with_: set Colour)
role Lamp:
    lit: set Colour
    const own: Colour
    timer glow
    on timeout glow:
        lit += own
        broadcast Shine(lit) to Lamp
    on Shine(colours): lit := colours
possible alike: forall a, b: Lamp: a.lit = b.lit and a.lit != {}
"""


@pytest.mark.parametrize("colour", ["opaque Colour", "enum Colour: Red", "ordered Colour"])
def test_what_is_possible_with_all_sets(colour: str) -> None:
    model = compiled(LAMPS.replace("COLOUR", colour))[1]
    verdict = decide(model, model.possibilities[0], 120.0).verdict
    assert isinstance(verdict, Possible)


def test_too_many_sets_are_unknown() -> None:
    text = LAMPS.replace("COLOUR", "enum Colour: A, B, C, D, E, F, G, H, I")
    model = compiled(text)[1]
    verdict = decide(model, model.possibilities[0], 60.0).verdict
    assert isinstance(verdict, Unknown)
    assert "more than 256 sets that a message can carry" in verdict.reason


# --- runs ----------------------------------------------------------------------------------------


def violations(directory: Path, change: tuple[str, str] = ("", "")) -> list[str]:
    protocol, model = compiled(TEXT)
    source = emit(protocol, spec_path="gossip.accord", proved=False)
    assert change[0] in source
    path = directory / "gossip.py"
    path.write_text(source.replace(*change) if change[0] else source)
    module = load(path)
    monitor = Monitor(model)
    for seed in range(10):
        simulate(module, make_cluster(module, {"Node": 3}), seed, steps=100, observer=monitor)
        if monitor.violations:
            break
    return [violation.kind for violation in monitor.violations]


def test_the_code_takes_the_steps_of_the_model(tmp_path: Path) -> None:
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        ("Spread(frozenset(self.known))", "Spread(frozenset())"),
        ("Spread(frozenset(self.known))", "Spread(frozenset(sorted(self.known, key=repr)[:1]))"),
        ("Heard(rumours)", "Heard(frozenset(self.known))"),
        ("self.known.update(rumours)", "self.known = set(rumours)"),
    ],
)
def test_another_set_in_the_code_is_noticed(change: tuple[str, str], tmp_path: Path) -> None:
    assert violations(tmp_path, change) == ["mismatch"]


def test_a_message_with_a_set_can_be_written_down() -> None:
    module = module_of(compiled(TEXT)[0])
    codec = Codec(module)
    message = module.MESSAGES["Spread"](frozenset({"b", "a"}))
    data = codec.encode_message(message)
    assert data == {"Spread": [["a", "b"]]}
    assert codec.decode_message(module.MESSAGES, data) == message
