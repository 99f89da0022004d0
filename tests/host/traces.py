"""Reads traces by the rules of docs/cluster.md, and takes their steps again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime.codec import Codec
from runtime.contract import Module
from runtime.schedule import loads
from runtime.step import call

Line = dict[str, Any]
Durable = dict[tuple[str, tuple[object, ...]], Any]


def read(path: Path) -> list[list[Line]]:
    """Return the lines of a trace, a list a life. What was not written whole is left out."""
    lives: list[list[Line]] = []
    *lines, _ = path.read_text("utf-8").split("\n")
    for line in lines:
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if "begin" in data:
            lives.append([])
        lives[-1].append(data)
    return lives


def happened(life: list[Line], following: int | None) -> list[Line]:
    """Return the steps of a life that happened; `following` are the commits of the next `begin`."""
    steps: list[Line] = []
    batch: list[Line] = []
    number = 0
    for line in life:
        if "step" in line:
            batch.append(line)
        elif "batch" in line:
            number = line["batch"]
        elif "done" in line:
            steps += batch
            batch = []
    persists = any("persist" in effect for line in batch for effect in line["effects"] or ())
    if batch and number and persists and following is not None and following >= number:
        steps += batch
    return steps


def replay(module: Module, lives: list[list[Line]]) -> Durable:
    """Take the steps of all lives again, on a node of one's own; they have the same effects.

    Returns what is durable in the end.
    """
    codec = Codec(module)
    durable: Durable = {}
    for index, life in enumerate(lives):
        facts = life[0]["begin"]
        following = lives[index + 1][0]["begin"]["commits"] if index + 1 < len(lives) else None
        lines = happened(life, following)
        schedule = loads(
            module,
            json.dumps(
                {name: facts[name] for name in ("protocol", "spec_sha256", "cluster", "parameters")}
                | {"constants": {facts["node"]: facts["constants"]}}
                | {"steps": [line["step"] for line in lines]}
            ),
        )
        constants = schedule.constants.get(facts["node"], {})
        role = module.ROLES[facts["role"]]
        code = role(facts["node"], schedule.cluster, durable.values(), **constants)
        for line, taken in zip(lines, schedule.steps, strict=True):
            step: Any = taken
            effects = call(code, step, dict(step.answers))
            done = None if effects is None else [codec.encode_effect(e) for e in effects]
            assert done == line["effects"]
            for effect in effects or ():
                if isinstance(effect, module.Persist):
                    durable |= {(w.variable, w.keys): w for w in effect.writes}
    return durable
