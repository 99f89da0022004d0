"""Message-sequence diagrams in text: one column a node, time downwards.

A message is an arrow from the sender's column to the receiver's at the step in which it is
received; it was sent at some earlier step, and other messages that nobody received are not
drawn. `o` marks a node's own events, `X` a crash. Where the nodes do not fit side by side,
their columns stand closer, and texts go over several lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

_LEAST_SPACING = 4
_GREATEST_SPACING = 18


@dataclass(frozen=True, slots=True)
class Event:
    """One step: `node` takes it because of `text`; `sender` is set for a message."""

    kind: Literal["event", "crash"]
    node: str
    text: str
    sender: str | None = None


def diagram(nodes: Sequence[str], events: Sequence[Event], width: int = 100) -> str:
    """Return the diagram of `events` between `nodes`, at most `width` columns wide.

    With more nodes than fit even closely, as many as fit are drawn and the events of the
    others stand at the left margin as text.
    """
    if not nodes:
        return ""
    margin = len(str(len(events))) + 3
    room = width - margin - max(len(node) for node in nodes)
    spacing = min(_GREATEST_SPACING, room // max(1, len(nodes)))
    spacing = max(spacing, _LEAST_SPACING, max(len(node) for node in nodes) + 1)
    shown = nodes[: max(1, room // spacing + 1)]
    columns = {node: margin + index * spacing for index, node in enumerate(shown)}
    lines = [_put(" " * width, [(column, node) for node, column in columns.items()])]
    for number, event in enumerate(events, 1):
        body = _draw(event, columns, width)
        first = f"{number}".rjust(margin - 2)
        lines.append(_put(body[0], [(0, first)]))
        lines.extend(body[1:])
    return "\n".join(line.rstrip() for line in lines)


def _draw(event: Event, columns: dict[str, int], width: int) -> list[str]:
    bars = _put(" " * width, [(column, "|") for column in columns.values()])
    column = columns.get(event.node)
    if column is None:
        first = min(columns.values()) + 2
        return [_put(bars, [(first, text)]) for text in _texts(event, width - first)]
    sender = None if event.sender is None else columns.get(event.sender)
    if sender is None or sender == column:
        mark = "X" if event.kind == "crash" else "o"
        lines = [_put(bars, [at]) for at in _beside(_texts(event, width - 8), column, width)]
        return [_put(lines[0], [(column, mark)]), *lines[1:]]
    left, right = min(sender, column), max(sender, column)
    lines = [_put(bars, [at]) for at in _beside([event.text], left, width)]
    arrow = "-" * (right - left - 1)
    arrow = arrow[:-1] + ">" if column == right else "<" + arrow[1:]
    return [*lines, _put(bars, [(left + 1, arrow)])]


def _texts(event: Event, room: int) -> list[str]:
    text = event.text if event.sender is None else f"{event.text} from {event.sender}"
    return wrap(text, max(room, 20)) or [""]


def _beside(texts: list[str], column: int, width: int) -> list[tuple[int, str]]:
    """Return where texts go: right of `column`, or as far left of it as they need."""
    lines = [line for text in texts for line in wrap(text, width - 8) or [""]]
    return [(max(0, min(column + 2, width - len(line))), line) for line in lines]


def _put(line: str, texts: Sequence[tuple[int, str]]) -> str:
    """Return `line` with texts written over it; nothing is written past its end."""
    width = len(line)
    for column, text in texts:
        line = (line[:column] + text + line[column + len(text) :])[:width]
    return line
