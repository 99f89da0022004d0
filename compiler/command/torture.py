"""`accordant torture`: the key-value cluster under load and faults, and what the checks say."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, assert_never

from compiler.command.check_trace import print_verdict
from compiler.command.console import plural, progress
from compiler.command.front import Compiled, compile_file
from compiler.command.mistakes import UsageError
from compiler.command.modules import module_of
from runtime.checking import CheckingError
from runtime.checking.recorded import TraceError
from runtime.checking.trace import Conforms, Deviates, Unfinished
from runtime.cluster.control import check_free
from runtime.cluster.errors import ClusterFailure
from runtime.contract import Module
from runtime.history.check import Illegal, Linearizable, Unknown, Verdict
from runtime.load import LoadError, load

if TYPE_CHECKING:
    from runtime.cluster.torture import Result, TortureOptions

EXITS: Mapping[str, int] = {"right": 0, "wrong": 1, "unknown": 3}
_SHOWN = 5


def run(options: argparse.Namespace) -> int:
    """Torture a cluster; return 0 if nothing is wrong, 1 if something is, 3 if that is unknown."""
    if find_spec("redis") is None:
        raise UsageError("torture needs the Redis client: pip install accordant[torture]")
    module, compiled = _module_and_spec(options)
    directory = options.data or Path(mkdtemp(prefix="accordant-torture-"))
    plan = _plan(module, options)
    try:
        check_free(directory)
        if (directory / "traces").exists():
            raise UsageError(f"{directory} has traces of an earlier run; take another directory")
        result = _torture(options, plan, directory)
        if not options.json:
            _print(result, plan, directory)
            sys.stdout.flush()  # the check of the steps may take long
        if compiled is not None:
            _check_trace(result, compiled, directory, options)
    except ClusterFailure as error:
        raise UsageError(str(error)) from None
    except (TraceError, CheckingError) as error:
        raise UsageError(str(error)) from None
    if options.json:
        print(json.dumps(_data(result, plan, directory), indent=2))
    else:
        print(f"torture: {result.outcome}")
    return EXITS[result.outcome]


def _module_and_spec(options: argparse.Namespace) -> tuple[Module, Compiled | None]:
    """Load the module, and compile the spec that its nodes' steps are held to."""
    try:
        module = load(options.module)
    except LoadError as error:
        raise UsageError(str(error)) from None
    for name in ("Submit", "Read"):
        if name not in module.REQUESTS:
            raise UsageError(
                f"torture is for the key-value service, which runs on Raft; {module.PROTOCOL} has "
                f"no request `{name}`"
            )
    if options.no_trace:
        return module, None
    path = options.spec or (options.module.parent / module.SPEC)
    if options.spec is None and not path.exists():
        raise UsageError(
            f"the spec of {options.module} is not at {path}, where the module says; name it with "
            "--spec, or run without the check of the steps with --no-trace"
        )
    compiled = compile_file(path)
    if sha256(compiled.source.text.encode()).hexdigest() != module.SPEC_SHA256:
        raise UsageError(f"{options.module} was not built of {path} as it is now; build it again")
    return module, compiled


def _plan(module: Module, options: argparse.Namespace) -> TortureOptions:
    from runtime.cluster.load import LoadOptions
    from runtime.cluster.nemesis import FAULTS
    from runtime.cluster.torture import TortureOptions

    faults = FAULTS
    if options.faults is not None:
        faults = tuple(name.strip() for name in options.faults.split(","))
        unknown = [name for name in faults if name not in FAULTS]
        if unknown:
            raise UsageError(f"--faults: there is no `{unknown[0]}`; use {', '.join(FAULTS)}")
    plan = TortureOptions(
        seconds=options.seconds,
        seed=options.seed,
        nodes=options.nodes,
        faults=faults,
        load=LoadOptions(clients=options.clients, rate=options.rate),
        tls=options.tls,
        trace=not options.no_trace,
    )
    return plan if options.app is None else replace(plan, application=options.app)


def _torture(options: argparse.Namespace, plan: TortureOptions, directory: Path) -> Result:
    from runtime.cluster.torture import judge_history, torture
    from runtime.cluster.view import happening_line

    with ExitStack() as stack:
        log = stack.enter_context(_log(directory))
        advance = stack.enter_context(progress("torture", enabled=not options.json))
        result, operations = asyncio.run(
            torture(
                options.module,
                directory,
                plan,
                notice=lambda happening: print(happening_line(happening), file=log, flush=True),
                advance=lambda seconds: advance(int(seconds), int(plan.seconds), "s"),
            )
        )
    judge_history(result, operations, plan.bounds)
    return result


def _log(directory: Path) -> Any:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return (directory / "happenings.log").open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot use {directory}: {error.strerror}") from None


def _check_trace(
    result: Result, compiled: Compiled, directory: Path, options: argparse.Namespace
) -> None:
    """Hold the nodes' steps to the model, beside which the code runs that it was built to."""
    from runtime.cluster.torture import judge_trace

    module, began = module_of(compiled.protocol), time.monotonic()
    with progress("steps", enabled=not options.json) as advance:

        def goes_on(steps: int, total: int) -> bool:
            advance(steps, total, "steps")
            limit = options.check_seconds
            return limit is None or time.monotonic() - began < limit

        judge_trace(result, module, compiled.model, directory, goes_on)
    if not options.json and result.trace is not None:
        print_verdict(compiled, module, result.trace, time.monotonic() - began)


# --- telling ------------------------------------------------------------------------------------


def _print(result: Result, plan: TortureOptions, directory: Path) -> None:
    print(f"torture: {plan.seconds:g} s, seed {plan.seed}, {plan.nodes} nodes")
    faults = ", ".join(f"{name} {count}" for name, count in result.faults.items())
    print(f"  faults      {faults or 'none'}")
    print(f"  operations  {result.operations:,}, {result.unanswered:,} of them without an answer")
    found = result.acknowledged - len(result.wrong)
    if result.stuck is not None:
        print(f"  stuck       {result.stuck}")
    else:
        print(f"  writes      {result.acknowledged:,} acknowledged, {found:,} found again")
    for key, there in list(result.wrong.items())[:_SHOWN]:
        print(f"    lost      {key}: {there} is there")
    for death in result.deaths:
        print(f"  died        {death}")
    print(f"  history     {_history(result.history)}")
    if result.picture is not None:
        print(f"    picture   {result.picture}")
    print(f"  directory   {directory}")


def _history(verdict: Verdict | None) -> str:
    match verdict:
        case None:
            return "not decided"
        case Linearizable(orders=orders):
            return f"linearizable ({plural(len(orders), 'key')})"
        case Illegal(part=part, window=window):
            return f"not linearizable: {part}, {plural(len(window.operations), 'operation')}"
        case Unknown(parts=parts, reached=reached):
            return f"unknown: out of {reached}, {plural(len(parts), 'key')} undecided"
        case _:
            assert_never(verdict)


def _data(result: Result, plan: TortureOptions, directory: Path) -> dict[str, Any]:
    trace: str | None = None
    match result.trace:
        case None:
            pass
        case Conforms():
            trace = "conforms"
        case Deviates(kind=kind, name=name):
            trace = f"deviates: {kind}: {name}"
        case Unfinished():
            trace = "unknown"
        case _:
            assert_never(result.trace)
    return {
        "outcome": result.outcome,
        "seconds": plan.seconds,
        "seed": plan.seed,
        "nodes": plan.nodes,
        "faults": dict(result.faults),
        "errors": dict(result.errors),
        "operations": result.operations,
        "unanswered": result.unanswered,
        "acknowledged": result.acknowledged,
        "lost": dict(result.wrong),
        "stuck": result.stuck,
        "deaths": list(result.deaths),
        "history": _history(result.history),
        "trace": trace,
        "steps": None if result.trace is None else result.trace.steps,
        "directory": str(directory),
    }
