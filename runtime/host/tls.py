"""TLS between nodes and for clients: version 1.3, and both sides show a certificate.

A certificate is for one node if it says so in a URI among its alternative names. A host name would
not do: it says where something is, not which node it is.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from runtime.contract import NodeId
from runtime.host.config import Address, ConfigError, TlsFiles

NODE_URI: Final = "accordant:node:"
CLIENT_URI: Final = "accordant:client:"


def server_context(files: TlsFiles, node: NodeId) -> ssl.SSLContext:
    """Return the context with which a node listens; `ConfigError` if a file is no good."""
    return _context(ssl.PROTOCOL_TLS_SERVER, files, node)


def dial_context(files: TlsFiles, node: NodeId) -> ssl.SSLContext:
    """Return the context with which a node dials; `ConfigError` if a file is no good."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, files, node)


def _context(protocol: Any, files: TlsFiles, node: NodeId) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False  # whom the certificate is for is checked by `certified`
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(files.ca, lambda: context.load_verify_locations(files.ca))
    certificate, key = files.certificate(node), files.key(node)
    for path in (certificate, key):
        if not path.exists():
            raise ConfigError(f"{path} is missing; `accordant certs node` makes it")
    _load(certificate, lambda: context.load_cert_chain(certificate, key))
    return context


def _load(path: Path, action: Any) -> None:
    try:
        action()
    except ssl.SSLError as error:
        raise ConfigError(f"{path} cannot be used: {error.reason or error}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def certified(certificate: Mapping[str, Any] | None) -> str | None:
    """Return the node that a peer's certificate is for, None if it is for none.

    `certificate` is as `SSLSocket.getpeercert` returns it.
    """
    names = (certificate or {}).get("subjectAltName", ())
    nodes = [
        value.removeprefix(NODE_URI)
        for kind, value in names
        if kind == "URI" and value.startswith(NODE_URI)
    ]
    return nodes[0] if len(nodes) == 1 else None


def is_loopback(address: Address) -> bool:
    """Whether nobody but this machine can reach what listens at the address."""
    if address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False
