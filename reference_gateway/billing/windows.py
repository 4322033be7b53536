"""Rolling USD windows of one key, over settled spend (contract:187 to contract:199, C37).

What is spent within a grain of time (a 600th of the window: 30 s, 144 s, 17 min) leaves the window together, with the latest of it: a
window's memory is bounded however busy its key is, and it never shows more room than there is.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

SPANS: Final = (("5h", 5 * 3600), ("1d", 24 * 3600), ("7d", 7 * 24 * 3600))
GRAINS_OF_SPAN: Final = 600

Saved = list[list[float | int]]  # when each amount leaves, and the amount
Limits = tuple[int, int, int]  # micro-USD in the order of SPANS; 0 is none


class Window:
    """Spend of the last `span_s` seconds in micro-USD; times are Unix seconds and never go back."""

    __slots__ = ("_grain_s", "name", "newest_until", "span_s", "spends", "spent")

    def __init__(self, name: str, span_s: int, grain_s: float | None = None) -> None:
        self.name = name
        self.span_s = span_s
        self.spent = 0
        self._grain_s = span_s / GRAINS_OF_SPAN if grain_s is None else grain_s
        self.newest_until = -math.inf  # later spends begin a new entry
        # Each: when it leaves, and how much.
        self.spends: deque[list[float | int]] = deque()

    def add(self, at: float, amount: int) -> None:
        self.spent += amount
        if at < self.newest_until:
            newest = self.spends[-1]
            newest[0] = at + self.span_s
            newest[1] += amount
        else:
            self.forget(at)
            self.spends.append([at + self.span_s, amount])
            self.newest_until = at + self._grain_s

    def forget(self, now: float) -> None:
        """A spend has left the window once its age is the span."""
        spends = self.spends
        while spends and spends[0][0] <= now:
            self.spent -= int(spends.popleft()[1])
        if not spends:
            self.newest_until = -math.inf  # there is no entry left to add to

    def resets_at(self, now: float, limit: int) -> int:
        """Unix seconds, rounded up.

        When remaining grows next, for an exhausted window when it grows above zero; for an unspent one, when a spend made now would
        have left it.
        """
        spends, spent = self.spends, self.spent
        if spends and spent - spends[0][1] < limit:
            return math.ceil(spends[0][0])
        for leaves_at, amount in self.spends:
            spent -= int(amount)
            if spent < limit:
                return math.ceil(leaves_at)
        return math.ceil(now + self.span_s)

    def save(self) -> Saved:
        """For `load`, and to be written down at once: the newest may still grow."""
        return list(self.spends)

    def load(self, saved: Saved) -> None:
        self.spends.extend(saved)
        self.spent += sum(int(amount) for _, amount in saved)


class Tightest(NamedTuple):
    """The window with the least remaining: the one the headers show."""

    name: str
    limit: int
    spent: int
    remaining: int
    resets_at: int


class Windows:
    """The windows of one key. All are kept, whatever is limited today: a limit that is set or raised tomorrow counts from then back."""

    def __init__(self) -> None:
        self._windows = tuple(Window(name, span) for name, span in SPANS)

    def add(self, at: float, amount: int) -> None:
        for window in self._windows:
            if at < window.newest_until:  # as Window.add, which is a call for each of three
                newest = window.spends[-1]
                newest[0] = at + window.span_s
                newest[1] += amount
                window.spent += amount
            else:
                window.add(at, amount)

    def have_room(self, held: int, limits: Limits) -> bool:
        """Whether each window has some even with what may have left it by now: then nobody need look."""
        first, second, third = self._windows
        by_5h, by_1d, by_7d = limits
        return (
            (not by_5h or first.spent + held < by_5h)
            and (not by_1d or second.spent + held < by_1d)
            and (not by_7d or third.spent + held < by_7d)
        )

    def tightest(self, now: float, limits: Limits) -> Tightest | None:
        least, least_limit, least_remaining = None, 0, 0
        for window, limit in zip(self._windows, limits, strict=True):
            if limit:
                if window.spends and window.spends[0][0] <= now:
                    window.forget(now)
                remaining = limit - window.spent
                if least is None or remaining < least_remaining:
                    least, least_limit, least_remaining = window, limit, remaining
        if least is None:
            return None
        return Tightest(least.name, least_limit, least.spent, max(0, least_remaining), least.resets_at(now, least_limit))

    def save(self, now: float) -> list[Saved]:
        for window in self._windows:
            window.forget(now)
        return [window.save() for window in self._windows]

    def load(self, saved: list[Saved]) -> None:
        for window, spends in zip(self._windows, saved, strict=True):
            window.load(spends)
