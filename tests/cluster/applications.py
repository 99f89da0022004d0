"""An application for tests of clusters."""

from __future__ import annotations

import time
from typing import Any


class Times:
    """Prints for each output by how many days the wall clock of its process is wrong."""

    async def start(self, node: Any) -> None:
        pass

    def output(self, output: Any) -> None:
        print(f"day {round((time.time() - _true_time()) / 86_400)}", flush=True)

    def answer(self, question: Any) -> object:
        return True

    def received(self, peer: str, body: bytes) -> None:
        pass

    async def stop(self) -> None:
        pass


def _true_time() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)
