"""What clients did, recorded from threads and coroutines, written and read back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from runtime.history.check import Linearizable, check
from runtime.history.model import KeyValue
from runtime.history.operation import HistoryError, read, write
from runtime.history.recorder import Recorder


def ticks() -> Callable[[], int]:
    return count(1).__next__


def test_an_answer_an_unknown_outcome_and_a_refusal() -> None:
    recorder = Recorder(ticks())
    with recorder.operation("a", "set", "k", "1") as operation:
        operation.returned(True)
    with pytest.raises(ConnectionError), recorder.operation("a", "set", "k", "2"):
        raise ConnectionError
    with recorder.operation("b", "set", "k", "3") as operation:
        operation.never_sent()
    first, second = recorder.operations()
    assert (first.invoked, first.responded, first.result) == (1, 2, True)
    assert (second.arguments, second.pending) == (("k", "2"), True)


def test_what_goes_on_is_pending() -> None:
    recorder = Recorder(ticks())
    with recorder.operation("a", "get", "k") as operation:
        (pending,) = recorder.operations()
        assert pending.pending
        operation.returned("1")
    (done,) = recorder.operations()
    assert done.result == "1"


def test_values_without_a_form_are_refused_where_they_come_in() -> None:
    recorder = Recorder(ticks())
    with pytest.raises(HistoryError, match="no form for b'v'"):
        recorder.operation("a", "set", "k", b"v")
    with (
        pytest.raises(HistoryError, match="no form"),
        recorder.operation("a", "get", "k") as operation,
    ):
        operation.returned(object())
    assert recorder.operations()[0].pending


def test_threads(tmp_path: Path) -> None:
    recorder, lock, store = Recorder(), threading.Lock(), {"k": "0"}

    def client(name: str) -> None:
        for _ in range(50):
            with recorder.operation(name, "incr", "k", 1) as operation:
                with lock:
                    store["k"] = str(int(store["k"]) + 1)
                    value = int(store["k"])
                operation.returned(value)

    threads = [threading.Thread(target=client, args=(f"c{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    write(tmp_path / "history", recorder.operations())
    operations = read(tmp_path / "history")
    assert len(operations) == 200
    assert isinstance(check(KeyValue(), operations), Linearizable)


def test_tasks_and_cancellation() -> None:
    async def run() -> Recorder:
        recorder, answer = Recorder(ticks()), asyncio.get_running_loop().create_future()

        async def client(name: str) -> None:
            with recorder.operation(name, "get", "k") as operation:
                operation.returned(await asyncio.shield(answer))

        first, second = asyncio.create_task(client("a")), asyncio.create_task(client("b"))
        await asyncio.sleep(0)
        second.cancel()
        answer.set_result("1")
        await asyncio.gather(first, second, return_exceptions=True)
        return recorder

    first, second = asyncio.run(run()).operations()
    assert (first.client, first.result, second.client) == ("a", "1", "b")
    assert second.pending
