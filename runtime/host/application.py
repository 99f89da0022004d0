"""What a node is to the program that runs on it, and that program to the node.

The protocol decides; the application gives it requests, is told its outputs, and answers its
questions. An application is a user's own program (or the key-value service of this project): any
object with the methods of `Application`. The node that it is given is `Node`.

Everything here happens on the event loop of the host, and nothing of it may block for long: while
an application computes, the node takes no step.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from runtime.contract import Message, Module, NodeId, Role


class RequestError(ValueError):
    """A request or an answer holds a value that its declared type has no room for."""


class Node(Protocol):
    """The node as its application sees it."""

    @property
    def id(self) -> NodeId:
        """The node's identity."""

    @property
    def role(self) -> str:
        """The name of its role in the spec."""

    @property
    def module(self) -> Module:
        """The generated module."""

    @property
    def cluster(self) -> Any:
        """The module's `Cluster`: who there is."""

    @property
    def code(self) -> Role:
        """The generated code of the node, to read its variables from; never to be written to.

        What it shows may not be durable yet. What has to be, comes as an output.
        """

    @property
    def peers(self) -> Sequence[NodeId]:
        """All other nodes of the cluster, in its order."""

    @property
    def clients_address(self) -> str | None:
        """`host:port` at which the application is to listen for its clients, if any."""

    @property
    def client_tls(self) -> ssl.SSLContext | None:
        """For the application's listener: TLS that asks clients for a certificate; None without."""

    @property
    def registry(self) -> CollectorRegistry:
        """Where the application may register metrics of its own."""

    @property
    def logger(self) -> Any:
        """A structlog logger that is bound to the node."""

    def request(self, request: Message) -> asyncio.Future[bool]:
        """Queue a request of the spec for the next batch of steps.

        The result is whether a handler took it (else it was ignored as things were), and comes
        when that step is durable; it is cancelled if the node stops, or has stopped, before.
        Raises `RequestError` if `request` is none that the spec declares, or holds a value that
        its type has no room for.
        """

    def send(self, peer: NodeId, body: bytes) -> bool:
        """Send bytes to the application on another node, at best once, in order.

        Returns False if there is no connection to it or too much waits to be sent on it already;
        True promises nothing.
        """

    def fail(self, error: BaseException) -> None:
        """Stop the node at once, as a crash would; its host ends with `error`."""


class Application(Protocol):
    """A program that runs on a node. Whatever a method raises stops the node, but for `received`.

    `received` is where bytes of other processes come in: what it raises is logged and closes the
    connection that the bytes came from.
    """

    async def start(self, node: Node) -> None:
        """Begin. The node has its durable state; its first step comes when this has returned.

        Requests that are made here come after that step.
        """

    def output(self, output: Message) -> None:
        """Be told an output of the spec: in order, after its step is durable.

        A crash may come between the two; then nobody is told.
        """

    def answer(self, question: Message) -> object:
        """Answer a question of the spec, at once. All outputs of earlier steps have been told.

        The same question may come again: nothing is known of an answer whose step was not durable
        before a crash.
        """

    def received(self, peer: NodeId, body: bytes) -> None:
        """Get bytes that the application on another node has sent."""

    async def stop(self) -> None:
        """End: close what `start` has opened. Also called when the node has failed."""


class NoApplication:
    """The application of a node that was given none: it asks nothing and is deaf to outputs.

    A spec with questions needs an application; without one, its first question stops the node.
    """

    async def start(self, node: Node) -> None:
        """Do nothing."""

    def output(self, output: Message) -> None:
        """Ignore it."""

    def answer(self, question: Message) -> object:
        """Raise `LookupError`: nobody is there to answer."""
        raise LookupError(
            f"the protocol asks {question!r}, and this node has no application to answer it; "
            "name one with --app"
        )

    def received(self, peer: NodeId, body: bytes) -> None:
        """Ignore it."""

    async def stop(self) -> None:
        """Do nothing."""
