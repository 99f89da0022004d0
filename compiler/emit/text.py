"""Text of a spec as Python text: docstrings, comments and string literals.

Whatever a spec says ends up inside the quotes or behind the `#`, never outside: characters
that could end a string, start an escape or a new line, or hide what follows from a reader
(control and formatting characters) are written as escapes.
"""

from __future__ import annotations

import inspect
import textwrap
import unicodedata

from compiler.diagnostics import Source

WIDTH = 100
"""The line length of generated code."""


def width(text: str) -> int:
    """Return the columns that `text` takes; wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def escaped(text: str) -> str:
    """Return `text` with everything escaped that a string between double quotes can't hold."""
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character == '"':
        return "\\x22"
    return visible(character)


def visible(text: str) -> str:
    """Return `text` with its invisible characters written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character == " " or character.isprintable()
        else f"\\x{ord(character):02x}"
        if ord(character) < 0x100
        else f"\\u{ord(character):04x}"
        if ord(character) < 0x10000
        else f"\\U{ord(character):08x}"
        for character in text
    )


def literal(text: str) -> str:
    """Return a string literal for `text`."""
    return f'"{escaped(text)}"'


def cleaned(doc: str) -> str:
    """Return documentation without its indentation and white space around lines."""
    while True:
        clean = inspect.cleandoc(doc.replace("\r\n", "\n"))
        clean = "\n".join(line.rstrip() for line in clean.split("\n")).strip("\n")
        if clean == doc:
            return clean
        doc = clean


def docstring(doc: str, indent: str = "") -> list[str]:
    """Return the lines of a docstring; its value, cleaned, is `cleaned(doc)`.

    Lines that are too long stay as they are, marked for the linter: where they break is the
    author's choice.
    """
    lines = [_docstring_line(line) for line in cleaned(doc).split("\n")]
    if len(lines) == 1:
        text = f'{indent}"""{_guard_end(_guard_start(lines[0]))}"""'
        return [text if width(text) <= WIDTH else f"{text}  # noqa: E501"]
    lines[0] = _guard_start(lines[0])
    rendered = [f'{indent}"""{lines[0]}', *(indent + line if line else "" for line in lines[1:])]
    long = any(width(line) > WIDTH for line in rendered)
    return [*rendered, f'{indent}"""' + ("  # noqa: E501" if long else "")]


def _docstring_line(line: str) -> str:
    return visible(line.replace("\\", "\\\\")).replace('"""', '""\\x22')


def _guard_start(line: str) -> str:
    return f"\\x22{line[1:]}" if line.startswith('"') else line


def _guard_end(line: str) -> str:
    return f"{line[:-1]}\\x22" if line.endswith('"') else line


def comment(text: str, indent: str = "") -> str:
    """Return a comment of one line; what does not fit is cut off."""
    line = f"{indent}# {visible(text)}".rstrip()
    if width(line) <= WIDTH:
        return line
    while width(line) > WIDTH - 2:
        line = line[:-1]
    return f"{line.rstrip()} …"


def comments(doc: str, indent: str = "") -> list[str]:
    """Return documentation as comments."""
    lines: list[str] = []
    for paragraph in cleaned(doc).split("\n"):
        wrapped = textwrap.wrap(visible(paragraph), (WIDTH - len(indent) - 2) // 2 * 2)
        lines += [comment(line, indent) for line in wrapped or [""]]
    return lines


def source_line(source: Source, line: int, place: str) -> str:
    """Return a line of the spec as it was written, behind its place."""
    return f"{place}:{line}  {' '.join(source.line(line).split())}"


def has_doc(doc: str | None) -> bool:
    """Whether there is documentation in `doc`."""
    return doc is not None and cleaned(doc) != ""
