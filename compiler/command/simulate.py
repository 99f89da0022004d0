"""`accordant simulate`: seeds of a generated cluster, or the replay of a schedule."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from compiler.command.console import plural, progress
from compiler.command.front import Compiled, compile_file
from compiler.command.mistakes import UsageError
from compiler.model.system import Model
from runtime.campaign import (
    CampaignError,
    CampaignResult,
    Found,
    Plan,
    Progress,
    Reproduced,
    reproduce,
    run_campaign,
)
from runtime.checking import CheckingError, Monitor, Violation
from runtime.codec import Codec
from runtime.contract import Module
from runtime.faults import PRESETS
from runtime.load import LoadError, load
from runtime.membership import ClusterError
from runtime.replay import Replay, ReplayError, replay
from runtime.schedule import Schedule, ScheduleError, dumps, encode_step, loads

VIOLATED = 1


def run(options: argparse.Namespace) -> int:
    """Run seeds or a schedule; return 1 if there was a violation."""
    try:
        module = load(options.module)
        model = None if options.check == "off" else _model(module, options)
        if options.replay is not None:
            return _replay(module, model, options)
        return _campaign(module, model, options)
    except (LoadError, ClusterError, CheckingError, CampaignError) as error:
        raise UsageError(str(error)) from None


def _model(module: Module, options: argparse.Namespace) -> Model:
    """Compile the spec that the module was made of, for the checks."""
    path: Path = options.spec or (options.module.parent / module.SPEC)
    if options.spec is None and not path.exists():
        raise UsageError(
            f"the spec of {options.module} is not at {path}, where the module says; "
            "name it with --spec, or run without checks with --check off"
        )
    compiled: Compiled = compile_file(path)
    if sha256(compiled.source.text.encode()).hexdigest() != module.SPEC_SHA256:
        raise UsageError(
            f"{options.module} was built of another spec than {path} is now; "
            "build it again, or run without checks with --check off"
        )
    return compiled.model


def sizes_of(text: str) -> dict[str, int]:
    """Return what `--nodes ROLE=N,…` says; raise `UsageError` if it says nothing."""
    sizes: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if not re.fullmatch("[0-9]{1,9}", number):
            raise UsageError(f"--nodes: `{part}` is not of the form ROLE=NUMBER")
        if name in sizes:
            raise UsageError(f"--nodes: `{name}` is given twice")
        sizes[name] = int(number)
    return sizes


# --- seeds -------------------------------------------------------------------------------------


def _campaign(module: Module, model: Model | None, options: argparse.Namespace) -> int:
    plan = Plan(
        module=str(options.module),
        sizes=sizes_of(options.nodes),
        seeds=options.seeds,
        first_seed=options.first_seed,
        steps=options.steps,
        faults=PRESETS["default" if options.faults == "all" else "none"],
        model=model,
        check=options.check,
        jobs=options.jobs,
    )
    with progress(module.PROTOCOL, enabled=not options.json) as advance:

        def show(state: Progress) -> None:
            advance(state.done, state.seeds, plural(state.steps, "step"))

        result = run_campaign(plan, show)
    found = result.first
    reproduced = None if found is None else reproduce(plan, found.seed)
    saved = None
    if found is not None and reproduced is not None:
        place = options.save or Path(f"violation-{found.seed}.json")
        saved = _save(place, dumps(module, reproduced.shrunk.schedule))
    if options.json:
        print(json.dumps(_data(module, result, reproduced, saved), indent=2))
    else:
        _print_campaign(module, result, options)
        if found is not None:
            _print_found(module, found, reproduced, saved, options)
    return 0 if found is None else VIOLATED


def _save(path: Path, text: str) -> Path | None:
    """Write the schedule; where that fails say so, and go on: the result is still to be told."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"accordant: cannot write {path}: {error.strerror}\n")
        return None
    return path


def _print_campaign(module: Module, result: CampaignResult, options: argparse.Namespace) -> None:
    print(
        f"{module.PROTOCOL}: {plural(result.seeds, 'seed')}, {plural(result.steps, 'step')} "
        f"({result.steps_per_second:,.0f} a second and process), {result.seconds:.1f} s"
    )
    checked = {
        "every": "every step compared with the model, every property evaluated after it",
        "end": "every step compared with the model, properties evaluated at the end",
        "off": "nothing (--check off)",
    }
    print(f"  checked   {checked[options.check]}")
    print(f"  repeated  {plural(result.repeated, 'seed')} run twice and compared")
    outputs = ", ".join(f"{name} {count:,}" for name, count in sorted(result.outputs.items()))
    print(f"  outputs   {outputs or 'none'} (in {plural(result.reached, 'seed')})")
    faults = ", ".join(f"{kind} {count:,}" for kind, count in sorted(result.faults.items()))
    print(f"  faults    {faults or 'none'}")
    if result.first is None:
        print("no violation" if options.check != "off" else "done")


def _print_found(
    module: Module,
    found: Found,
    reproduced: Reproduced | None,
    saved: Path | None,
    options: argparse.Namespace,
) -> None:
    print(f"violation in seed {found.seed}: {_describe(found.violation)}")
    if reproduced is None:
        return
    steps = reproduced.shrunk.schedule.steps
    print(f"shrunk to {plural(len(steps), 'step')}:")
    _print_steps(module, reproduced.shrunk.schedule)
    if saved is not None:
        print(f"run it again: accordant simulate {options.module} --replay {saved}")


def _describe(violation: Violation) -> str:
    return f"{violation.kind} `{violation.name}`, step {violation.step}: {violation.detail}"


def _print_steps(module: Module, schedule: Schedule) -> None:
    codec = Codec(module)
    for number, step in enumerate(schedule.steps, 1):
        print(f"  {number:3}. {json.dumps(encode_step(codec, step))}")


def _violation_data(violation: Violation) -> dict[str, Any]:
    return {
        "kind": violation.kind,
        "name": violation.name,
        "step": violation.step,
        "detail": violation.detail,
    }


def _data(
    module: Module, result: CampaignResult, reproduced: Reproduced | None, saved: Path | None
) -> Mapping[str, Any]:
    found = result.first
    return {
        "protocol": module.PROTOCOL,
        "seeds": result.seeds,
        "repeated": result.repeated,
        "steps": result.steps,
        "ignored": result.ignored,
        "seconds": result.seconds,
        "steps_per_second": result.steps_per_second,
        "outputs": dict(result.outputs),
        "faults": dict(result.faults),
        "violation": None
        if found is None
        else {"seed": found.seed, **_violation_data(found.violation)},
        "schedule": None
        if reproduced is None
        else json.loads(dumps(module, reproduced.shrunk.schedule)),
        "saved": None if saved is None else str(saved),
    }


# --- a schedule ----------------------------------------------------------------------------------


def _replay(module: Module, model: Model | None, options: argparse.Namespace) -> int:
    try:
        text = options.replay.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {options.replay}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {options.replay}: it is not UTF-8 text") from None
    try:
        schedule = loads(module, text)
    except (ScheduleError, RecursionError) as error:
        raise UsageError(f"{options.replay} is not a schedule: {error}") from None
    try:
        result, violations = _checked_replay(module, model, schedule, options.check)
    except ReplayError as error:
        raise UsageError(f"{options.replay}: {error}") from None
    if options.json:
        data = {
            "protocol": module.PROTOCOL,
            "steps": len(schedule.steps),
            "ignored": list(result.ignored),
            "violations": [_violation_data(violation) for violation in violations],
        }
        print(json.dumps(data, indent=2))
    else:
        _print_replay(module, schedule, result, violations)
    return VIOLATED if violations else 0


def _checked_replay(
    module: Module, model: Model | None, schedule: Schedule, check: Literal["every", "end"]
) -> tuple[Replay, list[Violation]]:
    """Replay with the checks. What the reader asks about is safety, so invariants come second.

    In a protocol that is wrong they often fail long before safety does, and a replay ends at
    the first violation.
    """
    if model is None:
        return replay(module, schedule), []
    for invariants in (False, True):
        monitor = Monitor(model, check=check, invariants=invariants)
        result = replay(module, schedule, monitor)
        if monitor.violations:
            break
    return result, monitor.violations


def _print_replay(
    module: Module, schedule: Schedule, result: Replay, violations: list[Violation]
) -> None:
    print(f"{module.PROTOCOL}: {plural(len(schedule.steps), 'step')} replayed")
    _print_steps(module, schedule)
    codec = Codec(module)
    for told in result.outputs:
        output = json.dumps(codec.encode_message(told.output))
        print(f"  {told.node} told its application {output} in step {told.index + 1}")
    for violation in violations:
        print(f"violation: {_describe(violation)}")
    if not violations:
        print("no violation")
