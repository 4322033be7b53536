"""An hour's wear in a few minutes: many callers, faulty vendors, callers that leave. `nox -s soak` runs it.

The gateway runs as a process of its own; this one plays its vendors and its callers. After a warm-up, in which pools, caches and the
allocator's arenas grow to their size, the load comes in two equal halves with a rest after each. Told at the end, and exit code 1 unless
all holds: after each rest no more file descriptors are open than before the first call; the second half has added to memory neither
blocks that are in use nor pages; no hold is open; the rows of usage add up to what the wallets lost; every answer, whatever its status,
had a request id.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reference_gateway.operations.demo import Demo, demo_config
from reference_gateway.proxy.upstream import IDLE_S
from reference_gateway.routes import Surface
from reference_gateway.tests import wires
from reference_gateway.tests.scripted import Answer, Client, Script, Upstream

SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
SILENCE_MS: Final = 400
ACCOUNTS: Final = 8
PARTS: Final = {"warm-up": 0.25, "first half": 0.375, "second half": 0.375}  # of the time
GONE_S: Final = IDLE_S + 10.0  # for idle connections to vendors to go
HUNG_UP_S: Final = 3.0  # the same where the vendors close them
GROWTH_KB: Final = 4 * 1024
GROWTH_BLOCKS: Final = 1_000  # of some 175,000: rolling windows have an entry per key and half a minute
# SQLite keeps the file of a connection that it closed while another one had a lock (our checkpoints), and opens that one next time.
KEPT_BY_SQLITE: Final = 1
PROGRAM: Final = ("-m", "reference_gateway.tests.weighed")
MESSAGES_VERSION: Final = "2023-06-01"
# What a vendor does with a call, and how often, in a hundred.
DOINGS: Final = {"well": 60, "refuse": 8, "html": 3, "error in a 200": 3, "reset": 5, "silent": 2, "cut": 6, "stall": 2, "slow": 11}


@dataclass
class Tally:
    answers: Counter[str] = field(default_factory=Counter)
    vendor: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def found(self, what: str) -> None:
        if len(self.broken) < 20:
            self.broken.append(what)


@dataclass(frozen=True, kw_only=True)
class Process:
    """What the operating system says of the gateway, and it of itself."""

    pid: int
    stdout: asyncio.StreamReader

    def memory_kb(self) -> int:
        """Its own pages. What it shares with other processes is counted with none: that changes when those come and go."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                return int(line.split()[1])
        raise AssertionError("the kernel says nothing of memory")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 (a Path for each would take longer than the look)

    async def weigh(self) -> Weight:
        memory_kb, descriptors = self.memory_kb(), self.descriptors()
        os.kill(self.pid, signal.SIGUSR1)
        async with asyncio.timeout(30):
            told = json.loads(await self.stdout.readline())
        return Weight(memory_kb=memory_kb, descriptors=descriptors, blocks=told["blocks"], waiting=told["waiting"])


@dataclass(frozen=True, kw_only=True)
class Weight:
    """Of a gateway at rest. `blocks` and `waiting` as in weighed.py; memory is from before the collector has run."""

    memory_kb: int
    descriptors: int
    blocks: int
    waiting: int

    def __str__(self) -> str:
        return f"{self.memory_kb} KB, {self.descriptors} descriptors, {self.blocks} blocks, {self.waiting} objects for the collector"


def _surface_of(call: Upstream) -> tuple[Surface, bool]:
    path = call.target.partition("?")[0]
    if ":" in path.rpartition("/")[2]:
        return Surface.GEMINI, path.endswith("streamGenerateContent")
    streams = b'"stream":true' in call.body.replace(b" ", b"")
    return {"chat/completions": Surface.CHAT, "responses": Surface.RESPONSES}.get(path.removeprefix("/v1/"), Surface.MESSAGES), streams


def vendor(tally: Tally, dice: random.Random) -> Script:
    """Every kind of good and bad behaviour, by chance; most of it good."""

    async def script(call: Upstream) -> None:
        surface, streams = _surface_of(call)
        (doing,) = dice.choices(tuple(DOINGS), tuple(DOINGS.values()))
        tally.vendor[doing] += 1
        match doing:
            case "refuse":
                status = dice.choice((400, 429, 500, 503, 529))
                await call.answer(b'{"error":{"message":"no","type":"x","code":"y"}}', status)
            case "html":
                await call.answer(b"<html>busy</html>", 200, kind="text/html")
            case "error in a 200":
                await call.answer(b'{"error":{"message":"no"}}')
            case "reset":
                call.reset()
            case "silent":
                await _until_aborted(call)
            case _ if streams:
                await _stream(call, wires.STREAMS[surface], doing, dice)
            case _:
                if doing == "slow":
                    await asyncio.sleep(0.05)
                if doing == "cut":
                    await call.send(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{")
                    call.reset()
                    return
                await call.answer(wires.BODIES[surface])

    return script


async def _stream(call: Upstream, frames: tuple[bytes, ...], doing: str, dice: random.Random) -> None:
    await call.head()
    for number, frame in enumerate(frames):
        if doing in ("cut", "stall") and number == len(frames) // 2:
            if doing == "cut":
                call.reset()
            else:
                await _until_aborted(call)
            return
        if doing == "slow":
            await asyncio.sleep(dice.random() * 0.03)
        await call.chunk(frame)
    await call.end()


async def _until_aborted(call: Upstream) -> None:
    await asyncio.wait_for(call.reader.read(1), 30)  # the gateway sends nothing more, so this is its end
    call.reset()


@dataclass(frozen=True, kw_only=True)
class Vendors:
    url: str
    connections: set[asyncio.StreamWriter]

    def hang_up(self) -> None:
        for writer in tuple(self.connections):
            writer.close()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Vendors]:
    connections: set[asyncio.StreamWriter] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        try:
            while not writer.is_closing():
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
                method, target, _ = first.split(" ")
                headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
                body = await reader.readexactly(int(dict(headers)["content-length"]))
                await script(Upstream(method, target, headers, body, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the gateway has hung up
        finally:
            connections.discard(writer)
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0, backlog=1024)
    try:
        yield Vendors(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections=connections)
    finally:
        server.close()


def request(dice: random.Random, surface: Surface, streams: bool) -> tuple[str, bytes, dict[str, str]]:
    """Path, body and headers; now and then something that the gateway itself must refuse."""
    model = wires.MODELS[surface]
    bad = dice.random()
    if bad < 0.02:
        return "/v1/nothing/here", b"{}", {}
    if bad < 0.04:
        return "/v1/chat/completions", b"{not json", {}
    if bad < 0.06:
        model = "no-such-model"
    padding = "x" * dice.choice((10, 200, 5_000, 60_000))
    body: dict[str, Any]
    match surface:
        case Surface.GEMINI:
            method = "streamGenerateContent?alt=sse" if streams else "generateContent"
            body = {"contents": [{"parts": [{"text": padding}]}], "generationConfig": {"maxOutputTokens": 100}}
            return f"/v1beta/models/{model}:{method}", json.dumps(body).encode(), {}
        case Surface.RESPONSES:
            body = {"model": model, "input": padding, "max_output_tokens": 100, "stream": streams}
            return "/v1/responses", json.dumps(body).encode(), {}
        case Surface.MESSAGES:
            body = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": padding}], "stream": streams}
            return "/v1/messages", json.dumps(body).encode(), {"anthropic-version": MESSAGES_VERSION}
        case _:
            body = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": padding}], "stream": streams}
            return "/v1/chat/completions", json.dumps(body).encode(), {}


async def caller(port: int, keys: tuple[str, ...], tally: Tally, dice: random.Random, until: Callable[[], bool]) -> None:
    client: Client | None = None
    while not until():
        if client is None:
            client = Client(*await asyncio.open_connection("127.0.0.1", port))
        streams = dice.random() < 0.5
        path, body, headers = request(dice, dice.choice(SURFACES), streams)
        key = "sk-byts-unknown" if dice.random() < 0.02 else dice.choice(keys)
        client.send_request("POST", path, body, {"authorization": f"Bearer {key}", **headers})
        leaving = dice.random()
        try:
            if leaving < 0.05:  # before anything has come
                await asyncio.sleep(dice.random() * 0.02)
                tally.answers["left at once"] += 1
                client.reset()
                client = None
                continue
            if leaving < 0.15 and streams:
                client = await _leave_in_the_middle(client, tally, dice)
                continue
            answer = await client.answer()
        except (ConnectionError, asyncio.IncompleteReadError):
            tally.found(f"{path}: the connection broke before an answer")
            client = None
            continue
        _judge(answer, path, tally)
        if not answer.whole or answer.header("connection") == "close":
            client.close()
            client = None
    if client is not None:
        client.close()


async def _leave_in_the_middle(client: Client, tally: Tally, dice: random.Random) -> Client | None:
    status, headers = await client.head()
    names = dict(headers)
    if "x-request-id" not in names:
        tally.found(f"a {status} without a request id")
    if "content-length" in names:
        await client.reader.readexactly(int(names["content-length"]))
        tally.answers[f"{status // 100}xx"] += 1
        return client
    for _ in range(dice.randrange(3)):
        try:
            if not await client.chunk():
                break
        except (ConnectionError, asyncio.IncompleteReadError):
            break
    tally.answers["left in the middle"] += 1
    client.reset()
    return None


def _judge(answer: Answer, path: str, tally: Tally) -> None:
    tally.answers[f"{answer.status // 100}xx" if answer.whole else "broken off"] += 1
    if not answer.header("x-request-id"):
        tally.found(f"{path}: a {answer.status} without a request id")
    if answer.status >= 400:
        try:
            told = answer.json()
        except ValueError:
            tally.found(f"{path}: a {answer.status} that is no JSON")
            return
        if "error" not in told:
            tally.found(f"{path}: a {answer.status} that is no error object")


@asynccontextmanager
async def gateway(folder: Path, upstream_url: str, program: Sequence[str] = PROGRAM) -> AsyncIterator[tuple[Process, int, Demo]]:
    demo = demo_config(
        upstream_url,
        folder,
        accounts=ACCOUNTS,
        balance_usd="900.00",
        first_byte_ms=SILENCE_MS,
        idle_ms=SILENCE_MS,
    )
    command = (sys.executable, *program, "--config", str(demo.config), "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2])
        yield Process(pid=process.pid, stdout=process.stdout), port, demo
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 30)
    assert code == 0, f"the gateway ended with {code}"


async def _ask(port: int, path: str, key: str) -> Any:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    client.send_request("GET", path, b"", {"authorization": f"Bearer {key}", "connection": "close"})
    answer = await client.answer()
    client.close()
    assert answer.status == 200, answer
    return answer.json()


async def _books(port: int, demo: Demo, tally: Tally) -> int:
    """micro-USD spent; finds holds that are left and rows that do not add up. Small waits: settlements follow the last byte."""
    spent_in_all = 0
    for key in demo.keys:
        for attempt in range(50):
            balance = (await _ask(port, "/api/v1/me/account", key))["balance"]
            if balance["held_micro_usd"] == 0:
                break
            await asyncio.sleep(0.1)
            if attempt == 49:
                tally.found(f"{balance['held_micro_usd']} micro-USD are still held")
        spent_in_all += balance["lifetime_spent_micro_usd"]
    return spent_in_all


def _rows(folder: Path) -> int:
    """micro-USD of all usage rows, from the database itself, once the gateway has stopped."""
    import sqlite3

    connection = sqlite3.connect(folder / "gateway.sqlite3")
    try:
        (rows,) = connection.execute("SELECT coalesce(sum(cost_micro_usd), 0) FROM usage").fetchone()
    finally:
        connection.close()
    return int(rows)


async def _load(port: int, demo: Demo, tally: Tally, dice: random.Random, concurrency: int, seconds: float, calls: int) -> None:
    """For so long, and until so many calls more have ended."""
    until, calls = time.monotonic() + seconds, calls + tally.answers.total()
    over: Callable[[], bool] = lambda: time.monotonic() >= until and tally.answers.total() >= calls  # noqa: E731
    async with asyncio.TaskGroup() as callers:
        for _ in range(concurrency):
            callers.create_task(caller(port, tuple(demo.keys), tally, random.Random(dice.random()), over))


async def _rest(process: Process, descriptors: int, within_s: float) -> None:
    """Until no more than so many are open, or the time is over."""
    until = time.monotonic() + within_s
    while process.descriptors() > descriptors and time.monotonic() < until:  # noqa: ASYNC110 (nobody tells of it)
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # settlements and the journal follow the last byte


async def soak(
    seconds: float,
    concurrency: int,
    seed: int,
    *,
    calls: int = 0,
    growth_kb: int = GROWTH_KB,
    vendors_hang_up: bool = False,
    program: Sequence[str] = PROGRAM,
) -> tuple[Tally, list[str]]:
    """What was met, and what is wrong: nothing, if all is well.

    It takes as long as it has to for `calls`. `vendors_hang_up`: the gateway need not close idle connections itself, which takes a while.
    """
    tally, dice = Tally(), random.Random(seed)
    weights: dict[str, Weight] = {}
    with tempfile.TemporaryDirectory(prefix="wireproof-soak-") as name:
        folder = Path(name)
        async with serving(vendor(tally, random.Random(seed + 1))) as vendors:
            async with gateway(folder, vendors.url, program) as (process, port, demo):
                await _ask(port, "/api/v1/usage", demo.keys[0])  # from now on it reads the database through a descriptor of its own
                await _rest(process, 0, 0)
                weights["start"] = start = await process.weigh()
                for part, share in PARTS.items():
                    await _load(port, demo, tally, dice, concurrency, seconds * share, round(calls * share))
                    if vendors_hang_up:
                        vendors.hang_up()
                    await _rest(process, start.descriptors + KEPT_BY_SQLITE, HUNG_UP_S if vendors_hang_up else GONE_S)
                    weights[part] = await process.weigh()
                spent = await _books(port, demo, tally)
            rows = _rows(folder)
    if rows != spent:
        tally.found(f"the usage rows add up to {rows} micro-USD, the wallets lost {spent}")
    _judge_weights(weights, tally, growth_kb)
    figures = [f"{part}: {weight}" for part, weight in weights.items()]
    figures += [f"answers: {dict(tally.answers)}", f"vendors: {dict(tally.vendor)}", f"spent: {spent} micro-USD"]
    return tally, figures


def _judge_weights(weights: dict[str, Weight], tally: Tally, growth_kb: int) -> None:
    start, before, after = weights["start"], weights["first half"], weights["second half"]
    for part, weight in weights.items():
        if weight.descriptors > start.descriptors + KEPT_BY_SQLITE:
            tally.found(f"{weight.descriptors} file descriptors were open after the {part}, {start.descriptors} at the start")
    if after.blocks - before.blocks > GROWTH_BLOCKS:
        tally.found(f"the second half left {after.blocks - before.blocks} blocks of memory in use")
    if after.memory_kb - before.memory_kb > growth_kb:
        tally.found(f"memory grew from {before.memory_kb} to {after.memory_kb} KB in the second half")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the load lasts")
    parser.add_argument("--concurrency", type=int, default=200, help="callers at a time")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is left to chance")
    args = parser.parse_args()
    tally, figures = asyncio.run(soak(args.seconds, args.concurrency, args.seed))
    for line in figures:
        sys.stdout.write(line + "\n")
    for broken in tally.broken:
        sys.stdout.write(f"WRONG {broken}\n")
    sys.stdout.write("all holds\n" if not tally.broken else "")
    return int(bool(tally.broken))


if __name__ == "__main__":
    sys.exit(main())
