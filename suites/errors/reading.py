"""What an error says, read from the JSON itself: the suite's own reading of the three envelopes, whole and in a stream."""

from dataclasses import dataclass
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, Response, Seen, value

ANTHROPIC: Final = frozenset({Surface.MESSAGES, Surface.COUNT_TOKENS})
SCHEMA: Final = {"openai": "errors/openai", "anthropic": "errors/anthropic", "google": "errors/google"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The cause, in the words of the envelope; None where a word is not there."""

    type: str | None  # Google's `status`
    code: str | None  # Google's number, as text
    message: str | None
    request_id: str | None = None


def family_of(exchange: Exchange) -> str:
    """Whose envelope the answer must be in: by the path, and on shared paths by the header that only one SDK sends."""
    surface = exchange.case.surface
    if surface in ANTHROPIC or value(exchange.client.request.headers, "anthropic-version") is not None:
        return "anthropic"
    if surface is Surface.GEMINI or exchange.client.request.path.startswith("/v1beta"):
        return "google"
    return "openai"


def said(family: str, body: Any) -> Said | None:
    """None where the value is no such envelope."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None
    kind = error.get("status") if family == "google" else error.get("type")
    code = error.get("code")
    request_id = body.get("request_id")
    return Said(
        type=kind if isinstance(kind, str) else None,
        code=None if code is None else str(code),
        message=error.get("message") if isinstance(error.get("message"), str) else None,
        request_id=request_id if isinstance(request_id, str) else None,
    )


def refusal(exchange: Exchange) -> tuple[Response, Said | None] | None:
    """The answer that refuses, and its cause; None where the client got no error answer."""
    response = exchange.client.response
    if response is None or response.status < 400:
        return None
    return response, said(family_of(exchange), response.json)


def error_event(exchange: Exchange) -> tuple[Seen, Said] | None:
    """The first event of the client's stream that tells of an error, in the form on which the surface's SDK raises."""
    for seen in exchange.client_events:
        if not isinstance(seen.data, dict):
            continue
        if (found := _event(exchange.case.surface, seen)) is not None:
            return seen, found
    return None


def _event(surface: Surface, seen: Seen) -> Said | None:
    data = seen.data
    match surface:
        case Surface.MESSAGES:
            return said("anthropic", data) if seen.raw.event == "error" and data.get("type") == "error" else None
        case Surface.RESPONSES:
            if data.get("type") == "error":
                inner = data["error"] if isinstance(data.get("error"), dict) else data
                return said("openai", {"error": inner})
            response = data.get("response")
            if data.get("type") == "response.failed" and isinstance(response, dict):
                return said("openai", {"error": response.get("error") or {}})
            return None
        case Surface.GEMINI:
            return said("google", data) if data.get("error") else None
        case _:
            return said("openai", data) if data.get("error") else None


def success_end(exchange: Exchange) -> Seen | None:
    """The event by which a client of the surface knows that the answer is complete; None where there is none."""
    events = exchange.client_events
    match exchange.case.surface:
        case Surface.CHAT:
            failed = error_event(exchange) is not None
            return next((seen for seen in events if _finished(seen.data) or (seen.raw.data == "[DONE]" and not failed)), None)
        case Surface.RESPONSES:
            return next((seen for seen in events if _type(seen) in ("response.completed", "response.incomplete")), None)
        case Surface.MESSAGES:
            return next((seen for seen in events if _type(seen) == "message_stop"), None)
        case _:
            return next((seen for seen in events if _finished(seen.data)), None)


def _type(seen: Seen) -> str | None:
    return seen.data.get("type") if isinstance(seen.data, dict) else None


def _finished(data: Any) -> bool:
    """Whether a chunk of chat or gemini names a reason for its end."""
    if not isinstance(data, dict):
        return False
    parts = data.get("choices") or data.get("candidates") or []
    return any(isinstance(part, dict) and (part.get("finish_reason") or part.get("finishReason")) for part in parts)
