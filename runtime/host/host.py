"""A node of a generated module, run on an event loop.

What arrives in one turn of the loop, messages of peers, requests, timers, goes to one inbox, and
is stepped together, in order of arrival. Then the durable writes of all these steps are made
durable by one commit, and only then their messages and outputs leave. The cost of a turn and of a
commit is shared by whatever came together, and the more comes, the more is shared.

The commit is made on the loop's own thread: while it waits for the disk, what arrives gathers in
the sockets and makes the next batch. A thread for commits would let the loop decode messages
meanwhile, but each batch would pay two hand-overs between threads, and the next batch must wait
for the disk all the same. (The fastest tenth of commits of 50 writes, both of two cores busy:
0.22 ms on the loop's thread, 0.28 ms in another.)

Whatever goes wrong in the node itself ends it as a crash would, before anything of the batch has
left: a failed write, an exception of the generated code or of the application. Nothing is tried
twice.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from types import TracebackType
from typing import Any, Final

from prometheus_client import CollectorRegistry

from runtime.contract import Effects, Message, Module, NodeId, Role, Write
from runtime.host.application import Application, NoApplication, RequestError
from runtime.host.config import Address, ClusterConfig, ConfigError
from runtime.host.logs import node_logger
from runtime.host.membership import describe
from runtime.host.peers import Limits, Peers
from runtime.host.statistics import MetricsServer, Statistics, Variables
from runtime.host.timers import Timers
from runtime.host.tls import dial_context, is_loopback, server_context
from runtime.host.trace import Trace
from runtime.membership import nodes
from runtime.step import Deliver, Handled, Recover, Request, Start, Timeout, answered, call
from runtime.storage.store import Identity, SqliteStore, Store
from runtime.types import Types
from runtime.wire.frames import BYTES, DEFAULT_LIMIT, FrameError, frame
from runtime.wire.hello import FORMAT, Hello
from runtime.wire.messages import Checker, MessageCodec

# Kinds of events in the inbox.
DELIVER: Final = 0
REQUEST: Final = 1
TIMEOUT: Final = 2
FIRST: Final = 3

OpenStore = Callable[[Path, Module, Identity], Store]


class HostError(Exception):
    """A node has failed, or stopped while something was asked of it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a node runs.

    `insecure_listen` allows it to listen without TLS where other machines can reach it. `trace` is
    the file that its steps are appended to, if any. `frame_limit` bounds a frame, and
    `waiting_limit` and `disconnected_limit` what waits for a peer with and without a connection to
    it, in bytes. `batch_limit` is the number of events that are stepped together at most, and
    `inbox_limit` the length of the inbox from which on peers have to wait.
    """

    insecure_listen: bool = False
    trace: Path | None = None
    frame_limit: int = DEFAULT_LIMIT
    waiting_limit: int = 64 * 1024 * 1024
    disconnected_limit: int = 64 * 1024
    batch_limit: int = 1000
    inbox_limit: int = 20_000


DEFAULT_OPTIONS: Final = Options()


class Host:
    """One node: `Node` of runtime/host/application.py, and what runs it.

    `config` has to fit `module`, and to have the node `id`; `data` is the node's directory. A bound
    socket may be given as `listener`; by default the node listens where the config says. `random`
    draws the delays of timers. Raises `ConfigError` and `StorageError` from `start`.

        async with Host(module, "a1", config, data, application) as host:
            await host.request(module.Propose("tea"))
    """

    def __init__(
        self,
        module: Module,
        id: NodeId,
        config: ClusterConfig,
        data: Path,
        application: Application | None = None,
        *,
        options: Options = DEFAULT_OPTIONS,
        listener: socket.socket | None = None,
        open_store: OpenStore = SqliteStore,
        logger: Any = None,
        random: Random | None = None,
    ) -> None:
        if id not in config.nodes:
            known = ", ".join(config.nodes)
            raise ConfigError(f"no node is called `{id}`; there are: {known}")
        self.id = id
        self.module = module
        self.config = config.nodes[id]
        self.role = self.config.role
        self.cluster = config.cluster(module)
        self.options = options
        self.statistics = Statistics()
        self.registry = CollectorRegistry()
        self.registry.register(self.statistics)
        self.registry.register(Variables(self))
        self.logger = logger or node_logger(id)
        self.client_tls: ssl.SSLContext | None = None
        self._constants = config.constants(module, id)
        self._tls = config.tls
        self._data = data
        self._application: Application = application or NoApplication()
        self._listener = listener
        self._open_store = open_store
        self._random = random
        members = tuple(nodes(module, self.cluster))
        self._addresses = {peer: config.nodes[peer].address for peer in members if peer != id}
        self._codec = MessageCodec(module, members, limit=options.frame_limit)
        types = Types(module)
        self._requests = {
            class_: Checker(types.of_class(class_), members) for class_ in module.REQUESTS.values()
        }
        self._answers = {
            name: Checker(types.of(answer), members) for name, answer in module.ANSWERS.items()
        }
        self._questions = {class_: name for name, class_ in module.QUESTIONS.items()}
        self._inbox: list[tuple[int, Any, Any]] = []
        self._scheduled = False
        self._running = False
        self._trace: Trace | None = None
        self._store: Store | None = None
        self._metrics: MetricsServer | None = None
        self._peers: Peers | None = None
        self._timers: Timers | None = None
        self._application_started = False
        self._failure: BaseException | None = None
        self._incarnation: int | None = None  # to be committed with the first step
        self._batch = _Batch()
        self.code: Role
        """The generated code of the node."""

    # --- life --------------------------------------------------------------------------------

    async def __aenter__(self) -> Host:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the store, start the application, listen, dial, and take the first step."""
        try:
            await self._start()
        except BaseException:
            self._halt()
            await self.stop()
            raise

    async def _start(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self._check_addresses()
        server_tls = dial_tls = None
        if self._tls is not None:
            server_tls = server_context(self._tls, self.id)
            dial_tls = dial_context(self._tls, self.id)
            self.client_tls = server_context(self._tls, self.id)
        listener = self._listener or _bind(self.config.address)
        self._listener = listener
        module, options = self.module, self.options
        identity = Identity(
            module.PROTOCOL,
            module.SPEC_SHA256,
            self.id,
            self.role,
            describe(module, self.cluster, self._constants),
        )
        self._store = store = self._open_store(self._data, module, identity)
        self.code = module.ROLES[self.role](self.id, self.cluster, store.load(), **self._constants)
        first = store.incarnation == 0
        self._incarnation = store.incarnation + 1
        if options.trace is not None:
            self._trace = Trace(options.trace, module)
            self._trace.begin(
                self.cluster, self.id, self.role, self._constants, self._incarnation, store.commits
            )
        if self.config.metrics is not None:
            self._metrics = MetricsServer(self.registry, self.config.metrics)
        self._timers = Timers(loop, self._fire, self._single_timers(), self._random)
        self._peers = Peers(
            loop,
            self,
            self._addresses,
            Limits(options.frame_limit, options.waiting_limit, options.disconnected_limit),
            self.statistics,
            self.logger,
            self._hello,
            server_tls,
            dial_tls,
        )
        self._running = True
        self._add(FIRST, first, None)
        self._application_started = True
        await self._application.start(self)
        if self._failure is None:
            self._peers.listen(listener)
            self._peers.dial(self.id)
            self.logger.info(
                "started",
                protocol=module.PROTOCOL,
                role=self.role,
                address=str(self.config.address),
                incarnation=self._incarnation or store.incarnation,
                commits=store.commits,
                tls=self._tls is not None,
            )

    def _single_timers(self) -> list[type]:
        """Return the classes of timers without parameters."""
        types = Types(self.module)
        return [c for c in self.module.TIMERS.values() if not types.of_class(c).names]

    def _check_addresses(self) -> None:
        """Refuse to listen where strangers can reach what has no TLS, unless told to."""
        if self.options.insecure_listen:
            return
        config = self.config
        plain = [] if self._tls is not None else [config.address, config.clients]
        for address in (*plain, config.metrics):
            if address is not None and not is_loopback(address):
                raise ConfigError(
                    f"{address} can be reached from other machines, and what listens there would "
                    "have no TLS; make certificates with `accordant certs`, use a loopback "
                    "address, or allow it with --insecure-listen"
                )

    async def wait(self) -> None:
        """Wait until the node has ended; `HostError` if it has failed."""
        await asyncio.shield(self._ended)
        if self._failure is not None:
            raise HostError(f"{self.id}: {self._failure}") from self._failure

    async def stop(self) -> None:
        """Stop gracefully: finish what has arrived, make it durable, send it, close all.

        After a failure, or `kill`, only close what is still open. What requests have not been
        stepped are cancelled.
        """
        graceful = self._running
        peers = self._peers
        if peers is not None:
            peers.stop_accepting()
        if self._application_started:
            self._application_started = False
            try:
                await self._application.stop()
            except Exception as error:
                self.logger.error("application failed to stop", reason=repr(error))
        for _ in range(len(self._inbox) // self.options.batch_limit + 1):
            self._flush()
        graceful = self._running
        commits = self._store.commits if graceful and self._store is not None else None
        self._halt()
        if peers is not None:
            self._peers = None
            await peers.close(abruptly=not graceful)
        if self._listener is not None:
            self._listener.close()
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None
        if self._trace is not None:
            trace, self._trace = self._trace, None
            trace.close(commits)
        if self._store is not None:
            self._store.close()
            self._store = None
        if graceful:
            self._ended.set_result(None)
            self.logger.info("stopped", commits=commits)

    @property
    def failed(self) -> bool:
        """Whether the node has failed."""
        return self._failure is not None

    def kill(self) -> None:
        """Crash: nothing more leaves the node, and nothing is finished. Then call `stop`."""
        if self._running:
            self._halt()
            if not self._ended.done():
                self._ended.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Stop the node at once, as a crash would; `wait` raises."""
        if self._failure is None:
            self._failure = error
            self.logger.error("failed", reason=f"{type(error).__name__}: {error}", exc_info=error)
        self.kill()

    def _halt(self) -> None:
        """Take no step any more, and let nothing out."""
        self._running = False
        if self._timers is not None:
            self._timers.close()
        for kind, _, future in self._inbox:
            if kind == REQUEST:
                future.cancel()
        self._inbox = []
        for future, _ in self._batch.requests:
            future.cancel()
        self._batch = _Batch()
        if self._peers is not None:
            self._peers.stop_accepting()
            for peer in self._peers.members.values():
                if peer.connection is not None and self._failure is not None:
                    peer.connection.abort()

    # --- what the application sees -------------------------------------------------------------

    @property
    def peers(self) -> Sequence[NodeId]:
        """All other nodes."""
        return tuple(self._addresses)

    @property
    def clients_address(self) -> str | None:
        """Where the application listens for clients."""
        return None if self.config.clients is None else str(self.config.clients)

    def request(self, request: Message) -> asyncio.Future[bool]:
        """Queue a request; see `Node.request`."""
        checker = self._requests.get(type(request))
        if checker is None:
            raise RequestError(f"{request!r:.80} is no request of {self.module.PROTOCOL}")
        problem = checker.problem(request, self.options.frame_limit // 2)
        if problem is not None:
            raise RequestError(problem)
        future: asyncio.Future[bool] = self._loop.create_future()
        if self._running:
            self._add(REQUEST, request, future)
        else:
            future.cancel()
        return future

    def send(self, peer: NodeId, body: bytes) -> bool:
        """Send bytes to the application on another node; see `Node.send`."""
        if self._peers is None or not self._running:
            return False
        link = self._peers.members[peer]
        connection = link.connection
        if connection is None or connection.paused:
            return False
        if len(body) + 2 > self.options.frame_limit:
            raise ValueError(f"{len(body)} bytes are more than a frame may have")
        link.put(frame(BYTES, body))
        link.flush()
        return True

    # --- what arrives --------------------------------------------------------------------------

    def _hello(self, peer: NodeId) -> Hello:
        return Hello(FORMAT, self.module.PROTOCOL, self.module.SPEC_SHA256, self.id, peer)

    def frame(self, peer: NodeId, kind: int, body: bytes) -> None:
        """Take a frame of a peer; `FrameError` if it is not what it should be."""
        if not self._running:
            return
        if kind == BYTES:
            try:
                self._application.received(peer, body)
            except Exception as error:
                raise FrameError(f"the application refuses it: {error!r}") from error
            return
        message = self._codec.decode(kind, body)
        received = self.statistics.received
        received[peer] += 1
        self._inbox.append((DELIVER, message, peer))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    @property
    def busy(self) -> bool:
        """Whether peers have to wait until some of the inbox has been handled."""
        return len(self._inbox) > self.options.inbox_limit

    def _fire(self, timer: Message, number: int) -> None:
        self._add(TIMEOUT, timer, number)

    def _add(self, kind: int, content: Any, about: Any) -> None:
        self._inbox.append((kind, content, about))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    # --- steps ---------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Step what has arrived, make it durable, let it out; whatever goes wrong is a crash."""
        if not self._running:
            return
        try:
            self._take()
            if self._running:
                self._release()
        except Exception as error:
            self.fail(error)
            return
        self._scheduled = False
        if not self._running:
            return
        if self._inbox:
            self._scheduled = True
            self._loop.call_soon(self._flush)
        peers = self._peers
        if peers is not None and peers.held and not self.busy:
            peers.resume()

    def _take(self) -> None:
        """Step what is in the inbox, up to the bound of a batch.

        What steps make for the node itself, messages and timers without delay, is added to the
        inbox while it is worked on, and belongs to the same batch: it does not leave the node, and
        need not wait for the disk.
        """
        inbox, most, taken = self._inbox, self.options.batch_limit, 0
        code, module, batch = self.code, self.module, self._batch
        deliver, request, timeout = code.deliver, code.request, code.timeout
        send_type, persist_type, tell_type = module.Send, module.Persist, module.Tell
        arm_type, ask_type = module.Arm, module.Ask
        writes, sends, outputs, requests = batch.writes, batch.sends, batch.outputs, batch.requests
        steps, ignored = self.statistics.steps, self.statistics.ignored
        timers, trace, own = self._timers, self._trace, self.id
        assert timers is not None
        effects: Effects | None
        for kind, content, about in inbox:
            taken += 1
            if taken > most:
                taken -= 1
                break
            if kind == DELIVER:
                effects = deliver(content, about)
            elif kind == REQUEST:
                effects = request(content)
            elif kind == TIMEOUT:
                if not timers.claim(content, about):
                    continue
                effects = timeout(content)
            else:
                effects = code.start() if content else code.recover()
            batch.size += 1
            if effects and effects[0].__class__ is ask_type:
                effects = self._ask(self._step(kind, content, about), effects)
                if not self._running:
                    return  # an output of an earlier step has ended the node
            elif trace is not None:
                trace.step(self._step(kind, content, about), effects)
            name = (
                content.__class__.__name__ if kind != FIRST else "start" if content else "recover"
            )
            if kind == REQUEST:
                requests.append((about, effects is not None))
            if effects is None:
                ignored[name] = ignored.get(name, 0) + 1
                continue
            steps[name] = steps.get(name, 0) + 1
            # Effects are told apart by their classes, which are the module's own: there is no type
            # of ours to narrow them to, hence the ignored errors.
            for effect in effects:
                effect_type = effect.__class__
                if effect_type is send_type:
                    if effect.receiver == own:  # type: ignore[attr-defined]
                        inbox.append((DELIVER, effect.message, own))  # type: ignore[attr-defined]
                    else:
                        sends.append(effect)
                elif effect_type is persist_type:
                    for write in effect.writes:  # type: ignore[attr-defined]
                        writes[write.variable, write.keys] = write
                elif effect_type is tell_type:
                    outputs.append(effect.output)  # type: ignore[attr-defined]
                elif effect_type is arm_type:
                    timers.arm(effect.timer, effect.low, effect.high)  # type: ignore[attr-defined]
                else:
                    timers.disarm(effect.timer)  # type: ignore[attr-defined]
        self._inbox = inbox[taken:]

    def _step(self, kind: int, content: Any, about: Any) -> Handled:
        """Return an event as a step."""
        if kind == DELIVER:
            return Deliver(self.id, about, content)
        if kind == REQUEST:
            return Request(self.id, content)
        if kind == TIMEOUT:
            return Timeout(self.id, content)
        return Start(self.id) if content else Recover(self.id)

    def _ask(self, step: Handled, effects: Effects | None) -> Effects | None:
        """Take a step with the answers that it needs.

        What the steps before it have to tell is told first: the application may need it to answer.
        """
        if self._batch.outputs:
            self._batch.size -= 1
            self._release()
            self._batch.size += 1
        answers: dict[str, object] = {}
        while self._running and effects and effects[0].__class__ is self.module.Ask:
            question = effects[0].question  # type: ignore[attr-defined]
            name = self._questions[type(question)]
            answer = self._application.answer(question)
            problem = self._answers[name].problem(answer, self.options.frame_limit // 2)
            if problem is not None:
                raise RequestError(f"the answer to {name}: {problem}")
            answers[name] = answer
            effects = call(self.code, step, answers)
        if self._trace is not None and self._running:
            self._trace.step(answered(step, answers), effects)
        return effects

    def _release(self) -> None:
        """Make durable what the steps of the batch have written, and then let out the rest."""
        batch, store, trace, statistics = self._batch, self._store, self._trace, self.statistics
        assert store is not None
        if not batch.size:
            return
        writes = batch.writes
        durable = bool(writes) or self._incarnation is not None
        if trace is not None:
            trace.batch(store.commits + durable)
        if durable:
            began = perf_counter()
            store.commit(writes.values(), self._incarnation)
            self._incarnation = None
            statistics.commits.add(perf_counter() - began)
            statistics.writes += len(writes)
            writes.clear()
        if trace is not None:
            trace.done(store.commits)
        statistics.batches.add(batch.size)
        batch.size = 0
        if batch.sends:
            self._send_all(batch.sends)
            batch.sends.clear()
        if batch.outputs:
            outputs = batch.outputs.copy()
            batch.outputs.clear()
            for output in outputs:
                self._application.output(output)
                if not self._running:
                    return
        for future, taken in batch.requests:
            if not future.done():
                future.set_result(taken)
        batch.requests.clear()

    def _send_all(self, sends: list[Any]) -> None:
        peers = self._peers
        assert peers is not None
        members, encode = peers.members, self._codec.encode
        touched = {}
        last, data = None, b""
        for effect in sends:
            receiver, message = effect.receiver, effect.message
            if message is not last:
                # One that goes to several is encoded once.
                try:
                    last, data = message, encode(message)
                except FrameError as error:
                    last, data = None, b""
                    self.statistics.dropped[receiver] += 1
                    self.logger.error("message too large, lost", peer=receiver, reason=str(error))
                    continue
            peer = members[receiver]
            peer.put(data)
            touched[receiver] = peer
        for peer in touched.values():
            peer.flush()


class _Batch:
    """What steps have led to that has not happened yet; `size` is their number."""

    __slots__ = ("outputs", "requests", "sends", "size", "writes")

    def __init__(self) -> None:
        self.size = 0
        self.writes: dict[tuple[str, tuple[object, ...]], Write] = {}
        self.sends: list[Any] = []
        self.outputs: list[Message] = []
        self.requests: list[tuple[asyncio.Future[bool], bool]] = []


def _bind(address: Address) -> socket.socket:
    """Return a socket that is bound to the address; `ConfigError` if it cannot be."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen at {address}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen at {address}: {error.strerror}") from None
    return listener
