"""What the gateway itself answers when it refuses or fails: one table of faults, written in the caller's envelope.

Sources: contract:029, contract:139, contract:147, contract:200 to contract:209, rulings C3, C8, C9, C32, C39.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

import msgspec


class Family(StrEnum):
    """Whose error envelope a path answers in."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of failure in the words of all three families."""

    status: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    google_status: str


def _fault(status: int, openai_type: str, openai_code: str | None, anthropic_type: str, google_status: str) -> Fault:
    return Fault(
        status=status, openai_type=openai_type, openai_code=openai_code, anthropic_type=anthropic_type, google_status=google_status
    )


INVALID_REQUEST = _fault(400, "invalid_request_error", "invalid_param", "invalid_request_error", "INVALID_ARGUMENT")
UNSUPPORTED = _fault(400, "invalid_request_error", "unsupported_feature", "invalid_request_error", "INVALID_ARGUMENT")
INVALID_KEY = _fault(401, "invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED")
KEY_WITHDRAWN = _fault(401, "authentication_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED")  # C5: in-band only
INSUFFICIENT_BALANCE = _fault(402, "insufficient_quota", "insufficient_balance", "billing_error", "FAILED_PRECONDITION")
QUOTA_EXCEEDED = _fault(402, "insufficient_quota", "quota_exceeded", "billing_error", "FAILED_PRECONDITION")
MODEL_NOT_IN_GROUP = _fault(403, "permission_denied", "model_not_in_group", "permission_error", "PERMISSION_DENIED")
PERMISSION_DENIED = _fault(403, "permission_denied", "permission_denied", "permission_error", "PERMISSION_DENIED")
LINK_REFUSED = _fault(403, "permission_denied", "link_refused", "permission_error", "PERMISSION_DENIED")
NOT_FOUND = _fault(404, "invalid_request_error", "not_found", "not_found_error", "NOT_FOUND")
MODEL_NOT_FOUND = _fault(404, "invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND")
KEY_NOT_FOUND = _fault(404, "invalid_request_error", "key_not_found", "not_found_error", "NOT_FOUND")
TASK_NOT_FOUND = _fault(404, "invalid_request_error", "task_not_found", "not_found_error", "NOT_FOUND")
METHOD_NOT_ALLOWED = _fault(405, "invalid_request_error", "method_not_allowed", "invalid_request_error", "INVALID_ARGUMENT")
REQUEST_TIMEOUT = _fault(408, "invalid_request_error", "request_timeout", "invalid_request_error", "DEADLINE_EXCEEDED")
CONFLICT = _fault(409, "invalid_request_error", "conflict", "invalid_request_error", "ALREADY_EXISTS")
DUPLICATE_TASK = _fault(409, "invalid_request_error", "duplicate_out_task_id", "invalid_request_error", "ALREADY_EXISTS")  # C42
GONE = _fault(410, "invalid_request_error", "gone", "not_found_error", "NOT_FOUND")
TOO_LARGE = _fault(413, "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT")
CONCURRENCY_LIMIT = _fault(429, "rate_limit_error", "concurrency_limit", "rate_limit_error", "RESOURCE_EXHAUSTED")
RATE_LIMITED = _fault(429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED")
HEADERS_TOO_LARGE = _fault(431, "invalid_request_error", "headers_too_large", "invalid_request_error", "INVALID_ARGUMENT")
CONTENT_BLOCKED = _fault(451, "invalid_request_error", "content_policy_violation", "invalid_request_error", "FAILED_PRECONDITION")
INTERNAL = _fault(500, "server_error", "internal_error", "api_error", "INTERNAL")
BAD_UPSTREAM = _fault(502, "server_error", "bad_upstream", "api_error", "UNAVAILABLE")
NO_CHANNEL = _fault(503, "server_error", "no_channel", "overloaded_error", "UNAVAILABLE")
UNAVAILABLE = _fault(503, "server_error", "unavailable", "overloaded_error", "UNAVAILABLE")
UPSTREAM_TIMEOUT = _fault(504, "server_error", "upstream_timeout", "api_error", "DEADLINE_EXCEEDED")


class Refusal(Exception):
    """The request ends here with this fault; `headers` go onto the answer beside the usual ones.

    Whoever catches one takes its traceback away: that holds the frames, which hold the request's body and this, a cycle that only the
    collector would find, and it comes seldom. In a storm of failures they would be tens of megabytes.
    """

    def __init__(self, fault: Fault, message: str, *, param: str | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.param = param
        self.headers = headers


def upstream_status(status: int) -> Fault:
    """The fault that stands for an upstream's own status when its body cannot be handed on: the status stays, the words are ours."""
    known = {
        401: INVALID_KEY,
        402: INSUFFICIENT_BALANCE,
        403: MODEL_NOT_IN_GROUP,
        404: NOT_FOUND,
        413: TOO_LARGE,
        429: RATE_LIMITED,
        503: UNAVAILABLE,
        504: UPSTREAM_TIMEOUT,
    }
    like = known.get(status, INVALID_REQUEST if status < 500 else BAD_UPSTREAM)
    if status == 529:
        like = UNAVAILABLE
    return Fault(
        status=status,
        openai_type="server_error" if status >= 500 else like.openai_type,
        openai_code="upstream_error",
        anthropic_type=like.anthropic_type,
        google_status=like.google_status,
    )


def envelope(family: Family, fault: Fault, message: str, request_id: str, param: str | None = None) -> dict[str, Any]:
    """The error object of the family, as plain data."""
    match family:
        case Family.OPENAI:
            return {"error": {"message": message, "type": fault.openai_type, "param": param, "code": fault.openai_code}}
        case Family.ANTHROPIC:
            return {"type": "error", "error": {"type": fault.anthropic_type, "message": message}, "request_id": request_id}
        case Family.GOOGLE:
            return {"error": {"code": fault.status, "message": message, "status": fault.google_status}}
        case _:
            assert_never(family)


def body(family: Family, fault: Fault, message: str, request_id: str, param: str | None = None) -> bytes:
    """The bytes of an error answer, laid out as the family's vendor lays its own out (Anthropic on one line, the others pretty)."""
    data = msgspec.json.encode(envelope(family, fault, message, request_id, param))
    if family is Family.ANTHROPIC:
        return data
    return msgspec.json.format(data, indent=2) + b"\n"


def chat_event(fault: Fault, message: str, *, done: bool = True) -> bytes:
    """contract:147: a frame with `choices: []` and an `error` object, then `[DONE]`, but for a key that was withdrawn (C5)."""
    error = {"message": message, "type": fault.openai_type, "param": None, "code": fault.openai_code}
    return b"data: " + msgspec.json.encode({"choices": [], "error": error}) + (b"\n\ndata: [DONE]\n\n" if done else b"\n\n")


def responses_event(fault: Fault, message: str, sequence_number: int) -> bytes:
    """An `error` event with the documented flat fields, and the nested `error` object that the vendor sends and its SDK raises on."""
    error = {"type": fault.openai_type, "code": fault.openai_code, "message": message, "param": None}
    event = {
        "type": "error",
        "sequence_number": sequence_number,
        "code": fault.openai_code,
        "message": message,
        "param": None,
        "error": error,
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


def messages_event(fault: Fault, message: str, request_id: str) -> bytes:
    """contract:146: `event: error` in place of `message_stop`."""
    return b"event: error\ndata: " + msgspec.json.encode(envelope(Family.ANTHROPIC, fault, message, request_id)) + b"\n\n"


def gemini_event(fault: Fault, message: str) -> bytes:
    """The error object as one more `data:` frame; Google's SDK raises by its code."""
    return b"data: " + msgspec.json.encode(envelope(Family.GOOGLE, fault, message, "")) + b"\r\n\r\n"
