"""The HTTP/1.1 server alone: framing, limits, pipelining, and callers that do not behave. No gateway behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from reference_gateway.proxy.server import MAX_PIPELINED, Answer, Headers, RequestHead, Server

LIMIT = 1000


class Echo:
    """Answers with method, path, query and body; `/stream` in three pieces, `/fail` not at all."""

    def __init__(self) -> None:
        self.seen: list[tuple[RequestHead, bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    def max_body_bytes(self, head: RequestHead) -> int:
        return LIMIT

    def refuse(self, head: RequestHead | None, status: int, message: str) -> tuple[Headers, bytes]:
        return [(b"x-path", head.path if head else b"-")], message.encode()

    async def serve(self, head: RequestHead, body: bytes, answer: Answer) -> None:
        self.seen.append((head, body))
        self.entered.set()
        await self.gate.wait()
        if head.path == b"/fail":
            raise RuntimeError("on purpose")
        if head.path == b"/stream":
            answer.start(200, [(b"x-kind", b"stream")])
            for piece in (b"one", b"two", b"three"):
                answer.write(piece)
            answer.end()
            return
        answer.send(200, [], b"%b %b?%b %b" % (head.method, head.path, head.query, body))


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Echo, asyncio.StreamReader, asyncio.StreamWriter]]:
    echo = Echo()
    server = Server(echo)
    host, port = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield echo, reader, writer
    finally:
        writer.close()
        await server.stop(1.0)


async def one(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Status, raw head, body of an answer with content-length."""
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head.split(b" ")[1]), head, await reader.readexactly(length)


REQUESTS = (
    b"POST /a?x=1&y HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /b HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\ntrailer: x\r\n\r\n"
    b"GET http://other/c?z HTTP/1.1\r\nhost: t\r\n\r\n"
)
ECHOES = [b"POST /a?x=1&y hello", b"POST /b? abcde", b"GET /c?z "]


@pytest.mark.parametrize("size", [1, 7, 64, len(REQUESTS)])
async def test_pipelined_requests_are_answered_in_order_however_they_were_cut(size: int) -> None:
    async with serving() as (_, reader, writer):
        for start in range(0, len(REQUESTS), size):
            writer.write(REQUESTS[start : start + size])
            await writer.drain()
            if size == 1:
                await asyncio.sleep(0)
        assert [(await one(reader))[2] for _ in ECHOES] == ECHOES


async def test_more_pipelined_requests_than_the_queue_takes() -> None:
    count = MAX_PIPELINED * 4
    async with serving() as (echo, reader, writer):
        echo.gate.clear()
        for number in range(count):
            writer.write(b"GET /%d HTTP/1.1\r\nhost: t\r\n\r\n" % number)
            await writer.drain()
            await asyncio.sleep(0)
        echo.gate.set()
        assert [(await one(reader))[2] for _ in range(count)] == [b"GET /%d? " % number for number in range(count)]


async def test_a_stream_is_chunked_and_the_connection_lives_on() -> None:
    async with serving() as (_, reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nhost: t\r\n\r\nGET /next HTTP/1.1\r\nhost: t\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked\r\n" in head
        assert await reader.readexactly(33 - 2) == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"[:31]
        await reader.readuntil(b"\r\n")
        assert (await one(reader))[2] == b"GET /next? "


async def test_http_1_0_gets_no_chunks_and_its_connection_closes() -> None:
    async with serving() as (_, reader, writer):
        writer.write(b"GET /stream HTTP/1.0\r\n\r\n")
        raw = await asyncio.wait_for(reader.read(), 5)
        head, body = raw.split(b"\r\n\r\n")
        assert body == b"onetwothree"
        assert b"chunked" not in head
        assert b"connection: close" in head


async def test_head_has_the_headers_and_no_body() -> None:
    async with serving() as (_, reader, writer):
        writer.write(b"HEAD /a HTTP/1.1\r\nhost: t\r\n\r\nGET /b HTTP/1.1\r\nhost: t\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 9" in head
        assert (await one(reader))[2] == b"GET /b? "


async def test_expect_100_continue() -> None:
    async with serving() as (_, reader, writer):
        writer.write(b"POST /a HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await one(reader))[2] == b"POST /a? hi"


@pytest.mark.parametrize(
    ("raw", "status", "path"),
    [
        (b"POST /big HTTP/1.1\r\nhost: t\r\ncontent-length: 1001\r\n\r\n", 413, b"/big"),
        (b"POST /big HTTP/1.1\r\nhost: t\r\ncontent-length: 1001\r\nexpect: 100-continue\r\n\r\n", 413, b"/big"),
        (b"POST /big HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, 413, b"/big"),
        (b"NONSENSE\r\n\r\n", 400, b"-"),
        (b"GET /a HTTP/1.1\r\n\r\n", 400, b"/a"),
        (b"GET /a HTTP/1.1\r\nhost: t\r\nbad header\r\n\r\n", 400, b"-"),
        (b"POST /a HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, b"-"),
        (b"POST /a HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nab", 400, b"-"),
        (b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, b"/a"),
        (b"GET /a HTTP/1.1\r\nhost: t\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", 431, b"-"),
        (b"GET /a HTTP/1.1\r\nhost: t\r\nx: " + b"y" * 70_000, 431, b"-"),
        (b"GET /" + b"y" * 70_000, 431, b"-"),
        (b"GET /a HTTP/1.1\r\nhost: t\r\n" + b"x: y\r\n" * 15_000 + b"\r\n", 431, b"-"),
    ],
)
async def test_what_never_becomes_a_request(raw: bytes, status: int, path: bytes) -> None:
    async with serving() as (echo, reader, writer):
        writer.write(raw)
        got, head, _ = await one(reader)
        assert got == status
        assert b"x-path: " + path + b"\r\n" in head
        assert b"connection: close" in head
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert echo.seen == []


async def test_a_bad_request_behind_a_good_one_does_not_spoil_its_answer() -> None:
    async with serving() as (echo, reader, writer):
        echo.gate.clear()
        writer.write(b"GET /a HTTP/1.1\r\nhost: t\r\n\r\nNONSENSE\r\n\r\n")
        await writer.drain()
        await echo.entered.wait()
        echo.gate.set()
        assert (await one(reader))[2] == b"GET /a? "
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_an_offered_upgrade_is_not_taken_up() -> None:
    async with serving() as (_, reader, writer):
        upgrade = b"host: t\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n"
        writer.write(b"POST /a HTTP/1.1\r\ncontent-length: 2\r\n" + upgrade + b"\r\nhiGET /b HTTP/1.1\r\nhost: t\r\n\r\n")
        assert (await one(reader))[2] == b"POST /a? hi"
        assert (await one(reader))[2] == b"GET /b? "


async def test_a_failure_in_the_application_is_a_500_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (_, reader, writer):
        writer.write(b"GET /fail HTTP/1.1\r\nhost: t\r\n\r\n")
        status, _, body = await one(reader)
        assert status == 500
        assert b"on purpose" not in body
        assert "on purpose" in caplog.text


async def test_stopping_lets_the_answer_under_way_end_and_takes_no_more() -> None:
    echo = Echo()
    server = Server(echo)
    host, port = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(host, port)
    idle_reader, idle_writer = await asyncio.open_connection(host, port)
    echo.gate.clear()
    writer.write(b"GET /a HTTP/1.1\r\nhost: t\r\n\r\n")
    await echo.entered.wait()
    stopping = asyncio.create_task(server.stop(5.0))
    assert await asyncio.wait_for(idle_reader.read(), 5) == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)
    echo.gate.set()
    assert (await one(reader))[2] == b"GET /a? "
    await stopping
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    idle_writer.close()
