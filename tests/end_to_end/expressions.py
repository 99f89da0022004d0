"""Random expressions and conditions of a type, over what a place can see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.end_to_end.declarations import BOOL, Declarations, Place, Type, set_of


class Expressions(Declarations):
    """Writes expressions."""

    def constant(self, type_: Type) -> str | None:
        """Return a constant of the type, if there is one."""
        match type_.kind:
            case "bool":
                return self.random.choice(("true", "false"))
            case "enum":
                return self.random.choice(type_.members)
            case "ordered":
                return "zero"
            case "option":
                return "none"
            case "set":
                return "{}"
            case "tuple":
                parts = [self.constant(part) for part in type_.parts]
                return None if None in parts else f"({', '.join(map(str, parts))})"
            case "record":
                parts = [self.constant(part) for part in type_.parts]
                return None if None in parts else f"Pair({', '.join(map(str, parts))})"
            case _:
                return None

    def expression(self, type_: Type, place: Place, depth: int = 2) -> str | None:
        """Return an expression of the type, or None if none was found."""
        makers: list[Callable[[], str | None]] = []
        for text, known in place.readable:
            if known == type_:
                makers += [partial(str, text)] * 2
            elif known.kind == "map" and known.parts[1] == type_ and depth > 0:
                makers.append(partial(self._lookup, text, known, place, depth))
            elif known.kind in ("record",) and type_ in known.parts:
                index = known.parts.index(type_)
                makers.append(partial(str, f"{text}.{('first', 'second')[index]}"))
        if self.owner is not None and type_ == Type("role", self.owner) and depth > 0:
            makers.append(lambda: self._owner(place, depth))
        if type_ == BOOL and depth > 0:
            makers += [lambda: self.condition(place, depth - 1)] * 3
        if type_.kind in ("option", "set", "tuple", "record") and depth > 0:
            makers += [lambda: self._made(type_, place, depth)] * 2
        makers.append(lambda: self.constant(type_))
        self.random.shuffle(makers)
        for make in makers:
            found = make()
            if found is not None:
                return found
        return None

    def _lookup(self, text: str, known: Type, place: Place, depth: int) -> str | None:
        key = self.expression(known.parts[0], place, depth - 1)
        return None if key is None else f"{text}[{key}]"

    def _owner(self, place: Place, depth: int) -> str | None:
        candidates = [text for text, type_ in place.readable if type_ == self.ordered]
        return f"{self.random.choice(candidates)}.owner" if candidates else None

    def _made(self, type_: Type, place: Place, depth: int) -> str | None:
        parts = [self.expression(part, place, depth - 1) for part in type_.parts]
        if None in parts:
            return None
        inner = ", ".join(map(str, parts))
        match type_.kind:
            case "option":
                return f"some {inner}" if " " not in inner or inner[0] == "(" else f"some ({inner})"
            case "set":
                return f"{{{inner}}}"
            case "tuple":
                return f"({inner})"
            case _:
                return f"Pair({inner})"

    def condition(self, place: Place, depth: int) -> str | None:
        """Return a formula or condition."""
        r = self.random
        kinds = ["equal", "equal", "less", "member", "some", "read", "state", "includes"]
        if depth > 0:
            kinds += ["not", "and", "or", "and"]
            if place.formula:
                kinds += ["forall", "exists", "sent", "sent", "sent", "implies"]
            else:
                kinds += ["bounded"]
        elif place.formula:
            kinds += ["sent"]
        r.shuffle(kinds)
        for kind in kinds:
            found = self._condition(kind, place, depth)
            if found is not None:
                return found
        return None

    def _condition(self, kind: str, place: Place, depth: int) -> str | None:
        r = self.random
        match kind:
            case "equal":
                readable = [x for x in place.readable if x[1].kind != "map"]
                if not readable:
                    return None
                text, type_ = r.choice(readable)
                other = self.expression(type_, place, 1)
                if other is None or other == text:
                    return None
                if type_ == BOOL:
                    return (
                        f"({text} {r.choice(('iff', '!='))} ({other}))" if place.formula else None
                    )
                return f"({text} {r.choice(('=', '=', '!='))} {other})"
            case "less":
                readable = [x for x in place.readable if x[1] == self.ordered]
                if not readable:
                    return None
                other = self.expression(self.ordered, place, 1)
                if other is None:
                    return None
                return f"({r.choice(readable)[0]} {r.choice(('<', '<=', '>', '>='))} {other})"
            case "member":
                sets = [x for x in place.readable if x[1].kind == "set"]
                if not sets:
                    return None
                text, type_ = r.choice(sets)
                element = self.expression(type_.parts[0], place, 1)
                return (
                    None
                    if element is None
                    else f"({element} {r.choice(('in', 'in', 'not in'))} {text})"
                )
            case "some":
                options = [x for x in place.readable if x[1].kind == "option"]
                if not options:
                    return None
                return f"({r.choice(options)[0]} is {r.choice(('some', 'none'))})"
            case "read":
                readable = [x for x in place.readable if x[1] == BOOL]
                return r.choice(readable)[0] if readable else None
            case "state":
                return None if not place.states else "({} is {})".format(*r.choice(place.states))
            case "includes":
                wanted = set_of(Type("role", self.quorum_role))
                sets = [x for x in place.readable if x[1] == wanted]
                return f"({r.choice(sets)[0]} includes Many)" if sets else None
            case "not":
                inner = self.condition(place, depth - 1)
                return (
                    None
                    if inner is None
                    else f"not {inner}"
                    if inner[0] == "("
                    else f"not ({inner})"
                )
            case "and" | "or" | "implies":
                left, right = self.condition(place, depth - 1), self.condition(place, depth - 1)
                return None if left is None or right is None else f"({left} {kind} {right})"
            case "forall" | "exists":
                type_ = r.choice(self.simple[1:] if self.chance(0.9) else self.simple)
                name = self.name("x")
                inner = self.condition(self.quantify(place, name, type_), depth - 1)
                return None if inner is None else f"({kind} {name}: {type_}: {inner})"
            case "bounded":
                sets = [x for x in place.readable if x[1].kind == "set"]
                if not sets:
                    return None
                text, type_ = r.choice(sets)
                name = self.name("x")
                inner = self.condition(place.plus((name, type_.parts[0])), depth - 1)
                return (
                    None
                    if inner is None
                    else f"({r.choice(('forall', 'exists'))} {name} in {text}: {inner})"
                )
            case "sent":
                return self._history(place)
        raise AssertionError(kind)

    def quantify(self, place: Place, name: str, type_: Type) -> Place:
        """Return the place in which `name` is bound, and the variables of the node it may be."""
        found = place.plus((name, type_))
        for role in self.roles:
            if role.type == type_:
                found = found.plus(*((f"{name}.{v.name}", v.type) for v in role.variables))
                states = tuple((name, state) for state in role.states)
                found = replace(found, states=(*found.states, *states))
        return found

    def _history(self, place: Place) -> str | None:
        r = self.random
        kinds = ["sent", "requested"] + (["output"] if self.outputs else [])
        kind = r.choice(kinds)
        if kind == "sent":
            candidates = [m for m in self.messages if self.sent_by.get(m.name)]
            if not candidates:
                return None
            message = r.choice(candidates)
            name, fields = message.name, message.fields
        else:
            name, fields = r.choice(self.requests if kind == "requested" else self.outputs)
            if name not in self.used:
                return None
        arguments = []
        for _, type_ in fields:
            argument = None if self.chance(0.4) else self.expression(type_, place, 1)
            arguments.append("_" if argument is None else argument)
        text = f"{kind} {name}" + (f"({', '.join(arguments)})" if arguments else "")
        if kind == "sent" and self.chance(0.5):
            senders = self.sent_by[name]
            nodes = [
                t for t, type_ in place.readable if type_.kind == "role" and type_.name in senders
            ]
            if nodes:
                text += f" from {r.choice(nodes)}"
        return f"({text})"
