"""Kinds of places where an expression stands."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """What an expression may do.

    Code is executable: it sees the node's own variables and nothing else. A formula sees all
    nodes, the messages ever sent and ghosts, and is never executed. An initial value sees
    nothing that can change.
    """

    CODE = "code"
    FORMULA = "formula"
    INITIAL = "an initial value"
