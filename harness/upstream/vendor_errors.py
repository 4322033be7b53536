"""Errors in the vendors' own words: bodies, and events in mid-stream.

Sources: openai "Error codes" and anthropic "Errors" for the types by status, google AIP-193 for the codes; recorded traffic for the
form inside a stream: Responses nests the error under `error` and sends `response.failed` after it, all with HTTP status 200.
"""

from http import HTTPStatus
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Headers, value
from harness.wire import gemini, json_text, sse
from harness.wire.errors import ErrorInfo, Family, body_of, encode_body
from harness.wire.json_text import Json
from harness.wire.wire_error import WireError

_OPENAI: Final[dict[int, tuple[str, str | None]]] = {  # status -> type, code
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GOOGLE: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES: Final = {
    429: "Rate limit reached. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "The model is overloaded. Please try again later.",
    529: "Overloaded",
}

_GOOGLE_CALLS: Final = ("generateContent", "streamGenerateContent", "countTokens")
_CONTENT_TYPE: Final = {
    Family.OPENAI: "application/json",
    Family.ANTHROPIC: "application/json",
    Family.GOOGLE: "application/json; charset=UTF-8",
}


def family_of(surface: Surface) -> Family:
    match surface:
        case Surface.MESSAGES | Surface.COUNT_TOKENS:
            return Family.ANTHROPIC
        case Surface.GEMINI:
            return Family.GOOGLE
        case _:
            return Family.OPENAI


def family_called(path: str, headers: Headers) -> Family:
    """Which vendor the gateway believes it is talking to."""
    if "/v1beta" in path or path.rpartition(":")[2] in _GOOGLE_CALLS or value(headers, "x-goog-api-key") is not None:
        return Family.GOOGLE
    if "/messages" in path or value(headers, "anthropic-version") is not None:
        return Family.ANTHROPIC
    return Family.OPENAI


def json_type(family: Family) -> str:
    """The content-type of an error body."""
    return _CONTENT_TYPE[family]


def body(family: Family, status: int, *, message: str | None = None, request_id: str | None = None) -> bytes:
    return encode_body(body_of(family, _info(family, status, message, request_id)))


def events(surface: Surface, status: int, before: tuple[sse.Frame, ...]) -> bytes:
    """What the surface's vendor sends when it fails after the frames `before` with what would have been `status`."""
    family = family_of(surface)
    error = _info(family, status, None, None)
    match surface:
        case Surface.RESPONSES:
            return _failed_response(error, before)
        case Surface.MESSAGES:
            return sse.write(
                event="error", data=json_text.write({"type": "error", "error": {"type": error.type, "message": error.message}})
            )
        case Surface.GEMINI:
            data: Json = {"error": {"code": error.status, "message": error.message, "status": error.type}}
            return sse.write(data=json_text.write(data, gemini.EVENT_STYLE), newline="\r\n")
        case _:
            data = {"error": {"message": error.message, "type": error.type, "param": None, "code": error.code}}
            return sse.write(data=json_text.write(data))


def _failed_response(error: ErrorInfo, before: tuple[sse.Frame, ...]) -> bytes:
    code = error.code or error.type
    wrong = {"type": error.type, "code": code, "message": error.message, "param": None}
    response = {**_created(before), "status": "failed", "error": {"code": code, "message": error.message}}
    first: Any = {"type": "error", "sequence_number": len(before), "error": wrong}
    second: Any = {"type": "response.failed", "sequence_number": len(before) + 1, "response": response}
    return b"".join(sse.write(event=event["type"], data=json_text.write(event)) for event in (first, second))


def _created(before: tuple[sse.Frame, ...]) -> dict[str, Any]:
    """The response object as the stream's first event gave it; what is left of it where there was none."""
    try:
        event: Any = json_text.read(before[0].data or "") if before else None
    except WireError:
        event = None
    response = event.get("response") if isinstance(event, dict) else None
    return response if isinstance(response, dict) else {"object": "response", "output": []}


def _info(family: Family, status: int, message: str | None, request_id: str | None) -> ErrorInfo:
    if message is None:
        message = _MESSAGES.get(status) or _phrase(status)
    match family:
        case Family.OPENAI:
            kind, code = _OPENAI.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
            return ErrorInfo(status=status, type=kind, code=code, message=message)
        case Family.ANTHROPIC:
            kind = _ANTHROPIC.get(status, "api_error" if status >= 500 else "invalid_request_error")
            return ErrorInfo(status=status, type=kind, message=message, request_id=request_id)
        case Family.GOOGLE:
            return ErrorInfo(status=status, type=_GOOGLE.get(status, "UNKNOWN"), message=message)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Error {status}"
