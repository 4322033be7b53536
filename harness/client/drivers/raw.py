"""The raw client: sends just what the case says, once, and decodes nothing."""

import json
import zlib
from typing import Any, Final, assert_never
from urllib.parse import quote

import httpx2

from harness.case import Case, Surface
from harness.client.call import Call, DriveError
from harness.client.tape import Tape
from harness.client.transport import AsyncRecorder, Pools
from harness.exchange import Headers, value
from harness.wire import sse

ANTHROPIC_VERSION: Final = "2023-06-01"  # the older of the two versions in use: sdk-and-wire-facts 2.1
_ANTHROPIC: Final = frozenset({Surface.MESSAGES, Surface.COUNT_TOKENS})
_GZIP_OR_ZLIB: Final = 47  # zlib's wbits: the window of 32 KiB, either header


async def drive(call: Call, pools: Pools, tape: Tape) -> None:
    recorder = AsyncRecorder(pools, tape)
    abort_after = call.case.abort_after_frames
    try:
        answer = await recorder.handle_async_request(_request(call))
        if abort_after is None:
            return
        counter = FrameCounter(value(_headers(answer), "content-encoding"))
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        while counter.frames < abort_after and (data := await anext(aiter(answer.stream), None)) is not None:
            counter.feed(data)
    except httpx2.TransportError:
        return  # the tape has it
    finally:
        await recorder.finish(hang_up=abort_after is not None)


class FrameCounter:
    """Counts the SSE events of an undecoded body. Blocks without data, such as keep-alive comments, do not count."""

    def __init__(self, content_encoding: str | None) -> None:
        coding = (content_encoding or "identity").strip().lower()
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB) if coding in ("gzip", "x-gzip", "deflate") else None
        self._reader = sse.Reader()
        self.frames = 0

    def feed(self, data: bytes) -> None:
        if self._inflate is not None:
            try:
                data = self._inflate.decompress(data)
            except zlib.error:
                return  # not countable: the body is read to its end, and judged from the tape
        self.frames += sum(frame.dispatches for frame in self._reader.feed(data))


def _request(call: Call) -> httpx2.Request:
    case = call.case
    base, path = _place(call)
    method = "GET" if case.surface is Surface.MODELS and case.path is None else case.method
    key_headers, query = _credential(call)
    if query:
        path += ("&" if "?" in path else "?") + query
    body = _body(call) if method not in ("GET", "HEAD", "DELETE") or call.raw_body is not None else b""
    url = httpx2.URL(base)
    own: list[tuple[str, str]] = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", "wireproof"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        *key_headers,
    ]
    if body or method not in ("GET", "HEAD", "DELETE"):
        own.append(("Content-Type", "application/json"))
        if value(case.headers, "transfer-encoding") is None:
            own.append(("Content-Length", str(len(body))))
    if case.surface in _ANTHROPIC:
        own.append(("anthropic-version", ANTHROPIC_VERSION))
    headers = [(name, content) for name, content in own if value(case.headers, name) is None] + list(case.headers)
    return httpx2.Request(
        method,
        url,
        headers=[(name.encode("latin-1"), content.encode("latin-1")) for name, content in headers],
        stream=httpx2.ByteStream(body),  # given as a stream, so that httpx2 adds no headers of its own
        extensions={"target": (url.raw_path.rstrip(b"/") + path.encode("ascii"))},
    )


def _place(call: Call) -> tuple[str, str]:
    """The base URL and the path, query included, to put behind it."""
    case = call.case
    model = quote(call.model, safe="/")
    if case.path is not None:
        return _root(call), quote(case.path.replace("{model}", model), safe="%/?&=:;,+~!$'()*@[]-._")
    match case.surface:
        case Surface.CHAT:
            return call.base.openai, "/chat/completions"
        case Surface.RESPONSES:
            return call.base.openai, "/responses"
        case Surface.MODELS:
            return call.base.openai, "/models"
        case Surface.IMAGES:
            return call.base.openai, "/images/generations"
        case Surface.MESSAGES:
            return call.base.anthropic, "/v1/messages"
        case Surface.COUNT_TOKENS:
            return call.base.anthropic, "/v1/messages/count_tokens"
        case Surface.GEMINI:
            verb = ":streamGenerateContent?alt=sse" if case.stream else ":generateContent"
            return call.base.gemini, f"/v1beta/models/{model}{verb}"
        case Surface.OTHER:
            raise DriveError(f"case {case.id}: surface {case.surface} has no path of its own: give the case one")
        case _:
            assert_never(case.surface)


def _root(call: Call) -> str:
    """The base under which a case's own path stands."""
    match call.case.surface:
        case Surface.MESSAGES | Surface.COUNT_TOKENS:
            return call.base.anthropic
        case Surface.GEMINI:
            return call.base.gemini
        case _:
            return call.base.openai.rstrip("/").removesuffix("/v1")


def _credential(call: Call) -> tuple[Headers, str | None]:
    """The header or the query that shows the key."""
    key, place = call.key, call.case.key_in or _own_place(call.case)
    if key is None:
        return (), None
    if place == "query":
        return (), f"key={quote(key, safe='')}"
    return ((place, f"Bearer {key}" if place.lower() == "authorization" else key),), None


def _own_place(case: Case) -> str:
    match case.surface:
        case Surface.CHAT | Surface.RESPONSES | Surface.MODELS | Surface.IMAGES | Surface.OTHER:
            return "Authorization"
        case Surface.MESSAGES | Surface.COUNT_TOKENS:
            return "x-api-key"
        case Surface.GEMINI:
            return "x-goog-api-key"
        case _:
            assert_never(case.surface)


def _body(call: Call) -> bytes:
    if call.raw_body is not None:
        return call.raw_body
    if call.body is None:
        return b""
    body: dict[str, Any] = dict(call.body)
    if call.case.surface is not Surface.GEMINI:  # there the path says both
        body = {"model": call.model, **body}
        if call.case.stream:
            body["stream"] = True
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _headers(answer: httpx2.Response) -> Headers:
    return tuple(answer.headers.multi_items())
