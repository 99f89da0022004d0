"""Who takes part: from a number of nodes for each role to a module's `Cluster`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.contract import Module, NodeId

DEFAULT_SIZE = 3


class ClusterError(Exception):
    """A cluster cannot be made as asked for; the message says why and what is possible."""


def make_cluster(module: Module, sizes: Mapping[str, int] | None = None) -> Any:
    """Return the module's `Cluster` with `sizes` nodes of each role, and its parameters.

    `sizes` maps names of roles to numbers of nodes and names of parameters to values. A role
    that is left out has one node if it is single and else `DEFAULT_SIZE`; a parameter that is
    left out is an error, since what it may be is known to the spec alone. Nodes are called
    after their role: `a1`, `a2` for an acceptor, or more letters where one is ambiguous.
    """
    given = dict(sizes or {})
    unknown = [name for name in given if name not in module.CLUSTER_FIELDS]
    if unknown:
        known = ", ".join(module.CLUSTER_FIELDS)
        raise ClusterError(f"no role or parameter is called `{unknown[0]}`; there are: {known}")
    prefixes = node_prefixes(tuple(module.ROLES))
    values: dict[str, Any] = {}
    for name, field in module.CLUSTER_FIELDS.items():
        if name not in module.ROLES:
            if name not in given:
                raise ClusterError(f"the parameter `{name}` needs a value")
            values[field] = given[name]
            continue
        single = name in module.SINGLE
        size = given.get(name, 1 if single else DEFAULT_SIZE)
        if size < 1:
            raise ClusterError(f"the role `{name}` needs at least one node")
        if single and size != 1:
            raise ClusterError(f"the role `{name}` has exactly one node")
        values[field] = tuple(f"{prefixes[name]}{number}" for number in range(1, size + 1))
    try:
        return module.Cluster(**values)
    except (TypeError, ValueError) as error:
        raise ClusterError(str(error)) from None


def node_prefixes(roles: tuple[str, ...]) -> dict[str, str]:
    """Return for each role the shortest start of its name, in lower case, that is its own."""
    prefixes: dict[str, str] = {}
    for role in roles:
        others = [other.lower() for other in roles if other != role]
        lower = role.lower()
        prefixes[role] = next(
            (
                lower[:length]
                for length in range(1, len(lower) + 1)
                if not any(other.startswith(lower[:length]) for other in others)
            ),
            lower + "_",
        )
    return prefixes


def nodes(module: Module, cluster: Any) -> dict[NodeId, str]:
    """Return the role of each node, in the order of roles and of nodes in them."""
    return {
        node: role
        for role in module.ROLES
        for node in getattr(cluster, module.CLUSTER_FIELDS[role])
    }


def parameters(module: Module, cluster: Any) -> dict[str, int]:
    """Return the value of each parameter of the protocol."""
    return {
        name: getattr(cluster, field)
        for name, field in module.CLUSTER_FIELDS.items()
        if name not in module.ROLES
    }
