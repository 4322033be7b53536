"""The gateway's database as a command opens it: beside a running gateway, which takes over what the command writes within seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reference_gateway.accounts.directory import Directory
from reference_gateway.clock import system
from reference_gateway.config import Config
from reference_gateway.storage.interface import Database
from reference_gateway.storage.keys import KeyStore
from reference_gateway.storage.sqlite import MEMORY, Store
from reference_gateway.toml_lines import ConfigError


@asynccontextmanager
async def database(config: Config) -> AsyncIterator[Database]:
    """Raises ConfigError for a database that keeps nothing, StorageFailed and sqlite3.Error for one that cannot be used."""
    if config.servers.database:
        from reference_gateway.storage.postgres import PostgresDatabase

        several = PostgresDatabase(config.servers.database)
        try:
            await several.open()
            yield several
        finally:
            await several.close()
        return
    if config.database == MEMORY:
        raise ConfigError('the database is ":memory:", which only the gateway itself can see; name a file under [server] database')
    store = Store(config.database, config.synchronous)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def directory(config: Config) -> AsyncIterator[Directory]:
    async with database(config) as books:
        keys = Directory(config.pepper, config.accounts, KeyStore(books), system)
        await keys.open(config.keys)
        try:
            yield keys
        finally:
            await keys.close()
