"""PostgreSQL as a `Database`: migrated once, portable statements, and errors that keep its password."""

import asyncio

import pytest

from reference_gateway.billing.prices import Prices
from reference_gateway.storage.interface import SCHEMA_VERSION, Conflict, StorageFailed
from reference_gateway.storage.postgres import PostgresDatabase, numbered
from reference_gateway.storage.prices import load as prices_of
from reference_gateway.storage.schema import metadata
from reference_gateway.storage.usage import UsageFilter, rows
from reference_gateway.tests.services import PASSWORD, Postgres, own_postgres, postgres, until

__all__ = ["own_postgres", "postgres"]

PUT = "INSERT INTO accounts (name, created_ms) VALUES (:name, :at_ms)"


def test_named_parameters_are_numbered_and_casts_are_none() -> None:
    sql = "SELECT :a::bigint, x::text FROM t WHERE b = :b_2 AND c = :a AND d = ':' LIMIT :limit"
    assert numbered(sql) == ("SELECT $1::bigint, x::text FROM t WHERE b = $2 AND c = $1 AND d = ':' LIMIT $3", ("a", "b_2", "limit"))


async def test_processes_that_start_together_migrate_an_empty_database_once(postgres: Postgres) -> None:
    url = await asyncio.to_thread(lambda: postgres.fresh(empty=True))
    databases = [PostgresDatabase(url) for _ in range(3)]
    await asyncio.gather(*(database.open() for database in databases))
    await databases[0].open()
    (version,) = await databases[0].fetch("SELECT version_num FROM alembic_version", {})
    assert version == {"version_num": SCHEMA_VERSION}
    columns = await databases[1].fetch("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'", {})
    there = {(row["table_name"], row["column_name"]) for row in columns}
    assert {(table.name, column.name) for table in metadata.tables.values() for column in table.columns} <= there
    for database in databases:
        await database.close()


async def test_an_older_database_keeps_its_rows_and_what_was_spent_on_each_model_is_added_up_once(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the version before searches had a price: rows are as they were, and sums of them are there from the start."""
    database = PostgresDatabase(await asyncio.to_thread(lambda: postgres.fresh(empty=True)))
    try:
        with monkeypatch.context() as older:
            for module in ("migrate", "postgres"):
                older.setattr(f"reference_gateway.storage.{module}.SCHEMA_VERSION", "0002")
            await database.open()
        older_things = ("DROP TRIGGER gateway_used ON usage", "DROP TABLE model_sums", "DELETE FROM postgres_functions")
        row = (
            "INSERT INTO usage (request_id, account, key_id, model, surface, input_tokens, output_tokens, cache_read_tokens, "
            "cache_write_5m_tokens, cache_write_1h_tokens, cost_micro_usd, estimated, created_ms) "
            "VALUES (:id, 'a', :key, :model, 'chat', 1, 2, 3, 4, 5, :cost, 0, 7)"
        )
        spends = [("r1", "k1", "m1", 10), ("r2", "k1", "m1", 5), ("r3", "k1", "m2", 1), ("r4", "k2", "m1", 0)]
        for sql in older_things:
            await database.call(sql, {})
        for id_, key, model, cost in spends:
            await database.write((row, {"id": id_, "key": key, "model": model, "cost": cost}))
        classes = "model, valid_from_ms, input, output, cache_read, cache_write_5m, cache_write_1h"
        await database.write((f"INSERT INTO prices ({classes}) VALUES ('m1', 0, 1, 2, 3, 4, 5)", {}))
        await database.open()
        for _ in range(2):
            sums = await database.fetch("SELECT key_id, model, spent_micro_usd FROM model_sums ORDER BY key_id, model", {})
            assert [tuple(found.values()) for found in sums] == [("k1", "m1", 15), ("k1", "m2", 1), ("k2", "m1", 0)]
            await database.open()  # again: nothing is added twice
        kept = await rows(database, UsageFilter(account="a"))
        assert {(found.request_id, found.cost_micro_usd, found.usage.searches, found.usage.video_seconds) for found in kept} == {
            (id_, cost, 0, 0) for id_, _, _, cost in spends
        }
        (change,) = await prices_of(database)
        assert change.prices == Prices(input=1, output=2, cache_read=3, cache_write_5m=4, cache_write_1h=5)
        await database.write((row, {"id": "r5", "key": "k1", "model": "m2", "cost": 4}))
        (sum_,) = await database.fetch("SELECT spent_micro_usd FROM model_sums WHERE key_id = 'k1' AND model = 'm2'", {})
        assert sum_ == {"spent_micro_usd": 5}
    finally:
        await database.close()


async def test_a_schema_of_a_newer_gateway_is_refused(postgres: Postgres) -> None:
    database = PostgresDatabase(await asyncio.to_thread(postgres.fresh))
    await database.write(("UPDATE alembic_version SET version_num = '9999'", {}))
    with pytest.raises(StorageFailed, match="not one that this gateway knows"):
        await database.open()
    await database.close()


async def test_a_write_is_one_transaction_and_says_what_it_touched(postgres: Postgres) -> None:
    database = PostgresDatabase(await asyncio.to_thread(postgres.fresh))
    assert await database.write((PUT, {"name": "a", "at_ms": 2**40}), (PUT, {"name": "b", "at_ms": 1})) == [1, 1]
    with pytest.raises(Conflict):
        await database.write((PUT, {"name": "c", "at_ms": 1}), (PUT, {"name": "a", "at_ms": 1}))
    assert await database.write(("UPDATE accounts SET suspended = 1 WHERE created_ms > :since", {"since": 0})) == [2]
    assert await database.write(("DELETE FROM accounts WHERE name = :name", {"name": "nobody"})) == [0]
    rows = await database.fetch("SELECT name, created_ms, max_concurrency FROM accounts ORDER BY name LIMIT :limit", {"limit": 1})
    assert rows == [{"name": "a", "created_ms": 2**40, "max_concurrency": None}]
    await database.close()


async def test_errors_keep_the_password_and_the_place(postgres: Postgres) -> None:
    url = await asyncio.to_thread(postgres.fresh)
    for wrong in (
        url.replace(PASSWORD, "wrong-password"),
        url.replace("127.0.0.1:", "127.0.0.1:1"),
        url + "-nowhere",
        url + "?sslmode=sometimes",
    ):
        database = PostgresDatabase(wrong)
        for asked in (database.open, lambda: database.fetch("SELECT 1", {}), lambda: database.write(("SELECT 1", {}))):  # noqa: B023
            with pytest.raises(StorageFailed) as refused:
                await asked()
            for secret in (PASSWORD, "wrong-password", "127.0.0.1", "nowhere"):
                assert secret not in str(refused.value)
        await database.close()


async def test_it_is_used_again_when_it_is_back(own_postgres: Postgres) -> None:
    database = PostgresDatabase(await asyncio.to_thread(own_postgres.fresh))
    assert await database.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
    await asyncio.to_thread(own_postgres.kill)
    with pytest.raises(StorageFailed):
        await database.fetch("SELECT 1 AS one", {})
    await asyncio.to_thread(own_postgres.start)

    async def is_back() -> bool:
        try:
            return bool(await database.fetch("SELECT 1 AS one", {}))
        except StorageFailed:
            return False

    await until(is_back)
    await database.close()
