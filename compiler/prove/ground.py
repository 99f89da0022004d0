"""Grounding: formulas over finite carriers as Boolean circuits.

A mutable or free rigid symbol is a table of literals: one a row of a relation; for a function,
at each row of arguments, one a possible value (one-hot). What is fixed by the scope (the order
of an ordered sort, the node of a single role, the members of a quorum) is a table of constants
and vanishes while a formula is expanded.

Elements are numbers here, their places in the carriers; `False` and `True` of `Bool` are 0
and 1. A term is a number, or a `Choice`: pairs of a number and the literal that says that it is
the value.

Expanding quantifiers is where the time goes, so each term is compiled once into a Python
closure that reads the values of its variables from one list. Quantifiers are pushed inwards
variable by variable, an equality with the bound variable replaces the loop over its carrier,
a conjunct that is false ends the round, and the results of a quantified formula are kept by
the values of its free variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TypeAlias, assert_never

from compiler.model.system import Model
from compiler.model.term import (
    BOOL,
    FALSE,
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
    conjunction,
    free_variables,
    negation,
)
from compiler.prove.sat import FALSE_LITERAL, TRUE_LITERAL, Circuit, Literal
from compiler.prove.scope import Scope, carriers, quorum_sets

Place: TypeAlias = int
PlaceRow: TypeAlias = tuple[Place, ...]
Choice: TypeAlias = "tuple[tuple[Place, Literal], ...]"
Formula: TypeAlias = Callable[[], Literal]
Expression: TypeAlias = Callable[[], "Place | Choice"]


def conjuncts(term: Term, positive: bool = True) -> list[Term]:
    """Return formulas whose conjunction is `term`, or its negation if not `positive`."""
    match term, positive:
        case And(operands=operands), True:
            return [part for operand in operands for part in conjuncts(operand, True)]
        case Or(operands=operands), False:
            return [part for operand in operands for part in conjuncts(operand, False)]
        case Implies(left=left, right=right), False:
            return conjuncts(left, True) + conjuncts(right, False)
        case Not(operand=operand), _:
            return conjuncts(operand, not positive)
        case Truth(value=value), _:
            return [] if value == positive else [FALSE]
        case Quantified(kind="exists", variables=variables, body=body), False:
            return [Quantified("forall", variables, negation(body))]
        case _:
            return [term if positive else negation(term)]


def disjuncts(term: Term) -> list[Term] | None:
    """Return formulas whose disjunction is `term` if it is a disjunction, else None."""
    match term:
        case Or(operands=operands):
            return list(operands)
        case Implies(left=left, right=right):
            return [negation(left), right]
        case Not(operand=And(operands=operands)):
            return [negation(operand) for operand in operands]
        case _:
            return None


class Grounder:
    """Compiles terms of one model over the carriers of one scope.

    `relations` and `functions` hold the tables. All rigid symbols have theirs from the start;
    whoever uses a grounder sets those of the mutable symbols before compiling formulas over
    them. `rigid_constraints` say of the free rigid symbols that functions have one value.
    """

    def __init__(self, model: Model, scope: Scope) -> None:
        self.model = model
        self.scope = scope
        self.circuit = Circuit()
        self.carriers = carriers(model, scope)
        self.relations: dict[Symbol, dict[PlaceRow, Literal]] = {}
        self.functions: dict[Symbol, dict[PlaceRow, Place | Choice]] = {}
        self.rigid_constraints: list[list[Literal]] = []
        self._ranges = {sort: range(len(elements)) for sort, elements in self.carriers.items()}
        self._slots: dict[Var, int] = {}
        self._values: list[int] = []
        self._compiled: dict[Term, Formula] = {}
        self._free: dict[Term, frozenset[Var]] = {}
        self._enum_places = {
            (d.sort, name): place for d in model.sorts for place, name in enumerate(d.elements)
        }
        self._fix_rigid_symbols()

    # --- tables -------------------------------------------------------------------------

    def rows(self, sorts: Sequence[Sort]) -> Iterator[PlaceRow]:
        """Yield all rows over `sorts`."""
        return product(*(self._ranges[sort] for sort in sorts))

    def places(self, sort: Sort) -> range:
        """Return the elements of `sort`."""
        return self._ranges[sort]

    def new_relation(self, symbol: Symbol) -> dict[PlaceRow, Literal]:
        """Return a table with a new variable for every row of a relation."""
        return {row: self.circuit.variable() for row in self.rows(symbol.arguments)}

    def new_function(self, symbol: Symbol) -> dict[PlaceRow, Place | Choice]:
        """Return a table with new variables for every row of a function and every value."""
        values = self._ranges[symbol.result]
        return {
            row: tuple((value, self.circuit.variable()) for value in values)
            for row in self.rows(symbol.arguments)
        }

    @staticmethod
    def one_value(table: dict[PlaceRow, Place | Choice]) -> Iterator[list[Literal]]:
        """Yield the clauses that say that a function has exactly one value at each row."""
        for value in table.values():
            if isinstance(value, int):
                continue
            literals = [literal for _, literal in value]
            yield literals
            for index, literal in enumerate(literals):
                for other in literals[:index]:
                    yield [-literal, -other]

    def _fix_rigid_symbols(self) -> None:
        fixed: set[Symbol] = set()
        for declaration in self.model.sorts:
            if declaration.less is not None:
                self.relations[declaration.less] = {
                    (a, b): TRUE_LITERAL if a < b else FALSE_LITERAL
                    for a, b in self.rows((declaration.sort, declaration.sort))
                }
                fixed.add(declaration.less)
            if declaration.next is not None:
                self.relations[declaration.next] = {
                    (a, b): TRUE_LITERAL if a + 1 == b else FALSE_LITERAL
                    for a, b in self.rows((declaration.sort, declaration.sort))
                }
                fixed.add(declaration.next)
            for constant in (declaration.zero, declaration.the):
                if constant is not None:
                    self.functions[constant] = {(): 0}
                    fixed.add(constant)
        if not self.scope.free_quorums:
            for quorum in self.model.quorums:
                sets = quorum_sets(quorum, self.scope)
                self.relations[quorum.member] = {
                    (node, place): TRUE_LITERAL if node in members else FALSE_LITERAL
                    for place, members in enumerate(sets)
                    for node in self._ranges[quorum.role]
                }
                fixed.add(quorum.member)
        owners = {d.owner for d in self.model.sorts}
        for symbol in self.model.symbols:
            if symbol.mutable or symbol in fixed:
                continue
            if symbol.result == BOOL:
                self.relations[symbol] = self.new_relation(symbol)
            else:
                table = self.new_function(symbol)
                if symbol in owners:  # zero belongs to the first node
                    table[(0,)] = 0
                self.functions[symbol] = table
                self.rigid_constraints.extend(self.one_value(table))

    # --- variables ----------------------------------------------------------------------

    def bind(self, variable: Var, place: Place) -> None:
        """Set the value of a variable for the closures."""
        self._values[self._slot(variable)] = place

    def value_of(self, variable: Var) -> Place:
        """Return the value a variable was last bound to."""
        return self._values[self._slot(variable)]

    def free(self, term: Term) -> frozenset[Var]:
        """Return the variables that occur free in `term` (kept)."""
        found = self._free.get(term)
        if found is None:
            found = free_variables(term)
            self._free[term] = found
        return found

    def _slot(self, variable: Var) -> int:
        slot = self._slots.get(variable)
        if slot is None:
            slot = len(self._values)
            self._slots[variable] = slot
            self._values.append(0)
        return slot

    # --- formulas -----------------------------------------------------------------------

    def formula(self, term: Term) -> Formula:
        """Compile a formula. The closure returns its literal for the bound variables."""
        found = self._compiled.get(term)
        if found is None:
            found = self._formula(term)
            self._compiled[term] = found
        return found

    def closed(self, term: Term) -> Literal:
        """Return the literal of a formula without free variables."""
        return self.formula(term)()

    def _formula(self, term: Term) -> Formula:
        circuit = self.circuit
        match term:
            case Truth(value=value):
                constant = TRUE_LITERAL if value else FALSE_LITERAL
                return lambda: constant
            case Var():
                slot, values = self._slot(term), self._values
                return lambda: TRUE_LITERAL if values[slot] else FALSE_LITERAL
            case Apply(symbol=symbol, arguments=arguments):
                return self._atom(symbol, arguments)
            case Equal(left=left, right=right):
                return self._equality(left, right)
            case Not(operand=operand):
                inner = self.formula(operand)
                return lambda: -inner()
            case And(operands=operands):
                return self._conjunction(operands)
            case Or(operands=operands):
                negated = self._conjunction(tuple(negation(operand) for operand in operands))
                return lambda: -negated()
            case Implies(left=left, right=right):
                negated = self._conjunction((left, negation(right)))
                return lambda: -negated()
            case Iff(left=left, right=right):
                first, second = self.formula(left), self.formula(right)
                return lambda: circuit.equivalence(first(), second())
            case Ite(condition=condition, then=then, otherwise=otherwise):
                test, yes, no = (self.formula(t) for t in (condition, then, otherwise))

                def choose() -> Literal:
                    decided = test()
                    if decided == TRUE_LITERAL:
                        return yes()
                    if decided == FALSE_LITERAL:
                        return no()
                    return circuit.choice(decided, yes(), no())

                return choose
            case Quantified(kind=kind, variables=variables, body=body):
                if kind == "exists":
                    return self._exists(variables, conjuncts(body))
                refuted = self._exists(variables, conjuncts(body, False))
                return lambda: -refuted()
            case Element():
                raise TypeError(f"not a formula: {term}")
        assert_never(term)

    def _conjunction(self, operands: Sequence[Term]) -> Formula:
        parts = tuple(self.formula(operand) for operand in sorted(operands, key=self._cost))
        circuit = self.circuit

        def run() -> Literal:
            literals = []
            for part in parts:
                literal = part()
                if literal == FALSE_LITERAL:
                    return FALSE_LITERAL
                if literal != TRUE_LITERAL:
                    literals.append(literal)
            return circuit.conjunction(literals)

        return run

    def _cost(self, term: Term) -> int:
        """Return how dear a formula is to expand, roughly: what is constant comes first."""
        match term:
            case Truth() | Element() | Var():
                return 0
            case Apply(symbol=symbol, arguments=arguments):
                return sum(map(self._cost, arguments)) + (0 if self._is_fixed(symbol) else 5)
            case Equal(left=left, right=right) | Implies(left=left, right=right):
                return 1 + self._cost(left) + self._cost(right)
            case Iff(left=left, right=right):
                return 1 + self._cost(left) + self._cost(right)
            case Not(operand=operand):
                return self._cost(operand)
            case And(operands=operands) | Or(operands=operands):
                return sum(map(self._cost, operands))
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return sum(map(self._cost, (condition, then, otherwise)))
            case Quantified(variables=variables, body=body):
                return 50 * len(variables) + self._cost(body)
        assert_never(term)

    def _is_fixed(self, symbol: Symbol) -> bool:
        if symbol.mutable:
            return False
        if symbol in self.relations:
            return all(abs(literal) == 1 for literal in self.relations[symbol].values())
        return all(isinstance(value, int) for value in self.functions[symbol].values())

    def _atom(self, symbol: Symbol, arguments: tuple[Term, ...]) -> Formula:
        table = self.relations[symbol]
        slots = self._plain_slots(arguments)
        if slots is not None:
            values = self._values
            if len(slots) == 1:
                (only,) = slots
                return lambda: table[(values[only],)]
            if len(slots) == 2:
                first, second = slots
                return lambda: table[(values[first], values[second])]
            return lambda: table[tuple([values[slot] for slot in slots])]
        parts = tuple(self.expression(argument) for argument in arguments)
        circuit = self.circuit

        def run() -> Literal:
            row = [part() for part in parts]
            cases = [
                circuit.conjunction((*conditions, table[places]))
                for places, conditions in _cases(row)
            ]
            return circuit.disjunction(cases)

        return run

    def _plain_slots(self, arguments: tuple[Term, ...]) -> tuple[int, ...] | None:
        if all(isinstance(argument, Var) for argument in arguments):
            return tuple(self._slot(a) for a in arguments if isinstance(a, Var))
        return None

    def _equality(self, left: Term, right: Term) -> Formula:
        if left.sort == BOOL:
            return self.formula(Iff(left, right))
        first, second = self.expression(left), self.expression(right)
        circuit = self.circuit

        def run() -> Literal:
            a, b = first(), second()
            if isinstance(a, int):
                if isinstance(b, int):
                    return TRUE_LITERAL if a == b else FALSE_LITERAL
                a, b = b, a
            if isinstance(b, int):
                for value, literal in a:
                    if value == b:
                        return literal
                return FALSE_LITERAL
            known = dict(b)
            return circuit.disjunction(
                [
                    circuit.conjunction((literal, known[value]))
                    for value, literal in a
                    if value in known
                ]
            )

        return run

    # --- other terms --------------------------------------------------------------------

    def expression(self, term: Term) -> Expression:
        """Compile a term of any sort. The closure returns a place or a choice of places."""
        if isinstance(term, Var):
            slot, values = self._slot(term), self._values
            return lambda: values[slot]
        if term.sort == BOOL:
            formula = self.formula(term)

            def truth() -> Place | Choice:
                literal = formula()
                if abs(literal) == 1:
                    return 1 if literal == TRUE_LITERAL else 0
                return ((0, -literal), (1, literal))

            return truth
        match term:
            case Element(name=name, sort=sort):
                place = self._enum_places[sort, name]
                return lambda: place
            case Apply(symbol=symbol, arguments=arguments):
                return self._application(symbol, arguments)
            case Ite(condition=condition, then=then, otherwise=otherwise):
                return self._selection(condition, then, otherwise)
            case _:
                raise TypeError(f"not a term of sort {term.sort}: {term}")

    def _application(self, symbol: Symbol, arguments: tuple[Term, ...]) -> Expression:
        table = self.functions[symbol]
        slots = self._plain_slots(arguments)
        if slots is not None:
            values = self._values
            return lambda: table[tuple([values[slot] for slot in slots])]
        parts = tuple(self.expression(argument) for argument in arguments)

        def run() -> Place | Choice:
            cases: list[tuple[Place | Choice, tuple[Literal, ...]]] = []
            for places, conditions in _cases([part() for part in parts]):
                cases.append((table[places], conditions))
            if len(cases) == 1:
                return cases[0][0]
            return self._merge(cases)

        return run

    def _selection(self, condition: Term, then: Term, otherwise: Term) -> Expression:
        test = self.formula(condition)
        yes, no = self.expression(then), self.expression(otherwise)

        def run() -> Place | Choice:
            decided = test()
            if decided == TRUE_LITERAL:
                return yes()
            if decided == FALSE_LITERAL:
                return no()
            return self._merge([(yes(), (decided,)), (no(), (-decided,))])

        return run

    def _merge(self, cases: Sequence[tuple[Place | Choice, tuple[Literal, ...]]]) -> Place | Choice:
        """Return the value of which each of the cases gives one, under its conditions."""
        found: dict[Place, list[Literal]] = {}
        for value, conditions in cases:
            pairs = ((value, TRUE_LITERAL),) if isinstance(value, int) else value
            for place, literal in pairs:
                reason = self.circuit.conjunction((*conditions, literal))
                if reason != FALSE_LITERAL:
                    found.setdefault(place, []).append(reason)
        if len(found) == 1:
            return next(iter(found))
        return tuple((place, self.circuit.disjunction(why)) for place, why in found.items())

    # --- quantifiers --------------------------------------------------------------------

    def _exists(self, variables: tuple[Var, ...], parts: list[Term]) -> Formula:
        """Compile `exists variables: parts`, eliminating one variable after another.

        The variable that the fewest conjuncts mention is pushed innermost, over those
        conjuncts alone.
        """
        remaining = list(dict.fromkeys(variables))
        parts = list(dict.fromkeys(parts))
        while remaining:
            groups = {v: [p for p in parts if v in self.free(p)] for v in remaining}
            variable = min(
                remaining,
                key=lambda v: (
                    len(frozenset().union(*(self.free(p) for p in groups[v]))),
                    len(groups[v]),
                ),
            )
            remaining.remove(variable)
            group = groups[variable]
            if not group:
                continue
            if len(remaining) == 0 and len(group) == len(parts):
                return self._exists_one(variable, group)
            inner = Quantified("exists", (variable,), conjunction(group))
            parts = [part for part in parts if part not in group] + [inner]
        return self._conjunction(parts)

    def _exists_one(self, variable: Var, parts: list[Term]) -> Formula:
        if len(parts) == 1:
            cases = disjuncts(parts[0])
            if cases is not None:
                negated = self._conjunction(
                    [
                        negation(Quantified("exists", (variable,), case))
                        if variable in self.free(case)
                        else negation(case)
                        for case in cases
                    ]
                )
                return lambda: -negated()
        circuit, values = self.circuit, self._values
        slot = self._slot(variable)
        places = self._ranges[variable.sort]
        free = frozenset().union(*(self.free(part) for part in parts)) - {variable}
        key_slots = tuple(self._slot(v) for v in free)
        ordered = sorted(parts, key=self._cost)
        point = self._point(variable, ordered)
        formulas = tuple(self.formula(part) for part in ordered)
        memo: dict[PlaceRow, Literal] = {}

        def run() -> Literal:
            key = tuple([values[s] for s in key_slots])
            known = memo.get(key)
            if known is not None:
                return known
            target = None if point is None else point()
            saved = values[slot]
            cases: list[Literal] = []
            for place in (target,) if isinstance(target, int) else places:
                values[slot] = place
                literals: list[Literal] = []
                for formula in formulas:
                    literal = formula()
                    if literal == FALSE_LITERAL:
                        break
                    literals.append(literal)
                else:
                    case = circuit.conjunction(literals)
                    cases.append(case)
                    if case == TRUE_LITERAL:
                        break
            values[slot] = saved
            result = circuit.disjunction(cases)
            memo[key] = result
            return result

        return run

    def _point(self, variable: Var, parts: Sequence[Term]) -> Expression | None:
        """Return the only value the variable can have if one of `parts` equates it."""
        for part in parts:
            term = equated(variable, part, self.free)
            if term is not None:
                return self.expression(term)
        return None


def equated(
    variable: Var, part: Term, free: Callable[[Term], frozenset[Var]] = free_variables
) -> Term | None:
    """Return the term that `part` says `variable` equals, if it is such an equation."""
    match part:
        case Equal(left=left, right=right):
            if left == variable and variable not in free(right):
                return right
            if right == variable and variable not in free(left):
                return left
    return None


def _cases(row: Sequence[Place | Choice]) -> Iterator[tuple[PlaceRow, tuple[Literal, ...]]]:
    """Yield the rows that arguments may stand for, each with its conditions."""
    options = [((a, TRUE_LITERAL),) if isinstance(a, int) else a for a in row]
    for pairs in product(*options):
        yield (
            tuple(place for place, _ in pairs),
            tuple(literal for _, literal in pairs if literal != TRUE_LITERAL),
        )
