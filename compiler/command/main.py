"""`accordant`: the command line.

Exit codes are the same for every command: 0 what was asked for is so, 1 it is not (a property
is refuted, a simulation met a violation), 2 a mistake in the input (a spec, a file, an option),
3 unknown (out of time). Results go to standard output, diagnostics and progress to standard
error. docs/commands.md describes it all.

This module is small, so that `main` is there before the rest of the program is loaded: a
command loads what it needs.
"""

from __future__ import annotations

import argparse
import gc
import io
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from compiler.command.cluster_options import Types, add_cluster, add_torture
from compiler.command.console import color
from compiler.command.mistakes import UsageError
from compiler.diagnostics import SpecError

INPUT_MISTAKE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
INTERNAL = 70


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nrun `{self.prog} --help` for what can be given")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    # Python has no stream where the caller has closed one; these stay open to the end.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        with _rare_collections():
            code = _run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell.
        _discard_output()
        return PIPE_CLOSED
    except OSError as error:
        # A command tells of its own files; what is left is a full disk, or no more processes.
        if os.environ.get("ACCORDANT_DEBUG"):
            raise
        _discard_output()
        sys.stderr.write(f"accordant: {error}\n")
        return INPUT_MISTAKE
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def _discard_output() -> None:
    """Let what is still to be written to standard output go nowhere."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter of a spec shows its number instead.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = command_line().parse_args(arguments)
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except SpecError as error:
        from compiler.diagnostics.render import render

        sys.stderr.write(render(list(error.diagnostics), color=color(sys.stderr)))
        return INPUT_MISTAKE
    except UsageError as error:
        sys.stderr.write(f"accordant: {error}\n")
        return INPUT_MISTAKE
    except OSError:
        raise
    except Exception as error:
        if os.environ.get("ACCORDANT_DEBUG"):
            raise
        sys.stderr.write(
            f"accordant: internal error: {type(error).__name__}: {error}\n"
            "This is a mistake in accordant, not in the spec. Please report it with the spec;\n"
            "with ACCORDANT_DEBUG=1 in the environment the command shows where it happened.\n"
        )
        return INTERNAL


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the cycle collector run seldom: terms are many, live long and have no cycles."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number") from None


def _positive(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of seconds above 0")
    return value


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="accordant",
        description="A compiler for distributed protocols: prove a spec, build it, run it.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _verify_options(commands)
    _build_options(commands)
    _simulate_options(commands)
    _show_options(commands)
    _node_options(commands)
    _certs_options(commands)
    _check_trace_options(commands)
    add_cluster(commands, _run_cluster)
    add_torture(commands, _run_torture, Types(_whole, _positive, _seconds))
    return parser


def _verify_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="prove a spec's facts, safety properties and invariants, or refute them",
        description=(
            "Prove, for any number of nodes, what the specs claim; or show what breaks it. "
            "Exit code 0: all proved; 1: something refuted; 2: mistakes in a spec; 3: unknown."
        ),
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="prove only this property, fact or action (may be given several times)",
    )
    _proof_options(parser)
    parser.add_argument(
        "--seed", type=_whole, default=0, metavar="N", help="the solver's random seed (default 0)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--save-executions",
        type=Path,
        metavar="DIRECTORY",
        help="write each execution found as a schedule that `simulate --replay` runs",
    )
    parser.set_defaults(run=_run_verify)


def _proof_options(parser: _Parser) -> None:
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="give up on a spec after this time (default 300)",
    )
    _jobs_option(parser, "solver processes")
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="neither use nor keep what was proved before",
    )


def _jobs_option(parser: _Parser, what: str) -> None:
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help=f"{what} (default: one a core)",
    )


def _build_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "build",
        help="emit a Python module for each spec",
        description="Prove each spec and write its Python module. Unproved specs are refused.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("generated"),
        metavar="DIRECTORY",
        help="where to write (default: generated)",
    )
    parser.add_argument(
        "--unproved",
        action="store_true",
        help="do not prove anything; the module's header says so",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a module differs from what would be written",
    )
    _proof_options(parser)
    parser.set_defaults(run=_run_build)


def _simulate_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "simulate",
        help="run a generated module in the deterministic simulator, with faults",
        description=(
            "Run many seeds of a generated cluster. Every property of the spec is evaluated and "
            "every step compared with the model as it runs. Exit code 1 on a violation."
        ),
    )
    parser.add_argument("module", type=Path, metavar="MODULE")
    parser.add_argument(
        "--nodes",
        default="",
        metavar="ROLE=N,…",
        help="how many nodes of each role, and the values of parameters",
    )
    parser.add_argument(
        "--seeds",
        type=_positive,
        default=100,
        metavar="N",
        help="how many seeds to run (default 100)",
    )
    parser.add_argument(
        "--steps",
        type=_positive,
        default=200,
        metavar="N",
        help="handler steps a seed (default 200)",
    )
    parser.add_argument(
        "--first-seed",
        type=_whole,
        default=0,
        metavar="N",
        help="the seed to begin with (default 0)",
    )
    parser.add_argument(
        "--check",
        choices=("every", "end", "off"),
        default="every",
        help="evaluate properties and compare with the model at every step, at the end, never",
    )
    parser.add_argument(
        "--faults",
        choices=("all", "none"),
        default="all",
        help="inject every kind of fault, or none (default all)",
    )
    _jobs_option(parser, "processes")
    parser.add_argument(
        "--spec", type=Path, metavar="FILE", help="the spec, if it is not where the module says"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="run this schedule instead of seeds"
    )
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help="where to write the shrunk schedule of a violation (default: violation-SEED.json)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_run_simulate)


def _show_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "show",
        help="show what the compiler makes of a spec",
        description="Print the transition system that is proved, as text.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--model", action="store_true", help="the model that everything reads (the default)"
    )
    what.add_argument("--encoding", action="store_true", help="the model as the solver gets it")
    what.add_argument(
        "--fragment", action="store_true", help="whether the proof lies in a decidable fragment"
    )
    parser.set_defaults(run=_run_show)


def _node_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "node",
        help="run one node of a generated module as this process",
        description=(
            "Run a node until SIGTERM. Exit code 0: stopped; 1: it has failed; 2: its files or "
            "its data directory cannot be used."
        ),
    )
    parser.add_argument("module", type=Path, metavar="MODULE")
    parser.add_argument("--id", required=True, metavar="NODE", help="which node of the cluster")
    parser.add_argument(
        "--cluster", type=Path, required=True, metavar="FILE", help="the cluster file"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIRECTORY", help="the node's own directory"
    )
    parser.add_argument(
        "--app", metavar="MODULE:FACTORY", help="what makes the application that runs on the node"
    )
    parser.add_argument("--trace", type=Path, metavar="FILE", help="append every step to this file")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="what is logged to standard error (default info)",
    )
    parser.add_argument(
        "--insecure-listen",
        action="store_true",
        help="listen without TLS where other machines can reach it",
    )
    parser.set_defaults(run=_run_node)


def _certs_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "certs",
        help="make certificates for nodes and clients",
        description="Make certificates. Existing files are never overwritten.",
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT", dest="what", parser_class=_Parser)
    for what, text, several in (
        ("init", "make an authority: ca.pem and ca-key.pem", None),
        ("node", "make the certificates of nodes, signed by the authority", "NODE"),
        ("client", "make the certificates of clients, signed by the authority", "CLIENT"),
    ):
        kind = kinds.add_parser(what, help=text, description=text[0].upper() + text[1:] + ".")
        kind.add_argument("directory", type=Path, metavar="DIRECTORY")
        if several is not None:
            kind.add_argument("names", nargs="+", metavar=several)
        if what == "node":
            kind.add_argument(
                "--host",
                action="append",
                default=[],
                metavar="HOST",
                help="a name or address at which clients find the nodes (default: the loopback)",
            )
        kind.add_argument(
            "--days",
            type=_positive,
            default=3650,
            metavar="N",
            help="how long they are valid (default 3650)",
        )
    parser.set_defaults(run=_run_certs)


def _check_trace_options(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "check-trace",
        help="check what the nodes of a real run have recorded against the model",
        description=(
            "Merge the traces of all nodes into one execution and check that each step is one of "
            "the model's. Exit code 0: all are; 1: one is not; 2: bad input; 3: out of time."
        ),
    )
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="where the traces are")
    parser.add_argument("--spec", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--module",
        type=Path,
        metavar="FILE",
        help="the module that the nodes ran (default: what the spec is built to)",
    )
    parser.add_argument(
        "--properties",
        type=_properties,
        default=0,
        metavar="N",
        help="evaluate the properties too: after every N steps, or at the `end` (default `never`)",
    )
    parser.add_argument(
        "--safety-only", action="store_true", help="evaluate safety properties, not invariants"
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="give up after this time"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_run_check_trace)


def _properties(text: str) -> int | None:
    if text == "end":
        return None
    return 0 if text == "never" else _positive(text)


# The commands are imported when they are run: a proof that comes from the cache need not wait
# for the simulator, nor a simulation for the solver.


def _run_verify(options: argparse.Namespace) -> int:
    from compiler.command.verify import run

    return run(options)


def _run_build(options: argparse.Namespace) -> int:
    from compiler.command.build import run

    return run(options)


def _run_simulate(options: argparse.Namespace) -> int:
    from compiler.command.simulate import run

    return run(options)


def _run_show(options: argparse.Namespace) -> int:
    from compiler.command.show import run

    return run(options)


def _run_node(options: argparse.Namespace) -> int:
    from compiler.command.node import run

    return run(options)


def _run_certs(options: argparse.Namespace) -> int:
    from compiler.command.certs import run

    return run(options)


def _run_torture(options: argparse.Namespace) -> int:
    from compiler.command.torture import run

    return run(options)


def _run_cluster(options: argparse.Namespace) -> int:
    from compiler.command.cluster import run

    return run(options)


def _run_check_trace(options: argparse.Namespace) -> int:
    from compiler.command.check_trace import run

    return run(options)


if __name__ == "__main__":
    sys.exit(main())
