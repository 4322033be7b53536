"""A Messages client's request: what is read, what is told as lost, what is refused and where."""

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
    JsonSchema,
    Link,
    Loss,
    Maker,
    Malformed,
    Named,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
)
from reference_gateway.translation.messages.request_in import read_request

TOOLS = [
    {"name": "weather", "description": "Of a city", "input_schema": {"type": "object"}},
    {"name": "now", "input_schema": {"type": "object"}},
]
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
CALL = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Paris"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def read(*messages: Any, **members: Any) -> Ask:
    body = {"model": "m", "max_tokens": 100, "messages": list(messages) or [{"role": "user", "content": "Hello"}], **members}
    return read_request({name: value for name, value in body.items() if value is not ...}, model="m", stream=False)


def test_a_plain_request() -> None:
    ask = read(
        system="Be kind.",
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["END"],
        metadata={"user_id": "u1"},
        service_tier="standard_only",
    )
    assert ask.system == (Text(text="Be kind."),)
    assert ask.turns == (Turn(role=Role.USER, items=(Text(text="Hello"),), path="messages[0]"),)
    assert (ask.max_output_tokens, ask.temperature, ask.top_p, ask.top_k, ask.stop) == (100, 0.5, 0.9, 5, ("END",))
    assert (ask.user, ask.service_tier, ask.losses) == ("u1", "default", ())
    assert [ask.where(name) for name in ("max_output_tokens", "stop", "user", "top_k")] == [
        "max_tokens",
        "stop_sequences",
        "metadata.user_id",
        "top_k",
    ]


def test_cache_marks_stay_where_they_were() -> None:
    ask = read(
        user({"type": "text", "text": "a", "cache_control": HOUR}, {"type": "text", "text": "b"}),
        assistant({**CALL, "cache_control": MARK}),
        user({**RESULT, "cache_control": MARK}),
        system=[{"type": "text", "text": "one"}, {"type": "text", "text": "two", "cache_control": MARK}],
        tools=[TOOLS[0], {**TOOLS[1], "cache_control": HOUR}],
    )
    assert [text.cache for text in ask.system] == [None, CacheTtl.FIVE_MINUTES]
    assert [tool.cache for tool in ask.tools] == [None, CacheTtl.ONE_HOUR]
    assert [item.cache for turn in ask.turns for item in turn.items if not isinstance(item, Reasoning)] == [  # type: ignore[union-attr]  # none refused
        CacheTtl.ONE_HOUR,
        None,
        CacheTtl.FIVE_MINUTES,
        CacheTtl.FIVE_MINUTES,
    ]


def test_a_mark_on_the_request_is_one_on_its_last_block() -> None:
    ask = read(user({"type": "text", "text": "a"}, {"type": "text", "text": "b"}), cache_control=HOUR)
    assert ask.turns[0].items == (Text(text="a"), Text(text="b", cache=CacheTtl.ONE_HOUR))


def test_every_kind_of_block() -> None:
    ask = read(
        user(
            {"type": "text", "text": "See:"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}, "title": "Report"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hé"}, "context": "About it"},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
            {"type": "search_result", "source": "https://x", "title": "T", "content": [{"type": "text", "text": "found"}]},
        ),
        assistant(
            {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "b3A="},
            {"type": "text", "text": "I look.", "citations": None},
            {**CALL, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
        ),
        user(
            {"type": "tool_result", "tool_use_id": "t2", "is_error": True},
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [
                    {"type": "text", "text": "sunny"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "CCCC"}},
                ],
            },
            {"type": "text", "text": "And?"},
        ),
    )
    assert ask.losses == ()
    assert ask.turns[0].items == (
        Text(text="See:"),
        Image(source=Inline(media_type="image/png", base64="AAAA")),
        Image(source=Link(url="https://x/y.png")),
        Document(source=Inline(media_type="application/pdf", base64="BBBB"), name="Report"),
        Text(text="About it"),
        Document(source=Inline(media_type="text/plain", base64="aMOp")),
        Document(source=Inline(media_type="text/plain", base64="YQpi")),
        Text(text="T\nhttps://x\n\nfound"),
    )
    assert ask.turns[1].items == (
        Reasoning(text="Hm", signature="c2ln", maker=Maker.ANTHROPIC),
        Reasoning(opaque="b3A=", maker=Maker.ANTHROPIC),
        Text(text="I look."),
        ToolCall(id="t1", name="weather", arguments='{"city":"Paris"}'),
        ToolCall(id="t2", name="now", arguments="{}"),
    )
    assert ask.turns[2].items == (
        ToolResult(call_id="t2", parts=(), is_error=True),
        ToolResult(call_id="t1", parts=(Text(text="sunny"), Image(source=Inline(media_type="image/png", base64="CCCC")))),
        Text(text="And?"),
    )


def test_arguments_keep_their_order_and_their_numbers() -> None:
    value = {"z": 1, "a": [123456789012345678901234567890, 0.1, True, None, "é"], "": {"b": {}}}
    ask = read(user({"type": "text", "text": "x"}), assistant({**CALL, "input": value}), user(RESULT))
    assert ask.turns[1].items[0] == ToolCall(
        id="t1", name="weather", arguments='{"z":1,"a":[123456789012345678901234567890,0.1,true,null,"é"],"":{"b":{}}}'
    )


def test_a_system_message_among_the_turns() -> None:
    ask = read({"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "user", "content": "c"})
    assert [turn.role for turn in ask.turns] == [Role.USER, Role.SYSTEM, Role.USER]


@pytest.mark.parametrize(
    ("tool_choice", "choice", "parallel"),
    [
        (None, None, None),
        ({"type": "auto"}, Choice.AUTO, None),
        ({"type": "any", "disable_parallel_tool_use": True}, Choice.REQUIRED, False),
        ({"type": "none"}, Choice.NONE, None),
        ({"type": "tool", "name": "now", "disable_parallel_tool_use": False}, Named(names=("now",)), True),
    ],
)
def test_tool_choice(tool_choice: Any, choice: Any, parallel: bool | None) -> None:
    ask = read(tools=TOOLS, tool_choice=tool_choice)
    assert (ask.tool_choice, ask.parallel_tool_calls) == (choice, parallel)
    assert ask.tools == (
        Tool(name="weather", description="Of a city", schema={"type": "object"}),
        Tool(name="now", schema={"type": "object"}),
    )


@pytest.mark.parametrize(
    ("members", "thinking"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Thinking(effort=Effort.NONE)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Thinking(budget_tokens=2000, show=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}, Thinking(budget_tokens=2000, show=False)),
        ({"thinking": {"type": "adaptive"}}, Thinking(adaptive=True)),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
            Thinking(adaptive=True, show=True, effort=Effort.LOW),
        ),
        ({"output_config": {"effort": "max"}}, Thinking(effort=Effort.MAX)),
    ],
)
def test_thinking(members: dict[str, Any], thinking: Thinking | None) -> None:
    assert read(**members).thinking == thinking


def test_structured_output_by_either_name() -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    for members, path in (({"output_config": {"format": wanted}}, "output_config.format"), ({"output_format": wanted}, "output_format")):
        ask = read(**members)
        assert ask.output == JsonSchema(schema={"type": "object"})
        assert ask.where("output") == path


# losses


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"future": 1}, "future"),
        ({"speed": "fast"}, "speed"),
        ({"diagnostics": {"previous_message_id": "x"}}, "diagnostics"),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}}, "context_management"),
        ({"metadata": {"user_id": "u", "other": "x"}}, "metadata.other"),
        ({"tools": [{**TOOLS[0], "input_examples": [{}]}]}, "tools[0].input_examples"),
        ({"tools": [{**TOOLS[0], "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"output_config": {"task_budget": {"total": 1}}}, "output_config.task_budget"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, "output_config.effort"),
        ({"system": [{"type": "text", "text": "x", "citations": [{}]}]}, "system[0].citations"),
    ],
)
def test_what_is_dropped_is_told(members: dict[str, Any], path: str) -> None:
    assert [loss.path for loss in read(**members).losses] == [path]


def test_what_is_dropped_in_a_block_is_told() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "x"}
    ask = read(user({"type": "document", "source": source, "citations": {"enabled": True}}, {"type": "text", "text": "x", "colour": "red"}))
    assert ask.losses == (
        Loss(path="messages[0].content[0].citations", reason="answers quote no places in the text"),
        Loss(path="messages[0].content[1].colour", reason="this member is not known"),
    )


@pytest.mark.parametrize(
    "members",
    [
        {"container": None, "mcp_servers": [], "context_management": None},
        {"speed": "standard", "inference_geo": "global", "context_management": {"edits": []}},
        {"tools": [{**TOOLS[0], "type": "custom", "defer_loading": False, "allowed_callers": ["direct"]}]},
    ],
)
def test_what_asks_for_nothing_is_no_loss(members: dict[str, Any]) -> None:
    assert read(**members).losses == ()


# refusals


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{}]}, "mcp_servers"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management.edits[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [{**TOOLS[0], "allowed_callers": ["code_execution_20250825"]}]}, "tools[0].allowed_callers"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]}, "messages[0].content[0].source.file_id"),
        ({"messages": [user({"type": "container_upload", "file_id": "f"})]}, "messages[0].content[0]"),
        (
            {
                "messages": [
                    user({"type": "text", "text": "x"}),
                    assistant({"type": "server_tool_use", "id": "s", "name": "n", "input": {}}),
                ]
            },
            "messages[1].content[0]",
        ),
    ],
)
def test_what_has_no_word_elsewhere_is_refused(members: dict[str, Any], path: str) -> None:
    with pytest.raises(Unsupported) as refused:
        read(**members)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"max_tokens": ...}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [user("x")]}, "messages[0].content[0]"),
        ({"messages": [user({"type": "text"})]}, "messages[0].content[0].text"),
        ({"messages": [user({"text": "x"})]}, "messages[0].content[0].type"),
        ({"messages": [user(CALL)]}, "messages[0].content[0].type"),
        ({"messages": [user({"type": "text", "text": "x"}), assistant(RESULT)]}, "messages[1].content[0].type"),
        ({"messages": [user({"type": "text", "text": "x", "cache_control": {"type": "forever"}})]}, "messages[0].content[0].cache_control"),
        ({"messages": [user({"type": "image", "source": {"type": "base64", "data": "x"}})]}, "messages[0].content[0].source.media_type"),
        ({"system": 7}, "system"),
        ({"system": [{"type": "text", "text": 7}]}, "system[0].text"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "on"}}, "thinking.type"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.type"),
        ({"tools": [{"name": "n"}]}, "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, "tools"),
        ({"tools": TOOLS, "tool_choice": {"type": "tool", "name": "other"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": "auto"}, "tool_choice"),
    ],
)
def test_what_is_no_request_of_the_protocol_is_malformed(members: dict[str, Any], path: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(**members)
    assert refused.value.path == path


HELLO = user({"type": "text", "text": "x"})


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([HELLO, assistant(CALL)], "messages[1]"),
        ([HELLO, assistant(CALL), HELLO], "messages[1]"),
        ([HELLO, assistant(CALL), HELLO, assistant({"type": "text", "text": "y"}), user(RESULT)], "messages[1]"),
        ([user(RESULT)], "messages[0]"),
        ([HELLO, assistant(CALL), user(RESULT, RESULT)], "messages[2]"),
        ([HELLO, assistant(CALL), user({**RESULT, "tool_use_id": "other"})], "messages[2]"),
        ([HELLO, assistant(CALL, CALL), user(RESULT)], "messages[1]"),
    ],
)
def test_a_call_without_its_result_or_a_result_without_its_call_names_the_message(messages: list[Any], path: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(*messages)
    assert refused.value.path == path


def test_results_may_come_in_several_messages_and_in_any_order() -> None:
    other = {**CALL, "id": "t2"}
    read(HELLO, assistant(CALL), assistant(other), user({**RESULT, "tool_use_id": "t2"}), user(RESULT, {"type": "text", "text": "y"}))


def test_an_answer_that_has_not_begun_is_no_turn() -> None:
    assert len(read({"role": "user", "content": "x"}, {"role": "assistant", "content": ""}).turns) == 1
