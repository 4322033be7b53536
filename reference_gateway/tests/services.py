"""Real PostgreSQL and Redis servers in temporary folders, started once a session by the fixtures below, for tests that need them.

Import the fixtures where they are needed: `from reference_gateway.tests.services import postgres, redis_server`. A machine without the
servers skips such tests; under CI it fails them. The methods block: inside a running loop call them by `asyncio.to_thread`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

import asyncpg
import pytest

from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.tests import scripted

PATIENCE_S: Final = 30.0
PASSWORD: Final = "words-nobody-may-see"


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    """Asks until the answer is yes; a bound against hanging for ever."""
    async with asyncio.timeout(PATIENCE_S):
        while not await question():  # noqa: ASYNC110  # what is asked is not in this process
            await asyncio.sleep(0.02)


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed here, and CI must run these tests: install it.")
    pytest.skip(f"{what} is not installed here: install it to run these tests.")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes] | None, number: int) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(number)
        process.wait(PATIENCE_S)


class Postgres:
    """One server; it may be stopped, killed and started again, and keeps its data."""

    def __init__(self) -> None:
        found = shutil.which("postgres")
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)) if found is None else []
        if found is None and not folders:
            _missing("PostgreSQL")
        self._bin = Path(found).parent if found else folders[-1]
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
        self._user: str | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            try:
                self._user = "postgres"
                shutil.chown(self._folder, self._user)
            except LookupError:
                self._user = "nobody"
                shutil.chown(self._folder, self._user)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count()
        self._template: str | None = None
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        initdb: list[str | Path] = [
            self._bin / "initdb",
            "--no-sync",
            "--username=gateway",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        subprocess.run([*initdb, "--locale=C", self._folder / "data"], check=True, capture_output=True, user=self._user, cwd="/")
        self.start()

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "60",
            "shared_buffers": "32MB",
        }
        log = self._folder / "log"
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", *words], stdout=file, stderr=file, user=self._user, cwd="/"
            )
        _await_port(self._process, self._port, log)
        asyncio.run(self._await_ready())

    async def _await_ready(self) -> None:
        """It listens before it has recovered from a kill."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                connection = await asyncpg.connect(self.url("postgres"))
            except (asyncpg.CannotConnectNowError, OSError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return

    def url(self, database: str) -> str:
        return f"postgresql://gateway:{PASSWORD}@127.0.0.1:{self._port}/{database}"

    def stop(self) -> None:
        """Ends all sessions at once, in order."""
        _end(self._process, signal.SIGINT)

    def kill(self) -> None:
        """As power loss would; the children leave when they see the postmaster gone."""
        _end(self._process, signal.SIGQUIT)

    def fresh(self, *, empty: bool = False) -> str:
        """The URL of a new database: with the gateway's tables, which are made once and copied, or empty."""
        return asyncio.run(self._fresh(empty))

    async def _fresh(self, empty: bool) -> str:
        if empty:
            return await self._create("template0")
        if self._template is None:
            url = await self._create("template0")
            database = PostgresDatabase(url)
            await database.open()
            await database.close()
            self._template = url.rpartition("/")[2]
        return await self._create(self._template)

    async def _create(self, template: str) -> str:
        name = f"gateway_{next(self._names)}"
        connection = await asyncpg.connect(self.url("postgres"))
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        await connection.close()
        return self.url(name)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis:
    """One server that keeps nothing on disk: started again, it is empty."""

    def __init__(self) -> None:
        self._binary = shutil.which("valkey-server") or shutil.which("redis-server")
        if self._binary is None:
            _missing("Redis or Valkey")
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-redis-"))
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self.start()

    def start(self) -> None:
        assert self._binary is not None
        log = self._folder / "log"
        words = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", PASSWORD]
        with log.open("wb") as file:
            self._process = subprocess.Popen([self._binary, *words], stdout=file, stderr=file, cwd=self._folder)
        _await_port(self._process, self._port, log)

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self._port}/0"

    def fresh(self) -> str:
        """The URL of an empty database."""
        database = next(self._numbers) % 16
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE_S) as client:
            client.sendall(f"AUTH {PASSWORD}\r\nSELECT {database}\r\nFLUSHDB\r\n".encode())
            answer = b""
            while answer.count(b"+OK\r\n") < 3:
                read = client.recv(100)
                assert read, answer
                answer += read
        return self.url.removesuffix("0") + str(database)

    def kill(self) -> None:
        _end(self._process, signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


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
