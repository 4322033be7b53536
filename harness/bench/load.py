"""The load generator of the bench: one process, one thread, HTTP/1.1 over loopback, every answer checked.

It reads one measurement a line from stdin and writes its figures back, both JSON; see Job and Figures. It is Python too: where it needs
its whole core, its figures of answers a second are too low, and `own_cpu_s` shows that.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httptools

from harness.bench import talk
from harness.bench.loop import run
from harness.bench.processes import cpu_seconds, memory_of
from harness.bench.talk import What

_PATIENCE_S: Final = 60.0  # 64 calls at once take LiteLLM some seconds, and half a minute where others work on its core


class Wrong(Exception):
    """An answer was not what the vendor sends: the figures would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measurement."""

    url: str
    key: str
    model: str
    what: str
    chunks: int  # in each stream; 0 where there is none
    connections: int
    seconds: float
    pid: int  # of the target
    vendor_pid: int
    times: int = 10  # how long the prompt is; see talk.request
    raw: str = ""  # the whole request, where it is not talk's
    exact: bool = True  # False for a target that writes the vendor's JSON anew: then the text must be in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was seen within the measured time."""

    seconds: float
    answers: int  # that ended
    chunks: int  # that came (paced), or that ended answers held (bulk)
    latency_us: tuple[float, float] | None  # p50, p99: first byte out to last byte in
    delay_us: tuple[float, float] | None  # p50, p99 of paced chunks: written by the vendor to read here
    target_cpu_s: float | None
    vendor_cpu_s: float | None
    own_cpu_s: float
    memory_mb: float | None = None  # of the target, at the end; what it shares with others counted in part


class Measurement:
    """Counts while `counting`; keeps every connection busy until `stopping`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.what = What(job.what)
        where = urlsplit(job.url)
        self.host, self.port = where.hostname or "127.0.0.1", where.port or 80
        self.request = job.raw.encode() or talk.request(
            host=where.netloc, key=job.key, model=job.model, what=self.what, chunks=job.chunks, times=job.times
        )
        # A connection's first answer is compared by these bytes, the later ones by their length, which is cheap.
        self.expected = talk.answer() if self.what is What.PLAIN else b"".join(talk.stream(job.chunks)) + talk.last_chunks()
        self.counting = self.stopping = False
        self.answers = 0
        self.latencies: list[int] = []  # ns
        self.delays: list[int] = []  # ns
        self.wrong: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, message: str) -> None:
        if not self.wrong.done():
            self.wrong.set_exception(Wrong(message))

    async def run(self) -> Figures:
        loop = asyncio.get_running_loop()
        connections = [Connection(self) for _ in range(self.job.connections)]
        try:
            for number, connection in enumerate(connections):
                await loop.create_connection(partial(_itself, connection), self.host, self.port)
                if self.what.pace_s and number:
                    await asyncio.sleep(self.what.pace_s / len(connections))  # spread, as real callers are
            await self._or_wrong(asyncio.gather(*(connection.started for connection in connections)), _PATIENCE_S)
            began, own, target, vendor = self._clocks()
            self.counting = True
            await self._or_wrong(asyncio.sleep(self.job.seconds), self.job.seconds + _PATIENCE_S)
            self.counting = False
            ended, own_end, target_end, vendor_end = self._clocks()
            memory_mb = memory_of(self.job.pid)
            self.stopping = True
            await self._or_wrong(asyncio.gather(*(connection.finished for connection in connections)), _PATIENCE_S)
        finally:
            for connection in connections:
                connection.close()
        return Figures(
            seconds=ended - began,
            answers=self.answers,
            chunks=self.answers * self.job.chunks if self.what is What.BULK else len(self.delays),
            latency_us=_percentiles(self.latencies),
            delay_us=_percentiles(self.delays),
            target_cpu_s=None if target is None or target_end is None else target_end - target,
            vendor_cpu_s=None if vendor is None or vendor_end is None else vendor_end - vendor,
            own_cpu_s=own_end - own,
            memory_mb=memory_mb,
        )

    async def _or_wrong(self, waited_for: Awaitable[object], patience_s: float) -> None:
        work = asyncio.ensure_future(waited_for)
        waiting: set[asyncio.Future[Any]] = {work, self.wrong}
        await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if self.wrong.done():
            self.wrong.result()
        if work.cancelled():
            raise Wrong(f"no answer within {patience_s:.0f} s")

    def _clocks(self) -> tuple[float, float, float | None, float | None]:
        return time.perf_counter(), time.process_time(), cpu_seconds(self.job.pid), cpu_seconds(self.job.vendor_pid)


class Connection(asyncio.Protocol):
    """One connection, asking again as soon as it is answered. Its first answer is a warm-up and is compared whole."""

    def __init__(self, measurement: Measurement) -> None:
        self._all = measurement
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._first: list[bytes] | None = []
        self._size = 0
        self._sent = 0
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()  # the warm-up is over
        self.finished: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self._all.fail("the target closed a connection in use")

    def close(self) -> None:
        if not self.finished.done():
            self.finished.cancel()
        if self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        assert self._transport is not None
        self._size = 0
        self._sent = time.perf_counter_ns()
        self._transport.write(self._all.request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._all.fail(f"the answer is not HTTP/1.1 ({error})")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._all.what.pace_s:
            self._stamps(body)
        elif self._first is not None:
            self._first.append(body)

    def _stamps(self, body: bytes) -> None:
        if not self.started.done():
            self.started.set_result(None)
        if self._all.counting:
            now = time.monotonic_ns()
            self._all.delays.extend(now - int(stamp) for stamp in talk.STAMP.findall(body))

    def on_message_complete(self) -> None:
        took = time.perf_counter_ns() - self._sent
        status = self._parser.get_status_code()
        if status != 200 or (self._size != len(self._all.expected) and self._all.job.exact):
            self._all.fail(f"status {status} with {self._size} bytes came, 200 with {len(self._all.expected)} bytes was expected")
            return
        if self._first is not None and not self._all.what.pace_s:
            first = b"".join(self._first)
            if first != self._all.expected and (self._all.job.exact or talk.TEXT.encode() not in first):
                self._all.fail("the answer's bytes are not the vendor's")
                return
            self._first = None
            if not self.started.done():  # it is where patience has ended meanwhile
                self.started.set_result(None)
        elif self._all.counting:
            self._all.answers += 1
            self._all.latencies.append(took)
        if self._all.stopping or self._all.what.pace_s:  # a paced stream is as long as its measurement
            if not self.finished.done():
                self.finished.set_result(None)
        else:
            self._ask()


def _itself(connection: Connection) -> Connection:
    return connection


def _percentiles(values_ns: list[int]) -> tuple[float, float] | None:
    """p50 and p99, in us."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    return ordered[len(ordered) // 2] / 1000, ordered[int(len(ordered) * 0.99)] / 1000


async def main() -> None:
    """Measure what stdin asks for, until it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            told: dict[str, object] = asdict(await Measurement(Job(**json.loads(line))).run())
        except (Wrong, OSError) as error:
            told = {"wrong": str(error)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(main())
