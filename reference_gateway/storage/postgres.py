"""PostgreSQL: the portable statements of `storage.interface.Database`, migrations at start, and the connections of everyone who needs one.

The money's hot path has a connection of its own (storage/postgres_lane.py). A URL's password is in no error and in no log. asyncpg is used
as it is; SQLAlchemy and Alembic, a second of start and 40 MB, are imported only where there is something to migrate.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from reference_gateway.storage.interface import SCHEMA_VERSION, Conflict, Row, StorageFailed, Values

FUNCTIONS: Final = Path(__file__).with_name("postgres.sql")
CONNECT_WITHIN_S: Final = 3.0
STATEMENT_WITHIN_S: Final = 5.0
MIGRATE_WITHIN_S: Final = 300.0
POOL_SIZE: Final = 10
FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('wireproof gateway schema'))"
_NAME: Final = re.compile(r"(?<![:\w]):([a-z]\w*)")

if TYPE_CHECKING:  # asyncpg's own classes take no parameters
    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]


def failed(error: BaseException) -> StorageFailed:
    return StorageFailed(
        f"PostgreSQL cannot be used at the moment ({type(error).__name__}); "
        "see that it runs and that the URL's host, user and password hold"
    )


@lru_cache(maxsize=512)
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """`:name` parameters as `$1`, and the names in that order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return _NAME.sub(number, sql), tuple(names)


class PostgresDatabase:
    """`url` is postgresql://user:password@host:port/database, with asyncpg's parameters (sslmode ...)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()

    async def connect(self, *, statement_within_s: float = STATEMENT_WITHIN_S) -> Connection:
        """Whoever waits for a lock or stops in the middle of a transaction is ended by the server: no process blocks the others."""
        connection: Connection = await asyncpg.connect(self._url, **_options(statement_within_s))
        return connection

    async def open(self) -> None:
        """Brings the schema up to date; one process at a time does it, the others wait. Raises StorageFailed."""
        try:
            connection = await self.connect(statement_within_s=MIGRATE_WITHIN_S)
            try:
                async with connection.transaction():
                    await connection.execute(_LOCK)
                    if await _version(connection) != SCHEMA_VERSION:
                        await self._migrate()
                    await _apply(connection)
            finally:
                await connection.close()
        except FAILURES as error:
            raise failed(error) from None

    async def _migrate(self) -> None:
        """The caller has the lock."""
        from sqlalchemy.ext.asyncio import create_async_engine

        from reference_gateway.storage.migrate import upgrade

        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: self.connect(statement_within_s=MIGRATE_WITHIN_S))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(upgrade)
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """Raises StorageFailed, and Conflict for what the database raises within the block."""
        try:
            pool = self._pool or await self._open_pool()
            async with pool.acquire(timeout=STATEMENT_WITHIN_S) as connection:
                yield connection  # type: ignore[misc]  # a proxy that has everything a connection has
        except asyncpg.UniqueViolationError:
            raise Conflict("a row with the same unique value is there already") from None
        except FAILURES as error:
            raise failed(error) from None

    async def _open_pool(self) -> Pool:
        """It connects nowhere yet."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(self._url, min_size=0, max_size=POOL_SIZE, **_options(STATEMENT_WITHIN_S))
        return self._pool

    async def fetch(self, sql: str, values: Values) -> list[Row]:
        return await self.call(sql, values)

    async def call(self, sql: str, values: Values) -> list[Row]:
        """`fetch` for a statement that also changes something."""
        text, names = numbered(sql)
        async with self._connected() as connection:
            return [dict(row) for row in await connection.fetch(text, *(values[name] for name in names))]

    async def write(self, *statements: tuple[str, Values]) -> list[int]:
        touched = []
        async with self._connected() as connection, connection.transaction():
            for sql, values in statements:
                text, names = numbered(sql)
                status = await connection.execute(text, *(values[name] for name in names))
                touched.append(int(status.rpartition(" ")[2]))  # "UPDATE 3"
        return touched

    async def close(self) -> None:
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(STATEMENT_WITHIN_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


def _options(statement_within_s: float) -> dict[str, Any]:
    milliseconds = str(int(statement_within_s * 1000))
    settings = {
        "application_name": "wireproof-gateway",
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
    }
    return {"timeout": CONNECT_WITHIN_S, "command_timeout": statement_within_s, "server_settings": settings}


async def _version(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    version: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return version


async def _apply(connection: Connection) -> None:
    """Not again where they are: it would wait for every request under way, and let others wait."""
    functions = FUNCTIONS.read_text(encoding="utf-8")
    digest = sha256(functions.encode()).hexdigest()
    await connection.execute("CREATE TABLE IF NOT EXISTS postgres_functions (digest text PRIMARY KEY)")
    if await connection.fetchval("SELECT digest FROM postgres_functions") == digest:
        return
    await connection.execute(functions)
    await connection.execute("DELETE FROM postgres_functions")
    await connection.execute("INSERT INTO postgres_functions VALUES ($1)", digest)
