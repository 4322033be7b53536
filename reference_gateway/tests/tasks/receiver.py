"""Whoever waits for callbacks: an HTTP server on a loopback port that keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Receiver:
    """`statuses` are answered one after the other, then 200 for ever."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, number: int) -> dict[str, Any]:
        """The body of that callback, counted from 1."""
        async with asyncio.timeout(10):
            while len(self.got) < number:
                self.came.clear()
                await self.came.wait()
        document: dict[str, Any] = json.loads(self.got[number - 1][1])
        return document


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[Receiver]:
    here = Receiver(statuses=list(statuses))

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            assert first.startswith("POST /hook?x=1 ")
            body = await reader.readexactly(int(headers["content-length"]))
            status = here.statuses.pop(0) if here.statuses else 200
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
            here.got.append((headers, body))
            here.came.set()
        finally:
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?x=1"
    async with server:
        yield here
