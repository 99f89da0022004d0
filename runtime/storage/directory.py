"""The directory of a node: one process has it at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

LOCK: Final = "lock"


class StorageError(Exception):
    """A directory cannot be used as a node's; the message says why, and what can be done."""


class DirectoryLock:
    """Holds a directory for this process until closed, or until the process ends, however it does.

    Raises `StorageError` if another process, or another node of this one, has it, or if it cannot
    be made.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot use {directory}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._file, 64).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StorageError(
                f"{directory} is in use by a process that is alive"
                + (f" (process {owner})" if owner else "")
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let go of the directory."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
