"""Rolling USD windows of one key: exact, over settled spend (contract:187 to contract:199, C37)."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

SPANS: Final = (("5h", 5 * 3600), ("1d", 24 * 3600), ("7d", 7 * 24 * 3600))


class Window:
    """Spend of the last `span_s` seconds in micro-USD; times are Unix seconds and never go back."""

    def __init__(self, name: str, span_s: int, limit_micro_usd: int) -> None:
        self.name = name
        self.span_s = span_s
        self.limit = limit_micro_usd
        self.spent = 0
        self._spends: deque[tuple[float, int]] = deque()

    def add(self, at: float, amount: int) -> None:
        self._spends.append((at, amount))
        self.spent += amount

    def forget(self, now: float) -> None:
        """A spend has left the window once its age is the span."""
        while self._spends and self._spends[0][0] + self.span_s <= now:
            self.spent -= self._spends.popleft()[1]

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.spent)

    def resets_at(self, now: float) -> int:
        """Unix seconds, rounded up.

        When remaining grows next, for an exhausted window when it grows above zero; for an unspent one, when a spend made now would
        have left it.
        """
        spent = self.spent
        for at, amount in self._spends:
            spent -= amount
            if spent < self.limit:
                return math.ceil(at + self.span_s)
        return math.ceil(now + self.span_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightest:
    """The window with the least remaining: the one the headers show."""

    name: str
    limit: int
    spent: int
    remaining: int
    resets_at: int


class Windows:
    """The limited windows of one key; a limit of 0 is no window."""

    def __init__(self, limits: tuple[int, int, int]) -> None:
        self._windows = [Window(name, span, limit) for (name, span), limit in zip(SPANS, limits, strict=True) if limit]

    def add(self, at: float, amount: int) -> None:
        for window in self._windows:
            window.add(at, amount)

    def tightest(self, now: float) -> Tightest | None:
        if not self._windows:
            return None
        for window in self._windows:
            window.forget(now)
        least = min(self._windows, key=lambda window: window.remaining)
        return Tightest(name=least.name, limit=least.limit, spent=least.spent, remaining=least.remaining, resets_at=least.resets_at(now))
