"""What can be wrong with a local cluster."""

from __future__ import annotations


class ClusterFailure(Exception):
    """A cluster cannot be started, or a node of it has died; the message says which and why."""
