"""PostgreSQL and Redis (or Valkey) in temporary folders: for gateway processes that share them. Nothing outlives whoever started them.

The methods block. What is written may be lost with the machine (no fsync): these servers are for trials.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg

from harness.toml_file import UserFileError

PASSWORD: Final = "words-nobody-may-see"
_PATIENCE_S: Final = 30.0


class ServiceMissing(UserFileError):
    """A server's program is not installed; the message says what to do."""


class Postgres:
    """One server; it may be stopped, killed and started again, and keeps its data. Raises ServiceMissing."""

    def __init__(self) -> None:
        found = shutil.which("postgres")
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)) if found is None else []
        if found is None and not folders:
            raise ServiceMissing("PostgreSQL is not installed here: install it, or give a server's URL by --postgres-url")
        self._bin = Path(found).parent if found else folders[-1]
        self._folder = Path(tempfile.mkdtemp(prefix="wireproof-postgres-"))
        self._user: str | None = None
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # PostgreSQL refuses to run as root
            try:
                self._user = "postgres"
                shutil.chown(self._folder, self._user)
            except LookupError:
                self._user = "nobody"
                shutil.chown(self._folder, self._user)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count()
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        words: list[str | Path] = [self._bin / "initdb", "--no-sync", "--username=gateway", f"--pwfile={password}"]
        words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", self._folder / "data"]
        subprocess.run(words, check=True, capture_output=True, user=self._user, cwd="/")
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
        deadline = time.monotonic() + _PATIENCE_S
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

    def empty(self) -> str:
        """The URL of a new database with nothing in it."""
        return asyncio.run(self.create("template0"))

    async def create(self, template: str) -> str:
        """The URL of a new database made from that one."""
        name = f"gateway_{next(self._names)}"
        connection = await asyncpg.connect(self.url("postgres"))
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        await connection.close()
        return self.url(name)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis:
    """One server that keeps nothing on disk: started again, it is empty. Raises ServiceMissing."""

    def __init__(self) -> None:
        binary = shutil.which("valkey-server") or shutil.which("redis-server")
        if binary is None:
            raise ServiceMissing("neither Valkey nor Redis is installed here: install one, or give a server's URL by --redis-url")
        self._binary = binary
        self._folder = Path(tempfile.mkdtemp(prefix="wireproof-redis-"))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self.start()

    def start(self) -> None:
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
        with socket.create_connection(("127.0.0.1", self._port), _PATIENCE_S) as client:
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


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
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
        process.wait(_PATIENCE_S)
