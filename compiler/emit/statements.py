"""The body of a handler: statements of the language as statements of Python.

One statement becomes one, in the same order, except that effects are collected for the end
of the path (see `effects`).
"""

from __future__ import annotations

from typing import assert_never

from compiler.check import checked
from compiler.check.types import MapType, OptionType, OrderedType, SetType
from compiler.check.walk import all_statements
from compiler.emit import types
from compiler.emit.conditions import Conditions, is_simple
from compiler.emit.effects import Durability, Place, fits_literal, is_effect
from compiler.emit.expressions import Expressions, unsupported
from compiler.emit.frame import Lines
from compiler.emit.names import Scope
from compiler.emit.simplify import Statements, asks, expressions_in, locals_in, walk
from compiler.emit.strength import Strength
from compiler.emit.text import literal


class Body(Conditions):
    """Writes the body of one handler: its guard, its statements, and the return of its effects."""

    def __init__(
        self,
        expressions: Expressions,
        scope: Scope,
        durability: Durability,
        guard: checked.Expression | None,
        statements: Statements,
    ) -> None:
        everything = list(expressions_in(statements))
        if guard is not None:
            everything += walk(guard)
        used = {node.binding.number for node in everything if isinstance(node, checked.Local)}
        super().__init__(expressions, scope, used)
        self.durability = durability
        self.guard = guard
        self.statements = statements
        for node in everything:
            if isinstance(node, checked.QuantifiedIn):
                self.bind(node.binding)
        self._literal = fits_literal(statements, durability)
        # For handlers that append to lists: durable variables written as a whole on every
        # path, which are read at the end, and whether there are other durable writes.
        self._at_end: list[Place] = []
        self._noted = False
        self._lists: list[str] = []
        if not self._literal:
            self._plan()

    def _plan(self) -> None:
        every_path = [self.durability.place(statement) for statement in self.statements]
        at_end = dict.fromkeys(
            place for place in every_path if place is not None and not place.keys
        )
        self._at_end = list(at_end)
        self._noted = any(
            place is not None and place not in at_end
            for place in map(self.durability.place, all_statements(self.statements))
        )

    # --- the whole ---

    def write(self) -> Lines:
        """Return the lines: the guard, then the statements, then the effects."""
        if self.guard is not None:
            self.require(self.guard)
        if self._literal:
            self.literal_block(self.statements, [], [])
        else:
            self.appending()
        return self.lines

    def literal_block(
        self, statements: Statements, writes: list[Place], effects: list[str]
    ) -> None:
        """Write statements whose path ends here, and return its effects."""
        for index, statement in enumerate(statements):
            last = index == len(statements) - 1
            acts = self.durability.acts_within((statement,))
            if last and acts and isinstance(statement, checked.If):
                self.literal_if(statement, writes, effects)
                return
            place = self.durability.place(statement)
            if place is not None and place not in writes:
                writes.append(place)
            if is_effect(statement):
                effects.append(self.effect(statement))
            else:
                self.statement(statement)
        persist = [self.persist([self.written(place) for place in writes])] if writes else []
        self.give_back([*persist, *effects])

    def literal_if(self, statement: checked.If, writes: list[Place], effects: list[str]) -> None:
        """Write an `if` in each of whose branches the path ends."""
        for branch in statement.branches:
            text, unpacked = self.condition(branch.condition)
            self.lines.add(f"if {text}:")
            self.lines.depth += 1
            self.unpack_all(unpacked, branch.body)
            self.literal_block(branch.body, list(writes), list(effects))
            self.lines.depth -= 1
        self.literal_block(statement.otherwise, writes, effects)

    def give_back(self, effects: list[str]) -> None:
        """Return a list of effects."""
        match effects:
            case [single] if single.startswith("*"):
                self.lines.add(f"return {single[1:]}")
            case _:
                self.lines.add(f"return [{', '.join(effects)}]")

    def appending(self) -> None:
        """Write a handler that appends its effects to lists."""
        acted = any(is_effect(statement) for statement in all_statements(self.statements))
        self._lists = ["writes: Writes = {}"] if self._noted else []
        if acted:
            self._lists.append("effects: Effects = []")
        for statement in self.statements:
            acts = self.durability.acts_within((statement,))
            if acts and not isinstance(statement, checked.If):
                self.begin_lists()
            self.statement(statement)
        fixed = [self.written(place) for place in self._at_end]
        noted = ["*writes.values()"] if self._noted else []
        rest = ["*effects"] if acted else []
        persist = [self.persist([*noted, *fixed])]
        certain = fixed or any(map(self.durability.place, self.statements))
        if certain:
            self.give_back(persist + rest)
            return
        if self._noted:
            self.lines.guard("writes", f"[{', '.join(persist + rest)}]")
        self.lines.add("return effects" if acted else "return []")

    def begin_lists(self) -> None:
        """Write the empty lists of effects and writes, unless they are there."""
        for line in self._lists:
            self.lines.add(line)
        self._lists = []

    # --- effects ---

    def persist(self, writes: list[str]) -> str:
        """Return the effect that makes writes durable."""
        return f"persist({', '.join(writes)})"

    def written(self, place: Place) -> str:
        """Return the write of a place's present value."""
        return f"Write({self.write_arguments(place)})"

    def write_arguments(self, place: Place) -> str:
        """Return the variable, the keys and the present value of a place."""
        if place.variable is None:
            return '"state", (), self.state'
        texts = [self.expressions.fixed(key).text for key in place.keys]
        keys = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        value = self.expressions.entry(place.variable, place.keys)
        if isinstance(types.entry_type(place.variable.type), SetType):
            value = f"frozenset({value})"
        return f"{literal(place.variable.name)}, {keys}, {value}"

    def effect(self, statement: checked.Statement) -> str:
        """Return an effect, as an element of a list."""
        texts = self.expressions.texts
        match statement:
            case checked.Send(message=message, arguments=arguments, receiver=receiver):
                sent = f"{self.names.signature(message)}({texts(arguments)})"
                return f"Send({self.expressions.text(receiver)}, {sent})"
            case checked.Broadcast(message=message, arguments=arguments, role=role):
                sent = f"{self.names.signature(message)}({texts(arguments)})"
                return f"*broadcast(self.cluster.{self.names.nodes_of(role)}, {sent})"
            case checked.Emit(output=output, arguments=arguments):
                return f"Tell({self.names.signature(output)}({texts(arguments)}))"
            case checked.Arm(timer=timer, arguments=arguments):
                low, high = timer.delay
                return f"Arm({self.names.timer(timer)}({texts(arguments)}), {low}, {high})"
            case checked.Disarm(timer=timer, arguments=arguments):
                return f"Disarm({self.names.timer(timer)}({texts(arguments)}))"
            case _:
                raise AssertionError(f"{type(statement).__name__} is not an effect")

    # --- statements ---

    def block(
        self, statements: Statements, unpacked: list[tuple[checked.Pattern, str]] | None = None
    ) -> None:
        """Write the body of an `if` or `for`, which first unpacks what its head has matched."""
        self.lines.depth += 1
        start = len(self.lines.items)
        self.unpack_all(unpacked or [], statements)
        for statement in statements:
            self.statement(statement)
        if len(self.lines.items) == start:  # no statement, or a pick that nothing uses
            self.lines.add("pass")
        self.lines.depth -= 1

    def statement(self, statement: checked.Statement) -> None:
        """Write one statement."""
        match statement:
            case checked.Assign():
                self.assign(statement)
                self.note(statement)
            case checked.Become(state=state):
                self.lines.add(f"self.state = {self.names.state(self.expressions.role, state)}")
                self.note(statement)
            case checked.If():
                self.if_(statement)
            case checked.Let():
                self.let(statement)
            case checked.For():
                self.for_(statement)
            case checked.PickFrom():
                self.pick_from(statement)
            case checked.PickAbove():
                self.pick_above(statement)
            case checked.Require(condition=condition):
                self.require(condition)
            case checked.Assert(condition=condition):
                self.lines.add(f"assert {self.expressions.text(condition)}")
            case checked.Assume():
                pass  # the environment's business; a comment at the handler says so
            case (
                checked.Send()
                | checked.Broadcast()
                | checked.Emit()
                | checked.Arm()
                | checked.Disarm()
            ):
                effect = self.effect(statement)
                if effect.startswith("*"):
                    self.lines.add(f"effects += {effect[1:]}")
                else:
                    self.lines.add(f"effects.append({effect})")
            case _:
                assert_never(statement)

    def note(self, statement: checked.Statement) -> None:
        """Note a durable write that does not happen on every path, or not to one place."""
        place = self.durability.place(statement)
        if place is not None and not self._literal and place not in self._at_end:
            self.lines.add(f"note(writes, {self.write_arguments(place)})")

    def assign(self, statement: checked.Assign) -> None:
        """Write an assignment."""
        variable, value = statement.variable, statement.value
        if isinstance(value.type, MapType):
            raise unsupported("a whole map can't be assigned", statement.span)
        *outer, last = (None, *statement.keys)
        place = f"self.{self.names.variable(self.expressions.role, variable.name)}"
        for key in outer:
            if key is not None:
                place += f".setdefault({self.expressions.fixed(key).text}, {{}})"
        key_text = None if last is None else self.expressions.fixed(last).text
        if statement.operator == "set":
            target = place if key_text is None else f"{place}[{key_text}]"
            self.lines.add(f"{target} = {self.new_value(value)}")
            return
        if key_text is not None:
            default = self.expressions.entry_default(variable)
            place += f".setdefault({key_text}, {default})"
        method = {
            "add": "add",
            "remove": "discard",
            "union": "update",
            "difference": "difference_update",
        }[statement.operator]
        self.lines.add(f"{place}.{method}({self.expressions.text(value)})")

    def new_value(self, value: checked.Expression) -> str:
        """Return a value that a variable may keep: a set is its own, and can be changed."""
        if isinstance(value.type, SetType) and not isinstance(value, checked.SetValue):
            return f"set({self.expressions.text(value)})"
        return self.expressions.text(value)

    def let(self, statement: checked.Let) -> None:
        """Write a `let`; a set that is changed later is kept as it is now."""
        pattern, value = statement.pattern, statement.value
        if isinstance(value.type, MapType):
            raise unsupported("a whole map can't be given a name", statement.span)
        self.ask_first(value)
        match pattern:
            case checked.BindPattern(binding=binding):
                if not self.is_used(pattern):
                    return
                text = self.expressions.fixed(value).text
                if text in ("None", "frozenset()"):
                    name = self.bind(binding, binding.number)
                    self.lines.add(f"{name}: {types.fixed(value.type, self.names)} = {text}")
                else:
                    optional = isinstance(value.type, OptionType) and isinstance(
                        value, checked.SomeValue
                    )
                    form: object = binding.number if optional else "plain"
                    self.lines.add(f"{self.bind(binding, form)} = {text}")
            case _:
                self.unpack_value(pattern, value)

    def unpack_value(self, pattern: checked.Pattern, value: checked.Expression) -> None:
        """Bind the names of a pattern to the parts of any value."""
        if not self.is_used(pattern):
            return
        text = self.expressions.text(value)
        if self.target(pattern) is None and not is_simple(value):
            name = self.temporary("whole")
            self.lines.add(f"{name} = {text}")
            text = name
        self.unpack(pattern, text)

    def for_(self, statement: checked.For) -> None:
        """Write a loop, over a snapshot in an order that does not depend on hashes."""
        pattern = statement.pattern
        target = self.target(pattern)
        name = target if target is not None else self.temporary("item")
        self.ask_first(statement.domain)
        self.lines.add(f"for {name} in {self.in_order(statement.domain)}:")
        if target is None:
            self.lines.depth += 1
            self.unpack(pattern, name)
            self.lines.depth -= 1
        self.block(statement.body)

    def in_order(self, domain: checked.Expression) -> str:
        """Return the elements of a set as a list, in an order that is always the same."""
        return f"sorted({self.expressions.text(domain)}, key=repr)"

    # --- choices ---

    def pick_from(self, statement: checked.PickFrom) -> None:
        """Write the choice of the first element for which the condition holds."""
        name = self.bind(statement.binding)
        self.ask_first(statement.domain)
        if statement.condition is not None:
            self.ask_first(statement.condition)
        choices = self.temporary("choices")
        domain = self.in_order(statement.domain)
        if statement.condition is not None:
            condition = self.expressions.text(statement.condition)
            domain = f"[{name} for {name} in {domain} if {condition}]"
        self.lines.add(f"{choices} = {domain}")
        self.lines.guard(f"not {choices}")
        if self.is_used_beyond(statement):
            self.lines.add(f"{name} = {choices}[0]")

    def is_used_beyond(self, pick: checked.PickFrom) -> bool:
        """Whether code reads what is picked elsewhere than in its own condition."""
        own = () if pick.condition is None else tuple(walk(pick.condition))
        everywhere = list(locals_in(self.statements))
        inside = [node for node in own if isinstance(node, checked.Local)]
        number = pick.binding.number
        return sum(node.binding.number == number for node in everywhere) > sum(
            node.binding.number == number for node in inside
        )

    def pick_above(self, statement: checked.PickAbove) -> None:
        """Write the choice of the least value above the bounds that this node can make."""
        if statement.binding.number not in self.used:
            return
        type_ = statement.binding.type
        assert isinstance(type_, OrderedType)
        bounds = [self.expressions.code(bound) for bound in statement.bounds]
        if type_.counts:
            top = bounds[0].above(Strength.MULTIPLY)
            if len(bounds) > 1:
                top = f"max({', '.join(bound.text for bound in bounds)})"
            self.lines.add(f"{self.bind(statement.binding)} = {top} + 1")
            return
        numbers = [f"{bound.atom}.number" for bound in bounds]
        top = numbers[0] if len(numbers) == 1 else f"max({', '.join(numbers)})"
        arguments = f"{top} + 1"
        if statement.owner is not None:
            arguments += f", {self.expressions.text(statement.owner)}"
        self.lines.add(f"{self.bind(statement.binding)} = {self.names.type(type_)}({arguments})")

    # --- conditions ---

    def if_(self, statement: checked.If) -> None:
        """Write an `if` after which the path goes on."""
        depth = self.lines.depth
        for index, branch in enumerate(statement.branches):
            keyword = "elif" if index else "if"
            if index and any(asks(branch.condition)):
                self.lines.add("else:")
                self.lines.depth += 1
                keyword = "if"
            text, unpacked = self.condition(branch.condition)
            if index == 0 and self.lines.depth == 0:
                self.begin_lists()
            self.lines.add(f"{keyword} {text}:")
            self.block(branch.body, unpacked)
        if statement.otherwise:
            self.lines.add("else:")
            self.block(statement.otherwise)
        self.lines.depth = depth
