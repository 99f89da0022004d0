"""`accordant show`: the middle of the compiler, as text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from compiler.command.front import compile_file
from compiler.model.system import Axiom, Model
from compiler.model.text import show


def run(options: argparse.Namespace) -> int:
    """Print the model, its encoding for the solver, or the fragment report."""
    model = compile_file(options.file).model
    if options.encoding:
        from compiler.prove.relational import relationalise

        sys.stdout.write(show(relationalise(model)))
    elif options.fragment:
        print("\n".join(_fragment(model)))
    else:
        sys.stdout.write(show(model))
    return 0


def _fragment(model: Model) -> Iterator[str]:
    from compiler.prove.fragment import fragment
    from compiler.prove.obligations import obligations
    from compiler.prove.relational import relationalise

    facts = [Axiom(f.name, f.formula, "fact", f.span) for f in model.facts if f.formula is not None]
    report = fragment(obligations(model, relationalise(model), facts))
    if report.decidable:
        yield f"{model.name}: every obligation lies in a decidable fragment"
        return
    yield f"{model.name}: some obligations lie outside the decidable fragment, since"
    for cycle in report.cycles:
        for position, edge in enumerate(cycle):
            place = "" if edge.span is None else f" ({edge.span})"
            yield f"  {'-' if position == 0 else ' '} {edge}{place}"
    yield "The solver may still decide them; where it gives up, these are the places to look."
