"""Statements: one function a kind, from the syntax tree to the checked one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from compiler.check import checked, picks
from compiler.check.expressions import Expressions
from compiler.check.failure import ERROR, agree, broken, failure
from compiler.check.names import suggest
from compiler.check.places import Place, place_of
from compiler.check.symbols import Symbols
from compiler.check.types import BOOL, MapType, RoleType, SetType, Type
from compiler.diagnostics import Code, Label, Span
from compiler.syntax import tree

_Operator = Literal["set", "add", "remove", "union", "difference"]


@dataclass(frozen=True, slots=True)
class Statements:
    """Checks the statements of one handler of `role`.

    `sender` is the node that a reply goes to; None where the event is not a message.
    """

    symbols: Symbols
    role: RoleType
    code: Expressions
    sender: checked.Binding | None

    def block(self, body: tuple[tree.Statement, ...]) -> tuple[checked.Statement, ...]:
        """Return a block's statements; the names it binds are forgotten at its end."""
        with self.code.scope.nested():
            found = [self.statement(statement) for statement in body]
        return tuple(statement for statement in found if statement is not None)

    def statement(self, node: tree.Statement) -> checked.Statement | None:
        """Return a statement, or None where a mistake leaves nothing of it."""
        match node:
            case tree.Assign():
                return self._assign(node)
            case tree.If():
                return self._if(node)
            case tree.Let():
                return self._let(node)
            case tree.For():
                return self._for(node)
            case tree.Send():
                return self._send(node)
            case tree.Reply():
                return self._reply(node)
            case tree.Broadcast():
                return self._broadcast(node)
            case tree.Become(state=name):
                state = self.symbols.state(self.role, name)
                return None if state is None else checked.Become(state, node.span)
            case tree.OutputStatement(output=message):
                output = self.symbols.output(message.name)
                if output is None:
                    return self._nothing(message.arguments)
                return checked.Emit(
                    output, self._arguments(message, output.fields, output.span), node.span
                )
            case tree.Pick():
                return picks.pick(self.code, node)
            case tree.Arm(timer=message) | tree.Disarm(timer=message):
                timer = self.symbols.timer(self.role, message.name)
                if timer is None:
                    return self._nothing(message.arguments)
                arguments = self._arguments(message, timer.fields, timer.span)
                if isinstance(node, tree.Arm):
                    return checked.Arm(timer, arguments, node.span)
                return checked.Disarm(timer, arguments, node.span)
            case tree.Require(condition=condition):
                return checked.Require(self.code.asking(True).condition(condition), node.span)
            case tree.Assert():
                return self._assert(node)
            case tree.Assume(condition=condition):
                return checked.Assume(self.code.as_formula().check(condition, BOOL), node.span)
            case _:
                assert_never(node)

    # --- assignments ---

    def _assign(self, node: tree.Assign) -> checked.Statement | None:
        place = place_of(self.code, node.target)
        if place is None:
            self.code.infer(node.value, ERROR)
            return None
        values = self.code.as_formula() if place.variable.kind == "ghost" else self.code
        if node.operator == ":=":
            if isinstance(place.type, MapType):
                self.symbols.diagnostics.error(
                    Code.NOT_ASSIGNABLE,
                    "a map is assigned entry by entry, not as a whole",
                    node.target.span,
                    "write `m[k] := …`, in a `for` over a set of keys if there are several",
                )
                values.infer(node.value, ERROR)
                return None
            value = values.check(node.value, place.type)
            return checked.Assign(place.variable, place.keys, "set", value, node.span)
        return self._update(node, place, values)

    def _update(
        self, node: tree.Assign, place: Place, values: Expressions
    ) -> checked.Statement | None:
        """Return `s += e` or `s -= e`, where `e` is an element or a set."""
        if not isinstance(place.type, SetType):
            values.infer(node.value, ERROR)
            if not broken(place.type):
                self.symbols.diagnostics.error(
                    Code.NOT_A_SET,
                    f"`{node.operator}` changes a set, and this is of type {place.type}",
                    node.target.span,
                    "write `:=` to give it a new value",
                )
            return None
        operators: tuple[_Operator, _Operator] = (
            ("add", "union") if node.operator == "+=" else ("remove", "difference")
        )
        if isinstance(node.value, tree.SetExpression | tree.Comprehension):
            value = values.check(node.value, place.type)
            return checked.Assign(place.variable, place.keys, operators[1], value, node.span)
        value = values.infer(node.value, place.type.element)
        if value.type == place.type:
            return checked.Assign(place.variable, place.keys, operators[1], value, node.span)
        if not agree(value.type, place.type.element):
            values.mismatch(node.value, value, place.type.element)
            return None
        return checked.Assign(place.variable, place.keys, operators[0], value, node.span)

    # --- control ---

    def _if(self, node: tree.If) -> checked.Statement:
        branches = []
        for branch in node.branches:
            with self.code.scope.nested():
                condition = self.code.asking(True).condition(branch.condition)
                branches.append(checked.Branch(condition, self.block(branch.body), branch.span))
        return checked.If(tuple(branches), self.block(node.otherwise or ()), node.span)

    def _let(self, node: tree.Let) -> checked.Statement:
        value = self.code.asking(True).infer(node.value)
        type_ = value.type
        if isinstance(type_, MapType):
            self.symbols.diagnostics.error(
                Code.UNSUPPORTED_TYPE,
                "a whole map can't be given a name",
                node.value.span,
                "name the entry that is needed: `let x = m[k]`",
            )
            type_ = ERROR
        return checked.Let(self.code.pattern(node.pattern, type_), value, node.span)

    def _for(self, node: tree.For) -> checked.Statement:
        domain = self.code.infer(node.domain)
        element: Type = ERROR
        if isinstance(domain.type, SetType):
            element = domain.type.element
        elif not broken(domain.type):
            self.symbols.diagnostics.error(
                Code.NOT_A_SET,
                f"`for` goes through a set, and this is of type {domain.type}",
                node.domain.span,
            )
        with self.code.scope.nested():
            pattern = self.code.pattern(node.pattern, element)
            return checked.For(pattern, domain, self.block(node.body), node.span)

    def _assert(self, node: tree.Assert) -> checked.Statement:
        """Return an assertion: as code if it can be code, else as a formula."""
        mark = len(self.symbols.diagnostics.items)
        condition = self.code.check(node.condition, BOOL)
        if len(self.symbols.diagnostics.items) == mark:
            return checked.Assert(condition, True, node.span)
        del self.symbols.diagnostics.items[mark:]
        condition = self.code.as_formula().check(node.condition, BOOL)
        return checked.Assert(condition, False, node.span)

    # --- messages ---

    def _nothing(self, arguments: tuple[tree.Expression, ...]) -> checked.Statement | None:
        """Report the mistakes in arguments of something unknown."""
        for argument in arguments:
            self.code.infer(argument, ERROR)
        return None

    def _arguments(
        self, message: tree.Message, fields: tuple[checked.Field, ...], declared: Span
    ) -> tuple[checked.Expression, ...]:
        return self.code.arguments(
            message.name.text,
            tuple((f.name, f.type) for f in fields),
            message.arguments,
            message.span,
            declared,
        )

    def _send(self, node: tree.Send) -> checked.Statement | None:
        receiver = self.code.infer(node.receiver)
        if not isinstance(receiver.type, RoleType) and not broken(receiver.type):
            receiver = self.code.error(
                Code.TYPE_MISMATCH,
                f"a message is sent to a node, and this is of type {receiver.type}",
                node.receiver.span,
                "to send to every node of a set, use `for n in s:`"
                if isinstance(receiver.type, SetType)
                else None,
            )
        return self._sending(node.message, receiver, node.span)

    def _reply(self, node: tree.Reply) -> checked.Statement | None:
        if self.sender is None:
            self.symbols.diagnostics.error(
                Code.NO_REPLY,
                "there is nobody to reply to: the event is not a message",
                node.span,
                "answer a client with `output …`, a node with `send … to n`",
            )
            self._sending(node.message, failure(node.span), node.span)
            return None
        return self._sending(node.message, checked.Local(self.sender, node.span), node.span)

    def _sending(
        self, message: tree.Message, receiver: checked.Expression, span: Span
    ) -> checked.Statement | None:
        found = self.symbols.message(message.name)
        if found is None:
            return self._nothing(message.arguments)
        if isinstance(receiver.type, RoleType):
            self.symbols.traffic.record(found.name, self.role, receiver.type, broadcast=False)
        arguments = self._arguments(message, found.fields, found.span)
        return checked.Send(found, arguments, receiver, span)

    def _broadcast(self, node: tree.Broadcast) -> checked.Statement | None:
        role = self._receiving_role(node)
        found = self.symbols.message(node.message.name)
        if found is None:
            return self._nothing(node.message.arguments)
        arguments = self._arguments(node.message, found.fields, found.span)
        if role is None:
            return None
        self.symbols.traffic.record(found.name, self.role, role, broadcast=True)
        return checked.Broadcast(found, arguments, role, node.span)

    def _receiving_role(self, node: tree.Broadcast) -> RoleType | None:
        name = node.role
        declaration = self.symbols.declarations.names.get(name.text)
        if self.code.scope.find(name.text) is None and not isinstance(
            declaration, tree.QuorumDeclaration
        ):
            return self.symbols.types.role(name)
        labels = () if declaration is None else (Label(declaration.name.span, "declared here"),)
        known = [role.name.text for role in self.symbols.declarations.roles()]
        self.symbols.diagnostics.error(
            Code.UNKNOWN_ROLE,
            f"`broadcast` goes to all nodes of a role, and `{name.text}` is not a role",
            name.span,
            suggest(name.text, known) or "to send to one node, write `send … to n`",
            labels,
        )
        return None
