"""Traces of nodes made from runs of the simulator, as the nodes would have written them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runtime.contract import Module, NodeId
from runtime.host.trace import Trace
from runtime.membership import nodes
from runtime.record import Record, Taken
from runtime.step import Crash, Restart


def write_traces(
    directory: Path,
    module: Module,
    cluster: Any,
    records: Iterable[Record],
    constants: Mapping[NodeId, Mapping[str, object]] | None = None,
    batch: int = 1,
) -> dict[NodeId, Path]:
    """Write a trace for each node into `directory`; `batch` steps are committed together."""
    roles = nodes(module, cluster)
    paths = {node: directory / f"{node}.trace" for node in roles}
    traces = {node: Trace(path, module) for node, path in paths.items()}
    commits = dict.fromkeys(roles, 0)
    lives = dict.fromkeys(roles, 1)
    open_ = dict.fromkeys(roles, 0)
    down: set[NodeId] = set()

    def begin(node: NodeId) -> None:
        given = (constants or {}).get(node, {})
        traces[node].begin(cluster, node, roles[node], given, lives[node], commits[node])

    def commit(node: NodeId) -> None:
        if open_[node]:
            commits[node] += 1
            traces[node].batch(commits[node])
            traces[node].done(commits[node])
            open_[node] = 0

    for node in roles:
        begin(node)
    for record in records:
        if not isinstance(record, Taken):
            continue
        step = record.step
        if isinstance(step, Crash):
            commit(step.node)
            down.add(step.node)
        elif isinstance(step, Restart):
            lives[step.node] += 1
            down.discard(step.node)
            begin(step.node)
        else:
            traces[step.node].step(step, record.effects)
            open_[step.node] += 1
            if open_[step.node] >= batch:
                commit(step.node)
    for node, trace in traces.items():
        commit(node)
        trace.close(None if node in down else commits[node])
    return paths
