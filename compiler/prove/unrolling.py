"""Layers of grounded steps in one solver.

A layer is a copy of the expansion's block: its own numbers for the state and for the gates,
the same for the rigid symbols. The next state of a layer is the present state of the one after
it. Layers are only ever added, so what the solver learnt for a short execution helps it with
longer ones, and all questions about a model share one unrolling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from compiler.model.structure import Structure
from compiler.prove.expansion import Expansion, Instance
from compiler.prove.sat import TRUE_LITERAL, Clause, Deadline, Literal, Solver


class Unrolling:
    """A growing number of layers.

    `depth` layers of steps lie between `depth + 1` states. `from_initial`: the first state is
    the initial one; else it is any state with one value for each function.
    """

    def __init__(self, expansion: Expansion, from_initial: bool) -> None:
        self.expansion = expansion
        self.solver = Solver()
        self.solver.add([[TRUE_LITERAL]])
        self.depth = 0
        self._count = expansion.rigid_end - 1
        self._maps: list[list[int]] = []
        self._defined: list[set[int]] = []
        self._add_map()
        first: Iterable[Clause] = expansion.rigid
        if from_initial:
            first = chain(first, expansion.initial)
        else:
            first = chain(first, expansion.one_value_each())
        self.require(0, list(first))

    def grow(self) -> None:
        """Add one layer of steps, and the state after it."""
        self._add_map()
        self.depth += 1
        layer = self.depth - 1
        self._defined[layer] |= self.expansion.defined
        self.solver.add(self._copy(layer, self.expansion.clauses))

    def require(self, layer: int, clauses: Sequence[Clause]) -> None:
        """Add clauses over the present state of a layer, with the gates they need."""
        self._define(layer, chain.from_iterable(clauses))
        self.solver.add(self._copy(layer, clauses))

    def literal(self, layer: int, literal: Literal) -> Literal:
        """Return the solver's literal for a literal of the expansion at the state `layer`."""
        self._define(layer, (literal,))
        return self._copy(layer, [[literal]])[0][0]

    def fresh(self) -> Literal:
        """Return a new variable of the solver."""
        self._count += 1
        return self._count

    def reserve(self, last: int) -> None:
        """Leave the variables up to `last` to the caller."""
        self._count = max(self._count, last)

    def fired(self, layer: int) -> list[Instance]:
        """Return the instances that are taken in a layer of the solver's last model."""
        model = self.solver.model
        mapping = self._maps[layer]
        return [i for i in self.expansion.instances if mapping[i.fire] in model]

    def structure(self, layer: int) -> Structure:
        """Return the state `layer` of the solver's last model."""
        model = self.solver.model
        mapping, expansion = self._maps[layer], self.expansion
        rigid = frozenset(v for v in range(1, expansion.rigid_end) if v in model)
        states = range(expansion.rigid_end, expansion.rigid_end + expansion.width)
        return expansion.structure(rigid, frozenset(v for v in states if mapping[v] in model))

    def solve(self, assumptions: Sequence[Literal], deadline: Deadline) -> bool:
        """Return whether there are such executions; raises `OutOfTime` at the deadline."""
        return self.solver.solve(assumptions, deadline)

    def _define(self, layer: int, roots: Iterable[Literal]) -> None:
        clauses = self.expansion.circuit.definitions(roots, self._defined[layer])
        if clauses:
            self.solver.add(self._copy(layer, clauses))

    def _copy(self, layer: int, clauses: Sequence[Clause]) -> list[Clause]:
        mapping = self._map(layer)
        return [[mapping[v] if v > 0 else -mapping[-v] for v in clause] for clause in clauses]

    def _add_map(self) -> None:
        """Number the next layer: its present state is the next state of the layer before."""
        expansion = self.expansion
        mapping = list(range(expansion.rigid_end))
        width = expansion.width
        if self._maps:
            start = expansion.rigid_end + width
            mapping += self._maps[-1][start : start + width]
        else:
            mapping += self._fresh(width)
        mapping += self._fresh(width)
        self._maps.append(mapping)
        self._defined.append(set())

    def _map(self, layer: int) -> list[int]:
        mapping = self._maps[layer]
        missing = self.expansion.circuit.count + 1 - len(mapping)
        if missing > 0:
            mapping += self._fresh(missing)
        return mapping

    def _fresh(self, count: int) -> range:
        first = self._count + 1
        self._count += count
        return range(first, first + count)
