"""Chat Completions, as OpenAI and DeepSeek lay it out. Sources: openai-chat, deepseek-chat (`reasoning_content`, contract:089)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from reference_gateway.operations.vendor.script import Asked, Cached, Reply, Tool, pieces, tokens
from reference_gateway.operations.vendor.wire import Unreadable, a_dict, count, dicts, flat, frame, new_id, texts


def read(body: dict[str, Any]) -> Asked:
    messages = dicts(body.get("messages"))
    if not messages:
        raise Unreadable("Invalid type for 'messages': expected a non-empty array of objects.")
    results: list[str] = []
    prompt = ""
    for message in messages:
        match message.get("role"):
            case "user":
                prompt, results = texts(message.get("content")), []
            case "tool":
                results.append(texts(message.get("content")))
            case "assistant" if not message.get("tool_calls"):
                results = []
            case _:
                pass
    choice, form = body.get("tool_choice"), a_dict(body.get("response_format"))
    tools = () if choice == "none" else tuple(_tools(body.get("tools")))
    return Asked(
        model=str(body.get("model")),
        prompt=prompt,
        whole=flat([messages, body.get("tools")]),
        tools=tools,
        forced_tool=a_dict(a_dict(choice).get("function")).get("name"),
        results=tuple(results),
        schema=a_dict(form.get("json_schema")).get("schema") if form.get("type") == "json_schema" else None,
        json_mode=form.get("type") == "json_object",
        thinks=_thinks(body),
        stream=body.get("stream") is True,
        max_tokens=count(body.get("max_completion_tokens", body.get("max_tokens"))),
    )


def _tools(given: object) -> Iterator[Tool]:
    for tool in dicts(given):
        function = a_dict(tool.get("function"))
        if isinstance(function.get("name"), str):
            yield Tool(name=function["name"], parameters=a_dict(function.get("parameters")))


def _thinks(body: dict[str, Any]) -> bool:
    """OpenAI's models think where an effort is asked for, and keep their thoughts; DeepSeek's think aloud unless told not to."""
    if is_deepseek(body.get("model")):
        return a_dict(body.get("thinking")).get("type") != "disabled"
    return body.get("reasoning_effort") not in (None, "none", "minimal")


def is_deepseek(model: object) -> bool:
    return isinstance(model, str) and model.startswith("deepseek")


def _usage(asked: Asked, reply: Reply, cached: Cached) -> dict[str, Any]:
    prompt = max(tokens(asked.whole), cached.read)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": reply.output_tokens,
        "total_tokens": prompt + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached.read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.thinking_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    if is_deepseek(asked.model):
        usage |= {"prompt_cache_hit_tokens": cached.read, "prompt_cache_miss_tokens": prompt - cached.read}
    return usage


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "length" if reply.cut else "stop"


def answer(asked: Asked, reply: Reply, cached: Cached) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if reply.calls else reply.text, "refusal": None, "annotations": []}
    if is_deepseek(asked.model):
        message["reasoning_content"] = reply.thinking
    if reply.calls:
        message["tool_calls"] = [
            {"id": new_id("call_"), "type": "function", "function": {"name": call.name, "arguments": call.text}} for call in reply.calls
        ]
    return {
        "id": new_id("chatcmpl-", 29),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}],
        "usage": _usage(asked, reply, cached),
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }


def stream(asked: Asked, reply: Reply, cached: Cached, *, include_usage: bool) -> Iterator[bytes]:
    """With `include_usage` every chunk has a `usage`, null but in the last, which has no choices (C27)."""
    head = {
        "id": new_id("chatcmpl-", 29),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }
    tail: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return frame({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **tail})

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    if is_deepseek(asked.model):
        for piece in pieces(reply.thinking):
            yield chunk({"reasoning_content": piece})
    for piece in pieces(reply.text):
        yield chunk({"content": piece})
    for index, call in enumerate(reply.calls):
        start = {"index": index, "id": new_id("call_"), "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [start]})
        for piece in pieces(call.text):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish(reply))
    if include_usage:
        yield frame({**head, "choices": [], "usage": _usage(asked, reply, cached)})
    yield b"data: [DONE]\n\n"
