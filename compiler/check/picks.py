"""`pick`: an element of a set, or a value above others of an ordered type.

Generated code must be able to find the value. In a set it looks; of an ordered type it makes
the least value above the bounds, which is why the condition has a fixed shape there.
"""

from __future__ import annotations

from compiler.check import checked
from compiler.check.expressions import Expressions
from compiler.check.failure import ERROR, broken
from compiler.check.types import BOOL, OrderedType, SetType, Type
from compiler.diagnostics import Code, Span
from compiler.syntax import tree


def pick(code: Expressions, node: tree.Pick) -> checked.Statement | None:
    """Return a `pick`; its name is bound from here to the end of the block."""
    if isinstance(node.domain, tree.NameExpression):
        name = node.domain.name
        if code.scope.find(name.text) is None and code.symbols.types.is_type(name.text):
            type_ = code.symbols.types.named(name)
            if isinstance(type_, OrderedType):
                return _above(code, node, type_)
            code.scope.bind(node.name, type_, code.diagnostics)
            _refuse(
                code,
                f"code can't pick any value of {type_}",
                node.domain.span,
                "pick from a set that the node has, or take the value from a message or request",
            )
            return None
    return _from_set(code, node)


def _from_set(code: Expressions, node: tree.Pick) -> checked.Statement:
    domain = code.infer(node.domain)
    element: Type = ERROR
    if isinstance(domain.type, SetType):
        element = domain.type.element
    elif not broken(domain.type):
        code.error(
            Code.NOT_A_SET,
            f"`pick` takes an element of a set, and this is of type {domain.type}",
            node.domain.span,
        )
    binding = code.scope.bind(node.name, element, code.diagnostics)
    condition = None if node.condition is None else code.check(node.condition, BOOL)
    return checked.PickFrom(binding, domain, condition, node.span)


def _above(code: Expressions, node: tree.Pick, type_: OrderedType) -> checked.Statement | None:
    name = node.name.text
    bounds: list[checked.Expression] = []
    owner: checked.Expression | None = None
    sound = True
    for part in [] if node.condition is None else _conjuncts(node.condition):
        bound = _bound(part, name)
        if bound is not None:
            bounds.append(code.check(bound, type_))
        elif type_.owner is not None and (node_ := _owner(part, name)) is not None:
            owner = code.check(node_, type_.owner)
        else:
            sound = False
            _refuse(
                code, "code can't find a value by this condition", part.span, _shape(type_, name)
            )
    binding = code.scope.bind(node.name, type_, code.diagnostics)
    if not sound:
        return None
    if not bounds:
        _refuse(code, f"`{name}` needs a value to be above", node.span, _shape(type_, name))
        return None
    if type_.owner is not None and type_.owner != code.role:
        _refuse(
            code,
            f"only nodes of {type_.owner} make values of {type_}",
            node.span,
            f"{type_} is owned by {type_.owner}",
        )
        return None
    if type_.owner is not None and owner is None:
        _refuse(
            code,
            f"it must be said to which node the value of {type_} belongs",
            node.span,
            _shape(type_, name),
        )
        return None
    return checked.PickAbove(binding, tuple(bounds), owner, node.span)


def _conjuncts(node: tree.Expression) -> list[tree.Expression]:
    if isinstance(node, tree.BinaryExpression) and node.operator == "and":
        return _conjuncts(node.left) + _conjuncts(node.right)
    return [node]


def _is_name(node: tree.Expression, name: str) -> bool:
    return isinstance(node, tree.NameExpression) and node.name.text == name


def _bound(node: tree.Expression, name: str) -> tree.Expression | None:
    """Return `e` of `name > e` or `e < name`."""
    match node:
        case tree.BinaryExpression(operator=">", left=left, right=right):
            pass
        case tree.BinaryExpression(operator="<", left=right, right=left):
            pass
        case _:
            return None
    return right if _is_name(left, name) and not _is_name(right, name) else None


def _owner(node: tree.Expression, name: str) -> tree.Expression | None:
    """Return `e` of `name.owner = e` or `e = name.owner`."""
    match node:
        case tree.BinaryExpression(operator="=", left=left, right=right):
            if _is_owner(left, name):
                return right
            return left if _is_owner(right, name) else None
        case _:
            return None


def _is_owner(node: tree.Expression, name: str) -> bool:
    return (
        isinstance(node, tree.FieldExpression)
        and node.field.text == "owner"
        and _is_name(node.subject, name)
    )


def _shape(type_: OrderedType, name: str) -> str:
    owner = "" if type_.owner is None else f" and {name}.owner = self"
    return f"write `pick {name} in {type_} where {name} > …{owner}`"


def _refuse(code: Expressions, message: str, span: Span, help_: str) -> None:
    code.error(Code.NOT_EXECUTABLE, message, span, help_)
