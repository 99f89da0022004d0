"""Random specs as text: small, well typed, and using most of the language.

What is written is right by construction, so that nearly every spec passes the checker: names are
never used twice, every expression is made for a type, choices stand before effects, and a loop
writes only what it does not read. The protocols have no sense; that is the point: they go where
nobody who writes a sensible protocol would look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.end_to_end.declarations import Place, Role, Type, Variable, option
from tests.end_to_end.expressions import Expressions


class Generator(Expressions):
    """Writes one spec; equal seeds write equal specs."""

    # --- statements --------------------------------------------------------------------------

    def block(
        self, role: Role, place: Place, sender: str | None, depth: int, first: bool, indent: str
    ) -> list[str]:
        """Return the statements of a block; `first`: nothing has been done before it."""
        lines: list[str] = []
        if first:
            for _ in range(self.random.choice((0, 0, 1))):
                made = self._choice(role, place, indent)
                if made is not None:
                    line, place = made
                    lines.append(line)
        for number in range(self.random.choice((1, 2, 2, 3))):
            lines += self._statement(role, place, sender, depth, first and number == 0, indent)
        if not lines:
            lines.append(f"{indent}let {self.name('l')} = true")
        return lines

    def _choice(self, role: Role, place: Place, indent: str) -> tuple[str, Place] | None:
        r = self.random
        match r.choice(("require", "pick", "above", "ask", "let")):
            case "require":
                condition = self.condition(place, 1)
                return None if condition is None else (f"{indent}require {condition}", place)
            case "pick":
                sets = [x for x in place.readable if x[1].kind == "set"]
                if not sets:
                    return None
                text, type_ = r.choice(sets)
                name = self.name("p")
                inner = place.plus((name, type_.parts[0]))
                where = self.condition(inner, 0) if self.chance(0.4) else None
                suffix = "" if where is None else f" where {where}"
                return f"{indent}pick {name} in {text}{suffix}", inner
            case "above":
                if self.owner not in (None, role.name):
                    return None
                bound = self.expression(self.ordered, place, 1)
                if bound is None:
                    return None
                name = self.name("p")
                mine = f" and {name}.owner = self" if self.owner else ""
                return (
                    f"{indent}pick {name} in Num where {name} > {bound}{mine}",
                    place.plus((name, self.ordered)),
                )
            case "ask":
                free = [a for a in self.asks if a[0] not in self.asked]
                if not free:
                    return None
                ask, type_ = r.choice(free)
                self.asked.add(ask)
                name = self.name("a")
                return f"{indent}let {name} = ask {ask}()", place.plus((name, type_))
            case _:
                type_ = self._flat() if self.chance(0.5) else option(self._flat())
                value = self.expression(type_, place, 1)
                if value is None or "zero" in value or "none" in value:
                    return None  # a `let` gives these no type
                name = self.name("l")
                return f"{indent}let {name} = {value}", place.plus((name, type_))

    def _statement(
        self, role: Role, place: Place, sender: str | None, depth: int, first: bool, indent: str
    ) -> list[str]:
        r = self.random
        kinds = ["assign"] * 5 + ["send"] * 3 + ["output", "arm"]
        if role.states:
            kinds += ["become"] * 2
        if depth > 0:
            kinds += ["if"] * 4 + ["for"] * 3
        if self.asserts and self.chance(0.1):
            kinds += ["assert"]
        kind = r.choice(kinds)
        match kind:
            case "assign":
                line = self._assignment(role, place)
                return [] if line is None else [indent + line]
            case "send":
                line = self._send(role, place, sender)
                return [] if line is None else [indent + line]
            case "output":
                line = self._output(place)
                return [] if line is None else [indent + line]
            case "arm":
                if not role.timers:
                    return []
                timer, types = r.choice(role.timers)
                arguments = [self.expression(t, place, 1) for t in types]
                if None in arguments:
                    return []
                suffix = f"({', '.join(map(str, arguments))})" if types else ""
                return [f"{indent}{r.choice(('arm', 'arm', 'disarm'))} {timer}{suffix}"]
            case "become":
                return [f"{indent}become {r.choice(role.states)}"]
            case "if":
                return self._if(role, place, sender, depth, first, indent)
            case "for":
                return self._for(role, place, sender, indent)
            case "assert":
                condition = self.condition(place, 1)
                return [] if condition is None else [f"{indent}assert {condition}"]
        raise AssertionError(kind)

    def matching(self, place: Place) -> tuple[str, Place] | None:
        """Return a condition that matches an option, and the place in which its names are bound."""
        options = [x for x in place.readable if x[1].kind == "option"]
        if not options:
            return None
        text, type_ = self.random.choice(options)
        content = type_.parts[0]
        if content.kind == "tuple" and self.chance(0.6):
            names = [self.name("m") for _ in content.parts]
            inner = place.plus(*zip(names, content.parts, strict=True))
            return f"{text} is some ({', '.join(names)})", inner
        name = self.name("m")
        return f"{text} is some {name}", place.plus((name, content))

    def guard(self, place: Place, depth: int = 1) -> tuple[str, Place] | None:
        """Return a condition whose conjuncts may match options, and the place behind it."""
        texts: list[str] = []
        for _ in range(self.random.choice((1, 1, 2))):
            matched = self.matching(place) if self.chance(0.5) else None
            if matched is not None:
                text, place = matched
                texts.append(text)
                continue
            condition = self.condition(place, depth)
            if condition is not None:
                texts.append(condition)
        return (" and ".join(texts), place) if texts else None

    def _if(
        self, role: Role, place: Place, sender: str | None, depth: int, first: bool, indent: str
    ) -> list[str]:
        lines: list[str] = []
        for number in range(self.random.choice((1, 1, 2, 3))):
            made = self.guard(place)
            if made is None:
                break
            condition, inner = made
            lines.append(f"{indent}{'elif' if number else 'if'} {condition}:")
            lines += self.block(role, inner, sender, depth - 1, first, indent + "    ")
        if lines and self.chance(0.5):
            lines.append(f"{indent}else:")
            lines += self.block(role, place, sender, depth - 1, first, indent + "    ")
        return lines

    def _for(self, role: Role, place: Place, sender: str | None, indent: str) -> list[str]:
        r = self.random
        sets = [x for x in place.readable if x[1].kind == "set"]
        if not sets:
            return []
        text, type_ = r.choice(sets)
        element = type_.parts[0]
        name = self.name("e")
        bound = place.plus((name, element))
        written: set[str] = set()
        root = text.split("[")[0]
        plans: list[tuple[Variable, str]] = []
        for variable in role.variables:
            if variable.kind in ("const", "ghost") or variable.name == root or self.chance(0.4):
                continue
            t = variable.type
            if t.kind == "map" and t.parts[0] == element:
                plans.append((variable, "entry"))
            elif t.kind == "set" and t.parts[0] == element:
                plans.append((variable, "set"))
            elif t.kind == "map" and t.parts[1].kind == "set" and t.parts[1].parts[0] == element:
                plans.append((variable, "under"))
        written = {variable.name for variable, _ in plans}
        inner = Place(
            tuple(x for x in bound.readable if x[0].split("[")[0] not in written),
            False,
            bound.states,
        )
        body: list[str] = []
        for variable, plan in plans:
            t = variable.type
            if plan == "entry":
                value = self.expression(t.parts[1], inner, 1)
                if value is not None:
                    body.append(f"{variable.name}[{name}] := {value}")
            elif plan == "set":
                body.append(f"{variable.name} {r.choice(('+=', '-='))} {name}")
            else:
                key = self.expression(t.parts[0], inner, 1)
                if key is not None:
                    body.append(f"{variable.name}[{key}] {r.choice(('+=', '-='))} {name}")
        for _ in range(r.choice((0, 1))):
            line = self._send(role, inner, sender)
            if line is not None:
                body.append(line)
        if self.chance(0.3):
            line = self._output(inner)
            if line is not None:
                body.append(line)
        if not body:
            return []
        deeper = indent + "    "
        lines = [f"{indent}for {name} in {text}:"]
        made = self.guard(inner, 1) if self.chance(0.5) else None
        if made is None:
            return lines + [deeper + line for line in body]
        lines.append(f"{deeper}if {made[0]}:")
        lines += [deeper + "    " + line for line in body]
        if self.chance(0.4):
            line = self._send(role, inner, sender)
            if line is not None:
                lines += [f"{deeper}else:", f"{deeper}    {line}"]
        return lines

    def _assignment(self, role: Role, place: Place) -> str | None:
        r = self.random
        ghosts = self.ghosts
        variables = [v for v in (*role.variables, *ghosts) if v.kind != "const"]
        if not variables:
            return None
        variable = r.choice(variables)
        place = replace(place, formula=False)
        target, type_ = variable.name, variable.type
        if type_.kind == "map":
            key = self.expression(type_.parts[0], place, 1)
            if key is None:
                return None
            target, type_ = f"{target}[{key}]", type_.parts[1]
        if type_.kind == "set" and self.chance(0.75):
            element = self.expression(type_.parts[0], place, 1)
            return None if element is None else f"{target} {r.choice(('+=', '+=', '-='))} {element}"
        value = self.expression(type_, place, 2)
        return None if value is None or value == target else f"{target} := {value}"

    def _send(self, role: Role, place: Place, sender: str | None) -> str | None:
        r = self.random
        routes = [(m, to) for m in self.messages for by, to in m.routes if by == role.name]
        if not routes:
            return None
        message, to = r.choice(routes)
        arguments = [self.expression(type_, place, 1) for _, type_ in message.fields]
        if None in arguments:
            return None
        text = message.name + (f"({', '.join(map(str, arguments))})" if arguments else "")
        target = next(x for x in self.roles if x.name == to)
        nodes = [t for t, type_ in place.readable if type_ == target.type]
        kinds = ["broadcast"]
        if nodes:
            kinds += ["send", "send"]
        if sender == to:
            kinds.append("reply")
        if target.single:
            kinds.append("single")
        self.sent_by.setdefault(message.name, set()).add(role.name)
        self.channels.add((message.name, role.name, to))
        match r.choice(kinds):
            case "send":
                return f"send {text} to {r.choice(nodes)}"
            case "reply":
                return f"reply {text}"
            case "single":
                return f"send {text} to {to}"
            case _:
                return f"broadcast {text} to {to}"

    def _output(self, place: Place) -> str | None:
        if not self.outputs:
            return None
        name, fields = self.random.choice(self.outputs)
        arguments = [self.expression(type_, place, 1) for _, type_ in fields]
        if None in arguments:
            return None
        self.used.add(name)
        return f"output {name}" + (f"({', '.join(map(str, arguments))})" if arguments else "")

    # --- roles and handlers --------------------------------------------------------------------

    def _own_place(self, role: Role) -> Place:
        readable: list[tuple[str, Type]] = [("self", role.type)]
        readable += [(v.name, v.type) for v in role.variables if v.kind != "ghost"]
        readable += [(other.name, other.type) for other in self.roles if other.single]
        return Place(tuple(readable), False, tuple(("self", state) for state in role.states))

    def _handler(
        self,
        role: Role,
        event: str,
        fields: tuple[tuple[str, Type], ...],
        sender_role: str | None,
        indent: str,
        guarded: bool,
    ) -> list[str]:
        self.asked = set()
        place = self._own_place(role)
        names = [self.name("g") for _ in fields]
        place = place.plus(*zip(names, (t for _, t in fields), strict=True))
        head = f"{indent}on {event}" + (f"({', '.join(names)})" if names else "")
        if sender_role is not None:
            sender = self.name("s")
            head += f" from {sender}: {sender_role}"
            place = place.plus((sender, Type("role", sender_role)))
        if event not in ("start", "recover") and (guarded or self.chance(0.5)):
            condition, place = self.guard(place) or ("self = self", place)
            head += f" when {condition}"
        lines = self.block(role, place, sender_role, 2, True, indent + "    ")
        return [head + ":", *lines]

    def _role_text(self, role: Role) -> list[str]:
        """Return the lines of a role."""
        head = f"role {role.name}" + (" single" if role.single else "")
        head += " never crashes" if role.never_crashes else ""
        lines = [head + ":"]
        for variable in role.variables:
            lines.append("    " + self._declaration(variable))
        for timer, types in role.timers:
            columns = ", ".join(f"k{i}: {t}" for i, t in enumerate(types))
            lines.append(f"    timer {timer}" + (f"({columns})" if types else ""))
        if role.states and role.durable_state and not role.never_crashes:
            lines.append("    durable state")
        by_state: dict[str | None, list[str]] = {state: [] for state in (*role.states, None)}
        events: list[tuple[str, tuple[tuple[str, Type], ...], str | None]] = []
        for request in self.requests:
            if self.chance(0.6) or role is self.roles[0]:
                events.append((f"request {request[0]}", request[1], None))
                self.used.add(request[0])
        for message in self.messages:
            for by, to in message.routes:
                if to == role.name:
                    events.append((message.name, message.fields, by))
                    if self.chance(0.2):
                        events.append((message.name, message.fields, by))
        for timer, types in role.timers:
            named = tuple((f"k{i}", t) for i, t in enumerate(types))
            events.append((f"timeout {timer}", named, None))
        if self.chance(0.2):
            events.append(("start", (), None))
        if self.chance(0.25) and not role.never_crashes:
            events.append(("recover", (), None))
        for event, fields, sender in events:
            state = self.random.choice((*role.states, None))
            if event in ("start", "recover"):
                state = None
            indent = "    " if state is None else "        "
            # A handler may come first that takes all that another one would.
            guarded = sum(e[0] == event and e[2] == sender for e in events) > 1
            handler = self._handler(role, event, fields, sender, indent, guarded)
            by_state[state].append("\n".join(handler))
        for number, state in enumerate(role.states):
            mark = " (initial)" if number == 0 else ""
            lines.append(f"    state {state}{mark}" + (":" if by_state[state] else ""))
            lines += by_state[state]
        lines += by_state[None]
        return lines

    def _declaration(self, variable: Variable) -> str:
        kind = "" if variable.kind == "volatile" else variable.kind + " "
        text = f"{kind}{variable.name}: {variable.type}"
        if variable.kind == "const":
            return text
        inner = variable.type
        needed = inner.parts[1] if inner.kind == "map" else inner
        if needed.kind in ("enum", "tuple", "record") or self.chance(0.3):
            value = self.constant(needed)
            assert value is not None
            text += f" = {value}"
        return text

    def _property(self, kind: str) -> str | None:
        place = Place(tuple((v.name, v.type) for v in self.ghosts), True)
        bound: list[str] = []
        for _ in range(self.random.choice((1, 1, 2, 2, 3))):
            role_types = [role.type for role in self.roles]
            type_ = self.random.choice([*role_types, *role_types, *self.simple[1:]])
            name = self.name("n")
            bound.append(f"{name}: {type_}")
            place = self.quantify(place, name, type_)
        body = self.condition(place, self.random.choice((1, 2, 2, 3)))
        if body is None:
            return None
        return f"{kind} {self.name('prop')}:\n    forall {', '.join(bound)}: {body}"

    def text(self) -> str:
        """Return the spec; empty if a message has a handler and no sender."""
        roles = ["\n".join(self._role_text(role)) for role in self.roles]
        # What is routed and never sent would be a handler without a sender: let someone send it.
        for message in self.messages:
            for by, to in message.routes:
                if (message.name, by, to) not in self.channels:
                    return ""
        found = [
            self._property("safety" if i % 2 == 0 else "invariant") for i in range(self.properties)
        ]
        owner = f" owned by {self.owner}" if self.owner else ""
        lines = [
            "protocol Random",
            "opaque Item",
            f"ordered Num{owner}",
            f"enum Color: {', '.join(self.enum.members)}",
            f"record Pair(first: {self.record.parts[0]}, second: {self.record.parts[1]})",
            "parameter f: 2 * f < total " + self.quorum_role,
            f"quorum Many of {self.quorum_role}: {self.quorum}",
        ]
        if self.quorum != "size >= 1":
            lines.append(
                f"fact meet: forall p, q: Many: exists n: {self.quorum_role}: n in p and n in q"
            )
        for message in self.messages:
            lines.append(f"message {message.name}{_signature(message.fields)}")
        for request, fields in self.requests:
            lines.append(f"request {request}{_signature(fields)}")
        for output, fields in self.outputs:
            lines.append(f"output {output}{_signature(fields)}")
        for ask, type_ in self.asks:
            lines.append(f"ask {ask}(): {type_}")
        for ghost in self.ghosts:
            lines.append(self._declaration(ghost))
        lines += roles
        lines += [p for p in found if p is not None]
        return "\n".join(lines) + "\n"


def _signature(fields: tuple[tuple[str, Type], ...]) -> str:
    return f"({', '.join(f'{name}: {type_}' for name, type_ in fields)})" if fields else ""


def specs(start: int = 0, properties: int = 4, asserts: bool = False) -> Iterator[tuple[int, str]]:
    """Yield seeds and the specs that they write, without end."""
    seed = start
    while True:
        text = Generator(seed, properties, asserts).text()
        if text:
            yield seed, text
        seed += 1
