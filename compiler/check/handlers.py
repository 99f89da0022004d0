"""Handlers: events and what they bind, guards, bodies, and the handlers' own names."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.check import checked
from compiler.check.choices import check_choices
from compiler.check.counting import check_handler_counting
from compiler.check.expressions import Expressions
from compiler.check.failure import ERROR
from compiler.check.loops import check_loops
from compiler.check.mentions import mentions
from compiler.check.mode import Mode
from compiler.check.names import listing, snake_case
from compiler.check.statements import Statements
from compiler.check.symbols import Symbols
from compiler.check.traffic import handlers
from compiler.check.types import RoleType, Type
from compiler.check.walk import all_statements
from compiler.diagnostics import Code, Label, Span
from compiler.syntax import tree


def role_handlers(
    symbols: Symbols, role: tree.RoleDeclaration, type_: RoleType
) -> tuple[checked.Handler, ...]:
    """Return the handlers of a role, in source order."""
    placed = handlers(role)
    names = handler_names([(handler.event, state) for handler, state in placed])
    found = []
    for (handler, state), name in zip(placed, names, strict=True):
        result = _HandlerCheck(symbols, role, type_).handler(handler, state, name)
        if result is not None:
            found.append(result)
    _report_unreachable(symbols, role, found)
    return tuple(found)


def handler_names(
    events: list[tuple[tree.Event, tree.StateDeclaration | None]],
) -> list[str]:
    """Return a name for each handler of a role, distinct and a Python identifier."""
    bases = [_base_name(event) for event, _ in events]
    taken: set[str] = set()
    names = []
    for base, (_, state) in zip(bases, events, strict=True):
        name = base
        if bases.count(base) > 1 and state is not None:
            name = f"{base}_{snake_case(state.name.text)}"
        number = 2
        stem = name
        while name in taken:
            name = f"{stem}_{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


def _base_name(event: tree.Event) -> str:
    name = "" if event.name is None else snake_case(event.name.text)
    match event.kind:
        case "message":
            return f"on_{name}"
        case "start" | "recover":
            return f"on_{event.kind}"
        case kind:
            return f"on_{kind}_{name}"


@dataclass(frozen=True, slots=True)
class _HandlerCheck:
    symbols: Symbols
    role: tree.RoleDeclaration
    type: RoleType

    def handler(
        self, node: tree.Handler, state: tree.StateDeclaration | None, name: str
    ) -> checked.Handler | None:
        code = Expressions(self.symbols, self.symbols.scope(self.type), Mode.CODE, self.type)
        event = self._event(code, node.event)
        guard = None if node.guard is None else code.asking(True).condition(node.guard)
        sender = event.sender if isinstance(event, checked.MessageEvent) else None
        reply_to = sender
        if event is None and node.event.kind == "message":
            reply_to = code.scope.anonymous("_", ERROR, node.event.span)
        body = Statements(self.symbols, self.type, code, reply_to).block(node.body)
        check_choices(guard, body, self.symbols.diagnostics)
        check_loops(body, self.symbols.diagnostics)
        check_handler_counting(guard, body, self.symbols.diagnostics)
        if event is None:
            return None
        return checked.Handler(
            name,
            event,
            None if state is None else state.name.text,
            guard,
            body,
            node.doc,
            node.span,
        )

    def _event(self, code: Expressions, node: tree.Event) -> checked.Event | None:
        """Return the event; its patterns are bound in the scope of `code`."""
        name = node.name
        match node.kind, name:
            case "start", _:
                return checked.StartEvent()
            case "recover", _:
                if self.role.never_crashes:
                    self.symbols.diagnostics.error(
                        Code.NEVER_CRASHES,
                        f"{self.type} never crashes, so it never recovers",
                        node.span,
                        "remove the handler, or `never crashes`",
                        (Label(self.role.name.span, "declared here"),),
                    )
                if self.role.stops:
                    self.symbols.diagnostics.error(
                        Code.NEVER_CRASHES,
                        f"{self.type} stops for ever when it crashes, so it never recovers",
                        node.span,
                        "remove the handler, or `stops`",
                        (Label(self.role.name.span, "declared here"),),
                    )
                return checked.RecoverEvent()
            case "message", tree.Name():
                return self._message(code, node, name)
            case "request", tree.Name():
                request = self.symbols.request(name)
                if request is None:
                    return self._bind_unknown(code, node)
                patterns = self._patterns(code, node, request.name, request.fields, request.span)
                return checked.RequestEvent(request, patterns)
            case "timeout", tree.Name():
                timer = self.symbols.timer(self.type, name)
                if timer is None:
                    return self._bind_unknown(code, node)
                patterns = self._patterns(code, node, timer.name, timer.fields, timer.span)
                return checked.TimeoutEvent(timer, patterns)
            case kind, _:
                raise ValueError(f"no such event: {kind} {name}")

    def _message(
        self, code: Expressions, node: tree.Event, name: tree.Name
    ) -> checked.Event | None:
        message = self.symbols.message(name)
        if message is None:
            return self._bind_unknown(code, node)
        patterns = self._patterns(code, node, message.name, message.fields, message.span)
        sender_role = self._sender_role(node, message)
        sender_type: Type = ERROR if sender_role is None else sender_role
        if node.sender is None or node.sender.text == "_":
            sender = code.scope.anonymous(self._free_name(), sender_type, node.span)
            return checked.MessageEvent(message, patterns, sender, sender_named=False)
        sender = code.scope.bind(node.sender, sender_type, self.symbols.diagnostics)
        return checked.MessageEvent(message, patterns, sender, sender_named=True)

    def _free_name(self) -> str:
        """Return a name for a sender that no name in the role is like."""
        taken = set(mentions(self.role))
        name = "sender"
        while name in taken:
            name += "_"
        return name

    def _sender_role(self, node: tree.Event, message: checked.Message) -> RoleType | None:
        """Return the role a handled message comes from; report it if that isn't clear."""
        label = (Label(message.span, "declared here"),)
        senders = self.symbols.senders.get(message.name, [])
        if node.sender_role is not None:
            role = self.symbols.types.role(node.sender_role)
            if role is not None and role.name not in senders:
                self.symbols.diagnostics.error(
                    Code.NO_SENDER,
                    f"no handler of {role} sends `{message.name}`",
                    node.sender_role.span,
                    f"it is sent by {listing(senders)}" if senders else None,
                    label,
                )
                return None
        elif not senders and any(n not in self.symbols.messages for n in self.symbols.senders):
            return None  # a sending statement misspells its message, perhaps this one
        elif not senders:
            self.symbols.diagnostics.error(
                Code.NO_SENDER,
                f"nothing sends `{message.name}`",
                node.span,
                f"send it in a handler of another role, or remove this one: `send {message.name}"
                "(…) to n`",
                label,
            )
            return None
        elif len(senders) > 1:
            who = "sender" if node.sender is None else node.sender.text
            self.symbols.diagnostics.error(
                Code.AMBIGUOUS_SENDER,
                f"`{message.name}` is sent by {listing(senders)}",
                node.span,
                f"say which of them this handler is for: `from {who}: {senders[0]}`, and write "
                "a handler for each",
                label,
            )
            return None
        else:
            sender = self.symbols.declarations.names[senders[0]]
            role = RoleType(senders[0], sender.span)
        if (
            role is not None
            and self.symbols.channels_known
            and not any(c.sender == role and c.receiver == self.type for c in message.channels)
        ):
            ways = listing(f"{c.sender} to {c.receiver}" for c in message.channels)
            self.symbols.diagnostics.error(
                Code.NO_SENDER,
                f"no {role} sends `{message.name}` to {self.type}",
                node.span,
                f"it travels from {ways}" if ways else None,
                label,
            )
        return role

    def _patterns(
        self,
        code: Expressions,
        node: tree.Event,
        name: str,
        fields: tuple[checked.Field, ...],
        declared: Span,
    ) -> tuple[checked.Pattern, ...]:
        if len(node.patterns) != len(fields):
            parameters = tuple((f.name, f.type) for f in fields)
            code.wrong_count(name, parameters, len(node.patterns), node.span, declared)
            types: tuple[Type, ...] = (ERROR,) * len(node.patterns)
        else:
            types = tuple(f.type for f in fields)
        return tuple(code.pattern(p, t) for p, t in zip(node.patterns, types, strict=True))

    def _bind_unknown(self, code: Expressions, node: tree.Event) -> checked.Event | None:
        """Bind the names of an event that is not known, so that their uses are."""
        for pattern in node.patterns:
            code.pattern(pattern, ERROR)
        if node.sender is not None and node.sender.text != "_":
            code.scope.bind(node.sender, ERROR, self.symbols.diagnostics)
        return None


def _report_unreachable(
    symbols: Symbols, role: tree.RoleDeclaration, found: list[checked.Handler]
) -> None:
    """Report handlers that no step can run."""
    initial = next((state.name.text for state in role.states if state.initial), None)
    certain: list[tuple[object, checked.Handler]] = []
    for handler in found:
        key = _event_key(handler.event)
        for other_key, other in certain:
            if other_key == key and other.state in (None, handler.state):
                symbols.diagnostics.error(
                    Code.UNREACHABLE_HANDLER,
                    "an earlier handler accepts everything that this one does",
                    handler.span,
                    "the first handler that accepts an event takes it: "
                    "put this one first, or give the other a `when`",
                    (Label(other.span, "this one comes first"),),
                )
                break
        if _accepts_all(handler):
            certain.append((key, handler))
        first_only = isinstance(handler.event, checked.StartEvent) or (
            isinstance(handler.event, checked.RecoverEvent) and role.durable_state is None
        )
        if first_only and handler.state is not None and handler.state != initial:
            symbols.diagnostics.error(
                Code.UNREACHABLE_HANDLER,
                f"a node is in state `{initial}` then, never in `{handler.state}`",
                handler.span,
                "move the handler out of the state",
            )


def _event_key(event: checked.Event) -> object:
    match event:
        case checked.MessageEvent(message=message, sender=sender):
            return ("message", message.name, sender.type)
        case checked.RequestEvent(request=request):
            return ("request", request.name)
        case checked.TimeoutEvent(timer=timer):
            return ("timeout", timer.name)
        case checked.StartEvent():
            return "start"
        case checked.RecoverEvent():
            return "recover"


def _accepts_all(handler: checked.Handler) -> bool:
    """Whether a handler takes its event whatever the node's variables are."""
    return handler.guard is None and not any(
        isinstance(statement, checked.Require | checked.PickFrom | checked.PickAbove)
        for statement in all_statements(handler.body)
    )
