"""A node's steps, written down while it runs, for `accordant check-trace`.

A trace is a file of JSON lines, in the encoding of `runtime/codec.py` and `runtime/schedule.py`. It
is appended to through all lives of the node:

    {"begin": {"trace": 1, "protocol": "Paxos", "spec_sha256": "…",
               "node": "a1", "role": "Acceptor", "cluster": {"Proposer": ["p1"], …}, "parameters":
               {}, "constants": {}, "incarnation": 2, "commits": 17, "time": 1790000000000000000}}
    {"step": {"step": "recover", "node": "a1"}, "effects": null}
    {"step": {"step": "deliver", "from": "p1", "to": "a1", "message": {…}}, "effects": [{…}, …]}
    {"batch": 18, "time": 1790000000000000000}
    {"done": 18}
    {"end": 18}

Lines of steps come in the order in which the steps were taken; `effects` is null where the event
was ignored. Steps that are committed together end with a `batch` line. All of these are given to
the operating system before the commit, and `done` after it, before any message or output leaves.
So of a batch with `done`, everything happened; of one without, which only the last of a life can
be, nothing has left the node. Whether its writes are durable the next `begin` tells: `commits` is
the number of commits that the node has found in its store then, and the number in `batch` what it
had to become. A batch that persists nothing and has no `done` has not happened, as far as anybody
can tell.

`begin` with an `incarnation` above 1 is a restart after whatever went before: a crash, or `end`,
which a node writes that is stopped gracefully. To the protocol they are the same. A first life may
begin more than once, if it ended before the first step was durable. A last line without an end was
not written whole; the next `begin` starts on a line of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from runtime.codec import Codec
from runtime.contract import Effects, Module, NodeId
from runtime.host.config import ConfigError
from runtime.membership import parameters
from runtime.schedule import encode_step
from runtime.step import Handled

VERSION: Final = 1

_json = msgspec.json.Encoder().encode


class Trace:
    """The trace of a node, open for appending; `ConfigError` if the file cannot be.

    A write that fails raises `OSError`; the node must stop then, or others would know of steps
    that the trace does not have.
    """

    def __init__(self, path: Path, module: Module) -> None:
        self._codec = Codec(module)
        self._module = module
        self._lines: list[bytes] = []
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self._file = os.open(path, flags, 0o644)
        except OSError as error:
            raise ConfigError(f"cannot write the trace {path}: {error.strerror}") from None
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._lines.append(b"")

    def begin(
        self,
        cluster: Any,
        node: NodeId,
        role: str,
        constants: Mapping[str, object],
        incarnation: int,
        commits: int,
    ) -> None:
        """Write that a life of the node begins."""
        module, encode = self._module, self._codec.encode
        self._add(
            {
                "begin": {
                    "trace": VERSION,
                    "protocol": module.PROTOCOL,
                    "spec_sha256": module.SPEC_SHA256,
                    "node": node,
                    "role": role,
                    "cluster": {
                        name: list(getattr(cluster, module.CLUSTER_FIELDS[name]))
                        for name in module.ROLES
                    },
                    "parameters": parameters(module, cluster),
                    "constants": {name: encode(value) for name, value in constants.items()},
                    "incarnation": incarnation,
                    "commits": commits,
                    "time": time.time_ns(),
                }
            }
        )
        self._flush()

    def step(self, step: Handled, effects: Effects | None) -> None:
        """Note a step, to be written with its batch."""
        codec = self._codec
        done = None if effects is None else [codec.encode_effect(effect) for effect in effects]
        self._add({"step": encode_step(codec, step), "effects": done})

    def batch(self, commit: int) -> None:
        """Write the steps that were noted; `commit` is the number of commits that is to follow."""
        self._add({"batch": commit, "time": time.time_ns()})
        self._flush()

    def done(self, commit: int) -> None:
        """Write that the batch is durable."""
        self._add({"done": commit})
        self._flush()

    def close(self, commit: int | None = None) -> None:
        """Close the file; with the number of commits, say that the node has stopped by itself."""
        if self._file < 0:
            return
        try:
            if commit is not None:
                self._add({"end": commit})
                self._flush()
        finally:
            os.close(self._file)
            self._file = -1

    def _add(self, data: Any) -> None:
        self._lines.append(_json(data))

    def _flush(self) -> None:
        data = b"\n".join(self._lines) + b"\n"
        self._lines.clear()
        while data:
            data = data[os.write(self._file, data) :]
