"""What the upstream witness is about to send: a recording turned into writes, before any socket is there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from harness.exchange import Headers, value
from harness.recording.format import Read

# They belong to one connection or to one way of sending the body (RFC 9110 7.6.1, RFC 9112 6), so each answer gets its own.
_OF_THE_CONNECTION: Final = frozenset(
    ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "content-length")
)


class Ending(StrEnum):
    """What happens after the last write."""

    COMPLETE = "complete"  # the body is whole by its transfer coding; the connection may be used again
    FIN = "fin"  # the connection is closed, the body is not whole
    RESET = "reset"
    STALL = "stall"  # the connection stays open and silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`pieces` are the writes, after content-coding; their `at_ms` count from the arrival of the request, as recorded."""

    status: int
    headers: Headers  # without those that speak of the connection
    pieces: tuple[Read, ...]
    chunked: bool  # else content-length
    content_length: int  # what is announced; a broken answer sends less
    ending: Ending = Ending.COMPLETE
    silent: bool = False  # not even a head is sent

    @property
    def body(self) -> bytes:
        return b"".join(piece.data for piece in self.pieces)

    @property
    def is_sse(self) -> bool:
        """An event stream; Gemini also says so of a plain JSON error."""
        return self.chunked and (value(self.headers, "content-type") or "").partition(";")[0].strip().lower() == "text/event-stream"

    def with_pieces(self, pieces: Iterable[Read]) -> "Answer":
        """The same answer with another body, whole."""
        kept = tuple(piece for piece in pieces if piece.data)  # an empty HTTP chunk would end the body
        return replace(self, pieces=kept, content_length=sum(len(piece.data) for piece in kept))

    def without_body(self) -> "Answer":
        """What a HEAD request gets."""
        return replace(self, pieces=(), chunked=False)

    def with_header(self, name: str, text: str) -> "Answer":
        """The same answer with that header once, in the place where it stood."""
        headers: list[tuple[str, str]] = []
        placed = False
        for key, old in self.headers:
            if key.lower() != name:
                headers.append((key, old))
            elif not placed:
                headers.append((key, text))
                placed = True
        if not placed:
            headers.append((name, text))
        return replace(self, headers=tuple(headers))

    def sent_headers(self, *, close: bool) -> Headers:
        """The headers as they go out; `close` says that the connection will not be used again."""
        length = ("transfer-encoding", "chunked") if self.chunked else ("content-length", str(self.content_length))
        return (*self.headers, length, *([("connection", "close")] if close else []))


def whole(status: int, content_type: str, body: bytes) -> Answer:
    """An answer of our own."""
    return Answer(
        status=status,
        headers=(("content-type", content_type),),
        pieces=(Read(at_ms=0, data=body),),
        chunked=False,
        content_length=len(body),
    )


def without_connection(headers: Headers) -> Headers:
    return tuple((name, text) for name, text in headers if name.lower() not in _OF_THE_CONNECTION)


def head_bytes(status: int, headers: Headers) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""  # 529 has none; the space before it stays (RFC 9112 4)
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {text}" for name, text in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK: Final = b"0\r\n\r\n"


def cut(pieces: Iterable[Read], ends: Iterable[int]) -> Iterator[Read]:
    """The same bytes with a write ending at each of `ends` (offsets in the body) as well as where one ended before."""
    wanted = sorted(set(ends))
    offset = 0
    for piece in pieces:
        start = 0
        for end in wanted:
            if offset + start < end < offset + len(piece.data):
                yield Read(at_ms=piece.at_ms, data=piece.data[start : end - offset])
                start = end - offset
        yield Read(at_ms=piece.at_ms, data=piece.data[start:])
        offset += len(piece.data)


def take(pieces: Iterable[Read], size_bytes: int) -> Iterator[Read]:
    """The first `size_bytes` of the body."""
    left = size_bytes
    for piece in pieces:
        if left <= 0:
            return
        yield Read(at_ms=piece.at_ms, data=piece.data[:left])
        left -= len(piece.data)


def recut(pieces: tuple[Read, ...], size_bytes: int) -> Iterator[Read]:
    """The same bytes in writes of `size_bytes`; each is due when its last byte was."""
    held = b""
    at_ms = 0
    for piece in pieces:
        at_ms = piece.at_ms
        data = held + piece.data
        whole = len(data) - len(data) % size_bytes
        for start in range(0, whole, size_bytes):
            yield Read(at_ms=at_ms, data=data[start : start + size_bytes])
        held = data[whole:]
    if held:
        yield Read(at_ms=at_ms, data=held)
