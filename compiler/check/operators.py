"""Operators: connectives, comparisons, membership, and tests with `is`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compiler.check import checked
from compiler.check.access import NEIGHBOURS
from compiler.check.failure import ERROR, agree, broken
from compiler.check.mentions import mentions
from compiler.check.mode import Mode
from compiler.check.types import (
    BOOL,
    EnumType,
    MapType,
    OpaqueType,
    OptionType,
    OrderedType,
    QuorumType,
    RecordType,
    RoleType,
    SetType,
)
from compiler.diagnostics import Code, Label, Span
from compiler.syntax import tree

if TYPE_CHECKING:
    from compiler.check.expressions import Expressions

_Comparison = Literal["=", "!=", "<", "<=", ">", ">="]


def operation(
    place: Expressions, node: tree.UnaryExpression | tree.BinaryExpression
) -> checked.Expression:
    """Return the expression for an operator."""
    match node:
        case tree.UnaryExpression(operator="not", operand=operand):
            return checked.Not(place.check(operand, BOOL), node.span)
        case tree.UnaryExpression():
            return no_arithmetic(place, node.span)
        case tree.BinaryExpression(operator="and" | "or" | "implies" | "iff" as operator):
            return checked.Logical(
                operator,
                place.check(node.left, BOOL),
                place.check(node.right, BOOL),
                node.span,
            )
        case tree.BinaryExpression(operator="=" | "!=" | "<" | "<=" | ">" | ">="):
            return _comparison(place, node)
        case tree.BinaryExpression(operator="in"):
            return _member(place, node)
        case tree.BinaryExpression(operator="not in"):
            return checked.Not(_member(place, node), node.span)
        case tree.BinaryExpression(operator="includes"):
            return _includes(place, node)
        case _:
            return no_arithmetic(place, node.span)


def no_arithmetic(place: Expressions, span: Span) -> checked.Expression:
    """Report a number where there are none."""
    return place.error(
        Code.ARITHMETIC_IN_CODE,
        "numbers stand only in thresholds, assumptions and facts",
        span,
        "declare an `ordered` type for what is compared, and a `quorum` for what is counted",
    )


def _needs_context(place: Expressions, node: tree.Expression) -> bool:
    """Whether the type of an expression depends on what stands around it."""
    match node:
        case tree.NoneLiteral() | tree.SetExpression(elements=()):
            return True
        case tree.NameExpression(name=name):
            if place.scope.find(name.text) is not None:
                return False
            declarations = place.symbols.declarations
            own = place.symbols.variables.get(place.role.name, {}) if place.role else {}
            if name.text in own or name.text in place.symbols.ghosts:
                return False
            return name.text == "zero" or len(declarations.members.get(name.text, ())) > 1
        case tree.SomeExpression(content=content):
            return _needs_context(place, content)
        case tree.FieldExpression(subject=subject, field=field) if field.text in NEIGHBOURS:
            return _needs_context(place, subject)
        case tree.TupleExpression(parts=parts) | tree.SetExpression(elements=parts):
            return any(_needs_context(place, part) for part in parts)
        case _:
            return False


def _comparison(place: Expressions, node: tree.BinaryExpression) -> checked.Expression:
    left, right = _sides(place, node)
    if broken(left.type) or broken(right.type):
        return failure_of_type(node.span)
    operator = cast("_Comparison", node.operator)
    if left.type != right.type:
        help_ = None
        if OptionType(left.type) == right.type or OptionType(right.type) == left.type:
            help_ = "compare with `some …`"
        elif isinstance(right.type, SetType) and agree(right.type.element, left.type):
            help_ = "write `in` for membership"
        return place.error(
            Code.TYPE_MISMATCH,
            f"can't compare a value of type {left.type} with one of type {right.type}",
            node.span,
            help_,
        )
    if operator not in ("=", "!=") and not isinstance(left.type, OrderedType):
        labels: tuple[Label, ...] = ()
        if isinstance(left.type, OpaqueType | EnumType | RoleType | RecordType):
            labels = (Label(left.type.span, f"{left.type} is declared here"),)
        return place.error(
            Code.NOT_ORDERED,
            f"`{operator}` needs values of an ordered type, and these are of type {left.type}",
            node.operator_span,
            "only types declared `ordered` or `counter` have an order",
            labels,
        )
    if isinstance(left.type, MapType) and place.mode is not Mode.FORMULA:
        return place.error(
            Code.NOT_EXECUTABLE,
            "code can't compare whole maps, which have an entry for every key",
            node.span,
            "compare the entries that matter, `m[k]`",
        )
    return checked.Compare(operator, left, right, node.span)


def failure_of_type(span: Span) -> checked.Expression:
    """Return what stands for a condition with a mistake in it."""
    return checked.BoolValue(False, span)


def _sides(
    place: Expressions, node: tree.BinaryExpression
) -> tuple[checked.Expression, checked.Expression]:
    """Infer both sides, first the one whose type is clear by itself."""
    if _needs_context(place, node.left) and not _needs_context(place, node.right):
        right = place.infer(node.right)
        return place.infer(node.left, right.type), right
    left = place.infer(node.left)
    return left, place.infer(node.right, left.type)


def _member(place: Expressions, node: tree.BinaryExpression) -> checked.Expression:
    set_ = place.infer(node.right)
    match set_.type:
        case SetType(element=element):
            pass
        case QuorumType(role=role):
            element = role
        case _:
            place.infer(node.left, ERROR)
            if broken(set_.type):
                return failure_of_type(node.span)
            return place.error(
                Code.NOT_A_SET,
                f"`in` needs a set on its right, and this is of type {set_.type}",
                node.right.span,
            )
    return checked.Member(place.check(node.left, element), set_, node.span)


def _includes(place: Expressions, node: tree.BinaryExpression) -> checked.Expression:
    set_ = place.infer(node.left)
    if not isinstance(node.right, tree.NameExpression):
        return place.error(
            Code.UNKNOWN_QUORUM,
            "`includes` is followed by the name of a quorum",
            node.right.span,
        )
    quorum = place.symbols.types.quorum(node.right.name)
    if not isinstance(set_.type, SetType):
        if broken(set_.type):
            return failure_of_type(node.span)
        return place.error(
            Code.NOT_A_SET,
            f"`includes` needs a set on its left, and this is of type {set_.type}",
            node.left.span,
        )
    if quorum is None:
        return failure_of_type(node.span)
    if not agree(set_.type.element, quorum.role):
        return place.error(
            Code.TYPE_MISMATCH,
            f"{quorum} is a quorum of {quorum.role}, but this is of type {set_.type}",
            node.left.span,
            f"it must be of type set {quorum.role}",
            (Label(quorum.span, "declared here"),),
        )
    return checked.Includes(set_, quorum, node.span)


def option(place: Expressions, node: tree.Expression) -> checked.Expression:
    """Return an expression that must be an option."""
    value = place.infer(node)
    if isinstance(value.type, OptionType) or broken(value.type):
        return value
    return place.error(
        Code.NOT_AN_OPTION,
        f"only an option can be some or none, and this is of type {value.type}",
        node.span,
    )


def test(place: Expressions, node: tree.IsExpression) -> checked.Expression:
    """Return `e is some`, `e is none` or `n is State`; a match may not stand here."""
    match node.pattern:
        case tree.SomePattern(content=None):
            return checked.IsSome(option(place, node.subject), node.span)
        case tree.SomePattern(content=content):
            option(place, node.subject)
            place.scope.forgiven.update(mentions(content))
            if place.mode is Mode.FORMULA:
                return place.error(
                    Code.CODE_IN_FORMULA,
                    "a formula can't bind names with `is some`",
                    node.span,
                    "write `exists x: T: e = some x and …`",
                )
            return place.error(
                Code.PATTERN_NOT_ALLOWED,
                "`is some` with names stands only in a condition, joined to others by `and`",
                node.span,
                "move it into an `if` or `when`, or test without names: `e is some`",
            )
        case tree.NonePattern():
            return checked.Not(checked.IsSome(option(place, node.subject), node.span), node.span)
        case tree.StateName(name=name):
            return _in_state(place, node, name)


def _in_state(place: Expressions, node: tree.IsExpression, name: tree.Name) -> checked.Expression:
    subject = place.infer(node.subject)
    if broken(subject.type):
        return failure_of_type(node.span)
    if not isinstance(subject.type, RoleType):
        return place.error(
            Code.TYPE_MISMATCH,
            f"only a node can be in a state, and this is of type {subject.type}",
            node.subject.span,
            f"to compare values, write `= {name.text}`",
        )
    if name.text in ("up", "down") and place.symbols.stops(subject.type):
        return _is_down(place, node, subject, name.text)
    state = place.symbols.state(subject.type, name)
    if state is None:
        return failure_of_type(node.span)
    if place.mode is Mode.INITIAL:
        return place.error(
            Code.BAD_INITIAL_VALUE, "an initial value can't depend on a state", node.span
        )
    if place.mode is Mode.CODE and not isinstance(subject, checked.SelfNode):
        return place.error(
            Code.FOREIGN_VARIABLE,
            "the state of another node can't be read",
            node.span,
            "a node knows only its own state; have it sent in a message",
        )
    return checked.InState(subject, state, node.span)


def _is_down(
    place: Expressions, node: tree.IsExpression, subject: checked.Expression, word: str
) -> checked.Expression:
    if place.mode is not Mode.FORMULA:
        return place.error(
            Code.FORMULA_IN_CODE,
            f"code can't know whether a node is {word}",
            node.span,
            "what a failure detector promises is said by `assume`",
        )
    down = checked.IsDown(subject, node.span)
    return down if word == "down" else checked.Not(down, node.span)
