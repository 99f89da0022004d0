"""A cluster's members as text, to tell whether a store belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runtime.codec import Codec
from runtime.contract import Module
from runtime.membership import parameters


def describe(module: Module, cluster: Any, constants: Mapping[str, object]) -> str:
    """Return the members of each role, the parameters, and a node's constants, as text.

    Equal texts mean equal clusters; where nodes are, and their order, is no part of it.
    """
    codec = Codec(module)
    members = {
        role: sorted(getattr(cluster, module.CLUSTER_FIELDS[role])) for role in sorted(module.ROLES)
    }
    return json.dumps(
        {
            "roles": members,
            "parameters": dict(sorted(parameters(module, cluster).items())),
            "constants": {name: codec.encode(constants[name]) for name in sorted(constants)},
        }
    )
