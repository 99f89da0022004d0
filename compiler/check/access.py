"""Reads: a node's variables, a record's fields, a map's entries, what belongs to ordered values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.check import checked
from compiler.check.failure import ERROR, broken, failure
from compiler.check.mode import Mode
from compiler.check.names import listing, suggest
from compiler.check.types import MapType, OrderedType, RecordType, RoleType, TupleType, Type
from compiler.diagnostics import Code, Label, Span
from compiler.syntax import tree

if TYPE_CHECKING:
    from compiler.check.expressions import Expressions

NEIGHBOURS = ("next", "previous")


def read(
    place: Expressions, node: checked.Expression | None, variable: checked.Variable, span: Span
) -> checked.Expression:
    """Return a read of `variable`, if this place may read it."""
    label = (Label(variable.span, "declared here"),)
    if place.mode is Mode.INITIAL:
        return bad_initial_value(place, span, variable.span)
    if place.mode is Mode.CODE and variable.kind == "ghost":
        return place.error(
            Code.GHOST_IN_CODE,
            f"`{variable.name}` is a ghost, and code can't read it",
            span,
            "ghosts exist only for the proof: use them in properties and in assignments "
            "to other ghosts",
            label,
        )
    return checked.Read(node, variable, span)


def bad_initial_value(place: Expressions, span: Span, declared: Span | None) -> checked.Expression:
    """Report an initial value that reads a variable."""
    return place.error(
        Code.BAD_INITIAL_VALUE,
        "an initial value can't depend on a variable",
        span,
        "write a fixed value, or assign the variable in `on start`",
        () if declared is None else (Label(declared, "declared here"),),
    )


def field_of(
    place: Expressions, node: tree.FieldExpression, hint: Type | None
) -> checked.Expression:
    """Return `e.name`; `hint` is the type that would fit here."""
    counted = hint if node.field.text in NEIGHBOURS else None
    subject = place.infer(node.subject, counted)
    type_ = subject.type
    name = node.field.text
    if broken(type_) and not isinstance(type_, RecordType):
        return failure(node.span)
    match type_:
        case RecordType(fields=fields):
            for index, (field_name, field_type) in enumerate(fields):
                if field_name == name:
                    return checked.FieldOf(field_type, subject, name, index, node.span)
            return unknown_field(place, node, type_, [field_name for field_name, _ in fields])
        case OrderedType(counts=True):
            if name == "next":
                return checked.Neighbour(type_, subject, "next", node.span)
            if name == "previous":
                return checked.Neighbour(type_, subject, "previous", node.span)
            return unknown_field(place, node, type_, list(NEIGHBOURS))
        case OrderedType(owner=owner):
            if name in NEIGHBOURS:
                return place.error(
                    Code.UNKNOWN_FIELD,
                    f"values of {type_} are only ordered: there is no {name} one",
                    node.field.span,
                    f"declare it `counter {type_}`, or `pick` a value above others",
                    (Label(type_.span, "declared here"),),
                )
            if name == "owner" and owner is not None:
                return checked.OwnerOf(owner, subject, node.span)
            if name == "owner":
                return place.error(
                    Code.UNKNOWN_FIELD,
                    f"values of {type_} have no owner",
                    node.field.span,
                    f"declare it `ordered {type_} owned by ROLE`",
                    (Label(type_.span, "declared here"),),
                )
            return unknown_field(place, node, type_, ["owner"])
        case RoleType():
            return variable_of(place, node, subject, type_)
        case _:
            return place.error(
                Code.UNKNOWN_FIELD,
                f"a value of type {type_} has no fields",
                node.field.span,
                "match it first: `if … is some x:`" if str(type_).startswith("option") else None,
            )


def unknown_field(
    place: Expressions, node: tree.FieldExpression, subject: Type, known: list[str]
) -> checked.Expression:
    """Report a field that there is not, with those that there are."""
    help_ = suggest(node.field.text, known)
    if help_ is None:
        help_ = f"{subject} has {listing(known)}"
    return place.error(
        Code.UNKNOWN_FIELD, f"{subject} has no field `{node.field.text}`", node.field.span, help_
    )


def variable_of(
    place: Expressions, node: tree.FieldExpression, subject: checked.Expression, role: RoleType
) -> checked.Expression:
    """Return `n.variable`: of any node in a formula, of `self` in code."""
    if place.mode is Mode.INITIAL:
        return bad_initial_value(place, node.span, None)
    own = place.symbols.variables.get(role.name, {})
    variable = own.get(node.field.text)
    if variable is None:
        help_ = suggest(node.field.text, own)
        if help_ is None and own:
            help_ = f"{role} has {listing(own)}"
        return place.error(
            Code.UNKNOWN_FIELD,
            f"{role} has no variable `{node.field.text}`",
            node.field.span,
            help_,
        )
    if place.mode is not Mode.FORMULA and not isinstance(subject, checked.SelfNode):
        return place.error(
            Code.FOREIGN_VARIABLE,
            f"`{variable.name}` is a variable of another node",
            node.span,
            "a node reads only its own variables; have the value sent in a message",
            (Label(variable.span, "declared here"),),
        )
    return read(place, subject, variable, node.span)


def lookup(place: Expressions, node: tree.IndexExpression) -> checked.Expression:
    """Return `m[k]`."""
    subject = place.infer(node.subject)
    type_ = subject.type
    if not isinstance(type_, MapType):
        for index in node.indices:
            place.infer(index, ERROR)
        if not broken(type_):
            place.error(
                Code.NOT_A_MAP,
                f"only a map has entries, and this is of type {type_}",
                node.subject.span,
                "for a set, write `x in s`" if str(type_).startswith("set") else None,
            )
        return failure(node.span)
    return checked.Lookup(type_.value, subject, key(place, node, type_), node.span)


def key(place: Expressions, node: tree.IndexExpression, type_: MapType) -> checked.Expression:
    """Return the key that the indices make."""
    if len(node.indices) == 1:
        return place.check(node.indices[0], type_.key)
    if not isinstance(type_.key, TupleType) or len(type_.key.parts) != len(node.indices):
        for index in node.indices:
            place.infer(index, ERROR)
        if broken(type_.key):
            return failure(node.span)
        return place.error(
            Code.WRONG_ARGUMENT_COUNT,
            f"the key of this map is of type {type_.key}, but {len(node.indices)} values are given",
            node.indices[0].span.to(node.indices[-1].span),
        )
    parts = tuple(
        place.check(index, part) for index, part in zip(node.indices, type_.key.parts, strict=True)
    )
    return checked.TupleValue(type_.key, parts, node.indices[0].span.to(node.indices[-1].span))
