"""What a cluster tells the process of a node, and what they say to each other.

The command line of the process is one JSON object, `Launch`. Then the two talk over a pair of
sockets, one JSON object a line. The cluster sends `Order`s, and gets a `Report` for each, with its
number; reports with the number 0 come by themselves.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Launch(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a node's process runs. `channel` is the descriptor of its socket.

    `store` names a factory of another store, as `package.module:factory`, to break what the real
    one promises. With `tell` outputs are reported. `answers` are by the name of the question.
    """

    module: str
    id: str
    cluster: str
    data: str
    channel: int
    app: str | None = None
    trace: str | None = None
    log_level: str = "info"
    store: str | None = None
    tell: bool = True
    answers: dict[str, Any] = {}
    clock: float = 0.0


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """`do` is `status`, `variables`, `request`, `answer`, `clock`, `weather` or `disk`.

    `clock`: a shift in seconds. `weather`: the arguments of `WeatheredHost.weather`. `disk`: from
    now on the store cannot write beyond so many bytes more; the node dies of it.
    """

    number: int
    do: str
    argument: Any = None


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an order came to. `kind` is empty for a result, else `ready`, `output` or `error`."""

    number: int = 0
    kind: str = ""
    value: Any = None


order_decoder = msgspec.json.Decoder(Order)
report_decoder = msgspec.json.Decoder(Report)
encode = msgspec.json.Encoder().encode


def line(message: Order | Report) -> bytes:
    """Return a message as a line."""
    return encode(message) + b"\n"
