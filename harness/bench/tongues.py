"""What the bench's client asks in each protocol, and what its vendor streams: texts, thoughts and arguments of fixed bytes.

The prompt names the answer ("bench:text:bulk:200"), since the prompt is the one thing that every translation keeps.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from harness.bench import talk
from harness.case import Surface

SPOKEN: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
PAIRS: Final = tuple((client, upstream) for client in SPOKEN for upstream in SPOKEN if client is not upstream)
_ASKED: Final = re.compile(rb"bench:(text|thought|call):(bulk|paced):(\d+)")
_PATHS: Final = {Surface.CHAT: "/chat/completions", Surface.RESPONSES: "/responses", Surface.MESSAGES: "/messages"}
_COUNTS: Final = (9, 3)


class Kind(StrEnum):
    """What a stream is of."""

    TEXT = "text"
    THOUGHT = "thought"
    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    kind: Kind
    paced: bool
    chunks: int


def asked(body: bytes) -> Asked:
    """Raises ValueError for a body that the bench did not send."""
    found = _ASKED.search(body)
    if found is None:
        raise ValueError('the prompt holds no "bench:KIND:HOW:CHUNKS"')
    return Asked(kind=Kind(found[1].decode()), paced=found[2] == b"paced", chunks=int(found[3]))


def spoken_at(path: str) -> Surface:
    """The protocol that a vendor's path belongs to. Raises ValueError."""
    for surface, end in _PATHS.items():
        if path.endswith(end):
            return surface
    if ":streamGenerateContent" in path:
        return Surface.GEMINI
    raise ValueError(f"no protocol has the path {path}")


def request(client: Surface, *, host: str, key: str, model: str, what: Asked) -> bytes:
    """A whole HTTP/1.1 request for a stream."""
    prompt = f"bench:{what.kind}:{'paced' if what.paced else 'bulk'}:{what.chunks} " + "Say what a gateway should add to this.\n " * 10
    said = [{"role": "user", "content": prompt}]
    path, body = f"/v1{_PATHS.get(client, '')}", dict[str, Any](model=model, stream=True)
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    tools: list[dict[str, Any]]
    match client:
        case Surface.CHAT:
            tools = [{"type": "function", "function": {"name": "look", "parameters": parameters}}]
            body |= {"messages": said, "stream_options": {"include_usage": True}, "tools": tools}
        case Surface.RESPONSES:
            body |= {"input": prompt, "tools": [{"type": "function", "name": "look", "parameters": parameters, "strict": False}]}
        case Surface.MESSAGES:
            body |= {"messages": said, "max_tokens": 100, "tools": [{"name": "look", "input_schema": parameters}]}
        case _:
            path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
            tools = [{"functionDeclarations": [{"name": "look", "parameters": parameters}]}]
            body = {"contents": [{"role": "user", "parts": [{"text": prompt}]}], "tools": tools}
    data = json.dumps(body).encode()
    version = "anthropic-version: 2023-06-01\r\n" if client is Surface.MESSAGES else ""
    head = f"host: {host}\r\nauthorization: Bearer {key}\r\n{version}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return b"POST %b HTTP/1.1\r\n" % path.encode() + head.encode() + data


def pieces(chunks: int) -> list[str]:
    """Each differs, all but the first are as long."""
    return [talk.TEXT, *(f"t={number:019d} " for number in range(chunks - 1))]


def said(chunks: int) -> str:
    return "".join(pieces(chunks))


# what vendors stream: what comes first, one event for each piece, and what comes last


def first(surface: Surface, kind: Kind) -> bytes:
    match surface:
        case Surface.CHAT:
            call = [{"index": 0, "id": "call_bench", "type": "function", "function": {"name": "look", "arguments": '{"text":"'}}]
            opened = _chat({"tool_calls": call}) if kind is Kind.CALL else b""
            return _chat({"role": "assistant", "content": "" if kind is Kind.TEXT else None}) + opened
        case Surface.RESPONSES:
            return _responses_first(kind)
        case Surface.MESSAGES:
            message: dict[str, Any] = {
                "id": "msg_bench",
                "type": "message",
                "role": "assistant",
                "model": "bench",
                "content": [],
                "stop_reason": None,
            }
            block: dict[str, Any] = {"type": "text", "text": ""}
            if kind is Kind.THOUGHT:
                block = {"type": "thinking", "thinking": "", "signature": ""}
            elif kind is Kind.CALL:
                block = {"type": "tool_use", "id": "toolu_bench", "name": "look", "input": {}}
            begun = _named("content_block_start", index=0, content_block=block)
            return _named("message_start", message={**message, "usage": _usage(surface)}) + begun + _opened(surface, kind)
        case Surface.GEMINI:
            return b""
        case _:
            raise ValueError(surface)


def chunk(surface: Surface, kind: Kind, text: str) -> bytes:
    """One event, of some 200 bytes."""
    match surface:
        case Surface.CHAT:
            if kind is Kind.CALL:
                return _chat({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
            return _chat({"reasoning_content" if kind is Kind.THOUGHT else "content": text})
        case Surface.RESPONSES:
            return _responses_delta(kind, text)
        case Surface.MESSAGES:
            delta, member = {
                Kind.TEXT: ("text_delta", "text"),
                Kind.THOUGHT: ("thinking_delta", "thinking"),
                Kind.CALL: ("input_json_delta", "partial_json"),
            }[kind]
            return _named("content_block_delta", index=0, delta={"type": delta, member: text})
        case Surface.GEMINI:
            part: dict[str, Any] = {"text": text, "thought": True} if kind is Kind.THOUGHT else {"text": text}
            return _gemini({"content": {"parts": [part], "role": "model"}, "index": 0})
        case _:
            raise ValueError(surface)


def last(surface: Surface, kind: Kind, chunks: int) -> bytes:
    match surface:
        case Surface.CHAT:
            closed = chunk(surface, kind, '"}') if kind is Kind.CALL else b""
            return closed + _chat({}, "tool_calls" if kind is Kind.CALL else "stop") + _chat(None) + b"data: [DONE]\n\n"
        case Surface.RESPONSES:
            return _responses_last(kind, chunks)
        case Surface.MESSAGES:
            closed = chunk(surface, kind, '"}') if kind is Kind.CALL else b""
            delta = {"stop_reason": "tool_use" if kind is Kind.CALL else "end_turn", "stop_sequence": None}
            ended = _named("message_delta", delta=delta, usage=_usage(surface)) + _named("message_stop")
            return closed + _named("content_block_stop", index=0) + ended
        case Surface.GEMINI:
            return _gemini({"content": {"parts": [{"text": "Done." if kind is Kind.THOUGHT else ""}]}, "finishReason": "STOP", "index": 0})
        case _:
            raise ValueError(surface)


def _opened(surface: Surface, kind: Kind) -> bytes:
    return chunk(surface, kind, '{"text":"') if kind is Kind.CALL else b""


def _usage(surface: Surface) -> dict[str, Any]:
    asked_for, told = _COUNTS
    match surface:
        case Surface.CHAT:
            return {"prompt_tokens": asked_for, "completion_tokens": told, "total_tokens": asked_for + told}
        case Surface.RESPONSES | Surface.MESSAGES:
            return {"input_tokens": asked_for, "output_tokens": told}
        case _:
            return {"promptTokenCount": asked_for, "candidatesTokenCount": told, "totalTokenCount": asked_for + told}


def _chat(delta: dict[str, Any] | None, finish_reason: str | None = None) -> bytes:
    """A chunk; without a delta, the one that has the usage."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1767225600, "model": "bench", "choices": choices}
    return b"data: " + _json({**head, "usage": _usage(Surface.CHAT) if delta is None else None}) + b"\n\n"


def _gemini(candidate: dict[str, Any]) -> bytes:
    body = {"candidates": [candidate], "usageMetadata": _usage(Surface.GEMINI), "modelVersion": "bench", "responseId": "bench"}
    return b"data: " + _json(body) + b"\r\n\r\n"


def _named(name: str, **members: Any) -> bytes:
    return b"event: %b\ndata: " % name.encode() + _json({"type": name, **members}) + b"\n\n"


_ITEM: Final = {"item_id": "item_bench", "output_index": 0}


def _responses_first(kind: Kind) -> bytes:
    begun = _named("response.created", response=_response("in_progress", []))
    match kind:
        case Kind.TEXT:
            item = {"id": "item_bench", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
            part = {"type": "output_text", "text": "", "annotations": []}
            more = _named("response.content_part.added", content_index=0, part=part, **_ITEM)
        case Kind.THOUGHT:
            item = {"id": "item_bench", "type": "reasoning", "summary": []}
            part = {"type": "summary_text", "text": ""}
            more = _named("response.reasoning_summary_part.added", summary_index=0, part=part, **_ITEM)
        case Kind.CALL:
            item = {"id": "item_bench", "type": "function_call", "call_id": "call_bench", "name": "look", "arguments": ""}
            more = _responses_delta(kind, '{"text":"')
        case _:
            assert_never(kind)
    return begun + _named("response.output_item.added", output_index=0, item=item) + more


def _responses_delta(kind: Kind, text: str) -> bytes:
    match kind:
        case Kind.TEXT:
            return _named("response.output_text.delta", content_index=0, delta=text, logprobs=[], **_ITEM)
        case Kind.THOUGHT:
            return _named("response.reasoning_summary_text.delta", summary_index=0, delta=text, **_ITEM)
        case Kind.CALL:
            return _named("response.function_call_arguments.delta", delta=text, **_ITEM)
        case _:
            assert_never(kind)


def _responses_last(kind: Kind, chunks: int) -> bytes:
    """For a paced stream, whose texts hold the time, only the end: its done events would have to tell them all again."""
    text, out = said(chunks), b""
    match kind:
        case Kind.TEXT:
            part = {"type": "output_text", "text": text, "annotations": []}
            item: dict[str, Any] = {"id": "item_bench", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
            out = _named("response.output_text.done", content_index=0, text=text, **_ITEM)
        case Kind.THOUGHT:
            item = {"id": "item_bench", "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
            out = _named("response.reasoning_summary_text.done", summary_index=0, text=text, **_ITEM)
        case Kind.CALL:
            arguments = json.dumps({"text": text}, separators=(",", ":"))
            item = {"id": "item_bench", "type": "function_call", "call_id": "call_bench", "name": "look", "arguments": arguments}
            out = _responses_delta(kind, '"}') + _named("response.function_call_arguments.done", arguments=arguments, **_ITEM)
        case _:
            assert_never(kind)
    done = _named("response.output_item.done", output_index=0, item=item)
    return out + done + _named("response.completed", response=_response("completed", [item]))


def _response(status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    whole = {"id": "resp_bench", "object": "response", "created_at": 1767225600, "model": "bench", "status": status, "output": output}
    return {**whole, "usage": _usage(Surface.RESPONSES) if output else None}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
