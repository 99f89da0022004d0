"""Recording what clients do, from threads and asyncio tasks alike.

    recorder = Recorder()
    with recorder.operation("c1", "set", "k", "v") as operation:
        operation.returned(await client.set("k", "v"))
    write(path, recorder.operations())

The time of invocation is taken before the body, that of the response in `returned`. A body
that ends without it, by an exception or a cancellation, leaves an operation whose outcome is
unknown, unless it said that the operation can't have happened: `never_sent`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from runtime.history.operation import Operation, encode


class Recorder:
    """Collects operations; may be used by any number of threads and tasks at once.

    `clock` gives nanoseconds of a clock that never goes back. The default is the same for all
    processes of one machine, so histories of several recorders on it can be read as one.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._open: set[Recording] = set()
        self._closed: list[Operation] = []

    def operation(self, client: str, name: str, *arguments: object) -> Recording:
        """Return a context manager around one operation of a client."""
        return Recording(self, client, name, arguments)

    def operations(self) -> list[Operation]:
        """Return what was recorded so far, by time of invocation; what is still open is pending."""
        with self._lock:
            pending = [recording.outcome() for recording in self._open]
            return sorted([*self._closed, *pending], key=lambda operation: operation.invoked)

    def opened(self, recording: Recording) -> None:
        """Count a recording among the pending ones."""
        with self._lock:
            self._open.add(recording)

    def closed(self, recording: Recording) -> None:
        """Keep the outcome of a recording."""
        with self._lock:
            self._open.discard(recording)
            if not recording.forgotten:
                self._closed.append(recording.outcome())


class Recording:
    """One operation while it goes on."""

    def __init__(
        self, recorder: Recorder, client: str, name: str, arguments: tuple[object, ...]
    ) -> None:
        self._recorder = recorder
        self._operation = Operation(client, name, arguments, 0)
        encode(self._operation)  # a value that can't be written is refused where it comes in
        self._invoked = 0
        self._responded: int | None = None
        self._result: object = None
        self.forgotten = False

    def __enter__(self) -> Recording:
        self._invoked = self._recorder.clock()
        self._recorder.opened(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recorder.closed(self)

    def returned(self, result: object) -> None:
        """Note that the client has learned the result, now; raise HistoryError as `write` would."""
        now = self._recorder.clock()
        encode(replace(self._operation, result=result))
        self._responded, self._result = now, result

    def never_sent(self) -> None:
        """Note that the operation can't have had an effect: the history is without it.

        Right where the service refused it, or was never reached; a broken connection is
        neither.
        """
        self.forgotten = True

    def outcome(self) -> Operation:
        """Return the operation as it stands."""
        given = self._operation
        return Operation(
            given.client,
            given.name,
            given.arguments,
            self._invoked,
            self._responded,
            self._result,
        )
