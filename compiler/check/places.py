"""Places: what an assignment may assign to."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.check import access, checked
from compiler.check.expressions import Expressions
from compiler.check.failure import ERROR, broken
from compiler.check.names import suggest
from compiler.check.types import MapType, RoleType, Type
from compiler.diagnostics import Code, Label
from compiler.syntax import tree


@dataclass(frozen=True, slots=True)
class Place:
    """A variable, or the entry of a map in it that `keys` lead to, of type `type`."""

    variable: checked.Variable
    keys: tuple[checked.Expression, ...]
    type: Type


def place_of(code: Expressions, target: tree.Expression) -> Place | None:
    """Return the place that `target` is; report it and return None if it is none."""
    match target:
        case tree.NameExpression(name=name):
            return _variable(code, name)
        case tree.FieldExpression(
            subject=tree.NameExpression(name=tree.Name(text="self")), field=name
        ):
            return _variable(code, name)
        case tree.IndexExpression():
            return _entry(code, target)
        case tree.FieldExpression():
            return _field(code, target)
        case _:
            _refuse(code, target, "only a variable or the entry of a map can be assigned", None)
            return None


def _variable(code: Expressions, name: tree.Name) -> Place | None:
    role = code.role
    own = {} if role is None else code.symbols.variables.get(role.name, {})
    local = code.scope.find(name.text)
    variable = own.get(name.text) or code.symbols.ghosts.get(name.text)
    if local is not None:
        code.error(
            Code.NOT_ASSIGNABLE,
            f"`{name.text}` is bound in this handler, and keeps its value",
            name.span,
            "only variables of the role can be assigned",
            (Label(local.span, "bound here"),),
        )
        return None
    if variable is None:
        owned = code.symbols.declarations.role_variable(name.text)
        if owned is not None:
            other, declaration = owned
            code.error(
                Code.FOREIGN_VARIABLE,
                f"`{name.text}` is a variable of {other.name.text}, not of {role}",
                name.span,
                "a node assigns only its own variables; send it a message",
                (Label(declaration.name.span, "declared here"),),
            )
            return None
        declared = code.symbols.declarations.names.get(name.text)
        if declared is not None or name.text in code.symbols.declarations.members:
            labels = () if declared is None else (Label(declared.name.span, "declared here"),)
            code.error(
                Code.NOT_ASSIGNABLE, f"`{name.text}` is not a variable", name.span, labels=labels
            )
            return None
        code.error(
            Code.UNKNOWN_NAME,
            f"{role} has no variable `{name.text}`",
            name.span,
            suggest(name.text, [*own, *code.symbols.ghosts])
            or f"to name a value within this handler, write `let {name.text} = …`",
        )
        return None
    if variable.kind == "const":
        code.error(
            Code.ASSIGN_TO_CONSTANT,
            f"`{name.text}` is constant",
            name.span,
            "declare it without `const` to assign it",
            (Label(variable.span, "declared here"),),
        )
        return None
    return Place(variable, (), variable.type)


def _entry(code: Expressions, target: tree.IndexExpression) -> Place | None:
    outer = place_of(code, target.subject)
    if outer is None:
        for index in target.indices:
            code.infer(index, ERROR)
        return None
    values = code.as_formula() if outer.variable.kind == "ghost" else code
    if not isinstance(outer.type, MapType):
        for index in target.indices:
            values.infer(index, ERROR)
        if not broken(outer.type):
            code.error(
                Code.NOT_A_MAP,
                f"only a map has entries, and this is of type {outer.type}",
                target.subject.span,
            )
        return None
    key = access.key(values, target, outer.type)
    return Place(outer.variable, (*outer.keys, key), outer.type.value)


def _field(code: Expressions, target: tree.FieldExpression) -> Place | None:
    subject = code.as_formula().infer(target.subject)
    if isinstance(subject.type, RoleType):
        name = target.field.text
        variable = code.symbols.variables.get(subject.type.name, {}).get(name)
        labels = () if variable is None else (Label(variable.span, "declared here"),)
        code.error(
            Code.FOREIGN_VARIABLE,
            f"`{name}` is a variable of another node",
            target.span,
            "a node assigns only its own variables; send it a message",
            labels,
        )
    elif not broken(subject.type):
        _refuse(
            code,
            target,
            "a part of a value can't be assigned for itself",
            "assign the whole value anew",
        )
    return None


def _refuse(code: Expressions, target: tree.Expression, message: str, help_: str | None) -> None:
    code.error(Code.NOT_ASSIGNABLE, message, target.span, help_)
