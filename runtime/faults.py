"""The fault model of the simulator: what goes wrong, and how often, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a message travels, in microseconds: `low` and more, `mean` on average.

    The time above `low` is distributed exponentially and cut off at ten times its mean.
    """

    low: int = 500
    mean: int = 4_000

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.mean:
            raise ValueError("a latency needs 0 < low <= mean")


@dataclass(frozen=True, slots=True)
class Faults:
    """Rates of all faults; a rate of 0 turns a fault off.

    Probabilities are for each message sent. Intervals are means in virtual milliseconds, 0
    for never; durations are a range in milliseconds.
    """

    latency: Latency = Latency()
    loss: float = 0.0  # the message is lost
    duplication: float = 0.0  # it is delivered twice, each time with a latency of its own
    delay: float = 0.0  # it is held back for `delay_range`
    delay_range: tuple[int, int] = (20, 400)
    partition_interval: int = 0  # from the end of a partition to the next
    partition_range: tuple[int, int] = (50, 500)
    crash_interval: int = 0  # from one crash to the next, in the whole cluster
    down_range: tuple[int, int] = (10, 300)
    torn: float = 0.0  # of the crashes, the share that falls into a step
    skew: float = 0.0  # clocks run this much too fast or slow, at most
    swarm: bool = False  # each run has a weather of its own, see `weather`

    def __post_init__(self) -> None:
        for name in ("loss", "duplication", "delay", "torn", "skew"):
            if not 0.0 <= getattr(self, name) < 1.0 + (name == "torn"):
                raise ValueError(f"`{name}` is not a probability")
        if self.loss + self.duplication + self.delay >= 1.0:
            raise ValueError("loss, duplication and delay leave no message untouched")
        for name in ("delay_range", "partition_range", "down_range"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"`{name}` is not a range of positive times")
        if self.partition_interval < 0 or self.crash_interval < 0:
            raise ValueError("an interval is negative")

    def without(self, *names: str) -> Faults:
        """Return the same faults with some turned off.

        `names` are those of the rates, or `partition` and `crash`.
        """
        changes: dict[str, Any] = {}
        for name in names:
            rate = f"{name}_interval" if name in ("partition", "crash") else name
            changes[rate] = 0
        return replace(self, **changes)


def weather(faults: Faults, random: Random) -> Faults:
    """Return the faults of one run: each rate is some factor away from that of `faults`.

    A fault may be off, rare or frequent, latencies short or long against the timers, nodes
    down for long or hardly at all, each for itself. Runs that differ in kind find more than
    runs that are all alike (Alex Groce and others, Swarm Testing, 2012): a mistake that needs
    many crashes and no losses is as near as any other.
    """

    def factor() -> float:
        return random.choice(FACTORS)

    rates = [faults.loss * factor(), faults.duplication * factor(), faults.delay * factor()]
    much = max(1.0, sum(rates) / MOST_TROUBLE)
    loss, duplication, delay = (rate / much for rate in rates)
    crashes, partitions = factor(), factor()
    low, high = faults.down_range
    brevity = random.choice(BREVITY)
    return replace(
        faults,
        latency=Latency(faults.latency.low, faults.latency.mean * random.choice(SLOWNESS)),
        loss=loss,
        duplication=duplication,
        delay=delay,
        crash_interval=_interval(faults.crash_interval, crashes),
        partition_interval=_interval(faults.partition_interval, partitions),
        down_range=(max(1, low // brevity), max(1, high // brevity)),
        swarm=False,
    )


def _interval(mean: int, factor: float) -> int:
    return max(1, int(mean / factor)) if mean and factor else 0


FACTORS: Final = (0.0, 0.25, 1.0, 1.0, 4.0, 16.0)
SLOWNESS: Final = (1, 2, 8, 24)
BREVITY: Final = (1, 3, 10)
MOST_TROUBLE: Final = 0.6

NO_FAULTS: Final = Faults()
"""Every message arrives, once; messages still overtake each other."""

DEFAULT_FAULTS: Final = Faults(
    loss=0.03,
    duplication=0.03,
    delay=0.03,
    partition_interval=2_000,
    crash_interval=400,
    torn=0.5,
    skew=0.1,
    swarm=True,
)
"""All faults on, more or less of each from run to run."""

PRESETS: Final[Mapping[str, Faults]] = {"none": NO_FAULTS, "default": DEFAULT_FAULTS}
