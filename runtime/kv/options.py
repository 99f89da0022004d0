"""How the service runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How the service runs; times are in seconds.

    `password` is what clients have to know, if anything. `patience` is how long a client waits for
    a leader before it gets an error, `resend` after what time something is sent again that was not
    answered. A batch of about `batch_bytes` at most is sent when none is under way; if that takes
    longer than `spacing`, another one, up to `in_flight`. So with a fast disk what comes gathers
    into few large batches, which cost least, and a slow one is not waited for.
    """

    password: str | None = None
    most_clients: int = 10_000
    patience: float = 5.0
    resend: float = 0.5
    check: float = 0.02
    in_flight: int = 8
    spacing: float = 0.005
    reads_in_flight: int = 2
    batch_bytes: int = 1024 * 1024
