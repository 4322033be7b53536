"""The load generator over loopback: what it counts, and that it takes no answer for the vendor's that is not."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from harness.bench import talk
from harness.bench.load import Job, Measurement, Wrong
from harness.bench.relay import Caller
from harness.bench.talk import What
from harness.bench.vendor import Vendor

Change = Callable[[bytes], bytes]


@asynccontextmanager
async def listening(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """Its port; at the end every connection is closed too, which a server of asyncio leaves open."""
    closed: list[asyncio.Future[None]] = []

    def tracked() -> asyncio.Protocol:
        made = protocol()
        lost = asyncio.get_running_loop().create_future()
        closed.append(lost)
        told = made.connection_lost

        def connection_lost(exc: Exception | None) -> None:
            told(exc)
            lost.set_result(None)

        made.connection_lost = connection_lost  # type: ignore[method-assign]  # the one way to hear of it from outside
        return made

    server = await asyncio.get_running_loop().create_server(tracked, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*closed)  # the callers have closed theirs
        await asyncio.sleep(0)


def job(port: int, what: What, *, chunks: int = 0, seconds: float = 0.05) -> Job:
    return Job(
        url=f"http://127.0.0.1:{port}",
        key="none",
        model="bench",
        what=what,
        chunks=chunks,
        connections=3,
        seconds=seconds,
        pid=os.getpid(),
        vendor_pid=os.getpid(),
    )


async def test_answers_and_their_latency() -> None:
    async with listening(Vendor) as port:
        seen = await Measurement(job(port, What.PLAIN)).run()
    assert seen.answers > 0
    assert seen.latency_us is not None
    assert 0 < seen.latency_us[0] <= seen.latency_us[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other processes' CPU clocks are Linux's")
async def test_the_cpu_time_of_the_target_is_read_from_its_own_clock() -> None:
    async with listening(Vendor) as port:
        seen = await Measurement(job(port, What.PLAIN)).run()
    assert seen.target_cpu_s is not None
    assert seen.target_cpu_s == pytest.approx(seen.own_cpu_s, abs=0.005)  # target, vendor and load are this one process


async def test_chunks_of_streams_that_come_at_once() -> None:
    async with listening(Vendor) as port:
        seen = await Measurement(job(port, What.BULK, chunks=7)).run()
    assert seen.chunks == seen.answers * 7 > 0


@pytest.mark.parametrize("what", [What.PACED, What.SLOW])
async def test_chunks_of_paced_streams_and_their_delay(what: What) -> None:
    async with listening(Vendor) as port:
        seen = await Measurement(job(port, what, chunks=15, seconds=0.1)).run()
    assert 0 < seen.chunks <= 45
    assert seen.delay_us is not None
    assert seen.delay_us[0] > 0


@pytest.mark.parametrize("what", [What.PLAIN, What.BULK])
async def test_the_relay_passes_every_byte_on(what: What) -> None:
    async with listening(Vendor) as port, listening(lambda: Caller("127.0.0.1", port)) as relay:
        seen = await Measurement(job(relay, what, chunks=500)).run()
    assert seen.answers > 0


async def test_a_relay_without_its_upstream_is_no_answer() -> None:
    async with listening(Vendor) as port:
        pass
    async with listening(lambda: Caller("127.0.0.1", port)) as relay:
        with pytest.raises(Wrong, match="closed a connection"):
            await Measurement(job(relay, What.PLAIN)).run()


async def test_a_prompt_of_many_kilobytes() -> None:
    async with listening(Vendor) as port:
        seen = await Measurement(replace(job(port, What.PLAIN), times=5000)).run()
    assert seen.answers > 0


class Changed(Vendor):
    """The vendor, its answers changed on their way out."""

    change: Change

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        real = self._transport
        self._transport = _Writing(lambda data: real.write(type(self).change(data)))  # type: ignore[assignment]  # all that it uses of one


class _Writing:
    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write


async def test_json_written_anew_is_taken_where_the_job_says_so() -> None:
    def spaced(answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        anew = body.replace(b'"id":', b'"id": ')
        return head.replace(b"content-length: %d" % len(body), b"content-length: %d" % len(anew)) + b"\r\n\r\n" + anew

    faulty = type("Faulty", (Changed,), {"change": staticmethod(spaced)})
    async with listening(faulty) as port:
        seen = await Measurement(replace(job(port, What.PLAIN), exact=False)).run()
        assert seen.answers > 0
        with pytest.raises(Wrong):
            await Measurement(job(port, What.PLAIN)).run()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda answer: answer.replace(b"200 OK", b"402 No"), "status 402"),
        (lambda answer: answer.replace(b"bytes that came in", b"BYTES that came in"), "bytes are not the vendor's"),
        (lambda answer: b"SSH-2.0-\r\n\r\n" + answer, "not HTTP"),
    ],
)
async def test_what_is_not_the_vendors_answer_stops_the_measurement(change: Change, told: str) -> None:
    faulty = type("Faulty", (Changed,), {"change": staticmethod(change)})
    async with listening(faulty) as port:
        with pytest.raises(Wrong, match=told):
            await Measurement(job(port, What.PLAIN)).run()


def test_stamps_keep_every_chunk_as_long_as_the_next() -> None:
    sent = talk.chunk(f"t={time.monotonic_ns():019d} ")
    assert talk.STAMP.search(sent)
    assert {len(sent), *map(len, talk.stream(12))} == {len(sent)}


def test_a_body_of_someone_else_is_not_answered() -> None:
    with pytest.raises(ValueError, match="bench:WHAT:CHUNKS"):
        talk.asked(b'{"messages":[]}')
