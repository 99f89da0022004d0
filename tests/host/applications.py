"""Applications for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from runtime.contract import Message, NodeId
from runtime.host.application import Node
from runtime.workload import RandomApplication


class Recorder:
    """Keeps what it is told, and answers by a function; `arrived` is set whenever there is more."""

    def __init__(self, answer: Callable[[Any], object] = lambda question: True) -> None:
        self.outputs: list[Any] = []
        self.bytes: list[tuple[NodeId, bytes]] = []
        self.questions: list[tuple[Any, int]] = []
        self.stopped = False
        self.node: Node
        self._answer = answer
        self._arrived = asyncio.Event()

    async def start(self, node: Node) -> None:
        self.node = node

    def output(self, output: Message) -> None:
        self.outputs.append(output)
        self._arrived.set()

    def answer(self, question: Message) -> object:
        self.questions.append((question, len(self.outputs)))
        return self._answer(question)

    def received(self, peer: NodeId, body: bytes) -> None:
        if body == b"refuse me":
            raise ValueError("refused")
        self.bytes.append((peer, body))
        self._arrived.set()

    async def stop(self) -> None:
        self.stopped = True

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something has arrived that makes the condition hold."""
        async with asyncio.timeout(20):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()


class Guesser(Recorder):
    """Answers at random."""

    def __init__(self, module: Any, cluster: Any, id: NodeId) -> None:
        source, random = RandomApplication(module, cluster), Random(id)
        names = {class_: name for name, class_ in module.QUESTIONS.items()}
        super().__init__(lambda q: source.answer(id, names[type(q)], q, random))


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, for what nobody can be told of."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


class Counting(Recorder):
    """Puts 1, 2, 3, … into a shard's key, and prints each number when it is acknowledged."""

    async def start(self, node: Node) -> None:
        await super().start(node)
        self._task = asyncio.create_task(self._count(node))

    async def _count(self, node: Any) -> None:
        await asyncio.sleep(0)  # the first step comes first
        number = node.code.value.get("k") or 0
        while True:
            number += 1
            if await node.request(node.module.Put("k", number)):
                print(number, flush=True)

    async def stop(self) -> None:
        self._task.cancel()
        print("stopped", flush=True)


class Raising(Recorder):
    """Fails as soon as it is started."""

    async def start(self, node: Node) -> None:
        node.fail(RuntimeError("raised on purpose"))
