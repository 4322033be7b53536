"""Tasks in the database: portable SQL, and each step a conditional update, so that of several processes one alone takes it."""

from __future__ import annotations

from typing import Final

import msgspec

from reference_gateway.storage.interface import Conflict, Database, Row, Values
from reference_gateway.tasks.task import Output, State, Task

_INSERT: Final = """
    INSERT INTO tasks (id, account, key_id, out_task_id, fingerprint, model, params, state, callback_url, estimated_micro_usd, created_ms)
    VALUES (:id, :account, :key_id, :out_task_id, :fingerprint, :model, :params, :state, :callback_url, :estimated_micro_usd, :created_ms)
"""
# What a caller may see of another key's task is nothing (contract:223), so every question has the key in it.
_BY_ID: Final = "SELECT * FROM tasks WHERE id = :id AND key_id = :key_id"
_BY_OUT_ID: Final = "SELECT * FROM tasks WHERE out_task_id = :out_task_id AND key_id = :key_id"
_PENDING: Final = "SELECT * FROM tasks WHERE state = 'pending' ORDER BY id LIMIT :number"
_RUNNING: Final = "SELECT * FROM tasks WHERE state = 'running' ORDER BY id"
_START: Final = "UPDATE tasks SET state = 'running', node = :node, started_ms = :at_ms WHERE id = :id AND state = 'pending'"
_PRODUCE: Final = "UPDATE tasks SET output = :output WHERE id = :id AND state = 'running' AND output IS NULL"
_COMPLETE: Final = """
    UPDATE tasks SET state = 'completed', charged_micro_usd = :charged, finished_ms = :at_ms,
    callback_due_ms = CASE WHEN callback_url IS NULL THEN NULL ELSE CAST(:at_ms AS BIGINT) END
    WHERE id = :id AND state = 'running' AND output IS NOT NULL
"""
_CHARGED: Final = "SELECT cost_micro_usd FROM usage WHERE request_id = :id"
_FAIL: Final = """
    UPDATE tasks SET state = 'failed', error_code = :code, error_message = :message, finished_ms = :at_ms,
    callback_due_ms = CASE WHEN callback_url IS NULL THEN NULL ELSE CAST(:at_ms AS BIGINT) END
    WHERE id = :id AND state IN ('pending', 'running') AND output IS NULL
"""
# What is made already is delivered and billed: it can no longer be cancelled.
_CANCEL: Final = """
    UPDATE tasks SET state = 'cancelled', finished_ms = :at_ms,
    callback_due_ms = CASE WHEN callback_url IS NULL THEN NULL ELSE CAST(:at_ms AS BIGINT) END
    WHERE id = :id AND key_id = :key_id AND state IN ('pending', 'running') AND output IS NULL
"""
_DUE: Final = "SELECT * FROM tasks WHERE callback_due_ms <= :now_ms ORDER BY callback_due_ms LIMIT :number"
_ATTEMPT: Final = """
    UPDATE tasks SET callback_attempts = callback_attempts + 1, callback_due_ms = :next_ms
    WHERE id = :id AND callback_attempts = :attempts AND callback_due_ms IS NOT NULL
"""
_DONE: Final = "UPDATE tasks SET callback_due_ms = NULL WHERE id = :id"


class TaskTable:
    """Raises StorageFailed where the database cannot be written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, task: Task) -> bool:
        """False where the key has a task of that `out_task_id` already."""
        params = msgspec.json.encode({"link_base": task.link_base, "body": msgspec.Raw(task.body)})
        values: Values = {
            "id": task.id,
            "account": task.account,
            "key_id": task.key_id,
            "out_task_id": task.out_task_id,
            "fingerprint": task.fingerprint,
            "model": task.model,
            "params": params.decode(),
            "state": task.state.value,
            "callback_url": task.callback_url,
            "estimated_micro_usd": task.estimated_micro_usd,
            "created_ms": task.created_ms,
        }
        try:
            await self._database.write((_INSERT, values))
        except Conflict:
            return False
        return True

    async def get(self, key_id: str, task_id: str) -> Task | None:
        return _first(await self._database.fetch(_BY_ID, {"id": task_id, "key_id": key_id}))

    async def find(self, key_id: str, out_task_id: str) -> Task | None:
        return _first(await self._database.fetch(_BY_OUT_ID, {"out_task_id": out_task_id, "key_id": key_id}))

    async def pending(self, number: int) -> list[Task]:
        """Oldest first."""
        return [_read(row) for row in await self._database.fetch(_PENDING, {"number": number})]

    async def running(self) -> list[Task]:
        return [_read(row) for row in await self._database.fetch(_RUNNING, {})]

    async def start(self, task_id: str, node: str, at_ms: int) -> bool:
        """False where it is not pending any more: another process has it, or it was cancelled."""
        return await self._one(_START, {"id": task_id, "node": node, "at_ms": at_ms})

    async def produce(self, task_id: str, output: Output) -> bool:
        """Keeps what came of it, before it is billed; False where it was cancelled meanwhile."""
        text = msgspec.json.encode(output).decode()
        return await self._one(_PRODUCE, {"id": task_id, "output": text})

    async def complete(self, task_id: str, charged_micro_usd: int, at_ms: int) -> bool:
        return await self._one(_COMPLETE, {"id": task_id, "charged": charged_micro_usd, "at_ms": at_ms})

    async def charged(self, task_id: str) -> int:
        """micro-USD of the task's usage row; 0 where it has none."""
        rows = await self._database.fetch(_CHARGED, {"id": task_id})
        return int(rows[0]["cost_micro_usd"]) if rows else 0

    async def fail(self, task_id: str, code: str, message: str, at_ms: int) -> bool:
        return await self._one(_FAIL, {"id": task_id, "code": code, "message": message, "at_ms": at_ms})

    async def cancel(self, key_id: str, task_id: str, at_ms: int) -> bool:
        """False where it has ended, or is about to."""
        return await self._one(_CANCEL, {"id": task_id, "key_id": key_id, "at_ms": at_ms})

    async def callbacks_due(self, now_ms: int, number: int) -> list[Task]:
        return [_read(row) for row in await self._database.fetch(_DUE, {"now_ms": now_ms, "number": number})]

    async def attempt_callback(self, task: Task, next_ms: int | None) -> bool:
        """Takes the attempt that is due; False where another process has it. `next_ms` is when the one after it is due."""
        return await self._one(_ATTEMPT, {"id": task.id, "attempts": task.callback_attempts, "next_ms": next_ms})

    async def callback_done(self, task_id: str) -> None:
        await self._database.write((_DONE, {"id": task_id}))

    async def _one(self, sql: str, values: Values) -> bool:
        return await self._database.write((sql, values)) == [1]


def _first(rows: list[Row]) -> Task | None:
    return _read(rows[0]) if rows else None


def _read(row: Row) -> Task:
    params = msgspec.json.decode(row["params"], type=dict[str, msgspec.Raw])
    output = msgspec.json.decode(row["output"], type=Output) if row["output"] is not None else None
    return Task(
        id=row["id"],
        account=row["account"],
        key_id=row["key_id"],
        out_task_id=row["out_task_id"],
        fingerprint=row["fingerprint"],
        model=row["model"],
        body=bytes(params["body"]),
        link_base=msgspec.json.decode(params["link_base"], type=str),
        state=State(row["state"]),
        callback_url=row["callback_url"],
        callback_attempts=int(row["callback_attempts"]),
        estimated_micro_usd=int(row["estimated_micro_usd"]),
        created_ms=int(row["created_ms"]),
        charged_micro_usd=_number(row["charged_micro_usd"]),
        output=output,
        error_code=row["error_code"],
        error_message=row["error_message"],
        node=row["node"],
        started_ms=_number(row["started_ms"]),
        finished_ms=_number(row["finished_ms"]),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
