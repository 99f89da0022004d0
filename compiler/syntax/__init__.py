"""Text to syntax tree: the only room that knows the grammar and Lark."""

from compiler.syntax.parser import load, parse

__all__ = ["load", "parse"]
