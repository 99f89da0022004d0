"""One node of a cluster as the cluster sees it: its process, its line, its log."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from runtime.cluster.driver import NodeDown
from runtime.cluster.errors import ClusterFailure
from runtime.cluster.launch import Launch, Order, Report, encode, line, report_decoder
from runtime.contract import NodeId

State: TypeAlias = Literal["down", "starting", "up", "paused", "died"]
"""`down`: not started, or ended as it was told to; `died`: ended by itself."""

ANSWER_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
_LOG_LINES: Final = 8
_LOG_WIDTH: Final = 300
_LOG_BYTES: Final = 8192
_ROOT: Final = Path(__file__).parents[2]


class NodeProcess:
    """A node; `launch` is how it starts, but for the channel.

    `changed` is called whenever `state` has changed, `told` with what the node tells of itself.
    """

    def __init__(
        self,
        launch: Launch,
        log: Path,
        environment: Mapping[str, str],
        changed: Callable[[NodeProcess], None],
        told: Callable[[NodeId, Any], None],
    ) -> None:
        self.launch = launch
        self.id = launch.id
        self.log = log
        self._environment = environment
        self.state: State = "down"
        self.starts = 0
        self.doomed = False
        """Whether it is expected to die by itself."""
        self.exit_code: int | None = None
        self._changed = changed
        self._told = told
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._log_start = 0
        self._ended_on_purpose = False
        self._ready: asyncio.Future[None]
        self._watcher: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.state in ("starting", "up", "paused")

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        return self._process.pid if self.running and self._process is not None else None

    async def start(self) -> None:
        """Start the process and wait until the node runs; `ClusterFailure` if it does not."""
        if self.running:
            raise ClusterFailure(f"{self.id} runs already")
        if self._watcher is not None:
            await self._watcher
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        self._ended_on_purpose = self.doomed = False
        self.exit_code = None
        own, other = socket.socketpair()
        try:
            launch = msgspec.structs.replace(self.launch, channel=other.fileno())
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "runtime.cluster.child", encode(launch).decode()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[other.fileno()],
                    env={**environment(), **self._environment},
                    start_new_session=True,  # Ctrl-C is for the cluster, which then stops it
                )
        except OSError as error:
            own.close()
            raise ClusterFailure(f"{self.id} cannot be started: {error}") from None
        except BaseException:
            own.close()
            raise
        finally:
            other.close()
        reader, self._writer = await asyncio.open_connection(sock=own, limit=64 * 1024 * 1024)
        self.starts += 1
        self._set("starting")
        self._watcher = loop.create_task(self._watch(self._process, reader, self._writer))
        await asyncio.shield(self._ready)

    async def _watch(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with suppress(ConnectionError):
            while text := await reader.readline():
                if not text.endswith(b"\n"):
                    break  # killed in the middle of it
                self._take(report_decoder.decode(text))
        self.exit_code = await process.wait()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NodeDown(f"{self.id} went down"))
        self._waiting.clear()
        self._set("down" if self._ended_on_purpose else "died")
        if not self._ready.done():
            failure = NodeDown if self._ended_on_purpose else ClusterFailure
            self._ready.set_exception(failure(self.account()))
            self._ready.exception()  # nobody may be waiting for it any more

    def _take(self, report: Report) -> None:
        if report.kind == "ready":
            if self.state == "starting":
                self._set("up")
            if not self._ready.done():
                self._ready.set_result(None)
        elif report.kind == "output":
            self._told(self.id, report.value)
        else:
            future = self._waiting.pop(report.number, None)
            if future is not None and not future.done():
                if report.kind == "error":
                    future.set_exception(ValueError(f"{self.id}: {report.value}"))
                else:
                    future.set_result(report.value)

    async def order(self, do: str, argument: Any = None, seconds: float = ANSWER_SECONDS) -> Any:
        """Give the node an order; return its answer.

        Raises `NodeDown`, `ValueError` if the order makes no sense to the node, and `TimeoutError`
        if it does not answer, because it is paused for one.
        """
        writer = self._writer
        if not self.running or writer is None or writer.is_closing():
            raise NodeDown(f"{self.id} is down")
        self._number += 1
        number = self._number
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(line(Order(number, do, argument)))
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise TimeoutError(f"{self.id} has not answered in {seconds:g} s") from None
        finally:
            self._waiting.pop(number, None)

    async def kill(self) -> None:
        """End the process by SIGKILL, whatever it does; nothing happens if there is none."""
        if self.running and self._process is not None:
            self._ended_on_purpose = True
            with suppress(ProcessLookupError):
                self._process.kill()
        await self.ended()

    async def stop(self) -> None:
        """End the process gracefully, or by SIGKILL if that takes too long."""
        if self.running and self._process is not None:
            self._ended_on_purpose = True
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.ended()
            except TimeoutError:
                await self.kill()
        await self.ended()

    async def ended(self) -> None:
        """Wait until there is no process."""
        if self._watcher is not None:
            await asyncio.shield(self._watcher)

    def shift_clock(self, shift: float) -> None:
        """Have later lives begin with a clock that is set by so many seconds more."""
        self.launch = msgspec.structs.replace(self.launch, clock=self.launch.clock + shift)

    def add_answers(self, answers: dict[str, Any]) -> None:
        """Have later lives begin with these answers."""
        known = self.launch.answers | answers
        self.launch = msgspec.structs.replace(self.launch, answers=known)

    def pause(self) -> None:
        """Stop the process where it stands; `NodeDown` if there is none."""
        self._signal(signal.SIGSTOP)
        self._set("paused")

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)
        self._set("up")

    def _signal(self, number: int) -> None:
        if self.state not in ("up", "paused") or self._process is None:
            raise NodeDown(f"{self.id} is down")
        self._process.send_signal(number)

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._changed(self)

    def account(self) -> str:
        """Return how the process ended, and what it wrote last."""
        code = self.exit_code
        if code is None:
            how = "runs"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"has ended with exit code {code}"
        lines = last_lines(self.log, self._log_start)
        return f"{self.id} {how}" + "".join(f"\n  {text[:_LOG_WIDTH]}" for text in lines)


def last_lines(path: Path, start: int) -> list[str]:
    """Return the last lines of a log, from the byte `start` on."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-_LOG_LINES:]


def environment() -> dict[str, str]:
    """Return the environment of a node: it finds the modules that this process finds."""
    paths = [str(_ROOT), *(path for path in sys.path if path)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
