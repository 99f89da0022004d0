"""How long the obligations of specs take to prove, under several seeds of the solver.

    python -m benchmarks.prover [--seeds N] [--jobs N] [--timeout SECONDS] SPEC ...

For each spec and seed: how many obligations the solver was given, how many of them it left open,
the time of all, and the slowest one. Nothing is taken from the cache.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compiler.command.front import compile_file
from compiler.diagnostics import SpecError
from compiler.diagnostics.render import render
from compiler.model.system import Axiom, Model
from compiler.prove.obligations import obligations
from compiler.prove.quorums import prove_facts
from compiler.prove.relational import relationalise
from compiler.prove.solve import Answer, solve
from compiler.prove.verdict import FactProved, Proved

HEAD = f"{'spec':<24} {'seed':>4} {'given':>6} {'open':>5} {'all':>8} {'slowest':>8}  which"


def answers_of(model: Model, seed: int, jobs: int, timeout: float) -> tuple[list[Answer], float]:
    """Return the answer to every obligation of a model, and the seconds that all took."""
    start = time.monotonic()
    proved = {fact.name for fact in prove_facts(model) if isinstance(fact.verdict, FactProved)}
    facts = [
        Axiom(fact.name, fact.formula, "fact", fact.span)
        for fact in model.facts
        if fact.formula is not None and fact.name in proved
    ]
    work = obligations(model, relationalise(model), facts)
    answers = solve(work, seed=seed, jobs=jobs, timeout=timeout)
    hard = [i for i, answer in enumerate(answers) if not isinstance(answer.outcome, Proved)]
    if hard:  # as `verify` does, after it has looked for counterexamples
        again = replace(work, tasks=tuple(answers[i].task for i in hard))
        left = max(0.1, timeout - (time.monotonic() - start))
        for i, answer in zip(
            hard,
            solve(again, seed=seed, jobs=jobs, timeout=left, effort="long"),
            strict=True,
        ):
            answers[i] = replace(answer, seconds=answers[i].seconds + answer.seconds)
    return answers, time.monotonic() - start


def row(spec: Path, seed: int, answers: Sequence[Answer], seconds: float) -> str:
    """Return the line of the table for one spec and seed."""
    left = sum(not isinstance(answer.outcome, Proved) for answer in answers)
    slowest = max(answers, key=lambda answer: answer.seconds)
    action = slowest.obligation.action
    which = slowest.obligation.name + ("" if action is None else f" after {action.name}")
    return (
        f"{spec.stem:<24} {seed:>4} {len(answers):>6} {left:>5} {seconds:>6.1f} s "
        f"{slowest.seconds:>6.2f} s  {which}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if an obligation was left open."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prover")
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    print(HEAD)
    open_ones = False
    for spec in options.specs:
        try:
            model = compile_file(spec).model
        except SpecError as error:
            sys.stderr.write(render(error.diagnostics, color=False))
            return 2
        for seed in range(options.seeds):
            answers, seconds = answers_of(model, seed, options.jobs, options.timeout)
            if answers:
                print(row(spec, seed, answers, seconds), flush=True)
            open_ones |= any(not isinstance(answer.outcome, Proved) for answer in answers)
    return 1 if open_ones else 0


if __name__ == "__main__":
    sys.exit(main())
