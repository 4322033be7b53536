"""generateContent and streamGenerateContent, as Google lays them out. Source: gemini-generate-content.

A member may be spelled `maxOutputTokens` or `max_output_tokens`: Google takes both, and its SDK sends both.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

from reference_gateway.operations.vendor import picture
from reference_gateway.operations.vendor.script import Asked, Cached, Reply, Tool, pieces, tokens
from reference_gateway.operations.vendor.wire import Unreadable, a_dict, count, dicts, encode, flat, new_id, texts

_CAPITAL: Final = re.compile(r"[A-Z]")


def _member(document: dict[str, Any], name: str) -> Any:
    return document.get(name, document.get(_CAPITAL.sub(lambda match: f"_{match[0].lower()}", name)))


def read(model: str, body: dict[str, Any]) -> Asked:
    contents = dicts(body.get("contents"))
    if not contents:
        raise Unreadable("* GenerateContentRequest.contents: contents is not specified")
    results = [
        flat(response.get("response"))
        for part in dicts(contents[-1].get("parts"))
        if isinstance(response := _member(part, "functionResponse"), dict)
    ]
    users = (content for content in reversed(contents) if content.get("role", "user") == "user")
    prompt = next((text for content in users if (text := texts(content.get("parts")))), "")
    config = a_dict(_member(body, "generationConfig"))
    calling = a_dict(_member(a_dict(_member(body, "toolConfig")), "functionCallingConfig"))
    allowed = _member(calling, "allowedFunctionNames")
    schema = _member(config, "responseSchema") or _member(config, "responseJsonSchema")
    return Asked(
        model=model,
        prompt=prompt,
        whole=flat([_member(body, "systemInstruction"), contents, body.get("tools")]),
        tools=() if calling.get("mode") == "NONE" else tuple(_tools(body.get("tools"))),
        forced_tool=allowed[0] if isinstance(allowed, list) and allowed else None,
        results=tuple(results),
        schema=schema if isinstance(schema, dict) else None,
        json_mode=_member(config, "responseMimeType") == "application/json",
        thinks=_member(a_dict(_member(config, "thinkingConfig")), "includeThoughts") is True,
        max_tokens=count(_member(config, "maxOutputTokens")),
    )


def _tools(given: object) -> Iterator[Tool]:
    for tool in dicts(given):
        for function in dicts(_member(tool, "functionDeclarations")):
            if isinstance(function.get("name"), str):
                schema = a_dict(function.get("parameters")) or a_dict(_member(function, "parametersJsonSchema"))
                yield Tool(name=function["name"], parameters=schema)


def _usage(asked: Asked, reply: Reply, cached: Cached) -> dict[str, Any]:
    prompt, shown = max(tokens(asked.whole), cached.read), reply.output_tokens - reply.thinking_tokens
    usage: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": shown,
        "totalTokenCount": prompt + reply.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if cached.read:
        usage["cachedContentTokenCount"] = cached.read
    if reply.thinking:
        usage["thoughtsTokenCount"] = reply.thinking_tokens
    return usage


def _parts(reply: Reply) -> Iterator[dict[str, Any]]:
    for piece in pieces(reply.thinking):
        yield {"text": piece, "thought": True}
    for piece in pieces(reply.text):
        yield {"text": piece}
    for call in reply.calls:
        yield {"functionCall": {"name": call.name, "args": call.arguments}, "thoughtSignature": base64.b64encode(b"demo").decode()}


def _answer(asked: Asked, response_id: str, parts: list[dict[str, Any]], finish: str | None, usage: dict[str, Any]) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model, "responseId": response_id}


def _finish(reply: Reply) -> str:
    return "MAX_TOKENS" if reply.cut else "STOP"


def answer(asked: Asked, reply: Reply, cached: Cached) -> dict[str, Any]:
    joined: list[dict[str, Any]] = []
    if reply.thinking:
        joined.append({"text": reply.thinking, "thought": True})
    if reply.text:
        joined.append({"text": reply.text})
    joined += [part for part in _parts(reply) if "functionCall" in part]
    return _answer(asked, new_id("", 22), joined, _finish(reply), _usage(asked, reply, cached))


def chunks(asked: Asked, reply: Reply, cached: Cached) -> Iterator[dict[str, Any]]:
    response_id, usage = new_id("", 22), _usage(asked, reply, cached)
    parts = list(_parts(reply))
    for part in parts[:-1]:
        yield _answer(asked, response_id, [part], None, usage)
    yield _answer(asked, response_id, parts[-1:] or [{"text": ""}], _finish(reply), usage)


def image(asked: Asked) -> dict[str, Any]:
    """An image model's answer: one picture, and no words."""
    data = picture.png(asked.prompt, 1024, 1024)
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}}
    prompt = tokens(asked.whole)
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": 1290, "totalTokenCount": prompt + 1290}
    return _answer(asked, new_id("", 22), [part], "STOP", usage)


def error(status: int, message: str) -> bytes:
    return encode({"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT" if status < 500 else "INTERNAL"}})
