"""Histories made for tests: random small ones, large linearizable ones, and all orders tried."""

from __future__ import annotations

import heapq
import random
from collections.abc import Hashable, Sequence
from itertools import combinations, permutations

from hypothesis import strategies as st

from runtime.history.model import KeyValue, SequentialModel
from runtime.history.operation import Operation
from runtime.history.search import Start


def has_order(
    model: SequentialModel, operations: Sequence[Operation], start: Start | None = None
) -> bool:
    """Say whether a history of one part is linearizable from a start, by trying every order."""
    start = start or Start(model.initial)
    rest = [o for i, o in enumerate(operations) if i not in start.placed]
    done = [o for o in rest if not o.pending]
    pending = [o for o in rest if o.pending]
    return any(
        _fits(model, order, start.state)
        for count in range(len(pending) + 1)
        for chosen in combinations(pending, count)
        for order in permutations([*done, *chosen])
    )


def _fits(model: SequentialModel, order: Sequence[Operation], state: Hashable) -> bool:
    for n, operation in enumerate(order):
        if any(
            later.responded is not None and later.responded < operation.invoked
            for later in order[n:]
        ):
            return False
        state, result = model.step(state, operation.name, operation.arguments)
        if not operation.pending and result != operation.result:
            return False
    return True


VALUES = ("1", "2")

INVOCATIONS = st.one_of(
    st.tuples(st.just("get"), st.tuples(st.just("k"))),
    st.tuples(st.just("set"), st.tuples(st.just("k"), st.sampled_from(VALUES))),
    st.tuples(st.just("append"), st.tuples(st.just("k"), st.sampled_from(VALUES))),
    st.tuples(st.just("incr"), st.tuples(st.just("k"), st.just(1))),
    st.tuples(
        st.just("cas"), st.tuples(st.just("k"), st.sampled_from(VALUES), st.sampled_from(VALUES))
    ),
    st.tuples(st.just("del"), st.tuples(st.just("k"))),
)


@st.composite
def histories(draw: st.DrawFn, most: int = 6) -> list[Operation]:
    """Draw a history of one key whose results are what some order, mostly legal, would give."""
    model = KeyValue()
    state: Hashable = model.initial
    found = []
    for n in range(draw(st.integers(1, most))):
        name, arguments = draw(INVOCATIONS)
        at = draw(st.integers(0, 12))
        after, result = model.step(state, name, arguments)
        if draw(st.integers(0, 9)) == 0:
            result = draw(st.sampled_from((None, True, False, 1, 2, "1", "2", "12")))
        if draw(st.integers(0, 5)) == 0:
            if draw(st.booleans()):
                state = after
            found.append(Operation(f"c{n}", name, arguments, at))
            continue
        state = after
        found.append(Operation(f"c{n}", name, arguments, at, at + draw(st.integers(0, 8)), result))
    return found


def linearizable(
    seed: int, count: int, *, keys: int, clients: int, lost: float = 0.0
) -> list[Operation]:
    """Return a linearizable history: each operation takes effect at an instant while it goes on.

    `lost` is the share of operations whose outcome is unknown; some of these take effect much
    later and some never.
    """
    draw, model = random.Random(seed), KeyValue()
    free = [(0, f"c{n}") for n in range(clients)]
    planned: list[tuple[int, int, int | None, str, str, tuple[object, ...]]] = []
    for _ in range(count):
        at, client = heapq.heappop(free)
        invoked, lasts = at + draw.randrange(1, 20), draw.randrange(10, 200)
        key = f"k{draw.randrange(keys)}"
        choices: list[tuple[str, tuple[object, ...]]] = [
            ("get", (key,)),
            ("get", (key,)),
            ("set", (key, str(draw.randrange(1000)))),
            ("append", (key, str(draw.randrange(10)))),
            ("incr", (key, 1)),
            ("cas", (key, str(draw.randrange(1000)), "5")),
            ("del", (key,)),
        ]
        name, arguments = draw.choice(choices)
        responded: int | None = invoked + lasts
        effect = invoked + draw.randrange(lasts)
        if draw.random() < lost:
            responded = None
            effect = invoked + draw.randrange(5000) if draw.random() < 0.6 else -1
        planned.append((effect, invoked, responded, client, name, arguments))
        heapq.heappush(free, (invoked + lasts, client))
    states: dict[object, Hashable] = {}
    found = []
    for effect, invoked, responded, client, name, arguments in sorted(planned, key=lambda p: p[0]):
        result: object = None
        if effect >= 0:
            state = states.get(arguments[0], model.initial)
            states[arguments[0]], result = model.step(state, name, arguments)
        if responded is None:
            result = None
        found.append(Operation(client, name, arguments, invoked, responded, result))
    draw.shuffle(found)
    return found
