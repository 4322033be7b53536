"""The error envelopes of the three families, over HTTP and inside a stream.

Sources: openai-chat "Errors", anthropic-messages "Errors", google "AIP-193"; layouts as recorded.
An error before the stream is a JSON body with its HTTP status, whatever the client asked for; inside a 200 stream it is an event.
"""

from enum import StrEnum
from typing import Literal, Self, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from harness.wire import json_text, typed
from harness.wire.json_text import Json
from harness.wire.typed import Padded, Wire


class Family(StrEnum):
    OPENAI = "openai"  # chat, responses, and who copies them
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


class OpenAIError(Wire, frozen=True, kw_only=True):
    message: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    param: str | UnsetType | None = UNSET
    code: str | int | UnsetType | None = UNSET


class OpenAIBody(Wire, frozen=True, kw_only=True):
    error: OpenAIError


class AnthropicError(Wire, frozen=True, kw_only=True):
    details: Json | UnsetType = UNSET
    type: str | UnsetType | None = UNSET
    message: str | UnsetType | None = UNSET


class AnthropicBody(Padded, frozen=True, kw_only=True):
    type: Literal["error"] = "error"
    error: AnthropicError
    request_id: str | UnsetType | None = UNSET

    @classmethod
    def api_error(cls, message: str) -> Self:
        return cls(error=AnthropicError(type="api_error", message=message))


class GoogleError(Wire, frozen=True, kw_only=True):
    code: int | UnsetType = UNSET
    message: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    details: Json | UnsetType = UNSET


class GoogleBody(Wire, frozen=True, kw_only=True):
    error: GoogleError


Body = OpenAIBody | AnthropicBody | GoogleBody


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an error says, in one form. None: the envelope does not say it, or says null."""

    status: int | None = None  # the HTTP status; in a Google envelope its `code`
    type: str | None = None  # openai and anthropic `type`, google `status` (such as RESOURCE_EXHAUSTED)
    code: str | None = None
    message: str | None = None
    param: str | None = None
    request_id: str | None = None  # in an Anthropic body; elsewhere a header carries it


def decode_body(body: bytes, family: Family) -> Body:
    """An error body. One that is not in its family's envelope is a WireError: vendors' proxies do send plain text and HTML."""
    value = json_text.read(body)
    if family is Family.GOOGLE and isinstance(value, list) and len(value) == 1:
        value = value[0]  # streamGenerateContent without alt=sse answers an array, errors too
    match family:
        case Family.OPENAI:
            return typed.read(OpenAIBody, value)
        case Family.ANTHROPIC:
            return typed.read(AnthropicBody, value)
        case Family.GOOGLE:
            return typed.read(GoogleBody, value)
        case _:
            assert_never(family)


def encode_body(body: Body, style: json_text.Style | None = None) -> bytes:
    return json_text.write_bytes(typed.plain(body), style or style_of(body))


def style_of(body: Body, *, of_chat: bool = False) -> json_text.Style:
    """OpenAI's chat front door (wrong key, wrong model) indents by 4 and ends the line; its validation and responses indent by 2."""
    match body:
        case OpenAIBody(error=error):
            front_door = of_chat and error.code in ("invalid_api_key", "model_not_found") and error.param is None
            return json_text.PRETTY_4 if front_door else json_text.PRETTY
        case AnthropicBody():
            return json_text.TIGHT
        case GoogleBody():
            return json_text.GEMINI_BODY
        case _:
            assert_never(body)


def info(body: Body, status: int | None = None) -> ErrorInfo:
    """`status` is the HTTP status where the body itself has none."""
    match body:
        case OpenAIBody(error=error):
            code = None if error.code is UNSET or error.code is None else str(error.code)
            return ErrorInfo(status=status, type=_text(error.type), code=code, message=_text(error.message), param=_text(error.param))
        case AnthropicBody(error=anthropic):
            return ErrorInfo(status=status, type=_text(anthropic.type), message=_text(anthropic.message), request_id=_text(body.request_id))
        case GoogleBody(error=google):
            code_given = google.code if isinstance(google.code, int) else status
            return ErrorInfo(status=code_given, type=_text(google.status), message=_text(google.message))
        case _:
            assert_never(body)


def body_of(family: Family, error: ErrorInfo) -> Body:
    """An envelope from scratch, with the fields its vendor always writes."""
    message = error.message or ""
    match family:
        case Family.OPENAI:
            return OpenAIBody(error=OpenAIError(message=message, type=error.type, param=error.param, code=error.code))
        case Family.ANTHROPIC:
            request_id = UNSET if error.request_id is None else error.request_id
            return AnthropicBody(error=AnthropicError(type=error.type or "api_error", message=message), request_id=request_id)
        case Family.GOOGLE:
            if error.status is None:
                raise ValueError("a Google error carries its HTTP status as `code`: give ErrorInfo a status")
            return GoogleBody(error=GoogleError(code=error.status, message=message, status=error.type or "UNKNOWN"))
        case _:
            assert_never(family)


def read(body: bytes, family: Family, status: int | None = None) -> ErrorInfo:
    return info(decode_body(body, family), status)


def write(error: ErrorInfo, family: Family, *, of_chat: bool = False) -> bytes:
    body = body_of(family, error)
    return encode_body(body, style_of(body, of_chat=of_chat))


def _text(value: str | UnsetType | None) -> str | None:
    return value if isinstance(value, str) else None
