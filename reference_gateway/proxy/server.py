"""The HTTP/1.1 server: whole requests in, answers out. It knows no path, key or price; the application it serves does.

One request of a connection is answered at a time, in order; pipelined ones wait in a bounded queue. A request body is gathered whole,
since the gateway must read its model before anything else, and the limit on it is the application's word per path. RFC 9112.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol, cast

import httptools

from reference_gateway.proxy.outbox import Outbox

Headers = list[tuple[bytes, bytes]]
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_PIPELINED: Final = 16
HIGH_WATER: Final = 64 * 1024
KEEP_ALIVE_S: Final = 75.0
REQUEST_S: Final = 60.0
LINGER_S: Final = 1.0
REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
LARGE_PIECE: Final = 16 * 1024  # from here on the kernel is handed the parts of a write instead of a copy of them in one piece
log = logging.getLogger("reference_gateway")


@dataclass(frozen=True, slots=True)
class RequestHead:
    """`path` and `query` as they stood (still percent-encoded).

    `headers` in order, duplicates kept, names in lower case; `header` has the first of each name. `memo` is the application's, for what
    it works out from the head alone: a caller that repeats its head byte for byte on its connection is handed the same object again.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: Headers
    header: dict[bytes, bytes]
    memo: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """A head that came before on this connection and may come again with another content-length, as SDKs send them call after call.

    Its bytes but for the digits; whatever equals them needs no second parse. The body limit is what the application said of this head.
    """

    before: bytes  # up to the digits of content-length
    after: bytes  # from there to the blank line
    head: RequestHead
    body_limit: int


_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*(?=\r\n)", re.IGNORECASE)
_FRAMING: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


def repeatable(data: bytes, head: RequestHead, body_limit: int) -> Repeatable | None:
    """The head that `data` begins with, already parsed and accepted, where nothing but one content-length frames its body.

    None where the bytes leave any doubt that our cut is the parser's: a bare line feed, a folded or a second content-length.
    """
    end = data.find(b"\r\n\r\n") + 4
    lines = len(head.headers) + 2
    if data.count(b"\n", 0, end) != lines or data.count(b"\r\n", 0, end) != lines:
        return None
    if not _FRAMING.isdisjoint(head.header) or head.header.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    spans = [match.span(1) for match in _LENGTH.finditer(data, 0, end)]
    if len(spans) != 1 or sum(name == b"content-length" for name, _ in head.headers) != 1:
        return None
    start, stop = spans[0]
    return Repeatable(before=data[:start], after=data[stop:end], head=head, body_limit=body_limit)


class Application(Protocol):
    def max_body_bytes(self, head: RequestHead) -> int: ...

    def refuse(self, head: RequestHead | None, status: int, message: str) -> tuple[Headers, bytes]:
        """Headers and body of an answer to a request that never became one (400, 408, 413, 431)."""
        ...

    def serve(self, head: RequestHead, body: bytes, answer: Answer) -> Coroutine[Any, Any, None]: ...


class Prompt(Application, Protocol):
    """An application that need not be awaited for what is usual."""

    def take(self, head: RequestHead, body: bytes, answer: Answer) -> bool:
        """True: answers by itself and then calls `answer.over()`, or `answer.go_on()` with a coroutine that does the rest.

        False: nothing was done, `serve` has to.
        """
        ...


class Answer:
    """The answer to one request. Either `send` once, or `start`, any `write`s, and `end` or `abort`.

    `on_gone` is called the moment the caller has left; `on_pause` and `on_resume` while more is buffered for it than it takes.
    """

    __slots__ = ("_connection", "_head", "gone", "on_gone", "on_pause", "on_resume", "size_bytes", "started", "status")

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._head = b""
        self.started = False
        self.status = 0  # until it has started
        self.size_bytes = 0  # of the body, as far as it was handed to the socket
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self.on_pause: Callable[[], None] | None = None
        self.on_resume: Callable[[], None] | None = None

    def over(self) -> None:
        """Of an answer that no coroutine gives: all of it has been said."""
        self._connection.answered()

    def go_on(self, rest: Coroutine[Any, Any, None]) -> None:
        """Of an answer that no coroutine gives: from here on this one does."""
        self._connection.go_on(rest, self)

    @property
    def paused(self) -> bool:
        return self._connection.write_paused

    @property
    def peer(self) -> str:
        """The address at the other end of the socket; "" where it has none."""
        name = self._connection.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    def close_after(self) -> None:
        """The connection ends with this answer."""
        self._connection.close_after_answer()

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole answer in one write; to a HEAD request without the body."""
        if self.gone:
            return
        self.started = True
        self.status, self.size_bytes = status, len(body)
        self._connection.send(status, block(headers), body)

    def send_block(self, status: int, lines: bytes, body: bytes) -> None:
        """As `send`, with the header lines as they will stand."""
        if self.gone:
            return
        self.started = True
        self.status, self.size_bytes = status, len(body)
        self._connection.send(status, lines, body)

    def start(self, status: int, headers: Headers) -> None:
        """The head of an answer whose length nobody knows; it leaves with the first `write`, in one segment."""
        self.start_block(status, block(headers))

    def start_block(self, status: int, lines: bytes) -> None:
        """As `start`, with the header lines as they will stand."""
        self.started = True
        self.status = status
        self._head = self._connection.stream_head(status, lines)

    def write(self, piece: bytes) -> None:
        if self.gone or not piece:
            return
        self.size_bytes += len(piece)
        connection, head = self._connection, self._head
        self._head = b""
        if not connection.chunked:
            connection.transport.write(head + piece)
        elif len(piece) < LARGE_PIECE:
            connection.transport.write(b"%b%x\r\n%b\r\n" % (head, len(piece), piece))
        else:
            connection.transport.writelines((b"%b%x\r\n" % (head, len(piece)), piece, b"\r\n"))

    def finish(self, piece: bytes) -> None:
        """The last piece and the end in one write: the caller is woken once."""
        if self.gone or not piece or not self._connection.chunked:
            self.write(piece)
            self.end()
            return
        self.size_bytes += len(piece)
        connection, head, self._head = self._connection, self._head, b""
        if len(piece) < LARGE_PIECE:
            connection.put(b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(piece), piece))
        else:
            connection.put((b"%b%x\r\n" % (head, len(piece)), piece, b"\r\n0\r\n\r\n"))

    def end(self) -> None:
        if self.gone:
            return
        if self._head or self._connection.chunked:
            self._connection.transport.write(self._head + (b"0\r\n\r\n" if self._connection.chunked else b""))
        self._head = b""

    def abort(self) -> None:
        """Breaks the answer off so that the caller can see that it is not whole."""
        self._connection.transport.abort()


def block(headers: Headers) -> bytes:
    """The lines of a head."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class ServerConnection(asyncio.Protocol):
    __slots__ = (
        "_answer",
        "_answering",
        "_application",
        "_bodiless",
        "_body",
        "_body_after_upgrade",
        "_body_limit",
        "_body_size",
        "_closing",
        "_continue_owed",
        "_deadline",
        "_ended",
        "_head",
        "_head_bytes",
        "_headers",
        "_heads",
        "_in_request",
        "_keep_alive",
        "_loop",
        "_missing",
        "_outbox",
        "_parsed",
        "_parser",
        "_priming",
        "_queue",
        "_refused",
        "_repeatable",
        "_server",
        "_take",
        "_target",
        "_task",
        "_timer",
        "_unread_bytes",
        "chunked",
        "transport",
        "write_paused",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self._application = server.application
        self._take = server.take
        self._loop = server.loop
        self._outbox = server.outbox
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[RequestHead, bytes, bool, bool]] = deque()
        self._answer: Answer | None = None
        self._answering: RequestHead | None = None  # whom the present answer is for
        self._task: asyncio.Task[None] | None = None  # the loop itself holds its tasks only weakly
        self._ended: asyncio.Future[None] | None = None  # the present answer, where somebody waits for its end
        self._closing = self._refused = self._in_request = self._continue_owed = self.write_paused = False
        self._keep_alive = self.chunked = True
        self._bodiless = self._body_after_upgrade = self._priming = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._repeatable: Repeatable | None = None
        self._missing = 0  # of the body of a request with a repeated head
        self._heads = 0  # parsed within the present read
        self._parsed: RequestHead | None = None  # the last of them
        self._new_request()

    def _new_request(self) -> None:
        self._target = b""
        self._headers: Headers = []
        self._head: RequestHead | None = None
        self._head_bytes = self._unread_bytes = 0
        self._body: list[bytes] = []
        self._body_size = self._body_limit = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self._server.connections.add(self)
        self._deadline = self._loop.time() + KEEP_ALIVE_S
        self._timer = self._loop.call_at(self._deadline, self._on_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._closing = True
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
        del self._parser  # the two know each other: parted, they need not wait for the collector with half a body
        answer = self._answer
        if answer is not None and not answer.gone:
            answer.gone = True
            if answer.on_gone is not None:
                answer.on_gone()

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._answer is not None and self._answer.on_pause is not None:
            self._answer.on_pause()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._answer is not None and self._answer.on_resume is not None:
            self._answer.on_resume()

    def data_received(self, data: bytes) -> None:
        if self._refused or self._closing:
            return
        if self._missing:
            data = self._gather(data)
        if data and (self._in_request or self._repeatable is None or not self._repeated(self._repeatable, data)):
            self._parse(data)

    def _repeated(self, known: Repeatable, data: bytes) -> bool:
        """Takes a request whose head is the known one, if this is one; `data` begins where a request does."""
        if not data.startswith(known.before):
            return False
        start = len(known.before)
        stop = data.find(b"\r", start, start + 12)
        digits = data[start:stop]
        if stop < 0 or not digits.isdigit() or not data.startswith(known.after, stop):
            return False
        size, body_at = int(digits), stop + len(known.after)
        missing = size - len(data) + body_at
        if size > known.body_limit or missing < 0:
            return False
        self._head = known.head
        if not missing:
            self._complete(known.head, data[body_at:], True, True)
            return True
        self._in_request = True
        self._body = [data[body_at:]]
        self._missing = missing
        self._deadline = self._loop.time() + REQUEST_S
        return True

    def _gather(self, data: bytes) -> bytes:
        """More of a body that a repeated head has announced; returns what follows it."""
        body, self._missing = data[: self._missing], max(0, self._missing - len(data))
        self._body.append(body)
        self._deadline = self._loop.time() + REQUEST_S
        if not self._missing and self._head is not None:
            self._complete(self._head, b"".join(self._body), True, True)
        return data[len(body) :]

    def _parse(self, data: bytes) -> None:
        size, first, begins = len(data), data, not self._in_request
        self._heads = 0
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._decline_upgrade()
                continue
            except httptools.HttpParserError:
                self._refuse(400, "The request is not HTTP/1.1.")
            break
        if self._in_request and self._head is None:  # the parser shows a header line only once it is whole
            self._unread_bytes += size
            if self._unread_bytes > MAX_HEADER_BYTES:
                self._refuse_head()
        if begins and self._heads == 1 and not self._refused and self._parsed is not None and self._parser.get_http_version() == "1.1":
            self._repeatable = repeatable(first, self._parsed, self._body_limit)

    def _decline_upgrade(self) -> None:
        """We speak nothing but HTTP/1.1, so the request stands as it is, and so does what follows it (RFC 9110 7.8).

        The parser takes the offer for accepted and stops at the end of the head. A new one goes on; where a body is to come, it is told its
        framing by a head of our own.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self._body_after_upgrade:
            self._body_after_upgrade = False
            framing = [b"%b: %b\r\n" % header for header in self._headers if header[0] in (b"content-length", b"transfer-encoding")]
            self._priming = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
            self._priming = False

    def eof_received(self) -> bool:
        return False  # a caller that has closed its half is gone, as for most servers; the transport closes, and connection_lost tells

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self._priming:
            return
        self._new_request()
        self._in_request = True
        self._deadline = self._loop.time() + REQUEST_S

    def on_url(self, url: bytes) -> None:
        if self._priming:
            return
        self._target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._priming:
            return
        self._headers.append((name.lower(), value))
        self._count(len(name) + len(value) + 4)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEADER_BYTES:
            self._refuse_head()

    def _refuse_head(self) -> None:
        self._refuse(431, f"The request head is over {MAX_HEADER_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        if self._refused or self._priming:
            return
        path, _, query = self._target.partition(b"?")
        if not path.startswith(b"/"):
            scheme, _, rest = path.partition(b"://")
            path = b"/" + rest.partition(b"/")[2] if rest and scheme.lower() in (b"http", b"https") else path
        header = dict(reversed(self._headers))
        self._head = self._parsed = head = RequestHead(self._parser.get_method(), path, query, self._headers, header)
        self._heads += 1
        if b"host" not in header and self._parser.get_http_version() == "1.1":
            self._refuse(400, "The request has no host header.")
            return
        self._body_after_upgrade = self._parser.should_upgrade() and (b"content-length" in header or b"transfer-encoding" in header)
        self._body_limit = self._application.max_body_bytes(head)
        length = header.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._body_limit:
            self._too_large()
        elif header.get(b"expect", b"").lower() == b"100-continue":
            if self._answer is None:
                self._outbox.flush_for(self.transport)
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            else:
                self._continue_owed = True

    def on_body(self, piece: bytes) -> None:
        if self._refused:
            return
        self._body_size += len(piece)
        if self._body_size > self._body_limit:
            self._too_large()
            return
        self._body.append(piece)
        self._deadline = self._loop.time() + REQUEST_S

    def on_message_complete(self) -> None:
        if self._body_after_upgrade:
            return
        self._continue_owed = False
        if self._refused or self._head is None:
            self._in_request = False
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        version_1_1 = self._parser.get_http_version() == "1.1"
        self._complete(self._head, body, version_1_1 and self._parser.should_keep_alive(), version_1_1)

    def _complete(self, head: RequestHead, body: bytes, keep_alive: bool, version_1_1: bool) -> None:
        self._in_request = False
        self._head = None
        self._body = []  # an idle connection holds no body
        if self._answer is None and not self._queue and not self._closing:
            self._begin(head, body, keep_alive, version_1_1)
            return
        self._queue.append((head, body, keep_alive, version_1_1))
        if self._answer is None:
            self._next()
        elif len(self._queue) >= MAX_PIPELINED:
            self.transport.pause_reading()

    # answering

    def _next(self) -> None:
        if not self._queue or self._closing:
            return
        request = self._queue.popleft()
        if len(self._queue) == MAX_PIPELINED - 1:
            self.transport.resume_reading()
        self._begin(*request)

    def _begin(self, head: RequestHead, body: bytes, keep_alive: bool, version_1_1: bool) -> None:
        self._keep_alive, self.chunked = keep_alive, version_1_1
        self._bodiless = head.method == b"HEAD"
        if self._server.stopping:
            self._keep_alive = False
        self._answering = head
        answer = self._answer = Answer(self)
        if self._take is None or not self._take(head, body, answer):
            self.go_on(self._application.serve(head, body, answer), answer)

    def go_on(self, rest: Coroutine[Any, Any, None], answer: Answer) -> None:
        self._task = self._loop.create_task(self._finish(rest, answer))

    async def _finish(self, rest: Coroutine[Any, Any, None], answer: Answer) -> None:
        try:
            await rest
        except Exception:  # whatever broke, the caller gets an end and the operator the traceback
            log.exception("request failed")
            if not answer.started:
                headers, text = self._application.refuse(self._answering, 500, "The gateway failed.")
                answer.send(500, headers, text)
            else:
                answer.abort()
        self.answered()

    def answered(self) -> None:
        """What follows an answer: the next request, or the end of the connection."""
        self._answer = self._task = None
        if self._ended is not None:
            self._ended.set_result(None)
            self._ended = None
        if self._closing:
            return
        if not self._keep_alive or self._refused or (self._server.stopping and not self._queue):
            self._closing = True
            self._outbox.flush_for(self.transport)
            self.transport.close()
            return
        self._deadline = self._loop.time() + KEEP_ALIVE_S
        if self._continue_owed:
            self._continue_owed = False
            self._outbox.flush_for(self.transport)
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._queue:
            self._next()

    def send(self, status: int, lines: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %d %b\r\n%b%bcontent-length: %d\r\n\r\n" % (
            status,
            REASONS.get(status, b""),
            lines,
            b"" if self._keep_alive else b"connection: close\r\n",
            len(body),
        )
        if self._bodiless:
            self._outbox.put(self.transport, head)
        elif len(body) < LARGE_PIECE:
            self._outbox.put(self.transport, head + body)
        else:
            self._outbox.flush_for(self.transport)
            self.transport.writelines((head, body))

    def stream_head(self, status: int, lines: bytes) -> bytes:
        """Chunked, but for an HTTP/1.0 caller, to whom the end of the connection is the end of the body."""
        self._outbox.flush_for(self.transport)
        if not self.chunked:
            self._keep_alive = False
        return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (
            status,
            REASONS.get(status, b""),
            lines,
            b"" if self._keep_alive else b"connection: close\r\n",
            b"transfer-encoding: chunked\r\n" if self.chunked else b"",
        )

    def put(self, data: bytes | tuple[bytes, ...]) -> None:
        """Of an answer that ends: with the others that end in this turn."""
        self._outbox.put(self.transport, data)

    def close_after_answer(self) -> None:
        self._keep_alive = False

    def _too_large(self) -> None:
        self._refuse(413, f"The request body is over {self._body_limit} bytes.")

    def _refuse(self, status: int, message: str) -> None:
        """Answers and closes: after this the bytes that follow mean nothing. Answers still owed to earlier requests go first."""
        if self._refused:
            return
        self._refused = True
        if self._answer is not None or self._queue:
            return
        self._keep_alive = False
        headers, body = self._application.refuse(self._head, status, message)
        self.send(status, block(headers), body)
        # The caller may still be sending. What comes is dropped for a while: closing now would reset the connection before it has read why.
        self._outbox.flush_for(self.transport)
        self.transport.write_eof()
        self._loop.call_later(LINGER_S, self.transport.close)

    def _on_timer(self) -> None:
        """One timer a connection, put off lazily: an idle connection closes quietly, a request that does not arrive whole gets a 408."""
        now = self._loop.time()
        if self._answer is not None:
            self._deadline = now + KEEP_ALIVE_S
        if now >= self._deadline:
            if self._in_request and not self._refused:
                self._refuse(408, "The request did not arrive in time.")
            else:
                self.transport.close()
            return
        self._timer = self._loop.call_at(self._deadline, self._on_timer)

    def stop(self) -> None:
        """Closes when nothing is being answered; else after the present answer."""
        if self._answer is None and not self._queue:
            self._closing = True
            self._outbox.flush_for(self.transport)
            self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    @property
    def ended(self) -> asyncio.Future[None] | None:
        """Done once the answer under way is over; None where none is."""
        if self._answer is not None and self._ended is None:
            self._ended = self._loop.create_future()
        return self._ended


class Server:
    """A listening socket and its connections."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.take: Callable[[RequestHead, bytes, Answer], bool] | None = getattr(application, "take", None)  # of a Prompt one
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
        self.connections: set[ServerConnection] = set()
        self.stopping = False
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Returns the address really bound (port 0 takes a free one)."""
        self._listener = await self.loop.create_server(lambda: ServerConnection(self), host, port, backlog=1024)
        name: tuple[str, int] = self._listener.sockets[0].getsockname()[:2]
        return name

    async def drain(self, within_s: float) -> None:
        """Stops accepting and lets the answers under way end, within the bound."""
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self.connections):
            connection.stop()
        await self._idle(within_s)

    async def stop(self, within_s: float) -> None:
        """As `drain`, and then breaks off what is still under way; the accounts are settled either way."""
        await self.drain(within_s)
        for connection in tuple(self.connections):
            connection.abort()
        await self._idle(within_s)

    async def _idle(self, within_s: float) -> None:
        ends = [ended for connection in self.connections if (ended := connection.ended) is not None]
        if ends:
            await asyncio.wait(ends, timeout=within_s)
