"""An orderly stop: what can end ends, what cannot is told so in its protocol's own words, and nobody pays for what was broken off."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.tests import wires
from reference_gateway.tests.scripted import Client, Upstream, stage

BODIES: dict[Surface, tuple[str, dict[str, Any]]] = {
    Surface.CHAT: ("/v1/chat/completions", {"model": "gpt-5-5", "messages": [], "max_tokens": 9}),
    Surface.RESPONSES: ("/v1/responses", {"model": "gpt-5-5", "input": "x", "max_output_tokens": 9}),
    Surface.MESSAGES: ("/v1/messages", {"model": "claude-sonnet-4-6", "messages": [], "max_tokens": 9}),
    Surface.GEMINI: ("/v1beta/models/gemini-3-1-pro:streamGenerateContent?alt=sse", {"contents": []}),
}
LAST_WORDS = {
    Surface.CHAT: b'"code":"unavailable"}}\n\ndata: [DONE]\n\n',
    Surface.RESPONSES: b'"code":"unavailable","message":"The gateway is stopping; ask again."',
    Surface.MESSAGES: b'"error":{"type":"overloaded_error","message":"The gateway is stopping; ask again."}',
    Surface.GEMINI: b'"message":"The gateway is stopping; ask again.","status":"UNAVAILABLE"}}',
}


@pytest.mark.parametrize("surface", list(BODIES))
async def test_a_stream_that_does_not_end_in_time_ends_with_its_protocols_error_unbilled(surface: Surface, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.head()
        for frame in wires.STREAMS[surface][:-2]:
            await call.chunk(frame)
        await call.aborted.wait()

    path, body = BODIES[surface]
    async with stage(tmp_path, script, database="gateway.sqlite3") as here:
        client = await here.client()
        text = json.dumps(body if surface is Surface.GEMINI else {**body, "stream": True}).encode()
        client.send_request("POST", path, text, {"authorization": f"Bearer {here.demo.keys[0]}", "anthropic-version": "2023-06-01"})
        status, _ = await client.head()
        assert status == 200
        received = await client.chunk()
        rest = asyncio.create_task(_rest(client))
    received += await rest  # the stage is down
    assert LAST_WORDS[surface] in received
    books = sqlite3.connect(tmp_path / "gateway.sqlite3")
    kinds = [kind for (kind,) in books.execute("SELECT kind FROM ledger WHERE kind <> 'topup' ORDER BY id")]
    assert kinds == ["hold", "release"]
    assert books.execute("SELECT count(*) FROM usage").fetchone() == (0,)
    books.close()


async def _rest(client: Client) -> bytes:
    received = b""
    while chunk := await client.chunk():
        received += chunk
    client.close()
    return received


async def test_an_answer_that_ends_in_time_is_whole_and_billed(tmp_path: Path) -> None:
    stopping = asyncio.Event()

    async def script(call: Upstream) -> None:
        await stopping.wait()
        await call.answer(wires.CHAT_BODY)

    async with stage(tmp_path, script, database="gateway.sqlite3") as here:
        path, body = BODIES[Surface.CHAT]
        answering = asyncio.create_task(here.post(path, body))
        await here.called.wait()
        asyncio.get_running_loop().call_later(0.05, stopping.set)
    assert (await answering).status == 200
    books = sqlite3.connect(tmp_path / "gateway.sqlite3")
    assert books.execute("SELECT cost_micro_usd FROM usage").fetchone() == (wires.COSTS[Surface.CHAT],)
    books.close()


async def test_a_call_without_any_answer_yet_is_refused_in_its_envelope(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.aborted.wait()

    async with stage(tmp_path, script) as here:
        path, body = BODIES[Surface.MESSAGES]
        answering = asyncio.create_task(here.post(path, body, anthropic_version="2023-06-01"))
        await here.called.wait()
    answer = await answering
    assert answer.status == 503
    assert answer.json()["error"] == {"type": "overloaded_error", "message": "The gateway is stopping; ask again."}
    assert answer.header("x-request-id")


async def test_a_told_process_ends_its_streams_and_exits_0(tmp_path: Path) -> None:
    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(wires.CHAT_STREAM[1]), wires.CHAT_STREAM[1]))
        await reader.read()  # until the gateway hangs up
        writer.close()

    upstream = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    demo = demo_config(f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}", tmp_path, accounts=1)
    demo.config.write_text(demo.config.read_text() + "\n[operations]\nstop_within_ms = 100\n")
    command = (sys.executable, "-m", "reference_gateway", "--config", str(demo.config), "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    port = int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2])
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    path, body = BODIES[Surface.CHAT]
    client.send_request("POST", path, json.dumps({**body, "stream": True}).encode(), {"authorization": f"Bearer {demo.keys[0]}"})
    assert (await client.head())[0] == 200
    await client.chunk()
    process.send_signal(signal.SIGTERM)
    assert LAST_WORDS[Surface.CHAT] in await _rest(client)
    _, complained = await process.communicate()
    assert (process.returncode, complained) == (0, b"")
    upstream.close()
