"""The dial test: does this key reach this model over this protocol? One small real call, never billed (contract:039, contract:196).

It is on the operator, so an account has one under way and MAX_PER_MINUTE at the most.
"""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec

from reference_gateway.accounts.fields import Fields, refuse
from reference_gateway.errors import RATE_LIMITED, Refusal
from reference_gateway.models import PROTOCOLS
from reference_gateway.proxy.server import Answer, Headers, RequestHead
from reference_gateway.routes import Surface

MAX_PER_MINUTE: Final = 10
MAX_TOKENS: Final = 16
SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
_NAMES: Final = {**{surface.value: surface for surface in SURFACES}, **{PROTOCOLS[surface]: surface for surface in SURFACES}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    model: str
    surface: Surface
    key_id: str | None  # None: the key that asks

    @property
    def request(self) -> tuple[RequestHead, bytes]:
        ping = [{"role": "user", "content": "ping"}]
        headers: Headers = [(b"content-type", b"application/json")]
        match self.surface:
            case Surface.CHAT:
                path, body = "/v1/chat/completions", {"model": self.model, "messages": ping, "max_completion_tokens": MAX_TOKENS}
            case Surface.RESPONSES:
                path, body = "/v1/responses", {"model": self.model, "input": "ping", "max_output_tokens": MAX_TOKENS}
            case Surface.MESSAGES:
                path, body = "/v1/messages", {"model": self.model, "max_tokens": MAX_TOKENS, "messages": ping}
                headers.append((b"anthropic-version", b"2023-06-01"))
            case _:
                path = f"/v1beta/models/{quote(self.model, safe='')}:generateContent"
                body = {"contents": [{"parts": [{"text": "ping"}]}], "generationConfig": {"maxOutputTokens": MAX_TOKENS}}
        head = RequestHead(b"POST", path.encode(), b"", headers, dict(headers))
        return head, json.dumps(body, separators=(",", ":")).encode()


def read(body: bytes) -> Dial:
    """Raises Refusal. `protocol` is a surface's name or one of those in `protocols_aggregate`."""
    fields = Fields(body)
    model, protocol = fields.text("model", max_length=200), fields.text("protocol")
    key_id = fields.text("keyId", "")
    fields.close()
    surface = _NAMES.get(protocol.removesuffix(":translated"))
    if surface is None:
        raise refuse("protocol", f"must be one of {', '.join(_NAMES)}.")
    return Dial(model=model, surface=surface, key_id=key_id or None)


class Line(Answer):
    """Takes what a caller would have been sent; there is no connection behind it."""

    def __init__(self) -> None:
        self.started = self.gone = False
        self.on_gone = self.on_pause = self.on_resume = None
        self.status = self.size_bytes = 0
        self.body = b""

    @property
    def paused(self) -> bool:
        return False

    @property
    def peer(self) -> str:
        return ""

    def close_after(self) -> None:
        pass

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        self.send_block(status, b"", body)

    def send_block(self, status: int, lines: bytes, body: bytes) -> None:
        self.start_block(status, lines)
        self.write(body)

    def start(self, status: int, headers: Headers) -> None:
        self.start_block(status, b"")

    def start_block(self, status: int, lines: bytes) -> None:
        self.started = True
        self.status = status

    def write(self, piece: bytes) -> None:
        self.body += piece
        self.size_bytes += len(piece)

    def end(self) -> None:
        pass

    def abort(self) -> None:
        self.gone = True


def document(dial: Dial, key_id: str, line: Line, refusal: Refusal | None, latency_ms: int) -> bytes:
    """Of what the upstream says only its words of refusal are shown."""
    status = line.status if refusal is None else refusal.fault.status
    ok = 200 <= status < 300
    error: Any = None
    if refusal is not None:
        error = {"code": refusal.fault.openai_code, "message": refusal.message}
    elif not ok:
        error = {"code": "upstream_error", "message": _message(line.body)}
    return msgspec.json.encode(
        {
            "object": "dial_test",
            "ok": ok,
            "model": dial.model,
            "protocol": PROTOCOLS[dial.surface],
            "keyId": key_id,
            "status": status,
            "latency_ms": latency_ms,
            "error": error,
        }
    )


def _message(body: bytes) -> str:
    try:
        data = json.loads(body)
        data = data[0] if isinstance(data, list) else data
        return str(data["error"]["message"])[:500]
    except (ValueError, LookupError, TypeError):
        return "The upstream refused without saying why."


class Switchboard:
    """Who may dial now."""

    def __init__(self) -> None:
        self._dialled: dict[str, deque[float]] = {}
        self._under_way: set[str] = set()

    def begin(self, account: str) -> None:
        """Raises Refusal (429); else `end` must follow."""
        now = time.monotonic()
        dialled = self._dialled.setdefault(account, deque())
        while dialled and dialled[0] <= now - 60:
            dialled.popleft()
        if account in self._under_way or len(dialled) >= MAX_PER_MINUTE:
            wait_s = 1 if account in self._under_way else max(1, round(dialled[0] + 60 - now))
            raise Refusal(
                RATE_LIMITED,
                f"An account can have one dial test under way and {MAX_PER_MINUTE} a minute; try again in {wait_s} s.",
                headers=((b"retry-after", b"%d" % wait_s),),
            )
        dialled.append(now)
        self._under_way.add(account)

    def end(self, account: str) -> None:
        self._under_way.discard(account)
