"""PostgreSQL: the portable statements of `storage.interface.Database`, migrations at start, and the connections of everyone who needs one.

The money's hot path has a connection of its own (storage/postgres_lane.py). A URL's password is in no error and in no log.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from reference_gateway.storage.interface import SCHEMA_VERSION, Conflict, Row, StorageFailed, Values

FUNCTIONS: Final = Path(__file__).with_name("postgres.sql")
CONNECT_WITHIN_S: Final = 3.0
STATEMENT_WITHIN_S: Final = 5.0
POOL_SIZE: Final = 5
FAILURES: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('wireproof gateway schema'))"


def failed(error: BaseException) -> StorageFailed:
    cause = getattr(error, "orig", None) or error
    name = type(getattr(cause, "__cause__", None) or cause).__name__
    return StorageFailed(
        f"PostgreSQL cannot be used at the moment ({name}); see that it runs and that the URL's host, user and password hold"
    )


class PostgresDatabase:
    """`url` is postgresql://user:password@host:port/database, with asyncpg's parameters (sslmode ...)."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            made = make_url(url)
        except ArgumentError:
            raise StorageFailed("the database's URL cannot be read; write postgresql://user:password@host:port/database") from None
        self.place = f"{made.host or 'localhost'}/{made.database or ''}"
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            pool_timeout=STATEMENT_WITHIN_S,
        )

    async def connect(self, *, statement_within_s: float = STATEMENT_WITHIN_S) -> asyncpg.Connection[asyncpg.Record]:
        """Whoever waits for a lock or stops in the middle of a transaction is ended by the server: no process blocks the others."""
        milliseconds = str(int(statement_within_s * 1000))
        settings = {
            "application_name": "wireproof-gateway",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        }
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._url, timeout=CONNECT_WITHIN_S, command_timeout=statement_within_s, server_settings=settings
        )
        return connection

    async def open(self) -> None:
        """Brings the schema up to date; one process at a time does it, the others wait. Raises StorageFailed."""
        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: self.connect(statement_within_s=300.0))
        try:
            async with engine.begin() as connection:
                await connection.execute(text(_LOCK))
                if await self._version(connection) != SCHEMA_VERSION:
                    await connection.run_sync(_upgrade)
                await self._apply(connection)
        except FAILURES as error:
            raise failed(error) from None
        finally:
            await engine.dispose()

    @staticmethod
    async def _version(connection: AsyncConnection) -> str | None:
        exists = await connection.execute(text("SELECT to_regclass('alembic_version')"))
        if exists.scalar() is None:
            return None
        version: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        return version

    @staticmethod
    async def _apply(connection: AsyncConnection) -> None:
        """Not again where they are: it would wait for every request under way, and let others wait."""
        functions = FUNCTIONS.read_text(encoding="utf-8")
        digest = sha256(functions.encode()).hexdigest()
        await connection.execute(text("CREATE TABLE IF NOT EXISTS postgres_functions (digest text PRIMARY KEY)"))
        found = await connection.execute(text("SELECT digest FROM postgres_functions"))
        if found.scalar() == digest:
            return
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.execute(functions)
        await connection.execute(text("DELETE FROM postgres_functions"))
        await connection.execute(text("INSERT INTO postgres_functions VALUES (:digest)"), {"digest": digest})

    async def fetch(self, sql: str, values: Values) -> list[Row]:
        return await self.call(sql, values)

    async def call(self, sql: str, values: Values) -> list[Row]:
        """`fetch` for a statement that also changes something."""
        try:
            async with self._engine.begin() as connection:
                result = await connection.execute(text(sql), dict(values))
                return [{str(name): value for name, value in row.items()} for row in result.mappings()]
        except FAILURES as error:
            raise failed(error) from None

    async def write(self, *statements: tuple[str, Values]) -> list[int]:
        try:
            async with self._engine.begin() as connection:
                return [(await connection.execute(text(sql), dict(values))).rowcount for sql, values in statements]
        except IntegrityError:
            raise Conflict("a row with the same unique value is there already") from None
        except FAILURES as error:
            raise failed(error) from None

    async def close(self) -> None:
        await self._engine.dispose()


def _upgrade(connection: Connection) -> None:
    from reference_gateway.storage.migrate import upgrade  # Alembic, which a start has no use for when the schema is current

    upgrade(connection)
