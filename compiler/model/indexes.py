"""Hash indexes over the rows of relations and functions, kept from state to state.

One step changes a few rows of a few symbols, and interpretations are never changed in place.
So an index remembers the very object it was built from; given another one it applies the
difference. An index is a memo: what it returns depends on the rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler.model.order import Order, OrderTable
from compiler.model.structure import Row, Value
from compiler.model.term import Symbol

Table = dict[Value, list[Row]]
"""The rows by their key: the value of one column, or the tuple of several. No list is empty."""


class RelationIndex:
    """The rows of a relation by the values of `columns`."""

    __slots__ = ("_columns", "source", "table")

    def __init__(self, columns: tuple[int, ...]) -> None:
        self._columns = columns
        self.source: frozenset[Row] = frozenset()
        self.table: Table = {}

    def refresh(self, rows: frozenset[Row]) -> Table:
        """Return the table of `rows`."""
        old = self.source
        if rows is old:
            return self.table
        if isinstance(rows, Order):
            self.source, self.table = rows, OrderTable(rows, self._columns)
            return self.table
        added: Iterable[Row] = rows - old
        removed = old - rows
        # Past this point removing rows one by one costs more than starting afresh.
        if 2 * len(removed) > len(rows):
            self.table = {}
            added, removed = rows, frozenset()
        table, columns = self.table, self._columns
        for row in removed:
            key = _key(row, columns)
            bucket = table[key]
            if len(bucket) == 1:
                del table[key]
            else:
                bucket.remove(row)
        _insert(table, columns, added)
        self.source = rows
        return table


class FunctionIndex:
    """The graph of a function, arguments and then the value, by the values of `columns`."""

    __slots__ = ("_columns", "source", "table")

    def __init__(self, columns: tuple[int, ...]) -> None:
        self._columns = columns
        self.source: Mapping[Row, Value] | None = None
        self.table: Table = {}

    def refresh(self, rows: Mapping[Row, Value]) -> Table:
        """Return the table of the graph of `rows`."""
        if rows is not self.source:
            self.table = {}
            _insert(self.table, self._columns, ((*row, value) for row, value in rows.items()))
            self.source = rows
        return self.table


class Indexes:
    """All indexes that the programs compiled together use."""

    def __init__(self) -> None:
        self._relations: dict[tuple[Symbol, tuple[int, ...]], RelationIndex] = {}
        self._functions: dict[tuple[Symbol, tuple[int, ...]], FunctionIndex] = {}

    def relation(self, symbol: Symbol, columns: tuple[int, ...]) -> RelationIndex:
        """Return the index of a relation by `columns`."""
        return self._relations.setdefault((symbol, columns), RelationIndex(columns))

    def function(self, symbol: Symbol, columns: tuple[int, ...]) -> FunctionIndex:
        """Return the index of a function's graph by `columns`."""
        return self._functions.setdefault((symbol, columns), FunctionIndex(columns))


def _key(row: Row, columns: tuple[int, ...]) -> Value:
    if len(columns) == 1:
        return row[columns[0]]
    return tuple([row[column] for column in columns])


def _insert(table: Table, columns: tuple[int, ...], rows: Iterable[Row]) -> None:
    for row in rows:
        key = _key(row, columns)
        bucket = table.get(key)
        if bucket is None:
            table[key] = [row]
        else:
            bucket.append(row)
