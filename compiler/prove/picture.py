"""States in the spec's own words: places and their values.

A structure is read through the layouts into *places* (`a1.promised`, `c1.decision[t0]`,
`p1.promises`) with their values as text, and into *records*: the messages, requests and
outputs of the past. What is as it was initially is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import assert_never

from compiler.model.evaluate import carrier
from compiler.model.layout import (
    Flat,
    History,
    Product,
    SignatureLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
    leaves,
)
from compiler.model.structure import Row, Structure
from compiler.model.successors import initial_structure
from compiler.model.system import Model
from compiler.model.term import BOOL, Sort, Symbol
from compiler.prove.naming import Naming


@dataclass(frozen=True, slots=True)
class Picture:
    """A state as text.

    `places`: the value of every variable of every node, map entries one by one, in the order
    of the spec. `records`: what was sent, requested and output.
    """

    places: Mapping[str, str]
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A place whose value is not what it was."""

    place: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.place} = {self.after}"


class Painter:
    """Draws the states of one model over the same elements."""

    def __init__(self, model: Model, structure: Structure) -> None:
        self.model = model
        self.naming = Naming.of(model, structure)
        self.initial = self.picture(initial_structure(model, structure))

    def picture(self, structure: Structure) -> Picture:
        """Return the whole picture of a state."""
        return Picture(dict(self._places(structure)), tuple(self._records(structure)))

    def told(self, picture: Picture) -> list[str]:
        """Return the lines of a state that differ from the initial one."""
        lines = [str(change) for change in changes(self.initial, picture)]
        return lines + [r for r in picture.records if r not in self.initial.records]

    def elements(self, structure: Structure) -> list[str]:
        """Return lines that say which elements there are."""
        naming, lines = self.naming, list[str]()
        for declaration in self.model.sorts:
            sort = declaration.sort
            names = [naming(sort, element) for element in structure.carriers[sort]]
            match declaration.kind:
                case "enum" | "set":  # a set is told by what is in it, wherever it is
                    continue
                case "ordered":
                    text = " < ".join(names)
                    if declaration.owner is not None and len(names) > 1:
                        owner = declaration.owner
                        owned = [
                            f"{naming(sort, element)} of "
                            f"{naming(owner.result, structure.functions[owner][(element,)])}"
                            for element in structure.carriers[sort][1:]
                        ]
                        text += f"  ({', '.join(owned)})"
                case "quorum":
                    names = sorted(dict.fromkeys(names), key=lambda n: (n.count(","), n))
                    text = ", ".join(names)
                case _:
                    text = ", ".join(names)
            lines.append(f"{sort.name}: {text}")
        return lines

    # --- variables ------------------------------------------------------------------------

    def _places(self, structure: Structure) -> Iterator[tuple[str, str]]:
        for role in (*self.model.roles, self.model.ghosts):
            nodes: tuple[Row, ...] = ((),)
            if role.sort is not None:
                nodes = tuple((node,) for node in structure.carriers[role.sort])
            for node in nodes:
                owner = "" if role.sort is None else self.naming(role.sort, node[0]) + "."
                for variable in role.variables:
                    yield from self._stored(variable.stored, owner + variable.name, node, structure)

    def _stored(
        self, stored: Stored, place: str, prefix: Row, structure: Structure
    ) -> Iterator[tuple[str, str]]:
        if isinstance(stored, StoredMap):
            for key in self._rows(leaves(stored.key), structure):
                name = self.flat(stored.key, key)
                if name.startswith("(") and isinstance(stored.key, Product):
                    name = name[1:-1]
                yield from self._stored(stored.value, f"{place}[{name}]", prefix + key, structure)
        elif isinstance(stored, StoredProduct) and any(
            isinstance(part, StoredMap) for part in stored.parts
        ):
            names = stored.names or tuple(map(str, range(len(stored.parts))))
            for name, part in zip(names, stored.parts, strict=True):
                yield from self._stored(part, f"{place}.{name}", prefix, structure)
        else:
            yield place, self._value(stored, prefix, structure)

    def _value(self, stored: Stored, prefix: Row, structure: Structure) -> str:
        match stored:
            case StoredLeaf(symbol=symbol):
                if symbol.result == BOOL:
                    return "true" if prefix in structure.relations[symbol] else "false"
                return self.naming(symbol.result, structure.functions[symbol][prefix])
            case StoredOption(symbol=symbol, content=content):
                rows = self._below(symbol, prefix, structure)
                texts = [f"some {self.flat(content, row)}" for row in rows]
                return " or ".join(texts) if texts else "none"
            case StoredSet(symbol=symbol, element=element):
                rows = self._below(symbol, prefix, structure)
                return "{" + ", ".join(self.flat(element, row) for row in rows) + "}"
            case StoredProduct(parts=parts, record=record):
                values = ", ".join(self._value(part, prefix, structure) for part in parts)
                return f"{record or ''}({values})"
            case StoredMap():
                raise AssertionError("a map inside a value that is told whole")
        assert_never(stored)

    def _below(self, symbol: Symbol, prefix: Row, structure: Structure) -> list[Row]:
        """Return the ends of the rows that begin with `prefix`, in the order of the carriers."""
        sorts = symbol.arguments[len(prefix) :]
        found = [
            row[len(prefix) :]
            for row in structure.relations[symbol]
            if row[: len(prefix)] == prefix
        ]
        return sorted(found, key=lambda row: self._rank(sorts, row, structure))

    @staticmethod
    def _rank(sorts: Sequence[Sort], row: Row, structure: Structure) -> list[int]:
        return [carrier(structure, s).index(e) for s, e in zip(sorts, row, strict=True)]

    @staticmethod
    def _rows(sorts: tuple[Sort, ...], structure: Structure) -> Iterator[Row]:
        return product(*(carrier(structure, sort) for sort in sorts))

    def flat(self, shape: Flat, row: Row) -> str:
        """Return a flat value as text; `row` has its columns."""
        return self.naming.flat(shape, row)

    # --- histories ------------------------------------------------------------------------

    def _records(self, structure: Structure) -> Iterator[str]:
        for verb, layouts in (
            ("requested", self.model.requests),
            ("sent", self.model.messages),
            ("output", self.model.outputs),
        ):
            for layout in layouts:
                for history in layout.histories:
                    for row in self._below(history.symbol, (), structure):
                        yield f"{verb} {self._record(verb, layout, history, row)}"

    def _record(self, verb: str, layout: SignatureLayout, history: History, row: Row) -> str:
        sender, rest = self.naming(history.sender, row[0]), row[1:]
        where = f" from {sender}" if verb == "sent" else f" at {sender}"
        if verb == "sent" and history.receiver is not None:
            where += f" to {self.naming(history.receiver, rest[0])}"
            rest = rest[1:]
        elif verb == "sent" and history.broadcast_to is not None:
            where += f" to every {history.broadcast_to.name}"
        present = iter(history.present)
        fields = []
        for field in layout.fields:
            if field.optional and not next(present):
                fields.append("none")
                continue
            width = len(leaves(field.shape))
            text = self.flat(field.shape, rest[:width])
            fields.append(f"some {text}" if field.optional else text)
            rest = rest[width:]
        return call(layout.name, fields) + where


def call(name: str, fields: Sequence[str]) -> str:
    """Return `name(fields)`, or `name` alone if there are none."""
    return f"{name}({', '.join(fields)})" if fields else name


def changes(before: Picture, after: Picture) -> list[Change]:
    """Return the places that differ, in the order of the spec."""
    return [
        Change(place, before.places[place], value)
        for place, value in after.places.items()
        if before.places[place] != value
    ]


def added(before: Picture, after: Picture) -> list[str]:
    """Return the records that are new in `after`."""
    known = set(before.records)
    return [record for record in after.records if record not in known]
