"""What may watch a run: called at each step, in simulation and replay alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from runtime.contract import Effects, Module, NodeId, Role
from runtime.step import Step


class Observer(Protocol):
    """Watches the steps of one run.

    For a crash, `code` is the node as it was before it; for a restart the new one. The
    messages of a step count as sent, and its outputs as told, by the step itself, whatever
    the network or a crash makes of them afterwards.
    """

    def begin(self, module: Module, cluster: Any, code: Mapping[NodeId, Role]) -> None:
        """Learn the nodes as they are before the first step."""

    def before(self, step: Step, code: Role) -> None:
        """Learn which step comes next; its answers are not known yet."""

    def permits(self, step: Step) -> bool:
        """Say whether the environment lets `step` happen now; if not, it is put off.

        It does not where the step would break an assumption that the spec makes of it.
        """

    def after(self, step: Step, code: Role, effects: Effects | None) -> bool:
        """Learn what the step did, None if its handler ignored it; return True to stop.

        `effects` of a crash or restart are empty.
        """

    def end(self) -> None:
        """Learn that no more steps come."""
