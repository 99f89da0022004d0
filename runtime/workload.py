"""What comes from outside the protocol: the clients' requests, and the application's answers.

Both are drawn from seeded sources of random numbers by default; a user who wants others
implements `Workload` or `Application`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from runtime.contract import Message, Module, NodeId
from runtime.draw import Draw, Pool, chooser, drawer
from runtime.membership import nodes
from runtime.types import Types


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that reaches `node` `delay` microseconds after the one before it."""

    delay: int
    node: NodeId
    request: Message


class Workload(Protocol):
    """Where requests come from."""

    def next(self, random: Random) -> Arrival | None:
        """Return the next request, or None if there will be no more.

        All randomness is to come from `random`; then a run depends on its seed alone.
        """


class Application(Protocol):
    """What a node's application answers."""

    def answer(self, node: NodeId, name: str, question: Message, random: Random) -> object:
        """Return the answer of `node`'s application to `question`, which is called `name`."""


class RandomWorkload:
    """Requests of every kind with random values, at random nodes of the roles that take them.

    `interval` is the mean time between requests in milliseconds, `limit` the number of
    requests (None: no end), `pool` the number of values of each opaque type in use at a time;
    with the probability `drift` a request brings a new one into use.
    """

    def __init__(
        self,
        module: Module,
        cluster: Any,
        *,
        interval: int = 20,
        pool: int = 3,
        drift: float = 0.1,
        limit: int | None = None,
    ) -> None:
        types = Types(module)
        members = nodes(module, cluster)
        ids = tuple(members)
        values = Pool(pool, drift)
        targets: list[tuple[Draw, Draw]] = []
        for request in module.REQUESTS.values():
            roles = [name for name, role in module.ROLES.items() if types.handlers(role, request)]
            able = tuple(node for node, role in members.items() if role in roles)
            shape = types.of_class(request)
            targets.append((chooser(able or ids), drawer(shape, ids, values)))
        self._choose = chooser(targets) if targets else None
        self._interval = interval * 1000
        self._left = limit

    def next(self, random: Random) -> Arrival | None:
        """Return the next request."""
        if self._choose is None or self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        delay = 1 + int(random.expovariate(1.0) * self._interval)
        node, request = self._choose(random)
        return Arrival(delay, node(random), request(random))


class RandomApplication:
    """Answers any value of the answer's type; of `pool` values where it is opaque."""

    def __init__(self, module: Module, cluster: Any, *, pool: int = 3) -> None:
        types = Types(module)
        ids, values = tuple(nodes(module, cluster)), Pool(pool)
        self._draws = {
            name: drawer(types.of(answer), ids, values) for name, answer in module.ANSWERS.items()
        }

    def answer(self, node: NodeId, name: str, question: Message, random: Random) -> object:
        """Return a random answer."""
        return self._draws[name](random)
