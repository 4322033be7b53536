"""Where the money is kept, by the configuration: SQLite in this process, or PostgreSQL, with Redis beside it, for several processes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from reference_gateway.billing.interface import Treasury
from reference_gateway.billing.treasury import Treasury as OwnTreasury
from reference_gateway.cancelling import cancel
from reference_gateway.clock import Clock, system
from reference_gateway.config import Config
from reference_gateway.storage.interface import Database, StorageFailed
from reference_gateway.storage.keys import KeyStore
from reference_gateway.storage.shared import Alone, Shared
from reference_gateway.storage.sqlite import Store

RELOAD_S: Final = 1.0
SWEEP_S: Final = 60.0
log = logging.getLogger("reference_gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    database: Database
    treasury: Treasury
    shared: Shared
    node: str  # this process among those that share the database; a new one at each start
    alive: Callable[[], Awaitable[Collection[str]]]  # the other processes; raises StorageFailed
    writable: Callable[[], bool]  # whether a request has a chance to be admitted now


@asynccontextmanager
async def opened(config: Config, clock: Clock = system) -> AsyncIterator[Books]:
    """Raises StorageFailed, and sqlite3.Error for a file that cannot be used."""
    async with AsyncExitStack() as stack:
        if config.servers.database:
            yield await _several(config, clock, stack)
        else:
            yield await _one(config, clock, stack)


async def _one(config: Config, clock: Clock, stack: AsyncExitStack) -> Books:
    store = Store(config.database, config.synchronous)
    stack.push_async_callback(store.close)
    treasury = OwnTreasury(store, config.accounts, prices=config.catalog.price_changes, clock=clock)
    await treasury.open()
    stack.push_async_callback(treasury.close)
    tending = asyncio.create_task(_tend(treasury, config.servers.stale_hold_ms / 1000))
    stack.push_async_callback(cancel, tending)

    async def nobody() -> Collection[str]:
        return ()

    return Books(
        database=store, treasury=treasury, shared=Alone(), node=f"{os.getpid()}-{os.urandom(8).hex()}", alive=nobody, writable=lambda: True
    )


async def _tend(treasury: OwnTreasury, stale_s: float) -> None:
    """Top-ups from the command line are taken over, stale holds given back."""
    swept = 0.0
    while True:
        await asyncio.sleep(RELOAD_S)
        swept += RELOAD_S
        try:
            await treasury.reload()
            if swept >= SWEEP_S:
                swept = 0.0
                await treasury.sweep(stale_s)
        except StorageFailed as error:
            log.error("the books could not be tended: %s", error)


async def _several(config: Config, clock: Clock, stack: AsyncExitStack) -> Books:
    # SQLAlchemy is a second of start and 40 MB that a single process does without.
    from reference_gateway.billing.postgres import PostgresTreasury
    from reference_gateway.storage.postgres import PostgresDatabase

    servers = config.servers
    shared: Shared | None = None
    if servers.redis:
        from reference_gateway.storage.redis import RedisShared

        over_redis = RedisShared(servers.redis)
        await over_redis.open()
        stack.push_async_callback(over_redis.close)
        shared = over_redis
    database = PostgresDatabase(servers.database)
    stack.push_async_callback(database.close)
    await database.open()
    await KeyStore(database).declare((replace(key, declared=True) for key in config.keys), int(clock() * 1000))  # it admits by their rows
    treasury = PostgresTreasury(
        database,
        config.accounts,
        prices=config.catalog.price_changes,
        clock=clock,
        shared=shared,
        heartbeat_s=min(2.0, servers.dead_after_ms / 5000),
        dead_after_s=servers.dead_after_ms / 1000,
    )
    await treasury.open()
    stack.push_async_callback(treasury.close)
    return Books(
        database=database,
        treasury=treasury,
        shared=shared or Alone(),
        node=treasury.node,
        alive=treasury.alive,
        writable=lambda: treasury.writable,
    )
