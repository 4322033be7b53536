"""Gateway processes that share PostgreSQL and Redis: killed at random moments, and with their servers killed under them.

billing-and-storage.md 4.3, invariants 6 and 19 over two processes.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import Demo, demo_config
from reference_gateway.routes import Surface
from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.tests.scripted import PATIENCE_S, Answer, Client, Stage, Upstream, stage
from reference_gateway.tests.services import Postgres, Redis, own_postgres, own_redis, postgres, redis_server, storage_table, until
from reference_gateway.tests.wires import BODIES, COSTS, STREAMS, request

__all__ = ["own_postgres", "own_redis", "postgres", "redis_server"]

SURFACES = [Surface.CHAT, Surface.MESSAGES, Surface.GEMINI, Surface.RESPONSES]
SMALL: dict[Surface, dict[str, Any]] = {
    Surface.CHAT: {"max_tokens": 20},
    Surface.RESPONSES: {"max_output_tokens": 20},
    Surface.MESSAGES: {"max_tokens": 20},
    Surface.GEMINI: {"generationConfig": {"maxOutputTokens": 20}},
}
ACTS = ["whole", "whole", "stream", "stream", "stream", "refuse", "reset", "cut", "leave"]
START_WITHIN_S = 120.0  # seconds of CPU on a machine that may be busy; a bound against hanging, never a measure
CALLERS = 16
ACCOUNTS = 4
REQUESTS = 10_000
KILLS = 6
BALANCE_USD, BALANCE = "0.14", 140_000  # less than the run could spend, so that wallets run dry in the middle of it


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


def configured(upstream: Stage, folder: Path, database_url: str, redis_url: str, **options: Any) -> Demo:
    demo = demo_config(upstream.upstream_url, folder, **options)
    for name, text in (("database-url", database_url), ("redis-url", redis_url)):
        (folder / name).write_text(text)
    demo.config.write_text(storage_table(folder / "database-url", folder / "redis-url") + demo.config.read_text())
    return demo


@dataclass
class Node:
    """One gateway process."""

    demo: Demo
    port: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reference_gateway", "--config", str(self.demo.config), "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(START_WITHIN_S):
            line = await self.process.stdout.readline()
        self.port = int(json.loads(line)["listening"].rpartition(":")[2])
        self.up.set()

    async def end(self, number: signal.Signals) -> None:
        self.up.clear()
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            async with asyncio.timeout(START_WITHIN_S):
                await self.process.wait()


@asynccontextmanager
async def nodes(demo: Demo) -> AsyncIterator[list[Node]]:
    made = [Node(demo), Node(demo)]
    try:
        await asyncio.gather(*(node.start() for node in made))
        yield made
    finally:
        for node in made:
            await node.end(signal.SIGKILL)


@dataclass
class Run:
    """What the callers saw. `lost` counts calls that a kill or their own leaving cut off: each may have been charged or not."""

    nodes: list[Node]
    left: int = REQUESTS
    kills_left: int = KILLS
    paid: int = 0
    lost: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    waiting_for: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def reach(self, left: int) -> None:
        self.waiting_for = left
        self.reached.clear()
        async with asyncio.timeout(30 * PATIENCE_S):
            await self.reached.wait()

    def take(self) -> bool:
        """Goes on beyond the end until the last kill."""
        if self.left <= 0 and self.kills_left == 0:
            return False
        self.left -= 1
        if self.left <= self.waiting_for:
            self.reached.set()
        return True


async def caller(run: Run, number: int, key: str) -> None:
    """Goes round the processes with each call, and on to the next where one is down."""
    dice = random.Random(number)
    clients: dict[int, Client] = {}
    turn = number
    while run.take():
        turn += 1
        node = run.nodes[turn % len(run.nodes)]
        if not node.up.is_set():
            node = run.nodes[(turn + 1) % len(run.nodes)]
            await node.up.wait()
        act, surface = dice.choice(ACTS), dice.choice(SURFACES)
        path, body, headers = request(surface, stream=act in ("stream", "cut", "leave"), **SMALL[surface])
        named = {"authorization": f"Bearer {key}", "x-stainless-act": "stream" if act == "leave" else act}
        port = node.port
        try:
            if port not in clients:
                clients[port] = Client(*await asyncio.open_connection("127.0.0.1", port))
            client = clients[port]
            client.send_request("POST", path, json.dumps(body).encode(), {**headers, **named, "x-stainless-surface": surface.value})
            if act == "leave":
                await client.head()
                raise ConnectionAbortedError
            answer = await client.answer()
            if not answer.whole:
                raise ConnectionResetError
            run.statuses[answer.status] = run.statuses.get(answer.status, 0) + 1
            if answer.status == 200 and act in ("whole", "stream"):
                run.paid += COSTS[surface]
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            run.lost += 1
            if port in clients:
                clients.pop(port).reset()
            await asyncio.sleep(0.01)
    for client in clients.values():
        client.close()


class Ledger:
    """The books as they stand in the database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def sum(self, sql: str) -> int:
        rows = await self._database.fetch(f"SELECT coalesce(sum(amount), 0)::bigint AS amount FROM ({sql}) AS of_", {})
        amount: int = rows[0]["amount"]
        return amount

    async def nothing_is_held(self) -> bool:
        return await self.sum("SELECT held_micro_usd + (SELECT count(*) FROM open_holds) AS amount FROM accounts") == 0

    async def spent(self) -> int:
        """Of all accounts; asserts that rows, ledger, wallets and keys agree to the micro-USD."""
        spent = await self.sum("SELECT spent_micro_usd AS amount FROM accounts")
        assert spent == await self.sum("SELECT cost_micro_usd AS amount FROM usage")
        assert spent == await self.sum("SELECT amount_micro_usd AS amount FROM ledger WHERE kind IN ('settle', 'adjust')")
        assert spent == await self.sum("SELECT spent_micro_usd AS amount FROM keys")
        holds, ends = [
            await self.sum(f"SELECT 1 AS amount FROM ledger WHERE kind IN ({kinds})") for kinds in ("'hold'", "'settle', 'release'")
        ]
        assert holds == ends
        overdrawn = "SELECT 1 AS amount FROM accounts WHERE topped_up_micro_usd < spent_micro_usd OR spent_micro_usd < 0"
        assert await self.sum(overdrawn) == 0
        return spent


@asynccontextmanager
async def ledger(url: str) -> AsyncIterator[Ledger]:
    database = PostgresDatabase(url)
    try:
        yield Ledger(database)
    finally:
        await database.close()


async def test_two_processes_killed_at_random_moments_lose_and_invent_no_money(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    """Invariant 19."""
    dice = random.Random(19)
    url = await asyncio.to_thread(postgres.fresh)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(stage(tmp_path / "upstream", script))
        demo = configured(upstream, tmp_path / "nodes", url, redis_server.fresh(), accounts=ACCOUNTS, balance_usd=BALANCE_USD)
        demo.config.write_text(demo.config.read_text().replace("[accounts.account-1]\n", "[accounts.account-1]\nmax_concurrency = 3\n"))
        both = await stack.enter_async_context(nodes(demo))
        run = Run(both)
        part = REQUESTS // (KILLS + 1)
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(caller(run, number, demo.keys[number % ACCOUNTS]))
            for kill in range(KILLS):
                await run.reach(min(run.left, REQUESTS - part * kill) - dice.randrange(1, part))
                node = both[kill % 2]
                await node.end(signal.SIGKILL)
                await node.start()
                run.kills_left -= 1
        books = await stack.enter_async_context(ledger(url))
        await until(books.nothing_is_held)  # the last one killed is found dead by the other
        for node in both:
            await node.end(signal.SIGTERM)
        spent = await books.spent()
        assert await books.sum("SELECT 1 AS amount FROM nodes WHERE id NOT IN (SELECT node FROM open_holds)") <= KILLS
    assert run.statuses[200] > REQUESTS // 4
    assert run.statuses[402] > 0
    # Whoever had a whole answer was charged for it before its last byte; at most the calls that were cut off were charged besides.
    assert run.paid <= spent <= run.paid + run.lost * max(COSTS.values())
    assert spent <= ACCOUNTS * BALANCE


async def test_two_processes_admit_no_more_than_the_wallet_can_pay(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> None:
    """Invariant 6."""
    url = await asyncio.to_thread(postgres.fresh)
    surface, cost, quota = Surface.CHAT, COSTS[Surface.CHAT], 4_000
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(stage(tmp_path / "upstream", script))
        demo = configured(upstream, tmp_path / "nodes", url, redis_server.fresh(), accounts=1, balance_usd=f"0.{quota:06d}")
        both = await stack.enter_async_context(nodes(demo))
        path, body, headers = request(surface, **SMALL[surface])
        sent = {"x_stainless_act": "whole", "x_stainless_surface": surface.value}

        async def call(number: int) -> Answer:
            at = Stage(port=both[number % 2].port, demo=demo)
            return await at.post(path, body, **headers, **sent)

        answers: list[Answer] = []
        for _ in range(4):
            answers += await asyncio.gather(*map(call, range(40)))
        served = [answer for answer in answers if answer.status == 200]
        assert {answer.status for answer in answers} == {200, 402}
        assert 0 < len(served) <= quota // cost
        assert len(upstream.calls) == len(served)  # invariant 4: no call before funds
        books = await stack.enter_async_context(ledger(url))
        assert await books.spent() == len(served) * cost <= quota
        # Invariant 20, and the books are one: what one process has billed the other shows.
        for node in both:
            at = Stage(port=node.port, demo=demo)
            assert await at.spent() == len(served) * cost
            rows = await at.usage(query="?limit=1000")
            assert {row["request_id"] for row in rows} == {answer.header("x-request-id") for answer in served}


async def test_a_key_deleted_on_one_process_is_dead_on_the_other(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> None:
    """contract:036, contract:151: in the middle of a stream too."""
    url = await asyncio.to_thread(postgres.fresh)
    going_on = asyncio.Event()

    async def endless(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[Surface.CHAT][:2]:
            await call.chunk(event)
        await going_on.wait()

    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(stage(tmp_path / "upstream", endless))
        demo = configured(upstream, tmp_path / "nodes", url, redis_server.fresh(), accounts=1)
        here, there = [await stack.enter_async_context(Running(load(demo.config), stop_within_s=1.0)) for _ in range(2)]
        one, other = [Stage(port=int(running.url.rpartition(":")[2]), demo=demo) for running in (here, there)]
        made = await one.post("/api/v1/keys", {"name": "short-lived", "group_id": "default"})
        assert made.status in (200, 201), made
        key_id, secret = made.json()["id"], made.json()["key"]
        path, body, headers = request(Surface.CHAT, stream=True)

        async def is_known() -> bool:
            return (await other.get("/v1/models", secret)).status == 200

        await until(is_known)
        client = await other.client()
        client.send_request("POST", path, json.dumps(body).encode(), {**headers, "authorization": f"Bearer {secret}"})
        status, _ = await client.head()
        assert status == 200
        assert await client.chunk()
        assert (await one.call("DELETE", f"/api/v1/keys/{key_id}", b"", {"authorization": f"Bearer {demo.keys[0]}"})).status in (200, 204)
        rest = b""
        async with asyncio.timeout(PATIENCE_S):
            while chunk := await client.chunk():
                rest += chunk
        assert b"authentication_error" in rest
        assert b"[DONE]" not in rest
        client.close()
        assert (await other.get("/v1/models", secret)).status == 401
        going_on.set()
        books = await stack.enter_async_context(ledger(url))
        await until(books.nothing_is_held)
        assert await books.spent() == 0


FAMILIES = [(Surface.CHAT, "server_error"), (Surface.MESSAGES, "overloaded_error"), (Surface.GEMINI, "UNAVAILABLE")]


async def test_servers_killed_under_a_gateway_nothing_is_unpaid_and_all_goes_on_afterwards(
    own_postgres: Postgres, own_redis: Redis, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(own_postgres.fresh)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(stage(tmp_path / "upstream", script))
        demo = configured(upstream, tmp_path / "nodes", url, own_redis.url, accounts=1)
        demo.config.write_text(demo.config.read_text().replace("[accounts.account-1]\n", "[accounts.account-1]\nmax_concurrency = 50\n"))
        running = await stack.enter_async_context(Running(load(demo.config), stop_within_s=1.0))
        at = Stage(port=int(running.url.rpartition(":")[2]), demo=demo)

        async def call(surface: Surface = Surface.CHAT) -> Answer:
            path, body, headers = request(surface, **SMALL[surface])
            return await at.post(path, body, **headers, x_stainless_act="whole", x_stainless_surface=surface.value)

        assert (await call()).status == 200
        await asyncio.to_thread(own_redis.kill)
        assert [(await call()).status for _ in range(3)] == [200] * 3  # the database counts
        served = len(upstream.calls)
        await asyncio.to_thread(own_postgres.kill)
        for surface, word in FAMILIES:
            answer = await call(surface)
            assert answer.status == 503
            assert word in answer.body.decode()
            assert answer.header("x-request-id")
            assert answer.header("retry-after")
            assert b"ledger" in answer.body
            assert b"127.0.0.1" not in answer.body
        own = [await at.get(path) for path in ("/api/v1/me/account", "/api/v1/usage")]
        assert [answer.status for answer in own] == [503, 503]
        assert (await at.get("/v1/models")).status == 200
        assert len(upstream.calls) == served
        assert not running.books.writable()
        await asyncio.gather(asyncio.to_thread(own_postgres.start), asyncio.to_thread(own_redis.start))

        async def is_served() -> bool:
            return (await call()).status == 200

        await until(is_served)
        assert running.books.writable()
        books = await stack.enter_async_context(ledger(url))
        await until(books.nothing_is_held)
        assert await books.spent() == len(upstream.calls) * COSTS[Surface.CHAT]


@pytest.mark.parametrize("moment", ["stream", "settlement"])
async def test_postgres_killed_in_the_middle_of_a_stream_it_is_billed_when_it_is_back(
    own_postgres: Postgres, own_redis: Redis, tmp_path: Path, moment: str
) -> None:
    url = await asyncio.to_thread(own_postgres.fresh)
    half, go_on = asyncio.Event(), asyncio.Event()

    async def halting(call: Upstream) -> None:
        await call.head()
        events = STREAMS[Surface.CHAT]
        for number, event in enumerate(events):
            if number == (2 if moment == "stream" else len(events) - 1):
                half.set()
                await go_on.wait()
            await call.chunk(event)
        await call.end()

    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(stage(tmp_path / "upstream", halting))
        demo = configured(upstream, tmp_path / "nodes", url, own_redis.url, accounts=1)
        running = await stack.enter_async_context(Running(load(demo.config), stop_within_s=1.0))
        at = Stage(port=int(running.url.rpartition(":")[2]), demo=demo)
        path, body, headers = request(Surface.CHAT, stream=True)
        answering = asyncio.create_task(at.post(path, body, **headers))
        await half.wait()
        await asyncio.to_thread(own_postgres.kill)
        go_on.set()
        answer = await answering  # the caller has what it came for, though it cannot be written yet
        assert answer.whole
        assert answer.body.endswith(b"data: [DONE]\n\n")
        await asyncio.to_thread(own_postgres.start)
        books = await stack.enter_async_context(ledger(url))
        await until(books.nothing_is_held)
        assert await books.spent() == COSTS[Surface.CHAT]
