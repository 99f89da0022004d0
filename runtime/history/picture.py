"""An illegal window as a picture: plain SVG, one lane a client, time from left to right.

The axis keeps the order of events and not their distances: what took a second and what took a
microsecond are both to be read. Each bar is as long as its text needs; the axis says the times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from runtime.history.operation import Operation
from runtime.history.window import Window

CHARACTER = 6.7
"""Width of a character of the monospaced face at 11 pixels."""
LONGEST = 44
"""Characters of an operation's text that are shown; a tooltip has them all."""
ROW, BAR = 38, 22
GAP = 14.0
"""Least distance of two events, and the room of a numbered mark."""
LEFT, RIGHT, TOP, BOTTOM = 12.0, 24.0, 78.0, 62.0

STYLE = """
text { font: 11px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328 }
.title { font-size: 13px; font-weight: 600 } .soft { fill: #656d76 }
.lane { stroke: #d8dee4 } .cut { stroke: #656d76; stroke-dasharray: 3 3 }
.placed { fill: #ddf4ff; stroke: #0969da } .unplaced { fill: #ffebe9; stroke: #cf222e }
.before { fill: #f6f8fa; stroke: #d0d7de } .pending { stroke-dasharray: 4 3 }
.idle { fill: #ffffff; stroke: #8c959f } .wrong { fill: #cf222e }
.order { fill: none; stroke: #0969da; stroke-width: 1.2; opacity: .55 }
.mark { fill: #0969da } .number { fill: #ffffff; font-size: 9px; text-anchor: middle }
"""


@dataclass(frozen=True, slots=True)
class _Bar:
    operation: Operation
    kind: str  # a class of the style
    row: int
    begins: int  # number of the event
    ends: int | None  # None: it is open at the end


def text(operation: Operation) -> str:
    """Return an operation as one line: `set 'k' 'v' -> True`; `?` for an unknown result."""
    words = " ".join([operation.name, *(_value(argument) for argument in operation.arguments)])
    return f"{words} → {'?' if operation.pending else _value(operation.result)}"


def _value(value: object) -> str:
    return "(" + ", ".join(map(_value, value)) + ")" if isinstance(value, tuple) else repr(value)


def draw(window: Window, part: object) -> str:
    """Return the picture of a window as an SVG document."""
    shown = [*window.before, *window.operations]
    first = len(window.before)
    events = _events(shown)
    rank = {event: n for n, event in enumerate(events)}
    rows, lanes = _rows(shown)
    placed = {first + index for index in window.order}
    bars = [
        _Bar(
            operation,
            _kind(n, first, placed, operation),
            rows[n],
            rank[operation.invoked, 0, n],
            None if operation.responded is None else rank[operation.responded, 1, n],
        )
        for n, operation in enumerate(shown)
    ]
    marks = _marks([bars[first + index] for index in window.order])
    margin = LEFT + CHARACTER * max((len(_short(lane)) for lane in lanes.values()), default=0) + 14
    columns = _columns(len(events), bars, [event for event, _ in marks], margin)
    right = columns[-1] + GAP
    height = TOP + ROW * len(lanes) + BOTTOM
    body = [
        *_heading(window, part),
        *_lanes(lanes, margin, right),
        *_boundary(window, shown, rank, columns, TOP + ROW * len(lanes)),
        *(piece for bar in bars for piece in _bar(bar, columns, right)),
        *_order(marks, columns),
        *_axis(events, columns, TOP + ROW * len(lanes)),
        _text(LEFT, height - 12, LEGEND, "soft"),
    ]
    width = max(right + RIGHT, LEFT + CHARACTER * (len(LEGEND) + 2), 480.0)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            f"<style>{STYLE}</style>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *body,
            "</svg>",
            "",
        ]
    )


LEGEND = (
    "blue: placed, in the order of the numbers; red: has no place; "
    "dashed: no outcome known by then; grey: before the window"
)


def _kind(n: int, first: int, placed: set[int], operation: Operation) -> str:
    if n < first:
        return "before"
    if n in placed:
        return "placed"
    return "idle" if operation.pending else "unplaced"


# --- where things go -------------------------------------------------------------------------


def _events(shown: Sequence[Operation]) -> list[tuple[int, int, int]]:
    """Return (time, 0 for an invocation and 1 for a response, operation) in order."""
    found = [(operation.invoked, 0, n) for n, operation in enumerate(shown)]
    found += [
        (operation.responded, 1, n)
        for n, operation in enumerate(shown)
        if operation.responded is not None
    ]
    return sorted(found)


def _rows(shown: Sequence[Operation]) -> tuple[list[int], dict[int, str]]:
    """Return the row of each operation, and the client's name at the first row of each lane.

    A client has more than one row if it went on while an outcome was unknown.
    """
    of_client: dict[str, list[int]] = {}
    for n in sorted(range(len(shown)), key=lambda n: (shown[n].client, shown[n].invoked)):
        of_client.setdefault(shown[n].client, []).append(n)
    rows, lanes = [0] * len(shown), {}
    used = 0
    for client, own in of_client.items():
        ends: list[float] = []  # of each row of this client
        for n in own:
            operation = shown[n]
            free = [r for r, end in enumerate(ends) if end < operation.invoked]
            row = free[0] if free else len(ends)
            end = float("inf") if operation.responded is None else float(operation.responded)
            ends[row : row + 1] = [end]
            rows[n] = used + row
        for row in range(len(ends)):
            lanes[used + row] = client if row == 0 else ""
        used += len(ends)
    return rows, lanes


def _marks(order: Iterable[_Bar]) -> list[tuple[int, _Bar]]:
    """Return for each placed operation the event after which it can take effect."""
    found: list[tuple[int, _Bar]] = []
    latest = 0
    for bar in order:
        latest = max(latest, bar.begins)
        found.append((latest, bar))
    return found


def _columns(count: int, bars: Sequence[_Bar], marks: Sequence[int], margin: float) -> list[float]:
    """Return the place of each event, and of the end of the picture."""
    columns: list[float] = []
    ending = {bar.ends: bar for bar in bars}
    x = margin
    for event in range(count + 1):
        if event:
            x += GAP * (1 + marks.count(event - 1))
        if event in ending:
            bar = ending[event]
            x = max(x, columns[bar.begins] + _length(bar))
        columns.append(x)
    columns[-1] = max(
        columns[-1],
        *(columns[bar.begins] + _length(bar) for bar in bars if bar.ends is None),
        0.0,
    )
    return columns


def _length(bar: _Bar) -> float:
    return CHARACTER * len(_short(text(bar.operation))) + 12


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _y(row: int) -> float:
    return TOP + ROW * row + (ROW - BAR) / 2


# --- what is drawn ---------------------------------------------------------------------------


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'


def _heading(window: Window, part: object) -> list[str]:
    wrong = "; ".join(text(window.operations[i]) for i in window.unplaced[:3])
    states = " or ".join(_value(state) for state in window.states)
    return [
        _text(LEFT, 22, f"{_value(part)}: no order explains these results", "title"),
        _text(LEFT, 40, f"without a place: {wrong}", "wrong"),
        _text(LEFT, 57, f"the state before the window: {states}", "soft"),
    ]


def _lanes(lanes: dict[int, str], margin: float, right: float) -> list[str]:
    drawn = []
    for row, client in lanes.items():
        y = _y(row) + BAR / 2
        drawn.append(
            f'<line x1="{margin - 6:.1f}" y1="{y}" x2="{right:.1f}" y2="{y}" class="lane"/>'
        )
        drawn.append(_text(LEFT, y + 4, _short(client)))
    return drawn


def _boundary(
    window: Window,
    shown: Sequence[Operation],
    rank: dict[tuple[int, int, int], int],
    columns: Sequence[float],
    bottom: float,
) -> list[str]:
    """Draw the line at which the window begins, if something is shown before it."""
    if not window.before:
        return []
    last = max(
        rank[o.responded, 1, n]
        for n, o in enumerate(shown[: len(window.before)])
        if o.responded is not None
    )
    x = (columns[last] + columns[last + 1]) / 2
    return [f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" class="cut"/>']


def _bar(bar: _Bar, columns: Sequence[float], right: float) -> list[str]:
    words = text(bar.operation)
    x, y = columns[bar.begins], _y(bar.row)
    end = right if bar.ends is None else columns[bar.ends]
    kind = f"{bar.kind} pending" if bar.operation.pending else bar.kind
    return [
        f"<g><title>{escape(f'{bar.operation.client}: {words}')}</title>",
        f'<rect x="{x:.1f}" y="{y}" width="{end - x:.1f}" height="{BAR}" rx="4" class="{kind}"/>',
        _text(x + 6, y + BAR / 2 + 4, _short(words)) + "</g>",
    ]


def _order(marks: Sequence[tuple[int, _Bar]], columns: Sequence[float]) -> list[str]:
    """Draw the order: a numbered mark below each placed bar, and a line through them."""
    points: list[tuple[float, float]] = []
    at: dict[int, int] = {}
    for event, bar in marks:
        at[event] = at.get(event, 0) + 1
        points.append((columns[event] + GAP * at[event], _y(bar.row) + BAR + 3))
    drawn = []
    if len(points) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" class="order"/>')
    for number, (x, y) in enumerate(points, 1):
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" class="mark"/>')
        drawn.append(_text(x, y + 3, str(number), "number"))
    return drawn


def _axis(events: Sequence[tuple[int, int, int]], columns: Sequence[float], y: float) -> list[str]:
    """Draw the times of events, in milliseconds after the first, as far as there is room."""
    drawn = []
    free = 0.0
    for n, (time, _, _) in enumerate(events):
        label = f"{(time - events[0][0]) / 1e6:.3f} ms"
        if columns[n] >= free:
            x = columns[n]
            drawn.append(f'<line x1="{x:.1f}" y1="{y + 2}" x2="{x:.1f}" y2="{y + 8}" class="cut"/>')
            drawn.append(_text(x, y + 20, label, "soft"))
            free = x + CHARACTER * (len(label) + 2)
    return drawn
