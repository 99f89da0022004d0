"""The encoding for the solver: mutable functions become relations, without totality.

`relationalise` turns a model into another model, in which every mutable function whose values
are elements of an uninterpreted sort (`promised(n)`, a ballot) is a relation between arguments
and value (`promised(n, b)`). In the quantifier-alternation graph a function is an edge from its
arguments to its result, a relation is none; so with an invariant's `forall ballot exists node`
the solver no longer runs in circles.

*In formulas* a read `f(t)` is a variable `v` with `f(t, v)`. The quantifier stands at the
smallest subformula that has all occurrences of the read in one disjunction: `forall v. f(t, v)
-> …` where the subformula is positive, `exists v. f(t, v) and …` where it is negative. So an
invariant, as a hypothesis, stays universal.
*In actions* a read whose arguments are parameters becomes a parameter of its own with `f(t, v)`
in the guard. `f(x) := t` becomes `f(x, v) := "v = t"`. The contents of options (`Content`)
become conjuncts of the guard: `formula or not exists. formula`.

Why it is sound. The graph of a state is the relational state with exactly the rows (t, f(t)).
On graphs, each encoded formula agrees with the one it came from: functions are total and have
one value, so `forall v. f(t, v) -> p(v)`, `exists v. f(t, v) and p(v)` and `p(f(t))` are the
same. Hence the graph of an initial state is initial, and the graph of every step is a step: the
encoded system has all executions of the model, and perhaps others through states in which a
function has no value or two. A property that holds in all of its reachable states holds in all
of the model's.
That a functional relation has at most one value is not assumed but an invariant of the encoded
system, `unique f`, and proved with the others; likewise for the relations that the model
itself declares to be partial functions (`unique` > 0).

Totality is never asserted: measurements showed that it alone makes proofs run away. (The prover
may use single instances of it, see `prover`.) With the functions of Paxos left as functions the
same proof takes 6 to 18 s and leaves one or two obligations open, against 1.5 to 2.3 s and none
(four seeds each). Every mutable function to an uninterpreted sort is encoded, whether or not it
is on a cycle of the alternation graph: in Paxos all are, and so a new invariant does not change
the encoding of all others, which would empty the cache.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import assert_never

from compiler.model.system import Action, Assertion, Content, Model, Property, Update
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Element,
    Equal,
    Iff,
    Implies,
    Ite,
    Not,
    Or,
    Quantified,
    Sort,
    Symbol,
    Term,
    Truth,
    Var,
    children,
    conjunction,
    disjunction,
    equal,
    exists,
    forall,
    free_variables,
    implication,
    ite,
    negation,
)
from compiler.prove.normal import lift_conditionals, members, rename, replace


def relationalise(model: Model) -> Model:
    """Return the encoded model; its symbols, initial state, actions and properties differ.

    Actions keep their names and order. Properties keep theirs, and the generated ones
    (`unique …`) follow. The layouts still speak of the original symbols.
    """
    enums = members(model)
    relations = {
        symbol: Symbol(symbol.name, (*symbol.arguments, symbol.result), BOOL, True, unique=1)
        for symbol in model.symbols
        if symbol.mutable and symbol.result != BOOL and symbol.result not in enums
    }
    encoder = _Encoder(relations, enums)
    symbols = tuple(relations.get(symbol, symbol) for symbol in model.symbols)
    declared = tuple(
        dataclasses.replace(p, formula=encoder.formula(p.formula)) for p in model.properties
    )
    return dataclasses.replace(
        model,
        symbols=symbols,
        initial=tuple(encoder.update(update) for update in model.initial),
        actions=tuple(encoder.action(action) for action in model.actions),
        properties=(*declared, *(_uniqueness(s) for s in symbols if s.unique and s.mutable)),
    )


def _uniqueness(symbol: Symbol) -> Property:
    """Return the invariant that the last `unique` arguments are determined by the others."""
    taken = _Names(())
    count = len(symbol.arguments) - symbol.unique
    keys = tuple(taken.fresh(s.name[:1].lower(), s) for s in symbol.arguments[:count])
    first = tuple(taken.fresh(s.name[:1].lower(), s) for s in symbol.arguments[count:])
    second = tuple(taken.fresh(s.name[:1].lower(), s) for s in symbol.arguments[count:])
    both = conjunction((Apply(symbol, keys + first), Apply(symbol, keys + second)))
    same = conjunction(equal(a, b) for a, b in zip(first, second, strict=True))
    formula = forall(keys + first + second, implication(both, same))
    return Property("invariant", f"unique {symbol.name}", formula)


class _Names:
    """Makes variables whose names are not taken."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, hint: str, sort: Sort) -> Var:
        name, number = hint, 1
        while name in self._taken:
            number += 1
            name = f"{hint}_{number}"
        self._taken.add(name)
        return Var(name, sort)

    def again(self, variable: Var) -> Var:
        """Return a variable like `variable` with a name of its own."""
        return self.fresh(variable.name.rstrip("0123456789").rstrip("_") or "x", variable.sort)


class _Encoder:
    def __init__(
        self, relations: dict[Symbol, Symbol], members: dict[Sort, tuple[Element, ...]]
    ) -> None:
        self.relations = relations
        self.members = members

    def formula(self, formula: Term) -> Term:
        """Encode a closed formula."""
        names = _Names(variable.name for variable in free_variables(formula))
        return self._place(self._prepare(formula, names), True, names)

    def action(self, action: Action) -> Action:
        names = _Names(variable.name for variable in action.parameters)
        guard = self._prepare(action.guard, names)
        contents = [self._prepare(content.formula, names) for content in action.contents]
        updates = [self._open(update, names) for update in action.updates]
        assertions = [self._prepare(a.formula, names) for a in action.assertions]
        # Reads whose arguments are parameters become parameters, inner ones first.
        parameters = list(action.parameters)
        reads: list[Term] = []
        while True:
            terms = [guard, *contents, *(u.value for u in updates), *assertions]
            found = self._reads(terms, within=frozenset(parameters))
            if not found:
                break
            read = found[0]
            variable = names.fresh(read.symbol.name.rsplit(".", 1)[-1], read.symbol.result)
            parameters.append(variable)
            reads.append(self._row(read, variable))
            found_value: dict[Term, Term] = {read: variable}
            guard = replace(guard, found_value)
            contents = [replace(content, found_value) for content in contents]
            updates = [dataclasses.replace(u, value=replace(u.value, found_value)) for u in updates]
            assertions = [replace(assertion, found_value) for assertion in assertions]
        known = [
            self._content(content, self._place(formula, False, names), names)
            for content, formula in zip(action.contents, contents, strict=True)
        ]
        return dataclasses.replace(
            action,
            contents=(),
            parameters=tuple(parameters),
            guard=conjunction((*reads, *known, self._place(guard, True, names))),
            updates=tuple(
                dataclasses.replace(u, value=self._value(u.value, names)) for u in updates
            ),
            assertions=tuple(
                Assertion(a.name, self._place(formula, True, names), a.span)
                for a, formula in zip(action.assertions, assertions, strict=True)
            ),
        )

    def update(self, update: Update) -> Update:
        """Encode a definition of the initial state."""
        names = _Names(variable.name for variable in update.formals)
        opened = self._open(update, names)
        return dataclasses.replace(opened, value=self._value(opened.value, names))

    def _content(self, content: Content, formula: Term, names: _Names) -> Term:
        others = {variable: names.again(variable) for variable in content.variables}
        some = exists(others.values(), rename(formula, names.again, others))
        return disjunction((formula, negation(some)))

    def _prepare(self, term: Term, names: _Names) -> Term:
        renamed = rename(term, names.again, {})
        return lift_conditionals(renamed) if renamed.sort == BOOL else renamed

    def _open(self, update: Update, names: _Names) -> Update:
        """Turn `f(x) := t` into `f(x, v) := "v = t"`, with `g(u)` for `t` as `g(u, v)`."""
        formals = {formal: names.again(formal) for formal in update.formals}
        value = rename(update.value, names.again, formals)
        columns = tuple(formals.values())
        relation = self.relations.get(update.symbol)
        if relation is None:
            lifted = lift_conditionals(value) if value.sort == BOOL else value
            return Update(update.symbol, columns, lifted)
        result = names.fresh("value", update.symbol.result)
        return Update(relation, (*columns, result), lift_conditionals(self._is(result, value)))

    def _is(self, result: Var, value: Term) -> Term:
        match value:
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return ite(condition, self._is(result, then), self._is(result, otherwise))
            case _:
                return Equal(result, value)

    def _value(self, value: Term, names: _Names) -> Term:
        """Encode an update's value, of any sort."""
        if value.sort == BOOL:
            return self._place(value, False, names)
        match value:
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return ite(
                    self._place(lift_conditionals(condition), False, names),
                    self._value(then, names),
                    self._value(otherwise, names),
                )
            case _:
                if not self._has_reads(value):
                    return value
                # An enum-valued function of a read: its members are told apart by formulas.
                *others, last = self.members[value.sort]
                chosen: Term = last
                for member in reversed(others):
                    chosen = ite(self._place(Equal(value, member), False, names), member, chosen)
                return chosen

    # --- reads ---------------------------------------------------------------------------

    def _row(self, read: Apply, value: Term) -> Term:
        return Apply(self.relations[read.symbol], (*read.arguments, value))

    def _reads(self, terms: Iterable[Term], within: frozenset[Var] | None) -> list[Apply]:
        """Return the reads without reads inside, in order, each once.

        `within`: only those with all variables among these.
        """
        found: dict[Apply, None] = {}

        def visit(term: Term) -> bool:
            inside = False
            for child in children(term):
                inside |= visit(child)
            if isinstance(term, Apply) and term.symbol in self.relations:
                if not inside and (within is None or free_variables(term) <= within):
                    found[term] = None
                return True
            return inside

        for term in terms:
            visit(term)
        return list(found)

    def _has_reads(self, term: Term) -> bool:
        return bool(self._reads([term], None))

    def _available(self, term: Term) -> list[Apply]:
        """Return the reads in `term` whose variables are not bound inside it."""
        return self._reads([term], free_variables(term))

    # --- placing the quantifiers of reads ------------------------------------------------

    def _place(self, term: Term, positive: bool, names: _Names) -> Term:
        match term:
            case Var() | Truth() | Element():
                return term
            case Not(operand=operand):
                return negation(self._place(operand, not positive, names))
            case And(operands=operands):
                if not positive and (shared := self._shared(term, operands)):
                    return self._wrap(shared[0], term, positive, names)
                return conjunction([self._place(o, positive, names) for o in operands])
            case Or(operands=operands):
                if positive and (shared := self._shared(term, operands)):
                    return self._wrap(shared[0], term, positive, names)
                return disjunction([self._place(o, positive, names) for o in operands])
            case Implies(left=left, right=right):
                if positive and (shared := self._shared(term, (left, right))):
                    return self._wrap(shared[0], term, positive, names)
                return implication(
                    self._place(left, not positive, names), self._place(right, positive, names)
                )
            case Iff(left=left, right=right):
                if available := self._available(term):
                    return self._wrap(available[0], term, positive, names)
                if not self._has_reads(term):
                    return term
                both = (implication(left, right), implication(right, left))
                return conjunction([self._place(side, positive, names) for side in both])
            case Ite(condition=condition, then=then, otherwise=otherwise):
                if available := self._available(condition):
                    return self._wrap(available[0], term, positive, names)
                if not self._has_reads(condition):
                    return ite(
                        condition,
                        self._place(then, positive, names),
                        self._place(otherwise, positive, names),
                    )
                both = (implication(condition, then), disjunction((condition, otherwise)))
                return conjunction([self._place(side, positive, names) for side in both])
            case Quantified(kind=kind, variables=variables, body=body):
                inner = self._place(body, positive, names)
                return forall(variables, inner) if kind == "forall" else exists(variables, inner)
            case Apply() | Equal():
                direct = self._direct(term) if not positive else None
                if direct is not None:
                    return self._place(direct, positive, names)
                if available := self._available(term):
                    return self._wrap(available[0], term, positive, names)
                return term
        assert_never(term)

    def _shared(self, term: Term, operands: Iterable[Term]) -> list[Apply]:
        """Return the available reads that occur in two operands or more."""
        counts: dict[Apply, int] = {}
        available = self._available(term)
        if not available:
            return []
        for operand in operands:
            for read in set(self._reads([operand], None)):
                counts[read] = counts.get(read, 0) + 1
        return [read for read in available if counts.get(read, 0) > 1]

    def _wrap(self, read: Apply, term: Term, positive: bool, names: _Names) -> Term:
        variable = names.fresh(read.symbol.name.rsplit(".", 1)[-1], read.symbol.result)
        inner = self._place(replace(term, {read: variable}), positive, names)
        row = self._row(read, variable)
        if positive:
            return forall((variable,), implication(row, inner))
        return exists((variable,), conjunction((row, inner)))

    def _direct(self, atom: Apply | Equal) -> Term | None:
        """Return `f(t, s)` for a negative `f(t) = s`: the one-point rule done beforehand."""
        if not isinstance(atom, Equal):
            return None
        for side, other in ((atom.left, atom.right), (atom.right, atom.left)):
            if isinstance(side, Apply) and side.symbol in self.relations:
                return self._row(side, other)
        return None
