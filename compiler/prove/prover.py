"""Proving one obligation: which hypotheses to give Z3, for how long, and what to try next.

The order of the attempts is what measurements on Paxos, shard transfer and Raft taught:

1. A glance at the *stratified slice*: the hypotheses that add no cycle to the graph of quantifier
   alternations (see `fragment`), nearest to the obligation first, its own property always among
   them. Without a cycle instantiation ends. That proves nine in ten obligations of Paxos, and
   three in four of Raft, mostly in a hundredth of a second.
2. *Matching* alone (see `triggers`), from the hypotheses that are near to the obligation, then from
   the slice, then from all. It can't find that there is no proof, but soon finds one where there
   is: of the hundred obligations of Raft that the first glance leaves, all.
3. The slice again with a larger budget, and all hypotheses, since a proof may need one left out.
4. The slice with *totality* of the functions for the obligation's own constants: `f(c, v)` with
   a new constant `v` for every function and every tuple of constants. Functions of the model are
   total, so this is sound, and being ground it costs little; general totality, which makes
   proofs run away, is never asserted.
5. If more effort is asked for: the same again with other seeds and larger budgets.

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
    BOOL,
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
from compiler.prove.triggers import Form, Matching, noticed

Effort = Literal["short", "long"]

_BUDGET = 2_000_000  # solver steps of a first attempt; about half a second
_GLANCE = 100_000  # of a glance at what is easy
_MATCHING = 500_000  # of an attempt that only matches
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
    form: Form | None = None  # only match, and so; None: as the solver likes


class Prover:
    """Proves tasks over one theory, one after the other."""

    def __init__(self, theory: Theory, seed: int) -> None:
        self._theory = theory
        self._seed = seed
        hypotheses = (*theory.axioms, *theory.properties)
        self._alternations = {h.digest: alternations(h.formula) for h in hypotheses}
        self._functions = functions(theory.symbols, theory.members)
        self._orders = frozenset(s for s in theory.symbols if s.name.endswith(".<"))
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
        self._begin_matching()

    def _begin_matching(self) -> None:
        """Forget all terms that were made for matching.

        Matching takes terms in the order in which they were made, so each attempt has a context of
        its own: with those of earlier ones in it most proofs are missed.
        """
        self._matching = Matching(
            Translator(self._theory.members), self._theory.members, self._orders
        )

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
            if attempt.form is not None:
                continue  # less was assumed than is known
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
        near_ = self._near(task, everything)
        yield _Attempt(slice_, whole, False, _GLANCE, seed)
        yield _Attempt(near_, False, False, _MATCHING, seed, "both ways")
        yield _Attempt(slice_, False, False, _MATCHING, seed, "both ways")
        yield _Attempt(near_, False, True, _MATCHING, seed, "both ways")
        yield _Attempt(everything, False, False, _MATCHING, seed, "forward")
        yield _Attempt(everything, False, True, _MATCHING, seed, "both ways")
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
            yield _Attempt(everything, False, True, budget, seed, "both ways")
            if not whole:
                yield _Attempt(everything, True, False, budget, seed)
            yield _Attempt(everything, True, True, budget, seed)

    def _near(self, task: Task, everything: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
        """Return the hypotheses that speak of one thing at most that the task does not."""
        axioms = {axiom.digest for axiom in self._theory.axioms}
        return tuple(
            h
            for h in everything
            if h.digest in axioms
            or h.name == task.obligation.name
            or sum(symbol.mutable for symbol in h.symbols - task.symbols) <= 1
        )

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
        if attempt.form is not None:
            self._begin_matching()
        translator = self._matching.translator if attempt.form is not None else self._translator
        context = translator.context
        solver = z3.SimpleSolver(ctx=context)
        solver.set("timeout", max(1, int(seconds * 1000)))
        solver.set("rlimit", attempt.budget)
        solver.set("random_seed", attempt.seed)
        solver.set("mbqi", attempt.form is None)
        for formula in task.formulas:
            if attempt.form is None:
                solver.add(self._translator.term(formula))
            else:
                solver.add(self._matching.formula(formula, attempt.form))
        if attempt.form is not None:
            self._notice(solver, task)
        for hypothesis in attempt.hypotheses:
            digest = hypothesis.digest
            formula = self._formula(hypothesis, attempt.form)
            solver.assert_and_track(formula, z3.Bool(digest, context))
        if attempt.totality:
            for symbol, rows in self._totality(task, attempt.hypotheses):
                known = [translator.term(row) for row in rows]
                if attempt.form is not None:
                    known += [translator.term(noticed(row.arguments[-1])) for row in rows]
                translated = z3.And(known)
                solver.assert_and_track(translated, z3.Bool(total_digest(symbol), context))
        answer = solver.check()
        if answer == z3.unsat:
            core = frozenset(str(literal) for literal in solver.unsat_core())
            return answer, core, ""
        return answer, frozenset(), solver.reason_unknown() if answer == z3.unknown else ""

    def _formula(self, hypothesis: Hypothesis, form: Form | None) -> Any:
        if form is None:
            return self._formulas[hypothesis.digest]
        return self._matching.formula(hypothesis.formula, form)

    def _notice(self, solver: Any, task: Task) -> None:
        """Say of all constants that they are noticed."""
        free = frozenset().union(*(free_variables(formula) for formula in task.formulas))
        for variable in sorted(free, key=lambda v: v.name):
            fact = self._matching.constant(variable)
            if fact is not None:
                solver.add(fact)
        for symbol in self._theory.symbols:
            least = not symbol.arguments and not symbol.mutable and symbol.result != BOOL
            if least and symbol.result not in self._theory.members:
                solver.add(self._matching.translator.term(noticed(Apply(symbol, ()))))

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
