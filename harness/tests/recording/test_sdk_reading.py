"""The official SDKs, over a loopback server, read out of each answer what its scenario says."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
import openai
import pytest
import pytest_asyncio
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from harness.recording import scenarios
from harness.recording.calls import Caller, call
from harness.recording.format import Surface
from harness.recording.scenarios.scenario import Answer, CustomCall, Scenario
from harness.recording.vendor import SCENARIO_HEADER, Vendor, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERS = [scenario for scenario in scenarios.SCENARIOS if scenario.answer and "error-event" not in scenario.traits]
FAILURES = [scenario for scenario in scenarios.SCENARIOS if scenario.status >= 400]


async def at_once(scenario: Scenario, number: int) -> None:
    """No pauses between the writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """One client of each SDK for all tests: each takes a tenth of a second to make."""

    caller: Caller
    of_openai: openai.AsyncOpenAI
    of_deepseek: openai.AsyncOpenAI
    of_anthropic: anthropic.AsyncAnthropic
    of_google: genai.Client

    def openai_for(self, scenario: Scenario) -> openai.AsyncOpenAI:
        return self.of_deepseek if scenario.vendor == "deepseek" else self.of_openai


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[Clients]:
    async with serving(Vendor(at_once)) as address, httpx2.AsyncClient(trust_env=False) as http:
        common: dict[str, Any] = {"api_key": "key-of-a-test", "max_retries": 0, "http_client": http}
        options = types.HttpOptions(base_url=address, httpx_async_client=http)
        yield Clients(
            caller=Caller(address=address, prefix="", key="key-of-a-test", http=http),
            of_openai=openai.AsyncOpenAI(base_url=f"{address}/v1", **common),
            of_deepseek=openai.AsyncOpenAI(base_url=address, **common),
            of_anthropic=anthropic.AsyncAnthropic(base_url=address, **common),
            of_google=genai.Client(api_key="key-of-a-test", http_options=options, vertexai=False),
        )


async def to_the_end(answer: Any) -> None:
    async for _ in await answer:
        pass


def of(surface: Surface, *, stream: bool) -> list[Any]:
    """Those that an SDK can ask for: the array form of Gemini is for a raw client (trait `raw`)."""
    return [
        pytest.param(scenario, id=scenario.id)
        for scenario in ANSWERS
        if scenario.surface is surface and scenario.stream is stream and "raw" not in scenario.traits
    ]


def expected(scenario: Scenario) -> Answer:
    assert scenario.answer is not None
    return scenario.answer


def asks(scenario: Scenario) -> dict[str, str]:
    return {SCENARIO_HEADER: scenario.id}


def arguments(scenario: Scenario) -> dict[str, Any]:
    body = dict(scenario.request or {})
    extra = {"thinking": body.pop("thinking")} if scenario.surface is Surface.CHAT and "thinking" in body else {}
    return {"model": scenario.model, **body, "extra_body": extra, "extra_headers": asks(scenario)}


def google_arguments(scenario: Scenario) -> dict[str, Any]:
    config = types.GenerateContentConfig(http_options=types.HttpOptions(headers=asks(scenario)))
    return {"model": scenario.model, "contents": "hello", "config": config}


def check_usage(scenario: Scenario, prompt: int, output: int) -> None:
    usage = expected(scenario).usage
    assert (prompt, output) == (usage.prompt, usage.output)


def check_calls(scenario: Scenario, calls: list[tuple[str, str]]) -> None:
    wanted = [(call.name, json.loads(call.arguments)) for call in expected(scenario).calls]
    assert [(name, json.loads(text or "{}")) for name, text in calls] == wanted


@pytest.mark.parametrize("scenario", of(Surface.CHAT, stream=False))
async def test_chat(scenario: Scenario, clients: Clients) -> None:
    answer = expected(scenario)
    completion = await clients.openai_for(scenario).chat.completions.create(**arguments(scenario))
    for choice, parts in zip(completion.choices, answer.choices, strict=True):
        said = Answer(choices=(parts,), stop=answer.stop, usage=answer.usage)
        assert (choice.message.content or "") == said.text
        assert (choice.message.refusal or "") == said.refusal
        assert getattr(choice.message, "reasoning_content", "") == said.thinking
        assert choice.finish_reason == answer.stop
        functions = [call for call in choice.message.tool_calls or () if call.type == "function"]
        check_calls(scenario, [(call.function.name, call.function.arguments) for call in functions])
        customs = [(call.custom.name, call.custom.input) for call in choice.message.tool_calls or () if call.type == "custom"]
        assert customs == [(part.name, part.input) for part in parts if isinstance(part, CustomCall)]
    assert completion.usage
    check_usage(scenario, completion.usage.prompt_tokens, completion.usage.completion_tokens)
    assert completion.usage.prompt_tokens_details
    assert completion.usage.prompt_tokens_details.cached_tokens == answer.usage.cached


@pytest.mark.parametrize("scenario", of(Surface.CHAT, stream=True))
async def test_chat_stream(scenario: Scenario, clients: Clients) -> None:
    answer = expected(scenario)
    stream = await clients.openai_for(scenario).chat.completions.create(**arguments(scenario), stream=True)
    texts: dict[int, str] = dict.fromkeys(range(len(answer.choices)), "")
    stops: dict[int, str] = {}
    calls: dict[int, list[str]] = {}
    refusal = thinking = ""
    usage = None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            refusal += choice.delta.refusal or ""
            thinking += getattr(choice.delta, "reasoning_content", None) or ""
            if choice.finish_reason:
                stops[choice.index] = choice.finish_reason
            for tool in choice.delta.tool_calls or ():
                said = calls.setdefault(tool.index, ["", ""])
                raw = tool.model_dump()
                function = raw.get("function") or raw.get("custom")
                said[0] += function.get("name") or ""
                said[1] += function.get("arguments") or function.get("input") or ""
    wanted = [Answer(choices=(parts,), stop=answer.stop, usage=answer.usage).text for parts in answer.choices]
    assert [texts[index] for index in sorted(texts)] == wanted
    assert (refusal, thinking) == (answer.refusal, answer.thinking)
    assert stops == dict.fromkeys(range(len(answer.choices)), answer.stop)
    customs = [(part.name, part.input) for part in answer.parts if isinstance(part, CustomCall)]
    if customs:
        assert [tuple(call) for call in calls.values()] == customs
    else:
        check_calls(scenario, [(name, text) for name, text in calls.values()])
    assert (usage is not None) == (scenario.vendor == "deepseek" or "usage-chunk" in scenario.traits)
    if usage:
        check_usage(scenario, usage.prompt_tokens, usage.completion_tokens)


def check_response(scenario: Scenario, response: Any) -> None:
    answer = expected(scenario)
    assert response.output_text == answer.text
    assert response.status == answer.stop
    reasoning = [item for item in response.output if item.type == "reasoning"]
    assert "".join(part.text for item in reasoning for part in item.summary) == answer.thinking
    check_calls(scenario, [(item.name, item.arguments) for item in response.output if item.type == "function_call"])
    customs = [(item.name, item.input) for item in response.output if item.type == "custom_tool_call"]
    assert customs == [(part.name, part.input) for part in answer.parts if isinstance(part, CustomCall)]
    messages = [item for item in response.output if item.type == "message"]
    refusals = [part.refusal for item in messages for part in item.content if part.type == "refusal"]
    assert "".join(refusals) == answer.refusal
    if answer.stop == "failed":
        assert response.error.code == "server_error"
        return
    check_usage(scenario, response.usage.input_tokens, response.usage.output_tokens)
    assert response.usage.input_tokens_details.cached_tokens == answer.usage.cached


@pytest.mark.parametrize("scenario", of(Surface.RESPONSES, stream=False))
async def test_responses(scenario: Scenario, clients: Clients) -> None:
    check_response(scenario, await clients.openai_for(scenario).responses.create(**arguments(scenario)))


@pytest.mark.parametrize("scenario", of(Surface.RESPONSES, stream=True))
async def test_responses_stream(scenario: Scenario, clients: Clients) -> None:
    stream = await clients.openai_for(scenario).responses.create(**arguments(scenario), stream=True)
    last, text = None, ""
    async for event in stream:
        last = event
        text += event.delta if event.type == "response.output_text.delta" else ""
    assert text == expected(scenario).text
    assert last is not None
    check_response(scenario, last.response)


def check_message(scenario: Scenario, message: anthropic.types.Message) -> None:
    answer = expected(scenario)
    assert "".join(block.text for block in message.content if block.type == "text") == answer.text
    thoughts = [block for block in message.content if block.type == "thinking"]
    assert "".join(block.thinking for block in thoughts) == answer.thinking
    assert all(block.signature for block in thoughts)
    check_calls(scenario, [(block.name, json.dumps(block.input)) for block in message.content if block.type == "tool_use"])
    assert (message.stop_reason, message.stop_sequence) == (answer.stop, answer.stop_sequence)
    usage = message.usage
    written, read = usage.cache_creation_input_tokens or 0, usage.cache_read_input_tokens or 0
    check_usage(scenario, usage.input_tokens + written + read, usage.output_tokens)
    assert (written, read) == (answer.usage.written, answer.usage.cached)


@pytest.mark.parametrize("scenario", of(Surface.MESSAGES, stream=False))
async def test_messages(scenario: Scenario, clients: Clients) -> None:
    check_message(scenario, await clients.of_anthropic.messages.create(**arguments(scenario)))


@pytest.mark.parametrize("scenario", of(Surface.MESSAGES, stream=True))
async def test_messages_stream(scenario: Scenario, clients: Clients) -> None:
    async with clients.of_anthropic.messages.stream(**arguments(scenario)) as stream:
        check_message(scenario, await stream.get_final_message())


@pytest.mark.parametrize("scenario", [*of(Surface.GEMINI, stream=False), *of(Surface.GEMINI, stream=True)])
async def test_gemini(scenario: Scenario, clients: Clients) -> None:
    answer = expected(scenario)
    models = clients.of_google.aio.models
    if scenario.stream:
        chunks = [chunk async for chunk in await models.generate_content_stream(**google_arguments(scenario))]
    else:
        chunks = [await models.generate_content(**google_arguments(scenario))]
    candidates = [candidate for chunk in chunks for candidate in chunk.candidates or ()]
    parts = [part for candidate in candidates for part in (candidate.content and candidate.content.parts) or ()]
    assert "".join(part.text or "" for part in parts if not part.thought) == answer.text
    assert "".join(part.text or "" for part in parts if part.thought) == answer.thinking
    calls = [part.function_call for part in parts if part.function_call]
    check_calls(scenario, [(call.name or "", json.dumps(call.args)) for call in calls])
    if "signature" in scenario.traits:
        assert any(part.thought_signature for part in parts)
    if "blocked" in scenario.traits:
        assert chunks[-1].prompt_feedback
        assert not candidates
        return
    assert [candidate.finish_reason for candidate in candidates if candidate.finish_reason] == [types.FinishReason(answer.stop)]
    usage = chunks[-1].usage_metadata
    assert usage
    thoughts = usage.thoughts_token_count or 0
    check_usage(scenario, usage.prompt_token_count or 0, (usage.candidates_token_count or 0) + thoughts)
    assert (usage.cached_content_token_count or 0, thoughts) == (answer.usage.cached, answer.usage.reasoning)


def asked(scenario: Scenario, clients: Clients) -> Any:
    """The call, not yet awaited."""
    asks_for = {**arguments(scenario), **({"stream": True} if scenario.stream else {})}
    match scenario.surface:
        case Surface.CHAT:
            return clients.openai_for(scenario).chat.completions.create(**asks_for)
        case Surface.RESPONSES:
            return clients.of_openai.responses.create(**asks_for)
        case Surface.MESSAGES:
            return clients.of_anthropic.messages.create(**asks_for)
        case Surface.IMAGES:
            return clients.of_openai.images.generate(**asks_for)
        case _:
            models = clients.of_google.aio.models
            method = models.generate_content_stream if scenario.stream else models.generate_content
            return method(**google_arguments(scenario))


@pytest.mark.parametrize("scenario", FAILURES, ids=[scenario.id for scenario in FAILURES])
async def test_an_error_status_is_an_error_of_that_status(scenario: Scenario, clients: Clients) -> None:
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError, genai_errors.APIError)) as raised:
        await (to_the_end(asked(scenario, clients)) if scenario.stream else asked(scenario, clients))
    error: Any = raised.value
    assert (error.code if scenario.vendor == "google" else error.status_code) == scenario.status
    if scenario.status == 429:
        assert error.response.headers["retry-after"] == "34"


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI])
async def test_an_error_in_mid_stream_is_raised(surface: Surface, clients: Clients) -> None:
    scenario = scenarios.by_id(f"{surface}/error-event.stream")
    with pytest.raises((openai.APIError, anthropic.APIStatusError, genai_errors.ServerError)):
        await to_the_end(asked(scenario, clients))


@pytest.mark.parametrize("scenario_id", ["models/openai-list", "models/anthropic-list", "models/gemini-list", "messages/count-tokens"])
async def test_lists_and_counts_can_be_called(scenario_id: str, clients: Clients) -> None:
    scenario = scenarios.by_id(scenario_id)
    assert await call(scenario, clients.caller, asks(scenario)) is None
