"""The systems that are compared, each as three processes on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.kv.load import Address, LoadError, MakeWire
from benchmarks.kv.wires import Grpc, Resp

ROOT = Path(__file__).parents[2]
NODES = ("s1", "s2", "s3")


class System(Protocol):
    """A system that is reached over sockets."""

    name: str
    make_wire: MakeWire

    @property
    def clients(self) -> Mapping[str, Address]:
        """Return where clients reach the nodes."""

    def start(self, directory: Path) -> None:
        """Start three nodes that keep their data in a directory, and wait for a leader."""

    def leader(self) -> str:
        """Return the node that leads; `LoadError` if none does."""

    def kill(self, node: str) -> None:
        """Kill a node, at once."""

    def stop(self) -> None:
        """Stop all."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class _Processes:
    """Three processes."""

    def __init__(self) -> None:
        self.clients: dict[str, Address] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _run(
        self, node: str, command: Sequence[str], log: Path, environment: Mapping[str, str] = {}
    ) -> None:
        with log.open("ab") as output:
            self._processes[node] = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, **environment},
            )

    def leader(self) -> str:
        raise NotImplementedError

    def wait(self) -> str:
        """Wait for a leader."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.leader()
            except (OSError, LoadError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def kill(self, node: str) -> None:
        """Kill a node, at once."""
        process = self._processes.pop(node)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Stop all."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = {}


class Accordant(_Processes):
    """This service on `module`, the generated Raft.

    `profile` is the directory for profiles of the nodes, if they are to be made.
    """

    name = "this"
    make_wire: MakeWire = Resp

    def __init__(self, module: Path, profile: Path | None = None) -> None:
        super().__init__()
        self._module = module
        self._profile = profile

    def start(self, directory: Path) -> None:
        """Start three nodes."""
        directory.mkdir(parents=True)
        ports = free_ports(6)
        lines = ['protocol = "Raft"']
        for number, node in enumerate(NODES):
            peers, clients = ports[2 * number : 2 * number + 2]
            lines += [
                f"[nodes.{node}]",
                'role = "Server"',
                f'address = "127.0.0.1:{peers}"',
                f'clients = "127.0.0.1:{clients}"',
            ]
            self.clients[node] = ("127.0.0.1", clients)
        cluster = directory / "cluster.toml"
        cluster.write_text("\n".join(lines) + "\n", "utf-8")
        for node in NODES:
            place = ["--cluster", str(cluster), "--data", str(directory / node)]
            program = ["-m", "compiler.command.main"]
            if self._profile is not None:
                program = ["-m", "benchmarks.kv.profiled", str(self._profile / f"{node}.pstats")]
            self._run(
                node,
                [
                    *(sys.executable, *program),
                    *("node", str(self._module), "--id", node, *place),
                    *("--app", "runtime.kv.service:application", "--log-level", "warning"),
                ],
                directory / f"{node}.log",
            )
        self.wait()

    def leader(self) -> str:
        """Return the node that leads; `LoadError` if none does."""
        for node, address in self.clients.items():
            if node not in self._processes:
                continue
            with socket.create_connection(address, 5) as connection:
                connection.sendall(b"INFO raft\r\nQUIT\r\n")
                said = b"".join(iter(lambda: connection.recv(65536), b""))
            leader = said.partition(b"raft_leader:")[2].partition(b"\r\n")[0].decode()
            committed = said.partition(b"raft_committed:")[2].partition(b"\r\n")[0]
            if leader in self._processes and int(committed or b"0"):
                return leader
        raise LoadError("no leader")


class Etcd(_Processes):
    """etcd; its reads are linearizable."""

    name = "etcd"
    make_wire: MakeWire = Grpc

    @staticmethod
    def version() -> str | None:
        """Return its version; None if there is no etcd on the PATH."""
        if shutil.which("etcd") is None:
            return None
        said = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True)
        return said.stdout.splitlines()[0].rpartition(" ")[2]

    def start(self, directory: Path) -> None:
        """Start three nodes."""
        directory.mkdir(parents=True)
        ports = free_ports(6)
        peers = {node: f"http://127.0.0.1:{ports[2 * n]}" for n, node in enumerate(NODES)}
        for number, node in enumerate(NODES):
            port = ports[2 * number + 1]
            self.clients[node] = ("127.0.0.1", port)
            mine = f"http://127.0.0.1:{port}"
            self._run(
                node,
                [
                    *("etcd", "--name", node, "--data-dir", str(directory / node)),
                    *("--listen-peer-urls", peers[node]),
                    *("--initial-advertise-peer-urls", peers[node]),
                    *("--listen-client-urls", mine, "--advertise-client-urls", mine),
                    *("--initial-cluster", ",".join(f"{n}={url}" for n, url in peers.items())),
                    *("--initial-cluster-state", "new", "--log-level", "error"),
                ],
                directory / f"{node}.log",
            )
        self.wait()

    def leader(self) -> str:
        """Return the node that leads; `LoadError` if none does."""
        for node, (host, port) in self.clients.items():
            if node not in self._processes:
                continue
            url = f"http://{host}:{port}/v3/maintenance/status"
            with urllib.request.urlopen(url, b"{}", 5) as answer:
                status: dict[str, Any] = json.load(answer)
            if status.get("leader", "0") == status["header"]["member_id"]:
                return node
        raise LoadError("no leader")


class PySyncObj:
    """PySyncObj with a journal. It has no clients: the load is made in the process that leads.

    Its reads are of a process's own memory, which may be old, so only writes are measured.
    """

    name = "PySyncObj"

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

    @staticmethod
    def version() -> str | None:
        """Return its version; None if it is not installed."""
        try:
            from importlib.metadata import version

            return version("pysyncobj")
        except ImportError:
            return None

    async def start(self, directory: Path) -> None:
        """Start three nodes."""
        directory.mkdir(parents=True)
        addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
        for number, address in enumerate(addresses):
            others = [other for other in addresses if other != address]
            self._processes.append(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "benchmarks.kv.pysyncobj_node"),
                    *(str(directory / f"journal{number}"), address, *others),
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )

    async def measure(self, in_flight: int, seconds: float) -> tuple[float, float, float]:
        """Return the writes a second, and how long one took: the median, the 99th percentile."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for process in self._processes:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{in_flight} {seconds}\n".encode())
                said = (await process.stdout.readline()).split()
                if said and said[0] != b"follower":
                    rate, median, slow = map(float, said)
                    return rate, median, slow
            await asyncio.sleep(0.2)
        raise LoadError("PySyncObj has no leader")

    async def stop(self) -> None:
        """Stop all."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._processes = []
