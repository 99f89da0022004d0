"""Indexes follow the rows they are asked about."""

from __future__ import annotations

from random import Random

from compiler.model.indexes import FunctionIndex, RelationIndex
from compiler.model.structure import Row, Value


def by_key(rows: frozenset[Row], columns: tuple[int, ...]) -> dict[Value, set[Row]]:
    table: dict[Value, set[Row]] = {}
    for row in rows:
        key = tuple(row[column] for column in columns)
        table.setdefault(key[0] if len(key) == 1 else key, set()).add(row)
    return table


def test_a_relation_index_follows_small_and_large_changes() -> None:
    rng = Random(3)
    index, pair = RelationIndex((1,)), RelationIndex((0, 2))
    rows: frozenset[Row] = frozenset()
    for _ in range(200):
        if rng.random() < 0.1:
            kept = [row for row in rows if rng.random() < 0.3]
        else:
            kept = [row for row in rows if rng.random() < 0.95]
        new = [tuple(rng.randrange(4) for _ in range(3)) for _ in range(rng.randrange(4))]
        rows = frozenset([*kept, *new])
        for each, columns in ((index, (1,)), (pair, (0, 2))):
            found = each.refresh(rows)
            assert {key: set(bucket) for key, bucket in found.items()} == by_key(rows, columns)
            assert sum(map(len, found.values())) == len(rows)
            assert each.refresh(rows) is found


def test_a_function_index_holds_the_graph() -> None:
    index = FunctionIndex((1,))
    rows: dict[Row, Value] = {("a",): 1, ("b",): 2, ("c",): 1}
    assert index.refresh(rows) == {1: [("a", 1), ("c", 1)], 2: [("b", 2)]}
    assert index.refresh({("a",): 3}) == {3: [("a", 3)]}
