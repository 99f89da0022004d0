"""The documentation of commands and of JSON says what there is: no more, no less."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from compiler.command.data import report_data
from compiler.command.front import compile_file
from compiler.command.main import command_line
from compiler.diagnostics import Source, Span
from compiler.prove.verdict import (
    FactRefuted,
    FactResult,
    Finding,
    Obligation,
    ObligationResult,
    Report,
    Unknown,
)
from tests.command.running import ONCE, ROOT, run

COMMANDS = (ROOT / "docs/commands.md").read_text("utf-8")
VERIFY = (ROOT / "docs/verify.md").read_text("utf-8")


def keys(document: str, of: str) -> set[str]:
    """Return the names in the first column of the table of the keys `of` something."""
    table = document.split(f"| key of {of} |", 1)[1].split("\n\n", 1)[0]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return {name for row in rows for name in re.findall("`([^`]+)`", row.split("|")[1])}


def test_every_option_is_documented_and_nothing_else() -> None:
    parser = command_line()
    (commands,) = (
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    sections = dict(re.findall(r"^## accordant ([\w-]+)\n(.*?)(?=^## |\Z)", COMMANDS, re.M | re.S))
    assert set(sections) == set(commands.choices)
    for name, command in commands.choices.items():
        written = {
            match.replace("\\|", "|")
            for match in re.findall(r"^\| `(--[^`]+)`", sections[name], re.M)
        }
        assert written == {
            described(action)
            for action in command._actions
            if action.option_strings and action.dest != "help"
        }
        defaults = {
            action.option_strings[-1]: action.default
            for action in command._actions
            if action.default and action.option_strings and action.dest not in ("help", "jobs")
        }
        for option, default in defaults.items():
            line = next(line for line in sections[name].splitlines() if f"`{option}" in line)
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert shown in line, f"{name} {option}: the default {shown} is not in: {line}"


def described(action: argparse.Action) -> str:
    option = action.option_strings[-1]
    if action.nargs == 0:
        return option
    values = "|".join(action.choices) if action.choices else action.metavar
    return f"{option} {values}"


# --- JSON ------------------------------------------------------------------------------------


def reports() -> Iterable[dict[str, Any]]:
    """Yield reports that have all there is between them."""
    files: list[str | Path] = [
        ROOT / "specs/paxos.accord",
        "once.accord",
        "forgetful.accord",
        "weak.accord",
    ]
    yield from json.loads(run("verify", "--json", *files).out)
    model = compile_file(ROOT / "tests/command/once.accord").model
    span = Span(Source("once.accord", ONCE), 1, 1, 1, 1)
    facts = (
        FactResult("fact", "meet", FactRefuted({"total R": 2}, {("p",): 1}, "no"), span),
        FactResult("fact", "meet", Unknown("late"), None),
    )
    obligation = ObligationResult(Obligation("initial", "one_value", None), Unknown("late"), 0.0)
    finding = Finding("note", "redundant", "x", "x follows", span)
    report = Report(
        model=model,
        axioms=(),
        facts=facts,
        obligations=(obligation,),
        properties=(),
        findings=(finding,),
        selected=(),
        seconds=0.0,
    )
    yield report_data(report, "once.accord")


def union(data: Iterable[dict[str, Any]]) -> set[str]:
    return {key for entry in data for key in entry}


def test_the_keys_of_a_report_are_those_documented() -> None:
    made = list(reports())

    def entries(kind: str) -> list[dict[str, Any]]:
        return [entry for report in made for entry in report[kind]]

    assert all(set(report) == keys(VERIFY, "a report") for report in made)
    assert union(entries("facts")) == keys(VERIFY, "a fact")
    assert union(entries("properties")) == keys(VERIFY, "a property")
    assert union(entries("obligations")) == keys(VERIFY, "an obligation")
    assert union(entries("findings")) == keys(VERIFY, "a finding")
    places = [entry["place"] for entry in entries("facts") if entry["place"] is not None]
    assert union(places) == keys(VERIFY, "a place")

    counterexamples = [e["counterexample"] for e in entries("obligations") if "counterexample" in e]
    assert union(counterexamples) == keys(VERIFY, "a counterexample")
    executions = [e["execution"] for e in entries("properties") if e["execution"] is not None]
    assert union(executions) == keys(VERIFY, "an execution")
    steps = [step for execution in executions for step in execution["steps"]]
    assert union(steps) == keys(VERIFY, "a step")
    states = [c["before"] for c in counterexamples] + [e["final"] for e in executions]
    assert union(states) == union(s["changed"] for s in steps) == keys(VERIFY, "a state")


def test_the_keys_of_a_possibility_are_those_documented() -> None:
    source = (ROOT / "compiler/command/data.py").read_text("utf-8")
    body = source.split("def _possibility(", 1)[1].split("\ndef ", 1)[0]
    assert set(re.findall(r'^ {8}"(\w+)":', body, re.M)) == keys(VERIFY, "a possibility")


def test_the_keys_of_a_simulation_are_those_documented() -> None:
    run("build", "--unproved", "forgetful.accord")
    arguments = ("simulate", "generated/forgetful.py", "--json", "--jobs", "1")
    found = json.loads(run(*arguments, "--save", "found.json").out)
    assert set(found) == keys(COMMANDS, "a run")
    row = next(line for line in COMMANDS.splitlines() if line.startswith("| `violation` |"))
    assert set(found["violation"]) <= set(re.findall("`([^`]+)`", row))
    replayed = json.loads(run(*arguments, "--replay", "found.json").out)
    assert set(replayed) == keys(COMMANDS, "a replay")
    assert union(replayed["violations"]) == {"kind", "name", "step", "detail"}
