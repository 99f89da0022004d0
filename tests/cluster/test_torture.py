"""Torture finds nothing wrong with the service, and something wrong with every broken build."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from compiler.command.front import Compiled, compile_file
from compiler.command.modules import module_of
from runtime.checking.trace import Conforms, Deviates
from runtime.cluster.load import LoadOptions
from runtime.cluster.torture import Result, TortureOptions, judge_history, judge_trace, torture
from runtime.history.check import Illegal, Linearizable
from tests.cluster import broken

SHORT = TortureOptions(seconds=6, length=0.5, interval=0.5, load=LoadOptions(rate=100))
LONGER = replace(SHORT, seconds=12)


@cache
def spec() -> Compiled:
    return compile_file(broken.RAFT.parents[1] / "specs" / "raft.accord")


def tortured(module: Path, directory: Path, options: TortureOptions) -> Result:
    """Torture a cluster, and judge all there is to judge."""
    result, operations = asyncio.run(torture(module, directory / "cluster", options))
    judge_history(result, operations, options.bounds)
    judge_trace(result, module_of(spec().protocol), spec().model, directory / "cluster")
    return result


def test_nothing_is_lost_and_every_step_is_the_models(tmp_path: Path) -> None:
    result = tortured(broken.RAFT, tmp_path, replace(SHORT, seconds=15))
    assert result.outcome == "right", result
    assert isinstance(result.history, Linearizable)
    assert isinstance(result.trace, Conforms)
    assert result.trace.steps > 500
    assert result.acknowledged >= 20
    assert not result.wrong
    assert result.faults


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_longer(tmp_path: Path, seed: int, tls: bool) -> None:
    result = tortured(broken.RAFT, tmp_path, replace(LONGER, seed=seed, nodes=3 + seed, tls=tls))
    assert result.outcome == "right", result


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_vote_that_is_not_durable(tmp_path: Path, seed: int) -> None:
    module = broken.vote_not_durable(tmp_path)
    result = tortured(module, tmp_path, replace(SHORT, seed=seed))
    assert result.outcome == "wrong"
    assert isinstance(result.trace, Deviates)
    assert "RequestVote" in repr(result.trace.place) or "voted" in result.trace.detail


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_reply_before_the_disk(tmp_path: Path, seed: int) -> None:
    options = replace(LONGER, seed=seed, store="tests.cluster.broken:LateStore")
    options = replace(options, faults=("kill", "kill all", "partition"))
    result = tortured(broken.RAFT, tmp_path, options)
    assert result.outcome == "wrong"
    assert isinstance(result.trace, Deviates)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_stale_read(tmp_path: Path, seed: int) -> None:
    options = replace(LONGER, seed=seed, application="tests.cluster.broken:stale")
    result = tortured(broken.RAFT, tmp_path, options)
    assert result.outcome == "wrong"
    assert isinstance(result.history, Illegal)
    assert result.picture is not None
    assert result.picture.read_text("utf-8").startswith("<svg")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_log_truncated_without_conflict(tmp_path: Path, seed: int) -> None:
    # It shows when an earlier entry comes after a later one, which a connection alone never does.
    options = replace(SHORT, seed=seed, interval=0.3, faults=("weather", "kill"))
    options = replace(options, load=LoadOptions(clients=16, rate=400))
    module = broken.truncates_without_conflict(tmp_path)
    result = tortured(module, tmp_path, options)
    assert result.outcome == "wrong"
    assert isinstance(result.trace, Deviates)
