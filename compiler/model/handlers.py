"""Lowering of handlers: a handler becomes one action.

The body is run symbolically. `own` holds the value of each of the node's variables so far, as
a function of the state before the step; an `if` runs both branches and merges them by
if-then-else; what is sent is collected as predicates over the columns of the histories. At the
end, each variable that has changed and each history that was sent to is one update.

Questions, picks and the contents of options that a condition matches become parameters of the
action. That is exact: in each state their values are free (questions), constrained by the
guard (picks), or determined (contents). So do the values `i.next` and `i.previous`, of which the
guard says what they are. Where that is needed in a branch only, they are like contents: elsewhere
they do not matter.

The rounds of a `for` happen at once. Its body is run once for a symbolic element, into a list
of primitive effects; each is then applied for all elements together. The checker has seen to
it that no round reads what another writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from compiler.check import checked
from compiler.diagnostics import Span
from compiler.model import values
from compiler.model.assignments import Assigned, Loop, Place, assign
from compiler.model.expressions import Recorded, Scope
from compiler.model.layout import (
    FieldLayout,
    SignatureLayout,
    VariableLayout,
    leaves,
)
from compiler.model.storage import Storage, flat_shape
from compiler.model.substitute import exists_conjunction
from compiler.model.system import Assertion, Choice, Content, Update
from compiler.model.term import (
    TRUE,
    And,
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
    free_variables,
    implication,
    negation,
)
from compiler.model.updates import define, merge
from compiler.model.values import (
    Columns,
    Names,
    OptionValue,
    Scalar,
    SetValue,
    SymbolicValue,
    flatten,
    unflatten,
)


class HandlerScope(Scope):
    """Runs one handler."""

    def __init__(self, storage: Storage, names: Names, role: str, node: Var) -> None:
        before: dict[Place, SymbolicValue] = {}
        for layout in (*storage.roles, storage.ghosts):
            if layout.name in (role, ""):
                prefix: Columns = () if layout.sort is None else (node,)
                for variable in layout.variables:
                    place = (layout.name, variable.name)
                    before[place] = values.read(variable.stored, prefix)
        self.now: dict[Place, SymbolicValue] = dict(before)
        super().__init__(storage, names, node, self.now, before)
        self.role = role
        self.stepping = node
        self.parameters: list[Var] = [node]
        self.guard: list[Term] = []
        self.conditions: dict[Term, Span] = {}  # conjuncts of the guard, and their places
        self.choices: list[Choice] = []
        self.contents: list[Content] = []
        self.assertions: list[Assertion] = []
        self.assumptions: list[Term] = []
        self.sets: list[Term] = []
        self.answers: dict[str, SymbolicValue] = {}
        self._path: Term = TRUE  # under which what is being lowered is evaluated
        self._loop_variables: frozenset[Var] = frozenset()  # those in scope
        self._in_round: list[tuple[Var, str, Term]] = []  # neighbours that differ by round
        self._in_rounds: dict[tuple[str, Term], Var] = {}
        self._round_condition: Term = TRUE
        self._neighbours: dict[tuple[str, Term], tuple[Var, Term, list[frozenset[Term]]]] = {}

    # --- conditions ------------------------------------------------------------------------

    def require(self, condition: Term, span: Span) -> None:
        """Add to the guard what stands at `span`, unless a part of it has a place already."""
        self.guard.append(condition)
        for part in condition.operands if isinstance(condition, And) else (condition,):
            self.conditions.setdefault(part, span)

    def ask(self, expression: checked.AskValue) -> SymbolicValue:
        """Return the answer, a new parameter the first time."""
        name = expression.question.name
        if name not in self.answers:
            shape = flat_shape(expression.type)
            variables = self.names.for_shape(shape, name)
            self.parameters.extend(variables)
            self.choices.append(Choice("ask", name, variables))
            self.answers[name] = unflatten(shape, variables)
        return self.answers[name]

    def neighbour(self, expression: checked.Neighbour) -> Term:
        """Return a parameter for the next or previous value, or a variable of the loop.

        The same subterm has one parameter. The guard says what it is under the path on which it
        is needed.
        """
        subject = self.term(expression.subject)
        hint, sort = expression.direction, subject.sort
        key = (hint, subject)
        if free_variables(subject) & self._loop_variables:
            found = self._in_rounds.get(key)
            if found is None or found not in self._loop_variables:
                found = self.names.fresh(hint, sort)
                holds = self.is_neighbour(expression, subject, found)
                self._in_rounds[key] = found
                self._in_round.append((found, hint, holds))
                self._loop_variables |= {found}
            return found
        if key not in self._neighbours:
            variable = self.names.fresh(hint, sort)
            holds = self.is_neighbour(expression, subject, variable)
            self._neighbours[key] = variable, holds, []
            self.parameters.append(variable)
            if self._path != TRUE:
                self.contents.append(Content((variable,), holds))
        variable, holds, paths = self._neighbours[key]
        path = _conjuncts(self._path)
        if not any(other <= path for other in paths):
            paths.append(path)
            self.guard.append(implication(self._path, holds))
        return variable

    def _with_neighbours(self, loop: Loop) -> tuple[Loop, Term]:
        """Return the loop with variables for the neighbours just used in it, and what these are.

        In a finite carrier a round may need a next value that is not there: then the step is
        not possible.
        """
        known: list[Term] = []
        for variable, direction, holds in self._in_round:
            if direction == "next":
                round_ = conjunction((self._path, loop.condition, self._round_condition, *known))
                there = exists((variable,), holds)
                self.guard.append(forall(loop.variables, implication(round_, there)))
            loop = Loop((*loop.variables, variable), loop.condition)
            known.append(holds)
        self._in_round.clear()
        self._loop_variables |= set(loop.variables)
        return loop, conjunction(known)

    def _widened(self, loop: Loop) -> Loop:
        loop, holds = self._with_neighbours(loop)
        return Loop(loop.variables, conjunction((loop.condition, holds)))

    def bound_condition(self, condition: checked.Expression, always: bool) -> Term:
        """Lower a condition whose conjuncts may match options and so bind names.

        `always`: the step depends on the condition as a whole (it is part of the guard), so
        the names are plain parameters. Else they are contents: parameters which, where the
        option is none, do not matter.
        """
        match condition:
            case checked.Logical(operator="and", left=left, right=right):
                first = self.bound_condition(left, always)
                outer = self._path
                if not always:
                    self._path = conjunction((outer, first))
                second = self.bound_condition(right, always)
                self._path = outer
                if always:
                    for part, side in ((first, left), (second, right)):
                        for term in part.operands if isinstance(part, And) else (part,):
                            self.conditions.setdefault(term, side.span)
                return conjunction((first, second))
            case checked.Match(subject=subject, pattern=pattern):
                option = self.value(subject)
                assert isinstance(option, OptionValue)
                if option.content is not None:
                    self.bind_pattern(pattern, option.content)
                    return values.is_present(option, self.names)
                variables = self._pattern_variables(pattern, option)
                self.parameters.extend(variables)
                holds = option.some(variables)
                if not always:
                    self.contents.append(Content(variables, holds))
                return holds
            case _:
                return self.formula(condition)

    def _pattern_variables(self, pattern: checked.Pattern, option: OptionValue) -> tuple[Var, ...]:
        hint = pattern.binding.name if isinstance(pattern, checked.BindPattern) else None
        variables = (
            tuple(self._named(pattern))
            if isinstance(pattern, checked.TuplePattern)
            else self.names.for_shape(option.shape, hint)
        )
        self.bind_pattern(pattern, unflatten(option.shape, variables))
        return variables

    def _named(self, pattern: checked.Pattern) -> Iterator[Var]:
        match pattern:
            case checked.BindPattern(binding=binding):
                yield from self.names.for_shape(flat_shape(binding.type), binding.name)
            case checked.IgnorePattern(type=type_):
                yield from self.names.for_shape(flat_shape(type_))
            case checked.TuplePattern(parts=parts):
                for part in parts:
                    yield from self._named(part)

    # --- statements ------------------------------------------------------------------------

    def run(self, body: Sequence[checked.Statement], path: Term) -> None:
        """Run statements; `path` is the condition, over the state before, under which."""
        for statement in body:
            self._statement(statement, path)

    def _statement(self, statement: checked.Statement, path: Term) -> None:
        self._path = path
        match statement:
            case checked.Assign():
                self._apply(self._assigned(statement, TRUE, Loop()))
            case checked.If(branches=branches, otherwise=otherwise):
                self._branch(branches, otherwise, path)
            case checked.Let(pattern=pattern, value=value):
                self.bind_pattern(pattern, self.value(value))
            case checked.For():
                effects: list[Assigned | Recorded] = []
                self._round(statement, Loop(), TRUE, path, effects)
                for effect in effects:
                    if isinstance(effect, Recorded):
                        self.records.append(effect)
                    else:
                        self._apply(effect)
            case checked.Send() | checked.Broadcast() | checked.Emit():
                self.records.extend(self._recorded(statement, path, Loop()))
            case checked.Become(state=state):
                place = (self.role, "state")
                present = self.now[place]
                assert isinstance(present, Scalar)
                self.now[place] = Scalar(Element(state, present.term.sort))
            case checked.PickFrom(binding=binding, domain=domain, condition=condition):
                variables = self._pick(binding)
                there = implication(path, self.contains(domain, variables))
                self.require(there, statement.span)
                if condition is not None:
                    self.require(implication(path, self.formula(condition)), condition.span)
            case checked.PickAbove(binding=binding, bounds=bounds, owner=node):
                (variable,) = self._pick(binding)
                for bound in bounds:
                    above = self._less(self.term(bound), variable)
                    self.require(implication(path, above), statement.span)
                owner = self.storage.declaration(variable.sort.name).owner
                if owner is not None and node is not None:
                    belongs = equal(Apply(owner, (variable,)), self.term(node))
                    self.require(implication(path, belongs), statement.span)
            case checked.Arm() | checked.Disarm():
                pass  # in the model a timer may fire at any time
            case checked.Require(condition=condition):
                holds = self.bound_condition(condition, always=path == TRUE)
                self.require(implication(path, holds), condition.span)
            case checked.Assume(condition=condition):
                assumed = implication(path, self.formula(condition))
                self.require(assumed, condition.span)
                self.assumptions.append(assumed)
            case checked.Assert(condition=condition, span=span):
                self.assertions.append(
                    Assertion(
                        f"assert at line {span.line}",
                        implication(path, self.formula(condition)),
                        span,
                    )
                )
            case _:
                assert_never(statement)

    def _pick(self, binding: checked.Binding) -> tuple[Var, ...]:
        variables = self.bind_fresh((binding,))
        self.parameters.extend(variables)
        self.choices.append(Choice("pick", binding.name, variables))
        return variables

    def _branch(
        self,
        branches: Sequence[checked.Branch],
        otherwise: Sequence[checked.Statement],
        path: Term,
    ) -> None:
        if not branches:
            self.run(otherwise, path)
            return
        self._path = path
        condition = self.bound_condition(branches[0].condition, always=False)
        start = dict(self.now)
        self.run(branches[0].body, conjunction((path, condition)))
        taken = dict(self.now)
        self.now.update(start)
        self._branch(branches[1:], otherwise, conjunction((path, negation(condition))))
        for place, value in taken.items():
            self.now[place] = values.choose(condition, value, self.now[place])

    # --- what is sent ------------------------------------------------------------------------

    def _recorded(
        self,
        statement: checked.Send | checked.Broadcast | checked.Emit,
        path: Term,
        loop: Loop,
    ) -> Iterator[Recorded]:
        arguments = [self.value(argument) for argument in statement.arguments]
        receiver: Term | None = None
        match statement:
            case checked.Send(message=message, receiver=node):
                layout = self.storage.signature("message", message.name)
                receiver = self.term(node)
                target: Sort | None = receiver.sort
            case checked.Broadcast(message=message, role=role):
                layout = self.storage.signature("message", message.name)
                target = Sort(role.name)
            case checked.Emit(output=output):
                layout = self.storage.signature("output", output.name)
                target = None
        loop = self._widened(loop)
        yield from self.record(layout, target, receiver, arguments, path, loop)

    def record(
        self,
        layout: SignatureLayout,
        target: Sort | None,
        receiver: Term | None,
        arguments: Sequence[SymbolicValue],
        path: Term,
        loop: Loop,
    ) -> Iterator[Recorded]:
        """Yield the rows that the histories of a message, request or output get."""
        for history in layout.histories:
            if history.sender != self.stepping.sort:
                continue
            if target not in (history.receiver, history.broadcast_to):
                continue
            head: list[Term | None] = [self.stepping]
            if history.receiver is not None:
                head.append(receiver)  # None, of a broadcast: every node
            present = iter(history.present)
            conditions = [loop.condition, path]
            tests: list[tuple[int, int, Callable[[Columns], Term]]] = []
            columns: list[Term | None] = list(head)
            for field, value in zip(layout.fields, arguments, strict=True):
                if field.member is not None:
                    assert isinstance(value, SetValue)
                    if value.term is None:
                        tests.append((len(columns), 1, self._sent_set(field, value, path, loop)))
                    columns.append(value.term)
                    continue
                if not field.optional:
                    columns.extend(flatten(value))
                    continue
                assert isinstance(value, OptionValue)
                if next(present):
                    width = len(leaves(field.shape))
                    tests.append((len(columns), width, value.some))
                    columns.extend([None] * width)
                else:
                    conditions.append(negation(values.is_present(value, self.names)))

            def row(
                given: Columns,
                columns: list[Term | None] = columns,
                tests: list[tuple[int, int, Callable[[Columns], Term]]] = tests,
                conditions: list[Term] = conditions,
            ) -> Term:
                equations = [
                    equal(column, wanted)
                    for column, wanted in zip(given, columns, strict=True)
                    if wanted is not None
                ]
                contents = [some(given[at : at + width]) for at, width, some in tests]
                return exists_conjunction(loop.variables, [*equations, *conditions, *contents])

            yield Recorded(history.symbol, row)

    def _sent_set(
        self, field: FieldLayout, value: SetValue, path: Term, loop: Loop
    ) -> Callable[[Columns], Term]:
        """Return the formula that a column is the set `value`, and require that there is one."""
        member = field.member
        assert member is not None

        def same(row: Columns) -> Term:
            return values.is_set(member, row[0], value, self.names)

        variables = self.names.for_shape(field.shape, field.name)
        needed = conjunction((path, loop.condition))
        there = forall(loop.variables, implication(needed, exists(variables, same(variables))))
        if there not in self.sets:
            self.guard.append(there)
            self.sets.append(there)
        return same

    def remember(self, layout: SignatureLayout, arguments: Sequence[SymbolicValue]) -> None:
        """Record that the node was asked something, if a property speaks of that."""
        self.records.extend(self.record(layout, None, None, arguments, TRUE, Loop()))

    # --- assignments -------------------------------------------------------------------------

    def _assigned(self, statement: checked.Assign, condition: Term, loop: Loop) -> Assigned:
        variable = statement.variable
        keys = tuple(self.columns(key) for key in statement.keys)
        value = self.value(statement.value)
        return Assigned(
            ("" if variable.role is None else variable.role.name, variable.name),
            keys,
            statement.operator,
            value,
            condition,
            self._widened(loop),
            statement.span,
        )

    def _apply(self, effect: Assigned) -> None:
        self.now[effect.place] = assign(self.now[effect.place], effect.keys, (), effect)

    # --- loops -------------------------------------------------------------------------------

    def _round(
        self,
        statement: checked.For,
        outer: Loop,
        condition: Term,
        path: Term,
        effects: list[Assigned | Recorded],
    ) -> None:
        """Run one symbolic round and append its effects."""
        domain = self.value(statement.domain)
        assert isinstance(domain, SetValue)
        outer = self._widened(outer)
        variables = self.names.for_shape(domain.shape, _pattern_name(statement.pattern))
        self.bind_pattern(statement.pattern, unflatten(domain.shape, variables))
        self._loop_variables |= set(variables)
        loop = Loop(
            outer.variables + variables,
            conjunction((outer.condition, condition, domain.contains(variables))),
        )
        self._round_body(statement.body, loop, TRUE, path, effects)

    def _round_body(
        self,
        body: Sequence[checked.Statement],
        loop: Loop,
        condition: Term,
        path: Term,
        effects: list[Assigned | Recorded],
    ) -> None:
        for statement in body:
            self._round_condition = condition
            self._loop_variables = frozenset(loop.variables)
            match statement:
                case checked.Assign():
                    inside = conjunction((path, condition))
                    effects.append(self._assigned(statement, inside, loop))
                case checked.Send() | checked.Broadcast() | checked.Emit():
                    effects.extend(self._recorded(statement, conjunction((path, condition)), loop))
                case checked.If(branches=branches, otherwise=otherwise):
                    before: Term = condition
                    for branch in branches:
                        self._round_condition = before
                        self._loop_variables = frozenset(loop.variables)
                        inner, holds = self._loop_condition(branch.condition, loop)
                        taken = conjunction((before, holds))
                        self._round_body(branch.body, inner, taken, path, effects)
                        failed = exists_conjunction(inner.variables[len(loop.variables) :], [holds])
                        before = conjunction((before, negation(failed)))
                    self._round_body(otherwise, loop, before, path, effects)
                case checked.Let(pattern=pattern, value=value):
                    self.bind_pattern(pattern, self.value(value))
                    loop = self._widened(loop)
                case checked.For():
                    self._round(statement, loop, condition, path, effects)
                case checked.Arm() | checked.Disarm():
                    pass
                case _:
                    raise AssertionError("a statement that the checker keeps out of loops")

    def _loop_condition(self, condition: checked.Expression, loop: Loop) -> tuple[Loop, Term]:
        """Lower a condition in a loop: what it matches are more variables of the loop.

        So are the neighbours that it needs.
        """
        match condition:
            case checked.Logical(operator="and", left=left, right=right):
                inner, first = self._loop_condition(left, loop)
                outer = self._round_condition
                self._round_condition = conjunction((outer, first))
                inner, second = self._loop_condition(right, inner)
                self._round_condition = outer
                return inner, conjunction((first, second))
            case checked.Match(subject=subject, pattern=pattern):
                option = self.value(subject)
                assert isinstance(option, OptionValue)
                loop, known = self._with_neighbours(loop)
                if option.content is not None:
                    self.bind_pattern(pattern, option.content)
                    present = values.is_present(option, self.names)
                    return loop, conjunction((known, present))
                variables = self._pattern_variables(pattern, option)
                self._loop_variables |= set(variables)
                inner = Loop(loop.variables + variables, loop.condition)
                return inner, conjunction((known, option.some(variables)))
            case _:
                formula = self.formula(condition)
                loop, known = self._with_neighbours(loop)
                return loop, conjunction((known, formula))

    # --- the end -----------------------------------------------------------------------------

    def updates(self) -> Iterator[Update]:
        """Yield what has changed."""
        for layout in (*self.storage.roles, self.storage.ghosts):
            if layout.name not in (self.role, ""):
                continue
            for variable in layout.variables:
                place = (layout.name, variable.name)
                if self.now[place] is not self.before[place]:
                    formals = () if layout.sort is None else (self._formal(layout.sort),)
                    yield from self._updates_of(variable, formals, self.now[place])
        rows: dict[Symbol, list[Callable[[Columns], Term]]] = {}
        for record in self.records:
            rows.setdefault(record.symbol, []).append(record.row)
        for symbol, added in rows.items():
            columns = tuple(self._formal(sort) for sort in symbol.arguments)
            new = disjunction([Apply(symbol, columns), *(row(columns) for row in added)])
            if new != Apply(symbol, columns):
                yield Update(symbol, columns, new)

    def _formal(self, sort: Sort) -> Var:
        return self.names.fresh(sort.name[0].lower(), sort)

    def _updates_of(
        self, variable: VariableLayout, formals: tuple[Var, ...], value: SymbolicValue
    ) -> Iterator[Update]:
        for symbol, columns, new in define(variable.stored, formals, value, self.names):
            old = Apply(symbol, columns)
            if formals:
                here = equal(columns[0], self.stepping)
                new = merge(here, new, old, {self.stepping: columns[0]})
            if new != old:
                yield Update(symbol, columns, new)


def _conjuncts(path: Term) -> frozenset[Term]:
    if path == TRUE:
        return frozenset()
    return frozenset(path.operands if isinstance(path, And) else (path,))


def _pattern_name(pattern: checked.Pattern) -> str | None:
    return pattern.binding.name if isinstance(pattern, checked.BindPattern) else None
