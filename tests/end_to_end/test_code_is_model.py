"""Each step that the code of a random spec takes is a step of its model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest

from runtime.checking import Monitor
from runtime.faults import Faults, Latency
from runtime.membership import make_cluster
from runtime.simulator import simulate
from tests.end_to_end.compiling import Built, build
from tests.end_to_end.specs import specs

FAULTS = Faults(
    latency=Latency(500, 20_000),
    loss=0.03,
    duplication=0.05,
    delay=0.05,
    crash_interval=100,
    down_range=(5, 30),
    torn=0.5,
    skew=0.1,
)


def mismatches(built: Built, seeds: range) -> Iterator[object]:
    """Yield where code and model differ. Whether random properties hold is of no interest."""
    module, model = built.module(), replace(built.model, properties=())
    quorum = model.quorums[0].role.name
    sizes = {role.name: 2 for role in model.roles if not role.single}
    sizes |= {quorum: 3, "f": 1}
    for seed in seeds:
        monitor = Monitor(model)
        cluster = make_cluster(module, sizes)
        simulate(module, cluster, seed, steps=120, faults=FAULTS, observer=monitor)
        yield from (v for v in monitor.violations if v.kind == "mismatch")


def check(first: int, count: int, seeds: range) -> None:
    for seed, text in islice(specs(first), count):
        built = build(text)
        assert built is not None, f"the checker refuses spec {seed}:\n{text}"
        assert not list(mismatches(built, seeds)), f"spec {seed}:\n{text}"


@pytest.mark.parametrize("first", [0, 1000, 50_000])
def test_code_takes_the_steps_of_its_model(first: int) -> None:
    check(first, 12, range(2))


@pytest.mark.slow
@pytest.mark.parametrize("first", [*range(10_000, 20_000, 1000), 51_000, 52_000])
def test_code_takes_the_steps_of_its_model_often(first: int) -> None:
    check(first, 100, range(3))
