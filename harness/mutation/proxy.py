"""The mutating proxy: a faulty gateway made from a good one. It stands on either leg and commits one mutant per exchange.

Without a mutant it forwards read by read and changes nothing but the connection's own headers.
"""

import asyncio
import contextlib
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import h11

from harness.exchange import Headers, value
from harness.mutation.mutant import ACCOUNT_PATHS, Answer, Ask, Books, Flow, Mutant

_READ_BYTES: Final = 64 * 1024
_SILENT_SECONDS: Final = 5.0  # how long NO_EOF and DEAF_TO_ABORT keep a connection at most
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade", "proxy-connection"})
_ADDRESS: Final = re.compile(rb'"http://(?P<host>[\w.]+):(?P<port>\d+)(?P<target>/[^"]*)"')  # of a picture, in a request
_BALANCE: Final = "/api/v1/me/account"
_ROWS: Final = "/api/v1/usage"


@dataclass(slots=True)
class _Calls:
    """What went through."""

    succeeded: int = 0
    failed: int = 0
    request_ids: list[str] = field(default_factory=list)


class MutatingProxy:
    """`pick` says which mutant a request meets, or None. `bites` counts, by mutant id, how often one really changed something."""

    def __init__(self, origin: str, pick: Callable[[Ask], Mutant | None]) -> None:
        parts = urlsplit(origin)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._pick = pick
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = _Calls()
        self._answers: dict[tuple[str, bytes], Answer] = {}  # of REPLAY, by target and body
        self.bites: dict[str, int] = {}

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            client = _Peer(h11.SERVER, reader, writer)
            if (ask := await client.request()) is not None:
                await self._exchange(client, ask)  # one a connection, so that a read from the client can only be its end
        except (OSError, h11.ProtocolError, asyncio.IncompleteReadError):
            pass  # a peer that breaks off is what both sides are here to do
        except asyncio.CancelledError:
            pass  # `stop`: the streams of asyncio would print it as an accident
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, client: "_Peer", ask: Ask) -> None:
        mutant = self._pick(ask)
        sent = self._asked(mutant, ask) if mutant and mutant.ask else ask
        flow = mutant.flow if mutant else None
        if flow is Flow.CALL_TWICE:
            self._bit(mutant)
            with contextlib.suppress(OSError, h11.ProtocolError):
                async with self._call(sent) as extra:
                    await extra.response()
        if flow is Flow.FETCH:
            for found in _ADDRESS.finditer(ask.body):
                self._bit(mutant)
                await _fetch(found["host"].decode(), int(found["port"]), found["target"].decode())
        if flow is Flow.REPLAY and (kept := self._answers.get((ask.target, ask.body))) is not None:
            self._bit(mutant)
            await _send(client, kept)
            return
        async with self._call(sent) as vendor:
            head = await vendor.response()
            books = mutant is not None and mutant.books and ask.target.partition("?")[0] in (_BALANCE, _ROWS)
            if mutant is not None and (mutant.answer or books or flow in (Flow.HOLD_BACK, Flow.REPLAY)):
                await self._whole(client, vendor, ask, head, mutant)
            else:
                await self._stream(client, vendor, ask, head, mutant)

    async def _whole(self, client: "_Peer", vendor: "_Peer", ask: Ask, head: h11.Response, mutant: Mutant) -> None:
        """The answer changed as a whole, once all of it is here. What breaks off on the way is passed on broken off."""
        pieces: list[bytes] = []
        try:
            async for piece in vendor.body():  # one by one: what came before a break is kept
                pieces += (piece,)
        except (OSError, h11.ProtocolError):
            self._count(ask, head, ok=False)
            await client.send(_response(head.status_code, _headers(head), None))
            await client.data(b"".join(pieces))
            return
        headers = _headers(head)
        before = Answer(status=head.status_code, headers=_plain(headers), body=_decoded(headers, b"".join(pieces)), ask=ask)
        after = self._answered(mutant, before)
        self._count(ask, head, ok=head.status_code < 300)
        if mutant.flow is Flow.HOLD_BACK or after != before:
            self._bit(mutant)
        if mutant.flow is Flow.REPLAY:
            self._answers[ask.target, ask.body] = after
        await _send(client, after)

    def _answered(self, mutant: Mutant, before: Answer) -> Answer:
        path = before.ask.target.partition("?")[0]
        if mutant.books is not None:
            return self._books(mutant.books, before, path) if path in (_BALANCE, _ROWS) and before.status == 200 else before
        if mutant.answer is None or not mutant.concerns(path):
            return before
        return mutant.answer(before)

    def _books(self, change: Callable[[Books], Books], before: Answer, path: str) -> Answer:
        document: dict[str, Any] = json.loads(before.body)
        calls = self._calls
        books = Books(
            balance=document if path == _BALANCE else {},
            rows=document["data"] if path == _ROWS else [],
            succeeded=calls.succeeded,
            failed=calls.failed,
            request_ids=tuple(calls.request_ids),
        )
        changed = change(books)
        document = changed.balance if path == _BALANCE else {**document, "data": changed.rows}
        after = json.dumps(document).encode()
        return before if json.loads(before.body) == document else replace(before, body=after)

    async def _stream(self, client: "_Peer", vendor: "_Peer", ask: Ask, head: h11.Response, mutant: Mutant | None) -> None:
        """The answer passed on read by read, with what `flow` does to the connection."""
        flow = mutant.flow if mutant else None
        headers = _headers(head)
        length = value(headers, "content-length")
        await client.send(_response(head.status_code, _end_to_end(headers), int(length) if length else None))
        gone = asyncio.create_task(client.gone())
        ok = head.status_code < 300
        try:
            async for piece in _until(vendor.body(), gone):
                await client.data(piece)
            if gone.done():
                ok = False
                if flow is Flow.DEAF_TO_ABORT:
                    self._bit(mutant)
                    async with asyncio.timeout(_SILENT_SECONDS):
                        async for _ in vendor.body():
                            pass
                return
            match flow:
                case Flow.NO_EOF:
                    self._bit(mutant)
                    await asyncio.wait({gone}, timeout=_SILENT_SECONDS)
                    return
                case Flow.EARLY_EOF:
                    self._bit(mutant)
                    return
            await client.send(h11.EndOfMessage())
        except TimeoutError:
            return
        except (OSError, h11.ProtocolError):
            ok = False
            return
        finally:
            self._count(ask, head, ok=ok)
            gone.cancel()

    def _asked(self, mutant: Mutant, ask: Ask) -> Ask:
        assert mutant.ask is not None
        changed = mutant.ask(ask) if mutant.concerns(ask.target.partition("?")[0]) else ask
        if changed != ask:
            self._bit(mutant)
        return changed

    def _bit(self, mutant: Mutant | None) -> None:
        if mutant is not None:
            self.bites[mutant.id] = self.bites.get(mutant.id, 0) + 1

    def _count(self, ask: Ask, head: h11.Response, *, ok: bool) -> None:
        if ask.method != "POST" or ask.target.startswith(ACCOUNT_PATHS):
            return
        calls = self._calls
        calls.succeeded += ok
        calls.failed += not ok
        calls.request_ids.append(value(_headers(head), "x-request-id") or "")

    @contextlib.asynccontextmanager
    async def _call(self, ask: Ask) -> "AsyncIterator[_Peer]":
        reader, writer = await asyncio.open_connection(self._host, self._port)
        vendor = _Peer(h11.CLIENT, reader, writer)
        try:
            headers = [(name, text) for name, text in ask.headers if name.lower() not in _HOP_BY_HOP]
            headers = [(name, f"{self._host}:{self._port}" if name.lower() == "host" else text) for name, text in headers]
            if ask.body or ask.method == "POST":
                headers.append(("content-length", str(len(ask.body))))
            await vendor.send(h11.Request(method=ask.method, target=ask.target, headers=[*headers, ("connection", "close")]))
            await vendor.data(ask.body)
            await vendor.send(h11.EndOfMessage())
            yield vendor
        finally:
            writer.close()


class _Peer:
    """One side of the proxy: an h11 connection over a stream."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection = h11.Connection(role)
        self._reader = reader
        self._writer = writer

    async def _event(self) -> Any:
        while (event := self.connection.next_event()) is h11.NEED_DATA:
            if self.connection.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self.connection.receive_data(await self._reader.read(_READ_BYTES))
        return event

    async def request(self) -> Ask | None:
        event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        body = [piece async for piece in self.body()]
        return Ask(
            method=event.method.decode(),
            target=event.target.decode("latin-1"),
            headers=tuple((name.decode("latin-1"), text.decode("latin-1")) for name, text in event.headers.raw_items()),
            body=b"".join(body),
        )

    async def response(self) -> h11.Response:
        while not isinstance(event := await self._event(), h11.Response):
            if isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("closed before an answer")
        return event

    async def body(self) -> AsyncIterator[bytes]:
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("closed in mid-body")
            yield bytes(event.data)

    async def send(self, event: Any) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the peer has gone")
        self._writer.write(self.connection.send(event) or b"")
        await self._writer.drain()

    async def data(self, data: bytes) -> None:
        if data:
            await self.send(h11.Data(data=data))

    async def gone(self) -> None:
        """Returns when the peer has hung up. It sends nothing while it waits for an answer, so any read is the end."""
        with contextlib.suppress(OSError):
            await self._reader.read(1)


async def _send(client: _Peer, answer: Answer) -> None:
    streamed = "event-stream" in (value(answer.headers, "content-type") or "")
    await client.send(_response(answer.status, answer.headers, None if streamed else len(answer.body)))
    await client.data(answer.body)
    await client.send(h11.EndOfMessage())


async def _until(pieces: AsyncIterator[bytes], gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
    """The pieces, until they end or the client has gone."""
    while True:
        piece = asyncio.ensure_future(anext(pieces, None))
        await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not piece.done():
            piece.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await piece
            return
        if (data := piece.result()) is None:
            return
        yield data


async def _fetch(host: str, port: int, target: str) -> None:
    """One GET, its answer read to the end and forgotten."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET {target} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
        await reader.read()
        writer.close()


def _headers(head: h11.Response) -> Headers:
    return tuple((name.decode("latin-1"), text.decode("latin-1")) for name, text in head.headers.raw_items())


def _end_to_end(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP)


def _plain(headers: Headers) -> Headers:
    return tuple(pair for pair in _end_to_end(headers) if pair[0].lower() != "content-encoding")


def _response(status: int, headers: Headers, length: int | None) -> h11.Response:
    frame = ("content-length", str(length)) if length is not None else ("transfer-encoding", "chunked")
    return h11.Response(status_code=status, headers=[*_end_to_end(headers), frame, ("connection", "close")])


def _decoded(headers: Headers, body: bytes) -> bytes:
    match (value(headers, "content-encoding") or "").lower():
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
    return body
