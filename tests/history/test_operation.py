"""The format of histories, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from runtime.history.operation import HistoryError, Operation, read, write
from tests.history.generating import histories


@given(histories())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_read(tmp_path: Path, operations: list[Operation]) -> None:
    path = tmp_path / "history.jsonl"
    write(path, operations)
    assert read(path) == sorted(operations, key=lambda operation: operation.invoked)


def test_several_files_are_one_history(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    first, second = Operation("a", "get", ("k",), 5, 6), Operation("b", "get", ("k",), 1, 2)
    write(paths[0], [first])
    write(paths[1], [second])
    assert read(*paths) == [second, first]


HEADER = json.dumps({"format": "accordant history", "version": 1, "unit": "ns"})
GET = {
    "client": "a",
    "operation": "get",
    "arguments": ["k"],
    "invoked": 2,
    "responded": 3,
    "result": None,
}


def line(**changes: object) -> str:
    return json.dumps({**GET, **changes})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[]"], r":1: not an object"),
        (['{"format": "other"}'], r":1: not a history"),
        ([HEADER.replace("1", "2")], r":1: a history of version 2"),
        ([HEADER, "{"], r":2: "),
        ([HEADER, line(client=1)], r":2: `client` is missing or of a wrong type"),
        ([HEADER, line(invoked=True)], r":2: `invoked` is not a whole number"),
        ([HEADER, line(responded="x")], r":2: `responded` is neither"),
        ([HEADER, line(responded=1)], r":2: an operation responded before"),
        ([HEADER, line(arguments=[{}])], r":2: values are text"),
        ([HEADER, line()], r"no end line"),
        ([HEADER, line(), '{"end": 2}'], r":3: the end counts 2 operations, but 1 are here"),
        ([HEADER, '{"end": 0}', line()], r":3: there is something after the end"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(HistoryError, match=message):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="nowhere"):
        read(tmp_path / "nowhere")
