"""Killed in the middle of everything, the books still balance after the restart (billing-and-storage.md 4.3, invariant 19)."""

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import Demo, demo_config
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import PATIENCE_S, Client, Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, STREAMS, request

SURFACES = [Surface.CHAT, Surface.MESSAGES, Surface.GEMINI, Surface.RESPONSES]
CALLERS = 16
REQUESTS = 10_000
KILLS = 5


async def script(call: Upstream) -> None:
    """Successes whole and streamed, refusals, broken streams and hang-ups, as the caller asks by a header."""
    surface = Surface(call.header("x-stainless-surface")[0])
    match call.header("x-stainless-act")[0]:
        case "whole":
            await call.answer(BODIES[surface])
        case "refuse":
            await call.answer(b'{"error":{"message":"overloaded"}}', 503)
        case "reset":
            call.reset()
        case act:
            events = STREAMS[surface]
            await call.head()
            for event in events if act == "stream" else events[: len(events) // 2]:
                await call.chunk(event)
            if act == "stream":
                await call.end()
            else:
                call.fin()


ACTS = ["whole", "whole", "stream", "stream", "stream", "refuse", "reset", "cut", "leave"]


@dataclass
class Run:
    """What the callers saw. `lost` counts calls that a kill or their own leaving cut off: each may have been charged or not."""

    demo: Demo
    port: int = 0
    left: int = REQUESTS
    paid: int = 0
    lost: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event)
    until: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def reach(self, left: int) -> None:
        self.until = left
        self.reached.clear()
        await self.reached.wait()

    def take(self) -> None:
        self.left -= 1
        if self.left <= self.until:
            self.reached.set()


@asynccontextmanager
async def gateway(run: Run) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reference_gateway", "--config", str(run.demo.config), "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    run.port = int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2])
    run.started.set()
    try:
        yield process
    finally:
        run.started.clear()
        process.kill()
        await process.wait()


async def caller(run: Run, dice: random.Random, key: str) -> None:
    client: Client | None = None
    while run.left > 0:
        await run.started.wait()
        run.take()
        act, surface = dice.choice(ACTS), dice.choice(SURFACES)
        path, body, headers = request(surface, stream=act in ("stream", "cut", "leave"))
        named = {"authorization": f"Bearer {key}", "x-stainless-act": "stream" if act == "leave" else act}
        try:
            client = client or Client(*await asyncio.open_connection("127.0.0.1", run.port))
            client.send_request("POST", path, json.dumps(body).encode(), {**headers, **named, "x-stainless-surface": surface.value})
            if act == "leave":
                await client.head()
                raise ConnectionAbortedError
            answer = await client.answer()
            if not answer.whole:
                raise ConnectionResetError
            if answer.status == 200 and act in ("whole", "stream"):
                run.paid += COSTS[surface]
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            run.lost += 1
            if client is not None:
                client.reset()
                client = None
            await asyncio.sleep(0.01)
    if client is not None:
        client.close()


async def test_the_books_balance_after_kill_9(tmp_path: Path) -> None:
    dice = random.Random(19)
    async with stage(tmp_path / "upstream", script) as upstream:
        run = Run(demo_config(upstream.upstream_url, tmp_path / "killed", accounts=4, database="books.sqlite3"))
        callers = [asyncio.create_task(caller(run, random.Random(number), run.demo.keys[number % 4])) for number in range(CALLERS)]
        for kill in range(KILLS):
            async with gateway(run):
                until = REQUESTS * (KILLS - 1 - kill) // KILLS + dice.randrange(REQUESTS // KILLS)
                async with asyncio.timeout(10 * PATIENCE_S):
                    await run.reach(until)
        run.left = 0
        run.started.set()  # whoever waits for the next gateway goes home
        await asyncio.gather(*callers)

        async with Running(load(run.demo.config), stop_within_s=1.0) as again:
            wallets = [await again.treasury.wallet(f"account-{number}") for number in range(1, 5)]
    assert all((wallet.topped_up, wallet.held) == (100_000_000, 0) for wallet in wallets)
    spent = sum(wallet.spent for wallet in wallets)
    books = sqlite3.connect(tmp_path / "killed" / "books.sqlite3")
    try:
        assert books.execute("SELECT sum(cost_micro_usd) FROM usage").fetchone() == (spent,)
        assert books.execute("SELECT sum(amount_micro_usd) FROM ledger WHERE kind IN ('settle', 'adjust')").fetchone() == (spent,)
        holds, ends = (
            books.execute(f"SELECT count(*) FROM ledger WHERE kind IN {kinds}").fetchone()[0]
            for kinds in ("('hold')", "('settle', 'release')")
        )
        assert holds == ends > REQUESTS // 2
    finally:
        books.close()
    # Whoever had a whole answer was charged for it before its last byte; at most the calls that were cut off were charged besides.
    assert run.paid <= spent <= run.paid + run.lost * max(COSTS.values())
