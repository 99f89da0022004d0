"""`accordant cluster`: a local cluster of processes, and orders to one that is up."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from compiler.command.console import color
from compiler.command.mistakes import UsageError
from compiler.command.simulate import sizes_of
from runtime.cluster.cluster import Cluster, Happening
from runtime.cluster.control import ControlServer, check_free, command
from runtime.cluster.errors import ClusterFailure
from runtime.cluster.view import from_json, line, print_happening, table, watch

STOPPED = 0
DIED = 1


def run(options: argparse.Namespace) -> int:
    """Carry out one of the commands of `cluster`; return the exit code."""
    if options.what == "up":
        return asyncio.run(_up(options))
    nodes = options.groups.split("/") if options.what == "partition" else _names(options)
    try:
        value = command(options.data, options.what, nodes)
    except ClusterFailure as error:
        raise UsageError(str(error)) from None
    if options.what == "status":
        _print_status(value, as_json=options.json)
    return 0


def _names(options: argparse.Namespace) -> list[str]:
    names: list[str] = getattr(options, "nodes", [])
    return names


def _print_status(value: Any, *, as_json: bool) -> None:
    statuses = from_json(value)
    if as_json:
        print(json.dumps(value, indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console(no_color=not color(sys.stdout)).print(table(statuses))
    else:
        for status in statuses:
            print(line(status))


def number_or_sizes(text: str) -> int | Mapping[str, int]:
    """Return what `--nodes` says: a number for all roles, or one for each; `UsageError`."""
    return int(text) if text.strip().isdecimal() else sizes_of(text)


async def _up(options: argparse.Namespace) -> int:
    live = sys.stdout.isatty()

    def notice(happening: Happening) -> None:
        if not live:
            print_happening(happening)

    cluster = Cluster(
        options.module,
        number_or_sizes(options.nodes),
        data=options.data,
        app=options.app,
        tls=options.tls,
        trace=not options.no_trace,
        links=not options.direct,
        tell=False,
        notice=notice,
    )
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    try:
        check_free(options.data)
        await _until(end, cluster.start())
        if not end.is_set():
            control = ControlServer(cluster)
            await control.open()
            try:
                await _watch(cluster, control, end, live=live)
            finally:
                await control.close()
    except (ClusterFailure, TimeoutError) as error:
        raise UsageError(str(error) or "the nodes cannot reach each other") from None
    finally:
        await cluster.stop()
    if cluster.deaths:
        sys.stderr.write("\n".join(cluster.deaths) + "\n")
        return DIED
    return STOPPED


async def _until(end: asyncio.Event, work: Any) -> None:
    """Do the work, unless it is to end before that is done."""
    waiting = [asyncio.ensure_future(work), asyncio.ensure_future(end.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting[0].done():
            waiting[0].result()
    finally:
        for task in waiting:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _watch(
    cluster: Cluster, control: ControlServer, end: asyncio.Event, *, live: bool
) -> None:
    if not live:
        for status in await cluster.status():
            print(line(status), flush=True)
        print(f"up: {cluster.layout.config} has all addresses", flush=True)
    done = asyncio.Event()
    tasks: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(event.wait()) for event in (end, control.down)
    ]
    if live:
        tasks.append(asyncio.ensure_future(watch(cluster, done)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done.set()
        for task in tasks[:2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
