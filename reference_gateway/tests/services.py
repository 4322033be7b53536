"""Real PostgreSQL and Redis servers in temporary folders, started once a session by the fixtures below, for tests that need them.

Import the fixtures where they are needed: `from reference_gateway.tests.services import postgres, redis_server`. A machine without the
servers skips such tests; under CI it fails them. The methods block: inside a running loop call them by `asyncio.to_thread`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from harness import services
from harness.services import PASSWORD, ServiceMissing
from harness.tests.absent import missing
from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.tests import scripted

__all__ = ["PASSWORD"]
PATIENCE_S: Final = 30.0


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    """Asks until the answer is yes; a bound against hanging for ever."""
    async with asyncio.timeout(PATIENCE_S):
        while not await question():  # noqa: ASYNC110  # what is asked is not in this process
            await asyncio.sleep(0.02)


class Postgres(services.Postgres):
    """One server; it may be stopped, killed and started again, and keeps its data."""

    def __init__(self) -> None:
        try:
            super().__init__()
        except ServiceMissing as error:
            missing(str(error))
        self._template: str | None = None

    def fresh(self, *, empty: bool = False) -> str:
        """The URL of a new database: with the gateway's tables, which are made once and copied, or empty."""
        return self.empty() if empty else asyncio.run(self._copied())

    async def _copied(self) -> str:
        if self._template is None:
            url = await self.create("template0")
            database = PostgresDatabase(url)
            await database.open()
            await database.close()
            self._template = url.rpartition("/")[2]
        return await self.create(self._template)


class Redis(services.Redis):
    """One server that keeps nothing on disk: started again, it is empty."""

    def __init__(self) -> None:
        try:
            super().__init__()
        except ServiceMissing as error:
            missing(str(error))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Shared by the session's tests: take a database of `fresh()`, never stop it."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """Shared by the session's tests: never kill it."""
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """For a test that kills it."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """For a test that kills it."""
    server = Redis()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres-redis"])
def each_storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs twice: its stages keep their books in SQLite, and in PostgreSQL with Redis. `postgres` and `redis_server` beside it."""
    if request.param == "sqlite":
        return
    folder = tmp_path_factory.mktemp("storage")
    (folder / "database").write_text(request.getfixturevalue("postgres").fresh())
    (folder / "redis").write_text(request.getfixturevalue("redis_server").fresh())
    monkeypatch.setattr(scripted, "PREAMBLE", storage_table(folder / "database", folder / "redis"))


def storage_table(database: Path, redis: Path, dead_after_ms: int = 3000) -> str:
    """`[storage]` of a configuration; the files hold the URLs."""
    return f'[storage]\ndatabase_file = "{database}"\nredis_file = "{redis}"\ndead_after_ms = {dead_after_ms}\n'
