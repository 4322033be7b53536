"""Responses: events by type, output items, the response object, and when a stream is over.

Source: openai-responses-streaming; orders of keys as api.openai.com wrote them from 2026-04 on: `type` first, then by the alphabet.
"""

from typing import Final, Literal, TypeAlias

from msgspec import UNSET, UnsetType

from harness.wire import errors, events, json_text, sse, typed
from harness.wire.events import read_object, type_of, write_object, write_unknown
from harness.wire.json_text import Json
from harness.wire.typed import Wire
from harness.wire.usage import Usage, number, without

EVENT_STYLE: Final = json_text.TIGHT
BODY_STYLE: Final = json_text.PRETTY_ASCII
FRAMING: Final = sse.Framing()


class InputDetails(Wire, frozen=True, kw_only=True):
    cache_write_tokens: int | UnsetType | None = UNSET
    cached_tokens: int | UnsetType | None = UNSET


class OutputDetails(Wire, frozen=True, kw_only=True):
    reasoning_tokens: int | UnsetType | None = UNSET


class ResponseUsage(Wire, frozen=True, kw_only=True):
    input_tokens: int | UnsetType = UNSET  # those read from a cache included
    input_tokens_details: InputDetails | UnsetType | None = UNSET
    output_tokens: int | UnsetType = UNSET  # reasoning included
    output_tokens_details: OutputDetails | UnsetType | None = UNSET
    total_tokens: int | UnsetType = UNSET


class OutputText(Wire, frozen=True, kw_only=True):
    type: Literal["output_text"] = "output_text"
    annotations: Json | UnsetType = UNSET
    logprobs: Json | UnsetType = UNSET
    text: str


class Refusal(Wire, frozen=True, kw_only=True):
    type: Literal["refusal"] = "refusal"
    refusal: str


class ReasoningText(Wire, frozen=True, kw_only=True):
    type: Literal["reasoning_text"] = "reasoning_text"
    text: str


class SummaryText(Wire, frozen=True, kw_only=True):
    type: Literal["summary_text"] = "summary_text"
    text: str


class OtherPart(Wire, frozen=True, kw_only=True):
    type: str


Part: TypeAlias = OutputText | Refusal | ReasoningText | SummaryText | OtherPart


class MessageItem(Wire, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    type: Literal["message"] = "message"
    status: str | UnsetType | None = UNSET
    content: tuple[Part, ...]
    phase: str | UnsetType | None = UNSET
    role: str | UnsetType = "assistant"


class ReasoningItem(Wire, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    type: Literal["reasoning"] = "reasoning"
    status: str | UnsetType | None = UNSET
    content: tuple[Part, ...] | UnsetType | None = UNSET
    encrypted_content: str | UnsetType | None = UNSET
    summary: tuple[Part, ...] | UnsetType = UNSET


class FunctionCallItem(Wire, frozen=True, kw_only=True):
    id: str | UnsetType | None = UNSET
    type: Literal["function_call"] = "function_call"
    status: str | UnsetType | None = UNSET
    arguments: str
    call_id: str
    name: str
    namespace: str | UnsetType | None = UNSET


class CustomToolCallItem(Wire, frozen=True, kw_only=True):
    id: str | UnsetType | None = UNSET
    type: Literal["custom_tool_call"] = "custom_tool_call"
    status: str | UnsetType | None = UNSET
    call_id: str
    input: str
    name: str


class OtherItem(Wire, frozen=True, kw_only=True):
    """An item of a type that has no struct here, such as web_search_call; its fields are the extra_fields."""

    id: str | UnsetType | None = UNSET
    type: str
    status: str | UnsetType | None = UNSET


Item: TypeAlias = MessageItem | ReasoningItem | FunctionCallItem | CustomToolCallItem | OtherItem


class ResponseError(Wire, frozen=True, kw_only=True):
    """What went wrong in a response that failed."""

    code: str | UnsetType | None = UNSET
    message: str | UnsetType | None = UNSET


class IncompleteDetails(Wire, frozen=True, kw_only=True):
    reason: str | UnsetType | None = UNSET


class Response(Wire, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    object: str | UnsetType = "response"
    created_at: int | float | UnsetType = UNSET  # unix seconds
    status: str | UnsetType | None = UNSET  # completed, failed, in_progress, cancelled, queued, incomplete
    background: bool | UnsetType | None = UNSET
    billing: Json | UnsetType = UNSET
    completed_at: int | float | UnsetType | None = UNSET
    content_filters: Json | UnsetType = UNSET
    conversation: Json | UnsetType = UNSET
    error: ResponseError | UnsetType | None = UNSET
    frequency_penalty: float | UnsetType | None = UNSET
    incomplete_details: IncompleteDetails | UnsetType | None = UNSET
    instructions: Json | UnsetType = UNSET
    max_output_tokens: int | UnsetType | None = UNSET
    max_tool_calls: int | UnsetType | None = UNSET
    model: str | UnsetType = UNSET
    moderation: Json | UnsetType = UNSET
    output: tuple[Item, ...]
    parallel_tool_calls: bool | UnsetType | None = UNSET
    presence_penalty: float | UnsetType | None = UNSET
    previous_response_id: str | UnsetType | None = UNSET
    prompt_cache_key: str | UnsetType | None = UNSET
    prompt_cache_retention: str | UnsetType | None = UNSET
    reasoning: Json | UnsetType = UNSET
    safety_identifier: str | UnsetType | None = UNSET
    service_tier: str | UnsetType | None = UNSET
    store: bool | UnsetType | None = UNSET
    temperature: float | UnsetType | None = UNSET
    text: Json | UnsetType = UNSET
    tool_choice: Json | UnsetType = UNSET
    tool_usage: Json | UnsetType = UNSET
    tools: Json | UnsetType = UNSET
    top_logprobs: int | UnsetType | None = UNSET
    top_p: float | UnsetType | None = UNSET
    truncation: str | UnsetType | None = UNSET
    usage: ResponseUsage | UnsetType | None = UNSET
    user: str | UnsetType | None = UNSET
    metadata: Json | UnsetType = UNSET


class Created(Wire, frozen=True, kw_only=True):
    type: Literal["response.created"] = "response.created"
    response: Response
    sequence_number: int | UnsetType = UNSET


class Queued(Wire, frozen=True, kw_only=True):
    type: Literal["response.queued"] = "response.queued"
    response: Response
    sequence_number: int | UnsetType = UNSET


class InProgress(Wire, frozen=True, kw_only=True):
    type: Literal["response.in_progress"] = "response.in_progress"
    response: Response
    sequence_number: int | UnsetType = UNSET


class Completed(Wire, frozen=True, kw_only=True):
    type: Literal["response.completed"] = "response.completed"
    response: Response
    sequence_number: int | UnsetType = UNSET


class Incomplete(Wire, frozen=True, kw_only=True):
    type: Literal["response.incomplete"] = "response.incomplete"
    response: Response
    sequence_number: int | UnsetType = UNSET


class Failed(Wire, frozen=True, kw_only=True):
    type: Literal["response.failed"] = "response.failed"
    response: Response
    sequence_number: int | UnsetType = UNSET


class OutputItemAdded(Wire, frozen=True, kw_only=True):
    type: Literal["response.output_item.added"] = "response.output_item.added"
    item: Item
    output_index: int
    sequence_number: int | UnsetType = UNSET


class OutputItemDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.output_item.done"] = "response.output_item.done"
    item: Item
    output_index: int
    sequence_number: int | UnsetType = UNSET


class ContentPartAdded(Wire, frozen=True, kw_only=True):
    type: Literal["response.content_part.added"] = "response.content_part.added"
    content_index: int
    item_id: str | UnsetType = UNSET
    output_index: int
    part: Part
    sequence_number: int | UnsetType = UNSET


class ContentPartDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.content_part.done"] = "response.content_part.done"
    content_index: int
    item_id: str | UnsetType = UNSET
    output_index: int
    part: Part
    sequence_number: int | UnsetType = UNSET


class OutputTextDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    content_index: int
    delta: str
    item_id: str | UnsetType = UNSET
    logprobs: Json | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class OutputTextDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.output_text.done"] = "response.output_text.done"
    content_index: int
    item_id: str | UnsetType = UNSET
    logprobs: Json | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET
    text: str


class AnnotationAdded(Wire, frozen=True, kw_only=True):
    type: Literal["response.output_text.annotation.added"] = "response.output_text.annotation.added"
    annotation: Json
    annotation_index: int | UnsetType = UNSET
    content_index: int
    item_id: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class RefusalDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.refusal.delta"] = "response.refusal.delta"
    content_index: int
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class RefusalDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.refusal.done"] = "response.refusal.done"
    content_index: int
    item_id: str | UnsetType = UNSET
    output_index: int
    refusal: str
    sequence_number: int | UnsetType = UNSET


class ReasoningTextDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.reasoning_text.delta"] = "response.reasoning_text.delta"
    content_index: int
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class ReasoningTextDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.reasoning_text.done"] = "response.reasoning_text.done"
    content_index: int
    item_id: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET
    text: str


class ReasoningSummaryPartAdded(Wire, frozen=True, kw_only=True):
    type: Literal["response.reasoning_summary_part.added"] = "response.reasoning_summary_part.added"
    item_id: str | UnsetType = UNSET
    output_index: int
    part: Part
    sequence_number: int | UnsetType = UNSET
    summary_index: int


class ReasoningSummaryPartDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.reasoning_summary_part.done"] = "response.reasoning_summary_part.done"
    item_id: str | UnsetType = UNSET
    output_index: int
    part: Part
    sequence_number: int | UnsetType = UNSET
    summary_index: int


class ReasoningSummaryTextDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.reasoning_summary_text.delta"] = "response.reasoning_summary_text.delta"
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET
    summary_index: int


class ReasoningSummaryTextDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.reasoning_summary_text.done"] = "response.reasoning_summary_text.done"
    item_id: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET
    summary_index: int
    text: str


class FunctionCallArgumentsDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class FunctionCallArgumentsDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    arguments: str
    item_id: str | UnsetType = UNSET
    name: str | UnsetType | None = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class CustomToolCallInputDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.custom_tool_call_input.delta"] = "response.custom_tool_call_input.delta"
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class CustomToolCallInputDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.custom_tool_call_input.done"] = "response.custom_tool_call_input.done"
    input: str
    item_id: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class McpCallArgumentsDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.mcp_call_arguments.delta"] = "response.mcp_call_arguments.delta"
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class McpCallArgumentsDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.mcp_call_arguments.done"] = "response.mcp_call_arguments.done"
    arguments: str
    item_id: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class CodeInterpreterCodeDelta(Wire, frozen=True, kw_only=True):
    type: Literal["response.code_interpreter_call_code.delta"] = "response.code_interpreter_call_code.delta"
    delta: str
    item_id: str | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class CodeInterpreterCodeDone(Wire, frozen=True, kw_only=True):
    type: Literal["response.code_interpreter_call_code.done"] = "response.code_interpreter_call_code.done"
    code: str
    item_id: str | UnsetType = UNSET
    output_index: int
    sequence_number: int | UnsetType = UNSET


class Keepalive(Wire, frozen=True, kw_only=True):
    type: Literal["keepalive"] = "keepalive"
    sequence_number: int | UnsetType = UNSET


class ItemProgress(Wire, frozen=True, kw_only=True):
    """A server tool went a step further; the type says which tool and which step."""

    type: Literal[
        "response.code_interpreter_call.completed",
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call.interpreting",
        "response.compaction.compacting",
        "response.file_search_call.completed",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.image_generation_call.completed",
        "response.image_generation_call.generating",
        "response.image_generation_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "response.mcp_call.in_progress",
        "response.mcp_list_tools.completed",
        "response.mcp_list_tools.failed",
        "response.mcp_list_tools.in_progress",
        "response.web_search_call.completed",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
    ]
    item_id: str | UnsetType = UNSET
    output_index: int | UnsetType = UNSET
    sequence_number: int | UnsetType = UNSET


class PartialImage(Wire, frozen=True, kw_only=True):
    type: Literal["response.image_generation_call.partial_image"] = "response.image_generation_call.partial_image"
    background: str | UnsetType | None = UNSET
    item_id: str | UnsetType = UNSET
    output_format: str | UnsetType | None = UNSET
    output_index: int
    partial_image_b64: str
    partial_image_index: int
    quality: str | UnsetType | None = UNSET
    sequence_number: int | UnsetType = UNSET
    size: str | UnsetType | None = UNSET


class ErrorDetail(Wire, frozen=True, kw_only=True):
    type: str | UnsetType | None = UNSET
    code: str | UnsetType | None = UNSET
    message: str | UnsetType | None = UNSET
    param: str | UnsetType | None = UNSET


class Error(Wire, frozen=True, kw_only=True):
    """Real traffic nests the detail under `error`; the documentation has it flat. Both are read; `response.failed` follows."""

    type: Literal["error"] = "error"
    code: str | UnsetType | None = UNSET
    error: ErrorDetail | UnsetType = UNSET
    message: str | UnsetType | None = UNSET
    param: str | UnsetType | None = UNSET
    sequence_number: int | UnsetType = UNSET


Terminal: TypeAlias = Completed | Incomplete | Failed
Lifecycle: TypeAlias = Created | Queued | InProgress | Terminal
Typed: TypeAlias = (
    Lifecycle
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | OutputTextDelta
    | OutputTextDone
    | AnnotationAdded
    | RefusalDelta
    | RefusalDone
    | ReasoningTextDelta
    | ReasoningTextDone
    | ReasoningSummaryPartAdded
    | ReasoningSummaryPartDone
    | ReasoningSummaryTextDelta
    | ReasoningSummaryTextDone
    | FunctionCallArgumentsDelta
    | FunctionCallArgumentsDone
    | CustomToolCallInputDelta
    | CustomToolCallInputDone
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | CodeInterpreterCodeDelta
    | CodeInterpreterCodeDone
    | ItemProgress
    | PartialImage
    | Keepalive
    | Error
)
Unknown: TypeAlias = events.Unknown
Event: TypeAlias = Typed | Unknown

_CLASSES: Final = typed.by_tag(Typed)


def decode_event(frame: sse.Frame) -> Event:
    """The `type` in the data says what it is, not the event name: a judge compares the two."""
    value = read_object(frame)
    if value is None:
        return Unknown(raw=frame.raw, event=frame.event)
    cls = _CLASSES.get(type_of(value, frame))
    if cls is None:
        return Unknown(raw=frame.raw, event=frame.event, value=value)
    event: Typed = typed.read(cls, value, offset=frame.offset)
    return event


def encode_event(event: Event, style: json_text.Style = EVENT_STYLE, framing: sse.Framing = FRAMING) -> bytes:
    if isinstance(event, Unknown):
        return write_unknown(event, style, framing)
    return write_object(typed.plain(event), style, framing, name=event.type)


def is_terminal(event: Event) -> bool:
    """One of the three ends a stream, and no `[DONE]` follows. An `error` event alone does not: `response.failed` comes after it."""
    return isinstance(event, Completed | Incomplete | Failed)


def decode_body(body: bytes) -> Response:
    return typed.read(Response, json_text.read(body))


def encode_body(response: Response, style: json_text.Style = BODY_STYLE) -> bytes:
    return json_text.write_bytes(typed.plain(response), style)


def error_of(event: Event) -> errors.ErrorInfo | None:
    """What an error event or a failed response says went wrong."""
    match event:
        case Error(error=ErrorDetail() as nested):
            return errors.ErrorInfo(
                type=_text(nested.type), code=_text(nested.code), message=_text(nested.message), param=_text(nested.param)
            )
        case Error():
            return errors.ErrorInfo(code=_text(event.code), message=_text(event.message), param=_text(event.param))
        case Failed(response=Response(error=ResponseError() as failure)):
            return errors.ErrorInfo(code=_text(failure.code), message=_text(failure.message))
        case _:
            return None


def _text(value: str | UnsetType | None) -> str | None:
    return value if isinstance(value, str) else None


def usage_of(answer: Event | Response) -> Usage | None:
    """Stated once, in the response of the terminal event."""
    response = answer.response if isinstance(answer, Completed | Incomplete | Failed) else answer
    if not isinstance(response, Response) or not isinstance(response.usage, ResponseUsage):
        return None
    said = response.usage
    detail = said.input_tokens_details
    read = number(detail.cached_tokens) if isinstance(detail, InputDetails) else None
    write = number(detail.cache_write_tokens) if isinstance(detail, InputDetails) else None
    out = said.output_tokens_details
    return Usage(
        input_tokens=without(number(said.input_tokens), read, write),
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=number(said.output_tokens),
        reasoning_tokens=number(out.reasoning_tokens) if isinstance(out, OutputDetails) else None,
        total_tokens=number(said.total_tokens),
    )
