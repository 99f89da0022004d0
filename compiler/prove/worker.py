"""A process that proves tasks: reads them from standard input, writes findings to standard output.

`solve` starts it with `python -m compiler.prove.worker` rather than by forking (a process that
has threads, or Z3 loaded, must not fork) or by `multiprocessing`'s spawning (which runs the
user's main module again). Both ways the messages are pickles: first the theory and the seed,
then for each task a `Question`, answered by a `Finding`. End of input ends the process.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from dataclasses import dataclass

from compiler.prove.obligations import Task
from compiler.prove.prover import Effort, Prover, Theory


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a worker."""

    theory: Theory
    seed: int


@dataclass(frozen=True, slots=True)
class Question:
    """A task, with the cores of earlier proofs to look at first, and the seconds left.

    `begins`: it is the first of a batch.
    """

    task: Task
    begins: bool
    effort: Effort
    near: tuple[frozenset[str], ...]
    seconds: float


def main() -> None:
    """Answer questions until the input ends."""
    # An interrupt goes to the whole group of processes; the parent decides what to do of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = sys.stdin.buffer
    # Nothing but answers may go to the pipe, whatever a library prints.
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        setup: Setup = pickle.load(source)
        prover = Prover(setup.theory, setup.seed)
        while True:
            question: Question = pickle.load(source)
            if question.begins:
                prover.renew()
            deadline = time.monotonic() + question.seconds
            finding = prover.prove(question.task, question.effort, question.near, deadline)
            pickle.dump(finding, target)
            target.flush()
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
