"""What a process that was killed leaves of its tasks, and what the next one makes of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reference_gateway.tests.images.test_endpoint import LOW
from reference_gateway.tests.scripted import Script, Stage, stage
from reference_gateway.tests.tasks.receiver import receiver
from reference_gateway.tests.tasks.test_endpoint import Gate, ended, submit

DATABASE = "tasks.sqlite3"


@asynccontextmanager
async def before_processes(folder: Path, script: Script, *, allow_private: bool = False) -> AsyncIterator[Stage]:
    """A vendor and a configuration for gateways that are processes of their own."""
    async with stage(folder, script, allow_private=allow_private) as s:
        config = s.demo.config
        config.write_text(config.read_text().replace(":memory:", DATABASE))
        yield s


@asynccontextmanager
async def process(s: Stage) -> AsyncIterator[asyncio.subprocess.Process]:
    """A gateway; the stage's calls go to it. Killed when the block ends."""
    command = (sys.executable, "-m", "reference_gateway", "serve", "--config", str(s.demo.config), "--port", "0")
    gateway = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert gateway.stdout is not None
    try:
        url = json.loads(await gateway.stdout.readline())["listening"]
        s.port = int(url.rpartition(":")[2])
        yield gateway
    finally:
        if gateway.returncode is None:
            gateway.kill()
        await gateway.wait()


async def reached(s: Stage, calls: int) -> None:
    async with asyncio.timeout(10):
        while len(s.calls) < calls:
            s.called.clear()
            await s.called.wait()


async def test_a_pending_task_is_run_by_the_next_process_and_a_running_one_has_failed(tmp_path: Path) -> None:
    gate = Gate()
    async with receiver() as hook, before_processes(tmp_path, gate, allow_private=True) as s:
        async with process(s):
            running = [(await submit(s)).json()["task_id"] for _ in range(7)]
            running.append((await submit(s, callback_url=hook.url)).json()["task_id"])
            pending = (await submit(s, out_task_id="mine")).json()["task_id"]
            await reached(s, 8)
            assert (await s.account())["held_micro_usd"] == 9 * 2 * LOW
        gate.open.set()
        async with process(s):
            done = await ended(s, pending)
            assert (done["status"], done["out_task_id"]) == ("completed", "mine")
            for task_id in running:
                failed = await ended(s, task_id)
                assert (failed["status"], failed["error_code"]) == ("failed", "interrupted")
            assert (await hook.wait(1))["task_id"] == running[-1]
            assert await s.spent() == 2 * LOW
            assert len(s.calls) == 9
            assert (await submit(s, out_task_id="mine")).json()["task_id"] == pending


@pytest.mark.parametrize("settled", [False, True])
async def test_what_was_made_is_delivered_and_billed_once(settled: bool, tmp_path: Path) -> None:
    """Killed after the images were noted down: before the settlement, or between it and the task's end."""
    async with before_processes(tmp_path, Gate()) as s:
        async with process(s):
            task_id = (await submit(s)).json()["task_id"]
            await reached(s, 1)
        _write(tmp_path, task_id, settled=settled)
        async with process(s):
            done = await ended(s, task_id)
            assert (done["status"], done["credits_used_micro_usd"]) == ("completed", LOW)
            assert done["output"] == [{"url": "u", "revised_prompt": None}]
            assert await s.spent() == LOW
            (row,) = await s.usage()
            assert (row["request_id"], row["images"]) == (task_id, 1)
            assert len(s.calls) == 1


def _write(folder: Path, task_id: str, *, settled: bool) -> None:
    """What the process would have written next."""
    output = {"items": [{"url": "u", "revised_prompt": None}], "errors": [], "usage": {"images": 1, "image_class": "low"}}
    database = sqlite3.connect(folder / DATABASE)
    with database:
        database.execute("UPDATE tasks SET output = ? WHERE id = ? AND state = 'running'", (json.dumps(output), task_id))
        if settled:
            database.execute(
                "INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms) VALUES ('settle', ?, ?, ?, ?, 1)",
                ("account-1", "key-1", task_id, LOW),
            )
            database.execute(
                "INSERT INTO usage (request_id, account, key_id, model, surface, input_tokens, output_tokens, cache_read_tokens,"
                " cache_write_5m_tokens, cache_write_1h_tokens, cost_micro_usd, estimated, created_ms, images)"
                " VALUES (?, 'account-1', 'key-1', 'gpt-image-2', 'images', 0, 0, 0, 0, 0, ?, 0, 1, 1)",
                (task_id, LOW),
            )
    database.close()


async def test_a_gateway_that_stops_in_order_leaves_no_task_running(tmp_path: Path) -> None:
    gate = Gate()
    async with before_processes(tmp_path, gate) as s:
        async with process(s) as gateway:
            task_id = (await submit(s)).json()["task_id"]
            await reached(s, 1)
            gateway.send_signal(signal.SIGTERM)
            gate.open.set()  # what runs may end
            async with asyncio.timeout(30):
                assert await gateway.wait() == 0
        async with process(s):
            assert (await ended(s, task_id))["status"] == "completed"
            assert await s.spent() == 2 * LOW
