"""Histories as data: what each client asked, when, and what it was told.

An operation whose outcome its client never learned (a broken connection, a timeout) has no
time of response: it may take effect at any time after its invocation, or never. A file is
JSON lines: a header, one object an operation in any order, and an end that counts them, so
that a file that lost its tail is not mistaken for a whole history. (An operation left out can
make a right history look wrong: its effect is seen, and nobody asked for it.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "accordant history"
VERSION = 1


class HistoryError(Exception):
    """A history that can't be read or written; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one client did once.

    Times are integers of one clock, in nanoseconds. `responded` is None where the outcome is
    unknown, and `result` then means nothing. Arguments and result are hashable: text, numbers,
    truth values, None, and tuples of these.
    """

    client: str
    name: str
    arguments: tuple[object, ...]
    invoked: int
    responded: int | None = None
    result: object = None

    @property
    def pending(self) -> bool:
        """Whether the outcome is unknown."""
        return self.responded is None


def header() -> dict[str, object]:
    """Return the first line of a file, as an object."""
    return {"format": FORMAT, "version": VERSION, "unit": "ns"}


def encode(operation: Operation) -> dict[str, object]:
    """Return an operation as a JSON object; raise HistoryError for a value JSON has no form of."""
    return {
        "client": operation.client,
        "operation": operation.name,
        "arguments": [_plain(argument) for argument in operation.arguments],
        "invoked": operation.invoked,
        "responded": operation.responded,
        "result": _plain(operation.result),
    }


def write(path: Path, operations: Sequence[Operation]) -> None:
    """Write a history."""
    lines = [json.dumps(header())]
    lines += [json.dumps(encode(operation)) for operation in operations]
    lines.append(json.dumps({"end": len(operations)}))
    path.write_text("\n".join(lines) + "\n", "utf-8")


def read(*paths: Path) -> list[Operation]:
    """Read one history from files whose times are of one clock, in the order of invocation.

    Raises HistoryError, with the file and the line.
    """
    operations = [operation for path in paths for operation in _read(path)]
    return sorted(operations, key=lambda operation: operation.invoked)


def _read(path: Path) -> list[Operation]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryError(f"{path}: {error}") from None
    operations: list[Operation] = []
    ended = False
    for number, line in enumerate(lines, 1):
        try:
            if ended:
                raise HistoryError("there is something after the end")
            data = json.loads(line)
            if not isinstance(data, dict):
                raise HistoryError("not an object")
            if number == 1:
                _check_header(data)
            elif "end" in data:
                if data["end"] != len(operations):
                    raise HistoryError(
                        f"the end counts {data['end']} operations, but {len(operations)} are here"
                    )
                ended = True
            else:
                operations.append(decode(data))
        except (HistoryError, json.JSONDecodeError, RecursionError) as error:
            raise HistoryError(f"{path}:{number}: {error}") from None
    if not ended:
        raise HistoryError(
            f"{path}: no end line: the recorder was not closed, so operations may be missing"
        )
    return operations


def _check_header(data: dict[str, Any]) -> None:
    if data.get("format") != FORMAT:
        raise HistoryError(f'not a history: its first line must say "format": "{FORMAT}"')
    if data.get("version") != VERSION:
        raise HistoryError(
            f"a history of version {data.get('version')!r}; only {VERSION} can be read"
        )


def decode(data: dict[str, Any]) -> Operation:
    """Return the operation that a JSON object says; raise HistoryError if it says none."""
    for name, type_ in (("client", str), ("operation", str), ("arguments", list)):
        if not isinstance(data.get(name), type_):
            raise HistoryError(f"`{name}` is missing or of a wrong type")
    invoked, responded = data.get("invoked"), data.get("responded")
    if not isinstance(invoked, int) or isinstance(invoked, bool):
        raise HistoryError("`invoked` is not a whole number")
    if responded is not None:
        if not isinstance(responded, int) or isinstance(responded, bool):
            raise HistoryError("`responded` is neither a whole number nor null")
        if responded < invoked:
            raise HistoryError("an operation responded before it was invoked")
    return Operation(
        data["client"],
        data["operation"],
        tuple(_frozen(argument) for argument in data["arguments"]),
        invoked,
        responded,
        _frozen(data.get("result")),
    )


def _frozen(value: object) -> object:
    match value:
        case list():
            return tuple(_frozen(part) for part in value)
        case dict():
            raise HistoryError("values are text, numbers, truth values, null and lists of these")
        case _:
            return value


def _plain(value: object) -> object:
    match value:
        case tuple() | list():
            return [_plain(part) for part in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise HistoryError(f"a history has no form for {value!r}: give text, for example")
