"""The parts of checked expressions and statements, for rules that look at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from compiler.check import checked


def parts(node: checked.Expression) -> tuple[checked.Expression, ...]:
    """Return the expressions directly inside `node`, left to right."""
    match node:
        case (
            checked.Local()
            | checked.SelfNode()
            | checked.SingleNode()
            | checked.BoolValue()
            | checked.EnumValue()
            | checked.Zero()
            | checked.NoneValue()
            | checked.IntValue()
            | checked.IntName()
        ):
            return ()
        case checked.Read(node=owner):
            return () if owner is None else (owner,)
        case checked.SomeValue(content=content):
            return (content,)
        case checked.TupleValue(parts=inner) | checked.RecordValue(parts=inner):
            return inner
        case checked.SetValue(elements=elements):
            return elements
        case checked.Comprehension(condition=condition):
            return (condition,)
        case (
            checked.FieldOf(subject=subject)
            | checked.OwnerOf(subject=subject)
            | checked.Neighbour(subject=subject)
        ):
            return (subject,)
        case checked.Lookup(map=map_, key=key):
            return (map_, key)
        case checked.Not(operand=operand):
            return (operand,)
        case (
            checked.Logical(left=left, right=right)
            | checked.Compare(left=left, right=right)
            | checked.Arithmetic(left=left, right=right)
        ):
            return (left, right)
        case checked.Member(element=element, set=set_):
            return (element, set_)
        case checked.Includes(set=set_):
            return (set_,)
        case checked.InState(node=subject) | checked.IsDown(node=subject):
            return (subject,)
        case checked.IsSome(subject=subject) | checked.Match(subject=subject):
            return (subject,)
        case checked.Quantified(body=body):
            return (body,)
        case checked.QuantifiedIn(domain=domain, body=body):
            return (domain, body)
        case checked.Sent(arguments=arguments, sender=sender, receiver=receiver):
            return tuple(part for part in (*arguments, sender, receiver) if part is not None)
        case checked.CallDefinition(arguments=given) | checked.AskValue(arguments=given):
            return given
        case checked.Survives(crashes=crashes):
            return (crashes,)
        case _:
            assert_never(node)


def everything(node: checked.Expression) -> Iterator[checked.Expression]:
    """Yield `node` and all expressions inside it, those of definitions it uses among them."""
    yield node
    if isinstance(node, checked.CallDefinition):
        yield from everything(node.definition.body)
    for part in parts(node):
        yield from everything(part)


def own_expressions(statement: checked.Statement) -> tuple[checked.Expression, ...]:
    """Return the expressions of a statement itself, not those of the statements inside it.

    The conditions of all arms of an `if` count as its own.
    """
    match statement:
        case checked.Assign(keys=keys, value=value):
            return (*keys, value)
        case checked.If(branches=branches):
            return tuple(branch.condition for branch in branches)
        case checked.Let(value=value):
            return (value,)
        case checked.For(domain=domain):
            return (domain,)
        case checked.Send(arguments=arguments, receiver=receiver):
            return (*arguments, receiver)
        case (
            checked.Broadcast(arguments=arguments)
            | checked.Emit(arguments=arguments)
            | checked.Arm(arguments=arguments)
            | checked.Disarm(arguments=arguments)
        ):
            return arguments
        case checked.Become():
            return ()
        case checked.PickFrom(domain=domain, condition=condition):
            return (domain,) if condition is None else (domain, condition)
        case checked.PickAbove(bounds=bounds, owner=owner):
            return bounds if owner is None else (*bounds, owner)
        case (
            checked.Require(condition=condition)
            | checked.Assert(condition=condition)
            | checked.Assume(condition=condition)
        ):
            return (condition,)
        case _:
            assert_never(statement)


def inner_blocks(statement: checked.Statement) -> tuple[tuple[checked.Statement, ...], ...]:
    """Return the blocks inside a statement."""
    match statement:
        case checked.If(branches=branches, otherwise=otherwise):
            return (*(branch.body for branch in branches), otherwise)
        case checked.For(body=body):
            return (body,)
        case _:
            return ()


def all_statements(body: tuple[checked.Statement, ...]) -> Iterator[checked.Statement]:
    """Yield the statements of a block and of the blocks inside it, in source order."""
    for statement in body:
        yield statement
        for block in inner_blocks(statement):
            yield from all_statements(block)
