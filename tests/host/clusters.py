"""Clusters of hosts in this process, on free ports of the loopback."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from runtime.codec import Codec
from runtime.contract import Module, NodeId
from runtime.draw import Pool, drawer
from runtime.host.application import Application
from runtime.host.config import Address, ClusterConfig, NodeConfig, TlsFiles
from runtime.host.host import DEFAULT_OPTIONS, Host, Options
from runtime.host.logs import node_logger
from runtime.membership import make_cluster, nodes, parameters
from runtime.types import Types


def bound() -> socket.socket:
    """Return a socket that is bound to a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def configure(
    module: Module, sizes: Mapping[str, int], tls: TlsFiles | None = None
) -> tuple[ClusterConfig, dict[NodeId, socket.socket]]:
    """Return the config of a cluster, and the bound sockets of its nodes. Constants are random."""
    cluster = make_cluster(module, sizes)
    members = nodes(module, cluster)
    types, codec, random = Types(module), Codec(module), Random(0)
    sockets = {id: bound() for id in members}
    configs = {}
    for id, role in members.items():
        constants = {
            name: codec.encode(drawer(shape, tuple(members), Pool())(random))
            for name, shape in types.constants(module.ROLES[role]).items()
        }
        address = Address("127.0.0.1", sockets[id].getsockname()[1])
        configs[id] = NodeConfig(id, role, address, constants=constants)
    return (
        ClusterConfig(module.PROTOCOL, configs, parameters(module, cluster), tls),
        sockets,
    )


@asynccontextmanager
async def running(
    module: Module,
    sizes: Mapping[str, int],
    directory: Path,
    application: Callable[[NodeId], Application | None] = lambda _: None,
    *,
    options: Callable[[NodeId], Options] = lambda _: DEFAULT_OPTIONS,
    tls: TlsFiles | None = None,
    **more: Any,
) -> AsyncIterator[dict[NodeId, Host]]:
    """Run a cluster; yields its hosts."""
    config, sockets = configure(module, sizes, tls)
    async with AsyncExitStack() as stack:
        hosts = {}
        for id in config.nodes:
            host = Host(
                module,
                id,
                config,
                directory / id,
                application(id),
                options=options(id),
                listener=sockets[id],
                logger=node_logger(id, "warning"),
                **more,
            )
            hosts[id] = await stack.enter_async_context(host)
        yield hosts
