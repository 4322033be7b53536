"""Both variants of `Shared` keep one contract; what Redis adds is shown with two clients of a real server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from reference_gateway.storage.redis import RedisShared
from reference_gateway.storage.shared import Alone, Lease, Messages, Shared
from reference_gateway.tests.services import Redis, own_redis, redis_server, until

__all__ = ["own_redis", "redis_server"]

PATIENCE_S = 10.0


@asynccontextmanager
async def opened(url: str, **options: float) -> AsyncIterator[RedisShared]:
    shared = RedisShared(url, **options)
    await shared.open()
    try:
        yield shared
    finally:
        await shared.close()


@pytest.fixture(params=["alone", "redis"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[Shared]:
    if request.param == "alone":
        yield Alone()
        return
    async with opened(request.getfixturevalue("redis_server").url) as made:
        yield made


async def heard(messages: Messages) -> str:
    """The next message; markers of a possible loss are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while (message := await anext(messages)) is None:
            pass
    return message


async def test_a_note_is_recalled_until_its_time_is_over_or_it_is_forgotten(shared: Shared) -> None:
    assert await shared.recall("nobody") is None
    await shared.remember("a", "1", 60)
    await shared.remember("b", "2", 60)
    await shared.remember("b", "3", 60)
    await shared.remember("short", "4", 0.01)
    await shared.forget("a")
    await asyncio.sleep(0.03)
    assert [await shared.recall(name) for name in ("a", "b", "short")] == [None, "3", None]


async def test_notes_alone_are_bounded_and_the_least_used_goes_first() -> None:
    alone = Alone(max_notes=2)
    await alone.remember("a", "1", 60)
    await alone.remember("b", "2", 60)
    await alone.recall("a")
    await alone.remember("c", "3", 60)
    assert [await alone.recall(name) for name in ("a", "b", "c")] == ["1", None, "3"]


async def test_every_subscriber_hears_its_topic_in_order(shared: Shared) -> None:
    async with shared.subscribe("tasks") as one, shared.subscribe("tasks") as two, shared.subscribe("keys") as other:
        for number in range(5):
            await shared.publish("tasks", str(number))
        await shared.publish("keys", "k")
        assert [await heard(one) for _ in range(5)] == list("01234")
        assert [await heard(two) for _ in range(5)] == list("01234")
        assert await heard(other) == "k"


async def test_leases_stop_at_the_cap_and_come_back(shared: Shared) -> None:
    assert [await shared.lease("team", f"r{n}", 2) for n in range(3)] == [Lease.GRANTED, Lease.GRANTED, Lease.FULL]
    assert await shared.lease("team", "r0", 2) is Lease.GRANTED  # it has one already
    assert await shared.lease("other", "r9", 2) is Lease.GRANTED
    shared.give_back("team", "r0")
    shared.give_back("team", "never-had-one")

    async def has_come_back() -> bool:
        return await shared.lease("team", "r3", 2) is Lease.GRANTED

    await until(has_come_back)
    assert await shared.lease("team", "r4", 2) is Lease.FULL
    for request_id in ("r1", "r3"):
        shared.give_back("team", request_id)
    shared.give_back("other", "r9")


async def test_a_message_and_a_lease_reach_the_other_process(redis_server: Redis) -> None:
    async with opened(redis_server.url) as here, opened(redis_server.url) as there, there.subscribe("keys") as messages:
        await here.publish("keys", "gone")
        assert await heard(messages) == "gone"
        assert await here.lease("shared", "a", 1) is Lease.GRANTED
        assert await there.lease("shared", "b", 1) is Lease.FULL


async def test_twenty_at_once_from_two_processes_get_five_leases(redis_server: Redis) -> None:
    async with opened(redis_server.url) as here, opened(redis_server.url) as there:
        asked = [(here, there)[number % 2].lease("busy", f"r{number}", 5) for number in range(20)]
        granted = await asyncio.gather(*asked)
        assert granted.count(Lease.GRANTED) == 5
        assert granted.count(Lease.FULL) == 15


async def test_a_dead_process_loses_its_leases_and_a_live_one_does_not(redis_server: Redis) -> None:
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(opened(redis_server.url, lease_ttl_s=0.4, heartbeat_s=0.05))
        dead = RedisShared(redis_server.url, lease_ttl_s=0.4)  # never opened: it has no heartbeat
        assert await live.lease("mortal", "live", 2) is Lease.GRANTED
        assert await dead.lease("mortal", "dead", 2) is Lease.GRANTED
        assert await live.lease("mortal", "next", 2) is Lease.FULL

        async def has_died() -> bool:
            return await live.lease("mortal", "next", 2) is Lease.GRANTED

        await until(has_died)
        await asyncio.sleep(0.5)  # longer than a lease without heartbeat
        assert await dead.lease("mortal", "again", 2) is Lease.FULL
        await dead.close()


async def test_redis_killed_nothing_raises_and_leases_are_trusted_only_after_all_were_told_again(own_redis: Redis) -> None:
    async with (
        opened(own_redis.url, heartbeat_s=0.2) as here,
        opened(own_redis.url, heartbeat_s=0.2) as there,
        there.subscribe("keys") as messages,
    ):
        assert await here.lease("team", "a", 1) is Lease.GRANTED
        await asyncio.to_thread(own_redis.kill)
        assert await here.recall("note") is None
        await here.remember("note", "x", 1)
        assert await there.lease("team", "b", 1) is Lease.UNKNOWN
        there.give_back("team", "b")
        assert not await here.healthy()
        await asyncio.to_thread(own_redis.start)
        leases = []

        async def is_counted() -> bool:
            leases.append(await there.lease("team", "c", 1))
            there.give_back("team", "c")
            return leases[-1] is not Lease.UNKNOWN

        await until(is_counted)
        assert leases[0] is Lease.UNKNOWN
        assert leases[-1] is Lease.FULL  # the server had lost "a", and was told of it again
        await until(here.healthy)
        await here.publish("keys", "after")
        assert await heard(messages) == "after"


async def test_a_server_that_was_never_there_costs_nobody_time() -> None:
    async with opened("redis://:word@127.0.0.1:1/0") as shared:
        start = time.monotonic()
        assert [await shared.lease("team", str(n), 1) for n in range(100)] == [Lease.UNKNOWN] * 100
        await shared.publish("keys", "x")
        assert time.monotonic() - start < PATIENCE_S
