"""Answers in the vendors' layouts, for scripts."""

from __future__ import annotations

import json
from typing import Any

from reference_gateway.routes import Surface


def frame(data: object, event: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


CHAT_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good day"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35, "prompt_tokens_details": {"cached_tokens": 10}},
    },
    indent=2,
).encode()
RESPONSES_BODY = json.dumps(
    {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "error": None,
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Good day"}]}],
        "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 5, "total_tokens": 35},
    }
).encode()
MESSAGES_USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 8,
    "cache_read_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 2},
    "output_tokens": 5,
}
MESSAGES_BODY = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Good day"}],
        "stop_reason": "end_turn",
        "usage": MESSAGES_USAGE,
    }
).encode()
GEMINI_USAGE = {
    "promptTokenCount": 30,
    "cachedContentTokenCount": 10,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 35,
}
GEMINI_BODY = json.dumps(
    {
        "candidates": [{"content": {"parts": [{"text": "Good day"}], "role": "model"}, "finishReason": "STOP"}],
        "usageMetadata": GEMINI_USAGE,
    },
    indent=2,
).encode()


def chat_chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return frame(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    )


CHAT_STREAM = (
    chat_chunk({"role": "assistant", "content": ""}),
    chat_chunk({"content": "Good "}),
    chat_chunk({"content": "day"}),
    chat_chunk({}, "stop"),
    frame({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10}}}),
    frame("[DONE]"),
)
RESPONSES_STREAM = (
    frame({"type": "response.created", "sequence_number": 0, "response": {"status": "in_progress", "error": None}}, "response.created"),
    frame({"type": "response.output_text.delta", "sequence_number": 1, "delta": "Good "}, "response.output_text.delta"),
    frame({"type": "response.output_text.delta", "sequence_number": 2, "delta": "day"}, "response.output_text.delta"),
    frame({"type": "response.completed", "sequence_number": 3, "response": json.loads(RESPONSES_BODY)}, "response.completed"),
)
MESSAGES_STREAM = (
    frame(
        {
            "type": "message_start",
            "message": {"id": "msg_1", "type": "message", "content": [], "usage": {**MESSAGES_USAGE, "output_tokens": 1}},
        },
        "message_start",
    ),
    frame({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start"),
    frame({"type": "ping"}, "ping"),
    frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Good "}}, "content_block_delta"),
    frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "day"}}, "content_block_delta"),
    frame({"type": "content_block_stop", "index": 0}, "content_block_stop"),
    frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}, "message_delta"),
    frame({"type": "message_stop"}, "message_stop"),
)


def gemini_chunk(text: str, finish: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    return b"data: " + json.dumps({"candidates": [candidate], "usageMetadata": GEMINI_USAGE}).encode() + b"\r\n\r\n"


GEMINI_STREAM = (gemini_chunk("Good "), gemini_chunk("day"), gemini_chunk("", "STOP"))

BODIES = {Surface.CHAT: CHAT_BODY, Surface.RESPONSES: RESPONSES_BODY, Surface.MESSAGES: MESSAGES_BODY, Surface.GEMINI: GEMINI_BODY}
STREAMS = {
    Surface.CHAT: CHAT_STREAM,
    Surface.RESPONSES: RESPONSES_STREAM,
    Surface.MESSAGES: MESSAGES_STREAM,
    Surface.GEMINI: GEMINI_STREAM,
}
MODELS = {
    Surface.CHAT: "gpt-5-5",
    Surface.RESPONSES: "gpt-5-5",
    Surface.MESSAGES: "claude-sonnet-4-6",
    Surface.GEMINI: "gemini-3-1-pro",
}
# micro-USD by the demo's prices: 20 uncached, 10 cached, 5 out; messages besides 6 and 2 written for five minutes and an hour.
COSTS = {
    Surface.CHAT: 76,  # 20 * 1.25 + 10 * 0.125 + 5 * 10 = 76.25
    Surface.RESPONSES: 76,
    Surface.MESSAGES: 173,  # 20 * 3 + 10 * 0.3 + 6 * 3.75 + 2 * 6 + 5 * 15 = 172.5
    Surface.GEMINI: 102,  # 20 * 2 + 10 * 0.2 + 5 * 12
}


def request(surface: Surface, *, stream: bool = False, **more: Any) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Path, body and headers of a plain request."""
    model = MODELS.get(surface, MODELS[Surface.MESSAGES])
    prompt = [{"role": "user", "content": "Say good day."}]
    match surface:
        case Surface.CHAT:
            body: dict[str, Any] = {"model": model, "messages": prompt}
            path = "/v1/chat/completions"
        case Surface.RESPONSES:
            body, path = {"model": model, "input": "Say good day."}, "/v1/responses"
        case Surface.MESSAGES | Surface.COUNT_TOKENS:
            body, path = {"model": model, "max_tokens": 100, "messages": prompt}, "/v1/messages"
        case Surface.GEMINI:
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return f"/v1beta/models/{model}:{verb}", {"contents": [{"parts": [{"text": "Say good day."}]}], **more}, {}
    headers = {"anthropic-version": "2023-06-01"} if surface is Surface.MESSAGES else {}
    return path, body | ({"stream": True} if stream else {}) | more, headers
