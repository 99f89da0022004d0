"""How long the linearizability checker takes, by kind of history.

Histories are made of operations that take effect at a random instant while they go on, so they
are linearizable; in the illegal ones a single read sees a value that was never written.

    python -m benchmarks.history
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from runtime.history.check import Illegal, Linearizable, Verdict, check
from runtime.history.model import KeyValue
from runtime.history.operation import Operation
from tests.history.generating import linearizable


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of history: `lost` is the share of operations with an unknown outcome."""

    operations: int
    keys: int
    clients: int
    lost: float = 0.0


KINDS = (
    Kind(10_000, 100, 10),
    Kind(10_000, 100, 50),
    Kind(10_000, 100, 50, 0.02),
    Kind(10_000, 10, 20),
    Kind(100_000, 1_000, 50, 0.01),
    Kind(10_000, 1, 5),
    Kind(10_000, 1, 10),
)


def spoilt(operations: list[Operation]) -> list[Operation]:
    """Return the history with one read, late in it, that saw what nobody wrote."""
    reads = [o for o in operations if o.name == "get" and not o.pending]
    wrong = sorted(reads, key=lambda o: o.invoked)[len(reads) * 3 // 4]
    return [replace(o, result="never written") if o is wrong else o for o in operations]


def describe(verdict: Verdict) -> str:
    """Return the verdict in a few words."""
    match verdict:
        case Linearizable():
            return "linearizable"
        case Illegal(window=window):
            return f"illegal, window of {len(window.operations)}"
        case _:
            return f"unknown ({verdict.reached})"


def main() -> None:
    """Print a table."""
    print("operations   keys clients  lost       steps  seconds  verdict")
    for kind in KINDS:
        right = linearizable(
            1, kind.operations, keys=kind.keys, clients=kind.clients, lost=kind.lost
        )
        for operations in (right, spoilt(right)):
            began = time.perf_counter()
            verdict = check(KeyValue(), operations)
            seconds = time.perf_counter() - began
            print(
                f"{kind.operations:>10,} {kind.keys:>6,} {kind.clients:>7} {kind.lost:>5.0%} "
                f"{verdict.steps:>11,} {seconds:>8.2f}  {describe(verdict)}"
            )


if __name__ == "__main__":
    main()
