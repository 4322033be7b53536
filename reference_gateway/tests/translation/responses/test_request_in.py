"""What a Responses client asks for: each rule of the table has its case, and what is wrong is named by its path."""

from __future__ import annotations

from typing import Any

import pytest

from reference_gateway.translation.items import (
    Ask,
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
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.responses.losses import REQUEST_IN
from reference_gateway.translation.responses.request_in import read_request

F = {"type": "function", "name": "f", "parameters": {"type": "object"}}
G = {"type": "function", "name": "g"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
HI = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}


def asked(**body: Any) -> Ask:
    return read_request({"model": "m", "input": "Hi", **body}, model="m", stream=False)


def turns(*items: dict[str, Any]) -> tuple[Turn, ...]:
    return asked(input=list(items)).turns


def part(**value: Any) -> Any:
    return turns({"role": "user", "content": [value]})[0].items[0]


def test_a_string_is_one_user_message() -> None:
    ask = asked()
    assert ask.turns == (Turn(role=Role.USER, items=(Text(text="Hi"),), path="input"),)
    assert ask.losses == ()


def test_instructions_come_before_the_system_messages_that_come_first() -> None:
    ask = asked(
        instructions="one",
        input=[
            {"role": "developer", "content": "two"},
            {"role": "system", "content": [{"type": "input_text", "text": "three"}]},
            HI,
            {"role": "developer", "content": "four"},
        ],
    )
    assert [text.text for text in ask.system] == ["one", "two", "three"]
    assert ask.turns[1] == Turn(role=Role.SYSTEM, items=(Text(text="four"),), path="input[3]")


def test_what_an_assistant_says_without_a_break_is_one_turn_and_so_are_results() -> None:
    said = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []}, {"type": "refusal", "refusal": "no"}],
    }
    second = {**CALL, "call_id": "call_2", "name": "g", "id": "fc_2", "status": "completed"}
    results: list[dict[str, Any]] = [{**OUTPUT, "call_id": "call_2", "output": [{"type": "input_text", "text": "b"}]}, OUTPUT]
    assert turns(HI, said, CALL, second, *results, HI) == (
        Turn(role=Role.USER, items=(Text(text="Hi"),), path="input[0]"),
        Turn(
            role=Role.ASSISTANT,
            items=(
                Text(text="a"),
                Refused(text="no"),
                ToolCall(id="call_1", name="f", arguments='{"a": 1}'),
                ToolCall(id="call_2", name="g", arguments='{"a": 1}'),
            ),
            path="input[1]",
        ),
        Turn(
            role=Role.USER,
            items=(ToolResult(call_id="call_2", parts=(Text(text="b"),)), ToolResult(call_id="call_1", parts=(Text(text="ok"),))),
            path="input[4]",
        ),
        Turn(role=Role.USER, items=(Text(text="Hi"),), path="input[6]"),
    )


@pytest.mark.parametrize(
    ("value", "item"),
    [
        ({"type": "input_text", "text": ""}, Text(text="")),
        (
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            Text(text="a", cache=CacheTtl.FIVE_MINUTES),
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
            Image(source=Inline(media_type="image/png", base64="aGk="), detail="low"),
        ),
        (
            {
                "type": "input_image",
                "image_url": "https://x/y.png",
                "detail": "auto",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
            },
            Image(source=Link(url="https://x/y.png"), detail="auto", cache=CacheTtl.ONE_HOUR),
        ),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
            Document(source=Inline(media_type="application/pdf", base64="aGk="), name="a.pdf"),
        ),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "aGk="},
            Document(source=Inline(media_type="application/pdf", base64="aGk="), name="a.pdf"),
        ),
        ({"type": "input_file", "file_url": "https://x/y.pdf"}, Document(source=Link(url="https://x/y.pdf"))),
    ],
)
def test_parts(value: dict[str, Any], item: Any) -> None:
    assert part(**value) == item


def test_an_output_may_have_images_and_files() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"}
    file = {"type": "input_file", "file_data": "data:text/plain;base64,aGk="}
    (result,) = turns(HI, CALL, {**OUTPUT, "output": [image, file]})[2].items
    assert isinstance(result, ToolResult)
    assert [each.__class__.__name__ for each in result.parts] == ["Image", "Document"]


def test_thoughts_are_read_back() -> None:
    own = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "gAAAA"}
    bare = {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "b"}]}
    claudes = Reasoning(text="hm", signature="sig", maker=Maker.ANTHROPIC)
    carried: dict[str, Any] = {
        "type": "reasoning",
        "id": "rs_3",
        "summary": [],
        "encrypted_content": sealed.close(sealed.UNSEALED, claudes),
    }
    proof = sealed.close_call(sealed.UNSEALED, Maker.GEMINI, "sig")
    of_call: dict[str, Any] = {"type": "reasoning", "id": "rs_4", "summary": [], "encrypted_content": proof}
    assert turns(HI, own, bare, carried, of_call, CALL, OUTPUT)[1].items == (
        Reasoning(text="a", opaque="gAAAA", maker=Maker.OPENAI, id="rs_1"),
        Reasoning(text="b"),
        claudes,
        ToolCall(id="call_1", name="f", arguments='{"a": 1}', signature="sig", maker=Maker.GEMINI),
    )
    ask = asked(input=[HI, of_call, HI])
    assert len(ask.turns) == 2
    assert [loss.path for loss in ask.losses] == ["input[1]"]


def test_tools_and_the_choice_among_them() -> None:
    ask = asked(tools=[F, {**G, "description": "d", "strict": False}], tool_choice="required", parallel_tool_calls=False)
    assert ask.tools == (Tool(name="f", schema={"type": "object"}), Tool(name="g", description="d", strict=False))
    assert (ask.tool_choice, ask.parallel_tool_calls) == (Choice.REQUIRED, False)
    assert asked(tools=[F], tool_choice={"type": "function", "name": "f"}).tool_choice == Named(names=("f",))
    allowed = {"type": "allowed_tools", "tools": [{"type": "function", "name": "g"}]}
    assert asked(tools=[F, G], tool_choice={**allowed, "mode": "required"}).tool_choice == Named(names=("g",))
    ask = asked(tools=[F, G], tool_choice={**allowed, "mode": "auto"})
    assert ([tool.name for tool in ask.tools], ask.tool_choice) == (["g"], Choice.AUTO)
    assert len(ask.echo["tools"]) == 2
    ask = asked(tools=[], tool_choice="auto", parallel_tool_calls=True)
    assert (ask.tool_choice, ask.parallel_tool_calls) == (None, None)


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ({}, None),
        ({"text": {"format": {"type": "text"}}}, None),
        ({"text": {"format": {"type": "json_object"}}}, JsonObject()),
        ({"text": {"format": FORMAT}}, JsonSchema(schema=SCHEMA, name="n", strict=True)),
        ({"response_format": FORMAT}, JsonSchema(schema=SCHEMA, name="n", strict=True)),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
            JsonSchema(schema=SCHEMA, name="n", strict=True),
        ),
        ({"response_format": FORMAT, "text": {"format": FORMAT}}, JsonSchema(schema=SCHEMA, name="n", strict=True)),
    ],
)
def test_c18_the_format_by_either_name(body: dict[str, Any], output: Any) -> None:
    ask = asked(**body)
    assert ask.output == output
    assert ask.losses == ()
    assert ask.where("output") == ("response_format" if list(body) == ["response_format"] else "text.format")


def test_thinking() -> None:
    assert asked(reasoning={}).thinking is None
    assert asked(reasoning={"effort": None}).thinking is None
    assert asked(reasoning={"effort": "none"}).thinking == Thinking(effort=Effort.NONE)
    assert asked(reasoning={"effort": "high", "summary": "auto"}).thinking == Thinking(effort=Effort.HIGH, show=True)
    assert asked(reasoning={"generate_summary": "concise"}).thinking == Thinking(show=True)


def test_the_rest() -> None:
    ask = asked(
        max_output_tokens=100,
        temperature=0.5,
        top_p=1,
        user="u",
        safety_identifier="s",
        service_tier="flex",
        prompt_cache_key="k",
        include=["reasoning.encrypted_content"],
        store=False,
        background=False,
        previous_response_id=None,
        metadata={"a": "b"},
        max_tool_calls=3,
        top_logprobs=0,
        stream_options={"include_obfuscation": False},
    )
    assert (ask.max_output_tokens, ask.temperature, ask.top_p) == (100, 0.5, 1)
    assert (ask.user, ask.where("user")) == ("s", "safety_identifier")
    assert (ask.service_tier, ask.prompt_cache_key) == ("flex", "k")
    assert ask.losses == ()
    assert asked(user="u").where("user") == "user"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"store": True}, "store"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
        ({"include": ["file_search_call.results"]}, "include[0]"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"never_heard_of": 1}, "never_heard_of"),
        ({"tools": [{**F, "output_schema": {"type": "object"}}]}, "tools[0].output_schema"),
        ({"input": [{**HI, "phase": "commentary"}]}, "input[0].phase"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a", "strange": 1}]}]}, "input[0].content[0].strange"),
        (
            {
                "input": [
                    HI,
                    {"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}]}]},
                ]
            },
            "input[1].content[0].annotations",
        ),
    ],
)
def test_what_is_dropped_is_told(body: dict[str, Any], path: str) -> None:
    assert [loss.path for loss in asked(**body).losses] == [path]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"tools": [F, {"type": "web_search"}]}, "tools[1].type"),
        ({"tools": [{"type": "custom", "name": "x"}]}, "tools[0].type"),
        ({"tools": [{**F, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [F], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"input": [HI, {"type": "item_reference", "id": "msg_1"}]}, "input[1]"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]}, "input[0].content[0].file_id"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "data:audio/mpeg;base64,aGk="}]}]},
            "input[0].content[0].file_data",
        ),
    ],
)
def test_what_is_refused_is_named(body: dict[str, Any], path: str) -> None:
    with pytest.raises(Unsupported) as refused:
        asked(**body)
    assert refused.value.path == path
    assert str(refused.value).startswith(path)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "developer", "content": "a"}]}, "input"),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
        ({"input": [{"type": 5}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"text": "a"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "ftp://x"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,a"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "aGk="}]}]}, "input[0].content[0].file_data"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": "https://x"}]}]},
            "input[0].content",
        ),
        ({"input": [HI, OUTPUT]}, "input[1].call_id"),
        ({"input": [HI, CALL]}, "input[1]"),
        ({"input": [HI, CALL, OUTPUT, OUTPUT]}, "input[3].call_id"),
        ({"input": [HI, CALL, CALL, OUTPUT]}, "input[2].call_id"),
        ({"input": [HI, CALL, HI, {"role": "assistant", "content": "a"}, OUTPUT]}, "input[1]"),
        ({"input": [HI, {**CALL, "call_id": None}, OUTPUT]}, "input[1].call_id"),
        ({"input": [HI, {**CALL, "name": ""}, OUTPUT]}, "input[1].name"),
        ({"input": [HI, {**CALL, "arguments": {}}, OUTPUT]}, "input[1].arguments"),
        ({"input": [HI, {"type": "reasoning", "summary": [{"type": "text", "text": "a"}]}]}, "input[1].summary[0].type"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name"),
        ({"tools": [F, F]}, "tools"),
        ({"tools": [{**F, "strict": "yes"}]}, "tools[0].strict"),
        ({"tools": [F], "tool_choice": "f"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [F], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice.name"),
        ({"tools": [F], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": FORMAT}, "response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"metadata": [1]}, "metadata"),
        ({"instructions": 5}, "instructions"),
        ({"include": "reasoning.encrypted_content"}, "include"),
        ({"parallel_tool_calls": 1, "tools": [F]}, "parallel_tool_calls"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], path: str) -> None:
    with pytest.raises(Malformed) as wrong:
        asked(**body)
    assert wrong.value.path == path
    assert str(wrong.value).endswith(".")


def test_every_member_that_is_refused_or_dropped_has_its_rule_once() -> None:
    paths = [rule.path for rule in REQUEST_IN]
    assert len(set(paths)) == len(paths)
    for rule in REQUEST_IN:
        if "." not in rule.path and "[" not in rule.path and rule.rule is Rule.REFUSED:
            with pytest.raises(Unsupported) as refused:
                asked(**{rule.path: 1})
            assert refused.value.path == rule.path
