"""A chat client's request: what each member comes to, what is told as lost, and what is refused, with its path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from reference_gateway.tests.translation.chat import made
from reference_gateway.tests.translation.chat.made import HELLO, NAMING, asked, asked_of
from reference_gateway.translation.chat import losses
from reference_gateway.translation.chat.answer_out import write_answer
from reference_gateway.translation.items import (
    Answer,
    CacheTtl,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    JsonObject,
    JsonSchema,
    Link,
    Maker,
    Malformed,
    Named,
    Reasoning,
    Refused,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
)
from reference_gateway.translation.losses import Rule

PNG = "data:image/png;base64,AAAA"
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def calling(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [CALL | {"id": each} for each in ids]}


def result(call_id: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


# messages


def test_messages_become_turns_and_the_first_systems_the_system() -> None:
    ask = asked_of(
        {
            "role": "system",
            "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}],
        },
        {"role": "developer", "content": "c"},
        HELLO,
        {"role": "assistant", "content": [{"type": "text", "text": "Hi"}, {"type": "refusal", "refusal": "no"}]},
        {"role": "system", "content": "later"},
        {"role": "user", "content": "Bye"},
    )
    assert ask.system == (Text(text="a", cache=CacheTtl.FIVE_MINUTES), Text(text="b"), Text(text="c"))
    assert ask.turns == (
        Turn(role=Role.USER, items=(Text(text="Hello"),), path="messages[2]"),
        Turn(role=Role.ASSISTANT, items=(Text(text="Hi"), Refused(text="no")), path="messages[3]"),
        Turn(role=Role.SYSTEM, items=(Text(text="later"),), path="messages[4]"),
        Turn(role=Role.USER, items=(Text(text="Bye"),), path="messages[5]"),
    )
    assert ask.losses == ()


def test_parts() -> None:
    ask = asked_of(
        user(
            {"type": "text", "text": "look", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}, "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
            {"type": "file", "file": {"filename": "b.pdf", "file_data": "CCCC"}},
            {"type": "file", "file": {"file_data": "data:text/csv;charset=utf-8;base64,DDDD"}},
        )
    )
    assert ask.turns[0].items == (
        Text(text="look", cache=CacheTtl.ONE_HOUR),
        Image(source=Inline(media_type="image/png", base64="AAAA"), detail="low"),
        Image(source=Link(url="https://x.example/a.png"), cache=CacheTtl.FIVE_MINUTES),
        Document(source=Inline(media_type="application/pdf", base64="BBBB"), name="a.pdf"),
        Document(source=Inline(media_type="application/pdf", base64="CCCC"), name="b.pdf"),
        Document(source=Inline(media_type="text/csv", base64="DDDD")),
    )


def test_a_mark_on_a_message_is_one_on_its_last_part() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    assert asked_of(HELLO | marked).turns[0].items == (Text(text="Hello", cache=CacheTtl.FIVE_MINUTES),)
    parts = asked_of(user({"type": "text", "text": "a"}, {"type": "text", "text": "b"}) | marked).turns[0].items
    assert parts == (Text(text="a"), Text(text="b", cache=CacheTtl.FIVE_MINUTES))


def test_calls_and_results() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG}}
    ask = asked_of(
        HELLO,
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL, CALL | {"id": "c2"}]},
        result("c2", [{"type": "text", "text": "x"}, image]),
        result("c1"),
        tools=[TOOL],
    )
    call = ToolCall(id="c1", name="f", arguments='{"a": 1.0}')
    assert ask.turns[1].items == (Text(text="I look."), call, ToolCall(id="c2", name="f", arguments='{"a": 1.0}'))
    parts = (Text(text="x"), Image(source=Inline(media_type="image/png", base64="AAAA")))
    assert [(turn.path, turn.items) for turn in ask.turns[2:]] == [
        ("messages[2]", (ToolResult(call_id="c2", parts=parts),)),
        ("messages[3]", (ToolResult(call_id="c1", parts=(Text(text="ok"),)),)),
    ]


@pytest.mark.parametrize("content", [None, ""])
def test_a_message_of_calls_alone_has_no_text(content: str | None) -> None:
    ask = asked_of(HELLO, calling("c1") | {"content": content}, result("c1"))
    assert [type(item) for item in ask.turns[1].items] == [ToolCall]


def test_thoughts_are_read_back() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d", "index": 1},
        {"type": "thinking", "thinking": "", "data": "e", "maker": "openai", "id": "rs_1"},
    ]
    said = {"role": "assistant", "content": "x", "reasoning_content": "hm", "thinking_blocks": blocks}
    assert asked_of(HELLO, said).turns[1].items == (
        Reasoning(text="hm", signature="s", maker=Maker.ANTHROPIC),
        Reasoning(opaque="d", maker=Maker.ANTHROPIC),
        Reasoning(opaque="e", maker=Maker.OPENAI, id="rs_1"),
        Text(text="x"),
    )
    assert asked_of(HELLO, said | {"thinking_blocks": None}).turns[1].items[0] == Reasoning(text="hm")


def test_a_signature_of_gemini_is_read_back() -> None:
    signed = CALL | {"extra_content": {"google": {"thought_signature": "sig"}}}
    call = asked_of(HELLO, {"role": "assistant", "tool_calls": [signed]}, result("c1")).turns[1].items[0]
    assert call == ToolCall(id="c1", name="f", arguments='{"a": 1.0}', signature="sig", maker=Maker.GEMINI)


def test_what_the_sdk_adds_when_it_sends_a_message_back_is_no_loss() -> None:
    dumped: dict[str, Any] = {"annotations": [], "audio": None, "function_call": None, "refusal": None}
    assert asked_of(HELLO, {"role": "assistant", "content": "x", **dumped}).losses == ()


def test_deprecated_functions() -> None:
    ask = asked_of(
        HELLO,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "ok"},
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    assert ask.tools == (Tool(name="f", schema={"type": "object"}),)
    assert ask.tool_choice == Named(names=("f",))
    assert ask.parallel_tool_calls is False
    assert ask.echo == {"functions": True}
    assert ask.where("tools") == "functions"
    assert ask.turns[1].items == (ToolCall(id="call_1", name="f", arguments="{}"),)
    assert ask.turns[2].items == (ToolResult(call_id="call_1", parts=(Text(text="ok"),)),)
    assert ask.losses == ()
    assert asked(functions=[{"name": "f"}], function_call="none").tool_choice is Choice.NONE


# members


def test_members_that_are_kept() -> None:
    ask = asked(
        stream=True,
        max_completion_tokens=5,
        max_tokens=9,
        temperature=1,
        top_p=0.5,
        stop="x",
        seed=7,
        presence_penalty=-1,
        frequency_penalty=1.5,
        user="u",
        safety_identifier="s",
        service_tier="flex",
        prompt_cache_key="k",
        stream_options={"include_usage": True},
        n=1,
        modalities=["text"],
        logprobs=False,
        store=False,
        metadata=None,
        logit_bias={},
    )
    assert (ask.max_output_tokens, ask.temperature, ask.top_p, ask.stop, ask.seed) == (5, 1, 0.5, ("x",), 7)
    assert (ask.presence_penalty, ask.frequency_penalty, ask.user) == (-1, 1.5, "s")
    assert (ask.service_tier, ask.prompt_cache_key, ask.stream, ask.include_usage) == ("flex", "k", True, True)
    assert ask.losses == ()
    assert ask.where("max_output_tokens") == "max_completion_tokens"
    older = asked(max_tokens=9)
    assert (older.max_output_tokens, older.where("max_output_tokens")) == (9, "max_tokens")
    assert asked().temperature is None


def test_tools() -> None:
    ask = asked(
        tools=[TOOL | {"cache_control": {"type": "ephemeral"}}, {"type": "function", "function": {"name": "g"}}], parallel_tool_calls=False
    )
    assert ask.tools == (
        Tool(name="f", description="d", schema={"type": "object"}, strict=True, cache=CacheTtl.FIVE_MINUTES),
        Tool(name="g"),
    )
    assert ask.parallel_tool_calls is False


@pytest.mark.parametrize(
    ("choice", "expected", "tools"),
    [
        (None, None, "fg"),
        ("auto", Choice.AUTO, "fg"),
        ("none", Choice.NONE, "fg"),
        ("required", Choice.REQUIRED, "fg"),
        ({"type": "function", "function": {"name": "g"}}, Named(names=("g",)), "fg"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]}},
            Choice.AUTO,
            "g",
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}},
            Choice.REQUIRED,
            "f",
        ),
    ],
)
def test_choices(choice: Any, expected: Any, tools: str) -> None:
    ask = asked(tools=[{"type": "function", "function": {"name": name}} for name in "fg"], tool_choice=choice)
    assert ask.tool_choice == expected
    assert "".join(tool.name for tool in ask.tools) == tools


def test_a_choice_without_tools_chooses_nothing() -> None:
    assert asked(tool_choice="auto").tool_choice is None
    assert asked(tool_choice="none").tool_choice is None


@pytest.mark.parametrize(
    ("given_format", "output"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonObject()),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"}},
            JsonSchema(name="n", schema={"type": "object"}, strict=True, description="d"),
        ),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, JsonSchema(name="n", schema={})),
    ],
)
def test_response_formats(given_format: Any, output: Any) -> None:
    assert asked(response_format=given_format).output == output


@pytest.mark.parametrize(
    ("members", "thinking"),
    [
        ({}, None),
        ({"reasoning_effort": "low"}, Thinking(effort=Effort.LOW)),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, Thinking(effort=Effort.NONE)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Thinking(budget_tokens=2000)),
        ({"thinking": {"type": "enabled"}}, Thinking(adaptive=True)),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, Thinking(effort=Effort.MAX)),
        ({"thinking": {"type": "adaptive"}}, Thinking(adaptive=True)),
    ],
)
def test_thinking(members: dict[str, Any], thinking: Thinking | None) -> None:
    assert asked(**members).thinking == thinking


# losses


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"store": True}, "store"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"verbosity": "low"}, "verbosity"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
        ({"prompt_cache_options": {"mode": "explicit"}}, "prompt_cache_options"),
        ({"stream_options": {"include_obfuscation": True}, "stream": True}, "stream_options.include_obfuscation"),
        ({"messages": [HELLO | {"name": "Ann"}]}, "messages[0].name"),
        ({"messages": [HELLO, {"role": "assistant", "content": "x", "annotations": [{}]}]}, "messages[1].annotations"),
        ({"best_of": 3}, "best_of"),
        ({"messages": [user({"type": "text", "text": "x", "mood": "gay"})]}, "messages[0].content[0].mood"),
        ({"tools": [TOOL | {"eager": True}]}, "tools[0].eager"),
        ({"response_format": {"type": "json_object", "schema": {"a": 1}}}, "response_format.schema"),
    ],
)
def test_what_is_dropped_is_told(members: dict[str, Any], path: str) -> None:
    ask = asked(**members)
    assert [loss.path for loss in ask.losses] == [path]
    assert ask.losses[0].reason


# refusals


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice.type"),
        (
            {"messages": [user({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})]},
            "messages[0].content[0].input_audio",
        ),
        ({"messages": [user({"type": "video_url"})]}, "messages[0].content[0]"),
        ({"messages": [user({"type": "file", "file": {"file_id": "file-1"}})]}, "messages[0].content[0].file.file_id"),
        (
            {"messages": [user({"type": "file", "file": {"file_data": "data:audio/wav;base64,AAAA"}})]},
            "messages[0].content[0].file.file_data",
        ),
        ({"messages": [HELLO, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
        ({"messages": [HELLO, {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}]}, "messages[1].tool_calls[0].type"),
    ],
)
def test_what_would_change_the_meaning_is_refused(members: dict[str, Any], path: str) -> None:
    with pytest.raises(Unsupported) as refused:
        asked(**members)
    assert refused.value.path == path
    assert path in str(refused.value)


def test_every_refused_member_of_the_table_has_its_case() -> None:
    cases = {
        mark.args[1][index][1] for mark in test_what_would_change_the_meaning_is_refused.pytestmark for index in range(len(mark.args[1]))
    }
    plain = {path.replace("[0]", "[]").replace("[1]", "[]") for path in cases} | {"tools[].custom"}
    assert {rule.path for rule in losses.REQUEST_IN if rule.rule is Rule.REFUSED} <= plain


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [user({"type": "text"})]}, "messages[0].content[0].text"),
        ({"messages": [user({"text": "x"})]}, "messages[0].content[0].type"),
        ({"messages": [user({"type": "refusal", "refusal": "x"})]}, "messages[0].content"),
        ({"messages": [user({"type": "image_url", "image_url": PNG})]}, "messages[0].content[0].image_url"),
        ({"messages": [user({"type": "image_url", "image_url": {"url": "ftp://x"}})]}, "messages[0].content[0].image_url.url"),
        ({"messages": [user({"type": "image_url", "image_url": {"url": "data:image/png,abc"}})]}, "messages[0].content[0].image_url.url"),
        ({"messages": [user({"type": "file", "file": {"file_data": "AAAA"}})]}, "messages[0].content[0].file.file_data"),
        ({"messages": [user({"type": "text", "text": "x", "cache_control": {"type": "forever"}})]}, "messages[0].content[0].cache_control"),
        ({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]}, "messages[0].content"),
        ({"messages": [HELLO, {"role": "assistant"}]}, "messages[1].content"),
        (
            {"messages": [HELLO, {"role": "assistant", "content": "x", "thinking_blocks": [{"type": "x"}]}]},
            "messages[1].thinking_blocks[0].type",
        ),
        ({"messages": [HELLO, {"role": "assistant", "tool_calls": [{"type": "function"}]}]}, "messages[1].tool_calls[0].function"),
        (
            {"messages": [HELLO, {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}]}]},
            "messages[1].tool_calls[0].function.arguments",
        ),
        ({"messages": [HELLO, {"role": "assistant", "tool_calls": [CALL | {"id": ""}]}]}, "messages[1].tool_calls[0].id"),
        # results and their calls
        ({"messages": [HELLO, result("c1")]}, "messages[1].tool_call_id"),
        ({"messages": [HELLO, calling("c1"), result("c2")]}, "messages[2].tool_call_id"),
        ({"messages": [HELLO, calling("c1"), result("c1"), result("c1")]}, "messages[3].tool_call_id"),
        ({"messages": [HELLO, calling("c1"), result("c1"), HELLO, result("c1")]}, "messages[4].tool_call_id"),
        ({"messages": [HELLO, calling("c1", "c2"), result("c2"), HELLO]}, "messages[1]"),
        ({"messages": [HELLO, calling("c1")]}, "messages[1]"),
        ({"messages": [HELLO, calling("c1", "c1"), result("c1")]}, "messages[1].tool_calls"),
        ({"messages": [HELLO, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [HELLO, {"role": "function", "name": "f", "content": "x"}]}, "messages[1]"),
        # members
        ({"temperature": 3}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"seed": 1.5}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": [""]}, "stop[0]"),
        ({"stop": 5}, "stop"),
        ({"user": 5}, "user"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice.function.name"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
            "tool_choice.allowed_tools",
        ),
        ({"tools": [TOOL], "tool_choice": {}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "response_format.json_schema.name"),
        ({"reasoning_effort": "hard"}, "reasoning_effort"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"functions": "f"}, "functions"),
        ({"functions": [{"name": "f"}], "function_call": "required"}, "function_call"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name"),
    ],
)
def test_what_is_not_chat_is_malformed(members: dict[str, Any], path: str) -> None:
    with pytest.raises(Malformed) as malformed:
        asked(**members)
    assert malformed.value.path == path
    assert str(malformed.value).endswith(".")


# what the gateway gave comes back


@given(given_answer=made.answers())
def test_a_message_that_the_gateway_wrote_is_read_as_it_was_meant(given_answer: Answer) -> None:
    message = json.loads(json.dumps(write_answer(given_answer, asked(), NAMING)["choices"][0]["message"]))
    results = [result(call["id"]) for call in message.get("tool_calls", [])]
    items = asked_of(HELLO, message, *results).turns[1].items
    proved = [item for item in given_answer.items if isinstance(item, Reasoning) and (item.signature or item.opaque)]
    wanted = made.together(given_answer).items
    thoughts = tuple(proved) or tuple(item for item in wanted if isinstance(item, Reasoning))
    rest = [item for item in wanted if not isinstance(item, Reasoning)]
    assert tuple(item for item in items if isinstance(item, Reasoning)) == thoughts
    said = [item for item in items if not isinstance(item, Reasoning) and item != Text(text="")]
    calls = [(item.id, item.name, item.arguments or "{}", item.signature, item.maker) for item in rest if isinstance(item, ToolCall)]
    assert [(item.id, item.name, item.arguments, item.signature, item.maker) for item in said if isinstance(item, ToolCall)] == calls
    assert [item for item in said if not isinstance(item, ToolCall)] == [item for item in rest if not isinstance(item, ToolCall)]
