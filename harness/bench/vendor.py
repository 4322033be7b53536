"""The mock vendor of the bench: answers any path with fixed bytes. No model thinks here, so all that is measured is the way."""

import asyncio
import time
from functools import cache
from typing import cast

import httptools

from harness.bench import talk
from harness.bench.loop import run, serve
from harness.bench.talk import What

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: bench\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def framed(data: bytes) -> bytes:
    """As one HTTP chunk; nothing for nothing, for an empty chunk would be the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


@cache
def _plain() -> bytes:
    body = talk.answer()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: bench\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


@cache
def _bulk(chunks: int) -> bytes:
    """Each event in an HTTP chunk of its own, as vendors send them."""
    return STREAM_HEAD + b"".join(framed(event) for event in talk.stream(chunks)) + framed(talk.last_chunks()) + LAST


class Vendor(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        what, chunks = talk.asked(b"".join(self._body))
        self._body.clear()
        match what:
            case What.PLAIN:
                self._transport.write(_plain())
            case What.BULK:
                self._transport.write(_bulk(chunks))
            case What.PACED | What.SLOW:
                self._transport.write(STREAM_HEAD)
                self._next(self._loop.time(), chunks, what.pace_s)

    def _next(self, due: float, left: int, pace_s: float) -> None:
        if not left:
            self._transport.write(framed(talk.last_chunks()) + LAST)
            return
        self._transport.write(framed(talk.chunk(f"t={time.monotonic_ns():019d} ")))
        due += pace_s  # by the plan and not by the last chunk, so that lateness does not add up
        self._timer = self._loop.call_at(due, self._next, due, left - 1, pace_s)


if __name__ == "__main__":
    run(serve(Vendor))
