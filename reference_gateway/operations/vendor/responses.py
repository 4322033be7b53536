"""Responses, as OpenAI lays it out. Source: openai-responses, openai-responses-streaming."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from reference_gateway.operations.vendor.script import Asked, Cached, Reply, Tool, pieces, tokens
from reference_gateway.operations.vendor.wire import Unreadable, a_dict, count, dicts, flat, named_frame, new_id, texts


def read(body: dict[str, Any]) -> Asked:
    given = body.get("input")
    if not isinstance(given, str) and not dicts(given):
        raise Unreadable("Missing required parameter: 'input'.")
    prompt, results = (given, []) if isinstance(given, str) else _of_items(dicts(given))
    choice, form = body.get("tool_choice"), a_dict(a_dict(body.get("text")).get("format"))
    return Asked(
        model=str(body.get("model")),
        prompt=prompt,
        whole=flat([body.get("instructions"), given, body.get("tools")]),
        tools=() if choice == "none" else tuple(_tools(body.get("tools"))),
        forced_tool=a_dict(choice).get("name"),
        results=tuple(results),
        schema=form.get("schema") if form.get("type") == "json_schema" else None,
        json_mode=form.get("type") == "json_object",
        thinks=a_dict(body.get("reasoning")).get("effort") not in (None, "none", "minimal"),
        stream=body.get("stream") is True,
        max_tokens=count(body.get("max_output_tokens")),
    )


def _of_items(items: list[dict[str, Any]]) -> tuple[str, list[str]]:
    prompt, results = "", list[str]()
    for item in items:
        match item.get("type", "message"):
            case "function_call_output":
                results.append(texts(item.get("output")))
            case "message" if item.get("role") == "user":
                prompt, results = texts(item.get("content")), []
            case "message" if item.get("role") == "assistant":
                results = []
            case _:
                pass
    return prompt, results


def _tools(given: object) -> Iterator[Tool]:
    for tool in dicts(given):
        if tool.get("type") == "function" and isinstance(tool.get("name"), str):
            yield Tool(name=tool["name"], parameters=a_dict(tool.get("parameters")))


def _items(body: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """The finished output items. Thoughts are shown only as the summary that the request may ask for."""
    items: list[dict[str, Any]] = []
    if reply.thinking:
        wants_summary = a_dict(body.get("reasoning")).get("summary") is not None
        summary = [{"type": "summary_text", "text": reply.thinking}] if wants_summary else []
        items.append({"id": new_id("rs_", 40), "type": "reasoning", "summary": summary})
    if reply.text:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}
        status = "incomplete" if reply.cut else "completed"
        items.append({"id": new_id("msg_", 40), "type": "message", "status": status, "content": [part], "role": "assistant"})
    for call in reply.calls:
        item = {"id": new_id("fc_", 40), "type": "function_call", "status": "completed", "arguments": call.text}
        items.append({**item, "call_id": new_id("call_"), "name": call.name})
    return items


def _response(body: dict[str, Any], asked: Asked, status: str) -> dict[str, Any]:
    """The whole object as it is before there is any output."""
    form = a_dict(body.get("text")) or {"format": {"type": "text"}, "verbosity": "medium"}
    return {
        "id": new_id("resp_", 48),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None, **a_dict(body.get("reasoning"))},
        "safety_identifier": None,
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": form,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _ended(response: dict[str, Any], items: list[dict[str, Any]], asked: Asked, reply: Reply, cached: Cached) -> dict[str, Any]:
    input_tokens = max(tokens(asked.whole), cached.read)
    return {
        **response,
        "status": "incomplete" if reply.cut else "completed",
        "completed_at": int(time.time()),
        "incomplete_details": {"reason": "max_output_tokens"} if reply.cut else None,
        "output": items,
        "usage": {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": cached.read, "cache_write_tokens": 0},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.thinking_tokens},
            "total_tokens": input_tokens + reply.output_tokens,
        },
    }


def answer(body: dict[str, Any], asked: Asked, reply: Reply, cached: Cached) -> dict[str, Any]:
    return _ended(_response(body, asked, "in_progress"), _items(body, reply), asked, reply, cached)


def stream(body: dict[str, Any], asked: Asked, reply: Reply, cached: Cached) -> Iterator[bytes]:
    number = 0

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return named_frame({"type": kind, "sequence_number": number - 1, **fields})

    response = _response(body, asked, "in_progress")
    items = _items(body, reply)
    yield event("response.created", response=response)
    yield event("response.in_progress", response=response)
    for index, item in enumerate(items):
        place = {"output_index": index, "item_id": item["id"]}
        match item["type"]:
            case "reasoning":
                yield event("response.output_item.added", output_index=index, item={**item, "summary": []})
                for position, part in enumerate(item["summary"]):
                    where = {**place, "summary_index": position}
                    yield event("response.reasoning_summary_part.added", **where, part={**part, "text": ""})
                    for piece in pieces(part["text"]):
                        yield event("response.reasoning_summary_text.delta", **where, delta=piece)
                    yield event("response.reasoning_summary_text.done", **where, text=part["text"])
                    yield event("response.reasoning_summary_part.done", **where, part=part)
            case "message":
                yield event("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "content": []})
                for position, part in enumerate(item["content"]):
                    where = {**place, "content_index": position}
                    yield event("response.content_part.added", **where, part={**part, "text": ""})
                    for piece in pieces(part["text"]):
                        yield event("response.output_text.delta", **where, delta=piece, logprobs=[])
                    yield event("response.output_text.done", **where, text=part["text"], logprobs=[])
                    yield event("response.content_part.done", **where, part=part)
            case _:
                yield event("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "arguments": ""})
                for piece in pieces(item["arguments"]):
                    yield event("response.function_call_arguments.delta", **place, delta=piece)
                yield event("response.function_call_arguments.done", **place, arguments=item["arguments"], name=item["name"])
        yield event("response.output_item.done", output_index=index, item=item)
    end = "response.incomplete" if reply.cut else "response.completed"
    yield event(end, response=_ended(response, items, asked, reply, cached))
