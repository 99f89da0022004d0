"""A syntax tree in one line, for tests: fully bracketed, without places."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from compiler.diagnostics import Diagnostics, Source, Span
from compiler.syntax import parse, tree


def parsed(text: str) -> tree.Protocol:
    """The tree of a text that must have no mistakes."""
    diagnostics = Diagnostics()
    protocol = parse(Source("test.accord", text), diagnostics)
    assert not list(diagnostics), [d.message for d in diagnostics]
    assert protocol is not None
    return protocol


def expression(text: str) -> str:
    """The sketch of one expression."""
    declaration = parsed(f"protocol Test\nsafety test: {text}\n").declarations[0]
    assert isinstance(declaration, tree.PropertyDeclaration)
    return sketch(declaration.body)


def sketch(node: object) -> str:
    """A node as `(class part part …)`; names, literals and operators as they are written."""
    match node:
        case tree.Name() | tree.StateName() | tree.NameExpression() | tree.NamePattern():
            return node.text if isinstance(node, tree.Name) else sketch(node.name)
        case tree.NamedType():
            return node.name.text
        case tree.IntLiteral() | tree.BoolLiteral():
            return sketch(node.value)
        case bool():
            return str(node).lower()
        case tree.NoneLiteral() | tree.NonePattern():
            return "none"
        case tree.BinaryExpression():
            return f"({sketch(node.left)} {node.operator} {sketch(node.right)})"
        case tree.UnaryExpression():
            return f"({node.operator} {sketch(node.operand)})"
        case tuple():
            return f"[{' '.join(map(sketch, node))}]"
        case None:
            return "-"
        case Span():
            return "here"
        case _ if dataclasses.is_dataclass(node):
            # What is left out in most specs is left out here as well.
            parts = [
                sketch(getattr(node, f.name))
                for f in dataclasses.fields(node)
                if f.name != "span" and getattr(node, f.name) != f.default
            ]
            return f"({' '.join([type(node).__name__, *parts])})"
        case _:
            return str(node)


def nodes(node: object) -> Iterator[object]:
    """A node and everything below it that has a span."""
    if isinstance(node, tuple):
        for part in node:
            yield from nodes(part)
    elif dataclasses.is_dataclass(node) and not isinstance(node, Span | Source):
        yield node
        for field in dataclasses.fields(node):
            yield from nodes(getattr(node, field.name))


def text_of(span: Span) -> str:
    """The stretch of the source that a span covers."""
    lines = span.source.text.split("\n")[span.line - 1 : span.end_line]
    if span.line == span.end_line:
        return lines[0][span.column - 1 : span.end_column - 1]
    return "\n".join([lines[0][span.column - 1 :], *lines[1:-1], lines[-1][: span.end_column - 1]])
