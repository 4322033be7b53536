"""The demo's vendor as the official SDKs meet it, in their strict mode: what they would find at the real vendors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import jsonschema
import openai
import pytest
import pytest_asyncio
from google import genai
from google.genai import types

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import demo_config
from reference_gateway.operations.vendor import made, picture
from reference_gateway.operations.vendor.server import Vendor
from reference_gateway.tests.scripted import Stage

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
FORECAST = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "days": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/day"}},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["city", "days", "unit", "note"],
    "additionalProperties": False,
    "$defs": {
        "day": {
            "type": "object",
            "properties": {"date": {"type": "string", "format": "date"}, "high": {"type": "integer", "minimum": 5, "multipleOf": 4}},
            "required": ["date", "high"],
            "additionalProperties": False,
        }
    },
}
LARGE = "The tides follow the moon. " * 300


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as here:
        yield here


@pytest_asyncio.fixture
async def gpt(vendor: Vendor) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{vendor.url}/v1", api_key="any", max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest_asyncio.fixture
async def claude(vendor: Vendor) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=vendor.url, api_key="any", max_retries=0, _strict_response_validation=True) as client:
        yield client


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


async def test_chat_answers_tools_results_and_schemas(gpt: openai.AsyncOpenAI) -> None:
    pong = await gpt.chat.completions.create(model="gpt-5-4", messages=user("ping"))
    assert pong.choices[0].message.content == "pong"
    assert pong.usage is not None
    assert pong.usage.total_tokens == pong.usage.prompt_tokens + pong.usage.completion_tokens
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
    called = await gpt.chat.completions.create(model="gpt-5-4", messages=user("weather in Tokyo?"), tools=tools)
    message = called.choices[0].message
    assert called.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.tool_calls is not None
    call: Any = message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Tokyo"}
    turn = [
        *user("weather in Tokyo?"),
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    told = await gpt.chat.completions.create(model="gpt-5-4", messages=turn, tools=tools)
    assert told.choices[0].message.content == "The tool says: 21 degrees"
    form: Any = {"type": "json_schema", "json_schema": {"name": "forecast", "strict": True, "schema": FORECAST}}
    made_up = await gpt.chat.completions.create(model="gpt-5-4", messages=user("the days in Rome"), response_format=form)
    jsonschema.validate(json.loads(made_up.choices[0].message.content or ""), FORECAST)


async def test_chat_streams_what_it_answers(gpt: openai.AsyncOpenAI) -> None:
    options: Any = {"model": "gpt-5-4", "messages": user("say something"), "stream_options": {"include_usage": True}}
    async with gpt.chat.completions.stream(**options) as stream:
        final = await stream.get_final_completion()
    whole = await gpt.chat.completions.create(model="gpt-5-4", messages=user("say something"))
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.usage == whole.usage


async def test_deepseek_thinks_aloud(gpt: openai.AsyncOpenAI) -> None:
    answer = await gpt.chat.completions.create(model="deepseek-v4-pro", messages=user("why?"))
    extra = answer.choices[0].message.model_extra
    assert extra is not None
    assert extra["reasoning_content"].startswith("The user wrote")


async def test_a_cap_cuts_the_answer_off(gpt: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic) -> None:
    chat = await gpt.chat.completions.create(model="gpt-5-4", messages=user("go on"), max_tokens=3)
    assert chat.choices[0].finish_reason == "length"
    assert chat.usage is not None
    assert chat.usage.completion_tokens == 3
    message = await claude.messages.create(model="claude-sonnet-4-6", messages=user("go on"), max_tokens=3)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)
    response = await gpt.responses.create(model="gpt-5-5", input="go on", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


async def test_responses_reason_call_and_answer(gpt: openai.AsyncOpenAI) -> None:
    answer = await gpt.responses.create(model="gpt-5-5", input="Summarize the doc", reasoning={"effort": "medium", "summary": "auto"})
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output_text.endswith("Summarize the doc")
    tools: Any = [{"type": "function", "name": "get_weather", "parameters": CITY, "strict": True}]
    async with gpt.responses.stream(model="gpt-5-5", input="weather in Oslo?", tools=tools) as stream:
        called = await stream.get_final_response()
    call = called.output[0]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Oslo"}
    turn: Any = [*user("weather in Oslo?"), call.model_dump(), {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
    told = await gpt.responses.create(model="gpt-5-5", input=turn, tools=tools)
    assert told.output_text == "The tool says: rain"
    form: Any = {"format": {"type": "json_schema", "name": "forecast", "strict": True, "schema": FORECAST}}
    jsonschema.validate(json.loads((await gpt.responses.create(model="gpt-5-5", input="Rome", text=form)).output_text), FORECAST)


async def test_messages_think_call_and_answer(claude: anthropic.AsyncAnthropic) -> None:
    thought = await claude.messages.create(
        model="claude-opus-4-8", max_tokens=4096, thinking={"type": "enabled", "budget_tokens": 2000}, messages=user("why?")
    )
    assert [block.type for block in thought.content] == ["thinking", "text"]
    tools: Any = [{"name": "get_weather", "description": "Get current weather", "input_schema": CITY}]
    asked: Any = {"model": "claude-sonnet-4-6", "max_tokens": 1024, "messages": user("weather in Tokyo?"), "tools": tools}
    async with claude.messages.stream(**asked) as stream:
        called = await stream.get_final_message()
    assert called.stop_reason == "tool_use"
    call = called.content[0]
    assert call.type == "tool_use"
    assert call.input == {"city": "Tokyo"}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]}
    turn = [*asked["messages"], {"role": "assistant", "content": [call.model_dump(exclude_none=True)]}, result]
    told = await claude.messages.create(**{**asked, "messages": turn})
    assert told.content[0].type == "text"
    assert told.content[0].text == "The tool says: 21 degrees"
    counted = await claude.messages.count_tokens(model="claude-sonnet-4-6", messages=user("weather in Tokyo?"))
    assert counted.input_tokens > 0


@pytest.mark.parametrize("ttl", ["5m", "1h"])
async def test_a_prompt_is_written_to_the_cache_once_and_then_read(claude: anthropic.AsyncAnthropic, ttl: str) -> None:
    system: Any = [{"type": "text", "text": f"{ttl} {LARGE}", "cache_control": {"type": "ephemeral", "ttl": ttl}}]
    options: Any = {"model": "claude-sonnet-4-6", "max_tokens": 1024, "system": system, "messages": user("...")}
    first = (await claude.messages.create(**options)).usage
    second = (await claude.messages.create(**options)).usage
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens != 0
    assert first.cache_read_input_tokens == second.cache_creation_input_tokens == 0
    assert first.cache_creation is not None
    written = first.cache_creation
    by_ttl = {"5m": written.ephemeral_5m_input_tokens, "1h": written.ephemeral_1h_input_tokens}
    assert by_ttl.pop(ttl) == first.cache_creation_input_tokens
    assert set(by_ttl.values()) == {0}


async def test_openai_tells_cached_tokens_of_a_long_prompt_seen_before(gpt: openai.AsyncOpenAI) -> None:
    seen = []
    for _ in range(2):
        usage = (await gpt.chat.completions.create(model="gpt-5-4", messages=user(LARGE))).usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        seen.append(usage.prompt_tokens_details.cached_tokens)
    assert seen[0] == 0 < (seen[1] or 0)


async def test_gemini_answers_thinks_calls_and_draws(vendor: Vendor) -> None:
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=vendor.url))
    models = client.aio.models
    told = await models.generate_content(model="gemini-3-1-pro", contents="ping")
    assert told.text == "pong"
    declaration = types.FunctionDeclaration(name="get_weather", parameters_json_schema=CITY)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declaration])],
        thinking_config=types.ThinkingConfig(include_thoughts=True),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    parts = []
    async for chunk in await models.generate_content_stream(model="gemini-3-1-pro", contents="weather in Oslo?", config=config):
        assert chunk.candidates is not None
        assert chunk.candidates[0].content is not None
        parts += chunk.candidates[0].content.parts or []
    assert parts[0].thought
    assert parts[-1].function_call is not None
    assert parts[-1].function_call.args == {"city": "Oslo"}
    drawn = await models.generate_content(model="nano-banana", contents="a boat")
    assert drawn.candidates is not None
    assert drawn.candidates[0].content is not None
    blob = (drawn.candidates[0].content.parts or [])[0].inline_data
    assert blob is not None
    assert (blob.data or b"")[:8] == b"\x89PNG\r\n\x1a\n"
    await client.aio.aclose()


async def test_images_are_png_of_the_wanted_size(gpt: openai.AsyncOpenAI, vendor: Vendor) -> None:
    made_up = await gpt.images.generate(model="gpt-image-2", prompt="A boat", size="1024x1536", n=2)
    assert made_up.data is not None
    assert len({item.b64_json for item in made_up.data}) == 2
    edited = await gpt.images.edit(model="gpt-image-2", image=("boat.png", picture.png("x", 8, 8)), prompt="Red, please", n=1)
    assert edited.data is not None
    ark = openai.AsyncOpenAI(base_url=f"{vendor.url}/api/v3", api_key="any", max_retries=0)
    linked = await ark.images.generate(model="seedream-4-5", prompt="A boat at sunset", size="512x512")
    assert linked.data is not None
    url = linked.data[0].url or ""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(vendor.url.rpartition(":")[2]))
    writer.write(f"GET {url.removeprefix(vendor.url)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await ark.close()
    assert b" 200 " in head.splitlines()[0]
    assert body == picture.png("A boat at sunset", 512, 512)
    assert body[16:24] == (512).to_bytes(4) * 2


async def test_what_cannot_be_read_is_refused_in_the_protocol(gpt: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(openai.BadRequestError, match="input"):
        await gpt.responses.create(model="gpt-5-5")
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        await claude.post("/v1/messages", body={"model": "claude-sonnet-4-6", "messages": user("x")}, cast_to=object)
    with pytest.raises(openai.NotFoundError):
        await gpt.embeddings.create(model="any", input="x")


@pytest.mark.parametrize(
    "schema",
    [
        FORECAST,
        CITY,
        {"type": ["string", "null"], "minLength": 30},
        {"type": "number", "exclusiveMinimum": 3},
        {"type": "integer", "maximum": -2},
        {"oneOf": [{"const": 7}, {"type": "string"}]},
        {"type": "object", "properties": {"next": {"$ref": "#"}, "name": {"type": "string"}}, "required": ["name"]},
        {"allOf": [{"type": "object", "properties": {"a": {"type": "boolean"}}}, {"required": ["a"]}]},
    ],
)
def test_made_values_fit_their_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(made.value(schema, "the weather in Rome"), schema)


async def test_the_demo_makes_images_and_videos_with_every_kind_of_vendor(vendor: Vendor, tmp_path: Path) -> None:
    """contract:009, contract:171, contract:210: generations, edits and tasks, by the official SDK, each billed by the piece."""
    demo = demo_config(vendor.url, tmp_path, database=":memory:")
    async with Running(load(demo.config), stop_within_s=1.0) as running:
        running.media.videos._ask_every_s = 0.01
        here = Stage(port=int(running.url.rpartition(":")[2]), demo=demo)
        async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=demo.keys[0], max_retries=0) as sdk:
            for model in ("gpt-image-2", "seedream-4-5", "nano-banana"):
                made_up = await sdk.images.generate(model=model, prompt="A boat", size="1024x1024", n=2)
                edited = await sdk.images.edit(model=model, image=("boat.png", picture.png("x", 8, 8)), prompt="Red, please", n=1)
                inline = await sdk.images.generate(model=model, prompt="A boat", response_format="b64_json")
                for answer, count in ((made_up, 2), (edited, 1)):
                    urls = [image.url or "" for image in answer.data or []]
                    assert len(urls) == count
                    for url in urls:
                        assert url.startswith(running.url)
                        stored = await here.call("GET", url.removeprefix(running.url), b"", {})
                        assert stored.body.startswith(b"\x89PNG")
                assert [image.b64_json is not None for image in inline.data or []] == [True]
        billed = sorted((row["model"], row["images"]) for row in await here.usage())
        assert billed == sorted((model, count) for model in ("gpt-image-2", "seedream-4-5", "nano-banana") for count in (1, 1, 2))
        task = (await here.post("/v1/tasks/submit", {"model": "seedance-1-5", "params": {"prompt": "A boat", "duration": 3}})).json()
        async with asyncio.timeout(10):
            while (done := (await here.post("/v1/tasks/query", {"task_id": task["task_id"]})).json())["status"] != "completed":
                assert done["status"] in ("pending", "running"), done
                await asyncio.sleep(0.01)
        assert done["credits_used_micro_usd"] == 3 * 100_000 + 50_000
        link: str = done["output"][0]["url"]
        film = await here.call("GET", link[link.index("/v1/") :], b"", {})
        assert (film.status, film.header("content-type"), film.body[4:8]) == (200, "video/mp4", b"ftyp")
