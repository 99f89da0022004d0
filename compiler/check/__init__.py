"""Syntax tree to checked tree: names, types, and what handlers and properties may do."""

from compiler.check.protocol import check

__all__ = ["check"]
