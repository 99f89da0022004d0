"""Solving the specs: proved, from the cache, in processes, out of time, and never wrongly."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from functools import cache as remembered
from pathlib import Path

import pytest

from compiler.model.system import Model
from compiler.prove.cache import Cache
from compiler.prove.obligations import Obligations, obligations
from compiler.prove.relational import relationalise
from compiler.prove.solve import Answer, Failed, solve
from compiler.prove.verdict import Proved, Unknown
from tests.prove.specimens import ROOT, facts_of, model_of_file, model_of_text, text_of

SPECS = ("paxos.accord", "two_phase_commit.accord")


def work_of(model: Model) -> Obligations:
    return obligations(model, relationalise(model), facts_of(model))


@remembered
def work_of_file(name: str) -> Obligations:
    return work_of(model_of_file(name))


def named(answer: Answer) -> tuple[str | None, str]:
    action = answer.obligation.action
    return (action.name if action is not None else None, answer.obligation.name)


def not_proved(answers: list[Answer]) -> set[tuple[str | None, str]]:
    return {named(answer) for answer in answers if not isinstance(answer.outcome, Proved)}


def without(work: Obligations, *names: str) -> Obligations:
    """Return the work with some properties no longer hypotheses, and none of their tasks."""
    return dataclasses.replace(
        work,
        properties=tuple(p for p in work.properties if p.name not in names),
        tasks=tuple(task for task in work.tasks if task.obligation.name not in names),
    )


def only(work: Obligations, action: str, name: str) -> Obligations:
    """Return the work with one task."""
    tasks = [
        task
        for task in work.tasks
        if task.obligation.name == name
        and task.obligation.action is not None
        and task.obligation.action.name == action
    ]
    return dataclasses.replace(work, tasks=tuple(tasks))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", SPECS)
def test_specs_are_proved(name: str, seed: int) -> None:
    answers = solve(work_of_file(name), seed=seed)
    assert not_proved(answers) == set()
    assert [answer.task for answer in answers] == list(work_of_file(name).tasks)
    assert {answer.outcome for answer in answers} == {Proved("solver")}


def test_answers_are_the_same_in_processes() -> None:
    work = work_of_file("two_phase_commit.accord")
    alone, together = solve(work), solve(work, jobs=2)
    assert [(a.task, a.outcome, a.core) for a in alone] == [
        (a.task, a.outcome, a.core) for a in together
    ]


def test_the_core_names_what_a_proof_leans_on() -> None:
    (answer,) = solve(only(work_of_file("paxos.accord"), "Learner.on_accepted", "agreement"))
    assert {"decisions_have_a_majority", "older_ballots_are_closed"} <= set(answer.core)


def test_what_leans_on_a_missing_invariant_is_not_proved() -> None:
    work = without(work_of_file("paxos.accord"), "older_ballots_are_closed")
    failed = not_proved(solve(only(work, "Learner.on_accepted", "agreement")))
    assert failed == {("Learner.on_accepted", "agreement")}


def test_without_the_fact_promises_of_a_majority_prove_nothing() -> None:
    model = model_of_file("paxos.accord")
    work = obligations(model, relationalise(model), ())
    step = ("Proposer.on_promise", "older_ballots_are_closed")
    assert not_proved(solve(only(work, *step))) == {step}


def test_a_state_found_is_a_failure_not_a_proof() -> None:
    text = text_of("two_phase_commit.accord").replace(
        "when status[transaction] = Working:", "when true:"
    )
    assert text != text_of("two_phase_commit.accord")
    answers = solve(work_of(model_of_text(text)))
    failed = [answer for answer in answers if not isinstance(answer.outcome, Proved)]
    assert failed
    assert all(isinstance(answer.outcome, Failed) for answer in failed)
    assert all(answer.core == () for answer in failed)


@pytest.mark.parametrize("jobs", [1, 2])
def test_out_of_time(jobs: int) -> None:
    answers = solve(work_of_file("two_phase_commit.accord"), timeout=0.0, jobs=jobs)
    assert {answer.outcome for answer in answers} == {Unknown("out of time")}


def test_a_second_run_is_answered_from_the_cache(tmp_path: Path) -> None:
    work = work_of_file("two_phase_commit.accord")
    first = solve(work, cache=Cache(tmp_path))
    seen: list[Answer] = []
    second = solve(work, cache=Cache(tmp_path), on_result=seen.append)
    assert {answer.outcome for answer in second} == {Proved("cache")}
    assert [answer.core for answer in second] == [answer.core for answer in first]
    assert seen == second


def test_a_changed_invariant_proves_only_what_it_touches(tmp_path: Path) -> None:
    text = text_of("paxos.accord")
    solve(work_of(model_of_text(text)), cache=Cache(tmp_path))
    # It says the same in other words, so everything still holds.
    old = "p.proposal = some v implies requested Propose(v)"
    assert text.count(old) == 1
    changed = text.replace(old, "not (p.proposal = some v and not requested Propose(v))")
    again = text.replace(old, "p.proposal = some v implies requested Propose(v) or v != v")
    for edited in (changed, again):
        answers = solve(work_of(model_of_text(edited)), cache=Cache(tmp_path))
        assert not_proved(answers) == set()
        solved = {named(a)[1] for a in answers if a.outcome == Proved("solver")}
        assert solved <= {"proposals_are_requested", "accepts_are_requested"}


def test_a_removed_invariant_takes_its_proofs_with_it(tmp_path: Path) -> None:
    work = only(work_of_file("paxos.accord"), "Learner.on_accepted", "agreement")
    assert not_proved(solve(work, cache=Cache(tmp_path))) == set()
    fewer = without(work, "older_ballots_are_closed")
    assert not_proved(solve(fewer, cache=Cache(tmp_path))) == {("Learner.on_accepted", "agreement")}


def test_failures_are_not_stored(tmp_path: Path) -> None:
    work = without(work_of_file("paxos.accord"), "older_ballots_are_closed")
    solve(only(work, "Learner.on_accepted", "agreement"), cache=Cache(tmp_path))
    assert list(tmp_path.iterdir()) == []


def children() -> set[str]:
    """Return the processes that this one started and that have not ended."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(file.read().split())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_an_interrupt_leaves_no_process() -> None:
    before = children()

    def interrupt(answer: Answer) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve(work_of_file("paxos.accord"), jobs=2, on_result=interrupt)
    assert children() == before


def test_a_worker_that_dies_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    answers = solve(work_of_file("two_phase_commit.accord"), jobs=2)
    assert {answer.outcome for answer in answers} == {Unknown("the solver's process ended")}


def test_the_solver_is_not_loaded_for_a_cached_run(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from compiler.prove.cache import Cache\n"
        "from compiler.prove.quorums import prove_facts\n"
        "from compiler.prove.solve import solve\n"
        "from tests.prove.test_solve import work_of_file, model_of_file\n"
        "cache = Cache(Path(sys.argv[1]))\n"
        "prove_facts(model_of_file('two_phase_commit.accord'), cache)\n"
        "solve(work_of_file('two_phase_commit.accord'), cache=cache)\n"
        "print('z3' in sys.modules)\n"
    )
    loaded = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert loaded == ["True", "False"]
