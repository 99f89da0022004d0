"""Shrinking a failing schedule to a small one that still fails.

Delta debugging (Andreas Zeller and Ralf Hildebrandt, Simplifying and Isolating
Failure-Inducing Input, 2002): leave out ever smaller runs of steps, keep what still fails,
and end when no single step can be left out. A step that others made impossible by their
absence (a message that is now never sent) is skipped with them, so whole causal chains go at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from runtime.schedule import Schedule
from runtime.step import Step

Attempt: TypeAlias = Callable[[Schedule], tuple[Step, ...] | None]
"""Runs a schedule, skipping what is impossible. If it fails in the way that is looked for,
returns the steps that led there (at most those of the schedule), else None."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A failing schedule; `minimal` if no single step of it can be left out.

    `replays` is how many attempts it took.
    """

    schedule: Schedule
    replays: int
    minimal: bool


def shrink(schedule: Schedule, attempt: Attempt, *, max_replays: int = 2000) -> Shrunk:
    """Return a small schedule that fails as `attempt` says, after at most `max_replays`.

    If `schedule` itself does not fail it is returned as it is.
    """
    steps = attempt(schedule)
    replays = 1
    if steps is None:
        return Shrunk(schedule, replays, minimal=False)
    chunk = max(1, len(steps) // 2)
    while True:
        start, shorter = len(steps), False
        while start > 0 and replays < max_replays:
            # From the end: what happens late depends on what came before it, seldom the
            # other way round.
            low = max(0, start - chunk)
            failed = attempt(schedule.with_steps(steps[:low] + steps[start:]))
            replays += 1
            if failed is None:
                start = low
            else:
                steps, shorter = failed, True
                start = min(low, len(steps))
        if replays >= max_replays:
            return Shrunk(schedule.with_steps(steps), replays, minimal=False)
        if chunk > 1:
            chunk //= 2
        elif not shorter:
            return Shrunk(schedule.with_steps(steps), replays, minimal=True)
