"""Counterexamples to induction: a small state from which one step breaks a property.

The obligation that a prover could not discharge is asked again over small carriers, where a
state is total and a SAT solver answers at once: all hypotheses hold before, one instance of
the action is taken, and the goal fails after. Sizes grow until there is an answer, then are
lowered sort by sort; then facts that are not needed are dropped one by one, values of
variables going back to their initial ones. Quorums are real node sets; if there is no answer
with those, they are abstract ones of which only the proved facts are known.

Everything is grounded once a scope; obligations are told apart by assumptions. What is found
is checked by the evaluator before it is returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pysat.card import CardEnc, EncType

from compiler.model.evaluate import evaluate
from compiler.model.structure import Structure, Value
from compiler.model.successors import apply, machine
from compiler.model.system import Axiom, Model, Property
from compiler.model.term import BOOL, Term, Var
from compiler.prove.expansion import Expansion
from compiler.prove.replay import ReplayError, is_initial, take
from compiler.prove.sat import Deadline, Literal, OutOfTime
from compiler.prove.scope import Scope, is_single, uniform_scopes, with_parameters
from compiler.prove.unrolling import Unrolling
from compiler.prove.verdict import Counterexample, Obligation, Step

_LARGEST = 3


@dataclass(frozen=True, slots=True)
class Context:
    """What an obligation may lean on: `hypotheses` hold before a step, `facts` always."""

    model: Model
    hypotheses: tuple[Property, ...]
    facts: tuple[Axiom, ...] = ()


def goal_of(model: Model, obligation: Obligation) -> Term:
    """Return the formula that the obligation claims."""
    if obligation.kind == "assertion":
        assert obligation.action is not None
        return next(a.formula for a in obligation.action.assertions if a.name == obligation.name)
    return next(p.formula for p in model.properties if p.name == obligation.name)


def refutes(context: Context, obligation: Obligation, found: Counterexample) -> bool:
    """Whether the evaluator agrees that `found` refutes the obligation."""
    model, before = context.model, found.before
    compiled = machine(model)
    goal = goal_of(model, obligation)
    known = [axiom.formula for axiom in (*model.axioms, *context.facts)]
    if obligation.kind == "initial":
        return (
            _all_hold(model, known, before)
            and is_initial(model, before)
            and not compiled.compile(goal)(before)
        )
    known += [hypothesis.formula for hypothesis in context.hypotheses]
    assert obligation.action is not None
    if found.step is None or found.step.action.name != obligation.action.name:
        return False
    if not is_total(model, before) or not _all_hold(model, known, before):
        return False
    taken = take(model, before, found.step)
    if taken is None:
        return False
    step, after = taken
    if obligation.kind == "assertion":
        return not evaluate(goal, before, step.arguments)
    return (
        found.after is not None
        and after.fingerprint() == found.after.fingerprint()
        and not compiled.compile(goal)(after)
    )


def is_total(model: Model, structure: Structure) -> bool:
    """Whether functions have a value everywhere and partial functions one at most."""
    for symbol in model.symbols:
        if symbol.result != BOOL:
            rows = 1
            for sort in symbol.arguments:
                rows *= 2 if sort == BOOL else len(structure.carriers[sort])
            if len(structure.functions[symbol]) != rows:
                return False
        elif symbol.unique:
            keys = [row[: -symbol.unique] for row in structure.relations[symbol]]
            if len(set(keys)) != len(keys):
                return False
    return True


def _all_hold(model: Model, formulas: Iterable[Term], structure: Structure) -> bool:
    return all(machine(model).compile(formula)(structure) for formula in formulas)


class CounterexampleFinder:
    """Finds small counterexamples for the obligations of one model.

    The expansions are shared between calls, so the first call on a model costs the most.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._expansions: dict[Scope, Expansion] = {}
        self._steps: dict[Scope, Unrolling] = {}
        self._starts: dict[Scope, Unrolling] = {}

    def find(self, obligation: Obligation, seconds: float = 10.0) -> Counterexample | None:
        """Return a small counterexample to `obligation`, or None if none was found in time.

        Raises `ReplayError` if the evaluator does not agree with the solver.
        """
        deadline = Deadline(seconds)
        try:
            scope = self._first_scope(obligation, deadline)
        except OutOfTime:
            return None
        if scope is None:
            return None
        scope = self._smallest_scope(scope, obligation, deadline)
        question = _Question(self, scope, obligation)
        if not question.solve([], Deadline(None)):
            raise ReplayError("a satisfiable question became unsatisfiable")
        found = question.minimised(deadline)
        if not refutes(self.context, obligation, found):
            raise ReplayError(f"a counterexample to {obligation.name} does not replay")
        return found

    def independent(self, name: str, seconds: float = 5.0) -> bool:
        """Whether a small state is known in which all properties but `name` hold."""
        deadline = Deadline(seconds)
        try:
            for scope in self._scopes():
                states = self.step(scope, deadline)
                expansion = self.expansion(scope)
                literals = [
                    -expansion.holds(p.formula) if p.name == name else expansion.holds(p.formula)
                    for p in self.context.model.properties
                ]
                if states.solve([states.literal(0, one) for one in literals], deadline):
                    return True
        except OutOfTime:
            pass
        return False

    def _first_scope(self, obligation: Obligation, deadline: Deadline) -> Scope | None:
        for scope in self._scopes():
            if _Question(self, scope, obligation, deadline).solve([], deadline):
                return scope
        return None

    def _scopes(self) -> Iterator[Scope]:
        model = self.context.model
        for size in range(1, _LARGEST + 1):
            yield from uniform_scopes(model, size)
        if model.quorums:
            for size in range(1, _LARGEST + 1):
                yield from uniform_scopes(model, size, free_quorums=True)

    def _smallest_scope(self, scope: Scope, obligation: Obligation, deadline: Deadline) -> Scope:
        """Lower the sizes sort by sort as long as there is a counterexample, and time."""
        lowered = True
        with suppress(OutOfTime):
            while lowered:
                lowered = False
                for name, size in scope.sizes:
                    if size == 1 or is_single(self.context.model, name):
                        continue
                    for smaller in self._resized(scope, name, size - 1):
                        if _Question(self, smaller, obligation, deadline).solve([], deadline):
                            scope, lowered = smaller, True
                            break
        return scope

    def _resized(self, scope: Scope, name: str, size: int) -> Iterator[Scope]:
        sizes = scope.resized(name, size).sizes
        yield from with_parameters(self.context.model, sizes, scope.free_quorums)

    def expansion(self, scope: Scope, deadline: Deadline | None = None) -> Expansion:
        """Return the expansion of a scope (kept)."""
        expansion = self._expansions.get(scope)
        if expansion is None:
            expansion = Expansion(self.context.model, scope, deadline)
            if scope.free_quorums:
                expansion.rigid.extend([[expansion.holds(f.formula)] for f in self.context.facts])
            self._expansions[scope] = expansion
        return expansion

    def step(self, scope: Scope, deadline: Deadline | None = None) -> Unrolling:
        """Return one layer from any state, in which one node takes one step (kept)."""
        unrolling = self._steps.get(scope)
        if unrolling is None:
            expansion = self.expansion(scope, deadline)
            unrolling = Unrolling(expansion, from_initial=False)
            unrolling.grow()
            active = [unrolling.literal(0, literal) for literal in expansion.active.values()]
            if len(active) > 1:
                alone = CardEnc.atmost(
                    active, 1, top_id=unrolling.fresh(), encoding=EncType.seqcounter
                )
                unrolling.reserve(alone.nv)
                unrolling.solver.add(alone.clauses)
            self._steps[scope] = unrolling
        return unrolling

    def start(self, scope: Scope, deadline: Deadline | None = None) -> Unrolling:
        """Return the initial state alone (kept)."""
        unrolling = self._starts.get(scope)
        if unrolling is None:
            unrolling = Unrolling(self.expansion(scope, deadline), from_initial=True)
            self._starts[scope] = unrolling
        return unrolling


class _Question:
    """One obligation in one scope."""

    def __init__(
        self,
        finder: CounterexampleFinder,
        scope: Scope,
        obligation: Obligation,
        deadline: Deadline | None = None,
    ) -> None:
        self._context = finder.context
        self._obligation = obligation
        self._expansion = finder.expansion(scope, deadline)
        circuit, expansion = self._expansion.circuit, self._expansion
        goal = goal_of(finder.context.model, obligation)
        if obligation.kind == "initial":
            self._unrolling = finder.start(scope, deadline)
            self._assumptions = [self._unrolling.literal(0, -expansion.holds(goal))]
            return
        assert obligation.action is not None
        self._unrolling = finder.step(scope, deadline)
        instances = [i for i in expansion.instances if i.action.name == obligation.action.name]
        self._assumptions = [
            self._unrolling.literal(0, expansion.holds(hypothesis.formula))
            for hypothesis in finder.context.hypotheses
        ]
        if obligation.kind == "preserved":
            taken = circuit.disjunction(instance.fire for instance in instances)
            self._assumptions.append(self._unrolling.literal(1, -expansion.holds(goal)))
        else:
            taken = circuit.disjunction(
                circuit.conjunction((i.fire, -i.assertions[obligation.name])) for i in instances
            )
        self._assumptions.append(self._unrolling.literal(0, taken))

    def solve(self, further: Sequence[Literal], deadline: Deadline) -> bool:
        """Return whether there is a counterexample in which `further` literals hold too."""
        return self._unrolling.solve([*self._assumptions, *further], deadline)

    def minimised(self, deadline: Deadline) -> Counterexample:
        """Return the counterexample of the last answer with as little in it as is needed.

        Greedy: each true row is made false, and each value initial, if there still is a
        counterexample then. At the deadline what is reached so far is returned.
        """
        unrolling = self._unrolling
        best = self._read()
        if self._obligation.kind == "initial":
            return best
        kept: list[Literal] = []
        model = unrolling.solver.model
        for wish in self._wishes():
            if wish in model:
                kept.append(wish)
                continue
            try:
                if self.solve([*kept, wish], deadline):
                    kept.append(wish)
                    model = unrolling.solver.model
                    best = self._read()
            except OutOfTime:
                break
        return best

    def _wishes(self) -> list[Literal]:
        """Return what would make the state before smaller, most of all first."""
        expansion, ground = self._expansion, self._expansion.ground
        initial = {abs(c[0]): c[0] for c in expansion.initial if len(c) == 1}
        wishes = []
        for symbol in expansion.mutable:
            if symbol.result == BOOL:
                wishes += [-literal for literal in ground.relations[symbol].values()]
            else:
                for choice in ground.functions[symbol].values():
                    assert not isinstance(choice, int)
                    wishes += [v for _, v in choice if initial.get(v, -v) == v]
        return [self._unrolling.literal(0, wish) for wish in wishes]

    def _read(self) -> Counterexample:
        unrolling, model = self._unrolling, self._context.model
        before = unrolling.structure(0)
        if self._obligation.kind == "initial":
            return Counterexample(before, None, None)
        (instance,) = unrolling.fired(0)
        proposed = Step(instance.action, self._expansion.arguments(instance))
        taken = take(model, before, proposed)
        if taken is None:
            raise ReplayError(f"{instance.action.name} is not enabled in the evaluator")
        step, after = taken
        return Counterexample(before, step, None if self._obligation.kind == "assertion" else after)


# --- structures from elsewhere ------------------------------------------------------------------


def minimise(
    context: Context, obligation: Obligation, found: Counterexample, seconds: float = 5.0
) -> Counterexample:
    """Return a smaller counterexample inside `found`, one that the evaluator agrees with.

    For structures of a quantified solver, which can be large. `found` must refute the
    obligation. Elements that the step does not mention are removed one by one, then rows of
    mutable relations, as long as the rest still refutes the obligation.
    """
    deadline = Deadline(seconds)

    def attempt(before: Structure) -> Counterexample | None:
        step = found.step
        after = None
        if obligation.kind == "preserved":
            assert step is not None
            after = apply(context.model, step.action, before, step.arguments)
        candidate = Counterexample(before, step, after)
        return candidate if refutes(context, obligation, candidate) else None

    best = found
    if obligation.kind == "initial":
        return best
    for reduced in (_without_element, _without_row):
        progress = True
        while progress and deadline.remaining > 0:
            progress = False
            for before in reduced(context.model, best):
                if deadline.remaining <= 0:
                    break
                smaller = attempt(before)
                if smaller is not None:
                    best, progress = smaller, True
                    break
    return best


def _without_element(model: Model, found: Counterexample) -> Iterator[Structure]:
    before = found.before
    used = set()
    if found.step is not None:
        used = {(v.sort, element) for v, element in found.step.arguments.items()}
    for declaration in model.sorts:
        sort, carrier = declaration.sort, before.carriers[declaration.sort]
        if declaration.kind == "enum" or len(carrier) == 1:
            continue
        removable = carrier[1:] if declaration.zero is not None else carrier
        if declaration.next is not None:
            removable = carrier[-1:]  # a counter has no gaps
        for gone in reversed(removable):
            if (sort, gone) in used:
                continue
            rest = tuple(e for e in carrier if e != gone)
            carriers = {**before.carriers, sort: rest}
            relations = {
                symbol: frozenset(
                    row
                    for row in rows
                    if not any(
                        s == sort and e == gone for s, e in zip(symbol.arguments, row, strict=True)
                    )
                )
                for symbol, rows in before.relations.items()
            }
            functions = {
                symbol: {
                    row: rest[0] if symbol.result == sort and value == gone else value
                    for row, value in rows.items()
                    if not any(
                        s == sort and e == gone for s, e in zip(symbol.arguments, row, strict=True)
                    )
                }
                for symbol, rows in before.functions.items()
            }
            yield Structure(carriers, relations, functions)


def _without_row(model: Model, found: Counterexample) -> Iterator[Structure]:
    before = found.before
    for symbol in model.symbols:
        if not symbol.mutable or symbol.result != BOOL:
            continue
        for row in sorted(before.relations[symbol], key=repr):
            relations = {**before.relations, symbol: before.relations[symbol] - {row}}
            yield Structure(before.carriers, relations, before.functions)


def from_encoded(
    context: Context, obligation: Obligation, state: Structure, arguments: Mapping[Var, Value]
) -> Counterexample | None:
    """Return what a state of the encoded model says of the model itself.

    None if it does not refute the obligation there. Functions that the encoding turned into
    relations are functions again; `arguments` are those of the encoded action.
    """
    encoded = {symbol.name: rows for symbol, rows in state.relations.items()}
    functions = {symbol.name: rows for symbol, rows in state.functions.items()}
    before = Structure(
        state.carriers,
        {s: encoded[s.name] for s in context.model.symbols if s.result == BOOL},
        {
            s: functions[s.name]
            if s.name in functions
            else {row[:-1]: row[-1] for row in encoded[s.name]}
            for s in context.model.symbols
            if s.result != BOOL
        },
    )
    action, step, after = obligation.action, None, None
    if action is not None:
        step = Step(action, {variable: arguments[variable] for variable in action.parameters})
        taken = take(context.model, before, step)
        if taken is None:
            return None
        step, after = taken
    found = Counterexample(before, step, None if obligation.kind == "assertion" else after)
    return found if refutes(context, obligation, found) else None
