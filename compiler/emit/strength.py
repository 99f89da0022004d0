"""How strongly Python's operators bind, and how they are written."""

from __future__ import annotations

import ast
from enum import IntEnum


class Strength(IntEnum):
    """How strongly an expression holds together, weakest first."""

    WALRUS = 0
    OR = 2
    AND = 3
    NOT = 4
    COMPARE = 5
    BIT_OR = 6
    ADD = 7
    MULTIPLY = 8
    UNARY = 9
    ATOM = 10


OPERATORS: dict[type[ast.operator], tuple[str, Strength]] = {
    ast.BitOr: ("|", Strength.BIT_OR),
    ast.Add: ("+", Strength.ADD),
    ast.Sub: ("-", Strength.ADD),
    ast.Mult: ("*", Strength.MULTIPLY),
    ast.FloorDiv: ("//", Strength.MULTIPLY),
}

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def strength(node: ast.expr) -> Strength:
    """Return how strongly `node` holds together."""
    match node:
        case ast.NamedExpr():
            return Strength.WALRUS
        case ast.BoolOp(op=ast.Or()):
            return Strength.OR
        case ast.BoolOp():
            return Strength.AND
        case ast.UnaryOp(op=ast.Not()):
            return Strength.NOT
        case ast.UnaryOp():
            return Strength.UNARY
        case ast.Compare():
            return Strength.COMPARE
        case ast.BinOp(op=operator):
            return OPERATORS[type(operator)][1]
        case _:
            return Strength.ATOM
