"""The caller goes away, or takes its time: the upstream learns of it at once, the bill is for what was sent (contract:149, :156)."""

import asyncio
import json
from pathlib import Path

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.wires import CHAT_STREAM, COSTS, MESSAGES_STREAM, STREAMS, request

pytestmark = pytest.mark.usefixtures("cold_and_warm")
SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]


async def leave(s: Stage, surface: Surface, *, after_chunks: int, stream: bool = True, reset: bool = False) -> None:
    path, body, headers = request(surface, stream=stream)
    client = await s.client()
    client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
    if after_chunks:
        await client.head()
        for _ in range(after_chunks):
            await client.chunk()
    else:
        await s.called.wait()
    if reset:
        client.reset()
    else:
        client.close()


async def settled(s: Stage) -> int:
    """micro-USD spent once nothing is held any more."""
    async with asyncio.timeout(5):
        while (balance := await s.account())["held_micro_usd"]:  # noqa: ASYNC110 (over HTTP there is nothing to wait on)
            await asyncio.sleep(0.002)
    spent: int = balance["lifetime_spent_micro_usd"]
    return spent


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_before_the_answer_aborts_the_upstream_and_costs_nothing(stream: bool, reset: bool, tmp_path: Path) -> None:
    aborted = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.aborted.wait()
        aborted.set()

    async with stage(tmp_path, script) as s:
        await leave(s, Surface.CHAT, after_chunks=0, stream=stream, reset=reset)
        await asyncio.wait_for(aborted.wait(), 5)
        assert await settled(s) == 0


@pytest.mark.parametrize("surface", SURFACES)
async def test_leaving_in_mid_stream_aborts_the_upstream_and_bills_what_was_sent(surface: Surface, tmp_path: Path) -> None:
    aborted = asyncio.Event()
    keep = next(count for count in range(1, 9) if b"day" in b"".join(STREAMS[surface][:count]))

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface][:keep]:
            await call.chunk(event)
            await asyncio.sleep(0.005)
        await call.aborted.wait()
        aborted.set()

    async with stage(tmp_path, script) as s:
        await leave(s, surface, after_chunks=keep)
        await asyncio.wait_for(aborted.wait(), 5)
        assert 0 < await settled(s) <= COSTS[surface]
        (row,) = await s.usage()
        assert row["estimated"] is True
        assert row["output_tokens"] == (5 if surface is Surface.GEMINI else 2)  # gemini counts as it goes; else "Good day"
        if surface is Surface.MESSAGES:
            assert (row["input_tokens"], row["cache_read_tokens"], row["cache_write_1h_tokens"]) == (20, 10, 2)


async def test_leaving_before_the_first_content_costs_nothing(tmp_path: Path) -> None:
    aborted = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.head()
        for event in MESSAGES_STREAM[:3]:  # message_start, an empty block, a ping
            await call.chunk(event)
            await asyncio.sleep(0.005)
        await call.aborted.wait()
        aborted.set()

    async with stage(tmp_path, script) as s:
        await leave(s, Surface.MESSAGES, after_chunks=3)
        await asyncio.wait_for(aborted.wait(), 5)
        assert await settled(s) == 0
        assert await s.usage() == []


async def test_the_charge_grows_with_what_was_sent(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.head()
        for _ in range(40):
            await call.chunk(CHAT_STREAM[1])
            await asyncio.sleep(0.002)
        await call.aborted.wait()

    async with stage(tmp_path, script) as s:
        charges, before = [], 0
        for chunks in (1, 10, 30):
            s.calls.clear()
            await leave(s, Surface.CHAT, after_chunks=chunks)
            now = await settled(s)
            charges.append(now - before)
            before = now
        assert charges == sorted(charges)
        assert charges[0] > 0


async def test_a_caller_that_reads_slowly_holds_the_upstream_back(tmp_path: Path) -> None:
    """36 MB are offered; a caller that reads nothing must stop the upstream's writes long before that."""
    piece = CHAT_STREAM[1] * 400  # some 50 KB
    written = 0

    async def script(call: Upstream) -> None:
        nonlocal written
        await call.head()
        for _ in range(700):
            await call.chunk(piece)
            written += len(piece)
        for event in CHAT_STREAM[2:]:
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0]})
        await client.head()
        last = -1
        async with asyncio.timeout(20):
            while written != last or not written:
                last = written
                await asyncio.sleep(0.2)
        assert written < 20_000_000
        total = 0
        while chunk := await client.chunk():
            total += len(chunk)
        assert total == len(piece) * 700 + sum(map(len, CHAT_STREAM[2:]))
        assert await s.spent() == COSTS[Surface.CHAT]
        client.close()


async def test_a_caller_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    aborted = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.head()
        try:
            while not call.aborted.is_set():
                await call.chunk(CHAT_STREAM[1] * 400)
        except ConnectionError:
            pass
        aborted.set()

    async with stage(tmp_path, script, client_stall_ms=150) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0]})
        await client.head()
        await asyncio.wait_for(aborted.wait(), 10)
        assert await settled(s) > 0
        client.close()


async def test_held_money_is_visible_while_the_upstream_works(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def script(call: Upstream) -> None:
        await go.wait()
        await call.answer(b"{}", 500)

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, max_tokens=1000)
        pending = asyncio.create_task(s.post(path, body))
        await s.called.wait()
        balance = await s.account()
        held = balance["held_micro_usd"]
        assert held >= 10_000  # 1000 tokens at 10 USD a million
        assert balance["available_micro_usd"] == 100_000_000 - held
        assert balance["settled_micro_usd"] == 100_000_000
        go.set()
        await pending
        assert (await s.account())["available_micro_usd"] == 100_000_000
