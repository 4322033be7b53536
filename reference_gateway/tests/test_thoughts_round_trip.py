"""What proves a model's thoughts goes there and back through the vendors' own SDKs: two turns, every surface before every such vendor.

The caller does what its SDK's guide says: it hands back what it was given. A caller of chat may also know nothing but the documented
members, and then the gateway has kept what it needs (translation.md 3.10).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.test_crossing import CELLS, UPSTREAMS
from reference_gateway.tests.wires import chat_chunk, frame

PROMPT = "What is there?"
SCHEMA = {"type": "object", "properties": {"at": {"type": "integer"}}}
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBtb2RlbA=="
FUNCTIONS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]

# what each vendor says: a thought with its proof, a word, two calls at once

CLAUDE: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE},
    {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
    {"type": "text", "text": "I look."},
    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
    {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {"at": 2}},
]
DEEPSEEK_MESSAGES: list[dict[str, Any]] = [{"type": "thinking", "thinking": "Hm.", "signature": "ds-1"}, *CLAUDE[2:]]
GPT: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": SIGNATURE},
    {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": '{"at":1}', "status": "completed"},
    {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "look", "arguments": '{"at":2}', "status": "completed"},
]
GEMINI: list[dict[str, Any]] = [
    {"text": "Hm.", "thought": True},
    {"text": "I look."},
    {"functionCall": {"id": "fc-1", "name": "look", "args": {"at": 1}}, "thoughtSignature": SIGNATURE},
    {"functionCall": {"id": "fc-2", "name": "look", "args": {"at": 2}}},
]
GEMINI_TEXT: list[dict[str, Any]] = [{"text": "A "}, {"text": "cat."}, {"text": "", "thoughtSignature": SIGNATURE}]
DEEPSEEK_CALLS = [
    {"index": n, "id": f"call_{n}", "type": "function", "function": {"name": "look", "arguments": f'{{"at":{n + 1}}}'}} for n in (0, 1)
]


def claude(content: list[dict[str, Any]], *, stream: bool) -> list[bytes]:
    usage = {"input_tokens": 20, "output_tokens": 9}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    if not stream:
        return [json.dumps({**message, "content": content, "stop_reason": "tool_use", "usage": usage}).encode()]
    told: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": usage}}]
    for index, block in enumerate(content):
        begun, deltas = dict(block), list[dict[str, Any]]()
        match block["type"]:
            case "thinking":
                begun |= {"thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": "Hm."}, {"type": "signature_delta", "signature": block["signature"]}]
            case "text":
                begun["text"] = ""
                deltas = [{"type": "text_delta", "text": block["text"]}]
            case "tool_use":
                begun["input"] = {}
                deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        told.append({"type": "content_block_start", "index": index, "content_block": begun})
        told += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        told.append({"type": "content_block_stop", "index": index})
    told += [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    return [frame(event, str(event["type"])) for event in told]


def gpt(*, stream: bool) -> list[bytes]:
    usage = {"input_tokens": 20, "output_tokens": 9, "total_tokens": 29}
    response = {"id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": GPT, "usage": usage, "error": None}
    if not stream:
        return [json.dumps(response).encode()]
    told: list[dict[str, Any]] = [{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}]
    told += [{"type": "response.output_item.done", "output_index": index, "item": item} for index, item in enumerate(GPT)]
    told.append({"type": "response.completed", "response": response})
    return [frame({**event, "sequence_number": number}, event["type"]) for number, event in enumerate(told)]


def gemini(parts: list[dict[str, Any]], *, stream: bool) -> list[bytes]:
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 9, "totalTokenCount": 29}

    def chunk(*said: dict[str, Any], **more: Any) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": list(said)}, "index": 0, **more}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r-1"}

    if not stream:
        return [json.dumps(chunk(*parts, finishReason="STOP")).encode()]
    return [*(frame(chunk(part)) for part in parts), frame(chunk({"text": ""}, finishReason="STOP"))]


def deepseek(*, stream: bool) -> list[bytes]:
    usage = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}
    if not stream:
        message = {"role": "assistant", "content": "I look.", "reasoning_content": "Hm.", "tool_calls": DEEPSEEK_CALLS}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return [json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}).encode()]
    deltas: list[dict[str, Any]] = [{"reasoning_content": "Hm."}, {"content": "I look."}, {"tool_calls": DEEPSEEK_CALLS}]
    return [*map(chat_chunk, deltas), chat_chunk({}, "tool_calls"), frame({"choices": [], "usage": usage}), frame("[DONE]")]


SAID: dict[str, Callable[[bool], list[bytes]]] = {
    "claude-sonnet-4-6": lambda stream: claude(CLAUDE, stream=stream),
    "gpt-5-5": lambda stream: gpt(stream=stream),
    "gemini-3-1-pro": lambda stream: gemini(GEMINI, stream=stream),
    "deepseek-v4-pro": lambda stream: deepseek(stream=stream),
    "deepseek-v3-anthropic": lambda stream: claude(DEEPSEEK_MESSAGES, stream=stream),
}


def handed_back(model: str, sent: dict[str, Any]) -> None:
    """The second request has the thoughts of the first answer as the vendor wants them back, before the calls that they led to."""
    match UPSTREAMS[model]:
        case Surface.MESSAGES:
            assert sent["messages"][1]["content"] == (CLAUDE if model.startswith("claude") else DEEPSEEK_MESSAGES)
        case Surface.RESPONSES:
            said = [item for item in sent["input"] if item.get("role") != "user"][:4]
            assert [item["type"] for item in said] == [item["type"] for item in GPT]
            assert said[0] == GPT[0]
        case Surface.GEMINI:
            calls = [part for part in sent["contents"][1]["parts"] if "functionCall" in part]
            assert [part.get("thoughtSignature") for part in calls] == [SIGNATURE, None]
        case _:
            assert sent["messages"][1]["reasoning_content"] == "Hm."


# callers


async def by_chat(s: Stage, model: str, *, stream: bool, bare: bool = False) -> None:
    async with openai.AsyncOpenAI(base_url=f"{s.url}/v1", api_key=s.demo.keys[0], max_retries=0) as sdk:
        asked: dict[str, Any] = {"model": model, "tools": FUNCTIONS, "reasoning_effort": "high"}
        messages: list[Any] = [{"role": "user", "content": PROMPT}]
        if stream:
            async with sdk.chat.completions.stream(messages=messages, **asked) as run:
                message: Any = (await run.get_final_completion()).choices[0].message
        else:
            message = (await sdk.chat.completions.create(messages=messages, **asked)).choices[0].message
        calls = message.tool_calls
        assert [json.loads(call.function.arguments) for call in calls] == [{"at": 1}, {"at": 2}]
        if bare:
            known = [
                {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
                for call in calls
            ]
            message = {"role": "assistant", "content": message.content, "tool_calls": known}
        messages += [message, *({"role": "tool", "tool_call_id": call.id, "content": "a cat"} for call in calls)]
        await sdk.chat.completions.create(messages=messages, **asked)


async def by_bare_chat(s: Stage, model: str, *, stream: bool) -> None:
    await by_chat(s, model, stream=stream, bare=True)


async def by_responses(s: Stage, model: str, *, stream: bool) -> None:
    async with openai.AsyncOpenAI(base_url=f"{s.url}/v1", api_key=s.demo.keys[0], max_retries=0) as sdk:
        tools = [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}]
        asked: dict[str, Any] = {"model": model, "tools": tools, "reasoning": {"effort": "high", "summary": "auto"}, "store": False}
        said: list[Any] = [{"role": "user", "content": PROMPT}]
        if stream:
            async with sdk.responses.stream(input=said, **asked) as run:
                response: Any = await run.get_final_response()
        else:
            response = await sdk.responses.create(input=said, **asked)
        calls = [item for item in response.output if item.type == "function_call"]
        assert [json.loads(call.arguments) for call in calls] == [{"at": 1}, {"at": 2}]
        said += [*response.output, *({"type": "function_call_output", "call_id": call.call_id, "output": "a cat"} for call in calls)]
        await sdk.responses.create(input=said, **asked)


async def by_messages(s: Stage, model: str, *, stream: bool) -> None:
    async with anthropic.AsyncAnthropic(base_url=s.url, api_key=s.demo.keys[0], max_retries=0) as sdk:
        thinking = {"type": "enabled", "budget_tokens": 2000}
        asked: dict[str, Any] = {
            "model": model,
            "max_tokens": 8000,
            "tools": [{"name": "look", "input_schema": SCHEMA}],
            "thinking": thinking,
        }
        messages: list[Any] = [{"role": "user", "content": PROMPT}]
        if stream:
            async with sdk.messages.stream(messages=messages, **asked) as run:
                message: Any = await run.get_final_message()
        else:
            message = await sdk.messages.create(messages=messages, **asked)
        calls = [block for block in message.content if block.type == "tool_use"]
        assert [call.input for call in calls] == [{"at": 1}, {"at": 2}]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "a cat"} for call in calls]
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        await sdk.messages.create(messages=messages, **asked)


async def by_gemini(s: Stage, model: str, *, stream: bool) -> None:
    sdk = genai.Client(api_key=s.demo.keys[0], http_options=types.HttpOptions(base_url=s.url))
    declared = types.FunctionDeclaration(name="look", parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2000),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=PROMPT)])]
    if stream:
        told = [part async for part in await sdk.aio.models.generate_content_stream(model=model, contents=contents, config=config)]
    else:
        told = [await sdk.aio.models.generate_content(model=model, contents=contents, config=config)]
    said = [each.candidates[0].content for each in told if each.candidates and each.candidates[0].content]
    calls = [part.function_call for content in said for part in content.parts or [] if part.function_call]
    assert [call.args for call in calls] == [{"at": 1}, {"at": 2}]
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "a cat"})) for call in calls
    ]
    contents += [*said, types.Content(role="user", parts=results)]
    await sdk.aio.models.generate_content(model=model, contents=contents, config=config)
    await sdk.aio.aclose()


CALLERS = {
    "chat": (Surface.CHAT, by_chat),
    "bare chat": (Surface.CHAT, by_bare_chat),
    "responses": (Surface.RESPONSES, by_responses),
    "messages": (Surface.MESSAGES, by_messages),
    "gemini": (Surface.GEMINI, by_gemini),
}


def chat_only(text: str) -> str:
    return text.replace('id = "gpt-5-4"\n', 'id = "gpt-5-4"\nnative = ["chat"]\n')


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("caller", CALLERS)
async def test_thoughts_go_there_and_back(caller: str, stream: bool, tmp_path: Path) -> None:
    client, call = CALLERS[caller]

    async def script(upstream: Upstream) -> None:
        told = SAID[model](streams := json.loads(upstream.body).get("stream") or "streamGenerate" in upstream.target)
        if not streams:
            await upstream.answer(told[0])
            return
        await upstream.head()
        for event in told:
            await upstream.chunk(event)
        await upstream.end()

    async with stage(tmp_path, script, edit=chat_only) as s:
        for model in SAID:
            if (client, model) in CELLS:
                await call(s, model, stream=stream)
                handed_back(model, json.loads(s.calls[-1].body))


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("stream", [False, True])
async def test_the_signature_of_a_text_comes_back_though_the_caller_never_sees_it(stream: bool, tmp_path: Path) -> None:
    """Gemini signs an answer without calls at its end, where Messages and the documented members of chat have no place for it."""

    async def script(upstream: Upstream) -> None:
        told = gemini(GEMINI_TEXT, stream="streamGenerate" in upstream.target)
        if len(told) == 1:
            await upstream.answer(told[0])
            return
        await upstream.head()
        for event in told:
            await upstream.chunk(event)
        await upstream.end()

    model = "gemini-3-1-pro"
    async with stage(tmp_path, script) as s:
        asked: Any = {"model": model, "max_tokens": 100}
        messages: list[Any] = [{"role": "user", "content": PROMPT}]
        async with anthropic.AsyncAnthropic(base_url=s.url, api_key=s.demo.keys[0], max_retries=0) as claude_sdk:
            if stream:
                async with claude_sdk.messages.stream(messages=messages, **asked) as run:
                    said: Any = (await run.get_final_message()).content
            else:
                said = (await claude_sdk.messages.create(messages=messages, **asked)).content
            assert [block.type for block in said] == ["text"]  # contract:121: no thinking after text
            more: list[Any] = [{"role": "assistant", "content": said}, {"role": "user", "content": "And?"}]
            await claude_sdk.messages.create(messages=[*messages, *more], **asked)
        signed = [{"text": "A cat.", "thoughtSignature": SIGNATURE}]
        assert json.loads(s.calls[-1].body)["contents"][1]["parts"] == signed
        async with openai.AsyncOpenAI(base_url=f"{s.url}/v1", api_key=s.demo.keys[0], max_retries=0) as sdk:
            more = [{"role": "assistant", "content": "A cat."}, {"role": "user", "content": "And?"}]
            await sdk.chat.completions.create(messages=[*messages, *more], **asked)
        assert json.loads(s.calls[-1].body)["contents"][1]["parts"] == signed
