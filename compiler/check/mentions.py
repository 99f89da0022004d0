"""Which names are written in a part of a spec, whatever they mean there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from compiler.syntax import tree


def mentions(node: object) -> Iterator[str]:
    """Yield the text of every name in a part of the syntax tree.

    It goes by the fields of the tree's classes, since for finding names all are alike.
    """
    if isinstance(node, tree.Name):
        yield node.text
    elif isinstance(node, tuple):
        for part in node:
            yield from mentions(part)
    elif is_dataclass(node) and type(node).__module__ == tree.__name__:
        for part in fields(node):
            yield from mentions(getattr(node, part.name))
