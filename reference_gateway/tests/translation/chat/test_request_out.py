"""An ask as a chat upstream gets it: each field's case, the order of results, and what the official SDK's request types accept."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolChoiceOptionParam, ChatCompletionToolUnionParam
from openai.types.chat.completion_create_params import ResponseFormat
from pydantic import TypeAdapter

from reference_gateway.tests.translation.chat import made
from reference_gateway.tests.translation.chat.made import GPT, asked_of
from reference_gateway.translation.chat import losses
from reference_gateway.translation.chat.request_out import write_request
from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.items import (
    Ask,
    CacheTtl,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    Item,
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

PNG = Image(source=Inline(media_type="image/png", base64="AAAA"))
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PDF = Document(source=Inline(media_type="application/pdf", base64="BBBB"), name="a.pdf")
TXT = Document(source=Inline(media_type="text/plain", base64=base64.b64encode("Zürich".encode()).decode()))
CALL = ToolCall(id="toolu_1", name="f", arguments='{"a": 1.0}')
PLAIN = replace(GPT, thinking=False)
NO_SAMPLING = replace(GPT, sampling=False)


def turn(role: Role, *items: Item, path: str = "messages[9]") -> Turn:
    return Turn(role=role, items=items, path=path)


def user(*items: Item) -> Turn:
    return turn(Role.USER, *items)


def assistant(*items: Item) -> Turn:
    return turn(Role.ASSISTANT, *items)


def result(call_id: str, *parts: Any, is_error: bool = False) -> ToolResult:
    return ToolResult(call_id=call_id, parts=parts or (Text(text="ok"),), is_error=is_error)


def ask(*turns: Turn, **members: Any) -> Ask:
    return Ask(model="m", turns=turns or (user(Text(text="Hello")),), **members)


def written(given_ask: Ask, upstream: Upstream = GPT) -> Written:
    found = write_request(given_ask, upstream)
    accepted(found.body)
    return found


def body(given_ask: Ask, upstream: Upstream = GPT) -> dict[str, Any]:
    return written(given_ask, upstream).body


def messages(*turns: Turn, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(ask(*turns, **members))["messages"]
    return found


MESSAGE = TypeAdapter(ChatCompletionMessageParam)
TOOL = TypeAdapter(ChatCompletionToolUnionParam)
CHOICE = TypeAdapter(ChatCompletionToolChoiceOptionParam)
FORMAT = TypeAdapter(ResponseFormat)


def accepted(given_body: dict[str, Any]) -> None:
    """By the official SDK's types; lists inside are read to their ends, since pydantic reads an Iterable late."""
    for message in given_body["messages"]:
        found: dict[str, Any] = dict(MESSAGE.validate_python(message))
        for name in ("content", "tool_calls"):
            if not isinstance(found.get(name), str | None):
                list(found[name])
    for tool in given_body.get("tools", ()):
        TOOL.validate_python(tool)
    if "tool_choice" in given_body:
        CHOICE.validate_python(given_body["tool_choice"])
    if "response_format" in given_body:
        FORMAT.validate_python(given_body["response_format"])


# messages


def test_the_system_comes_first_and_is_the_developers_for_a_model_that_thinks() -> None:
    system = (Text(text="a", cache=CacheTtl.FIVE_MINUTES), Text(text="b"))
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert messages(system=system)[0] == {"role": "developer", "content": parts}
    assert body(ask(system=system[1:]), PLAIN)["messages"][0] == {"role": "system", "content": "b"}
    assert messages(user(Text(text="x")), turn(Role.SYSTEM, Text(text="y")))[1] == {"role": "developer", "content": "y"}


def test_a_user_says_one_text_or_parts() -> None:
    assert messages(user(Text(text="x"))) == [{"role": "user", "content": "x"}]
    said = messages(user(Text(text="x"), PNG, replace(PNG, detail="low", source=Link(url="https://x.example/a.png")), PDF, TXT))[0][
        "content"
    ]
    assert said == [
        {"type": "text", "text": "x"},
        PNG_PART,
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
        {"type": "text", "text": "Zürich"},
    ]
    assert messages(user(replace(PDF, name=None)))[0]["content"][0]["file"]["filename"] == "document.pdf"


def test_cache_marks_are_breakpoints_where_the_model_has_them_and_nothing_elsewhere() -> None:
    marked = ask(
        user(Text(text="x", cache=CacheTtl.ONE_HOUR), replace(PNG, cache=CacheTtl.FIVE_MINUTES)),
        system=(Text(text="s", cache=CacheTtl.ONE_HOUR),),
    )
    explicit = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    system, said = body(marked, replace(GPT, cache_breakpoints=True))["messages"]
    assert system["content"] == [{"type": "text", "text": "s", **explicit}]
    assert said["content"] == [{"type": "text", "text": "x", **explicit}, {**PNG_PART, **explicit}]
    plain = written(marked)
    assert "prompt_cache_breakpoint" not in str(plain.body)
    assert plain.losses == ()


def test_an_assistant_says_texts_and_then_calls() -> None:
    found = messages(
        user(Text(text="x")),
        assistant(Text(text="I look."), CALL, ToolCall(id="c2", name="g", arguments="")),
        user(result("toolu_1"), result("c2")),
    )
    assert found[1] == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    assert messages(assistant(CALL), user(result("toolu_1")))[0]["content"] is None
    assert messages(assistant())[0] == {"role": "assistant", "content": ""}
    assert messages(assistant(Text(text="a"), Text(text="b")))[0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    assert messages(assistant(Refused(text="no")))[0] == {"role": "assistant", "content": None, "refusal": "no"}


def test_turns_of_one_assistant_are_one_message() -> None:
    found = messages(
        assistant(Text(text="a")), assistant(CALL), assistant(replace(CALL, id="c2")), user(result("c2")), user(result("toolu_1"))
    )
    assert [message["role"] for message in found] == ["assistant", "tool", "tool"]
    assert [call["id"] for call in found[0]["tool_calls"]] == ["toolu_1", "c2"]
    assert [message["tool_call_id"] for message in found[1:]] == ["toolu_1", "c2"]


def test_thoughts_of_earlier_turns_are_dropped_once_and_never_told_as_text() -> None:
    thoughts = [Reasoning(text="secret", signature="s", maker=Maker.ANTHROPIC), Reasoning(opaque="o", maker=Maker.ANTHROPIC)]
    found = written(ask(assistant(*thoughts, Text(text="x")), user(Text(text="y")), assistant(*thoughts, Text(text="z"))))
    assert "secret" not in str(found.body)
    assert [loss.path for loss in found.losses] == ["messages[9]"]


def test_results_come_first_in_the_order_of_the_calls_and_their_images_after_them() -> None:
    found = written(
        ask(
            assistant(CALL, replace(CALL, id="c2")),
            user(
                Text(text="and?"),
                result("c2", Text(text="a"), PNG, Text(text="b"), TXT),
                ToolResult(call_id="toolu_1", parts=(), is_error=True),
                PDF,
            ),
        )
    )
    assert found.body["messages"][1:] == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": ""},
        {
            "role": "tool",
            "tool_call_id": "c2",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "text", "text": "Zürich"}],
        },
        {"role": "user", "content": [{"type": "text", "text": "Of the result of c2:"}, PNG_PART]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and?"},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
            ],
        },
    ]
    assert [loss.reason for loss in found.losses] == ["this model is not told that the result is an error"]


def test_names_and_ids_that_chat_refuses_are_changed_and_told() -> None:
    strange = "files.read:all"
    long_id = "call|" + "x" * 60
    found = written(
        ask(
            assistant(ToolCall(id=long_id, name=strange, arguments="{}")),
            user(result(long_id)),
            tools=(Tool(name=strange), Tool(name="files_read_all")),
            tool_choice=Named(names=(strange,)),
        )
    )
    call = found.body["messages"][0]["tool_calls"][0]
    new = call["function"]["name"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", new)
    assert found.names == {new: strange}
    assert [tool["function"]["name"] for tool in found.body["tools"]] == [new, "files_read_all"]
    assert found.body["tool_choice"] == {"type": "function", "function": {"name": new}}
    assert len(call["id"]) <= 40
    assert found.body["messages"][1]["tool_call_id"] == call["id"]


# members


def test_members() -> None:
    assert body(
        ask(
            max_output_tokens=5,
            temperature=0.5,
            top_p=0.9,
            stop=("a", "b"),
            seed=7,
            presence_penalty=0.1,
            frequency_penalty=0.2,
            user="u",
            service_tier="standard_only",
            prompt_cache_key="k",
            stream=True,
        ),
        PLAIN,
    ) == {
        "model": "gpt-5.4",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_completion_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["a", "b"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "safety_identifier": "u",
        "service_tier": "default",
        "prompt_cache_key": "k",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert body(ask()) == {"model": "gpt-5.4", "messages": [{"role": "user", "content": "Hello"}]}
    assert len(body(ask(user="u" * 100))["safety_identifier"]) == 64


def test_what_is_dropped_is_told_where_it_stood() -> None:
    found = written(ask(top_k=5, temperature=1, service_tier="batch", paths={"top_k": "generationConfig.topK"}), NO_SAMPLING)
    assert set(found.body) == {"model", "messages"}
    assert [loss.path for loss in found.losses] == ["temperature", "generationConfig.topK", "service_tier"]


def test_tools_and_choices() -> None:
    tools = (Tool(name="f", description="d", schema={"type": "object", "properties": {"z": {}, "a": {}}}, strict=True), Tool(name="g"))
    found = body(ask(tools=tools))
    assert found["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": tools[0].schema, "strict": True}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert not {"tool_choice", "parallel_tool_calls"} & set(found)
    for choice in Choice:
        assert body(ask(tools=tools, tool_choice=choice))["tool_choice"] == choice.value
    named = {"type": "function", "function": {"name": "g"}}
    assert body(ask(tools=tools, tool_choice=Named(names=("g",))))["tool_choice"] == named
    several = body(ask(tools=tools, tool_choice=Named(names=("f", "g"))))["tool_choice"]
    assert (several["type"], several["allowed_tools"]["mode"], several["allowed_tools"]["tools"][1]) == ("allowed_tools", "required", named)
    for parallel in (True, False):
        assert body(ask(tools=tools, parallel_tool_calls=parallel))["parallel_tool_calls"] is parallel
    assert body(ask(tool_choice=Choice.AUTO, parallel_tool_calls=False)) == body(ask())


CLEAN = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLEAN, True),
        ({**CLEAN, "required": []}, False),
        ({**CLEAN, "additionalProperties": True}, False),
        ({**CLEAN, "properties": {"a": {"type": "string", "minLength": 1}}}, False),
        ({**CLEAN, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
        ({**CLEAN, "properties": {"a": {"anyOf": [{"type": "null"}, CLEAN]}}}, True),
        ({**CLEAN, "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "object"}}}, False),
        ({"type": "array", "items": CLEAN}, False),
        ({"type": "object", "properties": 5}, False),
        ({}, False),
    ],
)
def test_a_schema_is_strict_only_where_that_changes_nothing(schema: dict[str, Any], strict: bool) -> None:
    given_format = body(ask(output=JsonSchema(name="a b", schema=schema, description="d")))["response_format"]
    assert given_format["type"] == "json_schema"
    assert given_format["json_schema"]["schema"] == schema
    assert given_format["json_schema"]["strict"] is strict
    assert given_format["json_schema"]["description"] == "d"
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", given_format["json_schema"]["name"])
    assert body(ask(output=JsonSchema(schema=schema, strict=not strict)))["response_format"]["json_schema"]["strict"] is not strict


def test_a_json_object_wants_its_word_in_the_prompt() -> None:
    told = body(ask(output=JsonObject()))
    assert told["response_format"] == {"type": "json_object"}
    assert "JSON" in told["messages"][0]["content"]
    assert len(body(ask(user(Text(text="as json please")), output=JsonObject()))["messages"]) == 1


def test_a_model_without_schemas_is_told_the_schema() -> None:
    found = written(ask(output=JsonSchema(schema=CLEAN)), replace(GPT, native_json_schema=False))
    assert found.body["response_format"] == {"type": "json_object"}
    assert '"additionalProperties":false' in found.body["messages"][0]["content"]
    assert [loss.path for loss in found.losses] == ["output"]


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        (None, None),
        (Thinking(show=True), None),
        *((Thinking(effort=effort), effort.value) for effort in Effort),
        (Thinking(budget_tokens=1024), "low"),
        (Thinking(budget_tokens=8192), "medium"),
        (Thinking(budget_tokens=8193), "high"),
        (Thinking(adaptive=True), "high"),
    ],
)
def test_thinking_is_an_effort(thinking: Thinking | None, effort: str | None) -> None:
    assert body(ask(thinking=thinking)).get("reasoning_effort") == effort
    found = written(ask(thinking=thinking), PLAIN)
    assert "reasoning_effort" not in found.body
    assert len(found.losses) == (effort not in (None, "none"))


# refusals


@pytest.mark.parametrize(
    ("given_ask", "upstream", "path"),
    [
        (ask(user(PNG)), replace(GPT, vision=False), "messages[9]"),
        (ask(user(PDF)), replace(GPT, vision=False), "messages[9]"),
        (ask(assistant(CALL), user(result("toolu_1", PNG))), replace(GPT, vision=False), "messages[9]"),
        (ask(user(Document(source=Link(url="https://x.example/a.pdf")))), GPT, "messages[9]"),
        (ask(assistant(PNG)), GPT, "messages[9]"),
        (ask(tools=(Tool(name="f"),)), replace(GPT, tools=False), "tools"),
        (ask(stop=tuple("abcde"), paths={"stop": "stop_sequences"}), GPT, "stop_sequences"),
        (ask(stop=("a",)), NO_SAMPLING, "stop"),
    ],
)
def test_what_would_change_the_meaning_is_refused(given_ask: Ask, upstream: Upstream, path: str) -> None:
    with pytest.raises(Unsupported) as refused:
        write_request(given_ask, upstream)
    assert refused.value.path == path


@pytest.mark.parametrize(
    "turns",
    [
        (user(result("nobody")),),
        (assistant(CALL), user(Text(text="x")), assistant(Text(text="y")), user(result("toolu_1"))),
        (assistant(result("toolu_1")),),
        (user(Document(source=Inline(media_type="text/plain", base64="/w=="))),),
        (user(Document(source=Inline(media_type="text/plain", base64="!"))),),
        (user(CALL),),
    ],
)
def test_what_stands_in_no_order_is_malformed(turns: tuple[Turn, ...]) -> None:
    with pytest.raises(Malformed) as malformed:
        write_request(ask(*turns), GPT)
    assert malformed.value.path == "messages[9]"


def test_every_field_of_an_ask_has_its_rule() -> None:
    named = {rule.path.split("[")[0] for rule in losses.REQUEST_OUT}
    of_the_gateway = {"model", "stream", "include_usage", "echo", "paths", "losses"}
    assert set(Ask.__struct_fields__) - of_the_gateway == named


# there and back


@given(items=st.lists(made.calls(), min_size=1, max_size=3), said=made.some_text)
def test_a_conversation_is_read_again_as_it_was_written(items: list[list[ToolCall]], said: str) -> None:
    turns = [user(Text(text=said))]
    for calls in items:
        plain = [replace(call, signature=None, maker=None, arguments=call.arguments or "{}") for call in calls]
        turns += [assistant(Text(text=said), *plain), *(user(result(call.id)) for call in calls), user(Text(text="next"))]
    found = body(ask(*turns, system=(Text(text="s"),)))
    again = asked_of(*found["messages"])
    assert again.system == (Text(text="s"),)
    assert [(each.role, each.items) for each in again.turns] == [(each.role, each.items) for each in turns]
