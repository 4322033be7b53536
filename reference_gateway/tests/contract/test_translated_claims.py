"""Promises that only translated routes can break, over sockets: what the other vendor is asked, and what its caller is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import KEYS, create, delete
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.test_crossing import CELLS, SCHEMA, UPSTREAMS, ask, by_raw, chat_only, serve
from reference_gateway.tests.wires import BODIES, STREAMS, frame

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string", "description": "Where"}}, "required": ["city"]}
TOOLS: dict[Surface, Any] = {
    Surface.CHAT: [{"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": PARAMETERS}}],
    Surface.RESPONSES: [{"type": "function", "name": "get_weather", "description": "Weather", "parameters": PARAMETERS}],
    Surface.MESSAGES: [{"name": "get_weather", "description": "Weather", "input_schema": PARAMETERS}],
    Surface.GEMINI: [{"functionDeclarations": [{"name": "get_weather", "description": "Weather", "parametersJsonSchema": PARAMETERS}]}],
}
QUESTION = "weather in Tokyo?"
ARGUMENTS = {"city": "Tokyo"}


def calling(surface: Surface) -> bytes:
    """An upstream's answer that calls the tool."""
    whole = json.loads(BODIES[surface])
    match surface:
        case Surface.CHAT:
            call = {"id": "call_7", "type": "function", "function": {"name": "get_weather", "arguments": json.dumps(ARGUMENTS)}}
            whole["choices"][0] |= {"message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
        case Surface.RESPONSES:
            item = {"type": "function_call", "id": "fc_7", "call_id": "call_7", "name": "get_weather", "arguments": json.dumps(ARGUMENTS)}
            whole["output"] = [{**item, "status": "completed"}]
        case Surface.MESSAGES:
            whole["content"] = [{"type": "tool_use", "id": "toolu_7", "name": "get_weather", "input": ARGUMENTS}]
            whole["stop_reason"] = "tool_use"
        case _:
            part = {"functionCall": {"name": "get_weather", "args": ARGUMENTS}, "thoughtSignature": "c2ln"}
            whole["candidates"][0]["content"]["parts"] = [part]
    return json.dumps(whole).encode()


def seen_tool(surface: Surface, sent: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Name, description and schema of the one tool that an upstream was given, where its protocol has them."""
    match surface:
        case Surface.CHAT:
            ((tool),) = sent["tools"]
            assert tool["type"] == "function"
            function = tool["function"]
            return function["name"], function["description"], function["parameters"]
        case Surface.RESPONSES:
            ((tool),) = sent["tools"]
            assert tool["type"] == "function"
            return tool["name"], tool["description"], tool["parameters"]
        case Surface.MESSAGES:
            ((tool),) = sent["tools"]
            return tool["name"], tool["description"], tool["input_schema"]
        case _:
            (((declared),),) = [tool["functionDeclarations"] for tool in sent["tools"]]
            return declared["name"], declared["description"], declared["parametersJsonSchema"]


def seen_round(surface: Surface, sent: Mapping[str, Any]) -> tuple[str, Any, str]:
    """The tool, the arguments and the result of the round that an upstream is told of, each in its own place and tied together."""
    match surface:
        case Surface.CHAT:
            _, answered, result = sent["messages"]
            (call,) = answered["tool_calls"]
            assert (answered["role"], result["role"], result["tool_call_id"]) == ("assistant", "tool", call["id"])
            return call["function"]["name"], json.loads(call["function"]["arguments"]), result["content"]
        case Surface.RESPONSES:
            call, result = [item for item in sent["input"] if item.get("type") in ("function_call", "function_call_output")]
            assert result["call_id"] == call["call_id"]
            return call["name"], json.loads(call["arguments"]), result["output"]
        case Surface.MESSAGES:
            _, answered, result = sent["messages"]
            (call,), (block,) = answered["content"], result["content"]
            assert (call["type"], block["type"], block["tool_use_id"]) == ("tool_use", "tool_result", call["id"])
            content = block["content"]
            return call["name"], call["input"], content if isinstance(content, str) else content[0]["text"]
        case _:
            _, answered, result = sent["contents"]
            (call,), (response,) = answered["parts"], result["parts"]
            assert (answered["role"], result["role"], call["thoughtSignature"]) == ("model", "user", "c2ln")
            (text,) = response["functionResponse"]["response"].values()
            assert response["functionResponse"]["name"] == call["functionCall"]["name"]
            return call["functionCall"]["name"], call["functionCall"]["args"], text


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("model", UPSTREAMS)
async def test_a_loop_of_two_rounds_by_chat_on_every_vendor(model: str, tmp_path: Path) -> None:
    """contract:078, contract:079, contract:105: one tools array, a call, and its result by role `tool` and `tool_call_id`."""

    def spoken(call: Upstream) -> Surface:
        return Surface.CHAT if call.target == "/v1/chat/completions" else UPSTREAMS[model]

    async def script(call: Upstream) -> None:
        rounds = json.loads(call.body)
        await call.answer(BODIES[spoken(call)] if "Sunny" in json.dumps(rounds) else calling(spoken(call)))

    async with stage(tmp_path, script, edit=chat_only) as s:
        question = {"role": "user", "content": QUESTION}
        first = await ask(s, Surface.CHAT, model, stream=False, messages=[question], tools=TOOLS[Surface.CHAT])
        assert first.status == 200, first
        choice = first.json()["choices"][0]
        (call,) = choice["message"]["tool_calls"]
        assert (choice["finish_reason"], choice["message"]["content"], call["type"]) == ("tool_calls", None, "function")
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", ARGUMENTS)
        if (Surface.CHAT, model) in CELLS:
            assert seen_tool(spoken(s.calls[-1]), json.loads(s.calls[-1].body)) == ("get_weather", "Weather", PARAMETERS)
        history = [question, choice["message"], {"role": "tool", "tool_call_id": call["id"], "content": "Sunny, 20 degrees"}]
        second = await ask(s, Surface.CHAT, model, stream=False, messages=history, tools=TOOLS[Surface.CHAT])
        assert second.status == 200, second
        assert second.json()["choices"][0]["message"]["content"] == "Good day"
        assert second.json()["choices"][0]["finish_reason"] == "stop"
        assert seen_round(spoken(s.calls[-1]), json.loads(s.calls[-1].body)) == ("get_weather", ARGUMENTS, "Sunny, 20 degrees")


@pytest.mark.parametrize(("client", "model"), CELLS)
async def test_a_tool_is_declared_in_the_vendors_own_words(client: Surface, model: str, tmp_path: Path) -> None:
    """contract:105, contract:115: `input_schema` for Claude, function declarations for Gemini, with the schema that the caller gave."""
    async with stage(tmp_path, serve(UPSTREAMS[model]), edit=chat_only) as s:
        answer = await ask(s, client, model, stream=False, tools=TOOLS[client])
        assert answer.status == 200, answer
        assert seen_tool(UPSTREAMS[model], json.loads(s.calls[-1].body)) == ("get_weather", "Weather", PARAMETERS)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [model for client, model in CELLS if client is Surface.MESSAGES])
async def test_cache_marks_do_no_harm_where_the_vendor_has_none(model: str, stream: bool, tmp_path: Path) -> None:
    """contract:120: on system, tools and messages alike; the answer is one, and the vendor is sent no word of it."""
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    marked = {
        "system": [{"type": "text", "text": "Be kind.", **mark}],
        "tools": [{**TOOLS[Surface.MESSAGES][0], **mark}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION, **mark}]}],
    }
    async with stage(tmp_path, serve(UPSTREAMS[model]), edit=chat_only) as s:
        answer = await ask(s, Surface.MESSAGES, model, stream=stream, **marked)
        assert answer.status == 200, answer
        assert b"day" in answer.body
        sent = s.calls[-1].body
        assert b"cache_control" not in sent
        assert b"ephemeral" not in sent
        assert b"Be kind." in sent
        assert QUESTION.encode() in sent
        assert seen_tool(UPSTREAMS[model], json.loads(sent)) == ("get_weather", "Weather", PARAMETERS)


@pytest.mark.parametrize("model", [model for client, model in CELLS if client is Surface.GEMINI])
async def test_safety_settings_are_passed_over_and_that_is_told(model: str, tmp_path: Path) -> None:
    """contract:135, contract:131."""
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    async with stage(tmp_path, serve(UPSTREAMS[model]), edit=chat_only) as s:
        answer = await ask(s, Surface.GEMINI, model, stream=False, safetySettings=settings)
        assert answer.status == 200, answer
        assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == "Good day"
        assert "safetySettings" in (answer.header("x-wireproof-losses") or "")
        assert b"HARM_CATEGORY" not in s.calls[-1].body
        assert await s.spent() > 0


# What no other protocol has a word for, and dropping which would change what the caller gets: the request's own path is named.
UNTRANSLATABLE: list[tuple[Surface, str, dict[str, Any], str]] = [
    (Surface.CHAT, "claude-sonnet-4-6", {"n": 2}, "n"),
    (
        Surface.CHAT,
        "claude-sonnet-4-6",
        {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"]},
        "audio|modalities",
    ),
    (Surface.CHAT, "claude-sonnet-4-6", {"web_search_options": {}}, "web_search_options"),
    (Surface.CHAT, "claude-sonnet-4-6", {"tools": [{"type": "web_search"}]}, r"tools[0].type"),
    (Surface.CHAT, "claude-sonnet-4-6", {"tools": [{"type": "custom", "custom": {"name": "x"}}]}, r"tools[0].type"),
    (Surface.RESPONSES, "claude-sonnet-4-6", {"tools": [{"type": "web_search"}]}, r"tools[0].type"),
    (Surface.RESPONSES, "gemini-3-1-pro", {"previous_response_id": "resp_1"}, "previous_response_id"),
    (Surface.MESSAGES, "gpt-5-5", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, r"tools[0].type"),
    (Surface.GEMINI, "gpt-5-5", {"tools": [{"googleSearch": {}}]}, r"tools[0].googleSearch"),
    (Surface.GEMINI, "gpt-5-5", {"cachedContent": "cachedContents/1"}, "cachedContent"),
]


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize(("client", "model", "more", "path"), UNTRANSLATABLE)
async def test_what_cannot_be_said_is_refused_by_its_path_before_any_vendor_is_asked(
    client: Surface, model: str, more: dict[str, Any], path: str, tmp_path: Path
) -> None:
    """contract:131."""
    async with stage(tmp_path) as s:
        for stream in (False, True):
            answer = await ask(s, client, model, stream=stream, **more)
            error = answer.json()["error"]
            assert answer.status == 400, answer
            assert any(each in error["message"] for each in path.split("|")), error
            if client in (Surface.CHAT, Surface.RESPONSES):
                assert error["code"] == "unsupported_feature"
                assert error["param"] in path.split("|")
        assert s.calls == []
        assert await s.spent() == 0


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize(
    ("client", "more", "path"),
    [
        (Surface.CHAT, {"logit_bias": {"1": 5}}, "logit_bias"),
        (Surface.CHAT, {"seed": 7}, "seed"),
        (Surface.RESPONSES, {"truncation": "auto"}, "truncation"),
        (Surface.GEMINI, {"safetySettings": [{"category": "X", "threshold": "Y"}]}, "safetySettings"),
    ],
)
async def test_what_is_left_out_is_named_in_a_header(client: Surface, more: dict[str, Any], path: str, tmp_path: Path) -> None:
    """contract:131: nothing that changes little is dropped in silence either, whole and streamed."""
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        for stream in (False, True):
            answer = await ask(s, client, "claude-sonnet-4-6", stream=stream, **more)
            assert answer.status == 200, answer
            assert path in [loss.split(" (")[0] for loss in (answer.header("x-wireproof-losses") or "").split("; ")]


FORM = {"type": "json_schema", "json_schema": {"name": "box", "strict": True, "schema": SCHEMA}}


def formed(surface: Surface, text: str, *, stream: bool) -> list[bytes]:
    """The usual answer, saying that text."""
    if not stream:
        return [BODIES[surface].replace(b"Good day", json.dumps(text)[1:-1].encode())]
    return [event.replace(b"Good ", json.dumps(text)[1:-1].encode()).replace(b'"day"', b'""') for event in STREAMS[surface]]


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gemini-3-1-pro"])
async def test_a_json_schema_by_chat_is_kept_to_by_claude_and_gemini_or_the_answer_is_none(
    model: str, stream: bool, tmp_path: Path
) -> None:
    """contract:082, C15: the vendor's own mechanism; what fits is delivered and billed, what does not is an error and free."""
    surface = UPSTREAMS[model]
    said = '{"size": 4}'

    async def script(call: Upstream) -> None:
        if not stream:
            await call.answer(formed(surface, said, stream=False)[0])
            return
        await call.head()
        for event in formed(surface, said, stream=True):
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        answer = await ask(s, Surface.CHAT, model, stream=stream, response_format=FORM)
        assert answer.status == 200, answer
        assert json.loads(text_of(answer.body, stream=stream)) == {"size": 4}
        # What the vendor's mechanism has no word for stands in the description: the caller's own schema judges all the same.
        told = asked_schema(surface, json.loads(s.calls[-1].body))
        assert {**told, "properties": None} == {**SCHEMA, "properties": None}
        assert told["properties"]["size"]["type"] == "integer"
        paid = await s.spent()
        assert paid > 0
        for text in ('{"size": 2}', "Here is a box.", '{"size": 4'):
            said = text
            wrong = await ask(s, Surface.CHAT, model, stream=stream, response_format=FORM)
            assert b'"error"' in wrong.body
            assert b'"finish_reason":"stop"' not in wrong.body
            assert stream or wrong.status == 502
            assert await s.spent() == paid


def text_of(body: bytes, *, stream: bool) -> str:
    if not stream:
        text: str = json.loads(body)["choices"][0]["message"]["content"]
        return text
    chunks = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line.startswith("data: {")]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def asked_schema(surface: Surface, sent: Mapping[str, Any]) -> Any:
    if surface is Surface.MESSAGES:
        return sent["output_config"]["format"]["schema"]
    assert sent["generationConfig"]["responseMimeType"] == "application/json"
    return sent["generationConfig"]["responseJsonSchema"]


async def test_a_schema_for_a_model_that_cannot_be_held_to_one_is_told_and_the_answer_is_judged(tmp_path: Path) -> None:
    """C15: neither the tag nor tools to force, and still never a 200 with a text that does not fit."""

    async def script(call: Upstream) -> None:
        await call.answer(formed(Surface.CHAT, said, stream=False)[0])

    more = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    async with stage(tmp_path, script) as s:
        said = '{"size": 4}'
        answer = await ask(s, Surface.MESSAGES, "deepseek-v4-flash", stream=False, **more)
        assert (answer.status, json.loads(answer.json()["content"][0]["text"])) == (200, {"size": 4})
        assert b"minimum" in s.calls[-1].body
        paid = await s.spent()
        said = '{"size": 2}'
        wrong = await ask(s, Surface.MESSAGES, "deepseek-v4-flash", stream=False, **more)
        assert (wrong.status, wrong.json()["error"]["type"]) == (502, "api_error")
        assert await s.spent() == paid


# searches


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tools", [[], TOOLS[Surface.CHAT]])
async def test_a_search_by_gemini_for_a_caller_of_chat(tools: list[Any], stream: bool, tmp_path: Path) -> None:
    """contract:090: `tools: [{type: google_search}]`, and its surcharge."""
    grounded = {"webSearchQueries": ["tokyo", "weather", "tokyo"], "groundingChunks": 7}

    async def script(call: Upstream) -> None:
        if not stream:
            whole = json.loads(BODIES[Surface.GEMINI])
            whole["candidates"][0]["groundingMetadata"] = grounded
            await call.answer(json.dumps(whole).encode())
            return
        await call.head()
        await call.chunk(frame({"candidates": [{"groundingMetadata": grounded}]}))
        for event in STREAMS[Surface.GEMINI]:
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        answer = await ask(s, Surface.CHAT, "gemini-3-1-pro", stream=stream, tools=[{"type": "google_search"}, *tools])
        assert answer.status == 200, answer
        sent = json.loads(s.calls[-1].body)["tools"]
        assert sent[-1] == {"googleSearch": {}}
        assert [list(tool) for tool in sent[:-1]] == [["functionDeclarations"]] * len(tools)
        (row,) = await s.usage()
        assert (row["searches"], row["cost_micro_usd"]) == (2, 102 + 2 * 14_000)
        assert await s.spent() == 102 + 2 * 14_000


async def test_a_search_that_the_vendor_does_not_run_for_this_surface_is_refused(tmp_path: Path) -> None:
    """contract:090, contract:131."""
    async with stage(tmp_path) as s:
        for model in ("claude-sonnet-4-6", "deepseek-v3-anthropic"):
            answer = await ask(s, Surface.CHAT, model, tools=[{"type": "google_search"}])
            error = answer.json()["error"]
            assert (answer.status, error["code"], error["param"]) == (400, "unsupported_feature", "tools[0].type")
        assert s.calls == []


# prices


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", UPSTREAMS)
async def test_the_same_answer_costs_the_same_on_every_protocol(model: str, stream: bool, tmp_path: Path) -> None:
    """contract:106, contract:168: what the vendor's bytes cost on their own protocol, they cost on the others, by the price table."""
    async with stage(tmp_path, serve(UPSTREAMS[model]), edit=chat_only) as s:
        charged: dict[Surface, int] = {}
        for client in (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI):
            s.script = serve(Surface.CHAT if (client, model) == (Surface.CHAT, "gpt-5-5") else UPSTREAMS[model])
            before = await s.spent()
            more = {"stream_options": {"include_usage": True}} if client is Surface.CHAT and stream else {}
            answer = await ask(s, client, model, stream=stream, **more)
            assert answer.status == 200, answer
            charged[client] = await s.spent() - before
        rates = next(entry["rates"] for entry in (await s.get("/api/pricing")).json()["data"] if entry["model"] == model)
        row = (await s.usage())[0]
        classes = {
            "input_tokens": "input_per_1m",
            "output_tokens": "output_per_1m",
            "cache_read_tokens": "cache_read_per_1m",
            "cache_write_5m_tokens": "cache_write_per_1m",
            "cache_write_1h_tokens": "cache_write_1h_per_1m",
        }
        exact = sum(row[tokens] * rates[rate] for tokens, rate in classes.items())
        assert set(charged.values()) == {int(exact + 0.5)}, charged


# thinking


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-4-8"])
async def test_an_effort_is_thinking_on_claude(model: str, effort: str, tmp_path: Path) -> None:
    """contract:096: `reasoning.effort` by Responses, and `reasoning_effort` by Chat; a model that does not think is asked for none."""
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        asked: list[tuple[Surface, dict[str, Any]]] = [
            (Surface.RESPONSES, {"reasoning": {"effort": effort}}),
            (Surface.CHAT, {"reasoning_effort": effort}),
        ]
        for client, more in asked:
            answer = await ask(s, client, model, stream=False, **more)
            assert answer.status == 200, answer
            sent = json.loads(s.calls[-1].body)
            thinking = sent["thinking"]
            assert thinking["type"] in ("adaptive", "enabled")
            if thinking["type"] == "enabled":
                assert 1024 <= thinking["budget_tokens"] < sent["max_tokens"]
            else:
                assert sent["output_config"]["effort"] == effort
            quiet = await ask(s, client, "claude-haiku-4-5", stream=False, **more)
            assert quiet.status == 200, quiet
            assert "thinking" not in json.loads(s.calls[-1].body)
            assert "effort" not in json.loads(s.calls[-1].body).get("output_config", {})


@pytest.mark.parametrize("model", ["deepseek-v4-pro", "deepseek-v3-anthropic"])
async def test_a_response_schema_for_a_model_without_schemas_is_refused(model: str, tmp_path: Path) -> None:
    """contract:136: on /v1beta, whichever vendor the model is of."""
    config = {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}
    async with stage(tmp_path) as s:
        answer = await ask(s, Surface.GEMINI, model, stream=False, generationConfig=config)
        assert (answer.status, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert "json_schema" in answer.json()["error"]["message"]
        assert s.calls == []


# callers that leave, and keys that go

BEFORE_CONTENT = {Surface.CHAT: 1, Surface.RESPONSES: 1, Surface.MESSAGES: 3, Surface.GEMINI: 0}
UNTIL_CONTENT = {Surface.CHAT: 2, Surface.RESPONSES: 2, Surface.MESSAGES: 4, Surface.GEMINI: 1}
ENDED = (b"[DONE]", b"message_stop", b"response.completed", b"finishReason", b'"finish_reason":"stop"')


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize(("client", "model"), [cell for cell in CELLS if UPSTREAMS[cell[1]] is not Surface.GEMINI])
async def test_who_leaves_a_translated_stream_before_its_first_word_pays_nothing(client: Surface, model: str, tmp_path: Path) -> None:
    """contract:149, contract:157: a role, message_start and pings are no content."""
    surface = UPSTREAMS[model]
    aborted = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface][: BEFORE_CONTENT[surface]]:
            await call.chunk(event)
        sent.set()
        await call.aborted.wait()
        aborted.set()

    sent = asyncio.Event()
    async with stage(tmp_path, script, edit=chat_only) as s:
        c = await s.client()
        path, body, headers = by_raw(client, model)
        c.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
        async with asyncio.timeout(10):
            await sent.wait()
        c.reset()
        async with asyncio.timeout(10):
            await aborted.wait()
            while (await s.account())["held_micro_usd"]:  # noqa: ASYNC110  # the release is in another task
                await asyncio.sleep(0.01)
        assert await s.spent() == 0
        assert await s.usage() == []


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize(("client", "model"), CELLS)
async def test_a_key_deleted_in_the_middle_of_a_translated_stream(client: Surface, model: str, tmp_path: Path) -> None:
    """contract:036, contract:151, C5: told in the caller's words, without the end of an answer, and not billed."""
    surface = UPSTREAMS[model]

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface][: UNTIL_CONTENT[surface]]:
            await call.chunk(event)
        await call.aborted.wait()

    async with stage(tmp_path, script, edit=chat_only) as s:
        made = await create(s)
        c = await s.client()
        path, body, headers = by_raw(client, model)
        c.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": made["key"], **headers})
        await c.head()
        text = b""
        while b"Good" not in text:
            text += await c.chunk()
        assert (await delete(s, f"{KEYS}/{made['id']}")).status == 200
        last = b""
        while chunk := await c.chunk():
            last += chunk
        assert await c.reader.read() == b""  # closed
        c.close()
        assert (b'"UNAUTHENTICATED"' if client is Surface.GEMINI else b'"authentication_error"') in last, last
        assert not [word for word in ENDED if word in text + last]
        assert await s.spent() == 0
        assert await s.usage() == []
