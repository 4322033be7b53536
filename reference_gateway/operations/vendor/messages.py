"""Messages and count_tokens, as Anthropic lays them out. Source: anthropic-messages, anthropic-messages-streaming.

Anthropic refuses `thinking.type = "enabled"` on its newest models (C23); the demo's Claude thinks either way, since the guide's own
example asks so.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from reference_gateway.operations.vendor.script import Asked, Cached, Reply, Tool, pieces, tokens
from reference_gateway.operations.vendor.wire import Unreadable, a_dict, count, dicts, encode, flat, named_frame, new_id, texts


def read(body: dict[str, Any], *, counting: bool = False) -> Asked:
    messages = dicts(body.get("messages"))
    if not messages:
        raise Unreadable("messages: at least one message is required")
    cap = count(body.get("max_tokens"))
    if not counting and not cap:
        raise Unreadable("max_tokens: Field required")
    newest = messages[-1]
    results = [texts(block.get("content")) for block in dicts(newest.get("content")) if block.get("type") == "tool_result"]
    prompt = next((text for message in reversed(messages) if message.get("role") == "user" and (text := texts(message.get("content")))), "")
    choice = a_dict(body.get("tool_choice"))
    form = a_dict(a_dict(body.get("output_config")).get("format")) or a_dict(body.get("output_format"))
    return Asked(
        model=str(body.get("model")),
        prompt=prompt,
        whole=flat([body.get("system"), body.get("tools"), messages]),
        tools=() if choice.get("type") == "none" else tuple(_tools(body.get("tools"))),
        forced_tool=choice.get("name"),
        results=tuple(results),
        schema=form.get("schema") if form.get("type") == "json_schema" else None,
        thinks=a_dict(body.get("thinking")).get("type") in ("enabled", "adaptive"),
        stream=body.get("stream") is True,
        max_tokens=cap,
    )


def _tools(given: object) -> Iterator[Tool]:
    for tool in dicts(given):
        if isinstance(tool.get("name"), str) and tool.get("type", "custom") == "custom":
            yield Tool(name=tool["name"], parameters=a_dict(tool.get("input_schema")))


def cached_beginning(body: dict[str, Any]) -> tuple[str, bool]:
    """What stands before and in the last block with cache_control (tools, system, messages in that order), and whether for an hour."""
    blocks: list[Any] = dicts(body.get("tools"))
    system = body.get("system")
    blocks += [system] if isinstance(system, str) else dicts(system)
    for message in dicts(body.get("messages")):
        content = message.get("content")
        blocks += [content] if isinstance(content, str) else dicts(content)
    marked = [index for index, block in enumerate(blocks) if isinstance(block, dict) and isinstance(block.get("cache_control"), dict)]
    if not marked:
        return "", False
    return flat(blocks[: marked[-1] + 1]), blocks[marked[-1]]["cache_control"].get("ttl") == "1h"


def _usage(asked: Asked, reply: Reply, cached: Cached, *, one_hour: bool, output_tokens: int | None = None) -> dict[str, Any]:
    return {
        "input_tokens": max(1, tokens(asked.whole) - cached.read - cached.written),
        "cache_creation_input_tokens": cached.written,
        "cache_read_input_tokens": cached.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if one_hour else cached.written,
            "ephemeral_1h_input_tokens": cached.written if one_hour else 0,
        },
        "output_tokens": reply.output_tokens if output_tokens is None else output_tokens,
        "output_tokens_details": {"thinking_tokens": reply.thinking_tokens if output_tokens is None else 0},
        "service_tier": "standard",
    }


def _stop(reply: Reply) -> str:
    return "tool_use" if reply.calls else "max_tokens" if reply.cut else "end_turn"


def _message(asked: Asked, content: list[dict[str, Any]], stop: str | None, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": asked.model,
        "id": new_id("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _signature(thinking: str) -> str:
    return base64.b64encode(b"demo:" + thinking.encode()[:120]).decode()


def answer(asked: Asked, reply: Reply, cached: Cached, *, one_hour: bool) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if reply.thinking:
        content.append({"type": "thinking", "thinking": reply.thinking, "signature": _signature(reply.thinking)})
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    content += [{"type": "tool_use", "id": new_id("toolu_01", 22), "name": call.name, "input": call.arguments} for call in reply.calls]
    return _message(asked, content, _stop(reply), _usage(asked, reply, cached, one_hour=one_hour))


def stream(asked: Asked, reply: Reply, cached: Cached, *, one_hour: bool) -> Iterator[bytes]:
    usage = _usage(asked, reply, cached, one_hour=one_hour, output_tokens=1)
    yield named_frame({"type": "message_start", "message": _message(asked, [], None, usage)})
    yield named_frame({"type": "ping"})
    for index, (block, deltas) in enumerate(_blocks(reply)):
        yield named_frame({"type": "content_block_start", "index": index, "content_block": block})
        for delta in deltas:
            yield named_frame({"type": "content_block_delta", "index": index, "delta": delta})
        yield named_frame({"type": "content_block_stop", "index": index})
    end = {"stop_reason": _stop(reply), "stop_sequence": None}
    counts = {"output_tokens": reply.output_tokens, "output_tokens_details": {"thinking_tokens": reply.thinking_tokens}}
    yield named_frame({"type": "message_delta", "delta": end, "usage": counts})
    yield named_frame({"type": "message_stop"})


def _blocks(reply: Reply) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each content block as it starts, and its deltas."""
    if reply.thinking:
        deltas: list[dict[str, Any]] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(reply.thinking)]
        deltas.append({"type": "signature_delta", "signature": _signature(reply.thinking)})
        yield {"type": "thinking", "thinking": "", "signature": ""}, deltas
    if reply.text:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(reply.text)]
    for call in reply.calls:
        block = {"type": "tool_use", "id": new_id("toolu_01", 22), "name": call.name, "input": {}}
        yield block, [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(call.text)]]


def error(message: str) -> bytes:
    told = {"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": new_id("req_01", 22)}
    return encode(told)
