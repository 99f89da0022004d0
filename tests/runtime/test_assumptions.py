"""Roles that stop, and what a spec assumes of its environment, in checked runs."""

from __future__ import annotations

from pathlib import Path

from compiler.command.front import compile_file
from compiler.command.modules import module_of
from runtime.checking import Monitor
from runtime.membership import make_cluster
from runtime.simulator import simulate
from runtime.step import Crash, Recover, Restart, Timeout

SPEC = Path(__file__).parents[2] / "specs" / "three_phase_commit.accord"
SIZES = {"Participant": 2}


def test_a_node_that_stops_does_not_restart() -> None:
    one = compile_file(SPEC)
    module, monitor = module_of(one.protocol), Monitor(one.model)
    crashed = 0
    for seed in range(20):
        cluster = make_cluster(module, SIZES)
        run = simulate(module, cluster, seed, steps=200, observer=monitor, record=True)
        assert monitor.violations == []
        steps = run.schedule.steps
        assert not any(isinstance(step, Restart | Recover) for step in steps)
        crashed += sum(isinstance(step, Crash) for step in steps)
    assert crashed


def test_what_is_assumed_is_not_broken() -> None:
    """The failure detector of a checked run suspects nobody who is up."""
    one = compile_file(SPEC)
    module, monitor = module_of(one.protocol), Monitor(one.model)
    concluded = 0
    for seed in range(20):
        run = simulate(
            module, make_cluster(module, SIZES), seed, steps=200, observer=monitor, record=True
        )
        assert monitor.violations == []
        concluded += sum(
            isinstance(step, Timeout) and "Conclude" in type(step.timer).__name__
            for step in run.schedule.steps
        )
    assert concluded
