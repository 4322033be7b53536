"""Tasks of two gateway processes that share PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.tests.images.test_endpoint import LOW
from reference_gateway.tests.scripted import Client, Stage, stage
from reference_gateway.tests.services import Postgres, Redis, postgres, redis_server
from reference_gateway.tests.storage.test_tasks import steps
from reference_gateway.tests.tasks.test_endpoint import Gate, ended, query, submit
from reference_gateway.tests.tasks.test_restart import process, reached

__all__ = ["postgres", "redis_server"]


async def test_each_step_on_postgres(postgres: Postgres) -> None:
    database = PostgresDatabase(await asyncio.to_thread(postgres.fresh))
    await database.open()
    try:
        await steps(database)
    finally:
        await database.close()


@asynccontextmanager
async def shared_stage(folder: Path, gate: Gate, postgres: Postgres, redis: Redis) -> AsyncIterator[Stage]:
    """A vendor and a configuration for several gateways."""
    async with stage(folder, gate) as s:
        (folder / "database").write_text(await asyncio.to_thread(postgres.fresh))
        (folder / "redis").write_text(redis.url)
        storage = '[storage]\ndatabase_file = "database"\nredis_file = "redis"\ndead_after_ms = 1000\n'
        s.demo.config.write_text(s.demo.config.read_text() + storage)
        yield s


async def watch(s: Stage, task_id: str) -> Client:
    client = await s.client()
    client.send_request("GET", f"/v1/tasks/stream/{task_id}", b"", {"authorization": f"Bearer {s.demo.keys[0]}"})
    assert (await client.head())[0] == 200
    return client


async def state(client: Client) -> str:
    while (event := await client.chunk()).startswith(b":"):
        pass
    document: dict[str, Any] = json.loads(event.partition(b"data: ")[2])
    return str(document["status"])


async def test_a_task_is_seen_watched_and_cancelled_at_either_process(tmp_path: Path, postgres: Postgres, redis_server: Redis) -> None:
    gate = Gate()
    async with shared_stage(tmp_path, gate, postgres, redis_server) as s, process(s):
        first_port = s.port
        async with process(s):
            second_port = s.port
            answers = []
            for port in (first_port, second_port) * 3:
                s.port = port
                answers.append(await submit(s, out_task_id="mine"))
            assert [answer.status for answer in answers] == [200] * 6, answers
            assert len({answer.json()["task_id"] for answer in answers}) == 1
            task_id = answers[0].json()["task_id"]
            await reached(s, 1)
            watchers = []
            for s.port in (first_port, second_port):
                watchers.append(await watch(s, task_id))
                assert await state(watchers[-1]) == "running"
                assert (await query(s, task_id))["status"] == "running"
            gate.open.set()
            for client in watchers:
                assert await state(client) == "completed"
                client.close()
            assert await s.spent() == 2 * LOW
            assert len(s.calls) == 1

            gate.open.clear()
            task_id = (await submit(s)).json()["task_id"]
            await reached(s, 2)
            for s.port in (first_port, second_port):  # one of them is not the one that runs it
                cancelled = await s.post(f"/v1/tasks/cancel/{task_id}", b"")
                assert cancelled.json()["status"] == "cancelled"
            async with asyncio.timeout(10):
                await s.calls[1].aborted.wait()
            assert await s.spent() == 2 * LOW


async def test_the_tasks_of_a_killed_process_are_ended_by_the_other(tmp_path: Path, postgres: Postgres, redis_server: Redis) -> None:
    gate = Gate()
    async with shared_stage(tmp_path, gate, postgres, redis_server) as s, process(s) as first:
        running = [(await submit(s)).json()["task_id"] for _ in range(8)]  # as many as it runs at once
        pending = (await submit(s)).json()["task_id"]
        await reached(s, 8)
        async with process(s):
            await reached(s, 9)  # taken by the second process
            assert (await s.account())["held_micro_usd"] == 9 * 2 * LOW
            first.kill()
            for task_id in running:
                failed = await ended(s, task_id)
                assert (failed["status"], failed["error_code"]) == ("failed", "interrupted")
            gate.open.set()
            assert (await ended(s, pending))["status"] == "completed"
            assert await s.spent() == 2 * LOW
