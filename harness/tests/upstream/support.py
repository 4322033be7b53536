"""Recordings made on the spot, and a client that hears an answer just as it came."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import h11

from harness.case import Play, Surface
from harness.exchange import Hop
from harness.progress import ClientProgress
from harness.recording.format import End, Fidelity, Headers, Origin, Provenance, Read, RecordedRequest, Recording
from harness.upstream.witness import UpstreamWitness

MARKER = "wpm-0123456789"
SSE_HEADERS = (("Content-Type", "text/event-stream; charset=utf-8"), ("X-Request-Id", "req_1"), ("Connection", "keep-alive"))
JSON_HEADERS = (("Content-Type", "application/json"), ("request-id", "req_2"), ("Content-Length", "1"))

_CHUNKS = tuple(
    b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"
    for data in (
        {"id": "c1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"id": "c1", "choices": [{"index": 0, "delta": {"content": "Grüße, 世界 🎉"}}]},
        {"id": "c1", "choices": [{"index": 0, "delta": {"content": "two  spaces"}}]},
        {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
)
CHAT_FRAMES = (*_CHUNKS, b"data: [DONE]\n\n")
MESSAGES_FRAMES = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3,"output_tokens":1}}}\n\n',
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)
RESPONSES_FRAMES = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","output":[]}}\n\n',
    b'event: response.in_progress\ndata: {"type":"response.in_progress","sequence_number":1}\n\n',
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":2}\n\n',
)
GEMINI_FRAMES = (
    b'data: {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}\r\n\r\n',
    b'data: {"candidates": [{"content": {"parts": [{"text": "b"}]}}]}\r\n\r\n',
    b'data: {"candidates": [{"finishReason": "STOP"}]}\r\n\r\n',
)
FRAMES = {
    Surface.CHAT: CHAT_FRAMES,
    Surface.MESSAGES: MESSAGES_FRAMES,
    Surface.RESPONSES: RESPONSES_FRAMES,
    Surface.GEMINI: GEMINI_FRAMES,
}
BODY = json.dumps({"id": "c1", "choices": [{"message": {"content": "Grüße " * 60}}]}, ensure_ascii=False, indent=2).encode() + b"\n"


def recording(
    recording_id: str = "r",
    *,
    surface: Surface = Surface.CHAT,
    reads: Iterable[bytes] = CHAT_FRAMES,
    stream: bool = True,
    status: int = 200,
    headers: Headers = SSE_HEADERS,
    end: End = End.EOF,
    every_ms: int = 10,
) -> Recording:
    return Recording(
        id=recording_id,
        vendor="openai",
        surface=surface,
        model="m",
        stream=stream,
        origin=Origin.SYNTHETIC,
        recorded_on=None,
        recorder="test",
        fidelity=Fidelity.EXACT,
        provenance=Provenance.RECORDED,
        source=None,
        redactions=(),
        notes=(),
        request=RecordedRequest(method="POST", path="/v1/x", headers=(), body=b""),
        status=status,
        headers=headers,
        reads=tuple(Read(at_ms=number * every_ms, data=data) for number, data in enumerate(reads)),
        end=end,
    )


def body_recording(recording_id: str = "r", *, surface: Surface = Surface.CHAT, body: bytes = BODY, status: int = 200) -> Recording:
    return recording(recording_id, surface=surface, reads=[body], stream=False, headers=JSON_HEADERS, status=status)


def library(*recordings: Recording) -> Callable[[str], Recording]:
    return {one.id: one for one in recordings}.__getitem__


@asynccontextmanager
async def witness_of(*recordings: Recording, pace_scale: float = 1.0) -> AsyncIterator[UpstreamWitness]:
    witness = UpstreamWitness(library(*recordings), pace_scale=pace_scale)
    await witness.start()
    try:
        yield witness
    finally:
        await witness.stop()


def expect(
    witness: UpstreamWitness,
    play: Play | None,
    *,
    marker: str = MARKER,
    surface: Surface = Surface.CHAT,
    progress: ClientProgress | None = None,
) -> None:
    witness.expect(marker, *((play,) if play else ()), surface=surface, client_progress=progress, began=time.perf_counter())


def request(
    marker: str = MARKER,
    *,
    path: str = "/v1/chat/completions",
    headers: Iterable[str] = (),
    close: bool = True,
    body: bytes | None = None,
    method: str = "POST",
) -> bytes:
    sent = json.dumps({"messages": [{"role": "user", "content": f"hello {marker}"}]}).encode() if body is None else body
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: upstream",
        f"Content-Length: {len(sent)}",
        *headers,
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + sent


@dataclass(frozen=True, kw_only=True)
class Heard:
    status: int | None  # None: not even a head
    headers: dict[str, str]  # names in lower case
    body: bytes
    chunks: tuple[bytes, ...]  # HTTP chunks, or the pieces that h11 made of a body with a length
    end: str  # "complete", "cut" (EOF before the end), "reset"


class Ear:
    """Reads one answer; `body` grows while it does."""

    def __init__(self, reader: asyncio.StreamReader, method: str = "POST") -> None:
        self._reader = reader
        self._http = h11.Connection(h11.CLIENT)
        self._http.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        self._http.send(h11.EndOfMessage())
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    async def hear(self, enough: Callable[["Ear"], bool] = lambda _: False) -> str:
        """Reads to the end of the answer, or until there is `enough`."""
        starts = True
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                return "cut"
            match event:
                case h11.Response():
                    self.status = event.status_code
                    self.headers = {name.decode(): text.decode() for name, text in event.headers}
                case h11.Data(data=data):
                    if starts:
                        self.chunks.append(b"")
                    self.chunks[-1] += bytes(data)
                    starts = event.chunk_end or "content-length" in self.headers
                case h11.EndOfMessage():
                    return "complete"
                case h11.NEED_DATA:
                    try:
                        self._http.receive_data(await self._reader.read(65536))
                    except ConnectionResetError:
                        return "reset"
                case h11.ConnectionClosed():
                    return "cut"
            if enough(self):
                return "enough"


async def hear(witness: UpstreamWitness, data: bytes) -> Heard:
    """Sends `data` on a connection of its own and reads the answer to its end, without closing first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
    try:
        writer.write(data)
        ear = Ear(reader, method=data.split(b" ", 1)[0].decode())
        end = await ear.hear()
    finally:
        writer.close()
    return Heard(status=ear.status, headers=ear.headers, body=ear.body, chunks=tuple(ear.chunks), end=end)


async def only_hop(witness: UpstreamWitness, marker: str = MARKER) -> Hop:
    assert await witness.settled(marker, 5)
    (hop,) = witness.hops(marker)
    return hop
