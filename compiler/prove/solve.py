"""Solving: all tasks of a model, from the cache, in this process or in several.

This module schedules; what is tried for one task, and why, is in `prover`. It does not import Z3,
so a run that is answered from the cache never loads it.

Answers are the same for the same seed, whatever the number of jobs and however they interleave,
except where time runs out: budgets count the solver's steps, each attempt has a solver of its own,
and each small batch of tasks a solver context of its own.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal, TypeAlias, Union

from compiler.prove.cache import Cache
from compiler.prove.obligations import Obligations, Task, total_digest
from compiler.prove.verdict import Obligation, Proved, Unknown

if TYPE_CHECKING:
    from compiler.prove.prover import Effort, Finding, Theory

_FEW = 6  # tasks that are not worth starting processes for
_BATCH = 8  # tasks that are proved one after the other in one solver context
_GRACE = 2.0  # seconds after the deadline before a worker is killed


@dataclass(frozen=True, slots=True)
class Failed:
    """Not proved, and the solver has found a state in which the obligation fails.

    Only a hint, since the state may give a function no value: the refutation is for the
    grounded search to find.
    """

    reason: str


Outcome: TypeAlias = Union[Proved, Failed, Unknown]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one task. `core`: the names of the axioms and properties it leaned on."""

    task: Task
    outcome: Outcome
    core: tuple[str, ...]
    seconds: float

    @property
    def obligation(self) -> Obligation:
        """The obligation."""
        return self.task.obligation


def solve(
    work: Obligations,
    *,
    seed: int = 0,
    timeout: float = 300.0,
    jobs: int = 1,
    cache: Cache | None = None,
    on_result: Callable[[Answer], None] | None = None,
    effort: Literal["short", "long"] = "short",
) -> list[Answer]:
    """Prove the tasks of `work`; return an answer for each, in their order.

    `timeout` is in seconds, for all of them; what is not answered by then is `Unknown`. `jobs` is
    how many solvers run at once. `on_result` is called in this thread with each answer as it
    comes. `effort`: `short` gives up early, so that a false obligation is soon left to the
    search for a counterexample; for what that search leaves open, ask again with `long` and
    `dataclasses.replace(work, tasks=…)`. On an exception, `KeyboardInterrupt` among them, no
    process is left behind.
    """
    deadline = time.monotonic() + timeout
    answers: dict[int, Answer] = {}
    open_tasks: list[int] = []
    names = _names(work)
    axioms = frozenset(axiom.digest for axiom in work.axioms)
    properties = frozenset(property_.digest for property_ in work.properties)
    total = frozenset(total_digest(symbol) for symbol in work.total)

    def record(index: int, answer: Answer) -> None:
        answers[index] = answer
        if on_result is not None:
            on_result(answer)

    for index, task in enumerate(work.tasks):
        hypotheses = axioms | properties | total if task.inductive else axioms | total
        core = cache.find(task.digest, hypotheses) if cache is not None else None
        if core is None:
            open_tasks.append(index)
        else:
            record(index, Answer(task, Proved("cache"), _named(core, names), 0.0))

    def near(index: int) -> tuple[frozenset[str], ...]:
        return cache.near(work.tasks[index].digest) if cache is not None else ()

    for index, finding in _findings(work, open_tasks, near, seed, deadline, jobs, effort):
        task = work.tasks[index]
        if finding.status == "unsat" and cache is not None:
            cache.store(task.digest, finding.core)
        record(index, _answer(task, finding, names))
    return [answers[index] for index in range(len(work.tasks))]


def _names(work: Obligations) -> dict[str, str]:
    """Return the name of each hypothesis by its digest."""
    hypotheses = (*work.properties, *work.axioms)
    return {hypothesis.digest: hypothesis.name for hypothesis in hypotheses}


def _named(core: frozenset[str], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted(names[digest] for digest in core if digest in names))


def _answer(task: Task, finding: Finding, names: dict[str, str]) -> Answer:
    outcome: Outcome
    if finding.status == "unsat":
        outcome = Proved("solver")
    elif finding.status == "sat":
        outcome = Failed(finding.reason)
    else:
        outcome = Unknown(finding.reason)
    return Answer(task, outcome, _named(finding.core, names), finding.seconds)


def _findings(
    work: Obligations,
    indices: Sequence[int],
    near: Callable[[int], tuple[frozenset[str], ...]],
    seed: int,
    deadline: float,
    jobs: int,
    effort: Effort,
) -> Iterator[tuple[int, Finding]]:
    """Yield the finding for each index, in any order."""
    if not indices:
        return
    from compiler.prove.prover import Prover, Theory

    theory = Theory(work.axioms, work.properties, work.model.symbols, work.total, work.members)
    batches = _batches(work, indices)
    if jobs <= 1 or len(indices) <= _FEW:
        prover = Prover(theory, seed)
        for batch in batches:
            prover.renew()
            for index in batch:
                yield index, prover.prove(work.tasks[index], effort, near(index), deadline)
        return
    yield from _in_processes(work, theory, batches, near, seed, deadline, jobs, effort)


def _batches(work: Obligations, indices: Sequence[int]) -> list[tuple[int, ...]]:
    """Divide the open tasks; the division depends on nothing but the tasks.

    The largest come first, so that no worker is left alone with one at the end.
    """
    places: dict[int, list[int]] = {}
    for index in indices:
        places.setdefault(index // _BATCH, []).append(index)

    def size(batch: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        return (-sum(len(work.tasks[index].symbols) for index in batch), batch)

    return sorted((tuple(batch) for batch in places.values()), key=size)


def _in_processes(
    work: Obligations,
    theory: Theory,
    batches: Sequence[tuple[int, ...]],
    near: Callable[[int], tuple[frozenset[str], ...]],
    seed: int,
    deadline: float,
    jobs: int,
    effort: Effort,
) -> Iterator[tuple[int, Finding]]:
    from compiler.prove.prover import Finding
    from compiler.prove.worker import Question, Setup

    pending: queue.SimpleQueue[tuple[int, ...]] = queue.SimpleQueue()
    for batch in batches:
        pending.put(batch)
    done: queue.SimpleQueue[tuple[int, Finding]] = queue.SimpleQueue()
    late = Finding("late", frozenset(), "out of time", 0.0)
    broken = Finding("unknown", frozenset(), "the solver's process ended", 0.0)

    def serve(process: subprocess.Popen[bytes]) -> None:
        """Hand one worker batches, one after the other; each task taken is answered."""
        alive = _send(process, Setup(theory, seed))
        while True:
            try:
                batch = pending.get_nowait()
            except queue.Empty:
                return
            for index in batch:
                left = deadline - time.monotonic()
                finding = None
                if alive and left > 0:
                    begins = index == batch[0]
                    question = Question(work.tasks[index], begins, effort, near(index), left)
                    finding = _ask(process, question)
                    alive = finding is not None
                if finding is None:
                    finding = late if time.monotonic() >= deadline else broken
                done.put((index, finding))

    with _workers(min(jobs, len(batches))) as processes:
        threads = [
            threading.Thread(target=serve, args=(process,), daemon=True) for process in processes
        ]
        for thread in threads:
            thread.start()
        remaining = sum(len(batch) for batch in batches)
        while remaining:
            try:
                yield done.get(timeout=max(0.01, deadline + _GRACE - time.monotonic()))
                remaining -= 1
            except queue.Empty:
                # A solver that does not heed its deadline; its thread sees the end of the pipe.
                for process in processes:
                    process.kill()


@contextmanager
def _workers(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start `count` workers; they have ended when the block is left, however that happens."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    try:
        for _ in range(count):
            with _interrupts_later():
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "compiler.prove.worker"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        env=environment,
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold back an interrupt: one while a process is started would leave it, known to nobody.

    A signal mask will not do: a library's thread that does not block the signal gets it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts go to the main thread
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if held:
            signal.raise_signal(signal.SIGINT)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        return


def _send(process: subprocess.Popen[bytes], message: object) -> bool:
    """Send one message; return whether the worker was there to take it."""
    assert process.stdin is not None
    try:
        pickle.dump(message, process.stdin)
        process.stdin.flush()
    except (OSError, ValueError):
        return False
    return True


def _ask(process: subprocess.Popen[bytes], question: object) -> Finding | None:
    """Return the worker's answer, or None if it is gone."""
    assert process.stdout is not None
    if not _send(process, question):
        return None
    try:
        finding: Finding = pickle.load(process.stdout)
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        return None
    return finding
