# ruff: noqa: D102  (a method of the builder is documented by its rule in grammar.lark)
"""From Lark's parse tree to the syntax tree: one method a rule of the grammar.

Lark calls the method named like the rule (or its alias) with what the rule's parts became.
Mistakes were reported before; a `mistake` leaves nothing in the tree.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from compiler.diagnostics import Source, Span
from compiler.syntax import tree

Node = TypeVar("Node")
Body: TypeAlias = tuple[str | None, tuple[tree.Statement, ...]]


class Mistaken:
    """Stands for what could not be understood."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of a role's header, by the name of its rule."""

    kind: str


@dataclass(frozen=True, slots=True)
class Else:
    """The last arm of an `if`."""

    body: tuple[tree.Statement, ...]


def span_at(place: Meta | Token, source: Source) -> Span:
    """Return the place of a token or of what a rule of the grammar covers."""
    return Span(
        source, place.line or 1, place.column or 1, place.end_line or 1, place.end_column or 1
    )


def clean_documentation(text: str) -> str:
    """Return a documentation string without the indentation it has in the source.

    The first line stands behind the quotes and has no indentation of its own; the others lose
    what they have in common. White space at line ends and empty lines around the text go too.
    """
    first, _, rest = text.expandtabs().partition("\n")
    lines = [first.strip(), *textwrap.dedent(rest).split("\n")]
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _present(parts: Sequence[Node | None]) -> tuple[Node, ...]:
    """Return the parts that are there: Lark gives None for an optional one that is not."""
    return tuple(part for part in parts if part is not None)


def _known(parts: Sequence[Node | Mistaken | None]) -> tuple[Node, ...]:
    """Return the parts that are there and were understood."""
    return tuple(part for part in parts if part is not None and not isinstance(part, Mistaken))


def _wildcards(arguments: Sequence[tree.Expression]) -> tuple[tree.Expression | None, ...]:
    return tuple(
        None if isinstance(a, tree.NameExpression) and a.name.text == "_" else a for a in arguments
    )


@v_args(meta=True, inline=True)
class Builder(Transformer_NonRecursive[Token, tree.Protocol | None]):
    """Builds the tree of one source."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def _span(self, place: Meta | Token) -> Span:
        return span_at(place, self.source)

    # --- declarations --------------------------------------------------------------------

    def start(
        self,
        meta: Meta,
        protocol: tuple[tree.Name, str | None] | Mistaken,
        *declarations: tree.Declaration | Mistaken,
    ) -> tree.Protocol | None:
        if isinstance(protocol, Mistaken):
            return None
        name, doc = protocol
        return tree.Protocol(name, doc, _known(declarations), self._span(meta))

    def protocol(
        self, meta: Meta, name: tree.Name | Token, doc: str | None = None
    ) -> tuple[tree.Name, str | None] | Mistaken:
        return Mistaken() if isinstance(name, Token) else (name, doc)

    def opaque(self, meta: Meta, name: tree.Name, doc: str | None) -> tree.OpaqueDeclaration:
        return tree.OpaqueDeclaration(name, doc, self._span(meta))

    def ordered(
        self, meta: Meta, name: tree.Name, owner: tree.Name | None, doc: str | None
    ) -> tree.OrderedDeclaration:
        return tree.OrderedDeclaration(name, owner, doc, self._span(meta))

    def counter(self, meta: Meta, name: tree.Name, doc: str | None) -> tree.CounterDeclaration:
        return tree.CounterDeclaration(name, doc, self._span(meta))

    def enum(
        self, meta: Meta, name: tree.Name, *parts: tree.Name | str | None
    ) -> tree.EnumDeclaration:
        members = tuple(part for part in parts if isinstance(part, tree.Name))
        doc = next((part for part in parts if isinstance(part, str)), None)
        return tree.EnumDeclaration(name, members, doc, self._span(meta))

    def record(
        self, meta: Meta, name: tree.Name, fields: tuple[tree.Parameter, ...], doc: str | None
    ) -> tree.RecordDeclaration:
        return tree.RecordDeclaration(name, fields, doc, self._span(meta))

    def signature(
        self,
        meta: Meta,
        kind: Token,
        name: tree.Name,
        fields: tuple[tree.Parameter, ...] | None,
        doc: str | None,
    ) -> tree.SignatureDeclaration:
        return tree.SignatureDeclaration(str(kind), name, fields or (), None, doc, self._span(meta))

    def question(
        self,
        meta: Meta,
        name: tree.Name,
        fields: tuple[tree.Parameter, ...] | None,
        result: tree.TypeExpression,
        doc: str | None,
    ) -> tree.SignatureDeclaration:
        return tree.SignatureDeclaration("ask", name, fields or (), result, doc, self._span(meta))

    def bound(
        self, meta: Meta, name: tree.Name, *parts: tree.Expression | str | None
    ) -> tree.ParameterDeclaration:
        doc = next((part for part in parts if isinstance(part, str)), None)
        assumption = next((p for p in parts if p is not None and not isinstance(p, str)), None)
        return tree.ParameterDeclaration(name, assumption, doc, self._span(meta))

    def quorum(
        self,
        meta: Meta,
        name: tree.Name,
        role: tree.Name,
        above: str | None,
        threshold: tree.Expression,
        below: str | None,
    ) -> tree.QuorumDeclaration:
        return tree.QuorumDeclaration(name, role, threshold, above or below, self._span(meta))

    def definition(
        self,
        meta: Meta,
        name: tree.Name,
        parameters: tuple[tree.Parameter, ...] | None,
        above: str | None,
        body: tree.Expression,
        below: str | None,
    ) -> tree.DefinitionDeclaration:
        return tree.DefinitionDeclaration(
            name, parameters or (), body, above or below, self._span(meta)
        )

    def property_declaration(
        self,
        meta: Meta,
        kind: Token,
        name: tree.Name,
        above: str | None,
        body: tree.Expression,
        below: str | None,
    ) -> tree.PropertyDeclaration:
        return tree.PropertyDeclaration(str(kind), name, body, above or below, self._span(meta))

    def possibility(
        self,
        meta: Meta,
        kind: Token,
        name: tree.Name,
        *parts: tree.Name | tree.Expression | str | None,
    ) -> tree.PropertyDeclaration:
        without = tuple(part for part in parts if isinstance(part, tree.Name))
        doc = next((part for part in parts if isinstance(part, str)), None)
        (body,) = (p for p in parts if p is not None and not isinstance(p, str | tree.Name))
        return tree.PropertyDeclaration(str(kind), name, body, doc, self._span(meta), without)

    def global_ghost(
        self,
        meta: Meta,
        kind: Token,
        name: tree.Name,
        type: tree.TypeExpression,
        initial: tree.Expression | None,
        doc: str | None,
    ) -> tree.VariableDeclaration:
        return tree.VariableDeclaration(str(kind), name, type, initial, doc, self._span(meta))

    def fields(self, meta: Meta, *fields: tree.Parameter | None) -> tuple[tree.Parameter, ...]:
        return _present(fields)

    def parameter(self, meta: Meta, name: tree.Name, type: tree.TypeExpression) -> tree.Parameter:
        return tree.Parameter(name, type, self._span(meta))

    def mistake(self, meta: Meta, *parts: object) -> Mistaken:
        return Mistaken()

    # --- roles ---------------------------------------------------------------------------

    def role(self, meta: Meta, name: tree.Name, *parts: object) -> tree.RoleDeclaration:
        states: list[tree.StateDeclaration] = []
        variables: list[tree.VariableDeclaration] = []
        timers: list[tree.TimerDeclaration] = []
        handlers: list[tree.Handler] = []
        clauses: set[str] = set()
        doc: str | None = None
        durable_state: Span | None = None
        for part in parts:
            match part:
                case tree.StateDeclaration():
                    states.append(part)
                case tree.VariableDeclaration():
                    variables.append(part)
                case tree.TimerDeclaration():
                    timers.append(part)
                case tree.Handler():
                    handlers.append(part)
                case Span():
                    durable_state = durable_state or part
                case Clause():
                    clauses.add(part.kind)
                case str():
                    doc = part
                case _:  # a documentation string that is not there, or a mistake
                    pass
        return tree.RoleDeclaration(
            name,
            "single" in clauses,
            "never_crashes" in clauses,
            durable_state,
            tuple(variables),
            tuple(timers),
            tuple(states),
            tuple(handlers),
            doc,
            self._span(meta),
            "stops" in clauses,
        )

    def single(self, meta: Meta) -> Clause:
        return Clause("single")

    def never_crashes(self, meta: Meta) -> Clause:
        return Clause("never_crashes")

    def stops(self, meta: Meta) -> Clause:
        return Clause("stops")

    def variable(
        self,
        meta: Meta,
        kind: Token | None,
        name: tree.Name,
        type: tree.TypeExpression,
        initial: tree.Expression | None,
        doc: str | None,
    ) -> tree.VariableDeclaration:
        return tree.VariableDeclaration(
            str(kind) if kind else "volatile", name, type, initial, doc, self._span(meta)
        )

    def timer(
        self,
        meta: Meta,
        name: tree.Name,
        fields: tuple[tree.Parameter, ...] | None,
        low: Token | None,
        high: Token | None,
        doc: str | None,
    ) -> tree.TimerDeclaration:
        delay = (int(low), int(high)) if low is not None and high is not None else None
        return tree.TimerDeclaration(name, fields or (), delay, doc, self._span(meta))

    def durable_state(self, meta: Meta) -> Span:
        return self._span(meta)

    def state(
        self,
        meta: Meta,
        name: tree.Name,
        initial: Token | None,
        doc: str | None,
        *handlers: tree.Handler | Mistaken | None,
    ) -> tree.StateDeclaration:
        return tree.StateDeclaration(
            name, initial is not None, _known(handlers), doc, self._span(meta)
        )

    def handler(
        self, meta: Meta, event: tree.Event, guard: tree.Expression | None, block: Body
    ) -> tree.Handler:
        doc, body = block
        return tree.Handler(event, guard, body, doc, self._span(meta))

    def on_message(
        self,
        meta: Meta,
        name: tree.Name,
        patterns: tuple[tree.Pattern, ...] | None,
        sender: tree.Name | None,
        role: tree.Name | None,
    ) -> tree.Event:
        return tree.Event("message", name, patterns or (), sender, role, self._span(meta))

    def on_request(
        self, meta: Meta, name: tree.Name, patterns: tuple[tree.Pattern, ...] | None
    ) -> tree.Event:
        return tree.Event("request", name, patterns or (), None, None, self._span(meta))

    def on_timeout(
        self, meta: Meta, name: tree.Name, patterns: tuple[tree.Pattern, ...] | None
    ) -> tree.Event:
        return tree.Event("timeout", name, patterns or (), None, None, self._span(meta))

    def on_start(self, meta: Meta, word: Token) -> tree.Event:
        return tree.Event("start", None, (), None, None, self._span(meta))

    def on_recover(self, meta: Meta, word: Token) -> tree.Event:
        return tree.Event("recover", None, (), None, None, self._span(meta))

    def patterns(self, meta: Meta, *patterns: tree.Pattern | None) -> tuple[tree.Pattern, ...]:
        return _present(patterns)

    def name_pattern(self, meta: Meta, name: tree.Name) -> tree.NamePattern:
        return tree.NamePattern(name, name.span)

    def tuple_pattern(self, meta: Meta, *parts: tree.Pattern) -> tree.TuplePattern:
        return tree.TuplePattern(parts, self._span(meta))

    # --- statements ----------------------------------------------------------------------

    def block(self, meta: Meta, *parts: tree.Statement | Mistaken | str | None) -> Body:
        doc = next((part for part in parts if isinstance(part, str)), None)
        statements = tuple(
            part for part in parts if part is not None and not isinstance(part, str | Mistaken)
        )
        return doc, statements

    def assign(
        self, meta: Meta, target: tree.Expression, operator: Token, value: tree.Expression
    ) -> tree.Assign:
        return tree.Assign(target, str(operator), value, self._span(meta))

    def let(self, meta: Meta, pattern: tree.Pattern, value: tree.Expression) -> tree.Let:
        return tree.Let(pattern, value, self._span(meta))

    def send(self, meta: Meta, message: tree.Message, receiver: tree.Expression) -> tree.Send:
        return tree.Send(message, receiver, self._span(meta))

    def reply(self, meta: Meta, message: tree.Message) -> tree.Reply:
        return tree.Reply(message, self._span(meta))

    def broadcast(self, meta: Meta, message: tree.Message, role: tree.Name) -> tree.Broadcast:
        return tree.Broadcast(message, role, self._span(meta))

    def become(self, meta: Meta, state: tree.Name) -> tree.Become:
        return tree.Become(state, self._span(meta))

    def output_statement(self, meta: Meta, output: tree.Message) -> tree.OutputStatement:
        return tree.OutputStatement(output, self._span(meta))

    def pick(
        self,
        meta: Meta,
        name: tree.Name,
        domain: tree.Expression,
        condition: tree.Expression | None,
    ) -> tree.Pick:
        return tree.Pick(name, domain, condition, self._span(meta))

    def arm(self, meta: Meta, timer: tree.Message) -> tree.Arm:
        return tree.Arm(timer, self._span(meta))

    def disarm(self, meta: Meta, timer: tree.Message) -> tree.Disarm:
        return tree.Disarm(timer, self._span(meta))

    def require(self, meta: Meta, condition: tree.Expression) -> tree.Require:
        return tree.Require(condition, self._span(meta))

    def assert_statement(self, meta: Meta, condition: tree.Expression) -> tree.Assert:
        return tree.Assert(condition, self._span(meta))

    def assume(self, meta: Meta, condition: tree.Expression) -> tree.Assume:
        return tree.Assume(condition, self._span(meta))

    def if_statement(
        self,
        meta: Meta,
        *arms: tree.Branch | Else | Mistaken,
    ) -> tree.If | Mistaken:
        branches = tuple(arm for arm in arms if isinstance(arm, tree.Branch))
        otherwise = next((arm.body for arm in arms if isinstance(arm, Else)), None)
        if not branches:
            return Mistaken()
        return tree.If(branches, otherwise, self._span(meta))

    def if_arm(
        self, meta: Meta, condition: tree.Expression | Token, block: Body
    ) -> tree.Branch | Mistaken:
        if isinstance(condition, Token):
            return Mistaken()
        return tree.Branch(condition, block[1], self._span(meta))

    elif_arm = if_arm

    def else_arm(self, meta: Meta, *parts: Token | Body) -> Else | Mistaken:
        block = parts[-1]
        if len(parts) > 1 or isinstance(block, Token):
            return Mistaken()
        return Else(block[1])

    def for_statement(
        self, meta: Meta, pattern: tree.Pattern, domain: tree.Expression, block: Body
    ) -> tree.For:
        return tree.For(pattern, domain, block[1], self._span(meta))

    def call_or_name(
        self, meta: Meta, name: tree.Name, arguments: tuple[tree.Expression, ...] | None
    ) -> tree.Message:
        return tree.Message(name, arguments or (), self._span(meta))

    def arguments(
        self, meta: Meta, *arguments: tree.Expression | None
    ) -> tuple[tree.Expression, ...]:
        return _present(arguments)

    # --- expressions ---------------------------------------------------------------------

    def binary(
        self, meta: Meta, left: tree.Expression, operator: Token, right: tree.Expression
    ) -> tree.BinaryExpression:
        return tree.BinaryExpression(
            str(operator), left, right, self._span(operator), self._span(meta)
        )

    def not_in(
        self,
        meta: Meta,
        left: tree.Expression,
        negation: Token,
        member: Token,
        right: tree.Expression,
    ) -> tree.BinaryExpression:
        operator_span = self._span(negation).to(self._span(member))
        return tree.BinaryExpression("not in", left, right, operator_span, self._span(meta))

    def unary(self, meta: Meta, operator: Token, operand: tree.Expression) -> tree.UnaryExpression:
        return tree.UnaryExpression(str(operator), operand, self._span(meta))

    def quantifier(self, meta: Meta, kind: Token, *parts: object) -> tree.Quantifier:
        binders = tuple(p for p in parts if isinstance(p, tree.Binder | tree.SetBinder))
        body: tree.Expression = parts[-1]  # type: ignore[assignment]  # the grammar's order
        return tree.Quantifier(str(kind), binders, body, self._span(meta))

    def typed_binder(self, meta: Meta, *parts: tree.Name | tree.TypeExpression) -> tree.Binder:
        names = tuple(part for part in parts if isinstance(part, tree.Name))
        type_: tree.TypeExpression = parts[-1]  # type: ignore[assignment]  # the grammar's order
        return tree.Binder(names, type_, self._span(meta))

    def set_binder(self, meta: Meta, name: tree.Name, domain: tree.Expression) -> tree.SetBinder:
        return tree.SetBinder(name, domain, self._span(meta))

    def is_expression(
        self,
        meta: Meta,
        subject: tree.Expression,
        pattern: tree.SomePattern | tree.NonePattern | tree.StateName,
    ) -> tree.IsExpression:
        return tree.IsExpression(subject, pattern, self._span(meta))

    def some_pattern(self, meta: Meta, content: tree.Pattern | None) -> tree.SomePattern:
        return tree.SomePattern(content, self._span(meta))

    def none_pattern(self, meta: Meta) -> tree.NonePattern:
        return tree.NonePattern(self._span(meta))

    def state_name(self, meta: Meta, name: tree.Name) -> tree.StateName:
        return tree.StateName(name, self._span(meta))

    def survives(
        self, meta: Meta, quorum: tree.Name, crashes: tree.Expression
    ) -> tree.SurvivesExpression:
        return tree.SurvivesExpression(quorum, crashes, self._span(meta))

    def some(self, meta: Meta, content: tree.Expression) -> tree.SomeExpression:
        return tree.SomeExpression(content, self._span(meta))

    def field(self, meta: Meta, subject: tree.Expression, field: tree.Name) -> tree.FieldExpression:
        return tree.FieldExpression(subject, field, self._span(meta))

    def index(
        self, meta: Meta, subject: tree.Expression, *indices: tree.Expression
    ) -> tree.IndexExpression:
        return tree.IndexExpression(subject, indices, self._span(meta))

    def name_expression(self, meta: Meta, name: tree.Name) -> tree.NameExpression:
        return tree.NameExpression(name, name.span)

    def call(
        self, meta: Meta, function: tree.Name, arguments: tuple[tree.Expression, ...]
    ) -> tree.CallExpression:
        return tree.CallExpression(function, arguments, self._span(meta))

    def total(self, meta: Meta, word: Token, role: tree.Name) -> tree.CallExpression:
        function = tree.Name(str(word), self._span(word))
        argument = tree.NameExpression(role, role.span)
        return tree.CallExpression(function, (argument,), self._span(meta))

    def true(self, meta: Meta, word: Token) -> tree.BoolLiteral:
        return tree.BoolLiteral(True, self._span(meta))

    def false(self, meta: Meta, word: Token) -> tree.BoolLiteral:
        return tree.BoolLiteral(False, self._span(meta))

    def none(self, meta: Meta, word: Token) -> tree.NoneLiteral:
        return tree.NoneLiteral(self._span(meta))

    def integer(self, meta: Meta, digits: Token) -> tree.IntLiteral:
        return tree.IntLiteral(int(digits), self._span(meta))

    def tuple_expression(self, meta: Meta, *parts: tree.Expression) -> tree.TupleExpression:
        return tree.TupleExpression(parts, self._span(meta))

    def set_expression(self, meta: Meta, *elements: tree.Expression | None) -> tree.SetExpression:
        return tree.SetExpression(_present(elements), self._span(meta))

    def comprehension(self, meta: Meta, *parts: object) -> tree.Comprehension:
        binders = _present([p if isinstance(p, tree.Binder) else None for p in parts])
        condition: tree.Expression = parts[-1]  # type: ignore[assignment]  # the grammar's order
        return tree.Comprehension(binders, condition, self._span(meta))

    def ask(self, meta: Meta, question: tree.Message) -> tree.AskExpression:
        return tree.AskExpression(question.name, question.arguments, self._span(meta))

    def sent(
        self,
        meta: Meta,
        message: tree.Message,
        sender: tree.Expression | None,
        receiver: tree.Expression | None,
    ) -> tree.SentExpression:
        arguments = _wildcards(message.arguments)
        return tree.SentExpression(
            "sent", message.name, arguments, sender, receiver, self._span(meta)
        )

    def happened(
        self, meta: Meta, kind: Token, event: tree.Message, node: tree.Expression | None
    ) -> tree.SentExpression:
        arguments = _wildcards(event.arguments)
        return tree.SentExpression(str(kind), event.name, arguments, node, None, self._span(meta))

    # --- types ---------------------------------------------------------------------------

    def named_type(self, meta: Meta, name: tree.Name) -> tree.NamedType:
        return tree.NamedType(name, name.span)

    def option_type(self, meta: Meta, content: tree.TypeExpression) -> tree.OptionType:
        return tree.OptionType(content, self._span(meta))

    def set_type(self, meta: Meta, element: tree.TypeExpression) -> tree.SetType:
        return tree.SetType(element, self._span(meta))

    def map_type(
        self, meta: Meta, key: tree.TypeExpression, value: tree.TypeExpression
    ) -> tree.MapType:
        return tree.MapType(key, value, self._span(meta))

    def tuple_type(self, meta: Meta, *parts: tree.TypeExpression) -> tree.TupleType:
        return tree.TupleType(parts, self._span(meta))

    # --- words ---------------------------------------------------------------------------

    def name(self, meta: Meta, token: Token) -> tree.Name:
        return tree.Name(str(token), self._span(token))

    def doc(self, meta: Meta, token: Token) -> str:
        return clean_documentation(str(token)[3:-3])
