"""The mock vendor of translated routes: it speaks the protocol of the path that it is called on."""

import time
from functools import cache

from harness.bench import talk, tongues
from harness.bench.loop import run, serve
from harness.bench.tongues import Asked, Kind
from harness.bench.vendor import LAST, STREAM_HEAD, Vendor, framed
from harness.case import Surface


@cache
def _bulk(surface: Surface, kind: Kind, chunks: int) -> bytes:
    """Each event in an HTTP chunk of its own, as vendors send them."""
    events = b"".join(framed(tongues.chunk(surface, kind, piece)) for piece in tongues.pieces(chunks))
    return STREAM_HEAD + framed(tongues.first(surface, kind)) + events + framed(tongues.last(surface, kind, chunks)) + LAST


class TranslatedVendor(Vendor):
    _path = b""

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_message_complete(self) -> None:
        what, surface = tongues.asked(b"".join(self._body)), tongues.spoken_at(self._path.decode().partition("?")[0])
        self._body.clear()
        self._path = b""
        if what.paced:
            self._transport.write(STREAM_HEAD + framed(tongues.first(surface, what.kind)))
            self._pace(self._loop.time(), what, surface, what.chunks)
        else:
            self._transport.write(_bulk(surface, what.kind, what.chunks))

    def _pace(self, due: float, what: Asked, surface: Surface, left: int) -> None:
        if not left:
            self._transport.write(framed(tongues.last(surface, what.kind, 1)) + LAST)
            return
        self._transport.write(framed(tongues.chunk(surface, what.kind, f"t={time.monotonic_ns():019d} ")))
        due += talk.PACE_S  # by the plan and not by the last chunk, so that lateness does not add up
        self._timer = self._loop.call_at(due, self._pace, due, what, surface, left - 1)


if __name__ == "__main__":
    run(serve(TranslatedVendor))
