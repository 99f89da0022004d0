"""The fixtures, as a project has them that has installed this one."""

from __future__ import annotations

from runtime.cluster.testing import accordant, accordant_cluster, accordant_simulator

__all__ = ["accordant", "accordant_cluster", "accordant_simulator"]
