"""`accordant verify`: prove specs, or show what breaks them."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill

from compiler.command.console import color, progress
from compiler.command.front import Compiled, compile_file
from compiler.command.mistakes import UsageError
from compiler.command.report import text_report
from compiler.prove.cache import Cache, default_directory
from compiler.prove.verdict import Report, Status
from compiler.prove.verify import VerifyOptions, names_of, verify

EXIT_CODES: Mapping[Status, int] = {"refuted": 1, "not inductive": 1, "unknown": 3, "proved": 0}
"""By the verdict, the worst first."""


def run(options: argparse.Namespace) -> int:
    """Verify every file; the exit code is that of the worst verdict.

    All files are read and checked before anything is proved, so a mistake in one is told at
    once. Refuted is worse than unknown.
    """
    compiled = [compile_file(path) for path in options.files]
    _check_names(options.only, compiled)
    cache = None if options.no_cache else Cache(default_directory())
    reports: list[tuple[Compiled, Report]] = []
    for one in compiled:
        if one.warnings:
            from compiler.diagnostics.render import render

            sys.stderr.write(render(list(one.warnings), color=color(sys.stderr)))
        only = tuple(name for name in options.only if name in names_of(one.model))
        if options.only and not only:
            continue
        report = _verify(one, options, only, cache)
        reports.append((one, report))
        if not options.json:
            if len(reports) > 1:
                print()
            sys.stdout.write(text_report(report, one.source.path))
            sys.stdout.flush()
        if options.save_executions is not None:
            _save_executions(options.save_executions, one, report)
    if options.json:
        from compiler.command.data import report_data

        data = [report_data(report, one.source.path) for one, report in reports]
        print(json.dumps(data, indent=2))
    statuses = {report.status for _, report in reports}
    worst = next(s for s in EXIT_CODES if s in statuses)
    return EXIT_CODES[worst]


def _verify(
    one: Compiled, options: argparse.Namespace, only: tuple[str, ...], cache: Cache | None
) -> Report:
    with progress(one.model.name, enabled=not options.json) as advance:
        return verify(
            one.model,
            VerifyOptions(
                timeout=options.timeout,
                jobs=options.jobs,
                seed=options.seed,
                only=only,
                cache=cache,
            ),
            advance,
        )


def _check_names(only: list[str], compiled: list[Compiled]) -> None:
    known = list(dict.fromkeys(name for one in compiled for name in names_of(one.model)))
    for name in only:
        if name not in known:
            close = get_close_matches(name, known, 1)
            if close:
                raise UsageError(f"--only: nothing is called `{name}`; did you mean `{close[0]}`?")
            listed = fill(", ".join(known), 98, initial_indent="  ", subsequent_indent="  ")
            raise UsageError(f"--only: nothing is called `{name}`; there are\n{listed}")


def _save_executions(directory: Path, one: Compiled, report: Report) -> None:
    """Write each execution that was found as a schedule for the generated code."""
    from compiler.command.execution import schedule_of
    from compiler.command.modules import module_of
    from runtime.schedule import dumps

    found = report.executions
    if not found:
        return
    module = module_of(one.protocol)
    for execution in found:
        schedule = schedule_of(one.model, execution.trace, module)
        stem = re.sub(r"\W+", "_", f"{Path(one.source.path).stem}-{execution.name}")
        path = directory / f"{stem}.json"
        if schedule is None:
            sys.stderr.write(
                f"accordant: {path} is not written: generated code picks other values than "
                "this execution does\n"
            )
            continue
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(dumps(module, schedule))
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
