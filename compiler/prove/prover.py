"""Proving one obligation: which hypotheses to give Z3, for how long, and what to try next.

The order of the attempts is what measurements on Paxos and two-phase commit taught:

1. The *stratified slice*: the hypotheses that add no cycle to the graph of quantifier
   alternations (see `fragment`), nearest to the obligation first, its own property always among
   them. Without a cycle instantiation ends. On Paxos this proves all 89 obligations in 1 s
   with every seed tried; all hypotheses at once take 7 s and leave one or two undecided.
2. All hypotheses, since a proof may need one that was left out.
3. The slice with *totality* of the functions for the obligation's own constants: `f(c, v)` with
   a new constant `v` for every function and every tuple of constants. Functions of the model are
   total, so this is sound, and being ground it costs little; general totality, which makes
   proofs run away, is never asserted.
4. If more effort is asked for: the same again with other seeds and larger budgets.

The time for one obligation has a heavy tail: where one seed runs away, the next mostly proves it in
a fraction of a second. So budgets are small at first, and other seeds come before longer ones.
Budgets are counts of the solver's own steps, not seconds, so an answer does not depend on how
busy the machine is. Each attempt is a fresh solver: less prone to drift than one incremental
solver for all, and cheap, since hypotheses are translated once for a batch of tasks.

Only `unsat` is a proof. `sat` on a question with quantifiers is a hint: the state may be one in
which a function has no value.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import z3

from compiler.model.term import (
    Apply,
    Element,
    Sort,
    Symbol,
    Var,
    free_variables,
)
from compiler.prove.fragment import adds_no_cycle, alternations, functions
from compiler.prove.obligations import Hypothesis, Task, total_digest
from compiler.prove.translate import Translator

Effort = Literal["short", "long"]

_BUDGET = 2_000_000  # solver steps of a first attempt; about half a second
_INSTANCES = 120  # at most so many instances of totality in one attempt


@dataclass(frozen=True, slots=True)
class Theory:
    """What all obligations of one model have in common."""

    axioms: tuple[Hypothesis, ...]
    properties: tuple[Hypothesis, ...]
    symbols: tuple[Symbol, ...]
    total: tuple[Symbol, ...]
    members: Mapping[Sort, tuple[Element, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one task.

    `unsat`: proved, from the hypotheses with the digests `core`. `sat`: with all hypotheses
    the solver found a state. `unknown`: it gave up; `reason` in its words. `late`: no time.
    """

    status: Literal["unsat", "sat", "unknown", "late"]
    core: frozenset[str]
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Attempt:
    hypotheses: tuple[Hypothesis, ...]
    whole: bool  # nothing was left out
    totality: bool
    budget: int
    seed: int


class Prover:
    """Proves tasks over one theory, one after the other."""

    def __init__(self, theory: Theory, seed: int) -> None:
        self._theory = theory
        self._seed = seed
        hypotheses = (*theory.axioms, *theory.properties)
        self._alternations = {h.digest: alternations(h.formula) for h in hypotheses}
        self._functions = functions(theory.symbols, theory.members)
        self.renew()

    def renew(self) -> None:
        """Begin a batch: forget the terms of earlier tasks.

        How long the solver takes depends on the order in which all terms of its context were
        made. A batch begins alike whatever was proved before, in this process or another.
        """
        theory = self._theory
        self._translator = Translator(theory.members)
        for symbol in theory.symbols:
            self._translator.symbol(symbol)
        hypotheses = (*theory.axioms, *theory.properties)
        self._formulas = {h.digest: self._translator.term(h.formula) for h in hypotheses}

    def prove(
        self, task: Task, effort: Effort, near: Iterable[frozenset[str]], deadline: float
    ) -> Finding:
        """Try to prove `task` until `deadline` (of `time.monotonic`).

        `near` are cores of earlier proofs of the same formulas, possibly with other hypotheses.
        """
        start = time.monotonic()
        status: Literal["sat", "unknown"] = "unknown"
        reason = "the solver gave up"
        for attempt in self._attempts(task, effort, near):
            left = deadline - time.monotonic()
            if left <= 0:
                return Finding("late", frozenset(), "out of time", time.monotonic() - start)
            if status == "sat" and not attempt.totality:
                continue  # a state was found with no less assumed
            answer, core, why = self._check(task, attempt, left)
            if answer == z3.unsat:
                return Finding("unsat", core, "", time.monotonic() - start)
            if answer == z3.sat and attempt.whole:
                status, reason = "sat", "the solver found a state in which it fails"
                if attempt.totality:
                    break
            elif status != "sat" and answer == z3.unknown:
                reason = f"the solver gave up ({why})"
        return Finding(status, frozenset(), reason, time.monotonic() - start)

    def _attempts(
        self, task: Task, effort: Effort, near: Iterable[frozenset[str]]
    ) -> Iterator[_Attempt]:
        everything = self._hypotheses(task)
        slice_ = self._stratified(task)
        whole = len(slice_) == len(everything)
        seed = self._seed
        for core in near:
            cached = tuple(h for h in everything if h.digest in core)
            yield _Attempt(cached, False, False, _BUDGET, seed)
        yield _Attempt(slice_, whole, False, _BUDGET, seed)
        yield _Attempt(slice_, whole, False, _BUDGET, seed + 1)
        if not whole:
            yield _Attempt(everything, True, False, _BUDGET, seed)
        yield _Attempt(slice_, whole, True, _BUDGET, seed)
        yield _Attempt(slice_, whole, False, 2 * _BUDGET, seed + 2)
        if effort == "short":
            return
        for round_ in range(1, 6):
            budget = _BUDGET * 2**round_
            seed = self._seed + 2 + round_
            yield _Attempt(slice_, whole, False, budget, seed)
            if not whole:
                yield _Attempt(everything, True, False, budget, seed)
            yield _Attempt(everything, True, True, budget, seed)

    def _hypotheses(self, task: Task) -> tuple[Hypothesis, ...]:
        """Return what may be used, formulas that say the same once."""
        theory = self._theory
        usable = (*theory.axioms, *theory.properties) if task.inductive else theory.axioms
        return tuple({hypothesis.digest: hypothesis for hypothesis in usable}.values())

    def _stratified(self, task: Task) -> tuple[Hypothesis, ...]:
        """Return the hypotheses that close no further cycle, in their own order."""
        edges = set(self._functions)
        for formula in task.formulas:
            edges |= alternations(formula)
        for axiom in self._theory.axioms:
            edges |= self._alternations[axiom.digest]
        if not task.inductive:
            return self._hypotheses(task)
        near = frozenset(symbol for symbol in task.symbols if symbol.mutable)

        def distance(hypothesis: Hypothesis) -> tuple[bool, int, int]:
            spoken = frozenset(symbol for symbol in hypothesis.symbols if symbol.mutable)
            own = hypothesis.name == task.obligation.name
            return (not own, -len(spoken & near), len(spoken - near))

        chosen = set(self._theory.axioms)
        for hypothesis in sorted(self._theory.properties, key=distance):
            new = self._alternations[hypothesis.digest]
            own = hypothesis.name == task.obligation.name
            if own or adds_no_cycle(new, edges):
                edges |= new
                chosen.add(hypothesis)
        return tuple(h for h in self._hypotheses(task) if h in chosen)

    def _check(
        self, task: Task, attempt: _Attempt, seconds: float
    ) -> tuple[Any, frozenset[str], str]:
        context = self._translator.context
        solver = z3.SimpleSolver(ctx=context)
        solver.set("timeout", max(1, int(seconds * 1000)))
        solver.set("rlimit", attempt.budget)
        solver.set("random_seed", attempt.seed)
        for formula in task.formulas:
            solver.add(self._translator.term(formula))
        for hypothesis in attempt.hypotheses:
            digest = hypothesis.digest
            solver.assert_and_track(self._formulas[digest], z3.Bool(digest, context))
        if attempt.totality:
            for symbol, rows in self._totality(task, attempt.hypotheses):
                translated = z3.And([self._translator.term(row) for row in rows])
                solver.assert_and_track(translated, z3.Bool(total_digest(symbol), context))
        answer = solver.check()
        if answer == z3.unsat:
            core = frozenset(str(literal) for literal in solver.unsat_core())
            return answer, core, ""
        return answer, frozenset(), solver.reason_unknown() if answer == z3.unknown else ""

    def _totality(
        self, task: Task, hypotheses: Iterable[Hypothesis]
    ) -> Iterator[tuple[Symbol, list[Apply]]]:
        """Yield for each function the rows `f(c, v)` for constants `c` of the task."""
        constants: dict[Sort, list[Var]] = {}
        free = frozenset().union(*(free_variables(formula) for formula in task.formulas))
        for variable in sorted(free, key=lambda v: (len(v.name), v.name)):
            constants.setdefault(variable.sort, []).append(variable)
        used = task.symbols.union(*(h.symbols for h in hypotheses))
        count = 0
        for symbol in self._theory.total:
            if symbol not in used:
                continue
            rows: list[Apply] = []
            *arguments, result = symbol.arguments
            for columns in itertools.product(*(constants.get(sort, []) for sort in arguments)):
                count += 1
                if count > _INSTANCES:
                    break
                rows.append(Apply(symbol, (*columns, Var(f"t{count}", result))))
            if rows:
                yield symbol, rows
