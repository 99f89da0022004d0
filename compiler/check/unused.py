"""Warnings about a spec that is right as far as it goes, but has loose ends."""

from __future__ import annotations

from collections import Counter

from compiler.check import checked
from compiler.check.declarations import Declarations
from compiler.check.mentions import mentions
from compiler.check.traffic import handlers, statements
from compiler.diagnostics import Code, Diagnostics
from compiler.syntax import tree


def report_unused(
    protocol: checked.Protocol, declarations: Declarations, diagnostics: Diagnostics
) -> None:
    """Warn of what is sent and not handled, or declared and not used."""
    for message in protocol.messages:
        _message(message, protocol, diagnostics)
    for request in protocol.requests:
        if not request.roles:
            diagnostics.warning(
                Code.NEVER_HANDLED,
                f"no role handles request `{request.name}`",
                request.span,
                f"write `on request {request.name}(…)` in a role",
            )
    for role in declarations.roles():
        _timers(role, diagnostics)
    mentioned = Counter(mentions(declarations.protocol))
    for name, declaration in declarations.names.items():
        quiet = isinstance(declaration, tree.RoleDeclaration) or (
            isinstance(declaration, tree.SignatureDeclaration)
            and declaration.kind in ("message", "request")
        )
        if mentioned[name] == 1 and not quiet:
            diagnostics.warning(Code.UNUSED_NAME, f"`{name}` is never used", declaration.name.span)


def _message(
    message: checked.Message, protocol: checked.Protocol, diagnostics: Diagnostics
) -> None:
    if not message.channels:
        diagnostics.warning(
            Code.NEVER_SENT,
            f"`{message.name}` is never sent",
            message.span,
            "send it with `send`, `reply` or `broadcast`, or remove it",
        )
    handled = {
        (event.sender.type, role.type)
        for role in protocol.roles
        for handler in role.handlers
        if isinstance(event := handler.event, checked.MessageEvent)
        and event.message.name == message.name
    }
    for channel in message.channels:
        if (channel.sender, channel.receiver) not in handled:
            diagnostics.warning(
                Code.NEVER_HANDLED,
                f"`{message.name}` is sent to {channel.receiver} by {channel.sender}, "
                "and no handler there accepts it",
                message.span,
                f"write `on {message.name}(…)` in {channel.receiver}",
            )


def _timers(role: tree.RoleDeclaration, diagnostics: Diagnostics) -> None:
    armed = set()
    handled = set()
    for handler, _ in handlers(role):
        if handler.event.kind == "timeout" and handler.event.name is not None:
            handled.add(handler.event.name.text)
        for statement in statements(handler.body):
            if isinstance(statement, tree.Arm):
                armed.add(statement.timer.name.text)
    for timer in role.timers:
        name = timer.name.text
        if name not in handled:
            diagnostics.warning(
                Code.NEVER_HANDLED,
                f"no handler of {role.name.text} reacts to timer `{name}`",
                timer.name.span,
                f"write `on timeout {name}`",
            )
        elif name not in armed:
            diagnostics.warning(
                Code.UNUSED_NAME,
                f"timer `{name}` is never armed, so it never fires",
                timer.name.span,
                f"write `arm {name}` where it should start",
            )
