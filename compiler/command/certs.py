"""`accordant certs`: an authority, and certificates for nodes and clients."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from compiler.command.mistakes import UsageError
from runtime.host.certificates import (
    CertificateError,
    make_authority,
    make_client,
    make_node,
)


def run(options: argparse.Namespace) -> int:
    """Make what was asked for; return 0."""
    make: Callable[[argparse.Namespace], None] = {
        "init": _init,
        "node": _node,
        "client": _client,
    }[options.what]
    try:
        make(options)
    except CertificateError as error:
        raise UsageError(str(error)) from None
    return 0


def _init(options: argparse.Namespace) -> None:
    files = make_authority(options.directory, days=options.days)
    print(f"{files.ca}: the authority's certificate, for all nodes and clients")
    print(f"{options.directory / 'ca-key.pem'}: its key, which no node needs; keep it apart")


def _node(options: argparse.Namespace) -> None:
    for name in options.names:
        hosts = {"hosts": options.host} if options.host else {}
        make_node(options.directory, name, days=options.days, **hosts)
        print(f"{options.directory / f'{name}.pem'}: the certificate of node {name}")


def _client(options: argparse.Namespace) -> None:
    for name in options.names:
        make_client(options.directory, name, days=options.days)
        print(f"{options.directory / f'{name}.pem'}: the certificate of client {name}")
