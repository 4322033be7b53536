"""Each step of a task is one process's alone, on either database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from reference_gateway.billing.prices import Usage
from reference_gateway.storage.interface import Database
from reference_gateway.storage.sqlite import Store
from reference_gateway.storage.tasks import TaskTable
from reference_gateway.tasks import ulid
from reference_gateway.tasks.task import Output, State, Task

TASK = Task(
    id=ulid.new(1),
    account="a",
    key_id="k",
    out_task_id="mine",
    fingerprint="f",
    model="gpt-image-2",
    body=b'{"prompt":"a \\u00e4 cat","model":"gpt-image-2","x":1.0}',
    link_base="http://here",
    state=State.PENDING,
    callback_url="http://there/",
    callback_attempts=0,
    estimated_micro_usd=7,
    created_ms=5,
)


async def steps(database: Database) -> None:
    table = TaskTable(database)
    assert await table.add(TASK)
    assert not await table.add(replace(TASK, id=ulid.new(2)))
    assert await table.add(replace(TASK, id=ulid.new(3), key_id="other"))
    assert await table.get("k", TASK.id) == await table.find("k", "mine") == TASK
    assert await table.get("other", TASK.id) is None
    assert await table.find("nobody", "mine") is None
    assert [task.id for task in await table.pending(1)] == [TASK.id]

    assert not await table.complete(TASK.id, 1, 1)
    assert not await table.produce(TASK.id, Output(items=()))
    assert await table.start(TASK.id, "node", 10)
    assert not await table.start(TASK.id, "another", 10)
    assert [(task.id, task.node, task.started_ms) for task in await table.running()] == [(TASK.id, "node", 10)]

    output = Output(items=({"url": "u"},), errors=({"code": "c"},), usage=Usage(images=1, image_class="low"), provider="p", channel="c")
    assert not await table.complete(TASK.id, 1, 1)
    assert await table.produce(TASK.id, output)
    assert not await table.produce(TASK.id, output)
    assert not await table.cancel("k", TASK.id, 20)
    assert not await table.fail(TASK.id, "x", "y", 20)
    assert await table.complete(TASK.id, 6, 30)
    assert not await table.complete(TASK.id, 7, 40)
    done = await table.get("k", TASK.id)
    assert done is not None
    assert (done.state, done.charged_micro_usd, done.finished_ms) == (State.COMPLETED, 6, 30)
    assert done.output is not None
    assert done.output.usage == output.usage
    assert list(done.output.items) == [{"url": "u"}]

    assert await table.callbacks_due(29, 10) == []
    assert [task.id for task in await table.callbacks_due(30, 10)] == [TASK.id]
    taken = await asyncio.gather(*(table.attempt_callback(done, 60) for _ in range(4)))
    assert sorted(taken) == [False, False, False, True]
    (again,) = await table.callbacks_due(60, 10)
    assert again.callback_attempts == 1
    assert await table.attempt_callback(again, None)
    assert await table.callbacks_due(1_000, 10) == []
    await table.callback_done(TASK.id)

    await _other_ends(table)


async def _other_ends(table: TaskTable) -> None:
    first, second = (replace(TASK, id=ulid.new(number), out_task_id=None, callback_url=None) for number in (10, 11))
    for task in (first, second):
        assert await table.add(task)
    assert not await table.cancel("other", first.id, 20)
    assert await table.cancel("k", first.id, 20)
    assert not await table.start(first.id, "node", 30)
    assert await table.fail(second.id, "x", "y", 20)
    cancelled, failed = await table.get("k", first.id), await table.get("k", second.id)
    assert cancelled is not None
    assert failed is not None
    assert (cancelled.state, cancelled.finished_ms, failed.state) == (State.CANCELLED, 20, State.FAILED)
    assert (failed.error_code, failed.error_message) == ("x", "y")
    assert await table.callbacks_due(1_000, 10) == []  # nobody asked to be called
    assert await table.charged(first.id) == 0


async def test_on_sqlite(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "tasks.sqlite3"))
    try:
        await steps(store)
    finally:
        await store.close()
