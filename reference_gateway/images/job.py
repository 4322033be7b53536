"""Work for one key that may have to end before its time: its caller leaves, its task is cancelled, its key is withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Generic, TypeVar

from reference_gateway.accounts.keys import Key
from reference_gateway.errors import Refusal
from reference_gateway.forward import BrokenOff

Result = TypeVar("Result")


class Job(Generic[Result]):
    """Keeps `forward.UnderWay`. Whatever ends it may come before the work has begun."""

    streams: Final = False

    def __init__(self, key: Key) -> None:
        self.key = key
        self._cancelled = False
        self._broken_off: BrokenOff | None = None
        self._work: asyncio.Task[Result] | None = None

    def cancel(self) -> None:
        """Nobody wants the result any more."""
        self._cancelled = True
        if self._work is not None:
            self._work.cancel()

    def break_off(self, reason: BrokenOff) -> None:
        self._broken_off = reason
        self.cancel()

    async def result(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """None where it was cancelled. Raises Refusal where it was broken off, and what the work raises."""
        task = self._work = asyncio.create_task(work)
        if self._cancelled:
            task.cancel()
        try:
            await asyncio.wait([task])
        finally:  # cancelled ourselves: the process is stopping
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not self._cancelled:
            return task.result()
        if self._broken_off is not None:
            raise Refusal(self._broken_off.fault, str(self._broken_off))
        return None
