"""A local cluster: processes of nodes, and links between them that can be disturbed.

    async with Cluster("generated/raft.py", nodes=3, data=Path("data")) as cluster:
        await cluster.partition([["s1"], ["s2", "s3"]])
        await cluster.kill("s2")

Nodes reach each other through `Link`s of this process, so that a partition needs no privileges.
Whatever ends the `async with` stops all processes; they also end when this one does, however
that happens.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from runtime.cluster.driver import NodeDown, Told
from runtime.cluster.errors import ClusterFailure
from runtime.cluster.launch import Launch
from runtime.cluster.layout import Layout, configure, write_view
from runtime.cluster.process import NodeProcess, State
from runtime.cluster.proxy import Link
from runtime.codec import Codec
from runtime.contract import Message, Module, NodeId
from runtime.host.config import Address, ClusterConfig
from runtime.load import LoadError, load

CONNECT_SECONDS: Final = 30.0
_STATUS_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to the cluster; `time` is in seconds since 1970."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node as it is: of the process, and, if it answers, of the node in it.

    `protocol_state` is that of the role, if the spec gives it any. `variables` are the spec's, in
    a few letters each. `cut` names the peers from which nothing comes.
    """

    id: NodeId
    role: str
    process: State
    pid: int | None
    clients: str
    starts: int
    protocol_state: str = ""
    variables: Mapping[str, str] | None = None
    connected: tuple[NodeId, ...] = ()
    cut: tuple[NodeId, ...] = ()
    steps: int | None = None


class Cluster:
    """A cluster of `nodes` of each role, or of the numbers by role (and parameters) in a mapping.

    `data` is its directory, by default a temporary one that is removed in the end. `app` is
    the application of every node, `package.module:factory`; without one, `answers` answers
    the spec's questions. `tell` is whether outputs are reported here, by default if there is no
    application. `links` off connects the nodes directly; then nothing can be partitioned.
    `constants` are those of the nodes that have any. `environment` has variables that the
    applications find in the environment of their process. `store` is what opens a node's store, for
    tests with a wrong one. `notice` is called with what happens.

    A cluster whose nodes died by themselves raises `ClusterFailure` when it is left, unless
    that was asked for.
    """

    def __init__(
        self,
        module: str | Path,
        nodes: int | Mapping[str, int] = 3,
        *,
        data: Path | None = None,
        app: str | None = None,
        tls: bool = False,
        trace: bool = True,
        links: bool = True,
        answers: Mapping[str, object] | None = None,
        constants: Mapping[NodeId, Mapping[str, object]] | None = None,
        tell: bool | None = None,
        store: str | None = None,
        environment: Mapping[str, str] | None = None,
        log_level: str = "info",
        notice: Callable[[Happening], None] = lambda _: None,
    ) -> None:
        self._path = Path(module)
        self._asked = nodes
        self._temporary = data is None
        self._data = data
        self._app = app
        self._tls = tls
        self._trace = trace
        self._with_links = links
        self._answers = dict(answers or {})
        self._constants = constants or {}
        self._tell = app is None if tell is None else tell
        self._store = store
        self._environment = environment or {}
        self._log_level = log_level
        self._notice = notice
        self._arrived = asyncio.Event()
        self._told: list[Told] = []
        self._links: dict[frozenset[NodeId], Link] = {}
        self._processes: dict[NodeId, NodeProcess] = {}
        self.happenings: list[Happening] = []
        self.deaths: list[str] = []
        """Accounts of nodes that died by themselves, though nobody had asked for it."""
        self._module: Module | None = None
        self.layout: Layout
        self.config: ClusterConfig

    # --- life --------------------------------------------------------------------------------

    async def __aenter__(self) -> Cluster:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
        if error is None:
            self.check()

    async def start(self) -> None:
        """Start all nodes, and wait until they have connections to each other.

        Raises `ClusterFailure`.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        try:
            self._module = module = load(self._path)
        except LoadError as error:
            raise ClusterFailure(str(error)) from None
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="accordant-"))
        self._codec = Codec(module)
        self.layout = layout = Layout(self._data)
        self.config = config = configure(
            module, self._asked, layout, tls=self._tls, constants=self._constants
        )
        views: dict[NodeId, dict[NodeId, Address]] = {id: {} for id in config.nodes}
        if self._with_links:
            for dialer in config.nodes:
                for target in config.nodes:
                    if dialer < target:  # as runtime/host/peers.py has it
                        link = Link(dialer, target, config.nodes[target].address)
                        self._links[frozenset((dialer, target))] = link
                        views[dialer][target] = await link.open()
        answers = {name: self._codec.encode(value) for name, value in self._answers.items()}
        for id in config.nodes:
            directory = layout.node(id)
            launch = Launch(
                str(self._path.resolve()),
                id,
                str(write_view(layout, config, id, views[id])),
                str(directory / "data"),
                -1,
                self._app,
                str(layout.trace(id)) if self._trace else None,
                self._log_level,
                self._store,
                self._tell,
                answers,
            )
            self._processes[id] = NodeProcess(
                launch, directory / "log", self._environment, self._changed, self._output
            )
        await _all(process.start() for process in self._processes.values())
        await self.connected()

    async def stop(self) -> None:
        """Stop all nodes and links; nothing of them is left."""
        await asyncio.shield(self._stop())

    async def _stop(self) -> None:
        with suppress(ClusterFailure, NodeDown):
            await _all(process.stop() for process in self._processes.values())
        for link in self._links.values():
            await link.close()
        self._links.clear()
        if self._temporary and self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)

    def _changed(self, process: NodeProcess) -> None:
        if process.state == "died":
            text = process.account()
            if not process.doomed:
                self.deaths.append(text)
            self.note(text)
        else:
            self.note(f"{process.id} {'is ' if process.state != 'starting' else ''}{process.state}")
        self._arrived.set()

    def note(self, text: str) -> None:
        """Put down that something happened."""
        happening = Happening(time.time(), text)
        self.happenings.append(happening)
        self._notice(happening)

    # --- nodes ---------------------------------------------------------------------------------

    @property
    def module(self) -> Module:
        """The generated module."""
        assert self._module is not None, "the cluster has not been started"
        return self._module

    @property
    def members(self) -> tuple[NodeId, ...]:
        """All nodes, in order."""
        return tuple(self.config.nodes)

    def role(self, node: NodeId) -> str:
        """Return the name of a node's role."""
        return self.config.nodes[self.node(node)].role

    def node(self, name: str) -> NodeId:
        """Return the node that a name or a number, from 1, means; `ClusterFailure` if none."""
        if name in self.config.nodes:
            return name
        if name.isdecimal() and 0 < int(name) <= len(self.config.nodes):
            return self.members[int(name) - 1]
        raise ClusterFailure(f"no node is called `{name}`; there are: {', '.join(self.members)}")

    def process(self, node: NodeId) -> NodeProcess:
        """Return a node's process."""
        return self._processes[self.node(node)]

    def clients(self, node: NodeId) -> Address:
        """Return where a node's application listens for its clients."""
        address = self.config.nodes[self.node(node)].clients
        assert address is not None
        return address

    async def kill(self, node: NodeId) -> None:
        """End a node by SIGKILL."""
        await self.process(node).kill()

    async def shut_down(self, node: NodeId) -> None:
        """End a node by SIGTERM."""
        await self.process(node).stop()

    async def restart(self, node: NodeId) -> None:
        """Start a node that has ended; one that runs is killed before."""
        process = self.process(node)
        await process.kill()
        await process.start()

    async def pause(self, node: NodeId) -> None:
        """Stop a node where it stands, by SIGSTOP."""
        self.process(node).pause()

    async def resume(self, node: NodeId) -> None:
        """Let a paused node go on."""
        self.process(node).resume()

    async def fail_disk(self, node: NodeId, room: int = 0) -> None:
        """Let a node's disk take `room` bytes more of its log, and then no write; it will die."""
        process = self.process(node)
        process.doomed = True
        await process.order("disk", room)

    async def set_weather(self, node: NodeId, share: float, delay: float) -> None:
        """Let a share of the messages to a node be lost, doubled, or late by up to `delay` s.

        A life of a node begins in good weather.
        """
        await self.process(node).order("weather", [share, delay])
        self.note(f"{node}: {share:.0%} of the messages are lost, doubled or late")

    async def set_clock(self, node: NodeId, shift: float) -> None:
        """Set a node's wall clock ahead, or back, by `shift` seconds, also for later lives."""
        process = self.process(node)
        process.shift_clock(shift)
        if process.state == "up":
            with suppress(NodeDown):
                await process.order("clock", shift)

    def check(self) -> None:
        """Raise `ClusterFailure` if a node has died by itself, so that nobody waits for it."""
        if self.deaths:
            raise ClusterFailure("\n".join(self.deaths))

    # --- links ---------------------------------------------------------------------------------

    def link(self, first: NodeId, second: NodeId) -> Link:
        """Return the link between two nodes."""
        pair = frozenset((self.node(first), self.node(second)))
        if len(pair) != 2:
            raise ClusterFailure("a link is between two nodes")
        if pair not in self._links:
            raise ClusterFailure("the cluster has no links that can be disturbed")
        return self._links[pair]

    async def partition(self, groups: Iterable[Iterable[NodeId]], *, reset: bool = False) -> None:
        """Let nodes of different groups hear nothing of each other; the rest is a group too.

        It takes the place of an earlier one. What they send meanwhile arrives when it is healed.
        With `reset` connections break as well, so that what was under way is lost.
        """
        parts = [[self.node(node) for node in group] for group in groups]
        of = {node: number for number, part in enumerate(parts) for node in part}
        if len(of) != sum(map(len, parts)):
            raise ClusterFailure("a node can be in one group only")
        if not self._links and len(self.members) > 1:
            raise ClusterFailure("the cluster has no links that can be disturbed")
        for link in self._links.values():
            apart = of.get(link.dialer) != of.get(link.target)
            for end in (link.dialer, link.target):
                (link.hold if apart else link.release)(end, "partition")
            if apart and reset:
                link.reset()
        rest = [node for node in self.members if node not in of]
        shown = [part for part in [*parts, rest] if part]
        self.note("partition " + " / ".join(",".join(part) for part in shown))

    async def heal(self) -> None:
        """Undo all partitions."""
        for link in self._links.values():
            link.release(link.dialer, "partition")
            link.release(link.target, "partition")
        self.note("healed")

    async def clog(self, sender: NodeId, receiver: NodeId) -> None:
        """Hold back what one node sends to another."""
        self.link(sender, receiver).hold(self.node(sender), "clog")
        self.note(f"{sender} to {receiver} is clogged")

    async def release(self, sender: NodeId, receiver: NodeId) -> None:
        """Let go on what was held back by `clog`."""
        self.link(sender, receiver).release(self.node(sender), "clog")
        self.note(f"{sender} to {receiver} is released")

    async def connected(self, seconds: float = CONNECT_SECONDS) -> None:
        """Wait until all nodes that are up have connections to each other."""
        async with asyncio.timeout(seconds):
            while True:
                self.check()
                up = [id for id, process in self._processes.items() if process.state == "up"]
                statuses = [await self.node_status(id) for id in up]
                if all(set(up) - {s.id} <= set(s.connected) for s in statuses):
                    return
                await asyncio.sleep(0.02)

    # --- what it shows -------------------------------------------------------------------------

    async def status(self) -> list[NodeStatus]:
        """Return the status of all nodes."""
        return list(await asyncio.gather(*map(self.node_status, self.members)))

    async def node_status(self, node: NodeId) -> NodeStatus:
        """Return the status of one node."""
        process = self.process(node)
        config = self.config.nodes[process.id]
        answer: dict[str, Any] = {}
        if process.state == "up":
            with suppress(NodeDown, TimeoutError):
                answer = await process.order("status", seconds=_STATUS_SECONDS)
        cut = tuple(
            other
            for other in self.members
            if other != process.id
            for link in [self._links.get(frozenset((process.id, other)))]
            if link is not None and link.held(other)
        )
        return NodeStatus(
            process.id,
            config.role,
            process.state,
            process.pid,
            str(config.clients),
            process.starts,
            answer.get("state", ""),
            answer.get("variables"),
            tuple(answer.get("connected", ())),
            cut,
            answer.get("steps"),
        )

    # --- the driver ----------------------------------------------------------------------------

    @property
    def outputs(self) -> list[Told]:
        """All outputs so far."""
        return self._told

    def _output(self, node: NodeId, data: Any) -> None:
        output = self._codec.decode_message(self.module.OUTPUTS, data)
        self._told.append(Told(node, output))
        self._arrived.set()

    async def request(self, node: NodeId, request: Message) -> bool:
        """Give a node a request; see `Driver`."""
        data = self._codec.encode_message(request)
        taken: bool = await self.process(node).order("request", data)
        return taken

    async def answer(self, node: NodeId, name: str, answer: object) -> None:
        """Have a node's application answer so from now on; see `Driver`."""
        process = self.process(node)
        data = {name: self._codec.encode(answer)}
        process.add_answers(data)
        if process.running:
            await process.order("answer", data)

    async def variables(self, node: NodeId) -> dict[str, Any]:
        """Return a node's variables; see `Driver`."""
        self.check()
        found: dict[str, Any] = await self.process(node).order("variables")
        return found

    async def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until the condition holds; see `Driver`."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self.check()
                    self._arrived.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.1):
                            await self._arrived.wait()
        except TimeoutError:
            text = "\n".join(h.text for h in self.happenings[-10:])
            raise TimeoutError(f"it does not hold after {seconds:g} s\n{text}") from None

    async def sleep(self, seconds: float) -> None:
        """Let the cluster run."""
        await asyncio.sleep(seconds)


async def _all(work: Iterable[Any]) -> None:
    """Do all the work at once; when it is done, raise the first of what went wrong."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
