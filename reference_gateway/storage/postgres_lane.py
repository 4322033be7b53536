"""The money's own connection to PostgreSQL: steps of many requests, each batch one round trip and one transaction.

While a batch is on its way the next one gathers, so the busier the gateway, the larger the group that shares a commit. An admission that
cannot be written fails at once: nothing is admitted unpaid. A closing is kept and tried again for a while, in order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec

from reference_gateway.cancelling import cancel
from reference_gateway.clock import Clock
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.storage.postgres import FAILURES, STATEMENT_WITHIN_S, PostgresDatabase, failed

log = logging.getLogger("reference_gateway")

STEP: Final = "SELECT * FROM gateway_step_2($1, $2, $3::text::jsonb)"
BATCH: Final = 200
RETRY_FIRST_S: Final = 0.05
RETRY_MOST_S: Final = 1.0
KEPT_MOST: Final = 20_000  # closings that wait for the server
# What one step of a batch can be blamed for; the others are then taken without it.
BLAMED: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.RaiseError)

Item = Mapping[str, Any]  # as gateway_step_2 takes it
Outcome = Mapping[str, Any]  # a row of its answer


@dataclass(slots=True, eq=False)
class _Step:
    item: Item
    done: asyncio.Future[Outcome]
    until: float | None  # monotonic seconds, for a closing; an admission is not kept


class Lane:
    """Owned by one event loop. `up` says whether an admission has a chance now."""

    def __init__(self, database: PostgresDatabase, node: str, clock: Clock) -> None:
        self.node = node
        self._database = database
        self._clock = clock
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._statement: Any = None
        self._steps: deque[_Step] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.batches = 0

    @property
    def up(self) -> bool:
        return self._connection is not None

    async def open(self) -> None:
        """Raises StorageFailed."""
        await self._connect()
        self._task = asyncio.create_task(self._run())

    def submit(self, item: Item, *, keep_s: float | None = None) -> asyncio.Future[Outcome]:
        """Raises StorageFailed, at once or by the future; with `keep_s` only after the server has been away for that long."""
        if keep_s is None:
            if not self.up:
                raise StorageFailed("PostgreSQL is away")
        elif len(self._steps) >= KEPT_MOST:
            raise StorageFailed("PostgreSQL is away, and too many settlements wait for it")
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._steps.append(_Step(item, done, None if keep_s is None else time.monotonic() + keep_s))
        self._idle.clear()
        self._wake.set()
        return done

    async def close(self, within_s: float = STATEMENT_WITHIN_S) -> None:
        """Writes what waits, as far as that goes within the bound."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            log.error("PostgreSQL is away; %d steps were not written, and the sweep gives their holds back.", len(self._steps))
        if self._task is not None:
            await cancel(self._task)
        for step in self._steps:
            _fail(step, StorageFailed("the gateway stops"))
        self._steps.clear()
        if self._connection is not None:
            self._connection.terminate()

    async def _connect(self) -> None:
        try:
            connection = await self._database.connect()
            connection.add_termination_listener(self._terminated)
            self._statement = await connection.prepare(STEP)
            # Preparing leaves the server in mid-statement, and its timeout runs until a first execution ends that.
            await self._statement.fetch(self.node, int(self._clock() * 1000), "[]")
        except FAILURES as error:
            raise failed(error) from None
        self._connection = connection

    def _terminated(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
            self._wake.set()

    async def _run(self) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            await self._wake.wait()
            if not self.up:
                try:
                    await self._connect()
                except StorageFailed as error:
                    if wait_s == RETRY_FIRST_S:
                        log.error("%s; nothing is admitted meanwhile.", error)
                    self._give_up()
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, RETRY_MOST_S)
                    continue
                wait_s = RETRY_FIRST_S
                log.warning("PostgreSQL is back.")
            if not self._steps:
                self._wake.clear()
                self._idle.set()
                continue
            await self._write([self._steps.popleft() for _ in range(min(BATCH, len(self._steps)))])

    def _give_up(self) -> None:
        """Admissions fail at once, closings when their time is over."""
        now = time.monotonic()
        kept: deque[_Step] = deque()
        for step in self._steps:
            if step.done.done():
                continue
            if step.until is not None and now < step.until:
                kept.append(step)
            else:
                _fail(step, StorageFailed("PostgreSQL is away"))
        self._steps = kept

    async def _write(self, batch: list[_Step]) -> None:
        self.batches += 1
        try:
            rows = await self._fetch(batch)
        except BLAMED as error:
            if len(batch) == 1:
                log.error("PostgreSQL refused a step: %s", type(error).__name__)
                _fail(batch[0], failed(error))
                return
            for step in batch:
                await self._write([step])
        except FAILURES as error:
            self._steps.extendleft(reversed(batch))
            self._drop(error)
        except asyncio.CancelledError:
            self._steps.extendleft(reversed(batch))
            raise
        else:
            for step, row in zip(batch, rows, strict=True):
                if not step.done.done():
                    step.done.set_result(row)

    async def _fetch(self, batch: list[_Step]) -> list[Outcome]:
        if self._connection is None:
            raise OSError("the connection broke")
        items = msgspec.json.encode([step.item for step in batch]).decode()
        rows: list[Outcome] = await self._statement.fetch(self.node, int(self._clock() * 1000), items)
        return rows

    def _drop(self, error: BaseException) -> None:
        """Whether the batch was written is not known: closings are asked again, and an admission's hold, if it is there, is swept."""
        log.error("%s", failed(error))
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        self._give_up()
        self._wake.set()


def _fail(step: _Step, error: StorageFailed) -> None:
    if not step.done.done():
        step.done.set_exception(error)
        step.done.exception()  # whoever waits is told; a settlement nobody waits for must not warn as well
