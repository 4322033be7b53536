"""What an answer says, in the harness's own neutral form: text, reasoning, tool calls, refusal, how it stopped, what it cost in tokens.

Read separately from what the upstream sent and from what the official SDK made of the client's bytes: by JSON alone, with neither
`harness.wire` nor any gateway's code. Nothing here raises: what has the wrong type counts as not there.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange

# The protocols' own words for how an answer stopped, by what they mean.
_STOPS: Final = {
    "end": {"stop", "end_turn", "completed", "STOP"},
    "length": {"length", "max_tokens", "max_output_tokens", "MAX_TOKENS"},
    "tools": {"tool_calls", "tool_use"},
    "refused": {"content_filter", "refusal", "SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST"},
}
_CLASS: Final = {word: name for name, words in _STOPS.items() for word in words}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """`arguments` as spelled; of Gemini, which has an object, in one fixed spelling."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """`usage` maps the classes input, output, cache_read, cache_write to tokens; `input` has no cached ones among it."""

    text: str = ""
    reasoning: str = ""
    signatures: tuple[str, ...] = ()  # what proves reasoning on the next turn
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop: str | None = None  # end, length, tools, refused, or the protocol's own word
    usage: dict[str, int] = field(default_factory=dict)


def of_upstream(exchange: Exchange) -> Transcript | None:
    """What the vendor said; None where it gave no successful answer. Its protocol is the surface's own on native routes."""
    response = exchange.upstream[-1].response if exchange.upstream else None
    if response is None or not response.ok:
        return None
    if response.is_sse:
        return of_values(exchange.case.surface, (seen.data for seen in exchange.upstream_events))
    return of_values(exchange.case.surface, [response.json])


def of_sdk(exchange: Exchange) -> Transcript | None:
    """What the SDK read; None where it read nothing."""
    reading = exchange.sdk
    if reading is None:
        return None
    if isinstance(reading.final, dict):
        return of_values(exchange.case.surface, [reading.final])
    return of_values(exchange.case.surface, reading.events) if reading.events else None


def of_values(surface: Surface, values: Iterable[Any]) -> Transcript:
    """From the JSON values of one whole answer, or of a stream's events in their order."""
    reader = _READERS.get(surface)
    draft = _Draft()
    if reader is not None:
        for value in values:
            if isinstance(value, dict):
                reader(draft, value)
    return draft.done()


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class _Draft:
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    signatures: list[str] = field(default_factory=list)
    calls: dict[Any, _Call] = field(default_factory=dict)
    stop: str | None = None
    usage: dict[str, int] = field(default_factory=dict)

    def call(self, key: Any) -> _Call:
        return self.calls.setdefault(key, _Call())

    def count(self, **classes: int | None) -> None:
        """Later counts replace earlier ones; None is no count."""
        self.usage |= {name: number for name, number in classes.items() if number is not None}

    def done(self) -> Transcript:
        calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in self.calls.values())
        stop = _CLASS.get(self.stop or "", self.stop)
        return Transcript(
            text=self.text,
            reasoning=self.reasoning,
            signatures=tuple(self.signatures),
            refusal=self.refusal,
            calls=calls,
            stop="tools" if calls and stop == "end" else stop,
            usage=self.usage,
        )


def _chat(draft: _Draft, value: dict[str, Any]) -> None:
    for choice in _objects(value.get("choices")):
        if choice.get("index", 0) != 0:  # the first choice is the answer; the others are what it might have been
            continue
        said = _object(choice.get("delta")) or _object(choice.get("message"))
        draft.text += _text(said.get("content"))
        draft.reasoning += _text(said.get("reasoning_content"))
        draft.refusal += _text(said.get("refusal"))
        for place, call in enumerate(_objects(said.get("tool_calls"))):
            made = draft.call(call.get("index", place))
            inner = _object(call.get("function")) or _object(call.get("custom"))
            made.id = made.id or _text(call.get("id"))
            made.name = made.name or _text(inner.get("name"))
            made.arguments += _text(inner.get("arguments")) + _text(inner.get("input"))
        draft.stop = _text(choice.get("finish_reason")) or draft.stop
    if usage := _object(value.get("usage")):
        cached = _count(_object(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0
        total = _count(usage.get("prompt_tokens"))
        draft.count(input=None if total is None else total - cached, output=_count(usage.get("completion_tokens")), cache_read=cached)


def _responses(draft: _Draft, value: dict[str, Any]) -> None:
    kind, place = _text(value.get("type")), value.get("output_index")
    if value.get("object") == "response":
        for number, item in enumerate(_objects(value.get("output"))):
            _item(draft, number, item, whole=True)
        _response_end(draft, value)
        return
    delta = _text(value.get("delta"))
    match kind:
        case "response.output_text.delta":
            draft.text += delta
        case "response.refusal.delta":
            draft.refusal += delta
        case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
            draft.reasoning += delta
        case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
            draft.call(place).arguments += delta
        case "response.output_item.added":
            _item(draft, place, _object(value.get("item")), whole=False)
        case "response.output_item.done":
            draft.signatures += filter(None, [_text(_object(value.get("item")).get("encrypted_content"))])
        case "response.completed" | "response.incomplete" | "response.failed":
            _response_end(draft, _object(value.get("response")))


def _item(draft: _Draft, place: Any, item: dict[str, Any], *, whole: bool) -> None:
    match item.get("type"):
        case "function_call" | "custom_tool_call":
            call = draft.call(place)
            call.id, call.name = _text(item.get("call_id")), _text(item.get("name"))
            if whole:
                call.arguments = _text(item.get("arguments")) + _text(item.get("input"))
        case "message" if whole:
            for part in _objects(item.get("content")):
                draft.text += _text(part.get("text"))
                draft.refusal += _text(part.get("refusal"))
        case "reasoning" if whole:
            for part in [*_objects(item.get("summary")), *_objects(item.get("content"))]:
                draft.reasoning += _text(part.get("text"))
            draft.signatures += filter(None, [_text(item.get("encrypted_content"))])


def _response_end(draft: _Draft, response: dict[str, Any]) -> None:
    reason = _text(_object(response.get("incomplete_details")).get("reason"))
    draft.stop = reason or _text(response.get("status")) or None
    if usage := _object(response.get("usage")):
        cached = _count(_object(usage.get("input_tokens_details")).get("cached_tokens")) or 0
        total = _count(usage.get("input_tokens"))
        draft.count(input=None if total is None else total - cached, output=_count(usage.get("output_tokens")), cache_read=cached)


def _messages(draft: _Draft, value: dict[str, Any]) -> None:
    match value.get("type"):
        case "message":
            for place, block in enumerate(_objects(value.get("content"))):
                _block(draft, place, block, whole=True)
            _message_end(draft, value)
        case "message_start":
            _message_end(draft, _object(value.get("message")))
        case "content_block_start":
            _block(draft, value.get("index"), _object(value.get("content_block")), whole=False)
        case "content_block_delta":
            delta = _object(value.get("delta"))
            draft.text += _text(delta.get("text"))
            draft.reasoning += _text(delta.get("thinking"))
            draft.signatures += filter(None, [_text(delta.get("signature"))])
            if "partial_json" in delta:
                draft.call(value.get("index")).arguments += _text(delta.get("partial_json"))
        case "message_delta":
            _message_end(draft, {**_object(value.get("delta")), "usage": value.get("usage")})


def _block(draft: _Draft, place: Any, block: dict[str, Any], *, whole: bool) -> None:
    match block.get("type"):
        case "tool_use" | "server_tool_use":
            call = draft.call(place)
            call.id, call.name = _text(block.get("id")), _text(block.get("name"))
            if whole:
                call.arguments = _spelled(block.get("input"))
        case "text":
            draft.text += _text(block.get("text"))
        case "thinking":
            draft.reasoning += _text(block.get("thinking"))
            draft.signatures += filter(None, [_text(block.get("signature"))])
        case "redacted_thinking":
            draft.signatures += filter(None, [_text(block.get("data"))])


def _message_end(draft: _Draft, value: dict[str, Any]) -> None:
    draft.stop = _text(value.get("stop_reason")) or draft.stop
    usage = _object(value.get("usage"))
    draft.count(
        input=_count(usage.get("input_tokens")),
        output=_count(usage.get("output_tokens")),
        cache_read=_count(usage.get("cache_read_input_tokens")),
        cache_write=_count(usage.get("cache_creation_input_tokens")),
    )


def _gemini(draft: _Draft, value: dict[str, Any]) -> None:
    for candidate in _objects(value.get("candidates"))[:1]:
        for part in _objects(_object(candidate.get("content")).get("parts")):
            if part.get("thought") is True:
                draft.reasoning += _text(part.get("text"))
            else:
                draft.text += _text(part.get("text"))
            draft.signatures += filter(None, [_text(part.get("thoughtSignature"))])
            if call := _object(part.get("functionCall")):
                made = draft.call(len(draft.calls))
                # Google's SDK leaves null members out.
                arguments = {key: argument for key, argument in _object(call.get("args")).items() if argument is not None}
                made.id, made.name, made.arguments = _text(call.get("id")), _text(call.get("name")), _spelled(arguments)
        draft.stop = _text(candidate.get("finishReason")) or draft.stop
    if usage := _object(value.get("usageMetadata")):
        cached = _count(usage.get("cachedContentTokenCount")) or 0
        prompt = _count(usage.get("promptTokenCount"))
        shown, thought = _count(usage.get("candidatesTokenCount")) or 0, _count(usage.get("thoughtsTokenCount")) or 0
        draft.count(input=None if prompt is None else prompt - cached, output=shown + thought, cache_read=cached)


_READERS: Final = {Surface.CHAT: _chat, Surface.RESPONSES: _responses, Surface.MESSAGES: _messages, Surface.GEMINI: _gemini}


def canonical(arguments: str) -> str:
    """Tool arguments in one fixed spelling, for comparing what was an object on one side; what is no JSON stays as it is."""
    try:
        return _spelled(json.loads(arguments)) if arguments else "{}"
    except ValueError:
        return arguments


def _spelled(value: Any) -> str:
    return json.dumps(value if value is not None else {}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int else None
