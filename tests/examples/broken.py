"""Applications with a mistake each, which the examples have to notice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from typing import Any

from examples.bank import Bank
from examples.common import crash_point, data_directory
from examples.shards import FIRST, Server
from examples.wordcount import Worker
from runtime.contract import Module, Write
from runtime.host.application import Node
from runtime.storage.store import Identity, SqliteStore


class Forgetful(Bank):
    """A bank that does not ask what it has missed."""

    def catch_up(self, database: sqlite3.Connection) -> None:
        pass


class Careless(Bank):
    """A bank that votes yes, and has put the hold in memory only."""

    async def start(self, node: Node) -> None:
        await super().start(node)
        if self.database is not None:
            self.database.execute("CREATE TEMP TABLE holds (number PRIMARY KEY, account, change)")


class Greedy(Worker):
    """A worker that reduces whatever attempts at map tasks have left."""

    def attempts(self, job: str, number: int) -> list[str]:
        return [path.name for path in data_directory().glob("map-*")]


class Hasty(Server):
    """A server that says that it has stored what it is about to store."""

    async def obey(self, order: list[Any], writer: asyncio.StreamWriter) -> None:
        if order[0] != "put":
            await super().obey(order, writer)
            return
        code: Any = self.node.code
        if code.epoch.get(order[1], (0, FIRST))[1] == self.node.id:
            self.reply(writer, ["stored"])
            crash_point(self.node.id, "answered")
            await self.ask(self.module.Put(*order[1:]))
        else:
            self.reply(writer, await self.ask(self.module.Put(*order[1:])))


class KeepsWhatItGave(SqliteStore):
    """A store that does not make durable that a key has been handed over."""

    def __init__(self, directory: Any, module: Module, identity: Identity) -> None:
        super().__init__(directory, module, identity)
        self._owner = identity.node

    def commit(self, writes: Iterable[Write], incarnation: int | None = None) -> None:
        kept = [w for w in writes if w.variable != "epoch" or self._owns(w)]
        super().commit(kept, incarnation)

    def _owns(self, write: Write) -> bool:
        epoch: Any = write.value
        return bool(epoch.owner == self._owner)
