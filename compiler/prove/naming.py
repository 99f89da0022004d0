"""Names for the elements of small structures: `a1`, `p2`, `b0`, `v1`.

A name is a short prefix of the sort's name, as short as tells the sorts apart, and a number:
nodes count from 1, ordered and opaque elements from 0. The elements of an enum are its
members and keep their names; a quorum is named by its nodes, a set by what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from compiler.model.evaluate import carrier
from compiler.model.layout import Flat, Leaf, Product, leaves
from compiler.model.structure import Row, Structure, Value
from compiler.model.system import Model, SortDeclaration
from compiler.model.term import Sort


def prefixes(model: Model) -> Mapping[Sort, str]:
    """Return the prefix of each sort that is a role, opaque or ordered."""
    named = [d.sort for d in model.sorts if d.kind in ("role", "opaque", "ordered", "quorum")]
    found: dict[Sort, str] = {}
    for sort in named:
        name = sort.name.lower()
        others = [other.name.lower() for other in named if other != sort]
        length = 1
        while length < len(name) and any(o[:length] == name[:length] for o in others):
            length += 1
        found[sort] = name[:length]
    return found


def element_names(model: Model, sort: Sort, count: int) -> tuple[str, ...]:
    """Return names for the `count` elements of a role, opaque, ordered or quorum sort."""
    declaration = model.sort(sort.name)
    if declaration.kind == "enum":
        return declaration.elements
    if declaration.kind == "set":
        return tuple(f"{sort} {index}" for index in range(count))
    prefix = prefixes(model)[sort]
    first = 1 if declaration.kind == "role" else 0
    return tuple(f"{prefix}{first + index}" for index in range(count))


def set_rows(declaration: SortDeclaration, structure: Structure, element: Value) -> list[Row]:
    """Return the rows that are in an element of a sort of sets."""
    assert declaration.member is not None
    return [row[:-1] for row in structure.relations[declaration.member] if row[-1] == element]


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of all elements of one structure."""

    names: Mapping[tuple[Sort, Value], str]

    @staticmethod
    def of(model: Model, structure: Structure) -> Naming:
        """Name the elements of `structure` by their places in the carriers."""
        names: dict[tuple[Sort, Value], str] = {}
        for declaration in model.sorts:
            elements = structure.carriers[declaration.sort]
            if declaration.kind in ("quorum", "set"):
                continue
            for element, name in zip(
                elements, element_names(model, declaration.sort, len(elements)), strict=True
            ):
                names[declaration.sort, element] = name
        for quorum in model.quorums:
            rows = structure.relations[quorum.member]
            for element in structure.carriers[quorum.sort]:
                members = [
                    names[quorum.role, node]
                    for node in structure.carriers[quorum.role]
                    if (node, element) in rows
                ]
                names[quorum.sort, element] = "{" + ", ".join(members) + "}"
        naming = Naming(names)
        for declaration in model.sorts:
            if declaration.element is not None:
                for element in structure.carriers[declaration.sort]:
                    names[declaration.sort, element] = naming.set(declaration, structure, element)
        return naming

    def set(self, declaration: SortDeclaration, structure: Structure, element: Value) -> str:
        """Return what is in an element of a sort of sets, in the order of the carriers."""
        assert declaration.element is not None
        sorts = leaves(declaration.element)
        rows = set_rows(declaration, structure, element)
        rows.sort(
            key=lambda row: [
                carrier(structure, s).index(e) for s, e in zip(sorts, row, strict=True)
            ]
        )
        return "{" + ", ".join(self.flat(declaration.element, row) for row in rows) + "}"

    def flat(self, shape: Flat, row: Row) -> str:
        """Return a flat value as text; `row` has its columns."""
        match shape:
            case Leaf(sort=sort):
                return self(sort, row[0])
            case Product(parts=parts, record=record):
                texts, start = [], 0
                for part in parts:
                    width = len(leaves(part))
                    texts.append(self.flat(part, row[start : start + width]))
                    start += width
                return f"{record or ''}({', '.join(texts)})"
        assert_never(shape)

    def __call__(self, sort: Sort, element: Value) -> str:
        """Return the name of `element` of `sort`; Booleans are `true` and `false`."""
        if isinstance(element, bool):
            return "true" if element else "false"
        return self.names.get((sort, element), str(element))
