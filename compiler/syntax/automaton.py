"""The parser's automaton without its values: which tokens can come next, tried without trace.

A stack is a list of states. Nothing is built, so a stack is cheap to copy and any number of
readings of a line can be tried before one is chosen (`mend.py`). The table is Lark's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from lark import Lark

Stack: TypeAlias = list[int]
END = "$END"


class Automaton:
    """The LALR automaton of one grammar."""

    def __init__(self, lark: Lark) -> None:
        configuration = lark.parse_interactive().parser_state.parse_conf
        self._states: Mapping[int, Mapping[str, tuple[Any, Any]]] = configuration.states
        self._start = configuration.start_state
        self._final = configuration.end_state

    def begin(self) -> Stack:
        """Return the stack before the first token."""
        return [self._start]

    def after(self, stack: Stack, kind: str) -> Stack | None:
        """Return the stack after a token of type `kind`, or None where it can't stand."""
        stack = stack.copy()
        while True:
            step = self._states[stack[-1]].get(kind)
            if step is None:
                return None
            action, argument = step
            if action.name == "Shift":
                stack.append(argument)
                return stack
            if argument.expansion:
                del stack[-len(argument.expansion) :]
            stack.append(self._states[stack[-1]][argument.origin.name][1])
            if kind == END and stack[-1] == self._final:
                return stack

    def accepts(self, stack: Stack, kind: str) -> bool:
        """Whether a token of type `kind` can come next."""
        return self.after(stack, kind) is not None

    def expected(self, stack: Stack) -> list[str]:
        """Return the types of all tokens that can come next, in alphabetical order."""
        candidates: Iterable[str] = (k for k in self._states[stack[-1]] if k.isupper() or k == END)
        return sorted(kind for kind in candidates if self.accepts(stack, kind))
