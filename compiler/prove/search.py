"""Bounded search for real executions that break a property.

Small instances are unrolled layer by layer (`expansion`, `unrolling`), in turn, the small
ones a little ahead, so that executions with few rounds of steps and few nodes come first.
Loss and duplication need no steps of their own: what was sent stays sent.

**What is guaranteed.** A layer holds at most one step a node. The first execution found has
the fewest layers in its instance. Then the number of steps is minimised for that number of
layers, and after that more layers are tried as long as they could make fewer steps possible;
`Reachable.bound` says how far this went. Every execution is replayed in the evaluator, which
must agree on each step and on the violation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pysat.card import ITotalizer

from compiler.model.system import Model
from compiler.prove.expansion import Expansion, Instance
from compiler.prove.replay import ReplayError, is_initial, replay, violations
from compiler.prove.sat import Deadline, Literal, OutOfTime
from compiler.prove.scope import Scope, is_single, sized_sorts, with_parameters
from compiler.prove.unrolling import Unrolling
from compiler.prove.verdict import NotReached, Reachable, Step, Trace

_HEAD_START = 2
"""How many layers smaller instances are ahead of the next greater one, which costs more."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How far a search goes: `seconds` for a question, `layers` at most."""

    seconds: float = 20.0
    layers: int = 16


class _Bounded:
    """One scope with its unrolling. `clear[name]`: the last state known to have no violation."""

    def __init__(self, expansion: Expansion) -> None:
        self.expansion = expansion
        self.unrolling = Unrolling(expansion, from_initial=True)
        self._counters: dict[int, tuple[int, list[Literal]]] = {}
        self.clear: dict[str | None, int] = {}
        self._bad: dict[str | None, Literal] = {}

    def bad(self, name: str | None) -> Literal:
        """Return the literal of a state in which `name` (None: anything) is or can be broken."""
        literal = self._bad.get(name)
        if literal is None:
            circuit = self.expansion.circuit
            cases = [
                -self.expansion.holds(p.formula)
                for p in self.expansion.model.properties
                if name is None or p.name == name
            ]
            cases += [
                circuit.conjunction((*instance.guard, -holds))
                for instance in self.expansion.instances
                for assertion, holds in instance.assertions.items()
                if name is None or assertion == name
            ]
            literal = circuit.disjunction(cases)
            self._bad[name] = literal
        return literal

    def can(self, action: str) -> Literal:
        """Return the literal of a state in which the action is enabled."""
        circuit = self.expansion.circuit
        return circuit.disjunction(
            circuit.conjunction(i.guard)
            for i in self.expansion.instances
            if i.action.name == action
        )

    def at_most(self, depth: int, count: int) -> list[Literal]:
        """Return assumptions under which at most `count` steps are taken in `depth` layers."""
        unrolling = self.unrolling
        known = self._counters.get(depth)
        if known is None or known[0] < count:
            steps = [
                unrolling.literal(layer, active)
                for layer in range(depth)
                for active in self.expansion.active.values()
            ]
            if count >= len(steps):
                return []
            totalizer = ITotalizer(lits=steps, ubound=max(count, 1), top_id=unrolling.fresh())
            unrolling.solver.add(totalizer.cnf.clauses)
            unrolling.reserve(totalizer.top_id)
            known = (max(count, 1), list(totalizer.rhs))
            self._counters[depth] = known
            totalizer.delete()
        return [-known[1][max(count, 0)]]

    def reach(self, depth: int) -> None:
        """Unroll to `depth` layers."""
        while self.unrolling.depth < depth:
            self.unrolling.grow()


class Search:
    """A search over the executions of one model; all questions share its unrollings."""

    def __init__(self, model: Model, options: SearchOptions | None = None) -> None:
        self.model = model
        self.options = options or SearchOptions()
        ranks: dict[Scope, int] = {}
        for rank, scope in search_scopes(model):
            ranks.setdefault(scope, rank)
        self._ranks = ranks
        self.scopes = tuple(ranks)
        self._bounded: dict[Scope, _Bounded] = {}

    # --- violations -----------------------------------------------------------------------

    def find_violation(
        self, name: str | None = None, seconds: float | None = None
    ) -> Reachable | NotReached:
        """Look for an execution that breaks the property or assertion `name`, or any if None.

        `seconds` is the time for this question, if not what the options say. Raises
        `ReplayError` if the evaluator does not agree with what the solver found.
        """
        deadline = Deadline(self.options.seconds if seconds is None else seconds)
        skipped: set[Scope] = set()
        for depth in range(self.options.layers + 1):
            for scope, rank in self._ranks.items():
                if scope in skipped or depth < _HEAD_START * rank:
                    continue
                try:
                    share = deadline.within(max(1.0, deadline.remaining / 3))
                    found = self._violation_at(scope, name, depth, share)
                except OutOfTime:
                    skipped.add(scope)  # the smaller ones may still go further
                    continue
                if found is not None:
                    return self._shortest(found, name, deadline)
            if deadline.remaining <= 0 or len(skipped) == len(self.scopes):
                break
        return NotReached(self._describe_bound(name))

    def _violation_at(
        self, scope: Scope, name: str | None, depth: int, deadline: Deadline
    ) -> _Bounded | None:
        bounded = self._open(scope, deadline)
        for state in range(bounded.clear.get(name, -1) + 1, depth + 1):
            bounded.reach(state)
            bad = bounded.unrolling.literal(state, bounded.bad(name))
            if bounded.unrolling.solve([bad], deadline):
                return bounded
            bounded.unrolling.solver.add([[-bad]])
            bounded.clear[name] = state
        return None

    def _open(self, scope: Scope, deadline: Deadline) -> _Bounded:
        deadline.check()
        bounded = self._bounded.get(scope)
        if bounded is None:
            bounded = _Bounded(Expansion(self.model, scope, deadline))
            self._bounded[scope] = bounded
        return bounded

    def _shortest(self, bounded: _Bounded, name: str | None, deadline: Deadline) -> Reachable:
        """Minimise the execution in the solver's last model, and check it."""
        unrolling = bounded.unrolling
        depth = bounded.clear.get(name, -1) + 1
        best = self._extract(bounded, depth, name)
        proved = depth  # more layers than this were not looked at
        limit = deadline.within(max(5.0, deadline.remaining / 2))
        try:
            while True:
                # A failing assertion's own step is not one of the unrolled ones.
                count = len(best.trace.steps) - self._extra(best)
                if count == 0:
                    break
                bound = bounded.at_most(depth, count - 1)
                bad = unrolling.literal(depth, bounded.bad(name))
                if unrolling.solve([bad, *bound], limit):
                    best = self._extract(bounded, depth, name)
                    continue
                proved = depth
                if depth >= count - 1 or depth >= self.options.layers:
                    break
                depth += 1
                bounded.reach(depth)
            within = f"no execution of up to {proved} layers has fewer steps"
            if proved >= len(best.trace.steps) - self._extra(best) - 1:
                within = "no execution has fewer steps"
        except OutOfTime:
            within = "shorter ones may exist (out of time)"
        words = f"with {bounded.expansion.scope.describe(self.model)}, {within}"
        return replace(best, bound=words)

    def _extra(self, found: Reachable) -> int:
        return 0 if any(p.name == found.name for p in self.model.properties) else 1

    def _extract(self, bounded: _Bounded, depth: int, name: str | None) -> Reachable:
        """Read an execution from the solver's last model, put it in order, and replay it."""
        unrolling, expansion = bounded.unrolling, bounded.expansion
        start = unrolling.structure(0)
        instances = [i for layer in range(depth) for i in unrolling.fired(layer)]
        last: list[Instance] = []
        if not any(p.name == name for p in self.model.properties):
            last = self._failing(bounded, depth, name)
        layered = [Step(i.action, expansion.arguments(i)) for i in instances + last]
        trace = replay(self.model, start, layered)
        if trace is None or not is_initial(self.model, start) or not self._breaks(trace, name):
            raise ReplayError("an execution that the solver found does not replay")
        for index in range(len(layered) - len(last) - 1, -1, -1):
            shorter = layered[:index] + layered[index + 1 :]
            candidate = replay(self.model, start, shorter)
            if candidate is not None and self._breaks(candidate, name):
                layered, trace = shorter, candidate
                del instances[index]
        ordered = [Step(i.action, expansion.arguments(i)) for i in story(expansion, instances)]
        candidate = replay(self.model, start, ordered + layered[len(instances) :])
        if candidate is not None and self._breaks(candidate, name):
            trace = candidate
        broken = sorted(self._broken(trace, name))
        trace = replace(trace, parameters=expansion.scope.parameters)
        return Reachable(broken[0], trace)

    def _failing(self, bounded: _Bounded, depth: int, name: str | None) -> list[Instance]:
        """Return an instance with a broken assertion that is enabled in the last state, if any."""
        unrolling = bounded.unrolling
        model = unrolling.solver.model
        if any(
            unrolling.literal(depth, -bounded.expansion.holds(p.formula)) in model
            for p in self.model.properties
            if name is None or p.name == name
        ):
            return []
        for instance in bounded.expansion.instances:
            for assertion, holds in instance.assertions.items():
                if (name is None or assertion == name) and all(
                    unrolling.literal(depth, literal) in model
                    for literal in (*instance.guard, -holds)
                ):
                    return [instance]
        return []

    def _broken(self, trace: Trace, name: str | None) -> frozenset[str]:
        broken = violations(self.model, trace)
        return broken if name is None else broken & {name}

    def _breaks(self, trace: Trace, name: str | None) -> bool:
        return bool(self._broken(trace, name))

    def _describe_bound(self, name: str | None) -> str:
        looked: dict[int, list[str]] = {}
        for scope, bounded in self._bounded.items():
            depth = bounded.clear.get(name, 0)
            if depth > 0:
                looked.setdefault(depth, []).append(scope.describe(self.model))
        if not looked:
            return "nothing was searched in the time given"
        parts = [
            f"up to {depth} layers with {', or '.join(scopes)}"
            for depth, scopes in sorted(looked.items(), reverse=True)
        ]
        return f"executions of {'; '.join(parts)} (in a layer each node takes at most one step)"

    # --- what can happen ------------------------------------------------------------------

    def has_initial_state(self, scope: Scope, deadline: Deadline) -> bool:
        """Return whether the scope has an initial state that satisfies the axioms."""
        return self._open(scope, deadline).unrolling.solve([], deadline)

    def find_enabled(self, seconds: float | None = None) -> tuple[frozenset[str], str]:
        """Return the names of the actions seen enabled, and in words how far it looked."""
        deadline = Deadline(self.options.seconds if seconds is None else seconds)
        missing = {action.name for action in self.model.actions}
        seen: set[str] = set()
        looked: dict[Scope, int] = {}
        for depth in range(2, self.options.layers + 1, 2):
            for scope, rank in self._ranks.items():
                if not missing or deadline.remaining <= 0:
                    break
                if depth < 2 * _HEAD_START * rank:
                    continue
                try:
                    share = deadline.within(max(1.0, deadline.remaining / 3))
                    seen |= self._enabled_at(scope, depth, missing, share)
                    looked[scope] = depth
                except OutOfTime:
                    pass
                missing -= seen
        words = "; ".join(
            f"{depth} layers with {scope.describe(self.model)}" for scope, depth in looked.items()
        )
        return frozenset(seen), words

    def _enabled_at(
        self, scope: Scope, depth: int, names: set[str], deadline: Deadline
    ) -> set[str]:
        bounded = self._open(scope, deadline)
        bounded.reach(depth)
        seen: set[str] = set()
        for name in sorted(names):
            if name in seen:
                continue
            can = bounded.unrolling.literal(depth, bounded.can(name))
            if bounded.unrolling.solve([can], deadline):
                seen.add(name)
                for layer in range(depth):
                    seen |= {i.action.name for i in bounded.unrolling.fired(layer)}
        return seen


def find_violation(
    model: Model, name: str | None = None, options: SearchOptions | None = None
) -> Reachable | NotReached:
    """Look for an execution that breaks `name` (None: any property or assertion)."""
    return Search(model, options).find_violation(name)


def find_enabled(model: Model, options: SearchOptions | None = None) -> tuple[frozenset[str], str]:
    """Return the names of the actions seen enabled in small executions, and the bound in words."""
    return Search(model, options).find_enabled()


def search_scopes(model: Model) -> Iterator[tuple[int, Scope]]:
    """Yield the instances to search with their ranks, small ones first.

    Roles with a quorum have 1 to 4 nodes (an even number shows thresholds that count half as
    a majority), others 2; opaque sorts have 2 elements, ordered ones and sorts of sets 3, then 4,
    then 5. Which sets these are is for the solver to find.
    """
    voters = {quorum.role.name for quorum in model.quorums}
    ordered = any(declaration.kind == "ordered" for declaration in model.sorts)

    def sizes(voting: int, others: int, ranks: int) -> tuple[tuple[str, int], ...]:
        found = []
        for name in sized_sorts(model):
            match model.sort(name).kind:
                case "role" if is_single(model, name):
                    size = 1
                case "role":
                    size = voting if name in voters else others
                case "ordered" | "set":
                    size = ranks
                case _:
                    size = 2
            found.append((name, size))
        return tuple(found)

    plans = [(voting, 2, 3) for voting in ((1, 2, 3, 4) if voters else (2,))]
    if ordered:
        plans.append((3, 2, 4))
    plans.append((3, 3, 4 if ordered else 3))
    if ordered:
        plans.append((3, 2, 5))
    for rank, plan in enumerate(plans):
        for scope in with_parameters(model, sizes(*plan)):
            yield rank, scope


def story(expansion: Expansion, instances: Sequence[Instance]) -> list[Instance]:
    """Reorder steps so that an effect follows its cause as soon as it can.

    `instances` are in an order in which they can be taken. A step stays behind every earlier
    one of the same node, and every earlier one that writes what it reads or the reverse.
    """
    reads = [expansion.reads(i) for i in instances]
    writes = [frozenset(now for now, _ in i.writes) for i in instances]
    needs: list[set[int]] = []
    for later, instance in enumerate(instances):
        needs.append(
            {
                earlier
                for earlier in range(later)
                if instances[earlier].node == instance.node
                or writes[earlier] & (reads[later] | writes[later])
                or writes[later] & reads[earlier]
            }
        )
    order: list[int] = []
    waiting = list(range(len(instances)))
    while waiting:
        ready = [i for i in waiting if needs[i] <= set(order)]
        following = [i for i in ready if order and order[-1] in needs[i]]
        chosen = (following or ready)[0]
        order.append(chosen)
        waiting.remove(chosen)
    return [instances[i] for i in order]
