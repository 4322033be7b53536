"""A scripted upstream and a raw client, both over loopback sockets, for tests that need every byte to be theirs."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference_gateway.app import Running
from reference_gateway.clock import ShiftedClock
from reference_gateway.config import load
from reference_gateway.operations.demo import Demo, demo_config

PATIENCE_S = 10.0  # a bound against hanging for ever, never a measure
PREAMBLE = ""  # stands before the configuration of every stage: services.each_storage puts [storage] here
WARM = 0  # idle connections to each upstream when a stage begins: conftest.cold_and_warm sets it


@dataclass
class Upstream:
    """One call at the upstream, as the script sees it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    aborted: asyncio.Event = field(default_factory=asyncio.Event)

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int = 200, *headers: str, kind: str = "text/event-stream; charset=utf-8") -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", "transfer-encoding: chunked", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def answer(self, data: bytes, status: int = 200, *headers: str, kind: str = "application/json") -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(data)}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    def fin(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Upstream], Awaitable[None]]


@dataclass
class Stage:
    """A gateway before a scripted upstream; `script` may be set anew before each call, `calls` has all that reached the upstream."""

    url: str = ""
    upstream_url: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    demo: Demo = None  # type: ignore[assignment]  # set before anyone sees the stage
    running: Running = None  # type: ignore[assignment]
    script: Script | None = None
    clock: ShiftedClock = field(default_factory=ShiftedClock)
    calls: list[Upstream] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def account(self, key: str | None = None) -> dict[str, Any]:
        answer = await self.get("/api/v1/me/account", key)
        assert answer.status == 200, answer
        balance: dict[str, Any] = answer.json()["balance"]
        return balance

    async def spent(self, key: str | None = None) -> int:
        """micro-USD; also asserts that nothing is held."""
        balance = await self.account(key)
        assert balance["held_micro_usd"] == 0
        spent: int = balance["lifetime_spent_micro_usd"]
        return spent

    async def usage(self, key: str | None = None, query: str = "") -> list[dict[str, Any]]:
        answer = await self.get("/api/v1/usage" + query, key)
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows

    async def get(self, path: str, key: str | None = None, **headers: str) -> Answer:
        return await self.call("GET", path, b"", {"authorization": f"Bearer {key or self.demo.keys[0]}", **headers})

    async def post(self, path: str, data: object, key: str | None = None, **headers: str) -> Answer:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", path, body, {"authorization": f"Bearer {key or self.demo.keys[0]}", **named})

    async def call(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        client = await self.client()
        try:
            client.send_request(method, path, body, headers)
            return await client.answer()
        finally:
            client.close()

    async def client(self) -> Client:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        return Client(reader, writer)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    whole: bool = True  # False: the connection broke inside the body

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send_request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: test", f"content-length: {len(body)}", *(f"{n}: {v}" for n, v in headers.items())]
        self.writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        async with asyncio.timeout(PATIENCE_S):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        pairs = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), [(name.lower(), value.strip()) for name, _, value in pairs]

    async def chunk(self) -> bytes:
        """One HTTP chunk; b"" is the last. Raises IncompleteReadError where the connection broke."""
        async with asyncio.timeout(PATIENCE_S):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            data = await self.reader.readexactly(size + 2)
        return data[:-2]

    async def answer(self) -> Answer:
        status, headers = await self.head()
        names = dict(headers)
        if "content-length" in names:
            async with asyncio.timeout(PATIENCE_S):
                return Answer(status, headers, await self.reader.readexactly(int(names["content-length"])))
        body = b""
        try:
            while chunk := await self.chunk():
                body += chunk
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return Answer(status, headers, body, whole=False)
        return Answer(status, headers, body)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def stage(
    folder: Path,
    script: Script | None = None,
    *,
    edit: Callable[[str], str] = lambda text: text,
    clock: ShiftedClock | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """The gateway's configuration is the demo's, with `options`, its text changed by `edit`; it is on `clock`, else on the system's."""
    here = Stage(script=script, clock=clock or ShiftedClock())

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
                method, target, _ = first.split(" ")
                headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
                body = await reader.readexactly(int(dict(headers).get("content-length", "0")))
                call = Upstream(method, target, headers, body, reader, writer)
                here.calls.append(call)
                here.called.set()
                watcher = asyncio.create_task(_watch(call))
                try:
                    assert here.script is not None, "the upstream was called without a script"
                    await here.script(call)
                finally:
                    watcher.cancel()
                    await asyncio.gather(watcher, return_exceptions=True)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the gateway has hung up, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    here.upstream_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    here.demo = demo_config(here.upstream_url, folder, **{"database": ":memory:", **options})
    here.demo.config.write_text(PREAMBLE + edit(here.demo.config.read_text()))
    async with Running(load(here.demo.config), stop_within_s=1.0, clock=here.clock) as running:
        here.running = running
        here.url = running.url
        here.port = int(running.url.rpartition(":")[2])
        await _warm(running)
        try:
            yield here
        finally:
            server.close()


async def _warm(running: Running) -> None:
    """As if upstreams had been called before."""
    for pool in list(running._forwarder.router._pools.values()):
        connections = [await pool.get() for _ in range(WARM)]
        for connection in connections:
            connection.idle_since = pool.loop.time()
            pool.put(connection)


async def _watch(call: Upstream) -> None:
    """Sets `aborted` when the gateway closes its side while the script still runs. It peeks: a next request must stay in the reader."""
    while True:
        if call.reader.at_eof() or call.reader.exception() is not None:
            call.aborted.set()
            return
        await asyncio.sleep(0.002)
