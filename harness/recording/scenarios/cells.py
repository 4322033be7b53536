"""What the upstreams of the translation's matrix answer where no other recording says it: six dialects, one wording.

Sources of the layouts: those of the writers; DeepSeek's Messages is Anthropic's with what api-docs.deepseek.com, "Anthropic API", leaves
out (no cache marks and so no writes, no signatures that prove anything). What a vendor may add any day is invented, as in
`messages/unknown`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.case import FORCED_TOOL, Dialect
from harness.recording.scenarios import chat as chat_scenarios
from harness.recording.scenarios import content
from harness.recording.scenarios import gemini as gemini_scenarios
from harness.recording.scenarios import messages as messages_scenarios
from harness.recording.scenarios import responses as responses_scenarios
from harness.recording.scenarios.build import BOTH, Place, Plan, said, traits
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, Refusal, Scenario, Text, Thinking
from harness.recording.scenarios.writers import chat, deepseek, gemini, messages, responses
from harness.wire import sse
from harness.wire.json_text import GEMINI_SSE, PRETTY_ASCII, TIGHT, write_bytes

DEEPSEEK_MODEL: Final = "deepseek-v4-flash"
HANDED_OVER: Final = "handed_over"  # a reason to stop that no client knows
_PREFIX: Final = {
    Dialect.OPENAI_CHAT: "cells/chat-",
    Dialect.OPENAI_RESPONSES: "cells/responses-",
    Dialect.ANTHROPIC: "cells/messages-",
    Dialect.GEMINI: "cells/gemini-",
    Dialect.DEEPSEEK_CHAT: "cells/deepseek-chat-",
    Dialect.DEEPSEEK_ANTHROPIC: "cells/deepseek-messages-",
}
_VENDOR: Final = {
    Dialect.OPENAI_CHAT: "openai",
    Dialect.OPENAI_RESPONSES: "openai",
    Dialect.ANTHROPIC: "anthropic",
    Dialect.GEMINI: "google",
    Dialect.DEEPSEEK_CHAT: "deepseek",
    Dialect.DEEPSEEK_ANTHROPIC: "deepseek",
}
_MODEL: Final = {
    Dialect.OPENAI_CHAT: chat_scenarios.PLAIN_MODEL,
    Dialect.OPENAI_RESPONSES: responses_scenarios.MODEL,
    Dialect.ANTHROPIC: messages_scenarios.MODEL,
    Dialect.GEMINI: gemini_scenarios.MODEL,
    Dialect.DEEPSEEK_CHAT: DEEPSEEK_MODEL,
    Dialect.DEEPSEEK_ANTHROPIC: DEEPSEEK_MODEL,
}
_CHAT_WORDS: Final = {"end": "stop", "tools": "tool_calls", "length": "length", "refused": "content_filter"}
_MESSAGES_WORDS: Final = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refused": "refusal", "sequence": "stop_sequence"}
_STOPS: Final[Mapping[Dialect, Mapping[str, str]]] = {
    Dialect.OPENAI_CHAT: _CHAT_WORDS,
    Dialect.OPENAI_RESPONSES: {"end": "completed", "tools": "completed", HANDED_OVER: "incomplete"},
    Dialect.ANTHROPIC: _MESSAGES_WORDS,
    Dialect.GEMINI: {"end": "STOP", "tools": "STOP", HANDED_OVER: HANDED_OVER.upper()},
    Dialect.DEEPSEEK_CHAT: _CHAT_WORDS,
    Dialect.DEEPSEEK_ANTHROPIC: _MESSAGES_WORDS,
}
_DEEPSEEK: Final = (Dialect.DEEPSEEK_CHAT, Dialect.DEEPSEEK_ANTHROPIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer in no vendor's words. `stop` is end, tools, length, refused, sequence, or a word that is nobody's."""

    answer: Answer
    dialects: tuple[Dialect, ...]  # the others have a recording of their own
    prompt: str = "text"
    tools: tuple[str, ...] = ()
    more: bool = False  # with an event, an item and members that nobody knows


_TOLD: Final = {
    "text": Told(answer=said(Text(text=content.TEXT), stop="end"), dialects=(Dialect.OPENAI_CHAT, *_DEEPSEEK)),
    "parallel-tools": Told(
        answer=said(Text(text=content.SEARCH_INTRO), content.NOTE, content.ORDER, content.NOW, stop="tools", prompt=231),
        dialects=_DEEPSEEK,
        prompt="parallel-tools",
        tools=("save_note", "find_order", "current_time"),
    ),
    "blocks": Told(
        answer=said(*(Text(text=text) for text in content.BLOCKS), stop="end"), dialects=(Dialect.DEEPSEEK_ANTHROPIC,), prompt="blocks"
    ),
    "thinking-tools": Told(
        answer=said(content.WEATHER, stop="tools", prompt=96, reasoning=64),
        dialects=(Dialect.OPENAI_CHAT,),
        prompt="thinking-tools",
        tools=("get_weather",),
    ),
    "thought-and-call": Told(
        answer=said(
            Thinking(text=content.THOUGHT_BEFORE_CALL, signature=""),
            Text(text=content.SEARCH_INTRO),
            content.WEATHER,
            stop="tools",
            prompt=164,
            reasoning=24,
        ),
        dialects=_DEEPSEEK,
        prompt="thinking-tools",
        tools=("get_weather",),
    ),
    "cache": Told(answer=said(Text(text=content.CACHED), stop="end", prompt=1420, cached=1408), dialects=_DEEPSEEK, prompt="cache-read"),
    "structured": Told(answer=said(Text(text=content.STRUCTURED), stop="end", prompt=96), dialects=_DEEPSEEK, prompt="structured"),
    "forced": Told(
        answer=said(Call(name=FORCED_TOOL, arguments=content.STRUCTURED), stop="tools", prompt=96), dialects=_DEEPSEEK, prompt="structured"
    ),
    "refusal": Told(answer=said(Text(text=content.REFUSAL), stop="refused"), dialects=_DEEPSEEK, prompt="refusal"),
    "length": Told(answer=said(Text(text=content.LENGTH), stop="length"), dialects=_DEEPSEEK, prompt="length"),
    "stop-sequence": Told(
        answer=said(Text(text=content.STOP_SEQUENCE), stop="end"),
        dialects=(Dialect.OPENAI_RESPONSES, Dialect.DEEPSEEK_CHAT),
        prompt="stop-sequence",
    ),
    "which-sequence": Told(
        answer=said(Text(text=content.STOP_SEQUENCE), stop="sequence", stop_sequence="four"),
        dialects=(Dialect.DEEPSEEK_ANTHROPIC,),
        prompt="stop-sequence",
    ),
    "empty": Told(answer=said(Text(text="", pieces=()), stop="end"), dialects=_DEEPSEEK, prompt="empty"),
    "unknown-event": Told(answer=said(Text(text=content.TEXT), stop="end"), dialects=tuple(Dialect), more=True),
    "unknown-stop": Told(answer=said(Text(text=content.TEXT), stop=HANDED_OVER), dialects=tuple(Dialect)),
}


def recording_id(dialect: Dialect, name: str, *, stream: bool) -> str:
    return f"{_PREFIX[dialect]}{name}" + (".stream" if stream else "")


def scenarios() -> Iterator[Scenario]:
    for name, told in _TOLD.items():
        for dialect in told.dialects:
            for stream in BOTH:
                yield _scenario(dialect, name, told, stream=stream)


def _scenario(dialect: Dialect, name: str, told: Told, *, stream: bool) -> Scenario:
    surface = dialect.surface
    place = Place(prefix=_PREFIX[dialect].rstrip("-"), surface=surface, vendor=_VENDOR[dialect])
    stop = told.answer.stop
    answer = replace(told.answer, stop=_STOPS[dialect].get(stop, stop))
    if name == "refusal" and dialect is Dialect.OPENAI_CHAT:
        answer = replace(answer, choices=((Refusal(text=content.REFUSAL),),))
    seed = Names(recording_id(dialect, name, stream=stream))
    request = _request(dialect, told, stream=stream)
    pieces = tuple(_pieces(dialect, answer, seed, request, reason=stop if stop == HANDED_OVER else None, stream=stream))
    if told.more:
        pieces = tuple(_with_more(dialect, pieces, stream=stream))
    plan = Plan(
        name=name,
        request=request,
        answer=answer,
        traits=traits("cell", "raw", *(("unknown",) if told.more or stop == HANDED_OVER else ())),
        model=_MODEL[dialect],
        live=False,
    )
    made = place.scenario(plan, pieces, stream=stream)
    path = "/anthropic/v1/messages" if dialect is Dialect.DEEPSEEK_ANTHROPIC else made.path
    return replace(made, id=recording_id(dialect, name, stream=stream), path=path)


def _request(dialect: Dialect, told: Told, *, stream: bool) -> dict[str, Any]:
    match dialect:
        case Dialect.OPENAI_CHAT | Dialect.DEEPSEEK_CHAT:
            tools: dict[str, Any] = {"tools": chat_scenarios.tools(*told.tools)} if told.tools else {}
            usage = {"stream_options": {"include_usage": True}} if stream else {}
            return {**chat_scenarios.asks(told.prompt), **tools, **usage}
        case Dialect.OPENAI_RESPONSES:
            tools = {"tools": responses_scenarios.tools(*told.tools)} if told.tools else {}
            return {**responses_scenarios.asks(told.prompt), **tools}
        case Dialect.GEMINI:
            return gemini_scenarios.asks(told.prompt)
        case _:
            tools = {"tools": messages_scenarios.tools(*told.tools)} if told.tools else {}
            return {**messages_scenarios.asks(told.prompt), **tools}


def _pieces(
    dialect: Dialect, answer: Answer, names: Names, request: Mapping[str, Any], *, reason: str | None, stream: bool
) -> Iterable[bytes]:
    match dialect:
        case Dialect.OPENAI_CHAT:
            of_openai = chat.Writer(names, chat_scenarios.ANSWERED[chat_scenarios.PLAIN_MODEL])
            return of_openai.stream(answer, include_usage=True) if stream else [of_openai.body(answer)]
        case Dialect.DEEPSEEK_CHAT:
            of_deepseek = deepseek.Writer(names, DEEPSEEK_MODEL)
            return of_deepseek.stream(answer, keep_alive=False) if stream else [of_deepseek.body(answer)]
        case Dialect.OPENAI_RESPONSES:
            of_responses = responses.Writer(names, responses_scenarios.ANSWERED, request)
            return of_responses.stream(answer, reason=reason) if stream else [of_responses.body(answer, reason=reason)]
        case Dialect.GEMINI:
            of_google = gemini.Writer(names, gemini_scenarios.MODEL)
            return of_google.stream(answer) if stream else [of_google.body(answer)]
        case _:
            of_messages = messages.Writer(names, _MODEL[dialect])
            if not answer.text and not answer.calls:
                answer = replace(answer, choices=((),))
            return of_messages.stream(answer) if stream else [of_messages.body(answer)]


_NOTE: Final = {"text": "new", "weight": 1.0, "seen": None}
_SKETCH: Final = {"strokes": [[0, 1.5], [2, -0.0]], "caption": None}


def _with_more(dialect: Dialect, pieces: Iterable[bytes], *, stream: bool) -> Iterator[bytes]:
    """The same answer with what a vendor may add any day."""
    add, add_whole, style = _MORE[dialect.surface]
    if not stream:
        yield write_bytes(add_whole(json.loads(b"".join(pieces))), style)
        return
    frames = sse.frames(b"".join(pieces))
    values = [json.loads(frame.data) for frame in frames if frame.data and frame.data != "[DONE]"]
    end = b"\r\n\r\n" if style is GEMINI_SSE else b"\n\n"
    told = {id(value): frame.raw for value, frame in zip(values, frames, strict=False)}
    for value in add(values):
        if id(value) in told:
            yield told[id(value)]
            continue
        name = f"event: {value['type']}\n".encode() if "type" in value else b""
        yield name + b"data: " + write_bytes(value, GEMINI_SSE if style is GEMINI_SSE else TIGHT) + end
    if frames[-1].data == "[DONE]":
        yield chat.DONE


def _more_chunks(chunks: list[Any]) -> Iterator[Any]:
    first, *rest = chunks
    yield {
        **first,
        "audience": None,
        "choices": [{**first["choices"][0], "delta": {**first["choices"][0]["delta"], "mood": {"calm": 0.9}}}],
    }
    yield {**first, "choices": [{**first["choices"][0], "delta": {"note": _NOTE}}], "note": _NOTE}
    yield from rest


def _more_completion(value: Any) -> Any:
    choice = value["choices"][0]
    return {**value, "choices": [{**choice, "message": {**choice["message"], "sketch": _SKETCH}}], "note": _NOTE}


def _more_events(events: list[Any]) -> Iterator[Any]:
    """An event, and an item of the answer, that nobody knows."""
    *told, last = events
    sketch = {"id": "sk_1", "type": "sketch", "status": "completed", **_SKETCH}
    place = {"output_index": len(last["response"]["output"])}
    added: list[Any] = [
        {"type": "response.output_item.added", "item": {**sketch, "status": "in_progress", "strokes": []}, **place},
        {"type": "response.sketch.delta", "item_id": "sk_1", "strokes": _SKETCH["strokes"], **place},
        {"type": "response.output_item.done", "item": sketch, **place},
    ]
    last = {**last, "response": _more_response(last["response"])}
    for number, event in enumerate([*told[:2], {"type": "response.note", "note": _NOTE}, *told[2:], *added, last]):
        yield {**event, "sequence_number": number}


def _more_response(value: Any) -> Any:
    return {**value, "output": [*value["output"], {"id": "sk_1", "type": "sketch", "status": "completed", **_SKETCH}], "note": _NOTE}


def _more_blocks(events: list[Any]) -> Iterator[Any]:
    *told, delta, stop = events
    block = sum(event["type"] == "content_block_start" for event in told)
    yield told[0]
    yield {"type": "message_note", "note": _NOTE}
    yield from told[1:]
    yield {"type": "content_block_start", "index": block, "content_block": {"type": "sketch", **_SKETCH, "strokes": []}}
    yield {"type": "content_block_delta", "index": block, "delta": {"type": "sketch_delta", "strokes": _SKETCH["strokes"]}}
    yield {"type": "content_block_stop", "index": block}
    yield delta
    yield stop


def _more_message(value: Any) -> Any:
    return {**value, "content": [*value["content"], {"type": "sketch", **_SKETCH}], "note": _NOTE}


def _more_parts(chunks: list[Any]) -> Iterator[Any]:
    first, *rest = chunks
    yield first
    yield {**first, "candidates": [{"content": {"parts": [{"sketch": _SKETCH}], "role": "model"}, "index": 0}], "note": _NOTE}
    yield from rest


def _more_candidate(value: Any) -> Any:
    candidate = value["candidates"][0]
    parts = [*candidate["content"]["parts"], {"sketch": _SKETCH}]
    return {**value, "candidates": [{**candidate, "content": {**candidate["content"], "parts": parts}}], "note": _NOTE}


_Change = tuple[Callable[[list[Any]], Iterable[Any]], Callable[[Any], Any], Any]
_MORE: Final[dict[Any, _Change]] = {
    Dialect.OPENAI_CHAT.surface: (_more_chunks, _more_completion, TIGHT),
    Dialect.OPENAI_RESPONSES.surface: (_more_events, _more_response, PRETTY_ASCII),
    Dialect.ANTHROPIC.surface: (_more_blocks, _more_message, TIGHT),
    Dialect.GEMINI.surface: (_more_parts, _more_candidate, GEMINI_SSE),
}
