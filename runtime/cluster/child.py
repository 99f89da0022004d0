"""The process of a node: the same host as `accordant node`, with a line to the cluster around it.

Over the line (`launch.py`) the cluster asks for the node's variables, gives it requests, hears
its outputs, and disturbs it: the clock jumps, the disk refuses to write. When the line breaks, the
cluster has gone, and the node dies as by SIGKILL.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from runtime.cluster.disk import FragileDisk
from runtime.cluster.launch import Launch, Order, Report, line, order_decoder
from runtime.cluster.variables import brief, variables
from runtime.cluster.weather import WeatheredHost
from runtime.codec import Codec, CodecError
from runtime.contract import Message, Module, NodeId
from runtime.host.application import Application, NoApplication, Node, RequestError
from runtime.host.config import ConfigError, read_config
from runtime.host.host import HostError, Options
from runtime.host.logs import node_logger
from runtime.host.process import FAILED, STOPPED, application_factory
from runtime.load import LoadError, load
from runtime.storage.directory import StorageError
from runtime.storage.store import SqliteStore

REFUSED: Final = 2
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG


class Clock:
    """The wall clock of this process, which can be set; what runs by `monotonic` does not care."""

    def __init__(self, shift: float) -> None:
        self.shift = shift
        wall, wall_ns = time.time, time.time_ns
        time.time = lambda: wall() + self.shift
        time.time_ns = lambda: wall_ns() + int(self.shift * 1e9)


class Line:
    """The node's end of the line."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def send(self, report: Report) -> None:
        """Send a report; nothing happens if nobody hears it any more."""
        if not self._writer.is_closing():
            self._writer.write(line(report))


class Controlled:
    """An application between the node and the real one, if there is any.

    It reports outputs, and answers the questions that it has an answer for.
    """

    def __init__(self, codec: Codec, module: Module, inner: Application | None, tell: bool) -> None:
        self._codec = codec
        self._inner: Application = inner or NoApplication()
        self._names = {class_: name for name, class_ in module.QUESTIONS.items()}
        self._tell = tell
        self.answers: dict[str, object] = {}
        self.line: Line

    async def start(self, node: Node) -> None:
        """Begin."""
        await self._inner.start(node)

    def output(self, output: Message) -> None:
        """Report an output and pass it on."""
        if self._tell:
            self.line.send(Report(kind="output", value=self._codec.encode_message(output)))
        self._inner.output(output)

    def answer(self, question: Message) -> object:
        """Answer as the cluster has said, or let the application answer."""
        name = self._names[type(question)]
        return self.answers[name] if name in self.answers else self._inner.answer(question)

    def received(self, peer: NodeId, body: bytes) -> None:
        """Pass on what has come."""
        self._inner.received(peer, body)

    async def stop(self) -> None:
        """End."""
        await self._inner.stop()


class Child:
    """A node and its line."""

    def __init__(self, launch: Launch) -> None:
        clock = Clock(launch.clock)  # before an application can read the time
        factory = None if launch.app is None else application_factory(launch.app)
        store: Any = SqliteStore if launch.store is None else application_factory(launch.store)
        module = load(launch.module)
        self._clock = clock
        self._disk = FragileDisk(store)
        self._codec = Codec(module)
        self._module = module
        inner = None if factory is None else factory()
        # An application that nobody listens to runs without anything in between.
        plain = inner is not None and not launch.tell and not launch.answers
        self._application = Controlled(self._codec, module, inner, launch.tell)
        self._application.answers |= self._codec.decode_answers(launch.answers)
        self._channel = launch.channel
        self.host = WeatheredHost(
            module,
            launch.id,
            read_config(Path(launch.cluster)),
            Path(launch.data),
            inner if plain else self._application,
            options=Options(trace=None if launch.trace is None else Path(launch.trace)),
            open_store=self._disk.open,
            logger=node_logger(launch.id, launch.log_level),
        )

    async def run(self) -> int:
        """Run the node until it is told to stop; return the exit code."""
        reader, writer = await asyncio.open_connection(
            sock=socket.socket(fileno=self._channel), limit=64 * 1024 * 1024
        )
        self._line = self._application.line = Line(writer)
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        host = self.host
        async with host:
            self._line.send(Report(kind="ready"))
            failed, stopped, left = tasks = [
                loop.create_task(work)
                for work in (host.wait(), _wait(stopping), self._obey(reader))
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if left.done() and not stopped.done():
                host.kill()  # the cluster has gone, or what it says makes no sense
            if not failed.done():
                await host.stop()
            for task in tasks:
                task.cancel()
            with suppress(HostError, asyncio.CancelledError):
                await failed
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        return FAILED if host.failed or not stopped.done() else STOPPED

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        while text := await reader.readline():
            order = order_decoder.decode(text)
            try:
                value = self._carry_out(order)
            except (CodecError, RequestError, HostError) as error:
                self._line.send(Report(order.number, "error", str(error)))
                continue
            if isinstance(value, asyncio.Future):
                value.add_done_callback(partial(self._tell, order.number))
            else:
                self._line.send(Report(order.number, value=value))

    def _tell(self, number: int, done: asyncio.Future[bool]) -> None:
        if done.cancelled():
            self._line.send(Report(number, "error", "the node stopped before it had done it"))
        else:
            self._line.send(Report(number, value=done.result()))

    def _carry_out(self, order: Order) -> Any:
        module, codec, argument = self._module, self._codec, order.argument
        match order.do:
            case "status":
                return self._status()
            case "variables":
                return variables(codec, self.host.code)
            case "request":
                return self.host.request(codec.decode_message(module.REQUESTS, argument))
            case "answer":
                self._application.answers |= codec.decode_answers(argument)
            case "clock":
                self._clock.shift += argument
            case "weather":
                self.host.weather(*argument)
            case "disk":
                self._disk.fail(argument)
            case _:
                raise CodecError(f"there is no order `{order.do}`")
        return None

    def _status(self) -> dict[str, Any]:
        host = self.host
        return {
            "state": str(getattr(getattr(host.code, "state", None), "value", "")),
            "variables": brief(host.code, self._codec),
            "connected": [peer for peer, up in host.statistics.connected.items() if up],
            "steps": sum(host.statistics.steps.values()),
        }


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _die_with_parent() -> None:
    """Have the system kill this process when its cluster has gone, even while it is stopped."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _runner() -> Callable[[Coroutine[Any, Any, int]], int]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run: Callable[[Coroutine[Any, Any, int]], int] = uvloop.run
    return run


def main(argument: str) -> int:
    """Run the node that a `Launch` describes; return the exit code of the process."""
    _die_with_parent()
    launch = msgspec.json.decode(argument, type=Launch)
    try:
        child = Child(launch)
        return _runner()(child.run())
    except (LoadError, ConfigError, StorageError, CodecError) as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
