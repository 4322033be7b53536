"""What time it is: money, windows, sweeps and tasks ask a clock that they were given, so that a test can move it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]  # Unix seconds; never goes back

system: Clock = time.time


class ShiftedClock:
    """The system's time and whatever it was moved ahead by; only for tests and for a gateway started with a test clock."""

    def __init__(self, clock: Clock = system) -> None:
        self._clock = clock
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return self._clock() + self._ahead_s

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"a clock cannot go back, and {seconds} seconds would; give a number from 0 up")
        self._ahead_s += seconds
