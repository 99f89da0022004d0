"""Verification: everything that is claimed of one model, and the verdict on each claim.

The order is: quorum facts; then the obligations, from the cache or by the solver; then, for
each obligation that is open, a small counterexample, and only where there is none more effort
by the solver; then the question whether what fails can really happen, by a search from the
initial state; and last what would make a proof hollow.

Facts that are not proved are not used. A property is called proved if its obligations are, and
those of every property they lean on: the unsat cores say which. The properties that are left
when all others, and what leans on them, are taken away are inductive by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from compiler.model.system import Axiom, Model, Property
from compiler.prove.cache import Cache
from compiler.prove.hollow import hollow, remembered
from compiler.prove.obligations import Obligations, Task, obligations
from compiler.prove.quorums import prove_facts
from compiler.prove.relational import relationalise
from compiler.prove.solve import Answer, Failed, solve
from compiler.prove.verdict import (
    FactProved,
    Finding,
    NotReached,
    Obligation,
    ObligationResult,
    PossibilityResult,
    PropertyResult,
    Proved,
    Reachable,
    Refuted,
    Report,
    Unknown,
    Verdict,
)

if TYPE_CHECKING:
    from compiler.prove.counterexample import CounterexampleFinder
    from compiler.prove.search import Search

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and a word on what is being done."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How to verify. Times are in seconds.

    `only`: names of facts, properties, assertions and actions; what is not named is used, but
    not proved. `search`: whether to look for executions of what fails; what would make a proof
    hollow is looked for wherever there is a proof.
    """

    timeout: float = 300.0
    jobs: int = 1
    seed: int = 0
    only: tuple[str, ...] = ()
    cache: Cache | None = None
    search: bool = True
    search_seconds: float = 60.0
    counterexample_seconds: float = 10.0


_POSSIBLE_SHARE = 2.0
"""Visiting all states takes longer than a search: so many times as long is allowed."""


def names_of(model: Model) -> tuple[str, ...]:
    """Return the names that `VerifyOptions.only` may hold."""
    return (
        *(fact.name for fact in model.facts),
        *(property_.name for property_ in model.properties),
        *(possibility.name for possibility in model.possibilities),
        *(action.name for action in model.actions),
        *(assertion.name for action in model.actions for assertion in action.assertions),
    )


def verify(
    model: Model,
    options: VerifyOptions | None = None,
    progress: Progress = lambda done, total, text: None,
) -> Report:
    """Return the verdict on everything that `model` claims.

    Raises `ReplayError` if a solver's refutation does not hold in the evaluator, which is an
    error of this program.
    """
    return _Verification(model, options or VerifyOptions(), progress).report()


class _Verification:
    def __init__(self, model: Model, options: VerifyOptions, progress: Progress) -> None:
        self.model = model
        self.options = options
        self.progress = progress
        self.start = time.monotonic()
        self.facts = prove_facts(model, options.cache)
        proved = {f.name for f in self.facts if isinstance(f.verdict, FactProved)}
        self.axioms = tuple(
            Axiom(fact.name, fact.formula, "fact", fact.span)
            for fact in model.facts
            if fact.formula is not None and fact.name in proved
        )
        work = obligations(model, relationalise(model), self.axioms)
        tasks = tuple(task for task in work.tasks if self._selected(task))
        self.work = replace(work, tasks=tasks)

    # A proof that comes from the cache needs neither of these, and is spared loading them.

    @cached_property
    def finder(self) -> CounterexampleFinder:
        """What looks for small counterexamples to obligations."""
        from compiler.prove.counterexample import Context, CounterexampleFinder

        return CounterexampleFinder(Context(self.model, self.model.properties, self.axioms))

    @cached_property
    def search(self) -> Search:
        """What looks for executions."""
        from compiler.prove.search import Search

        return Search(self.model)

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self.options.timeout - (time.monotonic() - self.start))

    def report(self) -> Report:
        answers = self._solve(self.work)
        results = self._results(answers)
        self._show_without_lemmas(answers, results)
        properties = self._properties(answers, results)
        only = self.options.only
        findings: tuple[Finding, ...] = ()
        proved = all(isinstance(result.verdict, Proved) for result in results)
        if (self.options.search or proved) and not only:
            self.progress(1, 1, "looking for what would make the proof hollow")
            known = remembered(self.model, self.options.cache) if proved else None
            findings = (
                hollow(self.work, self.search, self.finder, self.options.cache, proved, self.left)
                if known is None
                else known
            )
            if not self.model.properties:
                message = f"{self.model.name} claims nothing, so nothing is proved of it"
                nothing = Finding("note", "nothing_claimed", self.model.name, message, None)
                findings = (*findings, nothing)
        possibilities = tuple(self._possibilities())
        untouched = (
            ObligationResult(obligation, Proved("untouched"), 0.0)
            for obligation in self.work.untouched
            if not only or obligation.name in only
        )
        return Report(
            model=self.model,
            axioms=(*self.model.axioms, *self.axioms),
            facts=tuple(f for f in self.facts if not only or f.name in only),
            obligations=(*results, *untouched),
            properties=properties,
            findings=findings,
            selected=only,
            seconds=time.monotonic() - self.start,
            possibilities=possibilities,
        )

    def _selected(self, task: Task) -> bool:
        only, obligation = self.options.only, task.obligation
        action = obligation.action
        return not only or obligation.name in only or (action is not None and action.name in only)

    # --- obligations -------------------------------------------------------------------------

    def _solve(self, work: Obligations) -> list[Answer]:
        done = 0

        def count(answer: Answer) -> None:
            nonlocal done
            done += 1
            self.progress(done, len(work.tasks), answer.obligation.name)

        return solve(
            work,
            seed=self.options.seed,
            timeout=max(0.1, self.left),
            jobs=self.options.jobs,
            cache=self.options.cache,
            on_result=count,
        )

    def _results(self, answers: list[Answer]) -> list[ObligationResult]:
        """Return the verdict on each obligation; `answers` is brought up to date in place."""
        found: dict[int, ObligationResult] = {}
        hard: list[int] = []
        for index, answer in enumerate(answers):
            if isinstance(answer.outcome, Proved):
                found[index] = ObligationResult(answer.obligation, answer.outcome, answer.seconds)
                continue
            self.progress(index, len(answers), f"a counterexample to {answer.obligation.name}")
            verdict = self._counterexample(answer)
            if verdict is None:
                hard.append(index)
            else:
                found[index] = ObligationResult(answer.obligation, verdict, answer.seconds)
        if hard and self.left > 0:
            tasks = tuple(answers[index].task for index in hard)
            again = solve(
                replace(self.work, tasks=tasks),
                seed=self.options.seed,
                timeout=self.left,
                jobs=self.options.jobs,
                cache=self.options.cache,
                effort="long",
            )
            for index, answer in zip(hard, again, strict=True):
                answers[index] = answer
        for index in hard:
            answer = answers[index]
            settled = self._larger_counterexample(answer) or _settled(answer)
            found[index] = ObligationResult(answer.obligation, settled, answer.seconds)
        return [found[index] for index in range(len(answers))]

    def _show_without_lemmas(self, answers: list[Answer], results: list[ObligationResult]) -> None:
        """Show anew what leans on an assertion that is not proved; bring both up to date."""
        failed = {
            result.obligation.name
            for result in results
            if result.obligation.kind == "assertion" and not isinstance(result.verdict, Proved)
        }
        again = [i for i, answer in enumerate(answers) if failed.intersection(answer.task.given)]
        if not again:
            return
        plain = obligations(self.model, relationalise(self.model), self.axioms, lemmas=False)
        tasks = {_key(task): task for task in plain.tasks}
        work = replace(self.work, tasks=tuple(tasks[_key(answers[i].task)] for i in again))
        found = self._solve(work)
        for i, answer, result in zip(again, found, self._results(found), strict=True):
            answers[i], results[i] = answer, result

    def _counterexample(self, answer: Answer) -> Refuted | None:
        seconds = min(self.options.counterexample_seconds, self.left)
        if seconds <= 0 or not self._of_the_spec(answer.obligation):
            return None
        found = self.finder.find(answer.obligation, seconds)
        return None if found is None else Refuted(found)

    def _larger_counterexample(self, answer: Answer) -> Refuted | None:
        """Ask Z3 for a state in which an obligation fails that no small structure refutes."""
        seconds = min(self.options.counterexample_seconds, self.left)
        obligation = answer.obligation
        if isinstance(answer.outcome, Proved) or seconds <= 0 or not self._of_the_spec(obligation):
            return None
        from compiler.prove.bounded import find_structure  # loads Z3, which is seldom needed here
        from compiler.prove.counterexample import from_encoded, minimise

        state = find_structure(self.work, answer.task, seconds=seconds, seed=self.options.seed)
        if state is None:
            return None
        context = self.finder.context
        found = from_encoded(context, obligation, state.structure, state.arguments)
        return None if found is None else Refuted(minimise(context, obligation, found))

    def _of_the_spec(self, obligation: Obligation) -> bool:
        """Whether the obligation is about something in the spec.

        What the encoding adds, that options and functions have one value at most, is true of
        every state of the model, so there is no counterexample to look for.
        """
        known = {p.name for p in self.model.properties}
        return obligation.kind == "assertion" or obligation.name in known

    # --- properties --------------------------------------------------------------------------

    def _properties(
        self, answers: Sequence[Answer], results: Sequence[ObligationResult]
    ) -> tuple[PropertyResult, ...]:
        failing = {
            result.obligation.name: result
            for result in results
            if not isinstance(result.verdict, Proved)
        }
        unproved = _with_dependents(set(failing), answers)
        found: list[PropertyResult] = []
        for property_ in (*self.model.properties, *_assertions(self.model)):
            if self.options.only and property_.name not in self.options.only:
                continue
            if property_.name not in unproved:
                found.append(PropertyResult(property_, "proved", None))
                continue
            execution = None
            if self.options.search and (property_.kind != "invariant" or property_.name in failing):
                execution = self._execution(property_, property_.name in failing)
            refuted = isinstance(execution, Reachable)
            found.append(PropertyResult(property_, "refuted" if refuted else "unknown", execution))
        return tuple(found)

    def _possibilities(self) -> Iterator[PossibilityResult]:
        """Yield the verdict on what is to stay possible; without a search there is none."""
        from compiler.prove.possible import decide

        if not self.options.search:
            return
        for possibility in self.model.possibilities:
            if self.options.only and possibility.name not in self.options.only:
                continue
            self.progress(0, 1, f"whether {possibility.name} stays possible")
            seconds = min(_POSSIBLE_SHARE * self.options.search_seconds, self.left)
            yield decide(self.model, possibility, seconds, self.options.cache)

    def _execution(self, property_: Property, fails: bool) -> Reachable | NotReached:
        self.progress(0, 1, f"an execution that breaks {property_.name}")
        # What the user wants and a step breaks is worth more time than what the induction
        # needs, and than what is only left unproved since it leans on something else.
        share = 1.0 if fails and property_.kind != "invariant" else 0.25
        seconds = min(self.options.search_seconds * share, self.left)
        return self.search.find_violation(property_.name, seconds)


def _assertions(model: Model) -> Iterator[Property]:
    """Yield the assertions of all actions, for which there is a verdict like any other."""
    for action in model.actions:
        for assertion in action.assertions:
            yield Property("assertion", assertion.name, assertion.formula, assertion.span)


def _key(task: Task) -> tuple[str, str, str | None]:
    """Return what an obligation is known by among those of one model."""
    obligation = task.obligation
    action = obligation.action.name if obligation.action is not None else None
    return obligation.kind, obligation.name, action


def _settled(answer: Answer) -> Verdict:
    """Return the verdict on an obligation that no small counterexample refutes."""
    if isinstance(answer.outcome, Failed):
        return Unknown(f"{answer.outcome.reason}, but no small one was found")
    return answer.outcome


def _with_dependents(bad: set[str], answers: Sequence[Answer]) -> set[str]:
    """Return `bad` and every property with a proof that leans on one of these."""
    leans: dict[str, set[str]] = {}
    for answer in answers:
        on = leans.setdefault(answer.obligation.name, set())
        on.update(answer.core, answer.task.given)
    reached = set(bad)
    growing = True
    while growing:
        more = {name for name, core in leans.items() if name not in reached and core & reached}
        growing = bool(more)
        reached |= more
    return reached
