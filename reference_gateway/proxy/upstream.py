"""The HTTP/1.1 client towards upstreams.

Keep-alive connections in a last-in-first-out pool per upstream, and each read handed on as it came.

A request is never sent twice: a connection that the upstream has closed leaves the pool when its FIN arrives, and an idle one is not
reused after IDLE_S, so what breaks is the upstream's failure and is reported as that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

import httptools

from reference_gateway.catalog import Endpoint
from reference_gateway.proxy.outbox import Outbox
from reference_gateway.proxy.server import Headers

IDLE_S: Final = 15.0
MAX_HEAD_BYTES: Final = 128 * 1024
SECOND_LOOK_S: Final = 0.01  # a loop that stood still finds its timers due before it reads what has come meanwhile: nobody is late at once


class UpstreamBroken(Exception):
    """The upstream gave no whole answer; the text says why, without its host."""


class UpstreamTimeout(UpstreamBroken):
    pass


@dataclass(slots=True)  # frozen ones are slow to make, and one is made for each answer
class ResponseHead:
    """`headers` in order with names in lower case; `header` has the first of each name."""

    status: int
    headers: Headers
    header: dict[bytes, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The fields of a head but for their values: an upstream sends the same names in the same order, answer after answer.

    Each number is where that field stands, -1 where it does not. `memo` is for what somebody works out from the names alone.
    """

    names: tuple[bytes, ...]  # in lower case
    content_length: int
    content_type: int
    content_encoding: int
    connection: int
    memo: dict[object, bytes] = field(default_factory=dict)


class SizedHead(ResponseHead):
    """Of an answer with a content-length; its headers are put together only for whoever asks for them."""

    __slots__ = ("layout", "values")

    def __init__(self, status: int, layout: Layout, values: tuple[bytes, ...]) -> None:
        self.status = status
        self.layout = layout
        self.values = values

    def __getattr__(self, name: str) -> Any:  # asked for what was not set yet
        if name == "headers":
            self.headers = list(zip(self.layout.names, self.values, strict=True))
            return self.headers
        if name == "header":
            self.header = dict(reversed(self.headers))
            return self.header
        raise AttributeError(name)

    def is_plain(self, content_type: bytes) -> bool:
        """Whether the body is of exactly that type, and not encoded."""
        layout = self.layout
        return layout.content_encoding < 0 <= layout.content_type and self.values[layout.content_type] == content_type


_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD: Final = re.compile(rb"\r\n([^:\r\n]*):[ \t]*([^\r\n]*)")
_layouts: Final[dict[tuple[bytes, ...], Layout | None]] = {}  # by the names as upstreams spell them
_MAX_LAYOUTS: Final = 512


def _layout(spelt: tuple[bytes, ...]) -> Layout | None:
    """None where names, or what frames the body, leave a doubt."""
    names = tuple(name.lower() for name in spelt)
    known: Layout | None = None
    if all(map(_NAME.fullmatch, spelt)) and names.count(b"content-length") == 1 and not _FRAMING & set(names):
        first = {name: names.index(name) for name in names}
        known = Layout(
            names,
            first[b"content-length"],
            first.get(b"content-type", -1),
            first.get(b"content-encoding", -1),
            first.get(b"connection", -1),
        )
    if len(_layouts) >= _MAX_LAYOUTS:
        _layouts.clear()
    _layouts[spelt] = known
    return known


_FRAMING: Final = frozenset({b"transfer-encoding", b"upgrade"})


def sized_head(data: bytes) -> tuple[SizedHead, int, int] | None:
    """The head that `data` begins with, where its body begins, and how long that is.

    Only for the most usual of answers: whole head in one read, final status, one content-length and nothing else that frames the body.
    None for every other, and wherever there is a doubt: the parser reads those. RFC 9112 6.3.
    """
    end = data.find(b"\r\n\r\n")
    if not 0 < end <= MAX_HEAD_BYTES or not data.startswith(b"HTTP/1.1 ") or not data[9:12].isdigit() or data[12] not in b" \r":
        return None
    status = int(data[9:12])
    fields = _FIELD.findall(data, 12, end)
    lines = len(fields) + 1  # line ends of status line, fields and the blank line: anything else is folded, bare or no field
    if status < 200 or status in (204, 304) or data.count(b"\n", 0, end + 2) != lines or data.count(b"\r", 0, end + 2) != lines:
        return None
    if data.find(b" \r", 13, end + 1) >= 0 or data.find(b"\t\r", 13, end + 1) >= 0:
        return None
    spelt: tuple[bytes, ...]
    values: tuple[bytes, ...]
    spelt, values = zip(*fields, strict=True) if fields else ((), ())
    layout = _layouts[spelt] if spelt in _layouts else _layout(spelt)
    if layout is None:
        return None
    length = values[layout.content_length]
    if not length.isdigit() or len(length) > 15:
        return None
    return SizedHead(status, layout, values), end + 4, int(length)


class Sink(Protocol):
    """Takes a response body: any `on_read`s, then one `on_end` or `on_broken`."""

    def on_read(self, read: bytes) -> None: ...

    def on_end(self) -> None: ...

    def on_broken(self, reason: UpstreamBroken) -> None: ...


class Asker(Protocol):
    """Waits for the head of an answer, and is told once: from within the read that brought it, with all of the body that came along."""

    def on_head(self, head: ResponseHead) -> None: ...

    def on_no_head(self, reason: UpstreamBroken) -> None: ...


class _Coroutine:
    """An asker that awaits."""

    __slots__ = ("head",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.head: asyncio.Future[ResponseHead] = loop.create_future()

    def on_head(self, head: ResponseHead) -> None:
        if not self.head.done():
            self.head.set_result(head)

    def on_no_head(self, reason: UpstreamBroken) -> None:
        if not self.head.done():
            self.head.set_exception(reason)


class Connection(asyncio.Protocol):
    """One connection; one exchange on it at a time."""

    __slots__ = (
        "_asker",
        "_broken",
        "_deadline",
        "_done",
        "_framed",
        "_head",
        "_head_bytes",
        "_headers",
        "_interim",
        "_keep_alive",
        "_left",
        "_loop",
        "_overdue",
        "_parser",
        "_paused",
        "_pieces",
        "_pool",
        "_sink",
        "_timer",
        "_timer_at",
        "_transport",
        "_untouched",
        "idle_since",
        "lost",
        "on_body",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._loop = pool.loop
        self._asker: Asker | None = None
        self._sink: Sink | None = None
        self.idle_since = 0.0
        self._deadline = self._timer_at = self._overdue = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.lost = self._paused = False
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # the parser's callback for each piece: no frame of ours between
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self._headers: Headers = []
        self._head: ResponseHead | None = None
        self._head_bytes = 0
        self._pieces.clear()
        self._left: int | None = None  # bytes of a body with a content-length; None where the parser frames it
        self._untouched = True  # nothing of this answer has come
        self._done = self._keep_alive = self._framed = self._interim = False
        self._broken: UpstreamBroken | None = None
        self._sink = None

    # the exchange

    async def request(self, head: bytes, body: bytes, timeout_s: float) -> ResponseHead:
        """Sends the request; returns when the response's head is in. Raises UpstreamBroken, UpstreamTimeout."""
        waiting = _Coroutine(self._loop)
        self.ask(head, body, timeout_s, waiting)
        try:
            return await waiting.head
        finally:
            self._asker = None

    def ask(self, head: bytes, body: bytes, timeout_s: float, asker: Asker) -> None:
        """Sends the request; the asker is told UpstreamTimeout where no head comes in time."""
        self._reset()
        self._asker = asker
        if len(body) < 64 * 1024:
            self._pool.outbox.put(self._transport, head + body)
        else:
            self._pool.outbox.flush_for(self._transport)
            self._transport.writelines([head, body])
        self._deadline = deadline = self._loop.time() + timeout_s
        if self._timer is None or self._timer_at > deadline:
            self._set_timer()

    def _set_timer(self) -> None:
        """One timer a connection, put off lazily: it rings once for many requests."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._asker is None or self.lost:
            return
        if self._loop.time() < self._deadline:
            self._set_timer()
        elif self._overdue != self._deadline:
            self._overdue = self._deadline
            self._timer_at = self._deadline
            self._timer = self._loop.call_later(SECOND_LOOK_S, self._on_timer)
        else:
            self._break(UpstreamTimeout("The upstream did not answer in time."))

    def take_whole(self) -> bytes | None:
        """The body where all of it is here and nobody has had any of it; else None."""
        if not self._done or self._sink is not None:
            return None
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return body

    def attach(self, sink: Sink) -> None:
        """Hands the body to the sink: what is in already, now, and each further read as it comes."""
        self._sink = sink
        self._deliver()

    def pause(self) -> None:
        if not self.lost and not self._done:  # what is in already is all there is
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self.lost:
            self._paused = False
            self._transport.resume_reading()

    def abort(self, reason: UpstreamBroken) -> None:
        """Breaks the exchange off at once; whoever waits is told the reason."""
        self._break(reason)

    def release(self) -> None:
        """After the exchange: back to the pool if it can be used again, else closed."""
        self._sink = None
        if self._done and self._keep_alive and not self.lost:
            self.resume()
            self.idle_since = self._loop.time()
            self._pool.put(self)
        else:
            self._transport.abort()

    def fresh(self, now: float) -> bool:
        return not self.lost and now - self.idle_since < IDLE_S

    def close(self) -> None:
        self._transport.close()

    def _break(self, reason: UpstreamBroken) -> None:
        if self._done or self._broken is not None:
            return
        self._broken = reason
        self._transport.abort()
        asker = self._asker
        if asker is not None and self._head is None:
            self._asker = None
            asker.on_no_head(reason)
        else:
            self._deliver()

    def _deliver(self) -> None:
        asker, sink = self._asker, self._sink
        if asker is not None and self._head is not None:
            self._asker = None
            asker.on_head(self._head)
            return
        if sink is None:
            return
        if self._pieces:
            read = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            sink.on_read(read)
        if self._sink is None:
            return
        if self._done:
            self._sink = None
            sink.on_end()
        elif self._broken is not None:
            self._sink = None
            sink.on_broken(self._broken)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._pool.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        del self._parser  # the two know each other: parted, they need not wait for the collector
        if self._head is not None and not self._framed and exc is None and not self._done:
            self._done = True  # neither length nor chunks: the end of the connection is the end of the body
            self._deliver()
            return
        self._break(UpstreamBroken("The upstream closed the connection before its answer was whole."))

    def data_received(self, data: bytes) -> None:
        if self._done or (self._asker is None and self._head is None):
            self._transport.abort()  # bytes nobody asked for: the connection is in no state to be used again
            return
        if self._untouched:
            self._untouched = False
            sized = sized_head(data)
            if sized is not None:
                self._begin(*sized, data)
                return
        if self._left is not None:
            self._more(self._left, data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break(UpstreamBroken("The upstream's answer is not HTTP/1.1."))
            return
        self._deliver()

    def _begin(self, head: SizedHead, body_at: int, size: int, data: bytes) -> None:
        self._head = head
        self._framed = True
        connection = head.layout.connection
        self._keep_alive = connection < 0 or b"close" not in head.values[connection].lower()
        self._more(size, data[body_at:])

    def _more(self, left: int, data: bytes) -> None:
        if len(data) > left:
            data, self._keep_alive = data[:left], False  # bytes nobody asked for follow
        if data:
            self._pieces.append(data)
        self._left = left - len(data)
        self._done = not self._left
        self._deliver()

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head is not None:
            return  # a trailer
        if self._head_bytes > MAX_HEAD_BYTES:
            raise httptools.HttpParserError("head too large")
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._interim = True
            self._headers = []
            return
        header = dict(reversed(self._headers))
        self._framed = b"content-length" in header or b"transfer-encoding" in header or status in (204, 304)
        self._head = ResponseHead(status, self._headers, header)

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            return
        self._done = True
        self._keep_alive = self._parser.should_keep_alive()


class Pool:
    """The idle connections to one base URL."""

    def __init__(self, endpoint: Endpoint, connect_timeout_s: float, address: str | None = None) -> None:
        """`address`: connect there, whatever the endpoint's name means by now."""
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
        self._endpoint = endpoint
        self._closed = False
        self._address = address or endpoint.host
        self._connect_timeout_s = connect_timeout_s
        self._idle: list[Connection] = []  # the one used last at the end
        self._sweep: asyncio.TimerHandle | None = None

    def idle(self) -> Connection | None:
        """The connection used last."""
        now = self.loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh(now):
                return connection
            connection.close()
        return None

    async def get(self) -> Connection:
        """The connection used last, or a new one. Raises UpstreamBroken, UpstreamTimeout."""
        if (known := self.idle()) is not None:
            return known
        endpoint = self._endpoint
        connect: Callable[[], Connection] = lambda: Connection(self)  # noqa: E731
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await self.loop.create_connection(
                    connect, self._address, endpoint.port, ssl=endpoint.tls, server_hostname=endpoint.host if endpoint.tls else None
                )
        except TimeoutError:
            raise UpstreamTimeout("The upstream could not be reached in time.") from None
        except OSError:  # refused, unreachable, unknown host, TLS
            raise UpstreamBroken("The upstream could not be reached.") from None
        return connection

    def put(self, connection: Connection) -> None:
        if self._closed:  # its channel has been taken out while it was in use
            connection.close()
        else:
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = self.loop.call_later(IDLE_S, self._close_stale)

    def _close_stale(self) -> None:
        """Those at the other end are used no more: what a busy hour has opened does not stay open when it is over."""
        now, idle = self.loop.time(), self._idle
        while idle and not idle[0].fresh(now):
            idle.pop(0).close()
        self._sweep = self.loop.call_at(idle[0].idle_since + IDLE_S, self._close_stale) if idle else None

    def forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._idle):
            connection.close()
        self._idle.clear()


def too_large(limit_bytes: int) -> UpstreamBroken:
    return UpstreamBroken(f"The upstream's answer is over {limit_bytes} bytes.")


class Gather:
    """A sink for an answer that must be whole before anything is made of it."""

    def __init__(self, connection: Connection, limit_bytes: int, idle_s: float) -> None:
        self._connection = connection
        self._limit_bytes = limit_bytes
        self._idle_s = idle_s

    async def body(self) -> bytes:
        """Raises UpstreamBroken, UpstreamTimeout."""
        whole = self._connection.take_whole()
        if whole is None:
            return await self._rest()
        if len(whole) > self._limit_bytes:
            raise too_large(self._limit_bytes)
        return whole

    async def _rest(self) -> bytes:
        self._reads: list[bytes] = []
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._last_read = self._loop.time()
        self._overdue = 0.0  # the last read at the first of two looks
        self._done: asyncio.Future[bytes] = self._loop.create_future()
        self._connection.attach(self)
        if self._done.done():
            return self._done.result()
        self._timer = self._loop.call_later(self._idle_s, self._check_idle)
        try:
            return await self._done
        finally:
            self._timer.cancel()

    def _check_idle(self) -> None:
        quiet = self._loop.time() - self._last_read
        if quiet < self._idle_s:
            self._timer = self._loop.call_later(self._idle_s - quiet, self._check_idle)
        elif self._overdue != self._last_read:
            self._overdue = self._last_read
            self._timer = self._loop.call_later(SECOND_LOOK_S, self._check_idle)
        else:
            self._connection.abort(UpstreamTimeout("The upstream fell silent before its answer was whole."))

    def on_read(self, read: bytes) -> None:
        self._last_read = self._loop.time()
        self._size += len(read)
        if self._size > self._limit_bytes:
            reason = too_large(self._limit_bytes)
            self._connection.abort(reason)
            self.on_broken(reason)  # what has come whole already can no longer be aborted
            return
        self._reads.append(read)

    def on_end(self) -> None:
        if not self._done.done():
            self._done.set_result(self._reads[0] if len(self._reads) == 1 else b"".join(self._reads))

    def on_broken(self, reason: UpstreamBroken) -> None:
        if not self._done.done():
            self._done.set_exception(reason)
