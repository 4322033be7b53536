"""What gateway processes tell one another: short-lived notes, messages, and leases for requests under way.

Nothing in here is the truth about money, keys or tasks: that is in the database. Whatever is lost here costs comfort (a sticky session
moves to another channel, a change is seen at the next poll), so no method raises for a server that is away; each says what it then does.
`Alone` is the variant for a single process, storage/redis.py the one for several.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from typing import Final, Protocol

MAX_NOTES: Final = 100_000


class Lease(StrEnum):
    GRANTED = "granted"
    FULL = "full"
    UNKNOWN = "unknown"  # the leases cannot be read at the moment: count in the database instead, or refuse


Messages = AsyncIterator[str | None]


class Shared(Protocol):
    """Names and topics are any text; a topic's messages come in the order in which one process published them."""

    async def recall(self, name: str) -> str | None:
        """What was remembered under the name; None where nothing was, its time is over, or it cannot be read now."""

    async def remember(self, name: str, value: str, ttl_s: float) -> None:
        """Lost without a word where it cannot be written now."""

    async def forget(self, name: str) -> None: ...

    async def publish(self, topic: str, message: str) -> None:
        """To every subscriber in every process, this one included; lost where it cannot be sent now (subscribers get None then)."""

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Messages]:
        """The messages from the moment the block is entered.

        None stands for "messages may have been lost here: read the state anew". The iterator never ends by itself.
        """

    async def lease(self, account: str, request_id: str, cap: int) -> Lease:
        """Adds a request to those under way for the account, unless there are `cap` already; atomic over all processes."""

    def give_back(self, account: str, request_id: str) -> None:
        """The request is over. At once in this process, as soon as may be in the others."""

    async def healthy(self) -> bool: ...

    async def close(self) -> None: ...


class Topics:
    """The subscribers within this process."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[str | None]]] = {}

    def deliver(self, topic: str, message: str | None) -> None:
        for queue in self._queues.get(topic, ()):
            queue.put_nowait(message)

    def deliver_to_all(self, message: str | None) -> None:
        for topic in self._queues:
            self.deliver(topic, message)

    def enter(self, topic: str) -> asyncio.Queue[str | None]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues.setdefault(topic, set()).add(queue)
        return queue

    def leave(self, topic: str, queue: asyncio.Queue[str | None]) -> None:
        queues = self._queues[topic]
        queues.discard(queue)
        if not queues:
            del self._queues[topic]


async def drain(queue: asyncio.Queue[str | None]) -> Messages:
    while True:
        yield await queue.get()


class Alone:
    """`Shared` of one process: all of it in memory, bounded, nothing ever away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_notes: int = MAX_NOTES) -> None:
        self._clock = clock
        self._max_notes = max_notes
        self._notes: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._topics = Topics()
        self._leases: dict[str, set[str]] = {}

    async def recall(self, name: str) -> str | None:
        note = self._notes.get(name)
        if note is None:
            return None
        until, value = note
        if until <= self._clock():
            del self._notes[name]
            return None
        self._notes.move_to_end(name)
        return value

    async def remember(self, name: str, value: str, ttl_s: float) -> None:
        self._notes[name] = (self._clock() + ttl_s, value)
        self._notes.move_to_end(name)
        while len(self._notes) > self._max_notes:
            self._notes.popitem(last=False)

    async def forget(self, name: str) -> None:
        self._notes.pop(name, None)

    async def publish(self, topic: str, message: str) -> None:
        self._topics.deliver(topic, message)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Messages]:
        queue = self._topics.enter(topic)
        try:
            yield drain(queue)
        finally:
            self._topics.leave(topic, queue)

    async def lease(self, account: str, request_id: str, cap: int) -> Lease:
        under_way = self._leases.setdefault(account, set())
        if request_id not in under_way and len(under_way) >= cap:
            return Lease.FULL
        under_way.add(request_id)
        return Lease.GRANTED

    def give_back(self, account: str, request_id: str) -> None:
        under_way = self._leases.get(account)
        if under_way is None:
            return
        under_way.discard(request_id)
        if not under_way:
            del self._leases[account]

    async def healthy(self) -> bool:
        return True

    async def close(self) -> None:
        pass
