"""Lowering of expressions: a checked expression becomes a symbolic value.

The same code serves handlers and formulas. What differs is the `Scope`: in a handler it knows
the node that steps and the values of its variables so far, and a condition may bind names;
in a formula every variable is read from the state as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from compiler.check import checked, types
from compiler.model import values
from compiler.model.layout import Flat, Leaf, SignatureLayout
from compiler.model.storage import Storage, flat_shape, set_member
from compiler.model.substitute import exists_conjunction
from compiler.model.term import (
    FALSE,
    Apply,
    Element,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
    conjunction,
    disjunction,
    equal,
    equivalence,
    exists,
    forall,
    implication,
    negation,
)
from compiler.model.values import (
    Columns,
    MapValue,
    Names,
    OptionValue,
    Parts,
    Scalar,
    SetValue,
    SymbolicValue,
    flatten,
    unflatten,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row that a history gets: those of which `row` holds."""

    symbol: Symbol
    row: Callable[[Columns], Term]


class Scope:
    """What an expression can see.

    `locals` are the values of bindings by their numbers. `node` is the node that steps, in a
    handler. `own` gives the present values of its variables (and of the protocol's ghosts)
    by role ("" for the ghosts) and name; what it does not have is read from the state.
    `before` are the same variables before the step, so that what was written is known, and
    `records` the rows that the step has added to histories so far: a formula in a handler sees
    them also where it does not know that a node is the one that steps.
    """

    def __init__(
        self,
        storage: Storage,
        names: Names,
        node: Term | None = None,
        own: Mapping[tuple[str, str], SymbolicValue] | None = None,
        before: Mapping[tuple[str, str], SymbolicValue] | None = None,
    ) -> None:
        self.storage = storage
        self.names = names
        self.node = node
        self.own: Mapping[tuple[str, str], SymbolicValue] = {} if own is None else own
        self.before: Mapping[tuple[str, str], SymbolicValue] = {} if before is None else before
        self.records: list[Recorded] = []
        self.locals: dict[int, SymbolicValue] = {}

    # --- terms ---------------------------------------------------------------------------

    def formula(self, expression: checked.Expression) -> Term:
        """Lower an expression of type `bool`."""
        value = self.value(expression)
        assert isinstance(value, Scalar)
        return value.term

    def term(self, expression: checked.Expression) -> Term:
        """Lower an expression of a type with a single column."""
        value = self.value(expression)
        assert isinstance(value, Scalar)
        return value.term

    def columns(self, expression: checked.Expression) -> Columns:
        """Lower an expression of a flat type."""
        return flatten(self.value(expression))

    def value(self, expression: checked.Expression) -> SymbolicValue:
        """Lower any expression but a condition that binds and a question."""
        match expression:
            case checked.Local(binding=binding):
                return self.locals[binding.number]
            case checked.SelfNode():
                assert self.node is not None
                return Scalar(self.node)
            case checked.SingleNode(type=role):
                the = self.storage.declaration(role.name).the
                assert the is not None
                return Scalar(Apply(the, ()))
            case checked.Read():
                return self._read(expression)
            case checked.BoolValue(value=value):
                return Scalar(Truth(value))
            case checked.EnumValue(type=enum, member=member):
                return Scalar(Element(member, Sort(enum.name)))
            case checked.Zero(type=ordered):
                return Scalar(self._zero(ordered.name))
            case checked.NoneValue(type=option):
                return values.none_of(flat_shape(option.content))
            case checked.SomeValue(type=option, content=content):
                return values.some_of(flat_shape(option.content), self.value(content))
            case checked.TupleValue(parts=parts) | checked.RecordValue(parts=parts):
                return Parts(tuple(self.value(part) for part in parts))
            case checked.SetValue(type=set_type, elements=elements):
                shape = flat_shape(set_type.element)
                return values.set_of(shape, [self.value(element) for element in elements])
            case checked.Comprehension():
                return self._comprehension(expression)
            case checked.FieldOf(subject=subject, index=index):
                whole = self.value(subject)
                assert isinstance(whole, Parts)
                return whole.parts[index]
            case checked.OwnerOf(subject=subject):
                owner = self.storage.declaration(str(subject.type)).owner
                assert owner is not None
                return Scalar(Apply(owner, (self.term(subject),)))
            case checked.Neighbour():
                return Scalar(self.neighbour(expression))
            case checked.Lookup(map=mapping, key=key):
                table = self.value(mapping)
                assert isinstance(table, MapValue)
                return table.at(self.columns(key))
            case checked.AskValue():
                return self.ask(expression)
            case _:
                return Scalar(self._condition(expression))

    def _condition(self, expression: checked.Expression) -> Term:
        match expression:
            case checked.Not(operand=operand):
                return negation(self.formula(operand))
            case checked.Logical(operator=operator, left=left, right=right):
                a, b = self.formula(left), self.formula(right)
                match operator:
                    case "and":
                        return conjunction((a, b))
                    case "or":
                        return disjunction((a, b))
                    case "implies":
                        return implication(a, b)
                    case "iff":
                        return equivalence(a, b)
            case checked.Compare():
                return self._compare(expression)
            case checked.Member(element=element, set=container):
                return self.contains(container, self.columns(element))
            case checked.Includes(set=container, quorum=quorum):
                return self._includes(container, quorum)
            case checked.InState(node=node, state=state):
                return self._in_state(node, state)
            case checked.IsDown(node=node):
                return self._is_down(node)
            case checked.IsSome(subject=subject):
                option = self.value(subject)
                assert isinstance(option, OptionValue)
                return values.is_present(option, self.names)
            case checked.Quantified(kind=kind, bindings=bindings, body=body):
                variables = self.bind_fresh(bindings)
                inner = self.formula(body)
                return forall(variables, inner) if kind == "forall" else exists(variables, inner)
            case checked.QuantifiedIn(kind=kind, binding=binding, domain=domain, body=body):
                variables = self.bind_fresh((binding,))
                member = self.contains(domain, variables)
                inner = self.formula(body)
                if kind == "forall":
                    return forall(variables, implication(member, inner))
                return exists(variables, conjunction((member, inner)))
            case checked.Sent():
                return self._sent(expression)
            case checked.CallDefinition(definition=definition, arguments=arguments):
                # An argument may call the same definition: bind none before all are known.
                given = [self.value(argument) for argument in arguments]
                for parameter, value in zip(definition.parameters, given, strict=True):
                    self.locals[parameter.number] = value
                return self.formula(definition.body)
            case _:
                raise AssertionError(f"not a condition: {type(expression).__name__}")

    # --- parts ---------------------------------------------------------------------------

    def ask(self, expression: checked.AskValue) -> SymbolicValue:
        """Return the application's answer; only handlers ask."""
        raise AssertionError("a question in a formula")

    def neighbour(self, expression: checked.Neighbour) -> Term:
        """Return the next or previous value; only handlers compute it."""
        raise AssertionError("a neighbour in a formula that is no relation")

    def snapshot(self) -> Scope:
        """Return a scope that goes on seeing what this one sees now."""
        scope = Scope(self.storage, self.names, self.node, dict(self.own), self.before)
        scope.records = list(self.records)
        scope.locals = dict(self.locals)
        return scope

    def bind_fresh(self, bindings: Sequence[checked.Binding]) -> tuple[Var, ...]:
        """Bind names to new variables, and return these."""
        made: list[Var] = []
        for binding in bindings:
            shape = flat_shape(binding.type)
            columns = self.names.for_shape(shape, binding.name)
            self.locals[binding.number] = self.of_columns(binding.type, columns)
            made.extend(columns)
        return tuple(made)

    def of_columns(self, type_: types.Type, columns: Columns) -> SymbolicValue:
        """Return the value of a flat type, or the set, that the columns stand for."""
        if isinstance(type_, types.SetType):
            (term,) = columns
            return values.element_set(flat_shape(type_.element), set_member(type_), term)
        return unflatten(flat_shape(type_), columns)

    def bind_pattern(self, pattern: checked.Pattern, value: SymbolicValue) -> None:
        """Bind the names of a pattern to the parts of a value."""
        match pattern:
            case checked.BindPattern(binding=binding):
                self.locals[binding.number] = value
            case checked.IgnorePattern():
                pass
            case checked.TuplePattern(parts=parts):
                assert isinstance(value, Parts)
                for part, inner in zip(parts, value.parts, strict=True):
                    self.bind_pattern(part, inner)
            case _:
                assert_never(pattern)

    def contains(self, container: checked.Expression, row: Columns) -> Term:
        """Return the formula that a row is in a set or quorum."""
        if isinstance(container.type, types.QuorumType):
            member = self.storage.declaration(container.type.name).member
            assert member is not None
            return Apply(member, (*row, self.term(container)))
        value = self.value(container)
        assert isinstance(value, SetValue)
        return value.contains(row)

    def _read(self, expression: checked.Read) -> SymbolicValue:
        variable = expression.variable
        role = "" if variable.role is None else variable.role.name
        prefix: Columns = () if expression.node is None else (self.term(expression.node),)
        return self._variable(role, variable.name, prefix)

    def _variable(self, role: str, name: str, prefix: Columns) -> SymbolicValue:
        """Return a variable of the protocol or of the node `prefix`, as it is now."""
        own = self.own.get((role, name))
        if own is not None and all(node == self.node for node in prefix):
            return own
        stored = values.read(self.storage.variable(role, name).stored, prefix)
        if own is None or own is self.before.get((role, name)):
            return stored
        assert self.node is not None
        (node,) = prefix  # it may be the one that steps
        return values.choose(equal(node, self.node), own, stored)

    def _in_state(self, node: checked.Expression, state: str) -> Term:
        assert isinstance(node.type, types.RoleType)
        role, place = node.type.name, self.term(node)
        present = self._variable(role, "state", (place,))
        assert isinstance(present, Scalar)
        return equal(present.term, Element(state, present.term.sort))

    def _is_down(self, node: checked.Expression) -> Term:
        assert isinstance(node.type, types.RoleType)
        stored = self.storage.variable(node.type.name, "phase").stored
        present = values.read(stored, (self.term(node),))
        assert isinstance(present, Scalar)
        return equal(present.term, Element("Down", present.term.sort))

    def _zero(self, ordered: str) -> Term:
        zero = self.storage.declaration(ordered).zero
        assert zero is not None
        return Apply(zero, ())

    def _less(self, left: Term, right: Term) -> Term:
        less = self.storage.declaration(left.sort.name).less
        assert less is not None
        return FALSE if left == right else Apply(less, (left, right))

    def _same(self, left: checked.Expression, right: checked.Expression) -> Term:
        match left, right:
            case (checked.Neighbour() as of, other) | (other, checked.Neighbour() as of):
                return self.is_neighbour(of, self.term(of.subject), self.term(other))
            case _:
                return values.values_equal(self.value(left), self.value(right), self.names)

    def is_neighbour(self, of: checked.Neighbour, subject: Term, other: Term) -> Term:
        """Return the formula that `other` is the next (or previous) value of `subject`."""
        following = self.storage.declaration(of.type.name).next
        assert following is not None
        if of.direction == "next":
            return Apply(following, (subject, other))
        zero = self._zero(of.type.name)
        none_before = conjunction((equal(subject, zero), equal(other, zero)))
        return disjunction((Apply(following, (other, subject)), none_before))

    def _compare(self, expression: checked.Compare) -> Term:
        match expression.operator:
            case "=" | "!=":
                same = self._same(expression.left, expression.right)
                return same if expression.operator == "=" else negation(same)
            case operator:
                left, right = self.term(expression.left), self.term(expression.right)
                match operator:
                    case "<":
                        return self._less(left, right)
                    case ">":
                        return self._less(right, left)
                    case "<=":  # in a total order
                        return negation(self._less(right, left))
                    case ">=":
                        return negation(self._less(left, right))

    def _includes(self, container: checked.Expression, quorum: types.QuorumType) -> Term:
        member = self.storage.declaration(quorum.name).member
        assert member is not None
        value = self.value(container)
        assert isinstance(value, SetValue)
        chosen = self.names.fresh("q", Sort(quorum.name))
        node = self.names.fresh("m", member.arguments[0])
        return exists(
            (chosen,),
            forall((node,), implication(Apply(member, (node, chosen)), value.contains((node,)))),
        )

    def _comprehension(self, expression: checked.Comprehension) -> SetValue:
        shape = flat_shape(expression.type.element)
        scope = self.snapshot()  # the predicate is asked later, when variables have changed

        def contains(row: Columns) -> Term:
            variables = scope.bind_fresh(expression.bindings)
            equations = [equal(v, column) for v, column in zip(variables, row, strict=True)]
            return exists_conjunction(variables, [*equations, scope.formula(expression.condition)])

        return SetValue(shape, contains)

    def _sent(self, expression: checked.Sent) -> Term:
        match expression.subject:
            case checked.Message(name=name):
                layout = self.storage.signature("message", name)
            case checked.Request(name=name):
                layout = self.storage.signature("request", name)
            case checked.Output(name=name):
                layout = self.storage.signature("output", name)
            case _:
                assert_never(expression.subject)
        fields = [None if a is None else self.value(a) for a in expression.arguments]
        sender = None if expression.sender is None else self.term(expression.sender)
        receiver = None if expression.receiver is None else self.term(expression.receiver)
        return recorded(layout, sender, receiver, fields, self.names, self.records)


def recorded(
    layout: SignatureLayout,
    sender: Term | None,
    receiver: Term | None,
    fields: Sequence[SymbolicValue | None],
    names: Names,
    records: Sequence[Recorded] = (),
) -> Term:
    """Return the formula that such a message (request, output) is recorded; None is any.

    `records` are rows that are not in the state yet.
    """
    found: list[Term] = []
    for history in layout.histories:
        if sender is not None and sender.sort != history.sender:
            continue
        if receiver is not None and receiver.sort not in (history.receiver, history.broadcast_to):
            continue
        free: list[Var] = []

        def any_of(shape: Flat, hint: str, free: list[Var] = free) -> Columns:
            made = names.for_shape(shape, hint)
            free.extend(made)
            return made

        columns: list[Term] = []
        columns.extend((sender,) if sender is not None else any_of(Leaf(history.sender), "from"))
        if history.receiver is not None:
            columns.extend(
                (receiver,) if receiver is not None else any_of(Leaf(history.receiver), "to")
            )
        conjuncts: list[Term] = []
        present = iter(history.present)
        for field, value in zip(layout.fields, fields, strict=True):
            if field.member is not None and isinstance(value, SetValue) and value.term is None:
                (term,) = any_of(field.shape, field.name)
                conjuncts.append(values.is_set(field.member, term, value, names))
                columns.append(term)
            elif isinstance(value, SetValue):
                assert value.term is not None
                columns.append(value.term)
            elif not field.optional:
                columns.extend(any_of(field.shape, field.name) if value is None else flatten(value))
            elif next(present):
                if isinstance(value, OptionValue) and value.content is not None:
                    row = flatten(value.content)
                    conjuncts.append(values.is_present(value, names))
                else:
                    row = any_of(field.shape, field.name)
                    if value is not None:
                        assert isinstance(value, OptionValue)
                        conjuncts.append(value.some(row))
                columns.extend(row)
            elif value is not None:
                assert isinstance(value, OptionValue)
                conjuncts.append(negation(values.is_present(value, names)))
        row = tuple(columns)
        added = [record.row(row) for record in records if record.symbol == history.symbol]
        conjuncts.append(disjunction((Apply(history.symbol, row), *added)))
        found.append(exists_conjunction(free, conjuncts))
    return disjunction(found)
