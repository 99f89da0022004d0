"""Lowering: a checked protocol becomes a model.

One handler becomes one action (`handlers`), one formula one term (`expressions`); `storage`
says where everything is kept. What is added here: the guard that a handler's event brings
with it, the action by which a node crashes, the axioms of orders and single roles, and the
initial state.

Starting and recovering. A role with a handler for `start` or `recover` has a phase. Its nodes
begin in `Fresh` if there is a start handler, which takes them to `Up`; a crash takes them to
`Down` if there is a recover handler, which takes them back to `Up`; and every other step
needs `Up`. A role with neither has no phase: a crash then is the restart as well. Where no start
(or recover) handler is enabled the event is ignored, like any other, and the node is up all the
same: that is an action too, `skip_start` (or `skip_recover`). Without it the model would have
nodes stand still that in truth go on. A node of a role that `stops` is `Down` for ever once it
has crashed; its variables stay what they were, for formulas that speak of what it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from compiler.check import checked, types
from compiler.model import system, values
from compiler.model.expressions import Scope, recorded
from compiler.model.handlers import HandlerScope
from compiler.model.layout import (
    Flat,
    RoleLayout,
    SignatureLayout,
    Stored,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredProduct,
    StoredSet,
)
from compiler.model.storage import Storage, build_storage, flat_shape
from compiler.model.substitute import bound_variables, exists_conjunction, substitute
from compiler.model.system import (
    Action,
    Axiom,
    FieldParameters,
    Model,
    SortDeclaration,
    Trigger,
    Update,
)
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
    Apply,
    Element,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    equal,
    exists,
    forall,
    implication,
    negation,
)
from compiler.model.updates import define
from compiler.model.values import (
    Columns,
    MapValue,
    Names,
    OptionValue,
    Parts,
    Scalar,
    SetValue,
    SymbolicValue,
    unflatten,
)


def lower(protocol: checked.Protocol) -> Model:
    """Return the model of a protocol.

    Raises `SpecError` for the one thing only lowering can see: a value that a loop assigns
    without determining it.
    """
    storage = build_storage(protocol, _spoken_of(protocol))
    actions: list[Action] = []
    for role in protocol.roles:
        handled = [_handler_action(storage, role, handler) for handler in role.handlers]
        actions.extend(handled)
        actions.extend(_skip_actions(storage, role, handled))
        crash = _crash_action(storage, protocol, role)
        if crash is not None:
            actions.append(crash)
    return Model(
        name=protocol.name,
        sorts=storage.sorts,
        symbols=storage.symbols,
        axioms=(
            *(axiom for sort in storage.sorts for axiom in _axioms(sort)),
            *(_one_content(s) for s in storage.symbols if s.unique and not s.mutable),
        ),
        initial=tuple(_initial(storage, protocol)),
        actions=tuple(actions),
        properties=tuple(
            system.Property(p.kind, p.name, _closed(storage, p.body), p.span)
            for p in protocol.properties
            if p.kind in ("safety", "invariant")
        ),
        quorums=tuple(_quorum(storage, quorum) for quorum in protocol.quorums),
        assumptions=tuple(
            system.Assumption(
                p.name,
                system.Boolean("true", ()) if p.assumption is None else _condition(p.assumption),
                p.span,
            )
            for p in protocol.parameters
        ),
        facts=tuple(_fact(storage, fact) for fact in protocol.facts),
        roles=storage.roles,
        ghosts=storage.ghosts,
        messages=storage.messages,
        requests=storage.requests,
        outputs=storage.outputs,
        possibilities=tuple(
            system.Possibility(
                p.name, _closed(storage, p.body), tuple(r.name for r in p.without), p.span
            )
            for p in protocol.properties
            if p.kind == "possible"
        ),
    )


def _closed(storage: Storage, body: checked.Expression) -> Term:
    return Scope(storage, Names()).formula(body)


# --- what properties speak of ----------------------------------------------------------------


def _spoken_of(protocol: checked.Protocol) -> frozenset[tuple[str, str]]:
    """Return the requests and outputs whose history some formula mentions."""
    found: set[tuple[str, str]] = set()
    for node in checked.walk(protocol):
        if isinstance(node, checked.Sent):
            match node.subject:
                case checked.Request(name=name):
                    found.add(("request", name))
                case checked.Output(name=name):
                    found.add(("output", name))
                case checked.Message():
                    pass
    return frozenset(found)


# --- actions ---------------------------------------------------------------------------------


def _handler_action(storage: Storage, role: checked.Role, handler: checked.Handler) -> Action:
    names = Names()
    node = names.fresh("self", Sort(role.type.name))
    scope = HandlerScope(storage, names, role.type.name, node)
    trigger = _trigger(scope, handler.event)
    for due in scope.guard:
        scope.conditions[due] = handler.span
    if handler.state is not None:
        present = scope.now[role.type.name, "state"]
        assert isinstance(present, Scalar)
        scope.require(equal(present.term, Element(handler.state, present.term.sort)), handler.span)
    _enter_phase(scope, handler.event)
    if handler.guard is not None:
        scope.require(scope.bound_condition(handler.guard, always=True), handler.guard.span)
    scope.run(handler.body, TRUE)
    return Action(
        name=f"{role.type.name}.{handler.name}",
        role=role.type.name,
        handler=handler.name,
        node=node,
        trigger=trigger,
        choices=tuple(scope.choices),
        contents=tuple(scope.contents),
        parameters=tuple(scope.parameters),
        guard=conjunction(scope.guard),
        updates=tuple(scope.updates()),
        assertions=tuple(scope.assertions),
        span=handler.span,
        assumption=conjunction(scope.assumptions),
        conditions=tuple(scope.conditions.items()),
        sets=conjunction(scope.sets),
    )


def _enter_phase(scope: HandlerScope, event: checked.Event) -> None:
    """Require the phase in which the event is handled, and go on to the next."""
    place = (scope.role, "phase")
    if place not in scope.now:
        return
    present = scope.now[place]
    assert isinstance(present, Scalar)
    match event:
        case checked.StartEvent():
            needed = "Fresh"
        case checked.RecoverEvent():
            needed = "Down"
        case _:
            needed = "Up"
    scope.guard.append(equal(present.term, Element(needed, present.term.sort)))
    if needed != "Up":
        scope.now[place] = Scalar(Element("Up", present.term.sort))


def _trigger(scope: HandlerScope, event: checked.Event) -> Trigger:
    """Bind the names of an event, put what it needs into the guard, and describe it."""
    match event:
        case checked.MessageEvent(message=message, patterns=patterns):
            layout = scope.storage.signature("message", message.name)
            (sender,) = scope.bind_fresh((event.sender,))
            scope.parameters.append(sender)
            fields, arguments = _bind_fields(scope, message.fields, patterns)
            node = scope.stepping
            scope.guard.append(recorded(layout, sender, node, arguments, scope.names))
            return system.Received(message.name, sender, fields)
        case checked.RequestEvent(request=request, patterns=patterns):
            layout = scope.storage.signature("request", request.name)
            fields, arguments = _bind_fields(scope, request.fields, patterns)
            scope.remember(layout, arguments)
            return system.Requested(request.name, fields)
        case checked.TimeoutEvent(timer=timer, patterns=patterns):
            fields, _ = _bind_fields(scope, timer.fields, patterns)
            return system.TimedOut(timer.name, fields)
        case checked.StartEvent():
            return system.Started()
        case checked.RecoverEvent():
            return system.Recovered()
    assert_never(event)


def _bind_fields(
    scope: HandlerScope,
    fields: tuple[checked.Field, ...],
    patterns: tuple[checked.Pattern, ...],
) -> tuple[tuple[FieldParameters, ...], list[SymbolicValue]]:
    parameters: list[FieldParameters] = []
    arguments: list[SymbolicValue] = []
    for field, pattern in zip(fields, patterns, strict=True):
        hint = pattern.binding.name if isinstance(pattern, checked.BindPattern) else field.name
        value: SymbolicValue
        if isinstance(field.type, types.OptionType):
            shape = flat_shape(field.type.content)
            present = scope.names.fresh(f"{hint}_is_some", BOOL)
            variables = scope.names.for_shape(shape, hint)
            content = unflatten(shape, variables)
            value = _received_option(shape, present, variables, content)
            scope.parameters.append(present)
            parameters.append(FieldParameters(variables, present))
        else:
            shape = flat_shape(field.type)
            variables = scope.names.for_shape(shape, hint)
            value = scope.of_columns(field.type, variables)
            parameters.append(FieldParameters(variables))
        scope.parameters.extend(variables)
        scope.bind_pattern(pattern, value)
        arguments.append(value)
    return tuple(parameters), arguments


def _received_option(
    shape: Flat, present: Var, variables: Columns, content: SymbolicValue
) -> OptionValue:
    def some(row: Columns) -> Term:
        return conjunction((present, values.all_equal(row, variables)))

    return OptionValue(shape, some, content, present)


def _crash_action(
    storage: Storage, protocol: checked.Protocol, role: checked.Role
) -> Action | None:
    """Return the action by which a node of the role loses what is volatile, if it is one."""
    if role.never_crashes:
        return None
    names = Names()
    node = names.fresh("self", Sort(role.type.name))
    scope = HandlerScope(storage, names, role.type.name, node)
    for variable in role.variables:
        if variable.kind == "volatile" and not role.stops:
            place = (role.type.name, variable.name)
            scope.now[place] = _initial_value(storage, variable)
    if role.states and not role.state_durable and not role.stops:
        assert role.initial_state is not None
        scope.now[role.type.name, "state"] = _state_value(role.type.name, role.initial_state)
    phase = (role.type.name, "phase")
    if phase in scope.now:
        present = scope.now[phase]
        assert isinstance(present, Scalar)
        scope.guard.append(equal(present.term, Element("Up", present.term.sort)))
        if role.stops or _handles(role, checked.RecoverEvent):
            scope.now[phase] = Scalar(Element("Down", present.term.sort))
    updates = tuple(scope.updates())
    if not updates:
        return None
    return Action(
        name=f"{role.type.name}.crash",
        role=role.type.name,
        handler="crash",
        node=node,
        trigger=system.Crashed(role.stops),
        choices=(),
        contents=(),
        parameters=tuple(scope.parameters),
        guard=conjunction(scope.guard),
        updates=updates,
        assertions=(),
        span=role.span,
    )


def _skip_actions(
    storage: Storage, role: checked.Role, handled: Sequence[Action]
) -> Iterator[Action]:
    """Yield the actions by which a node is up though no start or recover handler is enabled."""
    triggers: tuple[tuple[str, str, Trigger], ...] = (
        ("start", "Fresh", system.Started()),
        ("recover", "Down", system.Recovered()),
    )
    for event, phase, trigger in triggers:
        handlers = [action for action in handled if action.trigger == trigger]
        if not handlers:
            continue
        names = Names()
        node = names.fresh("self", Sort(role.type.name))
        for action in handlers:
            names.avoid(bound_variables(action.guard))
            names.avoid(v for content in action.contents for v in bound_variables(content.formula))
        scope = HandlerScope(storage, names, role.type.name, node)
        place = (role.type.name, "phase")
        present = scope.now[place]
        assert isinstance(present, Scalar)
        due = equal(present.term, Element(phase, present.term.sort))
        disabled = [_disabled(scope, action) for action in handlers]
        if negation(due) in disabled:
            continue  # a handler that takes the event whatever the state is
        scope.now[place] = Scalar(Element("Up", present.term.sort))
        yield Action(
            name=f"{role.type.name}.skip_{event}",
            role=role.type.name,
            handler=f"skip_{event}",
            node=node,
            trigger=trigger,
            choices=tuple(scope.choices),
            contents=(),
            parameters=tuple(scope.parameters),
            guard=conjunction((due, *disabled)),
            updates=tuple(scope.updates()),
            assertions=(),
            span=role.span,
        )


def _disabled(scope: HandlerScope, action: Action) -> Term:
    """Return the formula that an action is not enabled; answers become parameters."""
    fresh = {v: scope.names.fresh(v.name, v.sort) for v in action.parameters if v != action.node}
    renamed: dict[Var, Term] = {action.node: scope.stepping, **fresh}
    asked: set[Var] = set()
    for choice in action.choices:
        if choice.kind == "ask":
            variables = tuple(fresh[v] for v in choice.variables)
            scope.parameters.extend(variables)
            scope.choices.append(system.Choice("ask", choice.name, variables))
            asked.update(variables)
    conditions = [substitute(action.enabling, renamed)]
    for content in action.contents:
        formula = substitute(content.formula, renamed)
        others = {fresh[v]: scope.names.fresh(v.name, v.sort) for v in content.variables}
        some = exists(others.values(), substitute(formula, others))
        conditions.append(disjunction((formula, negation(some))))
    chosen = [v for v in fresh.values() if v not in asked]
    return negation(exists_conjunction(chosen, conditions))


def _handles(role: checked.Role, event: type[checked.StartEvent | checked.RecoverEvent]) -> bool:
    return any(isinstance(handler.event, event) for handler in role.handlers)


# --- the initial state -------------------------------------------------------------------------


def _state_value(role: str, state: str) -> Scalar:
    return Scalar(Element(state, Sort(f"{role}.state")))


def _initial_value(storage: Storage, variable: checked.Variable) -> SymbolicValue:
    stored = storage.variable(
        "" if variable.role is None else variable.role.name, variable.name
    ).stored
    if variable.initial is None:
        return _default(storage, stored)
    value = Scope(storage, Names()).value(variable.initial)
    return _everywhere(stored, value) if isinstance(stored, StoredMap) else value


def _everywhere(stored: StoredMap, value: SymbolicValue) -> SymbolicValue:
    """Return the map, or map of maps, that has `value` at every key."""
    inner = _everywhere(stored.value, value) if isinstance(stored.value, StoredMap) else value
    return MapValue(stored.key, lambda _: inner)


def _default(storage: Storage, stored: Stored) -> SymbolicValue:
    match stored:
        case StoredLeaf(symbol=symbol):
            if symbol.result == BOOL:
                return Scalar(FALSE)
            zero = storage.declaration(symbol.result.name).zero
            assert zero is not None
            return Scalar(Apply(zero, ()))
        case StoredProduct(parts=parts):
            return Parts(tuple(_default(storage, part) for part in parts))
        case StoredOption(content=content):
            return values.none_of(content)
        case StoredSet(element=element):
            return SetValue(element, lambda _: FALSE)
        case StoredMap(key=key, value=value):
            inner = _default(storage, value)
            return MapValue(key, lambda _: inner)
    assert_never(stored)


def _initial(storage: Storage, protocol: checked.Protocol) -> Iterator[Update]:
    owners: list[tuple[RoleLayout, tuple[checked.Variable, ...], checked.Role | None]] = [
        (layout, role.variables, role)
        for layout, role in zip(storage.roles, protocol.roles, strict=True)
    ]
    owners.append((storage.ghosts, protocol.ghosts, None))
    for layout, variables, role in owners:
        initial = {
            variable.name: _initial_value(storage, variable)
            for variable in variables
            if variable.kind != "const"
        }
        if role is not None and role.initial_state is not None:
            initial["state"] = _state_value(role.type.name, role.initial_state)
        if role is not None and storage.has_phase(role.type.name):
            phase = "Fresh" if _handles(role, checked.StartEvent) else "Up"
            initial["phase"] = Scalar(Element(phase, Sort("phase")))
        for stored_variable in layout.variables:
            if stored_variable.kind == "const":
                continue
            names = Names()
            formals = () if layout.sort is None else (names.fresh("n", layout.sort),)
            value = initial[stored_variable.name]
            for symbol, columns, term in define(stored_variable.stored, formals, value, names):
                yield Update(symbol, columns, term)
    signature: SignatureLayout
    for signature in (*storage.messages, *storage.requests, *storage.outputs):
        for history in signature.histories:
            names = Names()
            columns = tuple(
                names.fresh(sort.name[0].lower(), sort) for sort in history.symbol.arguments
            )
            yield Update(history.symbol, columns, FALSE)


# --- axioms and quorums --------------------------------------------------------------------------


def _axioms(declaration: SortDeclaration) -> Iterator[Axiom]:
    sort, span = declaration.sort, declaration.span
    x, y, z = Var("x", sort), Var("y", sort), Var("z", sort)
    if declaration.less is not None and declaration.zero is not None:
        less, zero = declaration.less, Apply(declaration.zero, ())

        def below(a: Term, b: Term) -> Term:
            return Apply(less, (a, b))

        laws = {
            "irreflexive": forall((x,), negation(below(x, x))),
            "transitive": forall(
                (x, y, z), implication(conjunction((below(x, y), below(y, z))), below(x, z))
            ),
            "total": forall((x, y), disjunction((below(x, y), equal(x, y), below(y, x)))),
            "zero is least": forall((x,), negation(below(x, zero))),
        }
        for law, formula in laws.items():
            yield Axiom(f"{sort}: {law}", formula, "order", span)
        if declaration.next is not None:
            # That every value has a next one is true as well, and never said: a solver that may
            # go on from each value to another never ends.
            follows = Apply(declaration.next, (x, y))
            yield Axiom(
                f"{sort}: next is above",
                forall((x, y), implication(follows, below(x, y))),
                "order",
                span,
            )
            yield Axiom(
                f"{sort}: nothing is between",
                forall(
                    (x, y, z),
                    implication(conjunction((follows, below(x, z))), negation(below(z, y))),
                ),
                "order",
                span,
            )
    if declaration.the is not None:
        formula = forall((x,), equal(x, Apply(declaration.the, ())))
        yield Axiom(f"{sort}: single", formula, "single", span)


def _one_content(symbol: Symbol) -> Axiom:
    """Return the axiom that a constant option has one content at most."""
    names = Names()
    count = len(symbol.arguments) - symbol.unique
    keys = tuple(names.fresh(sort.name[0].lower(), sort) for sort in symbol.arguments[:count])
    first, second = (
        tuple(names.fresh(sort.name[0].lower(), sort) for sort in symbol.arguments[count:])
        for _ in range(2)
    )
    both = conjunction((Apply(symbol, keys + first), Apply(symbol, keys + second)))
    formula = forall(keys + first + second, implication(both, values.all_equal(first, second)))
    return Axiom(f"{symbol}: one content", formula, "option")


def _quorum(storage: Storage, quorum: checked.Quorum) -> system.QuorumLayout:
    declaration = storage.declaration(quorum.type.name)
    assert declaration.member is not None
    return system.QuorumLayout(
        declaration.sort,
        Sort(quorum.type.role.name),
        declaration.member,
        _condition(quorum.threshold),
        quorum.span,
    )


def _fact(storage: Storage, fact: checked.Property) -> system.Fact:
    if isinstance(fact.body, checked.Survives):
        crashes = _linear(fact.body.crashes)
        return system.Fact(fact.name, None, Sort(fact.body.quorum.name), crashes, fact.span)
    return system.Fact(fact.name, _closed(storage, fact.body), span=fact.span)


def _condition(expression: checked.Expression) -> system.Condition:
    match expression:
        case checked.Compare(operator=operator, left=left, right=right):
            return system.Comparison(operator, _linear(left), _linear(right))
        case checked.Not(operand=operand):
            return system.Boolean("not", (_condition(operand),))
        case checked.Logical(operator=("and" | "or") as connective, left=left, right=right):
            return system.Boolean(connective, (_condition(left), _condition(right)))
        case checked.Logical(operator="implies", left=left, right=right):
            return system.Boolean(
                "or", (system.Boolean("not", (_condition(left),)), _condition(right))
            )
        case checked.BoolValue(value=value):
            truth = system.Boolean("true", ())
            return truth if value else system.Boolean("not", (truth,))
        case _:
            raise AssertionError("not an arithmetic condition")


def _linear(expression: checked.Expression) -> system.Linear:
    match expression:
        case checked.IntValue(value=value):
            return system.Number(value)
        case checked.IntName(kind=kind, name=name, role=role):
            return system.Quantity(kind, name if role is None else role.name)
        case checked.Arithmetic(operator=operator, left=left, right=right):
            return system.Arithmetic(operator, _linear(left), _linear(right))
        case _:
            raise AssertionError("not a linear expression")
