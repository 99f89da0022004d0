"""Mistakes that random specs have found, each as the smallest spec that showed it."""

from __future__ import annotations

import pytest

from compiler.prove.verdict import Report
from compiler.prove.verify import VerifyOptions, verify
from tests.end_to_end.compiling import Built, build


def built(text: str) -> Built:
    result = build(text)
    assert result is not None, text
    return result


def report_on(text: str) -> Report:
    options = VerifyOptions(timeout=20.0, search_seconds=2.0, counterexample_seconds=2.0)
    return verify(built(text).model, options)


def status(report: Report, name: str) -> str:
    (found,) = (p.status for p in report.properties if p.property.name == name)
    return found


@pytest.mark.parametrize(
    "body",
    ["on start when x is some y: x := none", "on start:\n        pick y in s\n        s -= y"],
)
def test_a_start_that_no_handler_takes_does_not_stop_the_node(body: str) -> None:
    """The code goes on, so a model in which the node stands still would prove anything."""
    text = f"""\
protocol P
request R
output O
role A:
    x: option A = none
    s: set A
    {body}
    on request R: output O
safety never:
    forall a: A: not (output O at a)
"""
    assert status(report_on(text), "never") == "refuted"


def test_a_recovery_in_another_state_does_not_stop_the_node() -> None:
    text = """\
protocol P
request R
request Go
output O
role A:
    crashed: bool
    durable before: bool
    durable state
    state Low (initial):
        on request Go:
            before := true
            become High
    state High:
        on request R when before and not crashed: output O
    state Top:
        on recover: crashed := true
safety never:
    forall a: A: not (output O at a)
"""
    model = built(text).model
    assert "A.skip_recover" in {action.name for action in model.actions}
    assert status(report_on(text), "never") == "refuted"


def test_a_start_that_is_always_taken_has_no_skip() -> None:
    text = """\
protocol P
role A:
    x: bool
    on start: x := true
    on recover: x := true
safety s:
    forall a: A: not a.x or a.x
"""
    assert not [action for action in built(text).model.actions if action.skips]


def test_an_assertion_sees_what_its_handler_has_written() -> None:
    """Also where it reads a variable of any node, and asks for what was sent."""
    text = """\
protocol P
message M
request R
role A:
    x: bool
    state S (initial):
        on request R:
            x := true
            broadcast M to A
            become T
            assert forall a: A: not a.x
            assert not (sent M)
            assert forall a: A: not (a is T)
            x := false
    state T
    on M: x := false
safety s:
    forall a: A: not a.x
"""
    report = report_on(text)
    assert status(report, "s") == "proved"
    for line in (11, 12, 13):
        assert status(report, f"assert at line {line}") == "refuted"


def test_a_definition_in_its_own_argument() -> None:
    text = """\
protocol P
request R
role A:
    p: bool
    q: bool
    on request R: q := true
definition both(x: bool, y: bool): x and y
safety s:
    forall a: A: not both(a.q, both(a.p, true))
invariant i:
    forall a: A: not a.p
"""
    assert report_on(text).status == "proved"


def test_a_constant_option_has_one_content() -> None:
    text = """\
protocol P
enum Color: Red, Green
request R
output O
role A:
    const c: option Color
    on request R:
        if c is some x and x = Red and c = some Green: output O
safety never:
    forall a: A: not (output O at a)
invariant one:
    forall a: A: not (a.c = some Red and a.c = some Green)
"""
    assert report_on(text).status == "proved"


def test_an_option_that_is_known_to_be_none() -> None:
    text = """\
protocol P
request R
role A:
    x: option A
    y: bool
    on request R:
        x := none
        if x is some a: y := true
safety s:
    forall a: A: not a.y
"""
    assert report_on(text).status == "proved"


def test_a_branch_of_which_nothing_becomes_code() -> None:
    text = """\
protocol P
ordered Num
request R
role A:
    n: Num
    done: bool
    on request R:
        if done:
            pick fresh in Num where fresh > n
        else:
            done := true
safety s:
    forall a: A: a.n = zero
"""
    assert built(text).module().PROTOCOL == "P"
