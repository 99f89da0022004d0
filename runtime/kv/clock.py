"""A node's clock: the time at its start, and what has passed since, whoever sets the system's."""

from __future__ import annotations

import time


class Clock:
    """Milliseconds since 1970, by a clock that only goes forward."""

    def __init__(self) -> None:
        self._wall = time.time()
        self._started = time.monotonic()

    def now(self) -> int:
        """Return the time."""
        return int((self._wall + time.monotonic() - self._started) * 1000)

    def put_forward(self, at_least: int) -> None:
        """Let it be `at_least`; it is never put back."""
        ahead = at_least - self.now()
        if ahead > 0:
            self._wall += ahead / 1000

    def uptime(self) -> float:
        """Return the seconds since it was made."""
        return time.monotonic() - self._started
