"""The least that a hop in Python can do: one upstream connection for each caller's, and every read passed on unparsed.

It knows no HTTP, key, price or limit. What a gateway costs above this is its own work; what this costs is Python's and the kernel's.
"""

import asyncio
import sys
from typing import cast
from urllib.parse import urlsplit

from harness.bench.loop import run, serve


class Side(asyncio.Protocol):
    """One of the two connections; what it reads, the other writes."""

    def __init__(self, other: "Side | None" = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.writelines(self._early)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)

    def write(self, data: bytes) -> None:
        if self.transport is None:
            self._early.append(data)
        else:
            self.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class Caller(Side):
    """The caller's side, which calls the upstream as soon as it is called itself."""

    def __init__(self, host: str, port: int) -> None:
        upstream = Side(self)
        super().__init__(upstream)
        self._upstream = upstream
        self._address = (host, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._calling = loop.create_task(loop.create_connection(lambda: self._upstream, *self._address))
        self._calling.add_done_callback(self._called)

    def _called(self, calling: "asyncio.Task[tuple[asyncio.Transport, Side]]") -> None:
        if self.transport is not None and (calling.cancelled() or calling.exception() is not None):
            self.transport.abort()  # the upstream is not there


if __name__ == "__main__":
    upstream = urlsplit(sys.argv[1])
    run(serve(lambda: Caller(upstream.hostname or "127.0.0.1", upstream.port or 80)))
