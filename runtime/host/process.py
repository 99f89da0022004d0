"""A node as a process of its own: from the command line to the last signal."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from runtime.contract import Module
from runtime.host.application import Application
from runtime.host.config import ClusterConfig, ConfigError
from runtime.host.host import Host, HostError, Options
from runtime.host.logs import node_logger

T = TypeVar("T")

STOPPED: Final = 0
FAILED: Final = 1


def application_factory(name: str) -> Callable[[], Application]:
    """Return what `package.module:factory` names; `ConfigError` if it names nothing.

    The factory is called without arguments, once a process, and returns the application.
    """
    place, colon, attribute = name.partition(":")
    if not colon or not place or not attribute:
        raise ConfigError(f"`{name}` is not of the form package.module:factory")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has it
    try:
        found: Any = importlib.import_module(place)
    except Exception as error:  # whatever a user's module raises when it is imported
        raise ConfigError(f"cannot import {place}: {type(error).__name__}: {error}") from None
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"{place} has no callable `{attribute}`")
    factory: Callable[[], Application] = found
    return factory


def run_node(
    module: Module,
    id: str,
    config: ClusterConfig,
    data: Path,
    factory: Callable[[], Application] | None,
    options: Options,
    level: str = "info",
) -> int:
    """Run a node until it is told to stop; return the exit code of the process.

    SIGTERM and SIGINT stop it gracefully: `STOPPED`. If it fails, that is logged: `FAILED`.
    Raises `ConfigError` and `StorageError` if it cannot start.
    """

    async def main() -> int:
        application = None if factory is None else factory()
        host = Host(
            module, id, config, data, application, options=options, logger=node_logger(id, level)
        )
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with host:
            waiting = [
                asyncio.ensure_future(host.wait()),
                asyncio.ensure_future(stopping.wait()),
            ]
            try:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()
            if waiting[0] in done:
                with suppress(HostError):  # the host has logged it
                    waiting[0].result()
                return FAILED
            # While it stops, a failure may still come: the last commit may be the one that fails.
            await host.stop()
        return FAILED if host.failed else STOPPED

    return run_as_processes_do(main())


def run_as_processes_do(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the event loop that nodes have as processes: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # it does not exist for every system
        return asyncio.run(work)
    return uvloop.run(work)
