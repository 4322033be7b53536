"""Small good answers of each surface, in the vendors' documented shapes."""

from typing import Any

from harness.case import Surface
from harness.tests.client.scripted import Step, frames_of, json_answer, sse_answer

_CHUNK: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "some-model"}
_COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "some-model",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}, "new_field": {"kept": None}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
_MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "some-model",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "some-model",
    "status": "completed",
    "output": [
        {
            "id": "item_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_CANDIDATES: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
    "modelVersion": "some-model",
    "responseId": "r1",
}


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def _part(**more: Any) -> dict[str, Any]:
    return {"item_id": "item_1", "output_index": 0, "content_index": 0, **more}


EVENTS: dict[Surface, list[dict[str, Any]]] = {
    Surface.CHAT: [
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"content": "Hel"}),
        _chunk({"content": "lo"}),
        _chunk({}, "stop"),
    ],
    Surface.RESPONSES: [
        {"type": "response.created", "sequence_number": 0, "response": {**_RESPONSE, "status": "in_progress", "output": []}},
        {
            "type": "response.output_item.added",
            "sequence_number": 1,
            "output_index": 0,
            "item": {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
        },
        {
            "type": "response.content_part.added",
            "sequence_number": 2,
            **_part(part={"type": "output_text", "text": "", "annotations": []}),
        },
        {"type": "response.output_text.delta", "sequence_number": 3, **_part(delta="Hello", logprobs=[])},
        {"type": "response.output_text.done", "sequence_number": 4, **_part(text="Hello", logprobs=[])},
        {"type": "response.output_item.done", "sequence_number": 5, "output_index": 0, "item": _RESPONSE["output"][0]},
        {"type": "response.completed", "sequence_number": 6, "response": _RESPONSE},
    ],
    Surface.MESSAGES: [
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ],
    Surface.GEMINI: [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}, "index": 0}], "responseId": "r1"},
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "lo", "thoughtSignature": "+/+/abcd"}]},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "responseId": "r1",
        },
    ],
}

BODIES: dict[Surface, dict[str, Any]] = {
    Surface.CHAT: _COMPLETION,
    Surface.RESPONSES: _RESPONSE,
    Surface.MESSAGES: _MESSAGE,
    Surface.GEMINI: _CANDIDATES,
    Surface.COUNT_TOKENS: {"input_tokens": 7},
}


def frames(surface: Surface) -> list[bytes]:
    return frames_of(EVENTS[surface], named=surface in (Surface.RESPONSES, Surface.MESSAGES), done=surface is Surface.CHAT)


def good(surface: Surface, *, stream: bool) -> list[Step]:
    ids = (("X-Request-Id", "req_1"), ("Request-Id", "req_1"))
    return sse_answer(frames(surface), ids) if stream else json_answer(BODIES[surface], headers=ids)
