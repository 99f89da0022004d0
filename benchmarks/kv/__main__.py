"""`python -m benchmarks.kv`: this service, etcd and PySyncObj, one after the other.

Three nodes each, on this machine, with their data in the same directory, under the same load. What
is not installed is left out, and said to be. `--write FILE` puts the results into a page.
"""

from __future__ import annotations

import argparse
import os
import platform
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.kv.load import LoadError, Measured, Operation, fill, first_write, measure, run
from benchmarks.kv.systems import ROOT, Accordant, Etcd, PySyncObj, System

CASES: Final[tuple[tuple[Operation, int, int], ...]] = tuple(
    product(("SET", "GET"), (1, 50), (1, 16))
)
Results = dict[tuple[Operation, int, int], Measured]


def sync_time(directory: Path) -> float:
    """Return the median time in seconds of a write of 100 bytes with fdatasync."""
    path = directory / "sync"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        times = []
        for _ in range(200):
            began = time.perf_counter()
            os.write(descriptor, b"x" * 100)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - began)
        return median(times)
    finally:
        os.close(descriptor)
        path.unlink()


@contextmanager
def started(system: System, directory: Path) -> Iterator[System]:
    """Run a system."""
    try:
        system.start(directory)
        yield system
    finally:
        system.stop()


def run_system(system: System, directory: Path, seconds: float, failovers: int) -> Results:
    """Measure all cases; the times until a write after the leader was killed come last."""
    results: Results = {}
    with started(system, directory):
        leader = system.clients[system.leader()]
        run(fill(leader, system.make_wire))
        for case in CASES:
            operation, clients, pipeline = case
            measured = run(measure(leader, system.make_wire, operation, clients, pipeline, seconds))
            results[case] = measured
            print(f"{system.name:>10} {_case(case)}: {_shown(measured)}", flush=True)
    return results


def failover(system: System, directory: Path) -> float:
    """Return the seconds from the kill of the leader until a write is accepted."""
    with started(system, directory):
        leader = system.leader()
        run(fill(system.clients[leader], system.make_wire))
        system.kill(leader)
        rest = [address for node, address in system.clients.items() if node != leader]
        return run(first_write(rest, system.make_wire, 30.0))


async def run_pysyncobj(directory: Path, seconds: float) -> Results:
    """Measure its writes."""
    system = PySyncObj()
    results: Results = {}
    try:
        await system.start(directory)
        for case in CASES:
            operation, clients, pipeline = case
            if operation == "SET":
                results[case] = Measured(*await system.measure(clients * pipeline, seconds))
                print(f"{system.name:>10} {_case(case)}: {_shown(results[case])}", flush=True)
    finally:
        await system.stop()
    return results


def _case(case: tuple[Operation, int, int]) -> str:
    operation, clients, pipeline = case
    return f"{operation}, {clients:>2} clients, pipeline {pipeline:>2}"


def _shown(measured: Measured) -> str:
    return (
        f"{measured.rate:>9,.0f} a second, {measured.median * 1000:.2f} ms "
        f"(99 %: {measured.slow * 1000:.2f} ms)"
    )


def table(results: dict[str, Results], failovers: dict[str, list[float]]) -> str:
    """Return the results as Markdown."""
    names = list(results)
    lines = [
        "| requests a second (median time) | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
    ]
    for case in CASES:
        cells = []
        for name in names:
            measured = results[name].get(case)
            cells.append(
                "-"
                if measured is None
                else f"{measured.rate:,.0f} ({measured.median * 1e3:.2f} ms)"
            )
        lines.append(f"| {_case(case)} | " + " | ".join(cells) + " |")
    cells = [
        f"{median(failovers[name]):.2f} s (at most {max(failovers[name]):.2f} s)"
        if failovers.get(name)
        else "-"
        for name in names
    ]
    lines.append("| first write after `kill -9` of the leader | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def profile(module: Path, directory: Path, seconds: float, case: tuple[Operation, int, int]) -> str:
    """Return what the leader spends its time with, under cProfile."""
    system = Accordant(module, directory)
    with started(system, directory / "profiled"):
        node = system.leader()
        leader = system.clients[node]
        operation, clients, pipeline = case
        run(fill(leader, system.make_wire))
        run(measure(leader, system.make_wire, operation, clients, pipeline, seconds))
    out = StringIO()
    stats = pstats.Stats(str(directory / f"{node}.pstats"), stream=out)
    stats.strip_dirs().sort_stats("tottime").print_stats(25)
    rows = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    return "\n".join(rows[2:])


def main() -> int:
    """Run the comparison; the exit code is 1 if a system has failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kv", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case")
    parser.add_argument("--failovers", type=int, default=3, help="how often a leader is killed")
    parser.add_argument("--module", type=Path, default=ROOT / "generated" / "raft.py")
    parser.add_argument("--data", type=Path, help="where the data of all systems lies")
    parser.add_argument("--only", choices=["this", "etcd", "PySyncObj"], action="append")
    parser.add_argument("--profile", action="store_true", help="show what the leader works at")
    parser.add_argument("--write", type=Path, help="write the table to a file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.data, prefix="kv-") as name:
        directory = Path(name)
        if options.profile:
            print(profile(options.module, directory, options.seconds, ("SET", 50, 16)))
            return 0
        return compare(options, directory)


def compare(options: argparse.Namespace, directory: Path) -> int:
    """Measure all systems, and print and write the table."""
    about = [
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}.",
        f"A write with fdatasync took {sync_time(directory) * 1000:.2f} ms (median) before the run",
    ]
    print("\n".join(about))
    systems: list[type[Accordant] | type[Etcd]] = [Accordant, Etcd]
    results: dict[str, Results] = {}
    failovers: dict[str, list[float]] = {}
    failed = False

    def make(kind: type[Accordant] | type[Etcd]) -> System:
        return Accordant(options.module) if kind is Accordant else Etcd()

    for kind in systems:
        label = kind.name
        if options.only and kind.name not in options.only:
            continue
        if kind is Etcd:
            version = Etcd.version()
            if version is None:
                print("etcd is not on the PATH, and left out")
                continue
            label = f"etcd {version}"
        try:
            results[label] = run_system(
                make(kind), directory / kind.name, options.seconds, options.failovers
            )
            failovers[label] = [
                failover(make(kind), directory / f"{kind.name}-{number}")
                for number in range(options.failovers)
            ]
            print(f"{kind.name:>10} failover: {failovers[label]}")
        except (LoadError, OSError) as error:
            failed = True
            print(f"{kind.name} has failed: {error}", file=sys.stderr)
    if not options.only or "PySyncObj" in options.only:
        version = PySyncObj.version()
        if version is None:
            print("PySyncObj is not installed, and left out")
        else:
            results[f"PySyncObj {version}"] = run(
                run_pysyncobj(directory / "pysyncobj", options.seconds)
            )
    about[-1] += f", and {sync_time(directory) * 1000:.2f} ms after it."
    text = "\n".join(about) + "\n\n" + table(results, failovers) + "\n"
    print("\n" + text)
    if options.write is not None:
        options.write.write_text(text, "utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
