"""DeepSeek's dialect of chat: what it is told otherwise than OpenAI, and what it says otherwise."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reference_gateway.tests.translation.chat import made
from reference_gateway.tests.translation.chat.test_answer_in import DONE, body, chunk
from reference_gateway.tests.translation.chat.test_request_out import CALL, CLEAN, PNG, ask, assistant, result, turn, user
from reference_gateway.translation.chat import deepseek
from reference_gateway.translation.chat.deepseek import StreamReader, read_answer, write_request
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import (
    Answer,
    Broken,
    Choice,
    Document,
    Effort,
    Inline,
    JsonObject,
    JsonSchema,
    Maker,
    Named,
    Reasoning,
    Refused,
    Role,
    Text,
    Thinking,
    Tokens,
    Tool,
    Unsupported,
)

V4 = Upstream(model="deepseek-v4-pro", max_output_tokens=64_000, family="deepseek", vision=False, native_json_schema=False)


def test_content_is_text_and_the_cap_has_its_older_name() -> None:
    plain = Document(source=Inline(media_type="text/plain", base64=base64.b64encode(b"c").decode()))
    said = ask(
        user(Text(text="a"), Text(text="b"), plain),
        turn(Role.SYSTEM, Text(text="later")),
        assistant(Text(text="c"), Text(text="d"), Refused(text="e"), CALL),
        user(result("toolu_1", Text(text="f"), Text(text="g"))),
        system=(Text(text="s"), Text(text="t")),
        max_output_tokens=7,
        stream=True,
    )
    assert write_request(said, V4).body == {
        "model": "deepseek-v4-pro",
        "messages": [
            {"role": "system", "content": "s\n\nt"},
            {"role": "user", "content": "a\n\nb\n\nc"},
            {"role": "system", "content": "later"},
            {
                "role": "assistant",
                "content": "cde",
                "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}}],
                "reasoning_content": "",
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "f\ng"},
        ],
        "max_tokens": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_its_thoughts_go_back_with_calls_and_nobody_elses_do() -> None:
    thoughts = (
        Reasoning(text="a"),
        Reasoning(text="b", maker=Maker.DEEPSEEK),
        Reasoning(text="foreign", signature="s", maker=Maker.ANTHROPIC),
    )
    found = write_request(ask(assistant(*thoughts, CALL), user(result("toolu_1")), assistant(*thoughts, Text(text="x"))), V4)
    assert found.body["messages"][0]["reasoning_content"] == "ab"
    assert "reasoning_content" not in found.body["messages"][2]
    assert "foreign" not in str(found.body)
    assert len(found.losses) == 1


@pytest.mark.parametrize(
    ("effort", "members"),
    [
        (Effort.NONE, {"thinking": {"type": "disabled"}}),
        (Effort.LOW, {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        (Effort.MEDIUM, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        (Effort.MAX, {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
    ],
)
def test_thinking_has_a_switch(effort: Effort, members: dict[str, Any]) -> None:
    found = write_request(ask(thinking=Thinking(effort=effort)), V4).body
    assert {name: found[name] for name in found if name not in ("model", "messages")} == members
    assert set(write_request(ask(), V4).body) == {"model", "messages"}


def test_json_without_a_schema() -> None:
    found = write_request(ask(output=JsonSchema(schema=CLEAN)), V4)
    assert found.body["response_format"] == {"type": "json_object"}
    assert '"additionalProperties":false' in found.body["messages"][0]["content"]
    assert found.body["messages"][0]["role"] == "system"
    assert [loss.path for loss in found.losses] == ["output"]
    assert "JSON" in write_request(ask(output=JsonObject()), V4).body["messages"][0]["content"]


def test_what_it_does_not_know_is_told_as_lost() -> None:
    found = write_request(
        ask(
            tools=(Tool(name="f", strict=True), Tool(name="g"), Tool(name="h")),
            tool_choice=Named(names=("f", "g")),
            parallel_tool_calls=False,
            seed=1,
            user="u",
            service_tier="flex",
            prompt_cache_key="k",
            temperature=0.5,
        ),
        V4,
    )
    assert [tool["function"] for tool in found.body["tools"]] == [
        {"name": "f", "parameters": {"type": "object", "properties": {}}},
        {"name": "g", "parameters": {"type": "object", "properties": {}}},
    ]
    assert found.body["tool_choice"] == Choice.REQUIRED
    assert set(found.body) == {"model", "messages", "tools", "tool_choice", "temperature"}
    assert {loss.path for loss in found.losses} == {"tools", "parallel_tool_calls", "seed", "user", "service_tier", "prompt_cache_key"}
    with pytest.raises(Unsupported):
        write_request(ask(user(PNG)), V4)


USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 9,
    "prompt_cache_hit_tokens": 64,
    "prompt_cache_miss_tokens": 36,
    "completion_tokens_details": {"reasoning_tokens": 4},
}
TOKENS = Tokens(input=36, output=9, cache_read=64, reasoning=4)


def test_hits_and_misses_are_the_prompt() -> None:
    for usage in (USAGE, {name: value for name, value in USAGE.items() if name != "prompt_tokens"}):
        whole = read_answer(body({"content": "x", "reasoning_content": "hm"}, usage=usage))
        assert isinstance(whole, Answer)
        assert whole.tokens == TOKENS
        assert whole.items == (Reasoning(text="hm"), Text(text="x"))


def test_a_stream_with_keep_alives_and_usage_on_its_last_choice() -> None:
    found = made.read(
        b": keep-alive\n\n: keep-alive\n\n\n",
        chunk({"role": "assistant", "content": None, "reasoning_content": ""}, usage=None),
        chunk({"content": None, "reasoning_content": "hm"}),
        chunk({"content": "x", "reasoning_content": None}),
        chunk({"content": "", "reasoning_content": None}, "stop", usage=USAGE),
        DONE,
        reader=StreamReader(),
    )
    answer = made.answer_of(found)
    assert isinstance(answer, Answer)
    assert (answer.items, answer.tokens) == ((Reasoning(text="hm"), Text(text="x")), TOKENS)


def test_a_machine_short_of_resources_is_a_failure() -> None:
    word = "insufficient_system_resource"
    assert read_answer(body({"content": "x"}, word)) == Broken(status=503, message=f"the upstream gave up: {word}", type=word)
    streamed = made.read(chunk({"content": "x"}), chunk(None, word), DONE, reader=deepseek.StreamReader())
    assert isinstance(streamed[-1], Broken)
    assert streamed[-1].status == 503
