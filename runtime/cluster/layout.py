"""The directory of a local cluster, its addresses, and its cluster files.

    cluster.toml            where each node really listens, for you and for clients
    control.sock            where the running cluster takes orders
    certs/                  with TLS: the authority, the nodes', and a client's certificate
    nodes/s1/               what belongs to a node:
        cluster.toml            the cluster as it sees it: its peers' addresses are those of links
        data/                   what it has made durable
        log                     what it wrote to standard output and error
    traces/s1.trace         its steps

Addresses are kept from one run to the next as long as nobody else has taken them.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.cluster.errors import ClusterFailure
from runtime.codec import Codec
from runtime.contract import Module, NodeId
from runtime.host.certificates import CertificateError, make_authority, make_client, make_node
from runtime.host.config import (
    Address,
    ClusterConfig,
    ConfigError,
    NodeConfig,
    TlsFiles,
    dump_config,
    read_config,
)
from runtime.membership import ClusterError, make_cluster, nodes, parameters

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 12_000, 32_000
_TRIES = 100
CLIENT = "client"
"""The name of the client that has a certificate."""


class Layout:
    """Where things are in a cluster's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "cluster.toml"
        self.certificates = directory / "certs"

    def node(self, id: NodeId) -> Path:
        """Return the directory of a node; it is made if there is none."""
        path = self.directory / "nodes" / id
        path.mkdir(parents=True, exist_ok=True)
        return path

    def trace(self, id: NodeId) -> Path:
        """Return the path of a node's trace."""
        path = self.directory / "traces"
        path.mkdir(exist_ok=True)
        return path / f"{id}.trace"


def sizes(module: Module, asked: int | Mapping[str, int]) -> dict[str, int]:
    """Return the number of nodes of each role: a number alone is for all that may have several."""
    if isinstance(asked, int):
        return {role: asked for role in module.ROLES if role not in module.SINGLE}
    return dict(asked)


def configure(
    module: Module,
    asked: int | Mapping[str, int],
    layout: Layout,
    *,
    tls: bool,
    constants: Mapping[NodeId, Mapping[str, object]],
) -> ClusterConfig:
    """Write `cluster.toml`, and the certificates that are missing; return the config.

    Raises `ClusterFailure` if the cluster cannot be as asked for, or the directory has another.
    """
    try:
        cluster = make_cluster(module, sizes(module, asked))
        members = nodes(module, cluster)
        layout.directory.mkdir(parents=True, exist_ok=True)
        old = read_config(layout.config) if layout.config.exists() else None
        if old is not None:
            roles = {node.id: node.role for node in old.nodes.values()}
            if (old.protocol, roles) != (module.PROTOCOL, members):
                raise ClusterFailure(
                    f"{layout.directory} has a cluster of {old.protocol} with the nodes "
                    f"{', '.join(roles)}; take another directory"
                )
        codec = Codec(module)
        addresses = _addresses(members, old)
        configs = {
            id: NodeConfig(
                id,
                role,
                *addresses[id],
                constants={n: codec.encode(v) for n, v in constants.get(id, {}).items()},
            )
            for id, role in members.items()
        }
        files = _certificates(layout, members) if tls else None
        config = ClusterConfig(module.PROTOCOL, configs, parameters(module, cluster), files)
        _write(layout.config, config)
    except (ClusterError, ConfigError, CertificateError) as error:
        raise ClusterFailure(str(error)) from None
    except OSError as error:
        raise ClusterFailure(f"cannot use {layout.directory}: {error.strerror}") from None
    return config


def write_view(
    layout: Layout, config: ClusterConfig, id: NodeId, links: Mapping[NodeId, Address]
) -> Path:
    """Write the cluster file of one node, which reaches the nodes of `links` there."""
    seen = {
        peer: replace(node, address=links.get(peer, node.address))
        for peer, node in config.nodes.items()
    }
    path = layout.node(id) / "cluster.toml"
    _write(path, replace(config, nodes=seen))
    return path


def _write(path: Path, config: ClusterConfig) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(dump_config(config), "utf-8")
    fresh.replace(path)


def _addresses(
    members: Iterable[NodeId], old: ClusterConfig | None
) -> dict[NodeId, tuple[Address, Address, Address]]:
    """Return three addresses a node: for peers, for clients, for metrics."""
    found: dict[NodeId, tuple[Address, Address, Address]] = {}
    with ExitStack() as stack:
        for id in members:
            before: Any = None if old is None else old.nodes[id]
            wanted = (
                [None] * 3 if before is None else [before.address, before.clients, before.metrics]
            )
            first, second, third = (_free(stack, address) for address in wanted)
            found[id] = (first, second, third)
    return found


def _free(stack: ExitStack, wanted: Address | None) -> Address:
    """Return an address that nobody uses, `wanted` if possible; it is kept until `stack` ends.

    New ones lie outside the range from which the system takes ports for outgoing connections. So
    none of these takes the port of a node while that is down.
    """
    tries = (random.randrange(_LOWEST, _HIGHEST) for _ in range(_TRIES))
    for port in tries if wanted is None else (wanted.port, *tries):
        taken = stack.enter_context(socket.socket())
        if wanted is not None and port == wanted.port:
            # As the node binds it: earlier connections to it may not be forgotten yet. For a new
            # port that would not do: two sockets may have one as long as neither listens.
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((HOST, port))
        except OSError:
            continue
        return Address(HOST, port)
    raise ClusterFailure("there is no free port on the loopback")


def _certificates(layout: Layout, members: Iterable[NodeId]) -> TlsFiles:
    directory = layout.certificates.resolve()
    files = TlsFiles(directory / "ca.pem", directory)
    if not files.ca.exists():
        make_authority(directory)
    for id in members:
        if not files.certificate(id).exists():
            make_node(directory, id)
    if not files.certificate(CLIENT).exists():
        make_client(directory, CLIENT)
    return files
