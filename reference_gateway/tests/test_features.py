"""What a model cannot do is refused by name, and no vendor hears of it."""

from pathlib import Path
from typing import Any

import pytest

from reference_gateway.config import load
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, request

URL = "https://example.com/cat.png"
IMAGE: dict[Surface, tuple[str, Any]] = {
    Surface.CHAT: ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]),
    Surface.RESPONSES: ("input", [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]),
    Surface.MESSAGES: (
        "messages",
        [
            {"role": "user", "content": "draw"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "draw", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}],
                    }
                ],
            },
        ],
    ),
    Surface.GEMINI: ("contents", [{"parts": [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}]),
}
TOOLS: dict[Surface, Any] = {
    Surface.CHAT: [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    Surface.RESPONSES: [{"type": "function", "name": "f", "parameters": {}}],
    Surface.MESSAGES: [{"name": "f", "input_schema": {"type": "object"}}],
    Surface.GEMINI: [{"functionDeclarations": [{"name": "f"}]}],
}


async def without(s: Stage, *tags: str) -> None:
    """From now on no model has these tags."""
    text = s.demo.config.read_text()
    for tag in tags:
        text = text.replace(f', "{tag}"', "")
    s.demo.config.write_text(text)
    await s.running.load(load(s.demo.config))


async def ask(s: Stage, surface: Surface, **more: Any) -> Answer:
    path, body, headers = request(surface, **more)
    return await s.post(path, body, **headers)


def assert_refused(surface: Surface, answer: Answer, param: str, tag: str) -> None:
    assert answer.status == 400, answer
    error = answer.json()["error"]
    assert tag in error["message"]
    match surface:
        case Surface.MESSAGES:
            assert error["type"] == "invalid_request_error"
        case Surface.GEMINI:
            assert error["status"] == "INVALID_ARGUMENT"
        case _:
            assert (error["code"], error["param"]) == ("unsupported_feature", param)


def answering(surface: Surface) -> Any:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    return script


@pytest.mark.parametrize("surface", IMAGE)
async def test_an_image_to_a_model_of_texts_is_refused(surface: Surface, tmp_path: Path) -> None:
    """contract:084."""
    name, turns = IMAGE[surface]
    async with stage(tmp_path, answering(surface)) as s:
        assert (await ask(s, surface, **{name: turns})).status == 200
        await without(s, "vision")
        assert_refused(surface, await ask(s, surface, **{name: turns}), name, "vision")
        assert (await ask(s, surface)).status == 200
        assert len(s.calls) == 2


@pytest.mark.parametrize("surface", TOOLS)
async def test_tools_to_a_model_without_them_are_refused(surface: Surface, tmp_path: Path) -> None:
    """contract:085."""
    async with stage(tmp_path, answering(surface)) as s:
        assert (await ask(s, surface, tools=TOOLS[surface])).status == 200
        await without(s, "tool_use")
        assert_refused(surface, await ask(s, surface, tools=TOOLS[surface]), "tools", "tool_use")
        assert (await ask(s, surface, tools=[])).status == 200
        assert len(s.calls) == 2
        assert len(await s.usage()) == 2


async def test_what_only_looks_like_an_image_is_none(tmp_path: Path) -> None:
    """A text that speaks of one, a tool's argument that is called so, a sound."""
    harmless = {
        Surface.CHAT: [{"role": "user", "content": '{"type": "image_url"}'}],
        Surface.MESSAGES: [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"type": "image"}}]}],
        Surface.GEMINI: [{"parts": [{"text": "image"}, {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}]}],
    }
    for surface, turns in harmless.items():
        async with stage(tmp_path / surface, answering(surface)) as s:
            await without(s, "vision", "tool_use")
            assert (await ask(s, surface, **{IMAGE[surface][0]: turns})).status == 200


@pytest.mark.parametrize("name", ["responseSchema", "responseJsonSchema"])
async def test_a_schema_that_a_gemini_model_cannot_keep_to_is_refused(name: str, tmp_path: Path) -> None:
    """contract:136."""
    config = {"responseMimeType": "application/json", name: {"type": "object"}}
    async with stage(tmp_path, answering(Surface.GEMINI)) as s:
        assert (await ask(s, Surface.GEMINI, generationConfig=config)).status == 200
        await without(s, "json_schema")
        answer = await ask(s, Surface.GEMINI, generationConfig=config)
        assert_refused(Surface.GEMINI, answer, f"generationConfig.{name}", "json_schema")
        assert (await ask(s, Surface.GEMINI, generationConfig={"responseMimeType": "application/json"})).status == 200


@pytest.mark.parametrize(
    ("surface", "more"),
    [
        (Surface.CHAT, {"logprobs": True}),
        (Surface.RESPONSES, {"top_logprobs": 2}),
        (Surface.GEMINI, {"generationConfig": {"responseLogprobs": True}}),
    ],
)
async def test_logprobs_are_to_be_had_where_the_tag_says_so(surface: Surface, more: dict[str, Any], tmp_path: Path) -> None:
    """contract:086."""
    async with stage(tmp_path, answering(surface)) as s:
        tagged = {model["id"] for model in (await s.get("/v1/models?capability=logprobs")).json()["data"]}
        assert tagged
        if surface is not Surface.GEMINI:
            assert (await ask(s, surface, **more)).status == 200
        await without(s, "logprobs")
        assert (await s.get("/v1/models?capability=logprobs")).json()["data"] == []
        calls = len(s.calls)
        assert_refused(surface, await ask(s, surface, **more), "logprobs", "logprobs")
        assert len(s.calls) == calls
        assert (await ask(s, surface)).status == 200
