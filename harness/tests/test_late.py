"""A gateway with a short patience before a vendor that is late, once because we are, and once because the gateway has none at all."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from harness.case import Case, Pace, Play, Route, Surface
from harness.client import ClientWitness
from harness.exchange import Exchange
from harness.excuse import STOOD_STILL_MS, excuse
from harness.plan import Planned
from harness.recording.library import Library
from harness.runner import Runner
from harness.target import Bases, Target
from harness.upstream.requests import Arrived, RequestReader
from harness.upstream.witness import UpstreamWitness

CASE: Final = Case(id="paced", surface=Surface.CHAT, stream=True, play=Play(recording="chat/text.stream", pace=Pace.RECORDED))
FIRST_WORD_S: Final = 0.439  # as recorded
LATE_S: Final = 0.9  # of our loop; less than the second for which it need not show


@asynccontextmanager
async def gateway(upstream_port: int, patience_s: float) -> AsyncIterator[str]:
    """Passes chat calls on, and answers 504 where the vendor's first byte takes longer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        answer, upstream = await asyncio.open_connection("127.0.0.1", upstream_port)
        upstream.write(re.sub(rb"(?i)connection: .*\r\n", b"", head).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + body)
        try:
            async with asyncio.timeout(patience_s):
                writer.write(await answer.read(65536))
            while data := await answer.read(65536):
                writer.write(data)
        except TimeoutError:
            writer.write(b"HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        upstream.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def drive(patience_s: float) -> tuple[Exchange, int]:
    """And how often it was driven."""
    library = Library.open("shipped")
    witness = UpstreamWitness(library.load)
    await witness.start()
    async with ClientWitness() as clients, gateway(witness.port, patience_s) as url:
        bases = Bases.of(url)
        target = Target(name="short of patience", bases=bases, good_keys=("sk-one-0123456789",))
        runner = Runner(target=target, nodes=target.nodes, library=library, clients=clients, witness=witness, concurrency=1)
        exchange = await asyncio.wait_for(runner.drive(Planned(id="paced", case=CASE, model="gpt-5-4", route=Route.NATIVE)), 60)
        await runner.close()
    await witness.stop()
    assert exchange.errored is None
    return exchange, runner.calls_made


def late(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of the vendor's calls are read only when our loop has stood still."""
    feed, left = RequestReader.feed, [times]

    def feed_late(self: RequestReader, data: bytes, at: float) -> Iterable[Arrived]:
        if left[0]:
            left[0] -= 1
            time.sleep(LATE_S)
            at = time.perf_counter()
        return feed(self, data, at)

    monkeypatch.setattr(RequestReader, "feed", feed_late)


def status(exchange: Exchange) -> int | None:
    return exchange.client.response.status if exchange.client.response else None


async def test_what_we_were_late_for_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    late(1, monkeypatch)
    exchange, driven = await drive(patience_s=FIRST_WORD_S + LATE_S / 2)
    assert status(exchange) == 200
    assert driven > 1
    assert excuse(exchange) is None


async def test_where_we_are_late_each_time_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    late(9, monkeypatch)
    exchange, driven = await drive(patience_s=FIRST_WORD_S + LATE_S / 2)
    assert (status(exchange), driven) == (504, 3)
    assert (excuse(exchange) or "").startswith("the gateway gave up on the vendor while our own loop stood still for ")


async def test_a_gateway_that_never_waits_is_not_excused() -> None:
    exchange, driven = await drive(patience_s=FIRST_WORD_S / 10)
    assert status(exchange) == 504
    if exchange.lag_ms < STOOD_STILL_MS:  # else the machine has too much to do for us to tell
        assert driven == 1
        assert excuse(exchange) is None
