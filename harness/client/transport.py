"""Transports that every client sends through: they keep what they see on a Tape and change nothing of it.

Connections are shared by all exchanges of a run (`Pools`); each exchange has a transport and a tape of its own.
A client's close does not close the body: SDKs hang up after their terminal event, and the witness wants the bytes behind it too.
What a client left is read by `finish`, or cut off where the case wants an abort.
"""

import asyncio
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from harness.client.tape import Tape
from harness.exchange import End

# Servers commonly drop an idle connection after 5 s or more; one that we drop first is never found dead by a request.
_LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=200, keepalive_expiry=2.0)

_UNSENDABLE: Final = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)


class Pools:
    """The connections of one run: HTTP/1.1, no proxy, nothing from the environment."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls or ssl.create_default_context()
        self.sync_inner = httpx2.HTTPTransport(verify=self.tls, trust_env=False, limits=_LIMITS)
        self.async_inner = httpx2.AsyncHTTPTransport(verify=self.tls, trust_env=False, limits=_LIMITS)
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def note_socket(self, event: str, info: dict[str, Any]) -> None:
        """A trace callback of httpcore2: keeps the sockets that sync clients may be blocked on."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.add(info["return_value"].get_extra_info("socket"))

    async def aclose(self) -> None:
        """Closes every connection; a thread that still waits for a read is woken by the shutdown of its socket."""
        await self.async_inner.aclose()
        for used in list(self._sockets):
            with suppress(OSError):  # closed already
                used.shutdown(socket.SHUT_RDWR)
        self.sync_inner.close()


class AsyncBody(httpx2.AsyncByteStream):
    """Each read is a task of its own: openai's async client gives up on its last one after 0.1 s, the witness does not."""

    def __init__(self, inner: httpx2.AsyncByteStream, tape: Tape) -> None:
        self._inner = inner
        self._reads = aiter(inner)
        self._tape = tape
        self._reading: asyncio.Task[bytes | None] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._reading is None:
            if self._tape.end is not None:
                raise StopAsyncIteration
            self._reading = asyncio.create_task(self._read())
        reading = self._reading
        try:
            data = await asyncio.shield(reading)
        finally:
            if reading.done():
                self._reading = None
        if data is None:
            raise StopAsyncIteration
        return data

    async def _read(self) -> bytes | None:
        """The next read; None at the end."""
        try:
            self._tape.check_deadline()
            data = await anext(self._reads)
        except StopAsyncIteration:
            self._tape.ended(End.EOF)
            return None
        except BaseException as error:
            self._tape.ended(_end(error), _told(error))
            raise
        self._tape.read(data)
        return data

    async def aclose(self) -> None:
        """See the module: the client is done, the witness is not."""

    async def finish(self, *, hang_up: bool) -> None:
        task = asyncio.current_task()
        try:
            if not hang_up and not (task and task.cancelling()):
                with suppress(httpx2.TransportError):  # the tape has it
                    async for _ in self:
                        pass
        finally:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)
            self._tape.ended(End.ABORTED)
            await self._inner.aclose()


class SyncBody(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, tape: Tape) -> None:
        self._inner = inner
        self._reads = iter(inner)
        self._tape = tape

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        tape = self._tape
        if tape.end is not None:
            raise StopIteration
        try:
            tape.check_deadline()
            data = next(self._reads)
        except StopIteration:
            tape.ended(End.EOF)
            raise
        except BaseException as error:
            tape.ended(_end(error), _told(error))
            raise
        tape.read(data)
        return data

    def close(self) -> None:
        """See the module: the client is done, the witness is not."""

    def finish(self, *, hang_up: bool) -> None:
        try:
            if not hang_up:
                with suppress(httpx2.TransportError):  # the tape has it
                    for _ in self:
                        pass
        finally:
            self._tape.ended(End.ABORTED)
            self._inner.close()


class AsyncRecorder(httpx2.AsyncBaseTransport):
    """One exchange of an async client."""

    def __init__(self, pools: Pools, tape: Tape) -> None:
        self._pools = pools
        self._tape = tape
        self._body: AsyncBody | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._tape.asked(request, await request.aread())
        try:
            answer = await self._pools.async_inner.handle_async_request(request)
        except _UNSENDABLE as error:
            raise self._tape.refuse(f"the request cannot be written: {error}") from error
        except httpx2.TransportError as error:
            self._tape.failed(error)
            raise
        self._tape.answered(answer)
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        self._body = AsyncBody(answer.stream, self._tape)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=self._body, extensions=answer.extensions)

    async def finish(self, *, hang_up: bool = False) -> None:
        """Reads what the client left of the body, or closes the socket at once."""
        if self._body is not None:
            await self._body.finish(hang_up=hang_up)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None, trace: TracebackType | None = None
    ) -> None:
        """The pool outlives the client that was built for one exchange."""


class SyncRecorder(httpx2.BaseTransport):
    """One exchange of a sync client, in the client's thread."""

    def __init__(self, pools: Pools, tape: Tape) -> None:
        self._pools = pools
        self._tape = tape
        self._body: SyncBody | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._tape.asked(request, request.read())
        request.extensions = {**request.extensions, "trace": self._pools.note_socket}
        try:
            answer = self._pools.sync_inner.handle_request(request)
        except _UNSENDABLE as error:
            raise self._tape.refuse(f"the request cannot be written: {error}") from error
        except httpx2.TransportError as error:
            self._tape.failed(error)
            raise
        self._tape.answered(answer)
        assert isinstance(answer.stream, httpx2.SyncByteStream)
        self._body = SyncBody(answer.stream, self._tape)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=self._body, extensions=answer.extensions)

    def finish(self, *, hang_up: bool = False) -> None:
        """Reads what the client left of the body, or closes the socket at once."""
        if self._body is not None:
            self._body.finish(hang_up=hang_up)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None, trace: TracebackType | None = None
    ) -> None:
        """The pool outlives the client that was built for one exchange."""


def _end(error: BaseException) -> End:
    match error:
        case httpx2.TimeoutException():
            return End.TIMEOUT
        case httpx2.TransportError():
            return End.RESET
        case _:  # our own side is being stopped: a cancelled task, Ctrl-C
            return End.ABORTED


def _told(error: BaseException) -> BaseException | None:
    return error if isinstance(error, httpx2.TransportError) else None
