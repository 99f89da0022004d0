"""Propositional circuits and a SAT solver with a deadline.

A `Circuit` is a Boolean DAG in which equal gates are shared (hash-consing). Every function is
built from conjunctions and negated literals, so a formula is a literal: a signed number. The
clauses that define gates (Tseitin: On the Complexity of Derivation in Propositional
Calculus, 1968) are made only for the gates that a question needs.

This module knows nothing of models and terms.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from pysat.solvers import Solver as PysatSolver

Literal: TypeAlias = int
Clause: TypeAlias = list[int]

TRUE_LITERAL: Literal = 1
FALSE_LITERAL: Literal = -1
"""Variable 1 is the constant true in every circuit."""

_CONFLICTS_PER_CHUNK = 2000


class Circuit:
    """A growing Boolean DAG. Variables count from 1; a literal is a variable or its negation."""

    def __init__(self) -> None:
        self.count = 1
        self._operands: dict[int, tuple[int, ...]] = {}  # gate -> sorted operands, two or more
        self._gates: dict[tuple[int, ...], int] = {}
        self._inputs: dict[int, frozenset[int]] = {}

    def variable(self) -> Literal:
        """Return a new free variable."""
        self.count += 1
        return self.count

    def conjunction(self, literals: Iterable[Literal]) -> Literal:
        """Return a literal that is true exactly if all of `literals` are."""
        operands = set(literals)
        operands.discard(TRUE_LITERAL)
        if not operands:
            return TRUE_LITERAL
        if len(operands) == 1:
            return operands.pop()
        for literal in operands:
            if literal == FALSE_LITERAL or -literal in operands:
                return FALSE_LITERAL
        key = tuple(sorted(operands))
        gate = self._gates.get(key)
        if gate is None:
            self.count += 1
            gate = self.count
            self._gates[key] = gate
            self._operands[gate] = key
        return gate

    def disjunction(self, literals: Iterable[Literal]) -> Literal:
        """Return a literal that is true exactly if one of `literals` is."""
        return -self.conjunction([-literal for literal in literals])

    def equivalence(self, left: Literal, right: Literal) -> Literal:
        """Return a literal that is true exactly if both sides have one value."""
        if left == right:
            return TRUE_LITERAL
        if left == -right:
            return FALSE_LITERAL
        return self.choice(left, right, -right)

    def choice(self, condition: Literal, then: Literal, otherwise: Literal) -> Literal:
        """Return `then` where `condition` is true, else `otherwise`."""
        if condition == TRUE_LITERAL or then == otherwise:
            return then
        if condition == FALSE_LITERAL:
            return otherwise
        return self.conjunction(
            (
                -self.conjunction((condition, -then)),
                -self.conjunction((-condition, -otherwise)),
            )
        )

    def implies(self, left: Literal, right: Literal) -> bool:
        """Whether `left` implies `right` by the form of one gate: `x` implies `x or y`."""
        if left == right:
            return True
        return right in self._operands.get(left, ()) or -left in self._operands.get(-right, ())

    def definitions(self, roots: Iterable[Literal], defined: set[int]) -> list[Clause]:
        """Return the clauses that define all gates below `roots` that are not in `defined`.

        The gates are added to `defined`.
        """
        clauses: list[Clause] = []
        stack = [abs(root) for root in roots]
        while stack:
            gate = stack.pop()
            operands = self._operands.get(gate)
            if operands is None or gate in defined:
                continue
            defined.add(gate)
            clauses.extend([-gate, operand] for operand in operands)
            clauses.append([gate, *(-operand for operand in operands)])
            stack.extend(abs(operand) for operand in operands)
        return clauses

    def inputs(self, literal: Literal) -> frozenset[Literal]:
        """Return the free variables below `literal`, each signed as it occurs.

        If `x` is in the result and `-x` is not, making `x` true never makes `literal` false.
        """
        gate = abs(literal)
        found = self._inputs.get(gate)
        if found is None:
            operands = self._operands.get(gate)
            if gate == TRUE_LITERAL:
                found = frozenset()
            elif operands is None:
                found = frozenset((gate,))
            else:
                found = frozenset().union(*(self.inputs(operand) for operand in operands))
            self._inputs[gate] = found
        return found if literal > 0 else frozenset(-item for item in found)


class OutOfTime(Exception):
    """The deadline passed before the solver had an answer."""


class Deadline:
    """A point in time to stop at; `seconds` None is never."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds left; infinite where there is no end."""
        return float("inf") if self._end is None else self._end - time.monotonic()

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and `seconds` from now."""
        return Deadline(min(self.remaining, seconds))

    def check(self) -> None:
        """Raise `OutOfTime` if it has passed."""
        if self.remaining <= 0:
            raise OutOfTime


class Solver:
    """An incremental solver (CaDiCaL) that gives up at a deadline.

    It works in chunks of conflicts and looks at the clock between them, since the solver
    itself cannot be interrupted.
    """

    def __init__(self) -> None:
        self._solver = PysatSolver("cadical195")
        self._true: frozenset[int] | None = None

    def add(self, clauses: Iterable[Clause]) -> None:
        """Add clauses."""
        self._solver.append_formula(clauses)

    def solve(self, assumptions: Sequence[Literal], deadline: Deadline) -> bool:
        """Return whether the clauses are satisfiable under `assumptions`.

        Raises `OutOfTime` at the deadline.
        """
        self._true = None
        answer: bool | None = None
        while answer is None:
            deadline.check()
            self._solver.conf_budget(_CONFLICTS_PER_CHUNK)
            answer = self._solver.solve_limited(assumptions=list(assumptions))
        return answer

    def core(self) -> list[Literal]:
        """Return assumptions that suffice for the last answer, which was unsatisfiable."""
        return list(self._solver.get_core() or [])

    @property
    def model(self) -> frozenset[Literal]:
        """The true literals of the last answer, which was satisfiable."""
        if self._true is None:
            self._true = frozenset(self._solver.get_model() or ())
        return self._true

    def close(self) -> None:
        """Free the solver's memory."""
        self._solver.delete()
