"""Models to prove and search: the specs of the checkout, and texts made from them."""

from functools import cache
from pathlib import Path

from compiler.check import check
from compiler.diagnostics import Diagnostics, Source
from compiler.diagnostics.render import render
from compiler.model.lower import lower
from compiler.model.system import Axiom, Model
from compiler.prove.search import SearchOptions, find_violation
from compiler.prove.verdict import NotReached, Reachable
from compiler.syntax import parse

ROOT = Path(__file__).parents[2]


@cache
def model_of_file(name: str) -> Model:
    """Return the model of a spec of the checkout."""
    return model_of_text(text_of(name))


def text_of(name: str) -> str:
    """Return the text of a spec of the checkout."""
    return (ROOT / "specs" / name).read_text(encoding="utf-8")


@cache
def model_of_text(text: str) -> Model:
    """Return the model of a spec; fail if it has a mistake."""
    source = Source("test.accord", text)
    diagnostics = Diagnostics()
    tree = parse(source, diagnostics)
    found = None if tree is None else check(tree, source, diagnostics)
    assert found is not None, render(diagnostics.sorted(), color=False)
    return lower(found)


@cache
def shortest_execution(name: str) -> tuple[Model, Reachable | NotReached]:
    """Return the model of a flawed spec, and what the search finds against its agreement."""
    model = model_of_file(f"flawed/{name}.accord")
    return model, find_violation(model, "agreement", SearchOptions(seconds=60))


def facts_of(model: Model) -> tuple[Axiom, ...]:
    """Return the facts of a model that are formulas, as axioms."""
    return tuple(
        Axiom(fact.name, fact.formula, "fact", fact.span)
        for fact in model.facts
        if fact.formula is not None
    )


SHARED_GHOST = '''
protocol Turns
    """Two kinds of steps that touch one ghost of the protocol."""

ghost turns: set Worker
ghost rounds: bool

message Go

role Worker:
    busy: bool

    on request Start when not busy:
        busy := true
        turns += self
        broadcast Go to Worker

    on Go from other when busy and other != self:
        rounds := exists w: Worker: w in turns and w != self
        turns -= other
        busy := false

request Start

safety quiet:
    rounds implies exists w: Worker: w in turns
'''

ASSERTING = '''
protocol Counting
    """An assertion that the third step breaks."""

ordered Tick

message Next(tick: Tick)

role Clock single:
    durable now: Tick = zero

    on timeout beat:
        pick later in Tick where later > now
        now := later
        broadcast Next(later) to Watch

    timer beat

role Watch:
    seen: option Tick

    on Next(tick):
        assert seen is none or seen = some tick
        seen := some tick
'''
