"""Reading what nodes have recorded: the traces that `runtime/host/trace.py` writes.

A node's trace is its lives, one after the other, and a life is the steps that have happened in
it, and those at its end that have not: they were committed together, and the commit is not
there. What a file says is checked as far as one file can tell; whether the nodes' records
fit together is the trace checker's to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.codec import Codec, CodecError, Json
from runtime.contract import Module, NodeId
from runtime.membership import nodes
from runtime.schedule import ScheduleError, decode_cluster, decode_handled
from runtime.step import Handled

VERSION = 1


class TraceError(Exception):
    """A file is not a trace of the module's protocol; the message says where and why."""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A step at a line of the file; `effects` as JSON, None where the event was ignored.

    `time` is that of its batch, by the node's clock, in nanoseconds; 0 if that is not known.
    """

    line: int
    step: Handled
    effects: list[Json] | None
    time: int = 0


@dataclass(slots=True)
class Life:
    """One incarnation of a node.

    `commits` are those the node found in its store when it came up. `happened` are its steps in
    order; `undone` those after them that were not durable when it died, nor known to anyone.
    `ended`: the node stopped by itself.
    """

    line: int
    incarnation: int
    commits: int
    time: int
    happened: list[RecordedStep] = field(default_factory=list)
    undone: list[RecordedStep] = field(default_factory=list)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A store that had made `done` commits came up with `found`."""

    line: int
    done: int
    found: int


@dataclass(frozen=True, slots=True)
class NodeTrace:
    """What one node recorded. `lost`: where a store has lost commits, which must not be."""

    path: Path
    node: NodeId
    role: str
    constants: Mapping[str, object]
    lives: tuple[Life, ...]
    lost: Lost | None


@dataclass(frozen=True, slots=True)
class Recording:
    """The traces of all nodes of a cluster, by node, in the order of the cluster."""

    cluster: Any
    traces: Mapping[NodeId, NodeTrace]


def trace_files(directory: Path) -> list[Path]:
    """Return the traces in a directory and below it: files named `*.trace` or `*trace*.jsonl`."""
    if not directory.is_dir():
        raise TraceError(f"{directory}: not a directory")
    found = {*directory.rglob("*.trace"), *directory.rglob("*trace*.jsonl")}
    files = sorted(path for path in found if path.is_file())
    if not files:
        raise TraceError(
            f"{directory}: no traces here: files named `*.trace` or `*trace*.jsonl`, "
            "which `accordant node --trace FILE` writes"
        )
    return files


def read_recording(module: Module, files: Iterable[Path]) -> Recording:
    """Read the traces of one cluster; each node has one. Raises TraceError."""
    reader = _Reader(module)
    traces: dict[NodeId, NodeTrace] = {}
    for path in files:
        trace = reader.read(path)
        if trace.node in traces:
            other = traces[trace.node].path
            raise TraceError(f"{path}: {other} is a trace of {trace.node} already")
        traces[trace.node] = trace
    if reader.cluster is None:
        raise TraceError("there is no trace")
    members = nodes(module, reader.cluster)
    missing = [node for node in members if node not in traces]
    if missing:
        raise TraceError(
            f"there is no trace of {', '.join(missing)}: without what all nodes did, "
            "nobody knows which messages were sent"
        )
    return Recording(reader.cluster, {node: traces[node] for node in members})


class _Reader:
    """Reads files of one cluster: what the first says of it, the others must say too."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._codec = Codec(module)
        self._described: dict[str, Json] | None = None
        self._roles: dict[NodeId, str] = {}
        self.cluster: Any = None

    def read(self, path: Path) -> NodeTrace:
        self._identity: tuple[str, str, dict[str, Json]] | None = None
        file = _File(path, self)
        for number, data in _lines(path):
            try:
                file.line(number, data)
            except (TraceError, CodecError, ScheduleError) as error:
                raise TraceError(f"{path}:{number}: {error}") from None
        return file.trace()

    def begin(self, data: Json) -> tuple[Life, NodeId, str, dict[str, object]]:
        """Check the beginning of a life, and say whose it is."""
        module = self._module
        if not isinstance(data, dict):
            raise TraceError("`begin` is not an object")
        if data.get("trace") != VERSION:
            raise TraceError(f"a trace of version {data.get('trace')!r}; {VERSION} can be read")
        if data.get("protocol") != module.PROTOCOL:
            raise TraceError(f"a trace of {data.get('protocol')!r}, not of {module.PROTOCOL}")
        if data.get("spec_sha256") != module.SPEC_SHA256:
            raise TraceError("the node ran what was built of another version of the spec")
        described = {name: data.get(name) for name in ("cluster", "parameters")}
        if self._described is None:
            self.cluster = decode_cluster(module, data)
            self._roles = nodes(module, self.cluster)
            self._described = described
        elif described != self._described:
            raise TraceError("this is of another cluster than what was read before")
        node, role, constants = data.get("node"), data.get("role"), data.get("constants", {})
        if not isinstance(node, str) or not isinstance(role, str):
            raise TraceError("`node` or `role` is not a name")
        if self._roles.get(node) != role:
            raise TraceError(f"the cluster has no {role} called {node!r}")
        if not isinstance(constants, dict):
            raise TraceError("`constants` is not an object")
        if self._identity is None:
            self._identity = (node, role, constants)
        elif self._identity != (node, role, constants):
            raise TraceError(
                f"this is not of {self._identity[0]}, as what stands above, or differs"
            )
        shapes = self._codec.types.constants(module.ROLES[role])
        try:
            values = {
                name: self._codec.decode(shapes[name], value) for name, value in constants.items()
            }
        except KeyError as error:
            raise TraceError(f"{role} has no constant {error}") from None
        life = Life(0, _number(data, "incarnation"), _number(data, "commits"), _time(data))
        return life, node, role, values

    def step(self, node: NodeId, data: Json, number: int) -> RecordedStep:
        step = data["step"]
        if not isinstance(step, dict):
            raise TraceError("`step` is not an object")
        if step.get("to" if step.get("step") == "deliver" else "node") != node:
            raise TraceError(f"a step of another node than {node}")
        effects = data.get("effects")
        if effects is not None and not isinstance(effects, list):
            raise TraceError("`effects` is neither a list nor null")
        handled = decode_handled(self._module, self._codec, self._roles, node, step)
        return RecordedStep(number, handled, effects)


class _File:
    """The state of reading one file."""

    def __init__(self, path: Path, reader: _Reader) -> None:
        self._path = path
        self._reader = reader
        self._node: NodeId = ""
        self._role = ""
        self._constants: dict[str, object] = {}
        self._lives: list[Life] = []
        self._open: list[RecordedStep] = []  # steps of which no batch is written yet
        self._batch: tuple[int, list[RecordedStep]] | None = None  # one that is not done
        self._count = 0  # commits that are done
        self._lost: Lost | None = None

    def line(self, number: int, data: Json) -> None:
        if not isinstance(data, dict):
            raise TraceError("not an object")
        if "begin" in data:
            self._begin(number, data["begin"])
            return
        if not self._lives:
            raise TraceError("a trace starts with `begin`")
        if "step" in data:
            if self._batch is not None:
                raise TraceError("a step before the batch above it was done")
            self._open.append(self._reader.step(self._node, data, number))
        elif "batch" in data:
            if self._batch is not None:
                raise TraceError("a batch before the one above it was done")
            time = _time(data)
            self._batch = (_number(data, "batch"), [replace(s, time=time) for s in self._open])
            self._open = []
        elif "done" in data:
            commits = _number(data, "done")
            if self._batch is None or self._batch[0] != commits:
                raise TraceError(f"batch {commits} is done, but was not the one under way")
            self._lives[-1].happened += self._batch[1]
            self._count, self._batch = commits, None
        elif "end" in data:
            self._lives[-1].ended = True
        else:
            raise TraceError("none of `begin`, `step`, `batch`, `done` and `end`")

    def _begin(self, number: int, data: Json) -> None:
        life, self._node, self._role, self._constants = self._reader.begin(data)
        life.line = number
        if self._lives:
            self._close(life)
        self._lives.append(life)
        self._count = life.commits

    def _close(self, following: Life | None) -> None:
        """Decide what has happened of the end of a life: the next one tells."""
        life, count = self._lives[-1], self._count
        if self._batch is not None:
            commits, steps = self._batch
            durable = commits > count and following is not None and following.commits >= commits
            (life.happened if durable else life.undone).extend(steps)
            self._batch = None
        life.undone += self._open
        self._open = []
        if following is not None and following.commits < count and self._lost is None:
            self._lost = Lost(following.line, count, following.commits)

    def trace(self) -> NodeTrace:
        if not self._lives:
            raise TraceError(f"{self._path}: empty: a trace starts with `begin`")
        self._close(None)
        return NodeTrace(
            self._path, self._node, self._role, self._constants, tuple(self._lives), self._lost
        )


def _lines(path: Path) -> Iterator[tuple[int, Json]]:
    """Yield the lines that were written whole; one that was not is the last before a `begin`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}") from None
    whole, _, _ = content.rpartition(b"\n")
    torn: tuple[int, str] | None = None
    for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            if torn is None:
                torn = number, str(error)
                continue
            raise TraceError(f"{path}:{torn[0]}: {torn[1]}") from None
        if torn is not None:
            if not isinstance(data, dict) or "begin" not in data:
                raise TraceError(f"{path}:{torn[0]}: {torn[1]}")
            torn = None
        yield number, data
    if torn is not None:
        raise TraceError(f"{path}:{torn[0]}: {torn[1]}")


def _time(data: dict[str, Json]) -> int:
    return _number(data, "time") if "time" in data else 0


def _number(data: dict[str, Json], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TraceError(f"`{name}` is not a whole number, 0 or more")
    return value
