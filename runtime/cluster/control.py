"""Driving a cluster from another process: a Unix socket in its directory, one JSON object a line.

Whoever may open the directory's socket may do all of it; the socket is its owner's alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec

from runtime.cluster.cluster import Cluster
from runtime.cluster.driver import NodeDown
from runtime.cluster.errors import ClusterFailure

SOCKET: Final = "control.sock"
_SECONDS: Final = 120.0
_LIMIT: Final = 1024 * 1024


class Command(msgspec.Struct, frozen=True):
    """What is to be done: `do` is a name of `ACTIONS`, `nodes` are names or numbers.

    For `partition`, each element of `nodes` is a group, separated by commas.
    """

    do: str
    nodes: list[str] = []


class Answer(msgspec.Struct, frozen=True):
    """What came of a command: an error, or a value."""

    error: str | None = None
    value: Any = None


ACTIONS: Final = (
    *("kill", "stop", "restart", "pause", "resume"),
    *("partition", "heal", "clog", "release", "status", "down"),
)


class ControlServer:
    """Takes commands for a cluster while it is open; `down` is set when one asks for that."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.down = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._path = cluster.layout.directory / SOCKET

    async def open(self) -> None:
        """Begin to take commands; `ClusterFailure` if another process does so already."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            with _short(self._path) as path:
                _check_free(self._path.parent, path)
                Path(path).unlink(missing_ok=True)
                mask = os.umask(0o177)
                try:
                    sock.bind(path)
                finally:
                    os.umask(mask)
            self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=_LIMIT)
        except OSError as error:
            sock.close()
            raise ClusterFailure(f"cannot listen at {self._path}: {error.strerror}") from None
        except BaseException:
            sock.close()
            raise

    async def close(self) -> None:
        """Take no more commands; what has begun is answered."""
        if self._server is not None:
            self._server.close()
            if self._clients:
                _, late = await asyncio.wait(self._clients, timeout=2.0)
                for task in late:
                    task.cancel()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        try:
            text = await reader.readline()
            if not text:
                return
            writer.write(msgspec.json.encode(await self._answer(text)) + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            pass  # who asked has gone, or says too much at once
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, text: bytes) -> Answer:
        try:
            return Answer(value=await self._act(msgspec.json.decode(text, type=Command)))
        except (ClusterFailure, NodeDown, TimeoutError, msgspec.DecodeError) as error:
            return Answer(error=str(error))

    async def _act(self, command: Command) -> Any:
        cluster = self._cluster
        match command.do:
            case "status":
                return [asdict(status) for status in await cluster.status()]
            case "down":
                self.down.set()
            case "heal":
                await cluster.heal()
            case "partition":
                await cluster.partition([group.split(",") for group in command.nodes])
            case "clog" | "release":
                sender, receiver = map(cluster.node, command.nodes)
                await getattr(cluster, command.do)(sender, receiver)
            case "kill" | "stop" | "restart" | "pause" | "resume":
                act = cluster.shut_down if command.do == "stop" else getattr(cluster, command.do)
                for node in [cluster.node(name) for name in command.nodes]:
                    await act(node)
            case _:
                raise ClusterFailure(f"a cluster cannot `{command.do}`")
        return None


def command(directory: Path, do: str, nodes: list[str]) -> Any:
    """Have the cluster of a directory do something; return its value.

    Raises `ClusterFailure` if it cannot, or there is no cluster.
    """
    try:
        with socket.socket(socket.AF_UNIX) as sock, _short(directory / SOCKET) as path:
            sock.settimeout(_SECONDS)
            sock.connect(path)
            sock.sendall(msgspec.json.encode(Command(do, nodes)) + b"\n")
            with sock.makefile("rb") as file:
                text = file.readline()
    except TimeoutError:
        raise ClusterFailure(f"the cluster in {directory} does not answer") from None
    except OSError:
        raise ClusterFailure(
            f"no cluster is up in {directory}; `accordant cluster up` starts one"
        ) from None
    if not text:
        raise ClusterFailure(f"the cluster in {directory} has ended before it had answered")
    answer = msgspec.json.decode(text, type=Answer)
    if answer.error is not None:
        raise ClusterFailure(answer.error)
    return answer.value


def check_free(directory: Path) -> None:
    """Raise `ClusterFailure` if a cluster is up in a directory."""
    if directory.is_dir():
        with _short(directory / SOCKET) as path:
            _check_free(directory, path)


def _check_free(directory: Path, path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return
    raise ClusterFailure(
        f"the cluster in {directory} is up already; "
        f"`accordant cluster down --data {directory}` ends it"
    )


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name for a socket that is short enough: a system allows about 100 bytes."""
    if len(os.fsencode(path)) < 100 or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
