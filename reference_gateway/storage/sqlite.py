"""Everything on disk in one file: SQLite in WAL mode, one writer, group commit once an event-loop turn.

Plain sqlite3 and not SQLAlchemy: the ledger's statements are the largest single cost after the hop itself. With `synchronous = "normal"`
a commit is a write into the page cache (some 20 microseconds in a group; it outlives kill -9), so it is made on the loop's own thread:
handing it to another thread costs more than the commit does. With "full" (outlives power loss) every group is an fsync, so groups are
committed on a writer thread. In both modes checkpoints, which do sync, and queries run on a thread and connection of their own.

A settlement and its usage row are one transaction, so the sum of the rows is what the wallets lost, whenever the process is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from reference_gateway.billing.ledger import Entry
from reference_gateway.storage.interface import SCHEMA_VERSION, Conflict, Row, StorageFailed, Values

try:
    import fcntl
except ImportError:  # Windows keeps a file that is open from being opened for writing again by itself
    fcntl = None  # type: ignore[assignment]  # looked at before it is used

DDL: Final = Path(__file__).with_name("sqlite.sql")
MEMORY: Final = ":memory:"
USAGE_COLUMNS: Final = (
    *("request_id", "account", "key_id", "model", "surface", "input_tokens", "output_tokens", "cache_read_tokens"),
    *("cache_write_5m_tokens", "cache_write_1h_tokens", "cost_micro_usd", "estimated", "created_ms"),
    *("loss_micro_usd", "images", "image_class", "provider", "channel", "searches", "video_seconds"),
)
UsageValues = tuple[str | int, ...]  # in that order, plain str and int: SQLite looks for an adapter for every other type
_LEDGER: Final = "INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
_USAGE: Final = f"INSERT INTO usage ({', '.join(USAGE_COLUMNS)}) VALUES ({', '.join('?' * len(USAGE_COLUMNS))})"
_SNAPSHOT: Final = """
    INSERT INTO snapshots (id, ledger_id, body) SELECT 1, coalesce(max(id), 0), ? FROM ledger WHERE true
    ON CONFLICT (id) DO UPDATE SET ledger_id = excluded.ledger_id, body = excluded.body
"""
# A commit writes every page it touched, and a request touches six: small ones take a quarter off the cost of a request that is alone.
PAGE_BYTES: Final = 1024
CHECKPOINT_EVERY: Final = 4000  # rows
MAX_WAL_BYTES: Final = 32 * 1024 * 1024
T = TypeVar("T")
log = logging.getLogger("reference_gateway")


@dataclass(slots=True)
class _Writes:
    """Statements that stand or fall together, and by themselves: what is wrong with them is not their neighbours' fault."""

    statements: tuple[tuple[str, Values], ...]
    counts: list[int] = field(default_factory=list)
    error: Exception | None = None


@dataclass(slots=True)
class _Batch:
    """What one transaction writes."""

    ledger: list[Entry] = field(default_factory=list)
    usage: list[UsageValues] = field(default_factory=list)
    writes: list[_Writes] = field(default_factory=list)
    snapshot: tuple[int, str] | None = None  # after so many of the ledger's rows


Then = Callable[[str | None], None]  # told None, or why nothing was written


class _Group(asyncio.Future[None]):
    """What everyone in one transaction waits for. Who is cancelled meanwhile is so once it is written, and takes nobody along.

    `then` is called at once when it is written, in its order, ahead of whoever awaits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.then: list[Then] = []

    def cancel(self, msg: Any | None = None) -> bool:
        return False


class Store:
    """Owned by one event loop. `append` orders writes; whoever needs one to be durable awaits what it returns.

    Raises StorageFailed for a database that cannot be brought to the present schema, sqlite3.Error for one that cannot be opened.
    """

    def __init__(self, path: str, synchronous: str = "normal") -> None:
        self._path = path
        self._lock: int | None = None
        if path != MEMORY:
            _prepare_file(path)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "wal_autocheckpoint=0", "busy_timeout=5000"):
            self._connection.execute(f"PRAGMA {pragma}")
        if path == MEMORY:
            _create(self._connection)
        self._batch = _Batch()
        self._waiting: _Group | None = None
        self._writer = ThreadPoolExecutor(1, "ledger-writer") if synchronous == "full" else None
        self._aside = ThreadPoolExecutor(1, "ledger-aside")
        self._reader: sqlite3.Connection | None = None
        self._rows_since_checkpoint = 0
        self._committing: asyncio.Future[None] | None = None
        self._log_is_long = False
        self._data_version = self._read_data_version()
        self.commits = 0

    # at start

    def lock(self) -> None:
        """Of two gateway processes on one file each would admit on the same money: the second is refused. Raises StorageFailed."""
        if self._path == MEMORY or fcntl is None:
            return
        self._lock = os.open(self._path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageFailed(
                f"another gateway serves from {self._path}; stop it, name another database, or use PostgreSQL for several processes"
            ) from None

    def snapshot(self) -> tuple[int, str] | None:
        """The last snapshot: up to which row of the ledger, and its body."""
        found: tuple[int, str] | None = self._connection.execute("SELECT ledger_id, body FROM snapshots").fetchone()
        return found

    def entries(self, after_id: int = 0) -> Iterator[Entry]:
        """The steps of requests in their order, movements apart; read at start, before the first append."""
        columns = "kind, account, key_id, request_id, amount_micro_usd, at_ms"
        sql = f"SELECT {columns} FROM ledger WHERE id > ? AND balance_after_micro_usd IS NULL ORDER BY id"
        return map(Entry._make, self._connection.execute(sql, (after_id,)))

    def spent_by_model(self, after_id: int = 0) -> Iterator[tuple[str, str, int]]:
        """Key, model and what was charged, summed over the settlements that stand in the ledger after that row; read at start."""
        sql = """
            SELECT usage.key_id, usage.model, sum(usage.cost_micro_usd) FROM ledger JOIN usage ON usage.request_id = ledger.request_id
            WHERE ledger.id > ? AND ledger.kind = 'settle' GROUP BY usage.key_id, usage.model
        """
        return self._connection.execute(sql, (after_id,))

    # the hot path

    def append(self, *entries: Entry, usage: UsageValues | None = None) -> asyncio.Future[None]:
        """Puts the rows into this turn's transaction; the future ends when it is committed, or raises StorageFailed."""
        batch = self._batch
        batch.ledger += entries
        if usage is not None:
            batch.usage.append(usage)
        return self._waiting or self._gather()

    def put(self, then: Then, *entries: Entry, usage: UsageValues | None = None) -> None:
        """As `append`, for whoever awaits nothing."""
        batch = self._batch
        batch.ledger += entries
        if usage is not None:
            batch.usage.append(usage)
        (self._waiting or self._gather()).then.append(then)

    def _gather(self) -> _Group:
        loop = asyncio.get_running_loop()
        self._waiting = _Group(loop)
        loop.call_soon(self._flush)
        return self._waiting

    def _flush(self) -> None:
        if self._committing is not None:  # a group is on its way to disk; the next one gathers meanwhile
            return
        batch, waiting = self._batch, self._waiting
        if waiting is None:
            return
        self._batch, self._waiting = _Batch(), None
        if self._writer is None:
            self._finish(waiting, self._commit(batch), len(batch.ledger))
            return
        loop = asyncio.get_running_loop()
        self._committing = waiting
        done = loop.run_in_executor(self._writer, self._commit, batch)
        done.add_done_callback(lambda result: self._committed(waiting, result.result(), len(batch.ledger)))

    def _committed(self, waiting: _Group, error: str | None, rows: int) -> None:
        self._committing = None
        self._finish(waiting, error, rows)
        self._flush()

    def _finish(self, waiting: _Group, error: str | None, rows: int) -> None:
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(StorageFailed(error))
            waiting.exception()  # whoever waits is told; a settlement nobody waits for must not warn as well
        for then in waiting.then:
            try:
                then(error)
            except Exception:  # its own fault, and not that of the others in the group
                log.exception("a request failed once its part of the ledger was written")
        self._rows_since_checkpoint += rows
        if self._rows_since_checkpoint >= CHECKPOINT_EVERY and self._path != MEMORY:
            self._rows_since_checkpoint = 0
            self._aside.submit(self._checkpoint)

    def _commit(self, batch: _Batch) -> str | None:
        """None, or why nothing of the batch was written."""
        connection = self._connection
        self.commits += 1
        try:
            if self._log_is_long:
                self._empty_log()
            connection.execute("BEGIN IMMEDIATE")
            ledger = batch.ledger
            if batch.snapshot is not None:
                rows, body = batch.snapshot
                connection.executemany(_LEDGER, map(tuple, ledger[:rows]))
                connection.execute(_SNAPSHOT, (body,))
                ledger = ledger[rows:]
            if ledger:
                connection.executemany(_LEDGER, map(tuple, ledger))  # it takes a plain tuple's values in half the time of a named one's
            if batch.usage:
                connection.executemany(_USAGE, batch.usage)
            for writes in batch.writes:
                self._write(writes)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            return f"the ledger {self._path} could not be written: {error}"
        return None

    # beside it

    async def write(self, *statements: tuple[str, Values]) -> list[int]:
        """storage.interface.Database."""
        writes = _Writes(statements)
        self._batch.writes.append(writes)
        await (self._waiting or self._gather())
        if writes.error is not None:
            raise writes.error
        return writes.counts

    def _write(self, writes: _Writes) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT writes")
        try:
            writes.counts = [execute(sql, values).rowcount for sql, values in writes.statements]
        except sqlite3.Error as error:
            unique = getattr(error, "sqlite_errorname", "") in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
            writes.error = (Conflict if unique else StorageFailed)(str(error))
            execute("ROLLBACK TO writes")
        execute("RELEASE writes")

    def save(self, body: str) -> None:
        """A snapshot of the ledger as it is with every entry appended so far."""
        self._batch.snapshot = (len(self._batch.ledger), body)
        if self._waiting is None:
            self._gather()

    async def fetch(self, sql: str, values: Values) -> list[Row]:
        """storage.interface.Database. Raises StorageFailed."""
        await self._written()
        if self._path == MEMORY:
            return _rows(self._connection, sql, values)
        return await self._beside(lambda: self._read(sql, values))

    def _read(self, sql: str, values: Values) -> list[Row]:
        if self._reader is None:
            self._reader = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._reader.execute("PRAGMA busy_timeout=5000")
            self._reader.execute("PRAGMA query_only=1")
        return _rows(self._reader, sql, values)

    async def _beside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._aside, work)

    def changed_elsewhere(self) -> bool:
        """Whether another process has written to the file since this was last asked. Raises StorageFailed."""
        before = self._data_version
        try:
            self._data_version = self._read_data_version()
        except sqlite3.Error as error:
            raise StorageFailed(f"the database could not be read: {error}") from error
        return before != self._data_version

    def _read_data_version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _checkpoint(self) -> None:
        """On a thread of its own, beside the writer."""
        connection = sqlite3.connect(self._path)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()
        self._log_is_long = os.path.getsize(self._path + "-wal") > MAX_WAL_BYTES  # noqa: PTH202 (a str all along)

    def _empty_log(self) -> None:
        """By the writer, between two transactions.

        Where somebody writes all the time, a checkpoint beside the writer never empties the log, since new pages come meanwhile, and it
        would grow for ever. Here it copies what little that one has left: some milliseconds, once in MAX_WAL_BYTES.
        """
        self._log_is_long = False
        self._connection.execute("PRAGMA busy_timeout=0")  # a reader in the way is not waited for: after the next checkpoint, then
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._connection.execute("PRAGMA busy_timeout=5000")

    async def _written(self) -> None:
        while (group := self._committing or self._waiting) is not None:
            await asyncio.wait([group])

    async def close(self) -> None:
        await self._written()
        for pool in (self._writer, self._aside):
            if pool is not None:
                pool.shutdown()
        if self._reader is not None:
            self._reader.close()
        if self._path != MEMORY:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)


def _rows(connection: sqlite3.Connection, sql: str, values: Values) -> list[Row]:
    try:
        cursor = connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
    except sqlite3.Error as error:
        raise StorageFailed(f"the database could not be read: {error}") from error


def _prepare_file(path: str) -> None:
    """Makes the tables of a new file, and brings an older file to the present schema."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout=5000")
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")  # heard in an empty file only
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")  # several may start at once
        version = _version(connection)
        if version is None:
            _create(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()
    if version not in (None, SCHEMA_VERSION):
        from reference_gateway.storage.migrate import upgrade_sqlite  # a second and 40 MB, wanted once a version

        upgrade_sqlite(path)


def _version(connection: sqlite3.Connection) -> str | None:
    """Of the schema; "" for one from before there were versions, None for an empty file."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" in tables:
        found: tuple[Any, ...] | None = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found is not None else ""
    return "" if "ledger" in tables else None


def _create(connection: sqlite3.Connection) -> None:
    for statement in DDL.read_text(encoding="utf-8").split(";\n"):
        connection.execute(statement)
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.execute("INSERT INTO alembic_version VALUES (?)", (SCHEMA_VERSION,))
