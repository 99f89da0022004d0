"""A cluster as a table, for a terminal, and as lines, for everything else."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runtime.cluster.cluster import Cluster, Happening, NodeStatus

_REFRESH_SECONDS: Final = 0.5
_SHOWN: Final = 6
_COLORS: Final = {
    "up": "green",
    "paused": "yellow",
    "starting": "cyan",
    "down": "red",
    "died": "red",
}


def table(statuses: Sequence[NodeStatus]) -> Table:
    """Return the table of nodes."""
    roles = {status.role for status in statuses}
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("node", *(("role",) if len(roles) > 1 else ()), "process", "state"):
        shown.add_column(name, no_wrap=True)
    shown.add_column("variables", overflow="fold")
    for name in ("peers", "clients"):
        shown.add_column(name, no_wrap=True)
    for status in statuses:
        row = [Text(status.id, style="bold")]
        if len(roles) > 1:
            row.append(Text(status.role))
        row += [
            Text(process(status), style=_COLORS[status.process]),
            Text(status.protocol_state),
            Text(variables(status)),
            Text(peers(status)),
            Text(status.clients),
        ]
        shown.add_row(*row)
    return shown


def process(status: NodeStatus) -> str:
    """Return the state of a node's process, and how often it was started, if more than once."""
    return status.process + (f" x{status.starts}" if status.starts > 1 else "")


def variables(status: NodeStatus) -> str:
    """Return a node's variables on one line, but for those that are empty."""
    shown = (status.variables or {}).items()
    return " ".join(f"{name}={value}" for name, value in shown if value not in ("#0", "none"))


def peers(status: NodeStatus) -> str:
    """Return how many peers a node has a connection to, and from which it hears nothing."""
    if status.process != "up":
        return ""
    cut = f" (cut: {','.join(status.cut)})" if status.cut else ""
    return f"{len(status.connected)}{cut}"


def line(status: NodeStatus) -> str:
    """Return a node as a line."""
    parts = [status.id, status.role, process(status), status.protocol_state, variables(status)]
    if status.process == "up":
        parts += [f"peers={peers(status)}", f"clients={status.clients}"]
    return " ".join(part for part in parts if part)


def from_json(data: Iterable[Mapping[str, Any]]) -> list[NodeStatus]:
    """Return statuses from what the control socket has sent."""
    return [
        NodeStatus(**{**one, "connected": tuple(one["connected"]), "cut": tuple(one["cut"])})
        for one in data
    ]


def print_happening(happening: Happening) -> None:
    """Print what has happened as a line."""
    print(happening_line(happening), flush=True)


def happening_line(happening: Happening) -> str:
    """Return what has happened with its time."""
    return f"{time.strftime('%H:%M:%S', time.localtime(happening.time))} {happening.text}"


async def watch(cluster: Cluster, end: asyncio.Event) -> None:
    """Show a cluster on the terminal until `end` is set."""
    with Live(console=Console(file=sys.stdout), auto_refresh=False) as live:
        while not end.is_set():
            statuses = await cluster.status()
            last = [Text(happening_line(h), style="dim") for h in cluster.happenings[-_SHOWN:]]
            live.update(Group(table(statuses), Text(), *last), refresh=True)
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await end.wait()
            except TimeoutError:
                continue
