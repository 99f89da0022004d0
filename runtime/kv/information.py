"""The text of INFO: what operators and libraries ask a server, and how the protocol stands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runtime.kv.local import VERSION

if TYPE_CHECKING:
    from runtime.kv.service import KeyValue


def information(service: KeyValue, sections: Sequence[str]) -> bytes:
    """Return the sections that are asked for, all if none are."""
    node = service.node
    code: Any = node.code
    uptime = int(service.clock.uptime())
    state = getattr(code.state, "value", str(code.state))
    keys = service.machine.keys
    known: dict[str, dict[str, object]] = {
        "server": {
            "redis_version": VERSION.decode(),
            "redis_mode": "standalone",
            "accordant_node": node.id,
            "process_id": os.getpid(),
            "uptime_in_seconds": uptime,
            "uptime_in_days": uptime // 86400,
        },
        "clients": {
            "connected_clients": len(service.connections),
            "maxclients": service.options.most_clients,
        },
        "memory": {"maxmemory": 0},
        "persistence": {"loading": 0, "aof_enabled": 1},
        "replication": {"role": "master", "connected_slaves": 0},
        "raft": {
            "raft_state": state,
            "raft_leader": code.leads or "",
            "raft_term": code.term.number,
            "raft_last": code.last,
            "raft_committed": code.committed,
            "raft_applied": code.applied,
            "raft_servers": ",".join(sorted((node.id, *node.peers))),
        },
        "keyspace": {"db0": f"keys={len(keys)},expires={keys.expiring}"} if len(keys) else {},
    }
    everything = not sections or {"all", "default", "everything"} & set(sections)
    return "\r\n".join(
        f"# {name.capitalize()}\r\n" + "".join(f"{k}:{v}\r\n" for k, v in values.items())
        for name, values in known.items()
        if everything or name in sections
    ).encode()
