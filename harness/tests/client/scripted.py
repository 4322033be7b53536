"""A loopback server that plays scripted bytes, and calls to drive against it."""

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from harness.case import Case, Client, Outcome, Surface
from harness.client import Bases, Call
from harness.exchange import Headers
from harness.progress import ClientProgress

KEY = "sk-test-0123456789"


class Reset:
    """A step: the connection is reset."""


class Cut:
    """A step: the connection is closed before the body is complete."""


Step = bytes | Reset | Cut | asyncio.Event
Script = Sequence[Step]


@dataclass
class Server:
    port: int
    requests: list[bytes] = field(default_factory=list)  # each with its body
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)  # a client left before its script was over
    client_ports: list[int] = field(default_factory=list)  # one per connection

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serve(script: Script | Callable[[bytes], Script], tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Answers every request with the script; keeps the connection alive after scripts that end by themselves."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.client_ports.append(writer.get_extra_info("peername")[1])
        open_now[writer] = asyncio.current_task()
        try:
            while await answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            del open_now[writer]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        request = head + await reader.readexactly(size)
        server.requests.append(request)
        steps = script(request) if callable(script) else script
        for step in steps:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                    await asyncio.sleep(0.002)  # a segment, and a read, of its own
                case Reset():
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                    return False
                case Cut():
                    return False
                case asyncio.Event():
                    waiting = asyncio.ensure_future(step.wait())
                    leaving = asyncio.ensure_future(reader.read(1))
                    await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    if not waiting.done() and leaving.done():
                        server.hung_up.set()
                        return False
                    leaving.cancel()
                    await asyncio.gather(waiting, leaving, return_exceptions=True)
        return True

    open_now: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server = Server(port=listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        # Connections are accepted in order: with one of our own served, none is left half made.
        last = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if tls else None
        if last:
            last.check_hostname, last.verify_mode = False, ssl.CERT_NONE
        _, own = await asyncio.open_connection("127.0.0.1", server.port, ssl=last)
        own_port = own.get_extra_info("sockname")[1]
        while own_port not in server.client_ports:  # noqa: ASYNC110  a turn of the loop or two
            await asyncio.sleep(0)
        own.transport.abort()
        server.client_ports.remove(own_port)
        listener.close()
        tasks = [task for task in open_now.values() if task is not None]
        for writer in list(open_now):
            writer.transport.abort()  # a TLS close would wait for the client's, which idles in its pool
        await asyncio.gather(*tasks)


def head(status: int = 200, content_type: str = "application/json", *, size: int | None = None, headers: Headers = ()) -> bytes:
    """A response head; chunked where no size is given."""
    framing = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} Said\r\nContent-Type: {content_type}\r\n{framing}\r\n{more}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def json_answer(value: Any, status: int = 200, headers: Headers = ()) -> list[Step]:
    body = json.dumps(value).encode()
    return [head(status, size=len(body), headers=headers) + body]


def sse_answer(frames: Sequence[bytes], headers: Headers = ()) -> list[Step]:
    """One HTTP chunk, and one write, per frame."""
    return [head(content_type="text/event-stream", headers=headers), *map(chunk, frames), LAST_CHUNK]


def frames_of(events: Sequence[Mapping[str, Any]], *, named: bool = False, done: bool = False) -> list[bytes]:
    frames = [
        (f"event: {event['type']}\n" if named else "").encode() + b"data: " + json.dumps(event).encode() + b"\n\n" for event in events
    ]
    return [*frames, b"data: [DONE]\n\n"] if done else frames


def case(surface: Surface, client: Client = Client.RAW, **fields: Any) -> Case:
    if fields.get("abort_after_frames") is not None:
        fields["outcome"] = Outcome.ABORTED
    return Case(id=f"{surface}/test", surface=surface, client=client, play=None, **fields)


BODIES: Mapping[Surface, Mapping[str, Any] | None] = {
    Surface.CHAT: {"messages": [{"role": "user", "content": "hello ü"}]},
    Surface.RESPONSES: {"input": "hello ü"},
    Surface.MESSAGES: {"max_tokens": 64, "messages": [{"role": "user", "content": "hello ü"}]},
    Surface.COUNT_TOKENS: {"messages": [{"role": "user", "content": "hello ü"}]},
    Surface.GEMINI: {"contents": [{"role": "user", "parts": [{"text": "hello ü"}]}]},
    Surface.MODELS: None,
}


def call(server: Server | str, the_case: Case, **fields: Any) -> Call:
    url = server if isinstance(server, str) else server.url
    given: dict[str, Any] = {
        "case": the_case,
        "model": "some-model",
        "body": BODIES.get(the_case.surface),
        "base": Bases(openai=f"{url}/v1", anthropic=url, gemini=url),
        "key": KEY,
        "progress": ClientProgress(),
        "began": time.perf_counter(),
        "timeout_s": 10,
    }
    return Call(**{**given, **fields})
