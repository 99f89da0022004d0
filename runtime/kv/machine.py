"""The replicated state machine: batches in the order of the log, in; replies, out.

Each replica has one and gives it the same batches. It knows no clocks, sockets or clients.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.kv.batch import Applied, BatchError, Header, read_commands, read_header
from runtime.kv.execution import execute
from runtime.kv.keyspace import Keyspace
from runtime.kv.resp import Arguments, Reply


class Machine:
    """The keyspace, and what has been applied to it; `index` is that of the last entry."""

    def __init__(self) -> None:
        self.keys = Keyspace()
        self.index = 0
        self._applied = Applied()

    def apply(
        self,
        index: int,
        body: object,
        header: Header | None = None,
        commands: Sequence[Arguments] | None = None,
    ) -> list[Reply] | None:
        """Apply the entry at `index`, the next one; None is a no-op.

        Returns the replies; None if it was applied before. What is no batch changes nothing.
        `header` and `commands` may be given by whoever has made the batch and still has them.
        """
        self.index = index
        if not isinstance(body, bytes):
            return None
        try:
            header = header or read_header(body)
            commands = read_commands(body) if commands is None else commands
        except BatchError:
            return None
        self.keys.advance(header.time)
        if not self._applied.add(header):
            return None
        keys = self.keys
        return [execute(keys, words) for words in commands]

    def read(self, commands: Sequence[Arguments], now: int) -> list[Reply]:
        """Answer commands that only read; `now` is for the time that keys have left."""
        keys = self.keys
        keys.shown = max(now, keys.now)
        return [execute(keys, words) for words in commands]
