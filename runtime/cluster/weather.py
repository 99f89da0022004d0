"""A node that some messages reach late, twice, or never.

Between two nodes there is a connection, which keeps messages in order; so a real network shows
little of what the proofs allow. This host holds messages up where they come in, before the node has
seen them: what it takes then, and writes down in its trace, is what a worse network would bring.
"""

from __future__ import annotations

from random import Random
from typing import Any

from runtime.contract import NodeId
from runtime.host.host import Host
from runtime.wire.frames import BYTES


class WeatheredHost(Host):
    """A host in the weather that `weather` has said, none at first."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._share = 0.0
        self._delay = 0.0
        self._luck = Random()

    def weather(self, share: float, delay: float) -> None:
        """From now on let a share of the messages be lost, doubled, or late by up to `delay` s.

        Half of them are late, a quarter is lost, and of a quarter there is a late copy.
        """
        self._share, self._delay = share, delay

    def frame(self, peer: NodeId, kind: int, body: bytes) -> None:
        """Take a frame, or not yet; those of the application stay in order."""
        if not self._share or kind == BYTES or (luck := self._luck.random()) >= self._share:
            super().frame(peer, kind, body)
            return
        kind_of_luck = luck / self._share
        if kind_of_luck < 0.25:
            return
        if kind_of_luck < 0.5:
            super().frame(peer, kind, body)
        late = self._delay * self._luck.random()
        self._loop.call_later(late, super().frame, peer, kind, body)
