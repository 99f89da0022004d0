"""The whole of a spec: its declarations in the order in which they depend on each other.

Types come first, then messages and the like, variables, definitions, handlers and properties.
A message's channels are part of what it is, but are known only once all handlers are checked.
So a spec is checked twice: first to see who sends what to whom, then for good.
"""

from __future__ import annotations

from typing import Literal, cast

from compiler.check import arithmetic, checked
from compiler.check.counting import check_formula_counting
from compiler.check.declarations import Declarations, gather
from compiler.check.expressions import Expressions
from compiler.check.facts import fact
from compiler.check.failure import ERROR, broken
from compiler.check.handlers import role_handlers
from compiler.check.mode import Mode
from compiler.check.names import listing
from compiler.check.resolve import Types
from compiler.check.symbols import Symbols
from compiler.check.traffic import Traffic, handling, senders, tellers
from compiler.check.types import (
    BOOL,
    EnumType,
    MapType,
    OpaqueType,
    OrderedType,
    QuorumType,
    RecordType,
    RoleType,
    Type,
    has_default,
)
from compiler.check.unused import report_unused
from compiler.diagnostics import Code, Diagnostics, Label, Source, Span
from compiler.syntax import tree

_DEFAULT_DELAY = (150, 300)
_VariableKind = Literal["durable", "volatile", "const", "ghost"]
_PropertyKind = Literal["safety", "invariant", "fact", "possible"]


def check(
    protocol: tree.Protocol, source: Source, diagnostics: Diagnostics
) -> checked.Protocol | None:
    """Resolve the names and find the types of a spec.

    Every mistake is added to `diagnostics`; the result is None if there was one. Warnings are
    added too, and only where there is no mistake.
    """
    draft = _ProtocolCheck(protocol, source, None)
    draft.run()
    found = Diagnostics()
    final = _ProtocolCheck(
        protocol, source, None if draft.diagnostics.has_errors else draft.symbols.traffic
    )
    result = final.run()
    found = final.diagnostics
    diagnostics.items.extend(found.sorted())
    if found.has_errors:
        return None
    report_unused(result, final.declarations, diagnostics)
    return result


class _ProtocolCheck:
    """One pass over a spec; `traffic` is what the pass before saw, if it found no mistake."""

    def __init__(self, protocol: tree.Protocol, source: Source, traffic: Traffic | None) -> None:
        self.protocol = protocol
        self.source = source
        self.diagnostics = Diagnostics()
        self.declarations: Declarations = gather(protocol, self.diagnostics)
        self.symbols = Symbols(
            self.declarations,
            Types(self.declarations, self.diagnostics),
            self.diagnostics,
            traffic is not None,
            senders(self.declarations.roles()),
        )
        self.channels = Traffic() if traffic is None else traffic
        self.symbols.definition = self._definition
        self._definitions: dict[str, checked.Definition | None] = {}
        self._open: list[str] = []  # definitions whose bodies are being checked

    def run(self) -> checked.Protocol:
        """Check everything; the result means something only if no error was recorded."""
        named = self._types()
        self._signatures()
        for role in self.declarations.roles():
            self._role_parts(role)
        ghosts = self._ghosts()
        parameters = self._parameters()
        quorums = self._quorums()
        for declaration in self.declarations.names.values():
            if isinstance(declaration, tree.DefinitionDeclaration):
                self._definition(declaration, declaration.name.span)
        roles = tuple(self._role(role) for role in self.declarations.roles())
        properties = [self._property(p) for p in self.declarations.properties.values()]
        definitions = tuple(
            found
            for name in self.declarations.names
            if (found := self._definitions.get(name)) is not None
        )
        return checked.Protocol(
            name=self.protocol.name.text,
            doc=self.protocol.doc,
            source=self.source,
            enums=tuple(t for t in named if isinstance(t, EnumType)),
            opaques=tuple(t for t in named if isinstance(t, OpaqueType)),
            ordereds=tuple(t for t in named if isinstance(t, OrderedType)),
            records=tuple(t for t in named if isinstance(t, RecordType)),
            messages=tuple(self.symbols.messages.values()),
            requests=tuple(self.symbols.requests.values()),
            outputs=tuple(self.symbols.outputs.values()),
            questions=tuple(self.symbols.questions.values()),
            parameters=parameters,
            quorums=quorums,
            facts=tuple(p for p in properties if p.kind == "fact"),
            definitions=definitions,
            ghosts=ghosts,
            roles=roles,
            properties=tuple(p for p in properties if p.kind != "fact"),
            docs=self._docs(),
            span=self.protocol.span,
        )

    # --- types and signatures ---

    def _types(self) -> list[Type]:
        return [
            self.symbols.types.named(declaration.name)
            for name, declaration in self.declarations.names.items()
            if self.symbols.types.is_type(name)
        ]

    def _docs(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, declaration.doc)
            for name, declaration in self.declarations.names.items()
            if declaration.doc is not None
            and isinstance(
                declaration,
                tree.EnumDeclaration
                | tree.OpaqueDeclaration
                | tree.OrderedDeclaration
                | tree.CounterDeclaration
                | tree.RecordDeclaration,
            )
        )

    def _role_types(self, names: list[str]) -> tuple[RoleType, ...]:
        return tuple(RoleType(name, self.declarations.names[name].span) for name in names)

    def _signatures(self) -> None:
        symbols = self.symbols
        roles = self.declarations.roles()
        requesters, telling = handling(roles, "request"), tellers(roles)
        for d in self.declarations.signatures("message"):
            fields = symbols.types.fields(d.fields, "a message", compound=True)
            name = d.name.text
            symbols.messages[name] = checked.Message(
                name, fields, self.channels.channels(name), d.doc, d.span
            )
        for d in self.declarations.signatures("request"):
            fields = symbols.types.fields(d.fields, "a request", compound=True)
            name = d.name.text
            handled_by = self._role_types(requesters.get(name, []))
            symbols.requests[name] = checked.Request(name, fields, handled_by, d.doc, d.span)
        for d in self.declarations.signatures("output"):
            fields = symbols.types.fields(d.fields, "an output", compound=True)
            name = d.name.text
            made_by = self._role_types(telling.get(name, []))
            symbols.outputs[name] = checked.Output(name, fields, made_by, d.doc, d.span)
        for d in self.declarations.signatures("ask"):
            fields = symbols.types.fields(d.fields, "a question", compound=False)
            result: Type = ERROR
            if d.result is not None:
                result = symbols.types.flat(d.result, "an answer", option=False, quorum=False)
            name = d.name.text
            symbols.questions[name] = checked.Question(name, fields, result, d.doc, d.span)

    # --- variables, timers, states ---

    def _role_parts(self, role: tree.RoleDeclaration) -> None:
        name = role.name.text
        type_ = RoleType(name, role.span)
        if role.never_crashes and role.stops:
            self.diagnostics.error(
                Code.NEVER_CRASHES,
                f"{name} can't both never crash and stop when it crashes",
                role.name.span,
                "remove `never crashes`, or `stops`",
            )
        timers: dict[str, checked.Timer] = {}
        for timer in role.timers:
            fields = self.symbols.types.fields(timer.fields, "a timer", compound=False)
            delay = timer.delay or _DEFAULT_DELAY
            if not 0 <= delay[0] <= delay[1]:
                self.diagnostics.error(
                    Code.BAD_DELAY,
                    f"`after {delay[0]} to {delay[1]}` is not a range of delays",
                    timer.span,
                    "both are milliseconds, and the second is not the smaller",
                )
            timers.setdefault(
                timer.name.text,
                checked.Timer(timer.name.text, type_, fields, delay, timer.doc, timer.span),
            )
        self.symbols.timers[name] = timers
        states: dict[str, checked.State] = {}
        for state in role.states:
            states.setdefault(
                state.name.text, checked.State(state.name.text, state.doc, state.span)
            )
        self.symbols.states[name] = states
        variables: dict[str, checked.Variable] = {}
        for declaration in role.variables:
            variables.setdefault(declaration.name.text, self._variable(declaration, type_))
        self.symbols.variables[name] = variables

    def _variable(
        self, declaration: tree.VariableDeclaration, role: RoleType | None
    ) -> checked.Variable:
        type_ = self.symbols.types.variable(declaration)
        initial: checked.Expression | None = None
        if declaration.kind == "const" and declaration.initial is not None:
            self.diagnostics.error(
                Code.BAD_INITIAL_VALUE,
                f"`{declaration.name.text}` is constant: its value is given when a node is made",
                declaration.initial.span,
                "leave the value out, or declare the variable without `const`",
            )
        elif declaration.initial is not None:
            value_type = type_
            while isinstance(value_type, MapType):  # the value of every key
                value_type = value_type.value
            place = Expressions(self.symbols, self.symbols.scope(None), Mode.INITIAL, role)
            initial = place.check(declaration.initial, value_type)
            check_formula_counting(initial, self.diagnostics)
        elif declaration.kind != "const" and not broken(type_) and not has_default(type_):
            of_each = " of every key" if isinstance(type_, MapType) else ""
            self.diagnostics.error(
                Code.NO_DEFAULT_VALUE,
                f"`{declaration.name.text}` needs an initial value: {type_} has no default",
                declaration.span,
                f"write `{declaration.name.text}: {type_} = …` with the value{of_each}",
            )
        return checked.Variable(
            role,
            declaration.name.text,
            type_,
            cast("_VariableKind", declaration.kind),
            initial,
            declaration.doc,
            declaration.span,
        )

    def _ghosts(self) -> tuple[checked.Variable, ...]:
        for declaration in self.declarations.names.values():
            if isinstance(declaration, tree.VariableDeclaration):
                variable = self._variable(declaration, None)
                self.symbols.ghosts[variable.name] = variable
        return tuple(self.symbols.ghosts.values())

    # --- numbers ---

    def _parameters(self) -> tuple[checked.ProtocolParameter, ...]:
        return tuple(
            checked.ProtocolParameter(
                d.name.text,
                None if d.assumption is None else arithmetic.assumption(self.symbols, d.assumption),
                d.doc,
                d.span,
            )
            for d in self.declarations.names.values()
            if isinstance(d, tree.ParameterDeclaration)
        )

    def _quorums(self) -> tuple[checked.Quorum, ...]:
        found = []
        for d in self.declarations.names.values():
            if isinstance(d, tree.QuorumDeclaration):
                type_ = self.symbols.types.named(d.name)
                if isinstance(type_, QuorumType):
                    threshold = arithmetic.threshold(self.symbols, d, type_.role)
                    found.append(checked.Quorum(type_, threshold, d.doc, d.span))
        return tuple(found)

    # --- formulas ---

    def _definition(
        self, declaration: tree.DefinitionDeclaration, use: Span
    ) -> checked.Definition | None:
        """Return a definition, checked when it is first asked for."""
        name = declaration.name.text
        if name in self._open:
            circle = [*self._open[self._open.index(name) :], name]
            self.diagnostics.error(
                Code.CIRCULAR_DEFINITION,
                f"`{name}` is defined by itself",
                use,
                " uses ".join(f"`{n}`" for n in circle) if len(circle) > 2 else None,
                (Label(declaration.name.span, "defined here"),),
            )
            return None
        if name in self._definitions:
            return self._definitions[name]
        self._open.append(name)
        scope = self.symbols.scope(None)
        parameters = tuple(
            scope.bind(
                p.name,
                self.symbols.types.resolve(p.type, "the values a definition takes"),
                self.diagnostics,
            )
            for p in declaration.parameters
        )
        body = Expressions(self.symbols, scope, Mode.FORMULA, None).check(declaration.body, BOOL)
        check_formula_counting(body, self.diagnostics)
        self._open.pop()
        found = checked.Definition(name, parameters, body, declaration.doc, declaration.span)
        self._definitions[name] = found
        return found

    def _property(self, declaration: tree.PropertyDeclaration) -> checked.Property:
        if declaration.kind == "fact":
            body = fact(self.symbols, declaration.body)
        else:
            scope = self.symbols.scope(None)
            body = Expressions(self.symbols, scope, Mode.FORMULA, None).check(
                declaration.body, BOOL
            )
            check_formula_counting(body, self.diagnostics)
        return checked.Property(
            cast("_PropertyKind", declaration.kind),
            declaration.name.text,
            body,
            declaration.doc,
            declaration.span,
            tuple(
                role
                for name in declaration.without
                if isinstance(role := self.symbols.types.role(name), RoleType)
            ),
        )

    # --- roles ---

    def _role(self, role: tree.RoleDeclaration) -> checked.Role:
        name = role.name.text
        type_ = RoleType(name, role.span)
        return checked.Role(
            type=type_,
            single=role.single,
            never_crashes=role.never_crashes,
            variables=tuple(self.symbols.variables[name].values()),
            timers=tuple(self.symbols.timers[name].values()),
            states=tuple(self.symbols.states[name].values()),
            initial_state=self._initial_state(role),
            state_durable=role.durable_state is not None,
            handlers=role_handlers(self.symbols, role, type_),
            doc=role.doc,
            span=role.span,
            stops=role.stops,
        )

    def _initial_state(self, role: tree.RoleDeclaration) -> str | None:
        """Return the initial state; report it if there is not exactly one."""
        initial = [state for state in role.states if state.initial]
        if role.durable_state is not None and not role.states:
            self.diagnostics.error(
                Code.BAD_STATE_DECLARATION,
                f"{role.name.text} declares no states that could be durable",
                role.durable_state,
                "a variable is made durable where it is declared: `durable x: T`",
            )
        if role.states and not initial:
            self.diagnostics.error(
                Code.BAD_STATE_DECLARATION,
                f"no state of {role.name.text} is the initial one",
                role.states[0].name.span,
                f"write `state {role.states[0].name.text} (initial)`",
            )
        for second in initial[1:]:
            self.diagnostics.error(
                Code.BAD_STATE_DECLARATION,
                f"{role.name.text} has a second initial state",
                second.name.span,
                f"only one of {listing(state.name.text for state in initial)} can be initial",
                (Label(initial[0].name.span, "the first is here"),),
            )
        return initial[0].name.text if initial else None
