"""Chat Completions: chunks, the answer object, and when a stream is over.

Source: openai-chat; orders of keys as OpenAI's and DeepSeek's streams of 2026 show them.
"""

from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from harness.wire import errors, events, json_text, sse, typed
from harness.wire.events import read_object, write_object, write_unknown
from harness.wire.json_text import Json
from harness.wire.typed import Wire
from harness.wire.usage import Usage, number, without

EVENT_STYLE: Final = json_text.TIGHT
BODY_STYLE: Final = json_text.PRETTY_NEWLINE
FRAMING: Final = sse.Framing(names=False)
DONE: Final = "[DONE]"


class PromptDetails(Wire, frozen=True, kw_only=True):
    cached_tokens: int | UnsetType | None = UNSET
    cache_write_tokens: int | UnsetType | None = UNSET
    audio_tokens: int | UnsetType | None = UNSET


class CompletionDetails(Wire, frozen=True, kw_only=True):
    reasoning_tokens: int | UnsetType | None = UNSET
    audio_tokens: int | UnsetType | None = UNSET
    accepted_prediction_tokens: int | UnsetType | None = UNSET
    rejected_prediction_tokens: int | UnsetType | None = UNSET


class CompletionUsage(Wire, frozen=True, kw_only=True):
    prompt_tokens: int | UnsetType = UNSET  # those read from a cache included
    completion_tokens: int | UnsetType = UNSET  # reasoning included
    total_tokens: int | UnsetType = UNSET
    prompt_tokens_details: PromptDetails | UnsetType | None = UNSET
    completion_tokens_details: CompletionDetails | UnsetType | None = UNSET
    prompt_cache_hit_tokens: int | UnsetType = UNSET  # DeepSeek
    prompt_cache_miss_tokens: int | UnsetType = UNSET  # DeepSeek


class FunctionDelta(Wire, frozen=True, kw_only=True):
    name: str | UnsetType | None = UNSET
    arguments: str | UnsetType | None = UNSET


class ToolCallDelta(Wire, frozen=True, kw_only=True):
    index: int | UnsetType = UNSET  # which call it continues; Google's compatible endpoint leaves it out and sends calls whole
    id: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    function: FunctionDelta | UnsetType = UNSET


class Delta(Wire, frozen=True, kw_only=True):
    role: str | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET  # DeepSeek and who follows it
    tool_calls: tuple[ToolCallDelta, ...] | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    function_call: FunctionDelta | UnsetType | None = UNSET  # before tool calls came


class ChunkChoice(Wire, frozen=True, kw_only=True):
    index: int
    delta: Delta
    logprobs: Json | UnsetType = UNSET
    finish_reason: str | UnsetType | None = UNSET


class Chunk(Wire, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    object: str | UnsetType = "chat.completion.chunk"
    created: int | UnsetType = UNSET  # unix seconds
    model: str | UnsetType = UNSET
    service_tier: str | UnsetType | None = UNSET
    system_fingerprint: str | UnsetType | None = UNSET
    choices: tuple[ChunkChoice, ...]
    moderation: Json | UnsetType = UNSET
    usage: CompletionUsage | UnsetType | None = UNSET
    obfuscation: str | UnsetType = UNSET


class Done(msgspec.Struct, frozen=True):
    """`data: [DONE]`"""


class Function(Wire, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class CustomCall(Wire, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    input: str | UnsetType = UNSET


class ToolCall(Wire, frozen=True, kw_only=True):
    id: str | UnsetType | None = UNSET
    type: str | UnsetType = "function"
    function: Function | UnsetType = UNSET
    custom: CustomCall | UnsetType = UNSET


class Message(Wire, frozen=True, kw_only=True):
    role: str | UnsetType = "assistant"
    content: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    tool_calls: tuple[ToolCall, ...] | UnsetType | None = UNSET
    function_call: Function | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    annotations: Json | UnsetType = UNSET


class Choice(Wire, frozen=True, kw_only=True):
    index: int
    message: Message | UnsetType = UNSET  # Azure leaves it out where its filter took the answer
    logprobs: Json | UnsetType = UNSET
    finish_reason: str | UnsetType | None = UNSET


class Completion(Wire, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    object: str | UnsetType = "chat.completion"
    created: int | UnsetType = UNSET  # unix seconds
    model: str | UnsetType = UNSET
    choices: tuple[Choice, ...]
    usage: CompletionUsage | UnsetType | None = UNSET
    service_tier: str | UnsetType | None = UNSET
    system_fingerprint: str | UnsetType | None = UNSET


Error: TypeAlias = errors.OpenAIBody  # in mid-stream: the error envelope as the data of an unnamed event
Unknown: TypeAlias = events.Unknown
Event: TypeAlias = Chunk | Error | Done | Unknown


def decode_event(frame: sse.Frame) -> Event:
    if frame.data == DONE:
        return Done()
    value = read_object(frame)
    if value is None:
        return Unknown(raw=frame.raw, event=frame.event)
    if "choices" in value or value.get("object") == "chat.completion.chunk":
        return typed.read(Chunk, value, offset=frame.offset)
    if isinstance(value.get("error"), dict):
        return typed.read(Error, value, offset=frame.offset)
    return Unknown(raw=frame.raw, event=frame.event, value=value)


def encode_event(event: Event, style: json_text.Style = EVENT_STYLE, framing: sse.Framing = FRAMING) -> bytes:
    match event:
        case Done():
            return sse.write(data=DONE, newline=framing.newline, space=framing.space)
        case Unknown():
            return write_unknown(event, style, framing)
        case Chunk() | Error():
            return write_object(typed.plain(event), style, framing)


def is_terminal(event: Event) -> bool:
    """A stream is complete when `[DONE]` came, and each choice had its `finish_reason` before. An error ends it too."""
    return isinstance(event, Done | Error)


def decode_body(body: bytes) -> Completion:
    return typed.read(Completion, json_text.read(body))


def encode_body(completion: Completion, style: json_text.Style = BODY_STYLE) -> bytes:
    return json_text.write_bytes(typed.plain(completion), style)


def usage_of(answer: Event | Completion) -> Usage | None:
    """OpenAI states it in the last chunk, which then has no choices; DeepSeek in the last chunk that has one."""
    if not isinstance(answer, Chunk | Completion) or not isinstance(answer.usage, CompletionUsage):
        return None
    said = answer.usage
    prompt = said.prompt_tokens_details
    read = number(prompt.cached_tokens) if isinstance(prompt, PromptDetails) else None
    write = number(prompt.cache_write_tokens) if isinstance(prompt, PromptDetails) else None
    if read is None:
        read = number(said.prompt_cache_hit_tokens)
    detail = said.completion_tokens_details
    return Usage(
        input_tokens=without(number(said.prompt_tokens), read, write),
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=number(said.completion_tokens),
        reasoning_tokens=number(detail.reasoning_tokens) if isinstance(detail, CompletionDetails) else None,
        total_tokens=number(said.total_tokens),
    )
