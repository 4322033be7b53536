"""Whether a channel may be called now: closed after failures in a row, opened again by one real request that succeeds.

Closed for `cooldown_s`, or as long as the upstream's retry-after says, and twice as long each time that the probing request fails too.
While that one request is out (half open) nobody else is let through. No clock of its own: seconds come in with each call.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRule:
    """`failures` in a row close; 0 never does."""

    failures: int
    cooldown_s: float
    max_cooldown_s: float


class Health:
    __slots__ = ("_closures", "_failures", "_probing", "_rule", "closed_until")

    def __init__(self, rule: HealthRule) -> None:
        self._rule = rule
        self._failures = 0  # in a row
        self._closures = 0  # in a row; what makes the pause double
        self._probing = False
        self.closed_until = 0.0

    def ready(self, now: float) -> bool:
        if not self._closures:
            return True
        return now >= self.closed_until and not self._probing

    def begin(self) -> None:
        """A request goes out; it must end in exactly one of the three below."""
        if self._closures:
            self._probing = True

    def succeeded(self) -> None:
        self._failures = self._closures = 0
        self._probing = False

    def abandoned(self) -> None:
        """The request ended without saying anything about the upstream: its caller has left."""
        self._probing = False

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: the upstream said how long it wants to be left alone, which closes at once."""
        self._probing = False
        if not self._rule.failures or now < self.closed_until:  # what was under way when it closed says nothing new
            return
        self._failures += 1
        if retry_after_s is None and self._failures < self._rule.failures and not self._closures:
            return
        pause = self._rule.cooldown_s * 2**self._closures
        if retry_after_s is not None:
            pause = max(pause, retry_after_s)
        self._closures = min(self._closures + 1, 30)
        self.closed_until = now + min(pause, self._rule.max_cooldown_s)
