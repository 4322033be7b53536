"""Ends tasks for good."""

from __future__ import annotations

import asyncio
from typing import Any, Final

AGAIN_AFTER_S: Final = 0.25


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Returns once all of them have ended; what they raise is theirs.

    Asked again while one goes on: redis-py loses a cancellation that meets the end of a read, and a connection that breaks while asyncpg
    gives it back raises its own error in place of the cancellation. A loop that lives through such errors would then run for ever.
    Not for a task that awaits something while it ends: that would be broken off.
    """
    under_way = {task for task in tasks if not task.done()}
    while under_way:
        for task in under_way:
            task.cancel()
        _, under_way = await asyncio.wait(under_way, timeout=AGAIN_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # seen, so that none is reported as never retrieved
