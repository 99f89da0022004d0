"""A real redis-server to compare with, where there is one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.kv.replies import end_of_reply

REDIS_SERVER = shutil.which("redis-server")


class Reference:
    """A redis-server of its own, at a socket in a directory of its own; a context manager."""

    def __init__(self) -> None:
        assert REDIS_SERVER is not None
        self._directory = tempfile.TemporaryDirectory()
        self._path = str(Path(self._directory.name) / "redis.sock")
        self._process = subprocess.Popen(
            [
                *(REDIS_SERVER, "--port", "0", "--unixsocket", self._path),
                *("--save", "", "--dir", self._directory.name),
            ],
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Reference:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
                return self
            except OSError:
                assert self._process.poll() is None, "redis-server has ended"
                assert time.monotonic() < deadline, "redis-server does not come up"
                time.sleep(0.01)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._directory.cleanup()

    def connect(self) -> ReferenceClient:
        """Return a new client."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        connection.settimeout(20)
        return ReferenceClient(connection)


class ReferenceClient:
    """A connection to it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, data: bytes, count: int) -> list[bytes]:
        """Send commands, and return their `count` replies."""
        self._connection.sendall(data)
        replies: list[bytes] = []
        received = b""
        while len(replies) < count:
            received += self._connection.recv(65536)
            while received and (end := end_of_reply(received)) is not None:
                replies.append(received[:end])
                received = received[end:]
        assert not received
        return replies

    def close(self) -> None:
        """Close it."""
        self._connection.close()
