"""What the examples share: options, a directory for their data, and a killer of their processes.

A crash at a random moment rarely hits the moments that matter, for instance the one between a step
that is durable and an application that has not been told of it. So an application names such
moments by `crash_point`, and the `Killer` has a node die at one of them, or just anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, get_type_hints

from runtime.cluster import Cluster, ClusterFailure

DIRECTORY: Final = "ACCORDANT_EXAMPLE_DIRECTORY"
"""The variable of the environment by which the processes know the directory of the run."""

Points: TypeAlias = Mapping[str, Sequence[str]]
"""Where nodes are killed, by their role: crash points, and `ANYWHERE`."""
ANYWHERE: Final = "anywhere"

_PATIENCE: Final = 3.0

T = TypeVar("T")


# --- options ---------------------------------------------------------------------------------


class Help(NamedTuple):
    """What annotates a field of the options: a number has to be `least` or more.

    A field that stands `alone` is given on the command line without its name.
    """

    text: str
    least: float = 0
    alone: bool = False


def parse(kind: type[T], documentation: str, arguments: Sequence[str] | None) -> T:
    """Return the dataclass `kind` as the command line has it; exit with 2 if that makes no sense.

    A field whose default is None is a path. The one called `data` has to be a new directory.
    """
    parser = argparse.ArgumentParser(description=documentation.partition("\n")[0])
    hints = get_type_hints(kind, include_extras=True)
    for name, hint in hints.items():
        (help,), default = hint.__metadata__, getattr(kind(), name)
        argument = parser.add_argument(
            name if help.alone else f"--{name}",
            type=Path if default is None else type(default),
            default=default,
            help=help.text,
        )
        argument.nargs = "?" if help.alone else None
    given = vars(parser.parse_args(arguments))
    for name, hint in hints.items():
        (help,), value = hint.__metadata__, given[name]
        if isinstance(value, int | float) and value < help.least:
            parser.error(f"--{name} must be {help.least} or more")
    data: Path | None = given["data"]
    if data is not None and data.exists() and not (data.is_dir() and not any(data.iterdir())):
        parser.error(f"--data: {data} is there already, and not empty")
    return kind(**given)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run the work; if the cluster does not, say why and exit with 1."""
    try:
        return asyncio.run(work)
    except (ClusterFailure, OSError) as error:
        sys.exit(f"It did not get to its end: {str(error) or type(error).__name__}")


# --- data ------------------------------------------------------------------------------------


@contextmanager
def provided(data: Path | None) -> Iterator[Path]:
    """Give a directory for the data of one run: `data`, which is kept, or one that is removed."""
    with tempfile.TemporaryDirectory(prefix="accordant-") as temporary:
        directory = Path(temporary) if data is None else data.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        yield directory


def data_directory() -> Path:
    """Return the directory of the run, in the process of a node."""
    return Path(os.environ[DIRECTORY])


# --- crashes ---------------------------------------------------------------------------------


def crash_point(node: str, name: str) -> None:
    """Die here, as by SIGKILL, if the killer has said so."""
    order = data_directory() / f"{node}.dies"
    with suppress(FileNotFoundError):
        if order.read_text("utf-8") == name:
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


class Killer:
    """Kills nodes of a cluster at `points`, and starts them again.

    Nodes of roles without any are let alone.
    """

    def __init__(self, cluster: Cluster, directory: Path, points: Points, random: Random) -> None:
        self._cluster = cluster
        self._directory = directory
        self._points = points
        self._random = random
        self.deaths: Counter[str] = Counter()
        """How many have died, by node and crash point."""

    async def run(self, kills: int, progress: Callable[[], float]) -> None:
        """Kill so many, one or two at a time, spread over the work as it goes from 0 to 1."""
        victims = [n for n in self._cluster.members if self._cluster.role(n) in self._points]
        done = 0
        while done < kills:
            while progress() < done / kills:
                self._cluster.check()
                await asyncio.sleep(0.02)
            several = min(self._random.choice((1, 1, 2)), kills - done, len(victims))
            await asyncio.gather(*map(self.kill, self._random.sample(victims, several)))
            done += several

    async def kill(self, node: str) -> None:
        """Kill a node, now or when it comes to one of its crash points; start it again."""
        cluster, process = self._cluster, self._cluster.process(node)
        points = self._points[cluster.role(node)]
        point = self._random.choice(points)
        await asyncio.sleep(self._random.uniform(0, 0.1))
        if point != ANYWHERE:
            process.doomed = True
            order = self._directory / f"{node}.dies"
            order.with_suffix(".new").write_text(point, "utf-8")
            order.with_suffix(".new").rename(order)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await process.ended()
            if process.running:
                point = ANYWHERE
            order.unlink(missing_ok=True)
        await cluster.kill(node)
        self.deaths[f"{node} {point}"] += 1
        await asyncio.sleep(self._random.uniform(0, 0.2))
        await cluster.restart(node)

    def account(self) -> str:
        """Return who died where, for people."""
        each = ", ".join(f"{place} {count}" for place, count in sorted(self.deaths.items()))
        return f"killed {self.deaths.total()}: {each}" if each else "nobody was killed"
