"""One step of a model, grounded once for a scope: the block of which every question is built.

State variables stand for the present state and, numbered behind them, for the next. Every
action has one *instance* for each valuation of its parameters that its guard does not rule
out as a constant; an instance has a *fire* variable. Firing implies the guard and fixes the
rows that the action writes. Frame axioms are explanatory (Haas: The Case for Domain-Specific
Frame Axioms, 1987): a row that changes was written by an instance that fired.

**Steps of several nodes in one layer.** Between the two states each node takes at most one
step, so one layer holds up to as many steps as there are nodes. This is sound: the steps of
one layer, taken one after the other in any order, lead to the same state. For that it is
enough that no step changes what another one reads or writes. Instances of different nodes
are therefore kept from firing together if one of them may change a row that the other reads
or writes, with two exceptions that do no harm. (1) A row that no instance ever makes false
(a message that was sent stays sent), read by a guard in which making it true can't make the
guard false. (2) A row of the same kind that both make true. In particular every state between
two steps of a layer is also reached by fewer layers' steps alone, so looking at the states
between layers misses no violation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from compiler.model.structure import Structure, Value
from compiler.model.system import Action, Content, Model, Received, Requested, TimedOut, Update
from compiler.model.term import (
    BOOL,
    And,
    Apply,
    Ite,
    Or,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
)
from compiler.prove.ground import (
    Choice,
    Expression,
    Formula,
    Grounder,
    Place,
    PlaceRow,
    conjuncts,
    equated,
)
from compiler.prove.sat import FALSE_LITERAL, TRUE_LITERAL, Clause, Deadline, Literal
from compiler.prove.scope import Scope

Node: TypeAlias = "tuple[Sort, Place]"


@dataclass(frozen=True, slots=True)
class Instance:
    """An action with a value for every parameter; `fire` is true if it is taken.

    `guard`: literals that must all hold. `writes`: the state variables it may change, with
    their new values. `assertions`: by name, whether the formula holds.
    """

    action: Action
    arguments: Mapping[Var, Place]
    node: Node
    fire: Literal
    guard: tuple[Literal, ...]
    writes: tuple[tuple[Literal, Literal], ...]
    assertions: Mapping[str, Literal]


@dataclass(slots=True)
class _Atom:
    """A state variable: a row of a relation, or one value at a row of a function."""

    now: Literal
    after: Literal
    setters: list[Literal]  # fire variables of instances that may make it true
    clearers: list[Literal]
    writers: dict[Node, set[Literal]]
    readers: dict[Node, list[tuple[Literal, bool]]]  # whether harmless while it only grows


class Expansion:
    """The grounded step of `model` in `scope`.

    `clauses` define the step over the circuit's variables; `initial` says what the initial
    state is and `rigid` what is known of the rigid symbols. Variables up to `rigid_end` are
    rigid; the next `width` are the present state's, and as many after them the next state's.
    `active` says of each node whether it takes a step. Raises `OutOfTime` at the deadline.
    """

    def __init__(self, model: Model, scope: Scope, deadline: Deadline | None = None) -> None:
        self.model = model
        self.scope = scope
        self._deadline = deadline or Deadline(None)
        self.ground = Grounder(model, scope)
        self.circuit = self.ground.circuit
        self.rigid_end = self.circuit.count + 1
        self.mutable = tuple(symbol for symbol in model.symbols if symbol.mutable)
        for symbol in self.mutable:
            if symbol.result == BOOL:
                self.ground.relations[symbol] = self.ground.new_relation(symbol)
            else:
                self.ground.functions[symbol] = self.ground.new_function(symbol)
        self.width = self.circuit.count + 1 - self.rigid_end
        for _ in range(self.width):
            self.circuit.variable()
        self._atoms = {
            variable: _Atom(variable, variable + self.width, [], [], {}, {})
            for variable in range(self.rigid_end, self.rigid_end + self.width)
        }
        self.clauses: list[Clause] = []
        self.instances: list[Instance] = []
        self.rigid: list[Clause] = list(self.ground.rigid_constraints)
        for axiom in model.axioms:
            self.rigid.append([self.ground.closed(axiom.formula)])
        self.initial = list(self._initial_clauses())
        for action in model.actions:
            self._expand(action)
        self._frame()
        self.active = self._one_step_per_node()
        self._keep_apart()
        roots = [literal for clause in self.clauses for literal in clause]
        self.defined: set[int] = set()
        self.clauses += self.circuit.definitions(roots, self.defined)
        self._properties: dict[Term, Literal] = {}

    def reads(self, instance: Instance) -> frozenset[Literal]:
        """Return the variables that the guard or the values of an instance depend on."""
        read = [*instance.guard, *(literal for _, literal in instance.writes)]
        inputs = (self.circuit.inputs(literal) for literal in read)
        return frozenset(abs(literal) for literals in inputs for literal in literals)

    def holds(self, formula: Term) -> Literal:
        """Return the literal of a closed formula in the present state."""
        literal = self._properties.get(formula)
        if literal is None:
            literal = self.ground.closed(formula)
            self._properties[formula] = literal
        return literal

    def one_value_each(self) -> Iterator[Clause]:
        """Yield the clauses that make a state total: one value a function, a partial at most."""
        for symbol in self.mutable:
            if symbol.result != BOOL:
                yield from self.ground.one_value(self.ground.functions[symbol])
            elif symbol.unique:
                groups: dict[PlaceRow, list[Literal]] = {}
                for row, literal in self.ground.relations[symbol].items():
                    groups.setdefault(row[: -symbol.unique], []).append(literal)
                for literals in groups.values():
                    for index, literal in enumerate(literals):
                        for other in literals[:index]:
                            yield [-literal, -other]

    # --- initial state --------------------------------------------------------------------

    def _initial_clauses(self) -> Iterator[Clause]:
        ground = self.ground
        for update in self.model.initial:
            value = ground.expression(update.value)
            for row in ground.rows([formal.sort for formal in update.formals]):
                for formal, place in zip(update.formals, row, strict=True):
                    ground.bind(formal, place)
                for now, literal in self._assign(update.symbol, row, value()):
                    yield from _equate(TRUE_LITERAL, now, literal)

    def _assign(
        self, symbol: Symbol, row: PlaceRow, value: Place | Choice
    ) -> Iterator[tuple[Literal, Literal]]:
        """Yield the state variables of a row, each with the literal it is to have."""
        pairs = {value: TRUE_LITERAL} if isinstance(value, int) else dict(value)
        if symbol.result == BOOL:
            yield self.ground.relations[symbol][row], pairs.get(1, FALSE_LITERAL)
            return
        present = self.ground.functions[symbol][row]
        assert not isinstance(present, int)
        for place, variable in present:
            yield variable, pairs.get(place, FALSE_LITERAL)

    # --- instances ------------------------------------------------------------------------

    def _expand(self, action: Action) -> None:
        ground = self.ground
        writers = [_Writer(ground, update) for update in action.updates]
        assertions = [(a.name, ground.formula(a.formula)) for a in action.assertions]
        for guard in _Valuations(ground, action).each():
            self._deadline.check()
            node = (action.node.sort, ground.value_of(action.node))
            fire = self.circuit.variable()
            instance = Instance(
                action,
                {parameter: ground.value_of(parameter) for parameter in action.parameters},
                node,
                fire,
                guard,
                tuple(
                    pair
                    for writer in writers
                    for row, value in writer.writes()
                    for pair in self._assign(writer.symbol, row, value)
                ),
                {name: formula() for name, formula in assertions},
            )
            self.instances.append(instance)
            for literal in guard:
                self.clauses.append([-fire, literal])
                self._read(literal, instance, harmless=True)
            for now, literal in instance.writes:
                self._write(instance, now, literal)

    def _write(self, instance: Instance, now: Literal, literal: Literal) -> None:
        atom = self._atoms[now]
        self.clauses.extend(_equate(instance.fire, atom.after, literal))
        sets = literal != FALSE_LITERAL and not self.circuit.implies(literal, now)
        clears = literal != TRUE_LITERAL and not self.circuit.implies(now, literal)
        if sets:
            atom.setters.append(instance.fire)
        if clears:
            atom.clearers.append(instance.fire)
        atom.writers.setdefault(instance.node, set()).add(instance.fire)
        self._read(literal, instance, harmless=False, own=now)

    def _read(self, literal: Literal, instance: Instance, harmless: bool, own: Literal = 0) -> None:
        for read in self.circuit.inputs(literal):
            atom = self._atoms.get(abs(read))
            if atom is not None:
                grows_only = (harmless and read > 0) or read == own
                atom.readers.setdefault(instance.node, []).append((instance.fire, grows_only))

    # --- the layer ------------------------------------------------------------------------

    def _frame(self) -> None:
        for atom in self._atoms.values():
            self.clauses.append([-atom.after, atom.now, *atom.setters])
            self.clauses.append([atom.after, -atom.now, *atom.clearers])

    def _one_step_per_node(self) -> dict[Node, Literal]:
        """Add that each node takes at most one step; return whether it takes one.

        The ladder of Sinz: Towards an Optimal CNF Encoding of Boolean Cardinality
        Constraints, 2005.
        """
        fires: dict[Node, list[Literal]] = {}
        for instance in self.instances:
            fires.setdefault(instance.node, []).append(instance.fire)
        active: dict[Node, Literal] = {}
        for node, literals in fires.items():
            reached = literals[0]
            for literal in literals[1:]:
                further = self.circuit.variable()
                self.clauses.append([-reached, -literal])
                self.clauses.append([-reached, further])
                self.clauses.append([-literal, further])
                self.clauses.append([reached, literal, -further])
                reached = further
            active[node] = reached
        return active

    def _keep_apart(self) -> None:
        """Forbid steps of different nodes in one layer of which one disturbs the other."""
        for atom in self._atoms.values():
            if not atom.writers:
                continue
            monotone = not atom.clearers
            touchers: dict[Node, set[Literal]] = {}
            for node, reads in atom.readers.items():
                harmful = {fire for fire, grows_only in reads if not (monotone and grows_only)}
                if harmful:
                    touchers.setdefault(node, set()).update(harmful)
            if not monotone:
                for node, writes in atom.writers.items():
                    touchers.setdefault(node, set()).update(writes)
            pairs = [(w, t) for w in atom.writers for t in touchers if w != t]
            if not pairs:
                continue
            writes_it = {node: self._some(atom.writers[node]) for node, _ in pairs}
            touches_it = {node: self._some(touchers[node]) for _, node in pairs}
            self.clauses.extend([-writes_it[w], -touches_it[t]] for w, t in pairs)

    def _some(self, fires: set[Literal]) -> Literal:
        """Return a variable that is true if one of `fires` is."""
        if len(fires) == 1:
            return next(iter(fires))
        some = self.circuit.variable()
        self.clauses.extend([-fire, some] for fire in sorted(fires))
        return some

    # --- back to structures ---------------------------------------------------------------

    def structure(self, rigid: frozenset[Literal], state: frozenset[Literal]) -> Structure:
        """Return the structure in which exactly the given variables are true."""
        ground = self.ground
        carriers = ground.carriers
        true = rigid | state

        def elements(sorts: tuple[Sort, ...], row: PlaceRow) -> tuple[Value, ...]:
            return tuple(carriers[sort][place] for sort, place in zip(sorts, row, strict=True))

        def value(symbol: Symbol, choice: Place | Choice) -> Value:
            if isinstance(choice, int):
                return carriers[symbol.result][choice]
            return next(carriers[symbol.result][p] for p, literal in choice if literal in true)

        return Structure(
            {sort: members for sort, members in carriers.items() if sort != BOOL},
            {
                symbol: frozenset(
                    elements(symbol.arguments, row)
                    for row, literal in table.items()
                    if literal == TRUE_LITERAL or literal in true
                )
                for symbol, table in ground.relations.items()
            },
            {
                symbol: {
                    elements(symbol.arguments, row): value(symbol, choice)
                    for row, choice in table.items()
                }
                for symbol, table in ground.functions.items()
            },
        )

    def arguments(self, instance: Instance) -> dict[Var, Value]:
        """Return the elements that the parameters of an instance stand for."""
        return {
            parameter: self.ground.carriers[parameter.sort][place]
            for parameter, place in instance.arguments.items()
        }


def _equate(condition: Literal, variable: Literal, value: Literal) -> Iterator[Clause]:
    """Yield the clauses of `condition implies (variable iff value)`."""
    prefix = [] if condition == TRUE_LITERAL else [-condition]
    if value == TRUE_LITERAL:
        yield [*prefix, variable]
    elif value == FALSE_LITERAL:
        yield [*prefix, -variable]
    else:
        yield [*prefix, -value, variable]
        yield [*prefix, value, -variable]


# --- valuations of an action's parameters -----------------------------------------------------


class _Valuations:
    """All valuations of an action's parameters for which its guard is not plainly false.

    Parameters are bound one by one; a conjunct of the guard is looked at as soon as its
    variables are bound, so that a constant false one prunes the rest. The variables of an
    option's content take each row that can be the content, and once, for an option that is
    none, their first values. So do the variables of a field that is not present.
    """

    def __init__(self, ground: Grounder, action: Action) -> None:
        self._ground = ground
        contents = {v for content in action.contents for v in content.variables}
        self._absent: dict[Var, Var] = {}
        trigger = action.trigger
        if isinstance(trigger, Received | Requested | TimedOut):
            for field in trigger.fields:
                if field.present is not None:
                    self._absent |= dict.fromkeys(field.variables, field.present)
        plain = [p for p in action.parameters if p not in contents and p != action.node]
        ordered = [action.node, *sorted(plain, key=lambda p: p in self._absent)]
        self._stages: list[Var | Content] = [*ordered, *action.contents]
        self._tests: list[list[Formula]] = [[] for _ in self._stages]
        parts = conjuncts(action.guard)
        bound: set[Var] = set()
        for tests, stage in zip(self._tests, self._stages, strict=True):
            bound |= {stage} if isinstance(stage, Var) else set(stage.variables)
            tests.extend(ground.formula(part) for part in parts if ground.free(part) <= bound)
            parts = [part for part in parts if not ground.free(part) <= bound]
        assert not parts, f"the guard of {action.name} has a variable that is no parameter"
        self._formulas = [
            ground.formula(stage.formula) if isinstance(stage, Content) else None
            for stage in self._stages
        ]

    def each(self) -> Iterator[tuple[Literal, ...]]:
        """Bind the parameters to each valuation in turn and yield the literals of its guard."""
        return self._from(0, ())

    def _from(self, index: int, guard: tuple[Literal, ...]) -> Iterator[tuple[Literal, ...]]:
        if index == len(self._stages):
            yield tuple(dict.fromkeys(guard))
            return
        for condition in self._bind(index):
            literals = [condition]
            for test in self._tests[index]:
                literals.append(test())
                if literals[-1] == FALSE_LITERAL:
                    break
            else:
                known = tuple(literal for literal in literals if literal != TRUE_LITERAL)
                yield from self._from(index + 1, guard + known)

    def _bind(self, index: int) -> Iterator[Literal]:
        ground, stage = self._ground, self._stages[index]
        if isinstance(stage, Var):
            present = self._absent.get(stage)
            absent = present is not None and ground.value_of(present) == 0
            for place in (0,) if absent else ground.places(stage.sort):
                ground.bind(stage, place)
                yield TRUE_LITERAL
            return
        formula = self._formulas[index]
        assert formula is not None
        rows = []
        for row in ground.rows([v.sort for v in stage.variables]):
            self._set(stage, row)
            literal = formula()
            if literal != FALSE_LITERAL:
                rows.append((row, literal))
        nothing = ground.circuit.conjunction(-literal for _, literal in rows)
        if nothing != FALSE_LITERAL:
            self._set(stage, (0,) * len(stage.variables))
            yield nothing
        for row, literal in rows:
            self._set(stage, row)
            yield literal

    def _set(self, content: Content, row: PlaceRow) -> None:
        for variable, place in zip(content.variables, row, strict=True):
            self._ground.bind(variable, place)


# --- what an instance writes --------------------------------------------------------------------


class _Writer:
    """Finds the rows that an update may change, and their new values."""

    def __init__(self, ground: Grounder, update: Update) -> None:
        self._ground = ground
        self.symbol = update.symbol
        self._formals = update.formals
        current = Apply(update.symbol, update.formals)
        self._current = ground.expression(current)
        self._value = ground.expression(update.value)
        self._patterns = [
            _Pattern(ground, update.formals, parts) for parts in changes(update.value, current)
        ]

    def writes(self) -> Iterator[tuple[PlaceRow, Place | Choice]]:
        """Yield the rows that may change under the present binding, each once."""
        seen: set[PlaceRow] = set()
        for pattern in self._patterns:
            for row in pattern.rows():
                if row in seen:
                    continue
                seen.add(row)
                value = self._value()
                if value != self._current():
                    yield row, value


class _Pattern:
    """The rows of `formals` for which none of some conjuncts is plainly false."""

    def __init__(self, ground: Grounder, formals: tuple[Var, ...], parts: list[Term]) -> None:
        self._ground = ground
        self._formals = formals
        own = frozenset(formals)
        self._points: list[Expression | None] = []
        for formal in formals:
            terms = (equated(formal, part) for part in parts)
            closed = [t for t in terms if t is not None and not ground.free(t) & own]
            self._points.append(ground.expression(closed[0]) if closed else None)
        self._test = ground.formula(conjunction(parts))

    def rows(self) -> Iterator[PlaceRow]:
        """Bind the formals to each row in turn and yield it."""
        ground = self._ground
        options: list[range | tuple[Place, ...]] = []
        for formal, point in zip(self._formals, self._points, strict=True):
            value = None if point is None else point()
            if value is None:
                options.append(ground.places(formal.sort))
            elif isinstance(value, int):
                options.append((value,))
            else:
                options.append(tuple(place for place, _ in value))
        for row in product(*options):
            for formal, place in zip(self._formals, row, strict=True):
                ground.bind(formal, place)
            if self._test() != FALSE_LITERAL:
                yield row


def changes(value: Term, current: Term) -> list[list[Term]]:
    """Return conjunctions such that where all are false, `value` is `current`."""
    if value == current:
        return []
    match value:
        case Or(operands=operands):
            kept = [o for o in operands if _mentions(o, current)]
            if len(kept) == 1:
                added = [conjuncts(o) for o in operands if o is not kept[0]]
                return changes(kept[0], current) + added
        case And(operands=operands):
            kept = [o for o in operands if _mentions(o, current)]
            if len(kept) == 1:
                removed = [conjuncts(o, False) for o in operands if o is not kept[0]]
                return changes(kept[0], current) + removed
        case Ite(condition=condition, then=then, otherwise=otherwise):
            yes, no = conjuncts(condition), conjuncts(condition, False)
            return [yes + parts for parts in changes(then, current)] + [
                no + parts for parts in changes(otherwise, current)
            ]
    return [[]]


def _mentions(term: Term, current: Term) -> bool:
    """Whether `term` is `current` with additions and removals."""
    match term:
        case Or(operands=operands) | And(operands=operands):
            return any(_mentions(operand, current) for operand in operands)
        case Ite(then=then, otherwise=otherwise):
            return _mentions(then, current) or _mentions(otherwise, current)
        case _:
            return term == current
