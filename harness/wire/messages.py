"""Messages: events, blocks, the answer object, and when a stream is over.

Source: anthropic-messages, anthropic-messages-streaming; orders of keys as api.anthropic.com wrote them in 2026.
Events are padded with blanks before their last brace; a ping is the one payload with a blank inside.
"""

from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from harness.wire import errors, events, json_text, sse, typed
from harness.wire.events import padding, read_object, type_of, write_object, write_unknown
from harness.wire.json_text import Json
from harness.wire.typed import Padded, Wire
from harness.wire.usage import Usage, number

EVENT_STYLE: Final = json_text.TIGHT
BODY_STYLE: Final = json_text.TIGHT
FRAMING: Final = sse.Framing()


class CacheCreation(Wire, frozen=True, kw_only=True):
    ephemeral_5m_input_tokens: int | UnsetType = UNSET
    ephemeral_1h_input_tokens: int | UnsetType = UNSET


class OutputDetails(Wire, frozen=True, kw_only=True):
    thinking_tokens: int | UnsetType | None = UNSET


class MessageUsage(Wire, frozen=True, kw_only=True):
    """`input_tokens` are those neither read from nor written to the cache. In message_delta the counts are of the whole answer."""

    input_tokens: int | UnsetType | None = UNSET
    cache_creation_input_tokens: int | UnsetType | None = UNSET
    cache_read_input_tokens: int | UnsetType | None = UNSET
    cache_creation: CacheCreation | UnsetType | None = UNSET
    output_tokens: int | UnsetType = UNSET
    service_tier: str | UnsetType | None = UNSET
    server_tool_use: Json | UnsetType = UNSET
    inference_geo: str | UnsetType | None = UNSET
    output_tokens_details: OutputDetails | UnsetType | None = UNSET
    iterations: Json | UnsetType = UNSET


class TextBlock(Wire, frozen=True, kw_only=True):
    citations: Json | UnsetType = UNSET
    type: Literal["text"] = "text"
    text: str = ""


class ThinkingBlock(Wire, frozen=True, kw_only=True):
    type: Literal["thinking"] = "thinking"
    thinking: str = ""
    signature: str | UnsetType = ""


class RedactedThinkingBlock(Wire, frozen=True, kw_only=True):
    type: Literal["redacted_thinking"] = "redacted_thinking"
    data: str


class ToolUseBlock(Wire, frozen=True, kw_only=True):
    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: Json | UnsetType = msgspec.field(default_factory=dict)
    caller: Json | UnsetType = UNSET


class ServerToolUseBlock(Wire, frozen=True, kw_only=True):
    type: Literal["server_tool_use"] = "server_tool_use"
    id: str
    name: str
    input: Json | UnsetType = msgspec.field(default_factory=dict)
    caller: Json | UnsetType = UNSET


class OtherBlock(Wire, frozen=True, kw_only=True):
    """A block of a type that has no struct here, such as web_search_tool_result; its fields are the extra_fields."""

    type: str


Block: TypeAlias = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ServerToolUseBlock | OtherBlock


class Message(Wire, frozen=True, kw_only=True):
    model: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = "message"
    role: str | UnsetType = "assistant"
    content: tuple[Block, ...]
    stop_reason: str | UnsetType | None = None
    stop_sequence: str | UnsetType | None = None
    stop_details: Json | UnsetType = UNSET
    usage: MessageUsage | UnsetType = UNSET


class TextDelta(Wire, frozen=True, kw_only=True):
    type: Literal["text_delta"] = "text_delta"
    text: str


class InputJsonDelta(Wire, frozen=True, kw_only=True):
    type: Literal["input_json_delta"] = "input_json_delta"
    partial_json: str


class ThinkingDelta(Wire, frozen=True, kw_only=True):
    type: Literal["thinking_delta"] = "thinking_delta"
    thinking: str


class SignatureDelta(Wire, frozen=True, kw_only=True):
    type: Literal["signature_delta"] = "signature_delta"
    signature: str


class CitationsDelta(Wire, frozen=True, kw_only=True):
    type: Literal["citations_delta"] = "citations_delta"
    citation: Json


class OtherDelta(Wire, frozen=True, kw_only=True):
    type: str


BlockDeltaBody: TypeAlias = TextDelta | InputJsonDelta | ThinkingDelta | SignatureDelta | CitationsDelta | OtherDelta


class Stop(Wire, frozen=True, kw_only=True):
    """The `delta` of message_delta: why and how the answer ended."""

    container: Json | UnsetType = UNSET
    stop_reason: str | UnsetType | None = UNSET
    stop_sequence: str | UnsetType | None = UNSET
    stop_details: Json | UnsetType = UNSET


class MessageStart(Padded, frozen=True, kw_only=True):
    type: Literal["message_start"] = "message_start"
    message: Message


class BlockStart(Padded, frozen=True, kw_only=True):
    type: Literal["content_block_start"] = "content_block_start"
    index: int
    content_block: Block


class BlockDelta(Padded, frozen=True, kw_only=True):
    type: Literal["content_block_delta"] = "content_block_delta"
    index: int
    delta: BlockDeltaBody


class BlockStop(Padded, frozen=True, kw_only=True):
    type: Literal["content_block_stop"] = "content_block_stop"
    index: int


class MessageDelta(Padded, frozen=True, kw_only=True):
    type: Literal["message_delta"] = "message_delta"
    delta: Stop
    usage: MessageUsage | UnsetType = UNSET
    context_management: Json | UnsetType = UNSET


class MessageStop(Padded, frozen=True, kw_only=True):
    type: Literal["message_stop"] = "message_stop"


class Ping(Padded, frozen=True, kw_only=True):
    type: Literal["ping"] = "ping"


Error: TypeAlias = errors.AnthropicBody  # in mid-stream: the error envelope, named `error`
Typed: TypeAlias = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop | Ping | Error
Unknown: TypeAlias = events.Unknown
Event: TypeAlias = Typed | Unknown

_CLASSES: Final = typed.by_tag(Typed)


def decode_event(frame: sse.Frame) -> Event:
    """The `type` in the data says what it is, not the event name: a judge compares the two."""
    value = read_object(frame)
    if value is None or frame.data is None:
        return Unknown(raw=frame.raw, event=frame.event)
    cls = _CLASSES.get(type_of(value, frame))
    if cls is None:
        return Unknown(raw=frame.raw, event=frame.event, value=value)
    event: Typed = typed.read(cls, value, offset=frame.offset)
    blanks = padding(frame.data)
    return msgspec.structs.replace(event, padding=blanks) if blanks else event


def encode_event(event: Event, style: json_text.Style = EVENT_STYLE, framing: sse.Framing = FRAMING) -> bytes:
    match event:
        case Unknown():
            return write_unknown(event, style, framing)
        case Ping():
            return write_object(typed.plain(event), json_text.SPACED, framing, name=event.type, padding=event.padding)
        case _:
            return write_object(typed.plain(event), style, framing, name=event.type, padding=event.padding)


def is_terminal(event: Event) -> bool:
    """message_stop ends a stream that is complete; an error ends one that is not. No `[DONE]` follows."""
    return isinstance(event, MessageStop | Error)


def decode_body(body: bytes) -> Message:
    return typed.read(Message, json_text.read(body))


def encode_body(message: Message, style: json_text.Style = BODY_STYLE) -> bytes:
    return json_text.write_bytes(typed.plain(message), style)


def usage_of(answer: Event | Message) -> Usage | None:
    """What message_start says is a beginning; message_delta counts the whole, and what it leaves out stands as it was."""
    match answer:
        case MessageStart(message=message):
            said = message.usage
        case MessageDelta() | Message():
            said = answer.usage
        case _:
            return None
    if not isinstance(said, MessageUsage):
        return None
    kept = said.cache_creation
    detail = said.output_tokens_details
    return Usage(
        input_tokens=number(said.input_tokens),
        cache_read_tokens=number(said.cache_read_input_tokens),
        cache_write_tokens=number(said.cache_creation_input_tokens),
        cache_write_5m_tokens=number(kept.ephemeral_5m_input_tokens) if isinstance(kept, CacheCreation) else None,
        cache_write_1h_tokens=number(kept.ephemeral_1h_input_tokens) if isinstance(kept, CacheCreation) else None,
        output_tokens=number(said.output_tokens),
        reasoning_tokens=number(detail.thinking_tokens) if isinstance(detail, OutputDetails) else None,
    )
