"""One connection of the gateway: requests in, bytes out, and the moment at which the gateway left."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from harness.upstream.requests import Arrived, RequestReader

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # close() then sends RST (POSIX SO_LINGER)


class PeerGone(Exception):
    """The gateway closed or reset the connection: news, not an error of ours."""


class Connection(asyncio.Protocol):
    """A half-closed connection counts as left: HTTP clients do not close their side and go on reading."""

    def __init__(self, serve: Callable[["Connection"], Coroutine[Any, Any, None]]) -> None:
        self._serve = serve
        self._reader = RequestReader()
        self._requests: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._transport.set_write_buffer_limits(high=0)  # so that drain() waits until the kernel has it all
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.task = asyncio.get_running_loop().create_task(self._serve(self))
        self.task.add_done_callback(lambda task: self.reset() if task.cancelled() else None)

    def data_received(self, data: bytes) -> None:
        for arrived in self._reader.feed(data, time.perf_counter()):
            self._requests.put_nowait(arrived)
        if self._reader.wants_continue:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def eof_received(self) -> None:
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def next_request(self) -> Arrived | None:
        """None: there will be no more."""
        return await self._requests.get()

    def require(self) -> None:
        """Raises PeerGone if the gateway has left."""
        if self._gone.is_set():
            raise PeerGone

    def write(self, data: bytes) -> None:
        self.require()
        self._transport.write(data)

    async def drain(self) -> None:
        """Waits until the kernel has all that was written."""
        await self._writable.wait()
        self.require()

    async def hold(self, seconds: float | None) -> None:
        """Keeps silent so long (None: for ever). Raises PeerGone as soon as the gateway leaves."""
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return
        raise PeerGone

    async def unless_gone(self, waiting: Coroutine[Any, Any, bool]) -> bool:
        """What `waiting` gives; PeerGone when the gateway leaves first."""
        wanted = asyncio.ensure_future(waiting)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((wanted, gone), return_when=asyncio.FIRST_COMPLETED)
            if self._gone.is_set():
                raise PeerGone
            return wanted.result()
        finally:
            wanted.cancel()
            gone.cancel()

    def cancel(self) -> None:
        """Gives up whatever is going on, and resets."""
        if self.task is not None:
            self.task.cancel()

    def close(self) -> None:
        self._transport.close()

    def reset(self) -> None:
        if not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    def _left(self) -> None:
        if self._gone.is_set():
            return
        self._gone.set()
        self._writable.set()
        if (partial := self._reader.partial()) is not None:
            self._requests.put_nowait(partial)
        self._requests.put_nowait(None)
