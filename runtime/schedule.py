"""Schedules: executions written down so that they can be read, kept, and run again exactly.

A schedule is JSON: a header that says which protocol, which version of its spec and which
cluster, and the list of steps. It holds no random choice and no time; nothing but the order
of the steps decides what the nodes do.

    {
      "protocol": "Paxos",
      "spec_sha256": "…",
      "cluster": {"Proposer": ["p1"], "Acceptor": ["a1", "a2", "a3"], "Learner": ["l1"]},
      "parameters": {},
      "constants": {},
      "steps": [
        {"step": "request", "node": "p1", "request": {"Propose": ["v0"]}},
        {"step": "deliver", "from": "p1", "to": "a1", "message": {"Prepare": [[1, "p1"]]}},
        {"step": "timeout", "node": "p1", "timer": {"retry": []}},
        {"step": "crash", "node": "a1"},
        {"step": "restart", "node": "a1"},
        {"step": "recover", "node": "a1"}
      ]
    }
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from runtime.codec import Codec, CodecError, Json
from runtime.contract import Module, NodeId
from runtime.membership import nodes, parameters
from runtime.step import Crash, Deliver, Handled, Recover, Request, Restart, Start, Step, Timeout

POINTS = ("idle", "before persist", "after persist")


class ScheduleError(Exception):
    """A text is not a schedule for the module; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """An execution of `protocol` on `cluster`.

    `constants` maps a node to its constants by name. `spec_sha256` is that of the spec the
    schedule was made with; an empty one fits any.
    """

    protocol: str
    spec_sha256: str
    cluster: Any
    constants: Mapping[NodeId, Mapping[str, object]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    def with_steps(self, steps: tuple[Step, ...]) -> Schedule:
        """Return the schedule with other steps."""
        return replace(self, steps=steps)


def schedule_for(
    module: Module,
    cluster: Any,
    steps: tuple[Step, ...],
    constants: Mapping[NodeId, Mapping[str, object]] | None = None,
) -> Schedule:
    """Return a schedule of `steps` for the module."""
    return Schedule(module.PROTOCOL, module.SPEC_SHA256, cluster, constants or {}, steps)


# --- writing -----------------------------------------------------------------------------


def dumps(module: Module, schedule: Schedule) -> str:
    """Return the schedule as JSON text, one step a line."""
    codec = Codec(module)
    header = {
        "protocol": schedule.protocol,
        "spec_sha256": schedule.spec_sha256,
        "cluster": {
            role: list(getattr(schedule.cluster, module.CLUSTER_FIELDS[role]))
            for role in module.ROLES
        },
        "parameters": parameters(module, schedule.cluster),
        "constants": {
            node: {name: codec.encode(value) for name, value in values.items()}
            for node, values in schedule.constants.items()
            if values
        },
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in header.items()]
    steps = [f"    {json.dumps(encode_step(codec, step))}" for step in schedule.steps]
    body = "[]" if not steps else "[\n" + ",\n".join(steps) + "\n  ]"
    return "{\n" + "\n".join(lines) + f'\n  "steps": {body}\n' + "}\n"


def encode_step(codec: Codec, step: Step) -> Json:
    """Return one step as JSON."""
    match step:
        case Deliver(node=node, sender=sender, message=message):
            data = {
                "step": "deliver",
                "from": sender,
                "to": node,
                "message": codec.encode_message(message),
            }
        case Request(node=node, request=request):
            data = {"step": "request", "node": node, "request": codec.encode_message(request)}
        case Timeout(node=node, timer=timer):
            data = {"step": "timeout", "node": node, "timer": codec.encode_message(timer)}
        case Start(node=node):
            data = {"step": "start", "node": node}
        case Recover(node=node):
            data = {"step": "recover", "node": node}
        case Crash(node=node, point=point):
            data = {"step": "crash", "node": node}
            return data if point == "idle" else data | {"point": point}
        case Restart(node=node):
            return {"step": "restart", "node": node}
        case _:
            assert_never(step)
    if step.answers:
        data["answers"] = {name: codec.encode(value) for name, value in step.answers}
    return data


# --- reading -----------------------------------------------------------------------------


def loads(module: Module, text: str) -> Schedule:
    """Return the schedule that `text` holds; `ScheduleError` if it does not fit the module."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ScheduleError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ScheduleError("a schedule is a JSON object")
    if data.get("protocol") != module.PROTOCOL:
        raise ScheduleError(
            f"the schedule is for {data.get('protocol')!r}, the module is {module.PROTOCOL!r}"
        )
    codec = Codec(module)
    cluster = decode_cluster(module, data)
    roles = nodes(module, cluster)
    try:
        constants = {
            node: {
                name: codec.decode(codec.types.constants(module.ROLES[roles[node]])[name], value)
                for name, value in values.items()
            }
            for node, values in data.get("constants", {}).items()
        }
    except (CodecError, KeyError, AttributeError) as error:
        raise ScheduleError(f"constants: {error}") from None
    given = data.get("steps", [])
    if not isinstance(given, list):
        raise ScheduleError("`steps` is not a list")
    steps = tuple(_step(module, codec, roles, index, step) for index, step in enumerate(given))
    return Schedule(module.PROTOCOL, str(data.get("spec_sha256", "")), cluster, constants, steps)


def decode_cluster(module: Module, data: Json) -> Any:
    """Return the cluster that `cluster` and `parameters` of `data` say; raise ScheduleError."""
    roles, values = data.get("cluster"), data.get("parameters", {})
    if not isinstance(roles, dict) or not isinstance(values, dict):
        raise ScheduleError("`cluster` and `parameters` are objects")
    fields: dict[str, Any] = {}
    for name, field_ in module.CLUSTER_FIELDS.items():
        if name in module.ROLES:
            ids = roles.get(name)
            if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids):
                raise ScheduleError(f"cluster: `{name}` needs a list of node names")
            fields[field_] = tuple(ids)
        elif isinstance(values.get(name), int):
            fields[field_] = values[name]
        else:
            raise ScheduleError(f"parameters: `{name}` needs a number")
    ids = [node for value in fields.values() if isinstance(value, tuple) for node in value]
    if len(set(ids)) != len(ids):
        raise ScheduleError("cluster: a node's name is used twice")
    try:
        return module.Cluster(**fields)
    except (TypeError, ValueError) as error:
        raise ScheduleError(f"cluster: {error}") from None


def _step(
    module: Module, codec: Codec, roles: Mapping[NodeId, str], index: int, data: Json
) -> Step:
    where = f"step {index + 1}"
    if not isinstance(data, dict):
        raise ScheduleError(f"{where}: not an object")
    kind = data.get("step")
    node = data.get("to" if kind == "deliver" else "node")
    if not isinstance(node, str) or node not in roles:
        raise ScheduleError(f"{where}: no node is called {node!r}")
    if kind == "crash":
        point = data.get("point", "idle")
        if point not in POINTS:
            raise ScheduleError(f"{where}: a crash's point is one of {', '.join(POINTS)}")
        return Crash(node, point)
    if kind == "restart":
        return Restart(node)
    try:
        return decode_handled(module, codec, roles, node, data)
    except (CodecError, ScheduleError) as error:
        raise ScheduleError(f"{where}: {error}") from None


def decode_handled(
    module: Module, codec: Codec, roles: Mapping[NodeId, str], node: NodeId, data: Json
) -> Handled:
    """Return the step of a handler of `node` that `data` says.

    Raises ScheduleError or CodecError.
    """
    given = data.get("answers", {})
    if not isinstance(given, dict):
        raise ScheduleError("`answers` is not an object")
    answers = codec.decode_answers(given)
    match data.get("step"):
        case "deliver":
            if data.get("from") not in roles:
                raise ScheduleError(f"no node is called {data.get('from')!r}")
            message = codec.decode_message(module.MESSAGES, data.get("message"))
            return Deliver(node, data["from"], message, answers)
        case "request":
            request = codec.decode_message(module.REQUESTS, data.get("request"))
            return Request(node, request, answers)
        case "timeout":
            timers = {
                timer: class_
                for (role, timer), class_ in module.TIMERS.items()
                if role == roles[node]
            }
            return Timeout(node, codec.decode_message(timers, data.get("timer")), answers)
        case "start":
            return Start(node, answers)
        case "recover":
            return Recover(node, answers)
        case kind:
            raise ScheduleError(f"{kind!r} is not a step")
