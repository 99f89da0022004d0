"""Torture: the key-value cluster under load while everything around it fails.

A run ends with four verdicts. Every acknowledged write of a key that is written once is there. The
history of what clients saw is linearizable. The steps that the nodes have recorded are steps of
the model. No node has died but of what was done to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from runtime.checking import Model
from runtime.checking.recorded import read_recording, trace_files
from runtime.checking.trace import Conforms, Deviates, TraceOptions, TraceVerdict, check_trace
from runtime.cluster.cluster import Cluster, Happening
from runtime.cluster.load import Load, LoadOptions
from runtime.cluster.nemesis import FAULTS, Nemesis
from runtime.contract import Module
from runtime.history.check import Bounds, Illegal, Linearizable, Verdict, check
from runtime.history.model import KeyValue
from runtime.history.operation import Operation, write
from runtime.history.picture import draw

APPLICATION: Final = "runtime.kv.service:application"
Outcome: TypeAlias = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class TortureOptions:
    """What is done for how long.

    `seconds` of load; `interval`, `length` and `faults` are those of `Nemesis`. `trace` is whether
    nodes write their steps down. `application` and `store` are what each node runs, and on what;
    others than the right ones are for tests. `bounds` is what deciding the history may cost.
    """

    seconds: float = 60.0
    seed: int = 0
    nodes: int = 3
    interval: float = 1.0
    length: float = 1.0
    faults: tuple[str, ...] = FAULTS
    load: LoadOptions = field(default_factory=LoadOptions)
    tls: bool = False
    trace: bool = True
    application: str = APPLICATION
    store: str | None = None
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(slots=True)
class Result:
    """What came of a run. `wrong` are acknowledged writes that were not found, and what was.

    `trace` is None if there was no model to check it against, `stuck` what kept the cluster from
    answering in the end, `deaths` the accounts of nodes that died by themselves.
    """

    operations: int = 0
    unanswered: int = 0
    acknowledged: int = 0
    wrong: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    history: Verdict | None = None
    trace: TraceVerdict | None = None
    stuck: str | None = None
    deaths: tuple[str, ...] = ()
    history_file: Path | None = None
    picture: Path | None = None

    @property
    def outcome(self) -> Outcome:
        """Wrong if anything is, else unknown if anything is."""
        if (
            self.wrong
            or self.stuck is not None
            or self.deaths
            or isinstance(self.history, Illegal)
            or isinstance(self.trace, Deviates)
        ):
            return "wrong"
        known = isinstance(self.history, Linearizable)
        known = known and isinstance(self.trace, Conforms | None)
        return "right" if known else "unknown"


async def torture(
    module: Path,
    directory: Path,
    options: TortureOptions,
    *,
    notice: Callable[[Happening], None] = lambda _: None,
    advance: Callable[[float], None] = lambda _: None,
) -> tuple[Result, list[Operation]]:
    """Run the cluster, and return what is known without the checks, and the history.

    `advance` is called now and then with how many seconds have gone. Raises `ClusterFailure` if
    the cluster cannot be started or a node cannot be started again.
    """
    cluster = Cluster(
        module,
        options.nodes,
        data=directory,
        app=options.application,
        tls=options.tls,
        trace=options.trace,
        tell=False,
        store=options.store,
        log_level="info",
        notice=notice,
    )
    result = Result()
    await cluster.start()
    try:
        addresses = {node: cluster.clients(node) for node in cluster.members}
        load = Load(addresses, options.seed, options.load, cluster.config.tls)
        nemesis = Nemesis(
            cluster,
            options.seed,
            interval=options.interval,
            length=options.length,
            faults=options.faults,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            harm = group.create_task(nemesis.run())
            await _pass(options.seconds, harm, advance)
            nemesis.stop()
            await harm
            load.stop()
        try:
            if not cluster.deaths:
                await cluster.connected()
            result.wrong = await load.read_all()
        except TimeoutError:
            result.stuck = await _stuck(cluster, load)
    except ExceptionGroup as group_:
        raise group_.exceptions[0] from None
    finally:
        await cluster.stop()
    operations = load.recorder.operations()
    result.operations = len(operations)
    result.unanswered = sum(operation.pending for operation in operations)
    result.acknowledged = len(load.acknowledged)
    result.faults = dict(sorted(nemesis.counts.items()))
    result.errors = dict(sorted(load.errors.items()))
    result.deaths = tuple(cluster.deaths)
    result.history_file = directory / "history.jsonl"
    write(result.history_file, operations)
    return result, operations


async def _pass(seconds: float, harm: asyncio.Task[None], advance: Callable[[float], None]) -> None:
    """Let time go by, or end early when the nemesis has failed."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (gone := loop.time() - began) < seconds and not harm.done():
        advance(gone)
        await asyncio.sleep(min(0.5, seconds - gone))


async def _stuck(cluster: Cluster, load: Load) -> str:
    states = [
        f"{status.id} {status.process} {status.protocol_state}" for status in await cluster.status()
    ]
    errors = ", ".join(f"{name} {count}" for name, count in sorted(load.errors.items()))
    return f"the cluster did not answer any more: {'; '.join(states)} ({errors})"


def judge_history(result: Result, operations: list[Operation], bounds: Bounds) -> None:
    """Decide whether the history is linearizable; draw where it is not."""
    verdict = check(KeyValue(), operations, bounds)
    result.history = verdict
    if isinstance(verdict, Illegal) and result.history_file is not None:
        result.picture = result.history_file.with_suffix(".svg")
        result.picture.write_text(draw(verdict.window, verdict.part), "utf-8")


def judge_trace(
    result: Result,
    module: Module,
    model: Model,
    directory: Path,
    goes_on: Callable[[int, int], bool] = lambda steps, total: True,
) -> None:
    """Check the nodes' steps against the model. In what it allows, its properties are proved.

    Raises `TraceError` and `CheckingError` if there is something that is no trace.
    """
    recording = read_recording(module, trace_files(directory))
    options = TraceOptions(properties=0, goes_on=goes_on)
    result.trace = check_trace(module, model, recording, options)
