"""Timers fire when the last arming says, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from runtime.host.timers import Timers


class Handle:
    """What a loop returns for a timer."""

    def __init__(self, when: float, action: Callable[[], None]) -> None:
        self.due = when
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: Handle) -> bool:
        return self.due < other.due


class Clock:
    """A loop of timers alone; `made` counts them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0
        self._heap: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, action: Callable[..., None], *arguments: Any) -> Handle:
        self.made += 1
        handle = Handle(when, lambda: action(*arguments))
        heapq.heappush(self._heap, handle)
        return handle

    def advance(self, milliseconds: float) -> None:
        """Let time pass, and fire what is due."""
        end = self.now + milliseconds / 1000
        while self._heap and self._heap[0].due <= end:
            handle = heapq.heappop(self._heap)
            if not handle.cancelled:
                self.now = max(self.now, handle.due)
                handle.action()
        self.now = end


@dataclass(frozen=True)
class Heartbeat:
    """A timer without parameters, of which there is one."""


EITHER = pytest.mark.parametrize("timer", ["a", Heartbeat()], ids=["by value", "by class"])


def timers() -> tuple[Clock, Timers, list[tuple[object, float]]]:
    clock = Clock()
    fired: list[tuple[object, float]] = []

    def fire(timer: object, number: int) -> None:
        if made.claim(cast(Any, timer), number):
            fired.append((timer, round(clock.now * 1000, 6)))

    made = Timers(cast(asyncio.AbstractEventLoop, clock), fire, [Heartbeat])
    return clock, made, fired


@EITHER
def test_a_timer_fires_once_within_its_bounds(timer: Any) -> None:
    for _ in range(50):
        clock, made, fired = timers()
        made.arm(timer, 10, 20)
        clock.advance(9.9)
        assert fired == []
        clock.advance(100)
        assert [name for name, _ in fired] == [timer]
        assert 10 <= fired[0][1] <= 20


@EITHER
def test_arming_again_moves_the_deadline_and_makes_no_new_handle(timer: Any) -> None:
    clock, made, fired = timers()
    for _ in range(100):
        made.arm(timer, 50, 50)
        clock.advance(1)
    assert (fired, clock.made) == ([], 3)  # the first, and one each time it woke too early
    clock.advance(48.9)
    assert fired == []
    clock.advance(0.2)
    assert fired == [(timer, 149)]
    clock.advance(1000)
    assert len(fired) == 1


@EITHER
def test_an_earlier_deadline_counts(timer: Any) -> None:
    clock, made, fired = timers()
    made.arm(timer, 100, 100)
    made.arm(timer, 10, 10)
    clock.advance(500)
    assert fired == [(timer, 10)]


@EITHER
def test_a_disarmed_timer_does_not_fire_and_can_be_armed_again(timer: Any) -> None:
    clock, made, fired = timers()
    made.arm(timer, 10, 10)
    made.disarm(timer)
    made.disarm("b")
    clock.advance(5)
    made.arm(timer, 10, 10)
    clock.advance(9)
    assert fired == []
    clock.advance(1)
    assert fired == [(timer, 15)]
    made.arm(timer, 10, 10)
    made.disarm(timer)
    clock.advance(100)
    assert len(fired) == 1
    assert len(made._alarms) == 0


def test_timers_that_are_equal_are_one_and_others_are_apart() -> None:
    clock, made, fired = timers()
    made.arm(("resend", "k"), 10, 10)
    made.arm(("resend", "l"), 20, 20)
    made.arm(("resend", "k"), 30, 30)
    clock.advance(100)
    assert fired == [(("resend", "l"), 20), (("resend", "k"), 30)]


def test_no_delay_fires_at_once_and_what_fired_may_be_disarmed() -> None:
    clock = Clock()
    inbox: list[tuple[Any, int]] = []
    made = Timers(
        cast(asyncio.AbstractEventLoop, clock), lambda timer, number: inbox.append((timer, number))
    )
    made.arm("a", 0, 0)
    made.arm("b", 0, 0)
    made.disarm("a")
    made.arm("c", 0, 0)
    made.arm("c", 0, 0)
    assert [made.claim(*event) for event in inbox] == [False, True, False, True]
    assert not made.claim(*inbox[1])
    assert clock.made == 0


@EITHER
def test_closed_timers_do_not_fire(timer: Any) -> None:
    clock, made, fired = timers()
    made.arm(timer, 10, 10)
    made.close()
    clock.advance(100)
    assert fired == []
