"""`Shared` over Redis or Valkey, for several gateway processes (billing-and-storage.md 5).

Where the server is away nothing waits for it: a failed command opens a circuit for a moment, in which notes are not found, messages are
not sent, and leases are UNKNOWN, so that the database counts instead. When it is back, every process first tells again which requests it
has under way (the server may have lost its memory), and trusts the leases only after the time in which all the others must have done so.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reference_gateway.cancelling import cancel
from reference_gateway.storage.shared import Lease, Messages, Topics, drain

log = logging.getLogger("reference_gateway")

PREFIX: Final = "gateway:"
LEASE_TTL_S: Final = 15.0
HEARTBEAT_S: Final = 3.0
PATIENCE_S: Final = 1.0  # of one command
RETRY_S: Final = 0.5  # the circuit is open for so long
LOST: Final = (RedisError, OSError, asyncio.TimeoutError)

# A lease is a member of the account's sorted set, scored by when it ends; the server's own clock decides, so the processes' need not agree.
ACQUIRE: Final = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], at + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
RENEW: Final = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], at + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


class RedisShared:
    """Open it within the loop that uses it; `url` is redis:// or rediss://, and is never shown."""

    def __init__(self, url: str, *, lease_ttl_s: float = LEASE_TTL_S, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._lease_ttl_ms = int(lease_ttl_s * 1000)
        self._heartbeat_s = heartbeat_s
        options: dict[str, Any] = {
            "socket_timeout": PATIENCE_S,
            "socket_connect_timeout": PATIENCE_S,
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": True,
        }
        self._redis: Redis = Redis.from_url(url, **options)
        # A subscription is silent for as long as nothing is said.
        self._listening: Redis = Redis.from_url(url, **options | {"socket_timeout": None}, health_check_interval=5)
        self._acquire = self._redis.register_script(ACQUIRE)
        self._renew = self._redis.register_script(RENEW)
        self._topics = Topics()
        self._heard = asyncio.Event()  # it listens, or has found that it cannot
        self._under_way: dict[str, set[str]] = {}
        self._ended: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._end_soon = asyncio.Event()
        self._gone_until = 0.0  # monotonic seconds; commands are not tried before
        self._leases_from = 0.0  # monotonic seconds; leases are not trusted before
        self._was_lost = False
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Never fails: a server that is away now may come."""
        self._tasks = [asyncio.create_task(run()) for run in (self._listen, self._beat, self._return_leases)]
        await self._heard.wait()

    # notes

    async def recall(self, name: str) -> str | None:
        value: str | None = await self._ask(self._redis.get(f"{PREFIX}note:{name}"), None)
        return value

    async def remember(self, name: str, value: str, ttl_s: float) -> None:
        await self._ask(self._redis.set(f"{PREFIX}note:{name}", value, px=max(1, int(ttl_s * 1000))), None)

    async def forget(self, name: str) -> None:
        await self._ask(self._redis.delete(f"{PREFIX}note:{name}"), None)

    # messages

    async def publish(self, topic: str, message: str) -> None:
        """Its own subscribers hear it even where the server is away."""
        heard = await self._ask(self._redis.publish(f"{PREFIX}topic:{topic}", message), None)
        if heard is None:
            self._topics.deliver(topic, message)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Messages]:
        queue = self._topics.enter(topic)
        try:
            yield drain(queue)
        finally:
            self._topics.leave(topic, queue)

    async def _listen(self) -> None:
        """One subscription to all topics: a process hears what does not concern it, and nobody waits for a subscription of their own."""
        while True:
            pubsub = self._listening.pubsub()
            try:
                await pubsub.psubscribe(f"{PREFIX}topic:*")
                while True:
                    message = await pubsub.get_message(timeout=1.0)
                    match message:
                        case {"type": "psubscribe"}:
                            self._topics.deliver_to_all(None)
                            self._heard.set()
                        case {"type": "pmessage", "channel": str(channel), "data": str(text)}:
                            self._topics.deliver(channel.removeprefix(f"{PREFIX}topic:"), text)
            except LOST as error:
                self._lost(error)
                self._heard.set()
            finally:
                await self._try(pubsub.aclose())  # type: ignore[no-untyped-call]  # redis has not annotated it
            await asyncio.sleep(RETRY_S)

    # leases

    async def lease(self, account: str, request_id: str, cap: int) -> Lease:
        if time.monotonic() < self._leases_from:
            self._hold(account, request_id)
            return Lease.UNKNOWN
        asked = self._acquire(keys=[f"{PREFIX}leases:{account}"], args=[request_id, cap, self._lease_ttl_ms])
        granted: int | None = await self._ask(asked, None)
        if granted == 0:
            return Lease.FULL
        self._hold(account, request_id)
        return Lease.UNKNOWN if granted is None else Lease.GRANTED

    def _hold(self, account: str, request_id: str) -> None:
        self._under_way.setdefault(account, set()).add(request_id)

    def give_back(self, account: str, request_id: str) -> None:
        under_way = self._under_way.get(account)
        if under_way is None or request_id not in under_way:
            return
        under_way.discard(request_id)
        if not under_way:
            del self._under_way[account]
        self._ended[account, request_id] = None
        self._end_soon.set()

    async def _return_leases(self) -> None:
        """What cannot be returned now ends by itself: nobody renews it."""
        while True:
            await self._end_soon.wait()
            self._end_soon.clear()
            ended, self._ended = self._ended, OrderedDict()
            by_account: dict[str, list[str]] = {}
            for account, request_id in ended:
                by_account.setdefault(account, []).append(request_id)
            for account, request_ids in by_account.items():
                await self._ask(self._redis.zrem(f"{PREFIX}leases:{account}", *request_ids), None)

    async def _beat(self) -> None:
        while True:
            for account, under_way in list(self._under_way.items()):
                key = f"{PREFIX}leases:{account}"
                renewed = list(under_way)
                await self._ask(self._renew(keys=[key], args=[self._lease_ttl_ms, *renewed]), None)
                # What ended meanwhile was perhaps returned before it was renewed.
                for request_id in renewed:
                    if request_id not in under_way:
                        self._ended[account, request_id] = None
                        self._end_soon.set()
            await asyncio.sleep(self._heartbeat_s)
            if not self._under_way:
                await self.healthy()

    # the server's presence

    async def healthy(self) -> bool:
        return bool(await self._ask(self._redis.ping(), False))

    async def _ask(self, command: Awaitable[Any], instead: Any) -> Any:
        """The command's answer, or `instead` where the server is away."""
        if time.monotonic() < self._gone_until:
            if asyncio.iscoroutine(command):
                command.close()
            return instead
        try:
            answer = await command
        except LOST as error:
            self._lost(error)
            return instead
        if self._was_lost:
            self._was_lost = False
            # By then every other process has found the server again, too, and its heartbeat has told it of its requests.
            trusted_in_s = RETRY_S + 2 * self._heartbeat_s
            self._leases_from = time.monotonic() + trusted_in_s
            log.warning("Redis is back; leases are counted there again in %.0f s.", trusted_in_s)
        return answer

    def _lost(self, error: Exception) -> None:
        if not self._was_lost:
            log.warning("Redis is away (%s); concurrency is counted in the database meanwhile.", type(error).__name__)
        self._was_lost = True
        self._gone_until = time.monotonic() + RETRY_S
        self._leases_from = math.inf

    @staticmethod
    async def _try(command: Awaitable[Any]) -> None:
        with suppress(*LOST):  # the listener notices by itself
            await command

    async def close(self) -> None:
        await cancel(*self._tasks)
        for account, request_ids in self._under_way.items():
            await self._ask(self._redis.zrem(f"{PREFIX}leases:{account}", *request_ids), None)
        for client in (self._redis, self._listening):
            await self._try(client.aclose())
