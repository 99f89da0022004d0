"""Role classes: state, construction, dispatch, and the methods of the handlers."""

from __future__ import annotations

from compiler.check import checked
from compiler.check.types import MapType, OpaqueType, OptionType, SetType, Type
from compiler.emit import types
from compiler.emit.expressions import Expressions
from compiler.emit.frame import Lines
from compiler.emit.handlers import HandlerWriter, rendered
from compiler.emit.scopes import Names
from compiler.emit.text import comment, comments, docstring, literal, source_line
from compiler.emit.wrap import wrap


class RoleWriter:
    """Writes the class of one role.

    `place` names the file of the spec in comments.
    """

    def __init__(
        self, protocol: checked.Protocol, role: checked.Role, names: Names, place: str
    ) -> None:
        self.protocol = protocol
        self.role = role
        self.names = names
        self.place = place
        self.variables = [v for v in role.variables if v.kind != "ghost"]
        self.handlers = HandlerWriter(protocol, role, names, place)

    def write(self) -> list[str]:
        """Return the lines of the class."""
        doc = self.role.doc or f"A node of the role {self.role.type.name}."
        lines = [
            comment(source_line(self.protocol.source, self.role.span.line, self.place)),
            f"class {self.names.role(self.role.type)}:",
            *docstring(doc, "    "),
            "",
            f"    ROLE: ClassVar[str] = {literal(self.role.type.name)}",
            *self.table(),
            *self.slots(),
            "",
            *self.constructor(),
            "",
            *self.step(),
        ]
        for method in (self.deliver, self.request, self.timeout, self.start, self.recover):
            lines += ["", *method()]
        for handler in self.role.handlers:
            lines += ["", *self.handlers.write(handler)]
        return lines

    # --- state ---

    def attributes(self) -> list[tuple[str, str]]:
        """Return the spec's name and the attribute of each variable, the state first."""
        state = [("state", "state")] if self.role.states else []
        return state + [
            (v.name, self.names.variable(self.role.type, v.name)) for v in self.variables
        ]

    def table(self) -> list[str]:
        """Return the table of variables."""
        entries = ", ".join(f"{literal(name)}: {literal(a)}" for name, a in self.attributes())
        return wrap(f"VARIABLES: ClassVar[Mapping[str, str]] = {{{entries}}}", 4)

    def slots(self) -> list[str]:
        """Return the slots."""
        attributes = ["id", "cluster", *(attribute for _, attribute in self.attributes())]
        return wrap(f"__slots__ = ({', '.join(literal(a) for a in attributes)})", 4)

    def constructor(self) -> list[str]:
        """Return `__init__`: the initial state, then what was made durable before."""
        constants = [v for v in self.variables if v.kind == "const"]
        parameters = ["self", "id: NodeId", "cluster: Cluster", "durable: Iterable[Write] = ()"]
        if constants:
            parameters.append("*")
        for variable in constants:
            name = self.names.variable(self.role.type, variable.name)
            parameters.append(f"{name}: {types.fixed(variable.type, self.names)}")
        lines = wrap(f"def __init__({', '.join(parameters)}) -> None:", 4)
        body = Lines()
        body.add("self.id = id")
        body.add("self.cluster = cluster")
        initial = self.role.initial_state
        if initial is not None:
            state = self.names.state(self.role.type, initial)
            body.add(f"self.state: {self.names.states(self.role.type)} = {state}")
        expressions = self.handlers.expressions()
        for variable in self.variables:
            if variable.doc is not None:
                for line in comments(variable.doc, " " * 8):
                    body.add(line.strip())
            name = self.names.variable(self.role.type, variable.name)
            if variable.kind == "const":
                body.add(f"self.{name} = {name}")
                continue
            annotation = types.stored(variable.type, self.names)
            body.add(f"self.{name}: {annotation} = {self.initial(variable, expressions)}")
        self.restore(body)
        return lines + rendered(body, 8)

    def initial(self, variable: checked.Variable, expressions: Expressions) -> str:
        """Return the value that a variable begins with."""
        if isinstance(variable.type, MapType):
            return "{}"
        value = expressions.entry_default(variable)
        assert value is not None, f"{variable.name} has no initial value"
        return value

    def restore(self, body: Lines) -> None:
        """Take over what was durable, in the order in which it was written."""
        keyword = "if"
        body.add("for write in durable:")
        body.depth += 1
        durable = [v for v in self.variables if v.kind == "durable"]
        if self.role.states and self.role.state_durable:
            body.add('if write.variable == "state":')
            body.items.append(
                (
                    body.depth + 1,
                    f"self.state = cast({self.names.states(self.role.type)}, write.value)",
                )
            )
            keyword = "elif"
        for variable in durable:
            body.add(f"{keyword} write.variable == {literal(variable.name)}:")
            body.depth += 1
            self.restore_variable(variable, body)
            body.depth -= 1
            keyword = "elif"
        error = 'raise ValueError(f"{self.ROLE} has no durable variable {write.variable}")'
        if keyword == "if":
            body.add(error)
        else:
            body.add("else:")
            body.items.append((body.depth + 1, error))

    def restore_variable(self, variable: checked.Variable, body: Lines) -> None:
        """Assign a durable write to the variable or its entry."""
        place = f"self.{self.names.variable(self.role.type, variable.name)}"
        type_: Type = variable.type
        index = 0
        while isinstance(type_, MapType):
            key = self.cast(type_.key, f"write.keys[{index}]")
            index += 1
            type_ = type_.value
            if isinstance(type_, MapType):
                entries = f"entries_{index}" if index > 1 else "entries"
                body.add(f"{entries} = {place}.setdefault({key}, {{}})")
                place = entries
            else:
                place += f"[{key}]"
        value = self.cast(type_, "write.value")
        body.add(f"{place} = set({value})" if isinstance(type_, SetType) else f"{place} = {value}")

    def cast(self, type_: Type, value: str) -> str:
        """Return a stored value with its type; any object may be an opaque value."""
        content = type_.content if isinstance(type_, OptionType) else type_
        if isinstance(content, OpaqueType):
            return value
        return f"cast({types.fixed(type_, self.names)}, {value})"

    # --- dispatch ---

    def method(self, signature: str, doc: str, body: Lines) -> list[str]:
        """Return a method."""
        return [*wrap(f"def {signature}:", 4), *docstring(doc, " " * 8), *rendered(body, 8)]

    def step(self) -> list[str]:
        """Return `step`, which takes any event."""
        body = Lines()
        for event, call in (
            ("Delivered", "self.deliver(event.message, event.sender, answers)"),
            ("Requested", "self.request(event.request, answers)"),
            ("TimedOut", "self.timeout(event.timer, answers)"),
            ("Started", "self.start(answers)"),
        ):
            body.guard(f"isinstance(event, {event})", call)
        body.add("return self.recover(answers)")
        return self.method(
            "step(self, event: Event, answers: Answers = NO_ANSWERS) -> Effects | None",
            "Take one step; None if the event is ignored as things are, and nothing has changed.",
            body,
        )

    def deliver(self) -> list[str]:
        """Return `deliver`."""
        body = Lines()
        by_class: dict[str, list[str]] = {}
        for handler in self.role.handlers:
            if isinstance(handler.event, checked.MessageEvent):
                class_ = self.names.signature(handler.event.message)
                by_class.setdefault(class_, []).append(self.call(handler, "message, sender"))
        self.by_class("message", by_class, body)
        return self.method(
            "deliver(self, message: Message, sender: NodeId, answers: Answers = NO_ANSWERS)"
            " -> Effects | None",
            "Take the step for a message.",
            body,
        )

    def request(self) -> list[str]:
        """Return `request`."""
        body = Lines()
        by_class: dict[str, list[str]] = {}
        for handler in self.role.handlers:
            if isinstance(handler.event, checked.RequestEvent):
                class_ = self.names.signature(handler.event.request)
                by_class.setdefault(class_, []).append(self.call(handler, "request"))
        self.by_class("request", by_class, body)
        return self.method(
            "request(self, request: Request, answers: Answers = NO_ANSWERS) -> Effects | None",
            "Take the step for a client's request.",
            body,
        )

    def timeout(self) -> list[str]:
        """Return `timeout`."""
        body = Lines()
        by_class: dict[str, list[str]] = {}
        for handler in self.role.handlers:
            if isinstance(handler.event, checked.TimeoutEvent):
                class_ = self.names.timer(handler.event.timer)
                by_class.setdefault(class_, []).append(self.call(handler, "timer"))
        self.by_class("timer", by_class, body)
        return self.method(
            "timeout(self, timer: Timer, answers: Answers = NO_ANSWERS) -> Effects | None",
            "Take the step for a timer that has run out.",
            body,
        )

    def start(self) -> list[str]:
        """Return `start`."""
        return self.without_data("start", checked.StartEvent, "Take the node's first step.")

    def recover(self) -> list[str]:
        """Return `recover`."""
        doc = "Take the first step after a crash."
        return self.without_data("recover", checked.RecoverEvent, doc)

    def without_data(self, name: str, event: type, doc: str) -> list[str]:
        """Return a method for an event that carries nothing."""
        body = Lines()
        handlers = [handler for handler in self.role.handlers if isinstance(handler.event, event)]
        self.first_enabled([self.call(handler, "") for handler in handlers], body)
        return self.method(
            f"{name}(self, answers: Answers = NO_ANSWERS) -> Effects | None", doc, body
        )

    def call(self, handler: checked.Handler, arguments: str) -> str:
        """Return the call of a handler."""
        given = [arguments] if arguments else []
        if self.handlers.asks(handler):
            given.append("answers")
        return f"self.{self.names.handler(self.role.type, handler.name)}({', '.join(given)})"

    def by_class(self, subject: str, calls: dict[str, list[str]], body: Lines) -> None:
        """Write the dispatch on the class of what has come."""
        for class_, handlers in calls.items():
            body.add(f"if isinstance({subject}, {class_}):")
            body.depth += 1
            self.first_enabled(handlers, body)
            body.depth -= 1
        body.add("return None")

    def first_enabled(self, calls: list[str], body: Lines) -> None:
        """Write that the first of the handlers that is enabled takes the step."""
        match calls:
            case []:
                body.add("return None")
            case [single]:
                body.add(f"return {single}")
            case [first, *others]:
                body.add(f"effects = {first}")
                for call in others:
                    body.add("if effects is None:")
                    body.items.append((body.depth + 1, f"effects = {call}"))
                body.add("return effects")
