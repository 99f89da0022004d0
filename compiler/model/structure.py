"""Finite structures: a state of the model together with the meaning of its rigid symbols."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from compiler.model.term import Sort, Symbol

Value: TypeAlias = Hashable
"""An element of a carrier. Members of enums are their names, Booleans are `bool`s, every
other element may be any hashable value."""

Row: TypeAlias = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """Carriers and the meaning of every symbol in them; never changed in place.

    `carriers`: of an ordered sort in ascending order, zero first; of an enum its members in
    the order of declaration; never empty. `relations`: the rows of which a relation holds.
    `functions`: the value at every row of arguments (total).
    Equal states are equal; they are not hashable as they are, see `fingerprint`.
    """

    carriers: Mapping[Sort, tuple[Value, ...]]
    relations: Mapping[Symbol, frozenset[Row]]
    functions: Mapping[Symbol, Mapping[Row, Value]]

    def fingerprint(self) -> Hashable:
        """Return a hashable value, equal for two structures exactly if the structures are."""
        return (
            frozenset(self.carriers.items()),
            frozenset(self.relations.items()),
            frozenset((symbol, frozenset(rows.items())) for symbol, rows in self.functions.items()),
        )
