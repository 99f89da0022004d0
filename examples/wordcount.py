"""Word count and an inverted index over a directory of text by MapReduce, while workers are killed.

The files are divided into splits, a map task each. What a map task makes goes to files, one for
each reduce task, in a directory of the attempt's own: attempts may be many, even at once, and
whichever the master takes, its files are whole. A reduce task reads the files of one attempt at
each split, those that the protocol has given it, which stand in the worker's durable variable
`inputs`; so a worker has nothing to catch up with after a crash. The two jobs, `count` and `index`,
share the map tasks.

    python examples/wordcount.py docs --kills 4
    python examples/wordcount.py docs --repeat 50 --plot speedup.svg
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final, TypeAlias
from uuid import uuid4
from zlib import crc32

# A checkout will do; nothing of it has to be installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.common import (
    ANYWHERE,
    DIRECTORY,
    Help,
    Killer,
    Points,
    crash_point,
    data_directory,
    finish,
    parse,
    provided,
)
from runtime.cluster import Cluster, NodeDown
from runtime.host.application import Node

ROOT: Final = Path(__file__).resolve().parents[1]
MASTER: Final = "m1"
POINTS: Final = {
    "Master": (ANYWHERE, "committed"),
    "Worker": (ANYWHERE, "mapped", "reduced"),
}

Pairs: TypeAlias = Iterable[tuple[str, Any]]
Groups: TypeAlias = dict[str, list[Any]]
Result: TypeAlias = dict[str, dict[str, Any]]
"""By job and word."""

# --- the jobs: a map and a reduce function each ------------------------------------------------


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return re.findall(r"[^\W\d_]+", text.lower())


def map_count(name: str, text: str) -> Pairs:
    """Say of each word how often it stands in the text."""
    return Counter(words(text)).items()


def reduce_count(counts: list[int]) -> int:
    """Say how often a word stands in all texts."""
    return sum(counts)


def map_index(name: str, text: str) -> Pairs:
    """Say of each word that it stands in this text."""
    return ((word, name) for word in set(words(text)))


def reduce_index(names: list[str]) -> list[str]:
    """Say in which texts a word stands."""
    return sorted(names)


Map: TypeAlias = Callable[[str, str], Pairs]
Reduce: TypeAlias = Callable[[list[Any]], Any]
JOBS: Final[Mapping[str, tuple[Map, Reduce]]] = {
    "count": (map_count, reduce_count),
    "index": (map_index, reduce_index),
}


def mapped(job: str, texts: Iterable[tuple[str, str]]) -> Groups:
    """Return what a job's map function says of texts, by word."""
    groups: Groups = {}
    for name, text in texts:
        for word, value in JOBS[job][0](name, text):
            groups.setdefault(word, []).append(value)
    return groups


def reduced(job: str, groups: Groups) -> dict[str, Any]:
    """Return what a job's reduce function makes of them."""
    return {word: JOBS[job][1](values) for word, values in groups.items()}


def read(files: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield names and texts of files, given by name and path."""
    for name, path in files:
        yield name, Path(path).read_text("utf-8", "replace")


def sequential(files: list[tuple[str, str]]) -> Result:
    """Return the result of all jobs, made in the plainest way."""
    return {job: reduced(job, mapped(job, read(files))) for job in JOBS}


# --- what runs in the processes --------------------------------------------------------------


def write(path: Path, content: object) -> None:
    """Write a file that is whole or not there."""
    fresh = path.with_name(f"{path.name}.{uuid4().hex}")
    fresh.write_text(json.dumps(content), "utf-8")
    fresh.rename(path)


class Worker:
    """The application of a worker. On the master it has nothing to do."""

    async def start(self, node: Node) -> None:
        """Read what the job is."""
        self.node = node
        plan = json.loads((data_directory() / "plan.json").read_text("utf-8"))
        self.splits: list[list[tuple[str, str]]] = plan["splits"]
        self.partitions: int = plan["partitions"]
        self.made: dict[object, str] = {}

    def answer(self, question: Any) -> str:
        """Do a task, and say where its result is; the node takes no step meanwhile.

        A task may come again while its result is on its way. Its inputs are the same then.
        """
        if question not in self.made:
            module: Any = self.node.module
            if isinstance(question, module.MapQuestion):
                self.made[question] = self.map(question.split)
                crash_point(self.node.id, "mapped")
            else:
                self.made[question] = self.reduce(*question.partition)
                crash_point(self.node.id, "reduced")
        return self.made[question]

    def map(self, split: int) -> str:
        """Map a split; return the directory with a file for each partition."""
        place = data_directory() / f"map-{split}-{uuid4().hex}"
        place.mkdir()
        for job in JOBS:
            parts: list[Groups] = [{} for _ in range(self.partitions)]
            for word, values in mapped(job, read(self.splits[split])).items():
                parts[crc32(word.encode()) % self.partitions][word] = values
            for number, groups in enumerate(parts):
                write(place / f"{job}-{number}", groups)
        return place.name

    def attempts(self, job: str, number: int) -> list[str]:
        """Return the directories that a partition is to be made of: one attempt at each split."""
        code: Any = self.node.code
        return [place for _, place in code.inputs[job, number]]

    def reduce(self, job: str, number: int) -> str:
        """Reduce a partition; return its file."""
        groups: Groups = {}
        for place in self.attempts(job, number):
            part: Groups = json.loads((data_directory() / place / f"{job}-{number}").read_text())
            for word, values in part.items():
                groups.setdefault(word, []).extend(values)
        path = data_directory() / f"{job}-{number}-{uuid4().hex}"
        write(path, reduced(job, groups))
        return path.name

    def output(self, output: Any) -> None:
        """Nothing has to be done: what is committed stands in the master's variables."""
        module: Any = self.node.module
        if isinstance(output, module.Committed):
            crash_point(self.node.id, "committed")

    def received(self, peer: str, body: bytes) -> None:
        """Nothing comes from other workers but by files."""

    async def stop(self) -> None:
        """Nothing has to be closed."""


# --- what drives and judges them -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """What to count, and how."""

    text: Annotated[Path, Help("a directory of text", alone=True)] = ROOT / "docs"
    suffix: Annotated[str, Help("of the files to take; by default all are taken")] = ""
    repeat: Annotated[int, Help("take each file so many times", 1)] = 1
    workers: Annotated[int, Help("how many workers", 1)] = 3
    splits: Annotated[int, Help("how many map tasks", 1)] = 12
    partitions: Annotated[int, Help("how many reduce tasks each job has", 1)] = 3
    kills: Annotated[int, Help("how many processes to kill")] = 4
    seed: Annotated[int, Help("of what is drawn")] = 1
    data: Annotated[Path | None, Help("a new directory, to keep all data in")] = None
    plot: Annotated[Path | None, Help("draw the speed-up for 1 worker and more")] = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; times in seconds. The cluster's is from `Run` to the last result."""

    files: int
    result: Result
    equal: bool
    killed: str
    sequential: float
    cluster: float


def files(options: Options) -> list[tuple[str, str]]:
    """Return names and paths of the texts."""
    paths = sorted(p for p in options.text.rglob(f"*{options.suffix}") if p.is_file())
    names = [(str(path.relative_to(options.text)), str(path.resolve())) for path in paths]
    return [(f"{n}/{name}", path) for n in range(options.repeat) for name, path in names]


async def work(cluster: Cluster, options: Options, killer: Killer) -> list[str]:
    """Run the jobs, and kill meanwhile; return the files with the results."""
    module: Any = cluster.module
    partitions = [(job, number) for job in JOBS for number in range(options.partitions)]
    requests = [module.AddSplit(split) for split in range(options.splits)]
    requests += [module.AddPartition(partition) for partition in partitions]
    for request in [*requests, module.Run()]:
        await cluster.request(MASTER, request)
    finished = 0
    committed: list[Any] = []

    async def watch() -> None:
        nonlocal finished, committed
        while len(committed) < len(partitions):
            cluster.check()
            with suppress(NodeDown, TimeoutError):
                variables = await cluster.variables(MASTER)
                committed = variables["committed"]
                finished = len(variables["result"]) + len(committed)
            await asyncio.sleep(0.05)

    total = options.splits + len(partitions)
    await asyncio.gather(watch(), killer.run(options.kills, lambda: finished / total))
    return [file for _, file in committed]


async def run(
    options: Options, application: str = "examples.wordcount:Worker", points: Points = POINTS
) -> Outcome:
    """Run it on a cluster and in this process; raises `ClusterFailure` and `OSError`."""
    texts = files(options)
    began = time.monotonic()
    expected = sequential(texts)
    alone = time.monotonic() - began
    with provided(options.data) as directory:
        splits = [texts[number :: options.splits] for number in range(options.splits)]
        write(directory / "plan.json", {"splits": splits, "partitions": options.partitions})
        cluster = Cluster(
            ROOT / "generated" / "map_reduce.py",
            {"Worker": options.workers},
            data=directory / "cluster",
            app=application,
            trace=options.data is not None,
            environment={DIRECTORY: str(directory)},
        )
        async with cluster:
            killer = Killer(cluster, directory, points, Random(options.seed))
            began = time.monotonic()
            results = await work(cluster, options, killer)
            together = time.monotonic() - began
        result: Result = {job: {} for job in JOBS}
        for name in results:
            result[name.partition("-")[0]] |= json.loads((directory / name).read_text("utf-8"))
    return Outcome(len(texts), result, result == expected, killer.account(), alone, together)


def plot(path: Path, outcomes: list[Outcome]) -> None:
    """Draw the speed-up against the number of workers, from 1 on."""
    from matplotlib.figure import Figure

    workers = range(1, len(outcomes) + 1)
    alone = sum(outcome.sequential for outcome in outcomes) / len(outcomes)
    axes = (figure := Figure(figsize=(5, 4), layout="constrained")).subplots()
    axes.plot(workers, [alone / outcome.cluster for outcome in outcomes], "o-", label="measured")
    axes.plot(workers, workers, ":", color="gray", label="one for each worker")
    axes.set(xlabel="workers", ylabel="speed-up over the sequential run", xticks=workers, ylim=0)
    axes.legend()
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return the exit code."""
    options: Options = parse(Options, __doc__, arguments)
    if not files(options):
        print(f"there are no such files in {options.text}", file=sys.stderr)
        return 2
    runs = [options]
    if options.plot is not None:
        if importlib.util.find_spec("matplotlib") is None:
            print("--plot needs matplotlib: pip install matplotlib", file=sys.stderr)
            return 2
        numbers = range(1, options.workers + 1)
        runs = [replace(options, workers=number, kills=0, data=None) for number in numbers]
    outcomes = []
    for each in runs:
        outcome = finish(run(each))
        outcomes.append(outcome)
        print(
            f"{outcome.files} files, {each.workers} workers: {outcome.cluster:.2f} s, "
            f"sequential {outcome.sequential:.2f} s; {outcome.killed}"
        )
    if options.plot is not None:
        plot(options.plot, outcomes)
    counts = Counter(outcomes[-1].result["count"]).most_common(5)
    print("most frequent: " + ", ".join(f"{word} {count}" for word, count in counts))
    equal = all(outcome.equal for outcome in outcomes)
    print(f"count and index are {'those' if equal else 'WRONG: not those'} of a sequential run")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
