"""The timers of a node, on the clock of the event loop.

Protocols arm timers far more often than these run out: a follower does so at each message of its
leader. So arming an armed timer only moves its deadline. The loop's own timer stays as it is, and
when it wakes before the deadline it is set anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from random import Random

from runtime.contract import Message


class _Alarm:
    """One timer: `number` tells its arming from earlier ones, 0 if it is not armed.

    `handle` is set whenever the timer is armed with a delay; it wakes at `wakes`, which is not
    after `deadline`.
    """

    __slots__ = ("deadline", "handle", "number", "wakes")

    def __init__(self) -> None:
        self.number = 0
        self.deadline = self.wakes = 0.0
        self.handle: asyncio.TimerHandle | None = None


class Timers:
    """All timers of a node. `fire` is called with a timer that ran out and its number.

    What fires is not yet to be handled: by then the timer may have been disarmed or armed again.
    `claim` says whether it still counts. Of the classes of `single` there is one timer each, with
    no parameters, so these are found by their class, which is faster than by their value.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fire: Callable[[Message, int], None],
        single: Iterable[type] = (),
        random: Random | None = None,
    ) -> None:
        self._loop = loop
        self._fire = fire
        self._random = (random or Random()).random
        self._single = {class_: _Alarm() for class_ in single}
        self._alarms: dict[Message, _Alarm] = {}
        self._number = 0

    def arm(self, timer: Message, low: int, high: int) -> None:
        """Let `timer` run out in `low` to `high` milliseconds, whether it is armed or not."""
        alarm = self._single.get(timer.__class__) or self._alarms.get(timer)
        if alarm is None:
            alarm = self._alarms[timer] = _Alarm()
        self._number = alarm.number = self._number + 1
        delay = low + (high - low) * self._random()
        if delay <= 0:
            self._fire(timer, alarm.number)
            return
        alarm.deadline = deadline = self._loop.time() + delay / 1000
        handle = alarm.handle
        if handle is not None:
            if alarm.wakes <= deadline:
                return
            handle.cancel()
        alarm.wakes = deadline
        alarm.handle = self._loop.call_at(deadline, self._wake, timer, alarm)

    def disarm(self, timer: Message) -> None:
        """Stop `timer`, if it is armed."""
        alarm = self._single.get(timer.__class__)
        if alarm is not None:
            alarm.number = 0
            return
        alarm = self._alarms.get(timer)
        if alarm is not None:
            alarm.number = 0
            if alarm.handle is None:
                del self._alarms[timer]

    def claim(self, timer: Message, number: int) -> bool:
        """Say whether the arming `number` of `timer` still counts; it will not any more."""
        alarm = self._single.get(timer.__class__)
        if alarm is not None:
            if alarm.number != number:
                return False
            alarm.number = 0
            return True
        alarm = self._alarms.get(timer)
        if alarm is None or alarm.number != number:
            return False
        self.disarm(timer)
        return True

    def close(self) -> None:
        """Stop all timers."""
        for alarm in (*self._alarms.values(), *self._single.values()):
            alarm.number = 0
            if alarm.handle is not None:
                alarm.handle.cancel()
        self._alarms.clear()

    def _wake(self, timer: Message, alarm: _Alarm) -> None:
        alarm.handle = None
        if not alarm.number:
            self._alarms.pop(timer, None)
        elif alarm.deadline > self._loop.time():
            alarm.wakes = alarm.deadline
            alarm.handle = self._loop.call_at(alarm.deadline, self._wake, timer, alarm)
        else:
            self._fire(timer, alarm.number)
