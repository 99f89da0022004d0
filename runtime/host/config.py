"""The cluster file: who takes part, where each node listens, and which certificates it has.

A TOML file that all nodes of a cluster share:

    protocol = "Raft"

    [parameters]                    # those of the spec, if it has any

    [tls]                           # optional; paths are relative to the file
    ca = "certs/ca.pem"
    directory = "certs"             # <node>.pem and <node>-key.pem of each node

    [nodes.s1]
    role = "Server"
    address = "127.0.0.1:7101"      # for the other nodes
    clients = "127.0.0.1:7201"      # for the application, optional
    metrics = "127.0.0.1:7301"      # for Prometheus, optional
    constants = {}                  # the node's `const` variables, encoded as in runtime/codec.py

The order of the nodes in the file is their order in the cluster. Nothing here knows of sockets.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from runtime.codec import Codec, CodecError
from runtime.contract import Module, NodeId

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_NODE_KEYS: Final = ("role", "address", "clients", "metrics", "constants")


class ConfigError(Exception):
    """A cluster file cannot be used; the message says what in it, and why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host name or IP address, and a port. Port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificates are: that of the authority, and the directory with those of the nodes."""

    ca: Path
    directory: Path

    def certificate(self, node: NodeId) -> Path:
        """Return the path of a node's certificate."""
        return self.directory / f"{node}.pem"

    def key(self, node: NodeId) -> Path:
        """Return the path of a node's private key."""
        return self.directory / f"{node}-key.pem"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node: its role and its addresses. `constants` are as in the file, not yet decoded."""

    id: NodeId
    role: str
    address: Address
    clients: Address | None = None
    metrics: Address | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A cluster file: the protocol's name, its parameters, and the nodes in order."""

    protocol: str
    nodes: Mapping[NodeId, NodeConfig]
    parameters: Mapping[str, int] = field(default_factory=dict)
    tls: TlsFiles | None = None

    def cluster(self, module: Module) -> Any:
        """Return the module's `Cluster`; `ConfigError` if the file does not fit the module."""
        if self.protocol != module.PROTOCOL:
            raise ConfigError(
                f"the cluster file is for the protocol {self.protocol}, "
                f"and the module is {module.PROTOCOL}"
            )
        for node in self.nodes.values():
            if node.role not in module.ROLES:
                known = ", ".join(module.ROLES)
                raise ConfigError(f"node {node.id}: no role is called `{node.role}`; use {known}")
        for name in self.parameters:
            if name not in module.CLUSTER_FIELDS or name in module.ROLES:
                raise ConfigError(f"{module.PROTOCOL} has no parameter `{name}`")
        values: dict[str, Any] = {}
        for name, attribute in module.CLUSTER_FIELDS.items():
            if name not in module.ROLES:
                if name not in self.parameters:
                    raise ConfigError(f"the parameter `{name}` needs a value in [parameters]")
                values[attribute] = self.parameters[name]
                continue
            members = tuple(node.id for node in self.nodes.values() if node.role == name)
            if not members:
                raise ConfigError(f"no node has the role {name}")
            if name in module.SINGLE and len(members) != 1:
                raise ConfigError(f"the role {name} has exactly one node, not {', '.join(members)}")
            values[attribute] = members
        try:
            return module.Cluster(**values)
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None

    def constants(self, module: Module, id: NodeId) -> dict[str, object]:
        """Return the constants of a node, decoded; `ConfigError` if one is missing or unknown."""
        node = self.nodes[id]
        codec = Codec(module)
        shapes = codec.types.constants(module.ROLES[node.role])
        for name in node.constants:
            if name not in shapes:
                raise ConfigError(f"node {id}: the role {node.role} has no constant `{name}`")
        values: dict[str, object] = {}
        for name, shape in shapes.items():
            if name not in node.constants:
                raise ConfigError(f"node {id}: the constant `{name}` of {node.role} needs a value")
            try:
                values[name] = codec.decode(shape, node.constants[name])
            except CodecError as error:
                raise ConfigError(f"node {id}: the constant `{name}`: {error}") from None
        return values


def read_config(path: Path) -> ClusterConfig:
    """Read a cluster file; `ConfigError` if it cannot be read or is none."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {path}: it is not UTF-8 text") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    try:
        return _config(data, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def dump_config(config: ClusterConfig) -> str:
    """Return the text of a cluster file that `read_config` reads back, its paths as they are."""
    lines = [f"protocol = {json.dumps(config.protocol)}"]
    if config.parameters:
        lines += ["", "[parameters]"]
        lines += [f"{name} = {value}" for name, value in config.parameters.items()]
    if config.tls is not None:
        lines += ["", "[tls]", f"ca = {json.dumps(str(config.tls.ca))}"]
        lines.append(f"directory = {json.dumps(str(config.tls.directory))}")
    for node in config.nodes.values():
        lines += ["", f"[nodes.{json.dumps(node.id)}]", f"role = {json.dumps(node.role)}"]
        lines.append(f"address = {json.dumps(str(node.address))}")
        if node.clients is not None:
            lines.append(f"clients = {json.dumps(str(node.clients))}")
        if node.metrics is not None:
            lines.append(f"metrics = {json.dumps(str(node.metrics))}")
        if node.constants:
            pairs = (f"{json.dumps(k)} = {_toml(v)}" for k, v in node.constants.items())
            lines.append(f"constants = {{ {', '.join(pairs)} }}")
    return "\n".join(lines) + "\n"


def parse_address(text: object, what: str) -> Address:
    """Return the address that `host:port` or `[host]:port` names; `ConfigError` if it names none.

    `what` is what the address is of, for the message.
    """
    host, colon, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not colon or not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"{what}: {text!r} is not of the form host:port")
    return Address(host, int(port))


# --- reading -------------------------------------------------------------------------------------


def _config(data: Mapping[str, Any], base: Path) -> ClusterConfig:
    _known(data, ("protocol", "parameters", "tls", "nodes"), "the file")
    protocol = data.get("protocol")
    if not isinstance(protocol, str):
        raise ConfigError('needs `protocol = "…"`, the name of the protocol')
    parameters = _table(data, "parameters")
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ConfigError(f"the parameter `{name}` should be a whole number, 0 or more")
    members = _table(data, "nodes")
    if not members:
        raise ConfigError("has no nodes; each needs a table [nodes.NAME]")
    nodes = {id: _node(id, value) for id, value in members.items()}
    taken: dict[Address, str] = {}
    for node in nodes.values():
        for address in filter(None, (node.address, node.clients, node.metrics)):
            if address.port and address in taken:
                raise ConfigError(f"nodes {taken[address]} and {node.id} both use {address}")
            taken[address] = node.id
    return ClusterConfig(protocol, nodes, parameters, _tls(data, base))


def _node(id: NodeId, data: object) -> NodeConfig:
    if not _NAME.fullmatch(id):
        raise ConfigError(
            f"{id!r} cannot name a node: use letters, digits, `_`, `-` and `.`, 63 at most"
        )
    if not isinstance(data, dict):
        raise ConfigError(f"node {id} should be a table")
    _known(data, _NODE_KEYS, f"node {id}")
    role = data.get("role")
    if not isinstance(role, str):
        raise ConfigError(f"node {id} needs a `role`")
    constants = _table(data, "constants")
    return NodeConfig(
        id,
        role,
        parse_address(data.get("address"), f"node {id}, address"),
        _optional(data, "clients", id),
        _optional(data, "metrics", id),
        constants,
    )


def _optional(data: Mapping[str, Any], key: str, id: NodeId) -> Address | None:
    return parse_address(data[key], f"node {id}, {key}") if key in data else None


def _tls(data: Mapping[str, Any], base: Path) -> TlsFiles | None:
    if "tls" not in data:
        return None
    tls = _table(data, "tls")
    _known(tls, ("ca", "directory"), "[tls]")
    for key in tls:
        if not isinstance(tls[key], str):
            raise ConfigError(f"[tls]: `{key}` should be a path")
    if "ca" not in tls:
        raise ConfigError("[tls] needs `ca`, the certificate of the authority")
    ca = base / tls["ca"]
    return TlsFiles(ca, base / tls["directory"] if "directory" in tls else ca.parent)


def _known(data: Mapping[str, Any], keys: tuple[str, ...], what: str) -> None:
    for key in data:
        if key not in keys:
            raise ConfigError(f"{what} has no entry `{key}`; there are: {', '.join(keys)}")


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"`{key}` should be a table")
    return value


def _toml(value: Any) -> str:
    """Return a JSON value as TOML; what TOML has no word for is refused."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_toml(part)}" for key, part in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if value is None:
        raise ConfigError("a cluster file has no way to write `none`")
    return json.dumps(value)
