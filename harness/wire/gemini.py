"""Gemini generateContent: one object per answer, or one per event of a stream.

Source: google-generate-content; orders of keys as recorded from generativelanguage.googleapis.com in 2026.
Vertex writes `role` before `parts`. With `$alt=json;enum-encoding=int` enumerations are numbers.
"""

from typing import Final, TypeAlias

from msgspec import UNSET, UnsetType

from harness.wire import errors, events, json_text, sse, typed
from harness.wire.events import read_object, write_object, write_unknown
from harness.wire.json_text import Json
from harness.wire.typed import Wire
from harness.wire.usage import Usage, number, without
from harness.wire.wire_error import WireError

EVENT_STYLE: Final = json_text.GEMINI_SSE
BODY_STYLE: Final = json_text.GEMINI_BODY
FRAMING: Final = sse.Framing(names=False, newline="\r\n")


class FunctionCall(Wire, frozen=True, kw_only=True, rename="camel"):
    name: str | UnsetType = UNSET
    args: dict[str, Json] | UnsetType = UNSET
    id: str | UnsetType = UNSET


class Part(Wire, frozen=True, kw_only=True, rename="camel"):
    """One of text, functionCall and others; what else a part can hold stays in extra_fields."""

    text: str | UnsetType = UNSET
    thought: bool | UnsetType = UNSET
    function_call: FunctionCall | UnsetType = UNSET
    inline_data: Json | UnsetType = UNSET
    thought_signature: str | UnsetType = UNSET


class Content(Wire, frozen=True, kw_only=True, rename="camel"):
    parts: tuple[Part, ...] | UnsetType = UNSET  # absent from some last chunks
    role: str | UnsetType = UNSET


class Candidate(Wire, frozen=True, kw_only=True, rename="camel"):
    content: Content | UnsetType = UNSET
    finish_reason: str | int | UnsetType = UNSET
    index: int | UnsetType = UNSET
    safety_ratings: Json | UnsetType = UNSET
    citation_metadata: Json | UnsetType = UNSET
    grounding_metadata: Json | UnsetType = UNSET
    url_context_metadata: Json | UnsetType = UNSET
    avg_logprobs: float | UnsetType = UNSET
    finish_message: str | UnsetType = UNSET


class UsageMetadata(Wire, frozen=True, kw_only=True, rename="camel"):
    prompt_token_count: int | UnsetType = UNSET  # those read from a cache included
    candidates_token_count: int | UnsetType = UNSET  # thoughts not included
    total_token_count: int | UnsetType = UNSET
    cached_content_token_count: int | UnsetType = UNSET
    prompt_tokens_details: Json | UnsetType = UNSET
    cache_tokens_details: Json | UnsetType = UNSET
    candidates_tokens_details: Json | UnsetType = UNSET
    tool_use_prompt_token_count: int | UnsetType = UNSET  # on top of prompt_token_count
    tool_use_prompt_tokens_details: Json | UnsetType = UNSET
    thoughts_token_count: int | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET


class Chunk(Wire, frozen=True, kw_only=True, rename="camel"):
    """GenerateContentResponse: a whole answer, or the next piece of one."""

    candidates: tuple[Candidate, ...] | UnsetType = UNSET  # absent where the prompt was blocked
    prompt_feedback: Json | UnsetType = UNSET
    usage_metadata: UsageMetadata | UnsetType = UNSET
    model_version: str | UnsetType = UNSET
    create_time: str | UnsetType = UNSET  # RFC 3339; Vertex
    response_id: str | UnsetType = UNSET


Error: TypeAlias = errors.GoogleBody  # in mid-stream: the error envelope as the data of an unnamed event
Unknown: TypeAlias = events.Unknown
Event: TypeAlias = Chunk | Error | Unknown


def decode_event(frame: sse.Frame) -> Event:
    value = read_object(frame)
    if value is None:
        return Unknown(raw=frame.raw, event=frame.event)
    if isinstance(value.get("error"), dict):
        return typed.read(Error, value, offset=frame.offset)
    return typed.read(Chunk, value, offset=frame.offset)


def encode_event(event: Event, style: json_text.Style = EVENT_STYLE, framing: sse.Framing = FRAMING) -> bytes:
    match event:
        case Unknown():
            return write_unknown(event, style, framing)
        case Chunk() | Error():
            return write_object(typed.plain(event), style, framing)


def is_terminal(event: Event) -> bool:
    """The last chunk is the one that has a finishReason; a blocked prompt has none and one chunk. No `[DONE]` follows."""
    match event:
        case Chunk(candidates=tuple() as candidates) if candidates:
            return all(candidate.finish_reason is not UNSET for candidate in candidates)
        case Chunk():
            return event.prompt_feedback is not UNSET
        case Error():
            return True
        case Unknown():
            return False


def decode_body(body: bytes) -> Chunk:
    return typed.read(Chunk, json_text.read(body))


def encode_body(answer: Chunk, style: json_text.Style = BODY_STYLE) -> bytes:
    return json_text.write_bytes(typed.plain(answer), style)


def decode_array(body: bytes) -> tuple[Chunk, ...]:
    """All chunks in one JSON array: streamGenerateContent without `alt=sse`."""
    value = json_text.read(body)
    if not isinstance(value, list):
        raise WireError("expected an array of chunks", offset=0)
    return tuple(typed.read(Chunk, item) for item in value)


def encode_array(chunks: tuple[Chunk, ...]) -> bytes:
    return b"[" + b",\r\n".join(encode_body(chunk) for chunk in chunks).removesuffix(b"\n") + b"\n]"


def usage_of(answer: Event) -> Usage | None:
    """Every chunk states the count so far; the last one counts."""
    if not isinstance(answer, Chunk) or not isinstance(answer.usage_metadata, UsageMetadata):
        return None
    said = answer.usage_metadata
    prompt, tools = number(said.prompt_token_count), number(said.tool_use_prompt_token_count)
    read = number(said.cached_content_token_count)
    visible, thoughts = number(said.candidates_token_count), number(said.thoughts_token_count)
    return Usage(
        input_tokens=None if prompt is None and tools is None else without((prompt or 0) + (tools or 0), read),
        cache_read_tokens=read,
        output_tokens=None if visible is None and thoughts is None else (visible or 0) + (thoughts or 0),
        reasoning_tokens=thoughts,
        total_tokens=number(said.total_token_count),
    )
