"""Who sends what to whom.

Senders, outputs and handlers of requests are plain from the syntax: a role sends a message if
one of its handlers has a statement that does. The receivers need types, so they are collected
in a `Traffic` while handlers are checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from compiler.check import checked
from compiler.check.types import RoleType
from compiler.syntax import tree


def statements(body: tuple[tree.Statement, ...]) -> Iterator[tree.Statement]:
    """Yield the statements of a body and of the bodies inside them, in source order."""
    for statement in body:
        yield statement
        match statement:
            case tree.If(branches=branches, otherwise=otherwise):
                for branch in branches:
                    yield from statements(branch.body)
                yield from statements(otherwise or ())
            case tree.For(body=inner):
                yield from statements(inner)
            case (
                tree.Assign()
                | tree.Let()
                | tree.Send()
                | tree.Reply()
                | tree.Broadcast()
                | tree.Become()
                | tree.OutputStatement()
                | tree.Pick()
                | tree.Arm()
                | tree.Disarm()
                | tree.Require()
                | tree.Assert()
                | tree.Assume()
            ):
                pass
            case _:
                assert_never(statement)


def handlers(role: tree.RoleDeclaration) -> list[tuple[tree.Handler, tree.StateDeclaration | None]]:
    """Return a role's handlers in source order, each with the state it stands in."""
    found: list[tuple[tree.Handler, tree.StateDeclaration | None]] = [
        (handler, None) for handler in role.handlers
    ]
    found += [(handler, state) for state in role.states for handler in state.handlers]
    return sorted(found, key=lambda pair: (pair[0].span.line, pair[0].span.column))


def senders(roles: list[tree.RoleDeclaration]) -> dict[str, list[str]]:
    """Return the roles that send each message, in source order."""
    found: dict[str, list[str]] = {}
    for role in roles:
        for handler, _ in handlers(role):
            for statement in statements(handler.body):
                if isinstance(statement, tree.Send | tree.Reply | tree.Broadcast):
                    names = found.setdefault(statement.message.name.text, [])
                    if role.name.text not in names:
                        names.append(role.name.text)
    return found


def tellers(roles: list[tree.RoleDeclaration]) -> dict[str, list[str]]:
    """Return the roles that make each output, in source order."""
    found: dict[str, list[str]] = {}
    for role in roles:
        for handler, _ in handlers(role):
            for statement in statements(handler.body):
                if isinstance(statement, tree.OutputStatement):
                    names = found.setdefault(statement.output.name.text, [])
                    if role.name.text not in names:
                        names.append(role.name.text)
    return found


def handling(roles: list[tree.RoleDeclaration], kind: str) -> dict[str, list[str]]:
    """Return the roles with a handler for each message or request, in source order."""
    found: dict[str, list[str]] = {}
    for role in roles:
        for handler, _ in handlers(role):
            event = handler.event
            if event.kind == kind and event.name is not None:
                names = found.setdefault(event.name.text, [])
                if role.name.text not in names:
                    names.append(role.name.text)
    return found


@dataclass(slots=True)
class Traffic:
    """The pairs of roles each message was seen to travel between."""

    _only_broadcast: dict[str, dict[tuple[RoleType, RoleType], bool]] = field(default_factory=dict)

    def record(
        self, message: str, sender: RoleType, receiver: RoleType, *, broadcast: bool
    ) -> None:
        """Note one statement that sends `message`."""
        pairs = self._only_broadcast.setdefault(message, {})
        pairs[sender, receiver] = pairs.get((sender, receiver), True) and broadcast

    def channels(self, message: str) -> tuple[checked.Channel, ...]:
        """Return the channels of `message`, in the order they were first seen."""
        return tuple(
            checked.Channel(sender, receiver, only)
            for (sender, receiver), only in self._only_broadcast.get(message, {}).items()
        )
