"""What the commands print, and how: results to standard output, progress to a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeAlias

Advance: TypeAlias = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and a word on what is being done."""


def color(stream: TextIO) -> bool:
    """Whether to colour what is written to `stream`: a terminal whose user has not said no."""
    return stream.isatty() and "NO_COLOR" not in os.environ


@contextmanager
def progress(title: str, *, enabled: bool = True) -> Iterator[Advance]:
    """Show a progress bar on standard error while the body runs, if that is a terminal."""
    if not enabled or not sys.stderr.isatty():
        yield lambda done, total, text: None
        return
    # Imported here: a command whose output is piped shows no bar and need not load it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, text="")

        def advance(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, text=text)

        yield advance


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return `1 step`, `2 steps`, with thousands separated."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
