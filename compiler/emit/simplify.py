"""What of a handler becomes code: ghosts and formulas dropped, and which names are then used.

The result is a list of statements like the checker's, smaller and in the same order. Nothing
that decides whether a handler is enabled is dropped, nor any question to the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from compiler.check import checked
from compiler.check.walk import all_statements, own_expressions, parts

Statements = tuple[checked.Statement, ...]


def executable(statements: Statements) -> Statements:
    """Return the statements that become code."""
    kept: list[checked.Statement] = []
    for statement in statements:
        match statement:
            case checked.Assign(ghost=ghost):
                if not ghost:
                    kept.append(statement)
            case checked.Assert(executable=is_code):
                if is_code:
                    kept.append(statement)
            case checked.Assume():
                pass
            case checked.If():
                kept.extend(_if(statement))
            case checked.For(body=body):
                inner = executable(body)
                if inner:
                    kept.append(replace(statement, body=inner))
            case (
                checked.Let()
                | checked.Send()
                | checked.Broadcast()
                | checked.Become()
                | checked.Emit()
                | checked.PickFrom()
                | checked.PickAbove()
                | checked.Arm()
                | checked.Disarm()
                | checked.Require()
            ):
                kept.append(statement)
            case _:
                assert_never(statement)
    return _used_only(tuple(kept))


def _if(statement: checked.If) -> Statements:
    """Return an `if` without branches at its end that do nothing, and without needless nesting."""
    branches = [replace(branch, body=executable(branch.body)) for branch in statement.branches]
    otherwise = executable(statement.otherwise)
    if not otherwise:
        while branches and not branches[-1].body and not any(asks(branches[-1].condition)):
            branches.pop()
    if not branches:
        return otherwise
    if not otherwise:
        match branches[-1].body:
            case (checked.If(branches=[inner], otherwise=()),):
                condition = checked.Logical(
                    "and", branches[-1].condition, inner.condition, branches[-1].span
                )
                branches[-1] = replace(branches[-1], condition=condition, body=inner.body)
            case _:
                pass
    return (replace(statement, branches=tuple(branches), otherwise=otherwise),)


def _used_only(statements: Statements) -> Statements:
    """Drop each `let` of which nothing is used by the statements after it."""
    kept: list[checked.Statement] = []
    used: set[int] = set()
    for statement in reversed(statements):
        if isinstance(statement, checked.Let) and not any(asks(statement.value)):
            bound = {binding.number for binding in bindings(statement.pattern)}
            if not bound & used:
                continue
        used |= {local.binding.number for local in locals_in((statement,))}
        kept.append(statement)
    return tuple(reversed(kept))


# --- what occurs in what -----------------------------------------------------------------


def bindings(pattern: checked.Pattern) -> Iterator[checked.Binding]:
    """Yield the names that a pattern binds."""
    match pattern:
        case checked.BindPattern(binding=binding):
            yield binding
        case checked.IgnorePattern():
            return
        case checked.TuplePattern(parts=parts):
            for part in parts:
                yield from bindings(part)
        case _:
            assert_never(pattern)


def walk(node: checked.Expression) -> Iterator[checked.Expression]:
    """Yield an expression and all its parts, in source order."""
    yield node
    for part in parts(node):
        yield from walk(part)


def asks(node: checked.Expression) -> Iterator[checked.AskValue]:
    """Yield the questions in an expression."""
    return (part for part in walk(node) if isinstance(part, checked.AskValue))


def expressions_in(statements: Statements) -> Iterator[checked.Expression]:
    """Yield all expressions, and their parts, of statements and those in them."""
    for statement in all_statements(statements):
        for expression in own_expressions(statement):
            yield from walk(expression)


def locals_in(statements: Statements) -> Iterator[checked.Local]:
    """Yield the uses of local names."""
    return (node for node in expressions_in(statements) if isinstance(node, checked.Local))


def conjuncts(node: checked.Expression) -> tuple[checked.Expression, ...]:
    """Return the parts of a condition between its outermost `and`s."""
    if isinstance(node, checked.Logical) and node.operator == "and":
        return conjuncts(node.left) + conjuncts(node.right)
    return (node,)


def variables_read(nodes: tuple[checked.Expression, ...]) -> frozenset[str]:
    """Return the names of the variables that expressions read."""
    return frozenset(
        part.variable.name
        for node in nodes
        for part in walk(node)
        if isinstance(part, checked.Read)
    )
