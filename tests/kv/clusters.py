"""Three nodes with the service, in a thread of their own, so that any client can talk to them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from generated import raft
from runtime.contract import Module
from runtime.host.config import Address, ClusterConfig, NodeConfig, TlsFiles
from runtime.host.host import Host
from runtime.host.logs import node_logger
from runtime.kv.options import Options
from runtime.kv.service import KeyValue

NODES = ("s1", "s2", "s3")
MODULE = cast(Module, raft)
T = TypeVar("T")


class Nodes:
    """A cluster; a context manager. What is asked of it is done in its thread."""

    def __init__(
        self, directory: Path, options: Options | None = None, tls: TlsFiles | None = None
    ) -> None:
        self.directory = directory
        self.options = options or Options()
        self.hosts: dict[str, Host] = {}
        self.services: dict[str, KeyValue] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._sockets = {id: _bound() for id in NODES}
        configs = {
            id: NodeConfig(
                id,
                "Server",
                Address("127.0.0.1", self._sockets[id].getsockname()[1]),
                clients=Address("127.0.0.1", 0),
            )
            for id in NODES
        }
        self.config = ClusterConfig("Raft", configs, tls=tls)

    def __enter__(self) -> Nodes:
        self._thread.start()
        for id in NODES:
            self.start(id)
        self.wait_for_leader()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for id in list(self.hosts):
            self.stop(id)
        self._do(_settle)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, action: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(action(), self._loop).result(30)

    def start(self, id: str) -> None:
        """Start a node that does not run."""
        service = KeyValue(self.options)
        listener = self._sockets.pop(id, None)
        host = Host(
            MODULE,
            id,
            self.config,
            self.directory / id,
            service,
            listener=listener,
            logger=node_logger(id, "error"),
        )
        self._do(host.start)
        self.hosts[id], self.services[id] = host, service

    def stop(self, id: str, *, kill: bool = False) -> None:
        """Stop a node; `kill` lets it finish nothing."""
        host, service = self.hosts.pop(id), self.services.pop(id)

        async def end() -> None:
            if kill:
                host.kill()
            await host.stop()
            if kill:
                await service.stop()

        self._do(end)

    def port(self, id: str) -> int:
        """Return the port for clients of a node."""
        return self.services[id].port

    def leader(self) -> str | None:
        """Return who leads, as far as most nodes know."""
        known = [str(host.code.leads) for host in self.hosts.values()]  # type: ignore[attr-defined]
        named = max(set(known), key=known.count)
        return named if known.count(named) * 2 > len(NODES) and named in self.hosts else None

    def wait_for_leader(self) -> str:
        """Wait until a leader has committed an entry of its own."""

        async def wait() -> str:
            while True:
                leader = self.leader()
                if leader is not None and self.services[leader].machine.index > 0:
                    return leader
                await asyncio.sleep(0.01)

        return self._do(wait)

    def followers(self) -> list[str]:
        """Return the nodes that do not lead."""
        leader = self.wait_for_leader()
        return [id for id in self.hosts if id != leader]


async def _settle() -> None:
    """Let what has been closed be closed."""
    for _ in range(3):
        await asyncio.sleep(0)


def _bound() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener
