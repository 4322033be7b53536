"""The usual call takes no coroutine, and whatever is not usual ends as it would have without that."""

import asyncio
import json
from pathlib import Path
from typing import Never

import pytest

from reference_gateway import express
from reference_gateway.gateway import Gateway
from reference_gateway.routes import Surface
from reference_gateway.storage.sqlite import Store
from reference_gateway.tests import scripted
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import CHAT_BODY, COSTS, MESSAGES_BODY, STREAMS, request

BODIES = {Surface.CHAT: CHAT_BODY, Surface.MESSAGES: MESSAGES_BODY}


async def never(*_: object) -> Never:
    raise AssertionError("a usual call was taken for an unusual one")


def take_no_coroutine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gateway, "serve", never)
    monkeypatch.setattr(Gateway, "go_on", never)


async def answers(call: Upstream) -> None:
    await call.answer(BODIES[Surface.MESSAGES if "messages" in call.target else Surface.CHAT])


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.MESSAGES])
async def test_the_second_usual_call_to_an_upstream_takes_no_coroutine(
    surface: Surface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, answers) as s:
        path, body, headers = request(surface)
        first = await s.post(path, body, **headers)  # makes the connection
        take_no_coroutine(monkeypatch)
        second = await s.post(path, body, **headers)
        monkeypatch.undo()
        assert (first.status, first.body) == (second.status, second.body) == (200, BODIES[surface])
        assert await s.spent() == 2 * COSTS[surface]
        assert len(await s.usage()) == 2


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.MESSAGES])
async def test_a_usual_stream_takes_no_coroutine_either(
    surface: Surface, usage: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by read, whether the vendor counts or not."""
    events = list(STREAMS[surface])
    if not usage:
        events = [event for event in events if b'"choices":[]' not in event] if surface is Surface.CHAT else events
    following = asyncio.Event()

    async def streams(call: Upstream) -> None:
        await call.head()
        for event in events:
            await call.chunk(event)
            await following.wait()
            following.clear()
        await call.end()

    monkeypatch.setattr(scripted, "WARM", 1)
    take_no_coroutine(monkeypatch)
    async with stage(tmp_path, streams) as s:
        path, body, headers = request(surface, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"authorization": f"Bearer {s.demo.keys[0]}", **headers})
        status, _ = await client.head()
        assert status == 200
        assert s.running._forwarder.open_streams == 1
        for event in events:
            assert await client.chunk() == event
            following.set()
        assert await client.chunk() == b""
        assert s.running._forwarder.open_streams == 0
        client.close()
        monkeypatch.undo()
        (row,) = await s.usage()
        estimated = not usage and surface is Surface.CHAT
        assert row["estimated"] is estimated
        assert await s.spent() == row["cost_micro_usd"] > 0
        assert row["cost_micro_usd"] == COSTS[surface] or estimated


TRANSLATED = {  # a model that does not speak the surface, and what its upstream streams
    Surface.CHAT: ("claude-sonnet-4-6", Surface.MESSAGES),
    Surface.RESPONSES: ("claude-sonnet-4-6", Surface.MESSAGES),
    Surface.MESSAGES: ("gemini-3-1-pro", Surface.GEMINI),
    Surface.GEMINI: ("claude-sonnet-4-6", Surface.MESSAGES),
}


@pytest.mark.parametrize("surface", TRANSLATED)
async def test_neither_does_a_translated_stream(surface: Surface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, spoken = TRANSLATED[surface]

    async def streams(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[spoken]:
            await call.chunk(event)
        await call.end()

    monkeypatch.setattr(scripted, "WARM", 1)
    take_no_coroutine(monkeypatch)
    async with stage(tmp_path, streams) as s:
        path, body, headers = request(surface, stream=True)
        if surface is Surface.GEMINI:
            path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
        else:
            body["model"] = model
        answer = await s.post(path, body, **headers)
        assert answer.status == 200
        assert b"Good " in answer.body
        assert s.running._forwarder.open_streams == 0
        monkeypatch.undo()
        (row,) = await s.usage()
        assert row["estimated"] is False
        assert await s.spent() == row["cost_micro_usd"] > 0


async def test_a_hold_that_cannot_be_written_reaches_no_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path, answers) as s:
        path, body, headers = request(Surface.CHAT)
        assert (await s.post(path, body, **headers)).status == 200
        monkeypatch.setattr(Store, "_commit", lambda store, batch: "the disk is full")
        refused = await s.post(path, body, **headers)
        monkeypatch.undo()
        assert (refused.status, refused.json()["error"]["code"]) == (503, "unavailable")
        assert refused.header("x-request-id")
        assert len(s.calls) == 1
        assert await s.spent() == COSTS[Surface.CHAT]


async def test_a_settlement_that_cannot_be_written_keeps_no_answer_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks_the_disk(call: Upstream) -> None:
        monkeypatch.setattr(Store, "_commit", lambda store, batch: "the disk is full")
        await answers(call)

    async with stage(tmp_path, answers) as s:
        path, body, headers = request(Surface.CHAT)
        assert (await s.post(path, body, **headers)).status == 200
        s.script = breaks_the_disk
        answer = await s.post(path, body, **headers)
        monkeypatch.undo()
        assert (answer.status, answer.body) == (200, CHAT_BODY)


async def test_a_step_that_fails_costs_nothing_and_ends_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path, answers) as s:
        path, body, headers = request(Surface.CHAT)
        assert (await s.post(path, body, **headers)).status == 200
        monkeypatch.setattr(express, "judge_answer", lambda surface, data: 1 / 0)
        failed = await s.post(path, body, **headers)
        monkeypatch.undo()
        assert failed.status == 500
        assert (await s.post(path, body, **headers)).status == 200
        assert await s.spent() == 2 * COSTS[Surface.CHAT]


async def test_a_caller_that_leaves_while_the_upstream_thinks_breaks_it_off(tmp_path: Path) -> None:
    async def thinks(call: Upstream) -> None:
        await call.aborted.wait()

    async with stage(tmp_path, answers) as s:
        path, body, headers = request(Surface.CHAT)
        assert (await s.post(path, body, **headers)).status == 200
        s.script = thinks
        s.called.clear()
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"authorization": f"Bearer {s.demo.keys[0]}", **headers})
        await s.called.wait()
        client.close()
        await asyncio.wait_for(s.calls[-1].aborted.wait(), 10)
        assert await s.spent() == COSTS[Surface.CHAT]


async def test_an_answer_in_two_pieces_is_gathered_and_paid(tmp_path: Path) -> None:
    async def halves(call: Upstream) -> None:
        half = len(CHAT_BODY) // 2
        head = f"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: {len(CHAT_BODY)}\r\n\r\n".encode()
        await call.send(head + CHAT_BODY[:half])
        await asyncio.sleep(0.02)
        await call.send(CHAT_BODY[half:])

    async with stage(tmp_path, answers) as s:
        path, body, headers = request(Surface.CHAT)
        assert (await s.post(path, body, **headers)).status == 200
        s.script = halves
        answer = await s.post(path, body, **headers)
        assert (answer.status, answer.body) == (200, CHAT_BODY)
        assert await s.spent() == 2 * COSTS[Surface.CHAT]


async def test_a_head_that_comes_again_is_judged_anew(tmp_path: Path) -> None:
    """The same bytes on the same connection, with another key behind them by then: none."""
    async with stage(tmp_path, answers) as s:
        path, body, headers = request(Surface.CHAT)
        client = await s.client()
        named = {"authorization": f"Bearer {s.demo.keys[0]}", **headers}
        statuses = []
        for _ in range(3):
            client.send_request("POST", path, json.dumps(body).encode(), named)
            statuses.append((await client.answer()).status)
        ring = s.running.directory.ring
        ring.drop(next(iter(key.id for key in ring.by_id.values() if key.hash == ring.digest(s.demo.keys[0].encode()))))
        client.send_request("POST", path, json.dumps(body).encode(), named)
        statuses.append((await client.answer()).status)
        client.close()
        assert statuses == [200, 200, 200, 401]
        assert len(s.calls) == 3
