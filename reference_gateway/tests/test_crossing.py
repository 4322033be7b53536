"""Translated routes over loopback sockets: every surface before every kind of upstream, with the vendors' own SDKs and with raw bytes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from msgspec.structs import replace

from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, MESSAGES_BODY, MESSAGES_STREAM, STREAMS, chat_chunk, frame, request
from reference_gateway.translation import events
from reference_gateway.translation.codec import Naming
from reference_gateway.translation.halves import CLIENTS as CLIENT_HALVES
from reference_gateway.translation.halves import VENDORS
from reference_gateway.translation.items import Answer as TranslatedAnswer
from reference_gateway.translation.items import Ask, Reasoning, Role, Stop, Tokens, ToolCall, Turn
from reference_gateway.translation.items import Text as ItemText
from reference_gateway.translation.responses.sealed import UNSEALED
from reference_gateway.translation.translator import Dialect

pytestmark = pytest.mark.usefixtures("cold_and_warm")
CLIENTS = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]
# The model -> what its channel speaks.
UPSTREAMS = {
    "gpt-5-4": Surface.CHAT,
    "gpt-5-5": Surface.RESPONSES,
    "claude-sonnet-4-6": Surface.MESSAGES,
    "gemini-3-1-pro": Surface.GEMINI,
    "deepseek-v4-pro": Surface.CHAT,
    "deepseek-v3-anthropic": Surface.MESSAGES,
}
TARGETS = {
    "gpt-5-4": "/v1/chat/completions",
    "gpt-5-5": "/v1/responses",
    "claude-sonnet-4-6": "/v1/messages",
    "gemini-3-1-pro": "/v1beta/models/gemini-3-1-pro:generateContent",
    "deepseek-v4-pro": "/v1/chat/completions",
    "deepseek-v3-anthropic": "/anthropic/v1/messages",
}
NATIVE = {("chat", "gpt-5-4"), ("chat", "gpt-5-5"), ("responses", "gpt-5-5"), ("messages", "claude-sonnet-4-6")}
NATIVE |= {("gemini", "gemini-3-1-pro"), ("chat", "deepseek-v4-pro"), ("messages", "deepseek-v3-anthropic")}
CELLS = [(client, model) for client in CLIENTS for model in UPSTREAMS if (client.value, model) not in NATIVE]
PROMPT = "Say good day."
SCHEMA = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 3}}, "required": ["size"], "additionalProperties": False}


def chat_only(text: str) -> str:
    return text.replace('id = "gpt-5-4"\n', 'id = "gpt-5-4"\nnative = ["chat"]\n')


def without_schema(text: str) -> str:
    """Claude as it was before it had structured output."""
    return text.replace('"cache_control", "thinking", "json_schema"]', '"cache_control", "thinking"]')


def serve(surface: Surface) -> Callable[[Upstream], Awaitable[None]]:
    async def script(call: Upstream) -> None:
        if json.loads(call.body).get("stream") or "streamGenerate" in call.target:
            await call.head(200, "x-request-id: req_upstream")
            for event in STREAMS[surface]:
                await call.chunk(event)
            await call.end()
        else:
            await call.answer(BODIES[surface], 200, "x-request-id: req_upstream")

    return script


Said = tuple[str, tuple[int, int, int]]  # the text; tokens of the whole prompt, of it read from a cache, and of the output


async def by_sdk(s: Stage, client: Surface, model: str, *, stream: bool) -> Said:
    """What a caller of the vendor's own SDK gets."""
    key = s.demo.keys[0]
    match client:
        case Surface.CHAT:
            async with openai.AsyncOpenAI(base_url=f"{s.url}/v1", api_key=key, max_retries=0) as sdk:
                messages: Any = [{"role": "user", "content": PROMPT}]
                if not stream:
                    done = await sdk.chat.completions.create(model=model, messages=messages)
                else:
                    async with sdk.chat.completions.stream(model=model, messages=messages, stream_options={"include_usage": True}) as run:
                        done = await run.get_final_completion()
                assert done.usage is not None
                assert done.choices[0].finish_reason == "stop"
                details = done.usage.prompt_tokens_details
                cached = (details.cached_tokens or 0) if details else 0
                return done.choices[0].message.content or "", (done.usage.prompt_tokens, cached, done.usage.completion_tokens)
        case Surface.RESPONSES:
            async with openai.AsyncOpenAI(base_url=f"{s.url}/v1", api_key=key, max_retries=0) as sdk:
                if not stream:
                    made = await sdk.responses.create(model=model, input=PROMPT)
                else:
                    async with sdk.responses.stream(model=model, input=PROMPT) as running:
                        made = await running.get_final_response()
                assert made.usage is not None
                assert made.status == "completed"
                usage = made.usage
                return made.output_text, (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens)
        case Surface.MESSAGES:
            async with anthropic.AsyncAnthropic(base_url=s.url, api_key=key, max_retries=0) as claude:
                said: Any = [{"role": "user", "content": PROMPT}]
                if not stream:
                    message = await claude.messages.create(model=model, max_tokens=100, messages=said)
                else:
                    async with claude.messages.stream(model=model, max_tokens=100, messages=said) as flow:
                        message = await flow.get_final_message()
                assert message.stop_reason == "end_turn"
                counts = message.usage
                read, written = counts.cache_read_input_tokens or 0, counts.cache_creation_input_tokens or 0
                text = "".join(block.text for block in message.content if block.type == "text")
                return text, (counts.input_tokens + read + written, read, counts.output_tokens)
        case _:
            google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=s.url))
            if not stream:
                parts = [await google.aio.models.generate_content(model=model, contents=PROMPT)]
            else:
                parts = [part async for part in await google.aio.models.generate_content_stream(model=model, contents=PROMPT)]
            await google.aio.aclose()
            metadata = parts[-1].usage_metadata
            assert metadata is not None
            out = (metadata.candidates_token_count or 0) + (metadata.thoughts_token_count or 0)
            told = (metadata.prompt_token_count or 0, metadata.cached_content_token_count or 0, out)
            return "".join(part.text or "" for part in parts), told


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
async def test_the_vendors_own_sdk_reads_every_upstream_and_is_told_what_is_billed(client: Surface, stream: bool, tmp_path: Path) -> None:
    async with stage(tmp_path, edit=chat_only) as s:
        for model in [model for surface, model in CELLS if surface is client]:
            s.script = serve(UPSTREAMS[model])
            before = await s.spent()
            text, tokens = await by_sdk(s, client, model, stream=stream)
            assert text == "Good day"
            row = (await s.usage())[0]
            prompt = sum(row[name] for name in ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"))
            assert tokens == (prompt, row["cache_read_tokens"], row["output_tokens"])
            assert (row["model"], row["surface"], row["estimated"]) == (model, client, False)
            assert row["cost_micro_usd"] == await s.spent() - before > 0
            target = TARGETS[model] if not stream else TARGETS[model].replace(":generateContent", ":streamGenerateContent?alt=sse")
            assert s.calls[-1].target == target


def by_raw(client: Surface, model: str, *, stream: bool = True, **more: Any) -> tuple[str, dict[str, Any], dict[str, str]]:
    path, body, headers = request(client, stream=stream, **more)
    if client is Surface.GEMINI:
        return path.replace("gemini-3-1-pro", model), body, headers
    return path, {**body, "model": model}, headers


async def ask(s: Stage, client: Surface, model: str, *, stream: bool = True, **more: Any) -> Answer:
    path, body, headers = by_raw(client, model, stream=stream, **more)
    return await s.post(path, body, **headers)


WORDS = {
    Surface.CHAT: b'"error":{',
    Surface.RESPONSES: b"event: response.failed",
    Surface.MESSAGES: b"event: error",
    Surface.GEMINI: b'"error":{',
}
ENDS = {
    Surface.CHAT: b'"finish_reason":"stop"',
    Surface.RESPONSES: b"response.completed",
    Surface.MESSAGES: b"message_stop",
    Surface.GEMINI: b'"finishReason"',
}


@pytest.mark.parametrize("how", ["truncated", "reset", "error"])
@pytest.mark.parametrize(("client", "model"), CELLS)
async def test_a_stream_that_breaks_says_so_in_the_callers_words_and_costs_nothing(
    client: Surface, model: str, how: str, tmp_path: Path
) -> None:
    surface = UPSTREAMS[model]
    cut = {Surface.CHAT: 2, Surface.RESPONSES: 2, Surface.MESSAGES: 4, Surface.GEMINI: 1}[surface]
    error: dict[str, Any] = {"message": "tired", "type": "overloaded_error", "code": 503, "status": "UNAVAILABLE"}

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface][:cut]:
            await call.chunk(event)
        await told.wait()
        if how == "truncated":
            await call.end()
        elif how == "reset":
            call.reset()
        else:
            name = {Surface.MESSAGES: "error", Surface.RESPONSES: "error"}.get(surface)
            await call.chunk(frame({"type": "error", "message": "tired", "error": error}, name))
            await call.end()

    told = asyncio.Event()
    async with stage(tmp_path, script, edit=chat_only) as s:
        c = await s.client()
        path, body, headers = by_raw(client, model)
        c.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
        status, _ = await c.head()
        assert status == 200
        text = b""
        while b"Good" not in text:
            text += await c.chunk()
        told.set()
        while chunk := await c.chunk():
            text += chunk
        c.close()
        assert WORDS[client] in text
        assert ENDS[client] not in text
        assert await s.spent() == 0


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_error_before_the_first_byte_is_in_the_callers_envelope(client: Surface, tmp_path: Path) -> None:
    """translation.md 3.12."""
    async with stage(tmp_path) as s:
        model = "claude-sonnet-4-6" if client is not Surface.MESSAGES else "gpt-5-5"
        for vendor, shown, status_word in (
            (400, 400, "INVALID_ARGUMENT"),
            (401, 502, "UNAVAILABLE"),
            (402, 503, "UNAVAILABLE"),
            (403, 502, "UNAVAILABLE"),
            (413, 413, "INVALID_ARGUMENT"),
            (422, 400, "INVALID_ARGUMENT"),
            (429, 429, "RESOURCE_EXHAUSTED"),
            (500, 502, "UNAVAILABLE"),
            (529, 503, "UNAVAILABLE"),
        ):

            async def script(call: Upstream, status: int = vendor) -> None:
                text = b'{"type":"error","error":{"type":"x","message":"Account acct-7 of sk-up is not well."}}'
                await call.answer(text, status, "retry-after: 7")

            s.script = script
            answer = await ask(s, client, model)
            assert answer.status == shown, answer
            assert answer.header("x-request-id")
            assert answer.header("retry-after") == "7"
            error = answer.json()["error"]
            assert ("acct-7" in error["message"]) == (vendor not in (401, 402, 403, 429))
            if client is Surface.GEMINI:
                assert error["status"] == status_word
        assert await s.spent() == 0


async def test_a_200_that_is_an_error_or_no_json_is_none(tmp_path: Path) -> None:
    async def html(call: Upstream) -> None:
        await call.answer(b"<html>", kind="text/html")

    async def error(call: Upstream) -> None:
        await call.answer(b'{"type":"error","error":{"type":"overloaded_error","message":"tired"}}')

    async with stage(tmp_path) as s:
        for script, status in ((html, 502), (error, 503)):
            s.script = script
            for stream in (False, True):
                assert (await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=stream)).status == status
        assert await s.spent() == 0


@pytest.mark.parametrize(("client", "model"), CELLS)
async def test_a_caller_that_leaves_ends_the_upstream_and_pays_for_what_it_had(client: Surface, model: str, tmp_path: Path) -> None:
    surface = UPSTREAMS[model]
    cut = {Surface.CHAT: 2, Surface.RESPONSES: 2, Surface.MESSAGES: 4, Surface.GEMINI: 1}[surface]

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface][:cut]:
            await call.chunk(event)
        await call.aborted.wait()
        aborted.set()

    aborted = asyncio.Event()
    async with stage(tmp_path, script, edit=chat_only) as s:
        c = await s.client()
        path, body, headers = by_raw(client, model)
        c.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
        await c.head()
        text = b""
        while b"Good" not in text:
            text += await c.chunk()
        c.reset()
        async with asyncio.timeout(10):
            await aborted.wait()
            while not (rows := await s.usage()):  # noqa: ASYNC110  # the settlement is in another task
                await asyncio.sleep(0.01)
        assert rows[0]["estimated"] is True
        assert rows[0]["output_tokens"] == 2  # "Good ": five bytes


async def test_what_the_upstream_is_not_told_is_said_and_what_it_cannot_be_told_is_refused(tmp_path: Path) -> None:
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        answer = await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=False, seed=7)
        assert answer.status == 200
        assert (answer.header("x-wireproof-losses") or "").startswith("seed (")
        called = len(s.calls)
        refused = await ask(s, Surface.CHAT, "claude-sonnet-4-6", n=2)
        assert (refused.status, refused.json()["error"]["code"], refused.json()["error"]["param"]) == (400, "unsupported_feature", "n")
        malformed = await ask(s, Surface.CHAT, "claude-sonnet-4-6", temperature="hot")
        assert (malformed.status, malformed.json()["error"]["param"]) == (400, "temperature")
        chained = await ask(s, Surface.RESPONSES, "claude-sonnet-4-6", previous_response_id="resp_1")
        assert (chained.status, chained.json()["error"]["param"]) == (400, "previous_response_id")  # C21
        assert len(s.calls) == called


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000])
async def test_a_number_that_nothing_holds_is_the_callers_mistake(number: bytes, tmp_path: Path) -> None:
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        body = b'{"model":"claude-sonnet-4-6","messages":[{"role":"user","content":"x"}],"seed":%b}' % number
        refused = await s.post("/v1/chat/completions", body, s.demo.keys[0])
        assert (refused.status, refused.json()["error"]["type"]) == (400, "invalid_request_error")
        counted = await s.post("/v1/messages/count_tokens", body.replace(b"claude-sonnet-4-6", b"gpt-5-4"), s.demo.keys[0])
        assert counted.status in (400, 404)
        assert not s.calls


async def test_no_header_of_the_callers_reaches_another_protocol(tmp_path: Path) -> None:
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        path, body, _ = by_raw(Surface.CHAT, "claude-sonnet-4-6")
        await s.post(path, body, openai_beta="x", x_stainless_lang="python", openai_organization="org-1")
        (call,) = s.calls
        assert {name for name, _ in call.headers} == {
            *("host", "content-type", "accept", "accept-encoding", "anthropic-version", "x-api-key", "content-length")
        }
        s.script = serve(Surface.RESPONSES)
        path, body, headers = by_raw(Surface.MESSAGES, "gpt-5-5")
        await s.post(path, body, **headers, anthropic_beta="x")
        assert not any(name.startswith("anthropic-") for name, _ in s.calls[-1].headers)


async def test_tokens_are_counted_by_estimate_where_no_vendor_counts(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        body = {"model": "gpt-5-5", "messages": [{"role": "user", "content": "x" * 400}]}
        answer = await s.post("/v1/messages/count_tokens", body, anthropic_version="2023-06-01")
        assert (answer.status, answer.json()) == (200, {"input_tokens": 104})
        assert answer.header("x-wireproof-estimated") == "true"
        assert await s.spent() == 0


async def test_a_gemini_client_without_sse_gets_an_array(tmp_path: Path) -> None:
    """contract:137."""
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        path, body, _ = by_raw(Surface.GEMINI, "claude-sonnet-4-6")
        answer = await s.post(path.replace("?alt=sse", ""), body)
        chunks = answer.json()
        assert (answer.header("content-type") or "").startswith("application/json")
        assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks) == "Good day"


# thoughts and calls: the upstream's bytes and the caller's view are made by the halves of other cells

ASK = Ask(model="m", turns=(Turn(role=Role.USER, items=(ItemText(text=PROMPT),), path="messages[0]"),))
CALLED = TranslatedAnswer(
    id="upstream-1",
    model="m",
    items=(
        Reasoning(text="Hm."),
        ItemText(text="I look."),
        ToolCall(id="call_1", name="look", arguments='{"at":1.0,"way":"\u2028 north"}'),
        ToolCall(id="call_2", name="look", arguments="{}"),
    ),
    stop=Stop.TOOL_CALLS,
    tokens=Tokens(input=20, output=9, cache_read=10),
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
async def test_thoughts_and_parallel_calls_arrive_whole_and_in_order(client: Surface, stream: bool, tmp_path: Path) -> None:
    tool = {"type": "object", "properties": {"at": {"type": "number"}}}
    tools: Any = {
        Surface.CHAT: [{"type": "function", "function": {"name": "look", "parameters": tool}}],
        Surface.RESPONSES: [{"type": "function", "name": "look", "parameters": tool}],
        Surface.MESSAGES: [{"name": "look", "input_schema": tool}],
        Surface.GEMINI: [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": tool}]}],
    }[client]

    async def script(call: Upstream) -> None:
        naming = Naming(id="1", model="m", created=1, stands_for={})
        half = CLIENT_HALVES[surface]
        if not stream:
            await call.answer(json.dumps(half.write_answer(CALLED, ASK, naming, UNSEALED)).encode())
            return
        await call.head()
        text = half.stream_writer(replace(ASK, include_usage=True), naming, UNSEALED).write(events.of(CALLED))
        for at in range(0, len(text), 37):
            await call.chunk(text[at : at + 37])
        await call.end()

    async with stage(tmp_path, script, edit=chat_only) as s:
        for model in [model for asked, model in CELLS if asked is client]:
            surface = UPSTREAMS[model]
            more = {"stream_options": {"include_usage": True}} if client is Surface.CHAT and stream else {}
            answer = await ask(s, client, model, stream=stream, tools=tools, **more)
            assert answer.status == 200, answer
            half = VENDORS[Dialect(client.value)]
            if stream:
                reader = half.stream_reader()
                seen = events.collect((*reader.feed(answer.body), *reader.close()))
            else:
                seen = half.read_answer(answer.json())
            assert isinstance(seen, TranslatedAnswer), seen
            calls = [(item.name, json.loads(item.arguments or "{}")) for item in seen.items if isinstance(item, ToolCall)]
            assert calls == [("look", {"at": 1.0, "way": "\u2028 north"}), ("look", {})]
            assert [type(item) for item in seen.items] == [type(item) for item in CALLED.items]
            assert "".join(item.text for item in seen.items if isinstance(item, Reasoning)) == "Hm."
            assert seen.stop is Stop.TOOL_CALLS
            assert seen.tokens is not None
            assert (seen.tokens.input, seen.tokens.cache_read or 0, seen.tokens.output) == (20, 10, 9)


# structured output


def claude_calls(*pieces: str, stream: bool) -> list[bytes]:
    """Claude calls the tool that stands for the form, with a word before it."""
    if not stream:
        content = [
            {"type": "text", "text": "Here you are:"},
            {"type": "tool_use", "id": "toolu_1", "name": "json_tool_call", "input": json.loads("".join(pieces))},
        ]
        return [json.dumps({**json.loads(MESSAGES_BODY), "content": content, "stop_reason": "tool_use"}).encode()]
    block = {"type": "tool_use", "id": "toolu_1", "name": "json_tool_call", "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}
    return [
        *MESSAGES_STREAM[:6],
        frame({"type": "content_block_start", "index": 1, "content_block": block}, "content_block_start"),
        *(frame({"type": "content_block_delta", "index": 1, "delta": delta}, "content_block_delta") for delta in deltas),
        frame({"type": "content_block_stop", "index": 1}, "content_block_stop"),
        frame(end, "message_delta"),
        MESSAGES_STREAM[-1],
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_form_is_a_forced_tool_where_the_model_has_no_other_way(stream: bool, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        if not stream:
            await call.answer(claude_calls(*pieces, stream=False)[0])
            return
        await call.head()
        for event in claude_calls(*pieces, stream=True):
            await call.chunk(event)
        await call.end()

    form = {"type": "json_schema", "json_schema": {"name": "box", "schema": SCHEMA}}
    async with stage(tmp_path, script, edit=without_schema) as s:
        pieces: tuple[str, ...] = ('{"size"', ": 4}")
        answer = await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=stream, response_format=form)
        assert answer.status == 200
        sent = json.loads(s.calls[-1].body)
        assert (sent["tools"][0]["name"], sent["tool_choice"]["type"], sent["tool_choice"]["name"]) == (
            "json_tool_call",
            "tool",
            "json_tool_call",
        )
        if stream:
            chunks = [json.loads(line[6:]) for line in answer.body.decode().split("\n\n") if line.startswith("data: {")]
            text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
            assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "stop"
            assert not any("tool_calls" in chunk["choices"][0]["delta"] for chunk in chunks)
        else:
            (choice,) = answer.json()["choices"]
            text = choice["message"]["content"]
            assert (choice["finish_reason"], choice["message"].get("tool_calls")) == ("stop", None)
        assert json.loads(text) == {"size": 4}
        paid = await s.spent()
        assert paid > 0
        pieces = ('{"size": 2}',)
        wrong = await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=stream, response_format=form)
        assert b'"error"' in wrong.body
        assert b'"finish_reason":"stop"' not in wrong.body
        assert stream or (wrong.status, wrong.json()["error"]["code"]) == (502, "bad_upstream")
        assert await s.spent() == paid


async def test_the_vendors_own_mechanism_is_judged_too(tmp_path: Path) -> None:
    async with stage(tmp_path, serve(Surface.MESSAGES)) as s:
        form = {"type": "json_schema", "json_schema": {"name": "box", "schema": SCHEMA}}
        answer = await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=False, response_format=form)
        assert answer.status == 502
        assert "output_config" in json.loads(s.calls[-1].body)
        broken = await ask(
            s, Surface.CHAT, "claude-sonnet-4-6", response_format={**form, "json_schema": {"name": "x", "schema": {"type": 7}}}
        )
        assert broken.status == 400
        assert await s.spent() == 0


# thoughts


async def test_a_plain_chat_client_keeps_claudes_thoughts(tmp_path: Path) -> None:
    """The signature is kept by the call's id, for the key that asked, and comes back before the call (translation.md 3.10)."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
    call_block = {"type": "tool_use", "id": "toolu_9", "name": "look", "input": {"at": 1}}
    answered = {**json.loads(MESSAGES_BODY), "content": [thought, call_block], "stop_reason": "tool_use"}

    async def script(call: Upstream) -> None:
        await call.answer(json.dumps(answered).encode())

    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    async with stage(tmp_path, script) as s:
        first = await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=False, tools=tools, reasoning_effort="high")
        (call,) = first.json()["choices"][0]["message"]["tool_calls"]
        history = [
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "a cat"},
        ]
        more: dict[str, Any] = {"tools": tools, "reasoning_effort": "high", "messages": history}
        await ask(s, Surface.CHAT, "claude-sonnet-4-6", stream=False, **more)
        sent = json.loads(s.calls[-1].body)["messages"][1]["content"]
        assert sent == [thought, call_block]
        path, body, _ = by_raw(Surface.CHAT, "claude-sonnet-4-6", stream=False, **more)
        await s.post(path, body, s.demo.keys[1])
        assert json.loads(s.calls[-1].body)["messages"][1]["content"] == [call_block]
        s.script = serve(Surface.GEMINI)
        await ask(s, Surface.CHAT, "gemini-3-1-pro", stream=False, **more)
        assert b"c2lnbmVk" not in s.calls[-1].body


# several channels


async def test_a_native_channel_comes_first_and_one_of_another_kind_steps_in(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        if call.target == "/v1/messages":
            await serve(Surface.MESSAGES)(call)
        elif failing:
            await call.answer(b'{"error":{"message":"tired"}}', 500)
        else:
            await serve(Surface.CHAT)(call)

    def edit(text: str) -> str:
        return text.replace('"claude-haiku-4-5"]\n', '"claude-haiku-4-5", "gpt-5-5"]\n', 1)

    async with stage(tmp_path, script, edit=edit) as s:
        failing = False
        for _ in range(3):
            assert (await ask(s, Surface.CHAT, "gpt-5-5", stream=False)).json()["choices"][0]["message"]["content"] == "Good day"
        assert {call.target for call in s.calls} == {"/v1/chat/completions"}
        failing = True
        answer = await ask(s, Surface.CHAT, "gpt-5-5", stream=False)
        assert answer.status == 200
        assert answer.json()["choices"][0]["message"]["content"] == "Good day"
        assert [call.target for call in s.calls[-2:]] == ["/v1/chat/completions", "/v1/messages"]
        shown = await ask(s, Surface.CHAT, "gpt-5-5", stream=False, n=2)  # which Claude cannot be asked
        assert (shown.status, shown.json()["error"]["message"]) == (500, "tired")


async def test_each_read_of_a_translated_stream_arrives_before_the_next_is_sent(tmp_path: Path) -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(call: Upstream) -> None:
        await call.head()
        await call.chunk(chat_chunk({"role": "assistant", "content": ""}))
        for word in ("one ", "two ", "three"):
            await call.chunk(chat_chunk({"content": word}))
            while word.encode() not in await arrived.get():
                pass
        for event in STREAMS[Surface.CHAT][3:]:
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script, edit=chat_only) as s:
        c = await s.client()
        path, body, headers = by_raw(Surface.MESSAGES, "gpt-5-4")
        c.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
        await c.head()
        while chunk := await c.chunk():
            arrived.put_nowait(chunk)
        c.close()
        assert len(await s.usage()) == 1
