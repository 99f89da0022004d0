"""What can be given to `accordant cluster` and `accordant torture`; what they do is elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Types:
    """The types of options: whole numbers, those from 1, and amounts above 0."""

    whole: Callable[[str], int]
    positive: Callable[[str], int]
    seconds: Callable[[str], float]


_DRIVEN = (
    ("kill", "end nodes by SIGKILL", "NODE", "+"),
    ("stop", "end nodes by SIGTERM", "NODE", "+"),
    ("restart", "start nodes that have ended; one that runs is killed before", "NODE", "+"),
    ("pause", "stop nodes where they stand, by SIGSTOP", "NODE", "+"),
    ("resume", "let paused nodes go on", "NODE", "+"),
    ("partition", "let groups hear nothing of each other: 1,2/3", "GROUPS", None),
    ("heal", "undo all partitions", None, None),
    ("clog", "hold back what one node sends to another", "NODE", 2),
    ("release", "let go on what `clog` holds back", "NODE", 2),
    ("status", "show the nodes", None, None),
    ("down", "stop the cluster", None, None),
)


def add_cluster(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add `cluster` to the commands of a parser."""
    parser = commands.add_parser(
        "cluster",
        help="start, watch, disturb and stop a local cluster of processes",
        description=(
            "`up` runs a cluster until Ctrl-C; meanwhile the others, in another shell, drive it. "
            "Nodes are given by name or by number, from 1."
        ),
    )
    kinds = parser.add_subparsers(
        required=True, metavar="WHAT", dest="what", parser_class=type(parser)
    )
    up = kinds.add_parser(
        "up",
        help="start a cluster and watch it",
        description=(
            "Start a cluster and watch it until Ctrl-C, SIGTERM or `down`. Exit code 0: stopped; "
            "1: a node has died by itself; 2: it cannot be started."
        ),
    )
    up.add_argument("module", type=Path, metavar="MODULE")
    _data(up)
    _nodes(up)
    up.add_argument(
        "--app", metavar="MODULE:FACTORY", help="what makes the application of each node"
    )
    up.add_argument(
        "--tls", action="store_true", help="with certificates, which are made if there are none"
    )
    up.add_argument("--no-trace", action="store_true", help="do not write the nodes' steps down")
    up.add_argument(
        "--direct",
        action="store_true",
        help="connect the nodes directly: a little faster, and nothing can be partitioned",
    )
    for what, text, name, number in _DRIVEN:
        kind = kinds.add_parser(what, help=text, description=text[0].upper() + text[1:] + ".")
        _data(kind)
        if number is not None:
            kind.add_argument("nodes", nargs=number, metavar=name)
        elif name is not None:
            kind.add_argument("groups", metavar=name)
        if what == "status":
            kind.add_argument("--json", action="store_true", help="print the status as JSON")
    parser.set_defaults(run=run)


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIRECTORY", help="the cluster's directory"
    )


def _nodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nodes",
        default="3",
        metavar="N",
        help="how many nodes of each role; or ROLE=N,…, with the values of parameters (default 3)",
    )


def add_torture(commands: Any, run: Callable[[argparse.Namespace], int], types: Types) -> None:
    """Add `torture` to the commands of a parser."""
    parser = commands.add_parser(
        "torture",
        help="run the key-value cluster under load and faults, and check what came of it",
        description=(
            "Kill, pause and partition nodes, clog links, let disks fail and clocks jump, while "
            "clients work. Exit code 0: every acknowledged write was found, the history is "
            "linearizable, every step is the model's; 1: not so; 3: unknown."
        ),
    )
    parser.add_argument("module", type=Path, metavar="MODULE")
    parser.add_argument(
        "--seconds",
        type=types.seconds,
        default=60.0,
        metavar="S",
        help="how long the load lasts (default 60)",
    )
    parser.add_argument(
        "--seed", type=types.whole, default=0, metavar="N", help="decides the faults (default 0)"
    )
    parser.add_argument(
        "--nodes", type=types.positive, default=3, metavar="N", help="how many nodes (default 3)"
    )
    parser.add_argument(
        "--clients", type=types.positive, default=8, metavar="N", help="at once (default 8)"
    )
    parser.add_argument(
        "--rate",
        type=types.seconds,
        default=200.0,
        metavar="N",
        help="operations a second at most, of all clients together (default 200)",
    )
    parser.add_argument(
        "--faults", metavar="NAME,…", help="only these kinds of faults (default: all)"
    )
    parser.add_argument("--tls", action="store_true", help="nodes and clients use certificates")
    parser.add_argument(
        "--app", metavar="MODULE:FACTORY", help="the service, if it is not this project's"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIRECTORY",
        help="where everything is left (default: a new temporary directory)",
    )
    parser.add_argument(
        "--spec", type=Path, metavar="FILE", help="the spec, if it is not where the module says"
    )
    parser.add_argument(
        "--no-trace",
        action="store_true",
        help="neither write the nodes' steps down nor hold them to the model",
    )
    parser.add_argument(
        "--check-seconds",
        type=types.seconds,
        metavar="S",
        help="how long holding the steps to the model may take (default: as long as it takes)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)
