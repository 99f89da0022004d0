"""Campaigns: many seeds, in parallel processes, and what came of them as one value.

Worker processes are started afresh and load the module for themselves. Each has a hash seed
of its own, and a share of the runs is repeated by another worker: were there any source of
nondeterminism that the simulator does not control, the order of a set among them, the two
records would differ, and that is reported like any violation.

Which worker runs what is fixed in advance, so that a repeated run is always one of another
worker.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from runtime.checking import CheckingError, Model, Monitor, Violation
from runtime.contract import Module
from runtime.digest import lines
from runtime.faults import DEFAULT_FAULTS, Faults
from runtime.load import load
from runtime.membership import make_cluster
from runtime.replay import replay
from runtime.schedule import Schedule
from runtime.shrink import Attempt, Shrunk, shrink
from runtime.simulator import simulate
from runtime.step import Step

CHUNK: Final = 8
NO_BOUND: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign runs: `seeds` seeds from `first_seed` on.

    `module` is the path of a generated module and `sizes` its cluster, as for `make_cluster`.
    With a `model`, every step is checked against it, and its properties after each step or at
    the end, as `check` says (invariants too, or safety alone); without one, or if `check` is
    `off`, nothing is. The share
    `repeat` of the seeds is run twice. If `stop_early`, seeds after one with a violation are
    not run; the smallest seed with a violation is found either way.
    """

    module: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    seeds: int = 100
    first_seed: int = 0
    steps: int = 500
    duration: int | None = None  # virtual milliseconds
    faults: Faults = DEFAULT_FAULTS
    model: Model | None = None
    check: Literal["every", "end", "off"] = "every"
    invariants: bool = True
    repeat: float = 0.05
    jobs: int = 1
    stop_early: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """A violation in the run of a seed."""

    seed: int
    violation: Violation


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is."""

    done: int
    seeds: int
    steps: int
    violations: int


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What came of a campaign.

    Everything but the times depends on the plan alone, unless a violation stops it early:
    then `found` is that of the smallest seed with one, and the other numbers say what was
    done until then.

    `seeds` runs were made, `repeated` of them twice; `steps` are handler calls, of which
    `ignored` were ignored. `busy` is the time that the workers simulated, added up, `seconds`
    that of the whole campaign. `outputs` counts outputs by name, `reached` the runs with any.
    `faults` counts what was injected by kind. `found` is in the order of seeds.
    """

    seeds: int
    repeated: int
    steps: int
    ignored: int
    seconds: float
    busy: float
    outputs: Mapping[str, int]
    reached: int
    faults: Mapping[str, int]
    found: tuple[Found, ...]

    @property
    def steps_per_second(self) -> float:
        """Handler steps a second of one worker."""
        return self.steps / self.busy if self.busy else 0.0

    @property
    def first(self) -> Found | None:
        """The violation with the smallest seed."""
        return self.found[0] if self.found else None


class CampaignError(Exception):
    """A worker failed for a reason that is not a violation; the message is its own."""


@dataclass(slots=True)
class _Chunk:
    """What came of some seeds in a row; `repeat` if this is their second run."""

    first: int
    count: int
    repeat: bool
    seeds: int = 0
    steps: int = 0
    ignored: int = 0
    busy: float = 0.0
    outputs: Counter[str] = field(default_factory=Counter)
    reached: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)
    lines: dict[int, tuple[str, ...]] = field(default_factory=dict)


def run_campaign(
    plan: Plan, progress: Callable[[Progress], None] = lambda _: None
) -> CampaignResult:
    """Run a campaign; `LoadError`, `ClusterError`, `CheckingError` if the plan cannot be run."""
    started = time.perf_counter()
    module = load(plan.module)
    cluster = make_cluster(module, plan.sizes)
    if plan.model is not None:
        # What does not fit is to fail here, where it is an error of the plan.
        simulate(module, cluster, plan.first_seed, steps=0, observer=Monitor(plan.model))
    total = _Chunk(plan.first_seed, plan.seeds, repeat=False)
    repeated = 0
    waiting: dict[int, tuple[str, ...]] = {}
    with _workers(plan) as results:
        for chunk in results:
            for seed, texts in chunk.lines.items():
                other = waiting.pop(seed, None)
                if other is None:
                    waiting[seed] = texts
                    continue
                repeated += 1
                first, second = (other, texts) if chunk.repeat else (texts, other)
                difference = _compare(first, second)
                if difference is not None:
                    total.found.append(Found(seed, difference))
            if not chunk.repeat:
                _add(total, chunk)
                progress(Progress(total.seeds, plan.seeds, total.steps, len(total.found)))
    found = sorted(total.found, key=lambda f: (f.seed, f.violation.step))
    if plan.stop_early:
        found = found[:1]  # which of the later seeds were run is a matter of timing
    return CampaignResult(
        seeds=total.seeds,
        repeated=repeated,
        steps=total.steps,
        ignored=total.ignored,
        seconds=time.perf_counter() - started,
        busy=total.busy,
        outputs=dict(total.outputs),
        reached=total.reached,
        faults=dict(total.faults),
        found=tuple(found),
    )


def _add(total: _Chunk, chunk: _Chunk) -> None:
    total.seeds += chunk.seeds
    total.steps += chunk.steps
    total.ignored += chunk.ignored
    total.busy += chunk.busy
    total.outputs += chunk.outputs
    total.reached += chunk.reached
    total.faults += chunk.faults
    total.found += chunk.found


def _compare(first: tuple[str, ...], second: tuple[str, ...]) -> Violation | None:
    if first == second:
        return None
    for index, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            detail = f"record {index + 1} is {a} in one run and {b} in another of the same seed"
            return Violation("nondeterminism", "simulation", index + 1, detail)
    detail = f"{len(first)} records in one run and {len(second)} in another of the same seed"
    return Violation("nondeterminism", "simulation", min(len(first), len(second)) + 1, detail)


# --- workers -------------------------------------------------------------------------------


@contextmanager
def _workers(plan: Plan) -> Iterator[Iterator[_Chunk]]:
    """Start the workers; yields the chunks as they are done, and ends the workers."""
    context = multiprocessing.get_context("spawn")
    jobs = max(1, plan.jobs)
    chunks = [
        (first, min(CHUNK, plan.first_seed + plan.seeds - first))
        for first in range(plan.first_seed, plan.first_seed + plan.seeds, CHUNK)
    ]
    tasks: list[list[tuple[int, int, bool]]] = [[] for _ in range(max(jobs, 2))]
    for number, (first, count) in enumerate(chunks):
        tasks[number % jobs].append((first, count, False))
        if any(_is_repeated(plan, seed) for seed in range(first, first + count)):
            # By the next worker; where there is one only, by another that does nothing else.
            tasks[(number + 1) % jobs if jobs > 1 else 1].append((first, count, True))
    bound: Any = context.Value("q", NO_BOUND)
    results: Any = context.Queue()
    processes = [
        context.Process(target=_work, args=(plan, mine, bound, results), daemon=True)
        for mine in tasks
        if mine
    ]
    try:
        for number, process in enumerate(processes):
            with _hash_seed(number + 1), _interrupts_later():
                process.start()
        yield _receive(processes, results, sum(len(mine) for mine in tasks))
    finally:
        started = [process for process in processes if process.pid is not None]
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _receive(processes: list[Any], results: Any, expected: int) -> Iterator[_Chunk]:
    while expected:
        try:
            result = results.get(timeout=1.0)
        except queue.Empty:
            if any(process.exitcode not in (None, 0) for process in processes):
                raise CampaignError("a worker process ended unexpectedly") from None
            continue
        if isinstance(result, str):
            raise CampaignError(result)
        expected -= 1
        yield result


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold back an interrupt: one while a process is started would leave it, known to nobody.

    What is started is deaf to interrupts: a terminal sends them to all, and this process ends
    the others. For that the signal is blocked as well; blocking alone would not hold it back,
    since another thread may get it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts go to the main thread
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if held:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _hash_seed(number: int) -> Iterator[None]:
    """Have processes that are started meanwhile hash strings in an order of their own."""
    name = "PYTHONHASHSEED"
    before = os.environ.get(name)
    os.environ[name] = str(number)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _is_repeated(plan: Plan, seed: int) -> bool:
    return plan.repeat > 0 and seed % max(1, round(1 / plan.repeat)) == 0


def _work(plan: Plan, tasks: list[tuple[int, int, bool]], bound: Any, results: Any) -> None:
    """Run tasks in a worker process; what goes wrong is sent back as a text."""
    try:
        module = load(plan.module)
        monitor = None
        if plan.model is not None and plan.check != "off":
            monitor = Monitor(plan.model, check=plan.check, invariants=plan.invariants)
        parent = multiprocessing.parent_process()
        for first, count, repeat in tasks:
            if parent is not None and not parent.is_alive():
                return  # it was killed, and nobody waits for the results
            chunk = _Chunk(first, count, repeat)
            for seed in range(first, first + count):
                if plan.stop_early and seed > bound.value:
                    break
                if repeat:
                    if _is_repeated(plan, seed):
                        observer = monitor if monitor is not None and monitor.assumes else None
                        run = _simulate(plan, module, seed, observer, True)
                        chunk.lines[seed] = lines(module, run)
                elif _run_seed(plan, module, seed, monitor, chunk):
                    with bound.get_lock():
                        bound.value = min(bound.value, seed)
            results.put(chunk)
    except KeyboardInterrupt:
        pass
    except Exception as error:
        results.put(f"{type(error).__name__}: {error}")


def _simulate(plan: Plan, module: Module, seed: int, monitor: Monitor | None, record: bool) -> Any:
    return simulate(
        module,
        make_cluster(module, plan.sizes),
        seed,
        steps=plan.steps,
        duration=plan.duration,
        faults=plan.faults,
        observer=monitor,
        record=record,
    )


def _run_seed(
    plan: Plan, module: Module, seed: int, monitor: Monitor | None, chunk: _Chunk
) -> bool:
    """Run a seed and add it to the chunk; return whether it had a violation."""
    record = _is_repeated(plan, seed)
    chunk.seeds += 1
    started = time.perf_counter()
    try:
        run = _simulate(plan, module, seed, monitor, record)
    except CheckingError:
        raise
    except Exception as error:  # whatever a module raises is a finding about it
        detail = f"the code raised {type(error).__name__}: {error}"
        chunk.found.append(Found(seed, Violation("mismatch", type(error).__name__, 0, detail)))
        return True
    chunk.busy += time.perf_counter() - started
    chunk.steps += run.steps
    chunk.ignored += run.ignored
    names = {class_: name for name, class_ in module.OUTPUTS.items()}
    chunk.outputs.update(names[type(told.output)] for told in run.outputs)
    chunk.reached += bool(run.outputs)
    chunk.faults.update(run.faults)
    if monitor is not None and monitor.violations:
        chunk.found.append(Found(seed, monitor.violations[0]))
        return True
    if record:
        chunk.lines[seed] = lines(module, run)
    return False


# --- what a violation was -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A violation found again: the schedule that leads to it, as it was and shrunk."""

    violation: Violation
    schedule: Schedule
    shrunk: Shrunk


def attempt_for(
    module: Module, model: Model, kind: str, name: str, *, invariants: bool = True
) -> Attempt:
    """Return the attempt of which a schedule fails by a violation of that kind and name."""
    monitor = Monitor(model, invariants=invariants)

    def attempt(schedule: Schedule) -> tuple[Step, ...] | None:
        result = replay(module, schedule, monitor, skip_impossible=True)
        if any(v.kind == kind and v.name == name for v in monitor.violations):
            return result.taken
        return None

    return attempt


def reproduce(plan: Plan, seed: int, *, max_replays: int = 2000) -> Reproduced | None:
    """Run a seed of a plan again, recorded, and shrink the schedule of its first violation.

    The shrunk schedule ends with the step that violates the model. Returns None if the run
    has no violation of the model: if the module raises, or two runs of the seed differ.
    """
    if plan.model is None:
        return None
    module, monitor = load(plan.module), Monitor(plan.model, invariants=plan.invariants)
    try:
        run = _simulate(plan, module, seed, monitor, record=True)
    except CheckingError:
        raise
    except Exception:  # the module's own; there is no step that could be replayed
        return None
    if not monitor.violations:
        return None
    violation = monitor.violations[0]
    attempt = attempt_for(
        module, plan.model, violation.kind, violation.name, invariants=plan.invariants
    )
    shrunk = shrink(run.schedule, attempt, max_replays=max_replays)
    return Reproduced(violation, run.schedule, shrunk)
