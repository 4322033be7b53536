from __future__ import annotations

import asyncio
import time

import asyncpg

from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.storage.postgres_lane import Lane
from reference_gateway.tests.services import Postgres, postgres

__all__ = ["postgres"]


async def test_a_lane_that_waits_for_its_first_step_has_no_statement_under_way(postgres: Postgres) -> None:
    """Else the server's statement timeout would run, and the first request after a quiet start would be refused."""
    url = await asyncio.to_thread(postgres.fresh)
    database = PostgresDatabase(url)
    await database.open()
    lane = Lane(database, "node", time.time)
    try:
        await lane.open()
        onlooker: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
        states = await onlooker.fetch("SELECT state FROM pg_stat_activity WHERE query LIKE '%gateway_step_2%' AND pid <> pg_backend_pid()")
        await onlooker.close()
        assert [row["state"] for row in states] == ["idle"]
    finally:
        await lane.close()
        await database.close()
