"""The picture of a window: every operation is there, and every text is escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given, settings

from runtime.history.check import Illegal, check
from runtime.history.model import KeyValue
from runtime.history.operation import Operation
from runtime.history.picture import draw, text
from tests.history.generating import histories

SVG = "{http://www.w3.org/2000/svg}"


def bars(svg: str, kind: str) -> list[ET.Element]:
    return [r for r in ET.fromstring(svg).iter(f"{SVG}rect") if kind in r.get("class", "").split()]


def picture(operations: list[Operation]) -> str:
    verdict = check(KeyValue(), operations)
    assert isinstance(verdict, Illegal)
    return draw(verdict.window, verdict.part)


STALE = [
    Operation("a", "set", ("k", "1"), 0, 10, True),
    Operation("a", "set", ("k", "2"), 20, 30, True),
    Operation("<b>", "get", ("k",), 40, 50, "1"),
    Operation("c", "get", ("k",), 60, 70, "2"),
]


def test_a_stale_read_is_red_and_what_came_before_is_grey() -> None:
    svg = picture(STALE)
    assert len(bars(svg, "unplaced")) == 1
    assert len(bars(svg, "before")) == 2
    assert "get &#x27;k&#x27; → &#x27;1&#x27;" in svg
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg


def test_the_longest_order_is_numbered() -> None:
    svg = picture(
        [
            Operation("a", "set", ("k", "1"), 0, 100, True),
            Operation("b", "get", ("k",), 10, 20, "1"),
            Operation("c", "get", ("k",), 30, 40, None),
            Operation("d", "set", ("k", "3"), 5, None),
        ]
    )
    assert bars(svg, "placed")
    assert bars(svg, "unplaced")
    assert bars(svg, "pending")
    numbers = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text") if t.get("class") == "number"]
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    assert numbers


@given(histories(5))
@settings(max_examples=150, deadline=None)
def test_every_picture_is_well_formed_and_every_bar_holds_its_text(
    operations: list[Operation],
) -> None:
    verdict = check(KeyValue(), operations)
    if not isinstance(verdict, Illegal):
        return
    svg = draw(verdict.window, verdict.part)
    shown = [*verdict.window.before, *verdict.window.operations]
    drawn = [r for r in ET.fromstring(svg).iter(f"{SVG}rect") if r.get("class")]
    assert len(drawn) == len(shown)
    width = float(ET.fromstring(svg).get("width", "0"))
    for bar in drawn:
        assert float(bar.get("width", "0")) >= 6 * len(text(shown[0]).split()[0])
        assert float(bar.get("x", "0")) + float(bar.get("width", "0")) <= width
    if verdict.window.order:
        assert bars(svg, "placed")
