"""What is left of a connection that nobody needs any more: no descriptor, and no memory until the collector happens to run."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reference_gateway.proxy import upstream
from reference_gateway.proxy.server import ServerConnection
from reference_gateway.proxy.upstream import Connection
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import PATIENCE_S, Stage, Upstream, stage
from reference_gateway.tests.wires import CHAT_BODY, CHAT_STREAM, request

TOGETHER = 5
UPLOAD = 1024 * 1024


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.01)


async def test_connections_that_a_busy_moment_has_opened_are_closed_without_another_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "IDLE_S", 0.2)
    all_here = asyncio.Event()

    async def script(call: Upstream) -> None:
        if len(s.calls) == TOGETHER:
            all_here.set()
        await all_here.wait()
        await call.answer(CHAT_BODY)

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        await asyncio.gather(*(s.post(path, body) for _ in range(TOGETHER)))
        assert len({id(call.writer) for call in s.calls}) == TOGETHER
        await until(lambda: all(call.reader.at_eof() for call in s.calls))
        assert (await s.post(path, body)).status == 200
        await until(s.calls[-1].reader.at_eof)


@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def connections() -> Counter[type]:
    return Counter(type(thing) for thing in gc.get_objects() if type(thing) in (Connection, ServerConnection))


async def test_a_connection_that_has_ended_is_gone_without_the_collector(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        match len(s.calls) % 4:
            case 0:
                call.reset()
            case 1:
                await call.answer(CHAT_BODY)
                call.fin()
            case 2:
                await call.send(b"HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n{")
                call.reset()
            case _:
                await call.head()
                await call.chunk(CHAT_STREAM[0])
                await call.aborted.wait()

    async with stage(tmp_path, script, first_byte_ms=200, idle_ms=200) as s:
        with no_collector():
            assert not connections()
            for number in range(12):
                path, body, _ = request(Surface.CHAT, stream=number % 3 == 0)
                assert (await s.post(path, body)).status in (200, 502, 504)
                await leave_in_mid_answer(s)
            await until(lambda: not connections())


async def test_half_a_body_goes_with_its_caller(tmp_path: Path) -> None:
    """A caller that breaks off its uploads again and again must not fill the memory until some thousand objects call the collector."""
    async with stage(tmp_path) as s:
        with no_collector():
            for _ in range(3):
                client = await s.client()
                head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {2 * UPLOAD}\r\n\r\n"
                client.writer.write(head.encode() + bytes(UPLOAD))
                await client.writer.drain()
                client.reset()
            await until(lambda: not connections())


async def leave_in_mid_answer(s: Stage) -> None:
    path, body, headers = request(Surface.CHAT, stream=True)
    client = await s.client()
    client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
    await client.head()
    client.reset()
