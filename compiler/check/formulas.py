"""What only formulas say: quantifiers, comprehensions, the history of messages, definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compiler.check import checked
from compiler.check.failure import ERROR, agree, broken
from compiler.check.mode import Mode
from compiler.check.names import listing
from compiler.check.operators import failure_of_type
from compiler.check.types import BOOL, QuorumType, RoleType, SetType, TupleType, Type
from compiler.diagnostics import Code, Label
from compiler.syntax import tree

if TYPE_CHECKING:
    from compiler.check.expressions import Expressions

_Kind = Literal["forall", "exists"]


def quantifier(place: Expressions, node: tree.Quantifier) -> checked.Expression:
    """Return a quantifier; over whole types only in formulas, over a set also in code."""
    kind = cast("_Kind", node.kind)
    if place.mode is not Mode.FORMULA:
        for binder in node.binders:
            if isinstance(binder, tree.Binder):
                place.error(
                    Code.QUANTIFIER_IN_CODE,
                    f"code can't go through all values of {_written(binder.type)}",
                    binder.span,
                    f"go through a set that the node has: `{kind} x in s: …`",
                )
                return failure_of_type(node.span)
    domains: list[checked.Expression | None] = []
    bindings: list[tuple[checked.Binding, ...]] = []
    with place.scope.nested():
        for binder in node.binders:
            match binder:
                case tree.Binder():
                    bound = _bind(place, binder, quorum=True)
                    if domains and domains[-1] is None:
                        bindings[-1] += bound
                    else:
                        domains.append(None)
                        bindings.append(bound)
                case tree.SetBinder(name=name, domain=domain):
                    set_ = place.infer(domain)
                    domains.append(set_)
                    element = _element(place, set_, domain)
                    bindings.append((place.scope.bind(name, element, place.diagnostics),))
        body = place.asking(False).check(node.body, BOOL)
    for domain_, names in zip(reversed(domains), reversed(bindings), strict=True):
        if domain_ is None:
            body = checked.Quantified(kind, names, body, node.span)
        else:
            body = checked.QuantifiedIn(kind, names[0], domain_, body, node.span)
    return body


def _element(place: Expressions, set_: checked.Expression, node: tree.Expression) -> Type:
    """Return the type of the elements of a set or quorum that a quantifier goes through."""
    match set_.type:
        case SetType(element=element):
            return element
        case QuorumType(role=role):
            return role
        case type_:
            if not broken(type_):
                place.error(
                    Code.NOT_A_SET,
                    f"a quantifier goes through a set, and this is of type {type_}",
                    node.span,
                )
            return ERROR


def _written(type_: tree.TypeExpression) -> str:
    return f"`{type_.name.text}`" if isinstance(type_, tree.NamedType) else "a type"


def _bind(place: Expressions, binder: tree.Binder, *, quorum: bool) -> tuple[checked.Binding, ...]:
    type_ = place.symbols.types.flat(
        binder.type,
        "a quantified variable" if quorum else "an element of a set",
        option=False,
        quorum=quorum,
        sets=quorum,
    )
    return tuple(place.scope.bind(name, type_, place.diagnostics) for name in binder.names)


def comprehension(place: Expressions, node: tree.Comprehension) -> checked.Expression:
    """Return `{x: T where e}`."""
    if place.mode is not Mode.FORMULA:
        return place.error(
            Code.FORMULA_IN_CODE,
            "code can't build a set from all values of a type",
            node.span,
            "keep the set in a variable, and add to it as messages come",
        )
    with place.scope.nested():
        bindings = tuple(b for binder in node.binders for b in _bind(place, binder, quorum=False))
        condition = place.check(node.condition, BOOL)
    types = tuple(binding.type for binding in bindings)
    element = types[0] if len(types) == 1 else TupleType(types)
    return checked.Comprehension(SetType(element), bindings, condition, node.span)


def sent(place: Expressions, node: tree.SentExpression) -> checked.Expression:
    """Return `sent M(…)`, `requested R(…)` or `output O(…)`."""
    if place.mode is not Mode.FORMULA:
        return place.error(
            Code.FORMULA_IN_CODE,
            f"code can't see what was {'sent' if node.kind == 'sent' else node.kind} elsewhere",
            node.span,
            "only properties and ghosts speak of the history; keep what a node needs in a variable",
        )
    subject: checked.Message | checked.Request | checked.Output | None
    match node.kind:
        case "sent":
            subject = place.symbols.message(node.message)
        case "requested":
            subject = place.symbols.request(node.message)
        case _:
            subject = place.symbols.output(node.message)
    if subject is None:
        for argument in (*node.arguments, node.sender, node.receiver):
            if argument is not None:
                place.infer(argument, ERROR)
        return failure_of_type(node.span)
    arguments = _arguments(place, node, subject)
    sender = None if node.sender is None else _node(place, node.sender)
    receiver = None if node.receiver is None else _node(place, node.receiver)
    if isinstance(subject, checked.Message):
        _require_channel(place, node, subject, sender, receiver)
    else:
        _require_role(place, node, subject, sender)
    return checked.Sent(subject, arguments, sender, receiver, node.span)


def _arguments(
    place: Expressions,
    node: tree.SentExpression,
    subject: checked.Message | checked.Request | checked.Output,
) -> tuple[checked.Expression | None, ...]:
    if len(node.arguments) != len(subject.fields):
        place.wrong_count(
            subject.name,
            tuple((f.name, f.type) for f in subject.fields),
            len(node.arguments),
            node.span,
            subject.span,
        )
        return tuple(None for _ in subject.fields)
    return tuple(
        None if argument is None else place.check(argument, field.type)
        for argument, field in zip(node.arguments, subject.fields, strict=True)
    )


def _node(place: Expressions, node: tree.Expression) -> checked.Expression:
    value = place.infer(node)
    if isinstance(value.type, RoleType) or broken(value.type):
        return value
    return place.error(
        Code.TYPE_MISMATCH,
        f"this should be a node, but it is of type {value.type}",
        node.span,
    )


def _require_channel(
    place: Expressions,
    node: tree.SentExpression,
    message: checked.Message,
    sender: checked.Expression | None,
    receiver: checked.Expression | None,
) -> None:
    """Report it if no statement sends the message between these roles."""
    if not place.symbols.channels_known:
        return
    for channel in message.channels:
        if (sender is None or agree(sender.type, channel.sender)) and (
            receiver is None or agree(receiver.type, channel.receiver)
        ):
            return
    who = "nothing" if sender is None or broken(sender.type) else f"no {sender.type}"
    whom = "" if receiver is None else f" to {receiver.type}"
    ways = listing(f"{c.sender} to {c.receiver}" for c in message.channels)
    place.error(
        Code.NO_SENDER,
        f"{who} sends `{message.name}`{whom}, so this is never true",
        node.span,
        f"it travels from {ways}" if ways else None,
        (Label(message.span, "declared here"),),
    )


def _require_role(
    place: Expressions,
    node: tree.SentExpression,
    subject: checked.Request | checked.Output,
    at: checked.Expression | None,
) -> None:
    verb = "handles request" if isinstance(subject, checked.Request) else "makes output"
    if any(at is None or agree(at.type, role) for role in subject.roles):
        return
    who = "no role" if at is None or broken(at.type) else f"no {at.type}"
    place.error(
        Code.NO_SENDER,
        f"{who} {verb} `{subject.name}`, so this is never true",
        node.span,
        labels=(Label(subject.span, "declared here"),),
    )


def call(
    place: Expressions, node: tree.CallExpression, declaration: tree.DefinitionDeclaration
) -> checked.Expression:
    """Return the use of a definition."""
    if place.mode is not Mode.FORMULA:
        return place.error(
            Code.FORMULA_IN_CODE,
            f"`{node.function.text}` is a definition, and code can't use it",
            node.span,
            "definitions are formulas; write the condition out",
            (Label(declaration.name.span, "declared here"),),
        )
    definition = place.symbols.definition(declaration, node.function.span)
    if definition is None:
        for argument in node.arguments:
            place.infer(argument, ERROR)
        return failure_of_type(node.span)
    parameters = tuple((p.name, p.type) for p in definition.parameters)
    arguments = place.arguments(
        definition.name, parameters, node.arguments, node.span, declaration.name.span
    )
    return checked.CallDefinition(definition, arguments, node.span)
