"""The admin listener: `/metrics` for Prometheus, `/healthz` and `/readyz`; on an address of its own, so that no caller's key guards it.

It is for the operator's network only: what it shows is counts, never a key, an account or a prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from reference_gateway.operations.journal import Journal
from reference_gateway.operations.metrics import CONTENT_TYPE, Metrics
from reference_gateway.proxy.server import Answer, Headers, RequestHead
from reference_gateway.storage.interface import Database, StorageFailed

JSON: Final = (b"content-type", b"application/json")
LOOK_WITHIN_S: Final = 2.0
ReadyState = Callable[[], Awaitable[str]]  # "" when ready, else why not


class Readiness:
    """503 while the gateway starts or stops, or where the ledger cannot be written: then nothing would be admitted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.serving = False

    async def why_not(self) -> str:
        if not self.serving:
            return "starting or stopping"
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                await self._database.write()
        except (StorageFailed, TimeoutError):
            return "the ledger cannot be written"
        return ""


def ready_answer(why_not: str) -> tuple[int, bytes]:
    return (503, b'{"status":"not ready","reason":"%b"}' % why_not.encode()) if why_not else (200, b'{"status":"ready"}')


class Admin:
    """proxy.server.Application."""

    def __init__(self, metrics: Metrics, journal: Journal, ready: ReadyState) -> None:
        self._metrics = metrics
        self._journal = journal
        self._ready = ready

    def max_body_bytes(self, head: RequestHead) -> int:
        return 0

    def refuse(self, head: RequestHead | None, status: int, message: str) -> tuple[Headers, bytes]:
        return [JSON], b'{"error":"%b"}' % message.encode()

    async def serve(self, head: RequestHead, body: bytes, answer: Answer) -> None:
        if head.method not in (b"GET", b"HEAD"):
            answer.send(405, [JSON, (b"allow", b"GET")], b'{"error":"GET only"}')
            return
        match head.path:
            case b"/metrics":
                self._journal.flush()
                answer.send(200, [(b"content-type", CONTENT_TYPE)], self._metrics.text())
            case b"/healthz":
                answer.send(200, [JSON], b'{"status":"ok"}')
            case b"/readyz":
                status, text = ready_answer(await self._ready())
                answer.send(status, [JSON], text)
            case _:
                answer.send(404, [JSON], b'{"error":"here are /metrics, /healthz and /readyz"}')
