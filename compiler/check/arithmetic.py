"""Thresholds and assumptions: linear arithmetic over sizes, totals and parameters.

A threshold is decided for every number of nodes by linear integer arithmetic, so one side of
`*` is a literal and `//` divides by a positive one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from compiler.check import checked
from compiler.check.names import suggest
from compiler.check.symbols import Symbols
from compiler.check.types import RoleType
from compiler.diagnostics import Code, Label, Span
from compiler.syntax import tree

_Operation = Literal["+", "-", "*", "//"]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Checks the numbers of one place.

    `role` is the role whose nodes a bare `total` counts, None if there is none; `sized`: the
    place is a quorum's threshold, so `size` is known.
    """

    symbols: Symbols
    role: RoleType | None
    sized: bool
    place: str

    def condition(self, node: tree.Expression) -> checked.Expression:
        """Return a condition over numbers."""
        match node:
            case tree.BoolLiteral(value=value):
                return checked.BoolValue(value, node.span)
            case tree.UnaryExpression(operator="not", operand=operand):
                return checked.Not(self.condition(operand), node.span)
            case tree.BinaryExpression(operator="and" | "or" | "implies" | "iff" as operator):
                return checked.Logical(
                    operator,
                    self.condition(node.left),
                    self.condition(node.right),
                    node.span,
                )
            case tree.BinaryExpression(operator="=" | "!=" | "<" | "<=" | ">" | ">=" as operator):
                return checked.Compare(
                    operator,
                    self.number(node.left),
                    self.number(node.right),
                    node.span,
                )
            case _:
                self._bad(
                    f"{self.place} is a comparison of numbers",
                    node.span,
                    "for a majority, write `2 * size > total`" if self.sized else None,
                )
                return checked.BoolValue(False, node.span)

    def number(self, node: tree.Expression) -> checked.Expression:
        """Return a whole number."""
        match node:
            case tree.IntLiteral(value=value):
                return checked.IntValue(value, node.span)
            case tree.NameExpression(name=name):
                return self._name(name, node.span)
            case tree.CallExpression(
                function=tree.Name(text="total"), arguments=(tree.NameExpression(name=name),)
            ):
                return self._total(name, node.span)
            case tree.UnaryExpression(operator="-", operand=operand):
                return checked.Arithmetic(
                    "-", checked.IntValue(0, node.span), self.number(operand), node.span
                )
            case tree.BinaryExpression(operator="+" | "-" as operator):
                return checked.Arithmetic(
                    cast("_Operation", operator),
                    self.number(node.left),
                    self.number(node.right),
                    node.span,
                )
            case tree.BinaryExpression(operator="*"):
                left, right = self.number(node.left), self.number(node.right)
                if not is_constant(left) and not is_constant(right):
                    self._not_linear("a product needs a fixed number on one side", node)
                return checked.Arithmetic("*", left, right, node.span)
            case tree.BinaryExpression(operator="//"):
                left, right = self.number(node.left), self.number(node.right)
                if not isinstance(right, checked.IntValue) or right.value <= 0:
                    self._not_linear("the divisor must be a fixed number, 1 or more", node)
                return checked.Arithmetic("//", left, right, node.span)
            case _:
                self._bad(
                    "this should be a number",
                    node.span,
                    "numbers are made of sizes, totals, parameters and `+ - * //`",
                )
                return checked.IntValue(0, node.span)

    def _name(self, name: tree.Name, span: Span) -> checked.Expression:
        if name.text == "size":
            if self.sized:
                return checked.IntName("size", "size", None, span)
            self._bad(f"there is no `size` in {self.place}", span, "only a threshold has it")
            return checked.IntValue(0, span)
        if name.text == "total":
            if self.role is not None:
                return checked.IntName("total", "total", self.role, span)
            roles = self.symbols.declarations.roles()
            self._bad(
                f"`total` in {self.place} needs a role",
                span,
                f"write `total {roles[0].name.text}`" if roles else None,
            )
            return checked.IntValue(0, span)
        declaration = self.symbols.declarations.names.get(name.text)
        if isinstance(declaration, tree.ParameterDeclaration):
            return checked.IntName("parameter", name.text, None, span)
        if declaration is not None:
            self.symbols.diagnostics.error(
                Code.BAD_THRESHOLD,
                f"`{name.text}` is not a number",
                span,
                labels=(Label(declaration.name.span, "declared here"),),
            )
            return checked.IntValue(0, span)
        known = ["total", *(["size"] if self.sized else [])]
        known += [d.name.text for d in self._parameters()]
        self.symbols.diagnostics.error(
            Code.UNKNOWN_NAME,
            f"`{name.text}` is not known here",
            span,
            suggest(name.text, known) or f"declare it: `parameter {name.text}`",
        )
        return checked.IntValue(0, span)

    def _parameters(self) -> list[tree.ParameterDeclaration]:
        return [
            d
            for d in self.symbols.declarations.names.values()
            if isinstance(d, tree.ParameterDeclaration)
        ]

    def _total(self, name: tree.Name, span: Span) -> checked.Expression:
        role = self.symbols.types.role(name)
        if role is None:
            return checked.IntValue(0, span)
        return checked.IntName("total", "total", role, span)

    def _bad(self, message: str, span: Span, help_: str | None) -> None:
        self.symbols.diagnostics.error(Code.BAD_THRESHOLD, message, span, help_)

    def _not_linear(self, message: str, node: tree.BinaryExpression) -> None:
        self.symbols.diagnostics.error(
            Code.NOT_LINEAR,
            message,
            node.span,
            "quorum facts are proved for every number of nodes, which needs linear arithmetic",
        )


def is_constant(number: checked.Expression) -> bool:
    """Whether a number is fixed."""
    match number:
        case checked.IntValue():
            return True
        case checked.Arithmetic(left=left, right=right):
            return is_constant(left) and is_constant(right)
        case _:
            return False


def mentions_size(number: checked.Expression) -> bool:
    """Whether a threshold depends on the size of the set."""
    match number:
        case checked.IntName(kind=kind):
            return kind == "size"
        case (
            checked.Arithmetic(left=left, right=right)
            | checked.Compare(left=left, right=right)
            | checked.Logical(left=left, right=right)
        ):
            return mentions_size(left) or mentions_size(right)
        case checked.Not(operand=operand):
            return mentions_size(operand)
        case _:
            return False


def threshold(
    symbols: Symbols, declaration: tree.QuorumDeclaration, role: RoleType
) -> checked.Expression:
    """Return the threshold of a quorum."""
    before = len(symbols.diagnostics.items)
    found = Arithmetic(symbols, role, True, "a threshold").condition(declaration.threshold)
    if len(symbols.diagnostics.items) == before and not mentions_size(found):
        symbols.diagnostics.error(
            Code.BAD_THRESHOLD,
            "this threshold does not depend on `size`",
            declaration.threshold.span,
            "for a majority, write `2 * size > total`",
        )
    return found


def assumption(symbols: Symbols, node: tree.Expression) -> checked.Expression:
    """Return the assumption about a parameter."""
    return Arithmetic(symbols, None, False, "an assumption").condition(node)


def survives(symbols: Symbols, node: tree.SurvivesExpression) -> checked.Expression:
    """Return `Q survives e`."""
    quorum = symbols.types.quorum(node.quorum)
    role = None if quorum is None else quorum.role
    crashes = Arithmetic(symbols, role, False, "a fact").number(node.crashes)
    if quorum is None:
        return checked.BoolValue(False, node.span)
    return checked.Survives(quorum, crashes, node.span)
