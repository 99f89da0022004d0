"""A pretty printer: documents of text, possible line breaks and groups, fitted to a width.

A group is printed on one line if it fits there with what follows it up to the next possible
break; if not, all its own breaks become line ends, and the groups in it are tried in turn.
After Derek Oppen, Pretty Printing, 1980, and Philip Wadler, A Prettier Printer, 2003, with the
two additions that Python's optional parentheses need: parts that depend on whether some other
group breaks, and groups that may break inside an outer group that does not.

This module knows nothing of Python; `wrap` says where its lines may break.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, Union, assert_never

from compiler.emit.text import WIDTH, width

INDENT = 4


@dataclass(frozen=True, slots=True)
class Break:
    """A line end if its group breaks, else a space or nothing."""

    space: bool


@dataclass(frozen=True, slots=True)
class Concat:
    """One after the other."""

    parts: tuple[Doc, ...]


@dataclass(frozen=True, slots=True)
class Indent:
    """Lines that begin within are indented once more."""

    content: Doc


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """What stays on one line if it fits."""

    content: Doc


@dataclass(slots=True, eq=False)
class Frame:
    """A group in optional parentheses, which others refer to while it is being built."""


@dataclass(frozen=True, slots=True)
class Framed:
    """The group of a frame."""

    frame: Frame
    content: Doc


@dataclass(frozen=True, slots=True)
class IfBreaks:
    """`content` if the frame breaks, or without a frame the group around it; else `flat`."""

    content: Doc
    flat: Doc
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class MayBreak:
    """A part that may break over lines although the frame around it does not."""

    content: Doc
    frame: Frame


Doc: TypeAlias = Union[str, Break, Concat, Indent, Group, Framed, IfBreaks, MayBreak]

SOFT = Break(space=False)
LINE = Break(space=True)


def concat(*parts: Doc) -> Doc:
    """Return the parts one after the other."""
    return parts[0] if len(parts) == 1 else Concat(parts)


def join(separator: Doc, parts: Iterable[Doc]) -> Doc:
    """Return the parts with `separator` between them."""
    joined: list[Doc] = []
    for part in parts:
        if joined:
            joined.append(separator)
        joined.append(part)
    return Concat(tuple(joined))


# A piece of work: how far to indent, whether breaks are line ends, and what to print.
_Work: TypeAlias = tuple[int, bool, Doc]


def render(document: Doc, indent: int) -> list[str]:
    """Return the lines of `document`, which begins in column `indent` of the first."""
    lines: list[str] = []
    line = " " * indent
    broken: dict[Frame, bool] = {}
    stack: list[_Work] = [(indent, True, document)]
    # Groups on a line that was seen to fit need no second look; after a line end, or inside
    # a part that may break by itself, they do.
    seen_to_fit = False
    while stack:
        depth, breaks, doc = stack.pop()
        match doc:
            case str():
                line += doc
            case Break(space=space):
                if breaks:
                    lines.append(line.rstrip())
                    line = " " * depth
                    seen_to_fit = False
                elif space:
                    line += " "
            case Concat(parts=parts):
                stack.extend((depth, breaks, part) for part in reversed(parts))
            case Indent(content=content):
                stack.append((depth + INDENT, breaks, content))
            case Group(content=content) | Framed(content=content):
                if breaks or not seen_to_fit:
                    if isinstance(doc, Framed):
                        broken[doc.frame] = False
                    seen_to_fit = True
                    breaks = not _fits([*stack, (depth, False, content)], width(line), broken)
                if isinstance(doc, Framed):
                    broken[doc.frame] = breaks
                stack.append((depth, breaks, content))
            case IfBreaks(content=content, flat=flat, frame=frame):
                chosen = breaks if frame is None else broken[frame]
                stack.append((depth, breaks, content if chosen else flat))
            case MayBreak(content=content, frame=frame):
                if not broken[frame]:
                    seen_to_fit = False
                stack.append((depth, breaks, content))
            case _:
                assert_never(doc)
    lines.append(line.rstrip())
    return lines


def _fits(stack: list[_Work], column: int, broken: dict[Frame, bool]) -> bool:
    """Whether what is on `stack` fits after `column`, up to the first line end.

    Parts that may break by themselves are measured broken, and each of their lines must fit.
    """
    frames = dict(broken)
    rest = [(depth, breaks, doc, False) for depth, breaks, doc in stack]
    while rest:
        depth, breaks, doc, all_lines = rest.pop()
        match doc:
            case str():
                column += width(doc)
                if column > WIDTH:
                    return False
            case Break(space=space):
                if breaks and not all_lines:
                    return True
                column = depth if breaks else column + space
            case Concat(parts=parts):
                rest.extend((depth, breaks, part, all_lines) for part in reversed(parts))
            case Indent(content=content):
                rest.append((depth + INDENT, breaks, content, all_lines))
            case Group(content=content):
                rest.append((depth, breaks, content, all_lines))
            case Framed(frame=frame, content=content):
                frames[frame] = breaks
                rest.append((depth, breaks, content, all_lines))
            case IfBreaks(content=content, flat=flat, frame=frame):
                chosen = breaks if frame is None else frames.get(frame, False)
                rest.append((depth, breaks, content if chosen else flat, all_lines))
            case MayBreak(content=content, frame=frame):
                if not breaks and not frames.get(frame, False):
                    rest.append((depth, True, content, True))
                else:
                    rest.append((depth, breaks, content, all_lines))
            case _:
                assert_never(doc)
    return True
