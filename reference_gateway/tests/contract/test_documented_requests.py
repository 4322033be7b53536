"""Every field that the documents list for a native route reaches the vendor as it was written, and what goes with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.images.test_endpoint import openai
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, MODELS, request

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
DATA_URL = "data:image/png;base64,iVBORw0KGgo="
CACHED = {"type": "ephemeral"}
CHAT: dict[str, Any] = {
    "model": MODELS[Surface.CHAT],
    "messages": [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?", "cache_control": CACHED},  # contract:088: no field of this protocol
                {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "high"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1.0}'}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    ],
    "max_tokens": 100,
    "temperature": 0.50,
    "top_p": 1.0,
    "n": 1,
    "stream": False,
    "stop": ["\n"],
    "presence_penalty": 0,
    "frequency_penalty": -0.5,
    "response_format": {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": SCHEMA}},
    "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}}],
    "tool_choice": "auto",
    "seed": 7,
    "user": "someone",
    "reasoning_effort": "high",
}
RESPONSES: dict[str, Any] = {
    "model": MODELS[Surface.RESPONSES],
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": DATA_URL, "detail": "auto"}],
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "a cat"},
    ],
    "instructions": "Be kind.",
    "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}, {"type": "web_search"}],
    "tool_choice": "auto",
    "temperature": 1.0,
    "top_p": 0.9,
    "max_output_tokens": 100,
    "reasoning": {"effort": "medium"},
    "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}},
    "stream": False,
    "metadata": {"a": "b"},
    "previous_response_id": "resp_of_somewhere",
}
MESSAGES: dict[str, Any] = {
    "model": MODELS[Surface.MESSAGES],
    "max_tokens": 4096,
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
                {"type": "text", "text": "What is this?", "cache_control": CACHED},
            ],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1.0}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a cat"}]},
    ],
    "tools": [
        {"name": "look", "input_schema": SCHEMA, "cache_control": CACHED},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ],
    "tool_choice": {"type": "auto"},
    "stream": False,
    "temperature": 1.0,
    "top_p": 0.9,
    "stop_sequences": ["\n\nHuman:"],
    "metadata": {"user_id": "someone"},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
}
GEMINI: dict[str, Any] = {
    "contents": [
        {"role": "user", "parts": [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": 1.0}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"seen": "a cat"}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "Be kind."}]},
    "generationConfig": {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 1.0,
        "topK": 40,
        "stopSequences": ["\n"],
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
    },
    "tools": [{"functionDeclarations": [{"name": "look"}]}, {"google_search": {}}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
REQUESTS = {Surface.CHAT: CHAT, Surface.RESPONSES: RESPONSES, Surface.MESSAGES: MESSAGES, Surface.GEMINI: GEMINI}


async def ask(s: Stage, surface: Surface, raw: bytes) -> None:
    path, _, headers = request(surface)
    answer = await s.post(path, raw, content_type="application/json", **headers)
    assert (answer.status, answer.body) == (200, BODIES[surface])
    assert s.calls[-1].body == raw


def answering(surface: Surface) -> Any:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    return script


@pytest.mark.parametrize("surface", REQUESTS)
async def test_every_documented_field_reaches_the_vendor_as_it_was_written(surface: Surface, tmp_path: Path) -> None:
    async with stage(tmp_path, answering(surface)) as s:
        for layout in (json.dumps(REQUESTS[surface]), json.dumps(REQUESTS[surface], indent=1, ensure_ascii=False)):
            await ask(s, surface, layout.encode())


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
async def test_effort_is_the_vendors_to_read(effort: str, tmp_path: Path) -> None:
    """contract:092."""
    async with stage(tmp_path, answering(Surface.CHAT)) as s:
        await ask(s, Surface.CHAT, json.dumps({**CHAT, "reasoning_effort": effort}).encode())


async def test_old_thinking_on_a_new_opus_is_the_vendors_to_refuse(tmp_path: Path) -> None:
    """contract:122, C23: forwarded as it stands, and the vendor's 400 comes back as it stands."""
    error = b'{"type":"error","error":{"type":"invalid_request_error","message":"not supported: thinking.type"},"request_id":"req_011"}'

    async def script(call: Upstream) -> None:
        await call.answer(error, 400)

    async with stage(tmp_path, script) as s:
        raw = json.dumps({**MESSAGES, "model": "claude-opus-4-8"}).encode()
        path, _, headers = request(Surface.MESSAGES)
        answer = await s.post(path, raw, **headers)
        assert (answer.status, answer.body) == (400, error)
        assert s.calls[0].body == raw
        assert await s.spent() == 0


async def test_a_context_that_is_too_long_is_told_in_the_vendors_words(tmp_path: Path) -> None:
    """contract:203, C39."""
    error = json.dumps({"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}).encode()

    async def script(call: Upstream) -> None:
        await call.answer(error, 400)

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body)
        assert (answer.status, answer.body) == (400, error)
        assert await s.spent() == 0


async def test_nothing_is_resumed(tmp_path: Path) -> None:
    """contract:148: with Last-Event-ID, too, it is another call, answered and billed from its beginning."""
    async with stage(tmp_path, answering(Surface.CHAT)) as s:
        path, body, _ = request(Surface.CHAT)
        first = await s.post(path, body)
        again = await s.post(path, body, last_event_id="3")
        assert again.body == first.body
        assert [call.header("last-event-id") for call in s.calls] == [[], []]
        assert len(await s.usage()) == 2


async def test_an_idempotency_key_makes_no_call_a_repetition(tmp_path: Path) -> None:
    """contract:186, C36: it is ignored, so the same call is made, and billed, twice."""
    async with stage(tmp_path, answering(Surface.CHAT)) as s:
        path, body, _ = request(Surface.CHAT)
        ids = {(await s.post(path, body, idempotency_key="one")).header("x-request-id") for _ in range(2)}
        assert {row["request_id"] for row in await s.usage()} == ids
        assert len(ids) == len(s.calls) == 2


async def test_a_cache_write_without_its_lifetime_is_one_of_five_minutes(tmp_path: Path) -> None:
    """contract:118, contract:119."""
    usage = {"input_tokens": 20, "cache_creation_input_tokens": 8, "output_tokens": 5}
    message = {**json.loads(BODIES[Surface.MESSAGES]), "usage": usage}

    async def script(call: Upstream) -> None:
        await call.answer(json.dumps(message).encode())

    async with stage(tmp_path, script) as s:
        path, body, headers = request(Surface.MESSAGES, system=[{"type": "text", "text": "x", "cache_control": CACHED}])
        await s.post(path, body, **headers)
        assert json.loads(s.calls[0].body)["system"][0]["cache_control"] == CACHED
        (row,) = await s.usage()
        assert (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == (8, 0)
        assert await s.spent() == 20 * 3 + 8 * 3.75 + 5 * 15


@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "4096x4096"])
async def test_every_documented_field_of_images_reaches_the_vendor(size: str, tmp_path: Path) -> None:
    """contract:213."""
    wanted = {
        "model": "gpt-image-2",
        "prompt": "a cat",
        "n": 1,
        "size": size,
        "quality": "high",
        "style": "vivid",
        "output_format": "webp",
        "output_compression": 80,
    }

    async def script(call: Upstream) -> None:
        await call.answer(openai(1))

    async with stage(tmp_path, script) as s:
        answer = await s.post("/v1/images/generations", wanted)
        assert answer.status == 200, answer
        assert json.loads(s.calls[0].body) == wanted
