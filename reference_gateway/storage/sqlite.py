"""The ledger and the usage rows on disk: SQLite in WAL mode, one writer, group commit once an event-loop turn.

Plain sqlite3 and not SQLAlchemy: there are four statements, and they are the largest single cost after the hop itself. With
`synchronous = "normal"` a commit is a write into the page cache (some 20 microseconds in a group; it outlives kill -9), so it is made
on the loop's own thread: handing it to another thread costs more than the commit does. With "full" (outlives power loss) every group is
an fsync, so groups are committed on a writer thread. In both modes checkpoints, which do sync, run on a thread and connection of their
own.

A settlement and its usage row are one transaction, so the sum of the rows is what the wallets lost, whenever the process is killed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from reference_gateway.billing.ledger import Entry, Kind
from reference_gateway.catalog import Usage

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, key_id TEXT NOT NULL, request_id TEXT NOT NULL,
    amount_micro_usd INTEGER NOT NULL CHECK (amount_micro_usd >= 0), at_ms INTEGER NOT NULL,
    UNIQUE (request_id, kind)
) STRICT;
CREATE TABLE IF NOT EXISTS usage (
    request_id TEXT PRIMARY KEY, account TEXT NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL, surface TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL, cache_write_1h_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL, estimated INTEGER NOT NULL, created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS usage_by_account ON usage (account, created_ms);
"""
_LEDGER: Final = "INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
_USAGE: Final = "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
CHECKPOINT_EVERY: Final = 4000  # rows


class StorageFailed(Exception):
    """The ledger could not be written; nothing may be admitted on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One billed request (contract:181, C33)."""

    request_id: str
    account: str
    key_id: str
    model: str
    surface: str
    usage: Usage
    cost_micro_usd: int
    estimated: bool
    created_ms: int


_Values = tuple[str | int, ...]


@dataclass(slots=True)
class _Batch:
    """Rows of one transaction, as SQLite takes them: plain str and int only, since it looks for an adapter for every other type."""

    ledger: list[_Values]
    usage: list[_Values]


def _ledger_row(entry: Entry) -> _Values:
    return entry.kind.value, entry.account, entry.key_id, entry.request_id, entry.amount_micro_usd, entry.at_ms


def _usage_row(row: UsageRow) -> _Values:
    usage = row.usage
    return (
        row.request_id,
        row.account,
        row.key_id,
        row.model,
        row.surface,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        row.cost_micro_usd,
        int(row.estimated),
        row.created_ms,
    )


class Store:
    """Owned by one event loop. `append` orders writes; whoever needs one to be durable awaits what it returns."""

    def __init__(self, path: str, synchronous: str = "normal") -> None:
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "wal_autocheckpoint=0", "busy_timeout=5000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)
        self._batch = _Batch([], [])
        self._waiting: asyncio.Future[None] | None = None
        self._writer = ThreadPoolExecutor(1, "ledger-writer") if synchronous == "full" else None
        self._checkpointer = ThreadPoolExecutor(1, "ledger-checkpoint")
        self._rows_since_checkpoint = 0
        self._committing: asyncio.Future[None] | None = None
        self.commits = 0

    def entries(self) -> list[Entry]:
        """The whole ledger in order; read at start, before the first append."""
        rows = self._connection.execute("SELECT kind, account, key_id, request_id, amount_micro_usd, at_ms FROM ledger ORDER BY id")
        return [
            Entry(kind=Kind(kind), account=account, key_id=key_id, request_id=request_id, amount_micro_usd=amount, at_ms=at_ms)
            for kind, account, key_id, request_id, amount, at_ms in rows
        ]

    def append(self, *entries: Entry, usage: UsageRow | None = None) -> asyncio.Future[None]:
        """Puts the rows into this turn's transaction; the future ends when it is committed, or raises StorageFailed."""
        self._batch.ledger.extend(map(_ledger_row, entries))
        if usage is not None:
            self._batch.usage.append(_usage_row(usage))
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            loop.call_soon(self._flush)
        return self._waiting

    def _flush(self) -> None:
        if self._committing is not None:  # a group is on its way to disk; the next one gathers meanwhile
            return
        batch, waiting = self._batch, self._waiting
        self._batch, self._waiting = _Batch([], []), None
        if waiting is None:
            return
        if self._writer is None:
            self._finish(waiting, self._commit(batch), len(batch.ledger))
            return
        loop = asyncio.get_running_loop()
        self._committing = waiting
        done = loop.run_in_executor(self._writer, self._commit, batch)
        done.add_done_callback(lambda result: self._committed(waiting, result.result(), len(batch.ledger)))

    def _committed(self, waiting: asyncio.Future[None], error: str | None, rows: int) -> None:
        self._committing = None
        self._finish(waiting, error, rows)
        self._flush()

    def _finish(self, waiting: asyncio.Future[None], error: str | None, rows: int) -> None:
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(StorageFailed(error))
            waiting.exception()  # whoever waits is told; a settlement nobody waits for must not warn as well
        self._rows_since_checkpoint += rows
        if self._rows_since_checkpoint >= CHECKPOINT_EVERY and self._path != ":memory:":
            self._rows_since_checkpoint = 0
            self._checkpointer.submit(self._checkpoint)

    def _commit(self, batch: _Batch) -> str | None:
        """None, or why nothing of the batch was written."""
        execute = self._connection.execute
        self.commits += 1
        try:
            execute("BEGIN IMMEDIATE")
            self._connection.executemany(_LEDGER, batch.ledger)
            if batch.usage:
                self._connection.executemany(_USAGE, batch.usage)
            execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            return f"the ledger {self._path} could not be written: {error}"
        return None

    def _checkpoint(self) -> None:
        connection = sqlite3.connect(self._path)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    async def usage_rows(self, account: str, request_id: str | None, limit: int) -> list[UsageRow]:
        """The account's newest rows first; every append made before this call is seen."""
        await self._written()
        where, values = ("AND request_id = ?", [request_id]) if request_id is not None else ("", [])
        rows = self._connection.execute(
            f"SELECT * FROM usage WHERE account = ? {where} ORDER BY created_ms DESC, request_id LIMIT ?", (account, *values, limit)
        )
        return [
            UsageRow(
                request_id=row[0],
                account=row[1],
                key_id=row[2],
                model=row[3],
                surface=row[4],
                usage=Usage(
                    input_tokens=row[5],
                    output_tokens=row[6],
                    cache_read_tokens=row[7],
                    cache_write_5m_tokens=row[8],
                    cache_write_1h_tokens=row[9],
                ),
                cost_micro_usd=row[10],
                estimated=bool(row[11]),
                created_ms=row[12],
            )
            for row in rows
        ]

    async def _written(self) -> None:
        while (group := self._committing or self._waiting) is not None:
            await asyncio.wait([group])

    async def close(self) -> None:
        await self._written()
        for pool in (self._writer, self._checkpointer):
            if pool is not None:
                pool.shutdown()
        if self._path != ":memory:":
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
