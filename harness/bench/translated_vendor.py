"""The mock vendor of translated routes: it speaks the protocol of the path that it is called on."""

import asyncio
import time
from functools import cache
from typing import cast

import httptools

from harness.bench import talk, tongues
from harness.bench.loop import run, serve
from harness.bench.tongues import Asked, Kind
from harness.case import Surface

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: bench\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST = b"0\r\n\r\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


@cache
def _bulk(surface: Surface, kind: Kind, chunks: int) -> bytes:
    """Each event in an HTTP chunk of its own, as vendors send them."""
    events = b"".join(_framed(tongues.chunk(surface, kind, piece)) for piece in tongues.pieces(chunks))
    return _STREAM_HEAD + _framed(tongues.first(surface, kind)) + events + _framed(tongues.last(surface, kind, chunks)) + _LAST


class Vendor(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._path = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        what, surface = tongues.asked(b"".join(self._body)), tongues.spoken_at(self._path.decode().partition("?")[0])
        self._body.clear()
        self._path = b""
        if what.paced:
            self._transport.write(_STREAM_HEAD + _framed(tongues.first(surface, what.kind)))
            self._next(self._loop.time(), what, surface, what.chunks)
        else:
            self._transport.write(_bulk(surface, what.kind, what.chunks))

    def _next(self, due: float, what: Asked, surface: Surface, left: int) -> None:
        if not left:
            self._transport.write(_framed(tongues.last(surface, what.kind, 1)) + _LAST)
            return
        self._transport.write(_framed(tongues.chunk(surface, what.kind, f"t={time.monotonic_ns():019d} ")))
        due += talk.PACE_S  # by the plan and not by the last chunk, so that lateness does not add up
        self._timer = self._loop.call_at(due, self._next, due, what, surface, left - 1)


if __name__ == "__main__":
    run(serve(Vendor))
