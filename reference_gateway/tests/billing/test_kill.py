"""Killed in the middle of everything, the books still balance after the restart (billing-and-storage.md 4.3, invariant 19)."""

import asyncio
import json
import sys
from pathlib import Path

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, STREAMS, request

SURFACES = [Surface.CHAT, Surface.MESSAGES, Surface.GEMINI, Surface.RESPONSES]


async def test_the_books_balance_after_kill_9(tmp_path: Path) -> None:
    served, enough = 0, asyncio.Event()

    async def script(call: Upstream) -> None:
        nonlocal served
        served += 1
        if served == 150:
            enough.set()
        surface = next(s for s in SURFACES if call.header("x-stainless-surface") == [s.value])
        if served % 5 == 0:
            await call.answer(b'{"error":{"message":"overloaded"}}', 503)
        elif served % 2:
            await call.answer(BODIES[surface])
        else:
            await call.head()
            for event in STREAMS[surface]:
                await call.chunk(event)
                await asyncio.sleep(0.001)
            await call.end()

    async with stage(tmp_path, script, database="books.sqlite3") as s:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reference_gateway", "--config", str(s.demo.config), "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        port = int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2])
        killed = Stage(port=port, demo=s.demo)
        paid = 0

        async def keep_calling(number: int) -> None:
            nonlocal paid
            for turn in range(1000):
                surface = SURFACES[(number + turn) % 4]
                path, body, headers = request(surface, stream=bool(turn % 2))
                answer = await killed.post(path, body, **headers, x_stainless_surface=surface.value)
                paid += COSTS[surface] if answer.status == 200 and answer.whole else 0

        callers = [asyncio.create_task(keep_calling(number)) for number in range(8)]
        await enough.wait()
        process.kill()
        await process.wait()
        await asyncio.gather(*callers, return_exceptions=True)

        async with Running(load(s.demo.config), stop_within_s=1.0) as again:
            s.port = int(again.url.rpartition(":")[2])
            balance = await s.account()
            rows = await s.usage(query="?limit=1000")
            assert balance["held_micro_usd"] == 0
            assert sum(row["cost_micro_usd"] for row in rows) == balance["lifetime_spent_micro_usd"]
            # Whoever had a whole answer was charged for it before its last byte; at most the calls under way were charged besides.
            assert paid <= balance["lifetime_spent_micro_usd"] <= paid + len(callers) * max(COSTS.values())
