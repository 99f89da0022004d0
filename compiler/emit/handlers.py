"""Handlers: the method of each, with its line in the spec above it."""

from __future__ import annotations

from typing import assert_never

from compiler.check import checked
from compiler.check.walk import all_statements
from compiler.emit import names as python_names
from compiler.emit.effects import Durability
from compiler.emit.expressions import Expressions
from compiler.emit.frame import Lines
from compiler.emit.names import Scope
from compiler.emit.scopes import Names
from compiler.emit.simplify import bindings, executable
from compiler.emit.statements import Body
from compiler.emit.text import comment, comments, docstring, source_line
from compiler.emit.wrap import wrap


def rendered(lines: Lines, indent: int) -> list[str]:
    """Return lines wrapped to the width, the outermost at `indent`."""
    return [line for depth, text in lines.items for line in wrap(text, indent + 4 * depth)]


class HandlerWriter:
    """Writes the handlers of one role.

    `place` names the file of the spec in comments.
    """

    def __init__(
        self, protocol: checked.Protocol, role: checked.Role, names: Names, place: str
    ) -> None:
        self.protocol = protocol
        self.role = role
        self.names = names
        self.place = place

    def asks(self, handler: checked.Handler) -> bool:
        """Whether a handler asks the application."""
        return any(isinstance(node, checked.AskValue) for node in checked.walk(handler))

    def expressions(self) -> Expressions:
        """Return a writer of expressions, with no local names yet."""
        return Expressions(
            self.names,
            self.role.type,
            {quorum.type.name: quorum for quorum in self.protocol.quorums},
            {(self.role.type.name, v.name): v.initial for v in self.role.variables},
        )

    def write(self, handler: checked.Handler) -> list[str]:
        """Return the method of a handler, with its line in the spec above it."""
        scope = Scope(python_names.HANDLER, self.names.globals)
        body = Body(
            self.expressions(),
            scope,
            Durability(self.role.state_durable),
            handler.guard,
            executable(handler.body),
        )
        parameters = ["self", *self.event_parameters(handler, body)]
        if self.asks(handler):
            parameters.append("answers: Answers")
        if handler.state is not None:
            state = self.names.state(self.role.type, handler.state)
            body.lines.guard(f"self.state is not {state}")
        self.check_sender(handler, body)
        self.bind_fields(handler, body)
        lines = body.write()
        name = self.names.handler(self.role.type, handler.name)
        return [
            comment(source_line(self.protocol.source, handler.span.line, self.place), "    "),
            *wrap(f"def {name}({', '.join(parameters)}) -> Effects | None:", 4),
            *docstring(handler.doc or self.circumstances(handler), " " * 8),
            *self.assumptions(handler),
            *rendered(lines, 8),
        ]

    def assumptions(self, handler: checked.Handler) -> list[str]:
        """Return comments on what the environment is assumed to see to."""
        found: list[str] = []
        for statement in all_statements(handler.body):
            if isinstance(statement, checked.Assume):
                found += comments(f"Assumed: {statement.condition.span.text}", " " * 8)
        return found

    def event_parameters(self, handler: checked.Handler, body: Body) -> list[str]:
        """Return the parameters of a handler, and bind the sender's name."""
        match handler.event:
            case checked.MessageEvent(message=message, sender=sender, sender_named=named):
                if named:
                    name = body.bind(sender)
                else:
                    name = body.scope.give("sender", "sender")
                    body.expressions.locals[sender.number] = name
                return [f"message: {self.names.signature(message)}", f"{name}: NodeId"]
            case checked.RequestEvent(request=request):
                return [f"request: {self.names.signature(request)}"]
            case checked.TimeoutEvent(timer=timer):
                return [f"timer: {self.names.timer(timer)}"]
            case checked.StartEvent() | checked.RecoverEvent():
                return []
            case _:
                assert_never(handler.event)

    def check_sender(self, handler: checked.Handler, body: Body) -> None:
        """Write the test of the sender's role, where nodes of others send the message too."""
        if not isinstance(handler.event, checked.MessageEvent):
            return
        sender = handler.event.sender
        senders = {
            channel.sender
            for channel in handler.event.message.channels
            if channel.receiver == self.role.type
        }
        if senders - {sender.type}:
            field = self.names.cluster["role", str(sender.type)]
            name = body.expressions.locals[sender.number]
            body.lines.guard(f"{name} not in self.cluster.{field}")

    def bind_fields(self, handler: checked.Handler, body: Body) -> None:
        """Write the names of the fields that the handler uses."""
        match handler.event:
            case checked.MessageEvent(message=message, patterns=patterns):
                subject, class_, fields = "message", self.names.signature(message), message.fields
            case checked.RequestEvent(request=request, patterns=patterns):
                subject, class_, fields = "request", self.names.signature(request), request.fields
            case checked.TimeoutEvent(timer=timer, patterns=patterns):
                subject, class_, fields = "timer", self.names.timer(timer), timer.fields
            case checked.StartEvent() | checked.RecoverEvent():
                return
            case _:
                assert_never(handler.event)
        for pattern, field in zip(patterns, fields, strict=True):
            if any(binding.number in body.used for binding in bindings(pattern)):
                body.unpack(pattern, f"{subject}.{self.names.field(class_, field.name)}")

    def circumstances(self, handler: checked.Handler) -> str:
        """Return when a handler is called, in words."""
        match handler.event:
            case checked.MessageEvent(message=message):
                event = f"On the message {message.name}"
            case checked.RequestEvent(request=request):
                event = f"On the request {request.name}"
            case checked.TimeoutEvent(timer=timer):
                event = f"When the timer {timer.name} has run out"
            case checked.StartEvent():
                event = "At the first start"
            case checked.RecoverEvent():
                event = "After a crash"
            case _:
                assert_never(handler.event)
        return f"{event}, in the state {handler.state}." if handler.state else f"{event}."
