"""The Hypothesis state machine: no mismatch in good modules, and mutants found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from runtime.membership import make_cluster
from runtime.testing import protocol_machine
from tests.runtime.building import (
    ALL_CONSTRUCTS,
    PAXOS,
    PAXOS_SIZES,
    TWO_PHASE_COMMIT,
    model_of,
    module_of,
)

FIXED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(("spec", "sizes"), [(PAXOS, PAXOS_SIZES), (TWO_PHASE_COMMIT, {})])
def test_every_chosen_step_is_one_of_the_model(spec: Path, sizes: dict[str, int]) -> None:
    module = module_of(spec)
    machine = protocol_machine(module, make_cluster(module, sizes), model_of(spec))
    run_state_machine_as_test(machine, settings=FIXED)


def test_a_protocol_with_every_construct() -> None:
    module = module_of(ALL_CONSTRUCTS)
    cluster = make_cluster(module, {"f": 1, "spare": 1})
    constants: dict[str, Any] = {node: {"site": f"site_of_{node}"} for node in cluster.server}
    machine = protocol_machine(module, cluster, model_of(ALL_CONSTRUCTS), constants=constants)
    run_state_machine_as_test(machine, settings=FIXED)


def test_a_mutant_is_found_and_shrunk() -> None:
    module = module_of(PAXOS, [("ballot > self.promised", "ballot >= self.promised")])
    cluster = make_cluster(module, {"Proposer": 1, "Acceptor": 1, "Learner": 1})
    machine = protocol_machine(module, cluster, model_of(PAXOS))
    thorough = settings(
        FIXED,
        max_examples=200,
        stateful_step_count=12,
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=thorough)
    text = str(caught.value)
    assert "mismatch" in text
    # A request, and the same message delivered twice.
    assert text.count('"step": "deliver"') == 2
    assert text.count('"step": "request"') == 1
