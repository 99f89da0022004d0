"""One node of PySyncObj: `python -m benchmarks.kv.pysyncobj_node JOURNAL ADDRESS OTHER...`.

For each line `IN_FLIGHT SECONDS` of its input it makes a load, if it leads, and writes a line:
writes a second, and the median and 99th percentile of their times in seconds; or `follower`.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from random import Random
from time import perf_counter
from typing import Any

from benchmarks.kv.load import KEYS, VALUE


def main() -> None:
    """Run until the input ends."""
    pysyncobj: Any = import_module("pysyncobj")  # it has no types
    batteries: Any = import_module("pysyncobj.batteries")
    journal, address, *others = sys.argv[1:]
    values = batteries.ReplDict()
    # Entries leave with the next tick; by default it sends some every 100 ms.
    conf = pysyncobj.SyncObjConf(
        journalFile=journal,
        autoTickPeriod=0.0005,
        appendEntriesPeriod=0.001,
        dynamicMembershipChange=False,
    )
    node = pysyncobj.SyncObj(address, others, conf=conf, consumers=[values])
    node.waitReady()
    for line in sys.stdin:
        in_flight, seconds = line.split()
        if not node._isLeader():
            print("follower", flush=True)
            continue
        print(*_load(values, int(in_flight), float(seconds)), flush=True)
    node.destroy()


def _load(values: Any, in_flight: int, seconds: float) -> tuple[float, float, float]:
    random = Random(0)
    value = VALUE.decode()
    taken: list[float] = []
    began = perf_counter()
    finished = threading.Semaphore(0)

    def send() -> None:
        at = perf_counter()

        def done(result: object, error: object) -> None:
            now = perf_counter()
            if not error:
                taken.append(now - at)
            if now - began < seconds:
                send()
            else:
                finished.release()

        values.set(f"key:{random.randrange(KEYS)}", value, callback=done)

    for _ in range(in_flight):
        send()
    for _ in range(in_flight):
        finished.acquire()
    took = perf_counter() - began
    taken.sort()
    return len(taken) / took, taken[len(taken) // 2], taken[len(taken) * 99 // 100]


if __name__ == "__main__":
    main()
