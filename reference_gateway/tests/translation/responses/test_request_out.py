"""What a Responses upstream is sent: the SDK's own types take it, each rule has its case, and it is read back as it was asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.responses import ResponseInputItemParam, ToolParam
from pydantic import TypeAdapter

from reference_gateway.tests.translation.responses import made
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
    Loss,
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
from reference_gateway.translation.responses.request_in import read_request
from reference_gateway.translation.responses.request_out import write_request

GPT = Upstream(model="gpt-5.4", max_output_tokens=128_000, family="gpt")
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)
TOOL: TypeAdapter[Any] = TypeAdapter(ToolParam)
PNG = Inline(media_type="image/png", base64="aGk=")
PDF = Inline(media_type="application/pdf", base64="aGk=")


def turn(role: Role, *items: Item) -> Turn:
    return Turn(role=role, items=items, path="messages[0]")


def written(*turns: Turn, upstream: Upstream = GPT, **members: Any) -> Written:
    ask = Ask(model="m", turns=turns or (turn(Role.USER, Text(text="Hi")),), **members)
    found = write_request(ask, upstream)
    for item in found.body["input"]:
        ITEM.validate_python(item)
    for tool in found.body.get("tools", ()):
        TOOL.validate_python(tool)
    return found


def sent(*items: Item, role: Role = Role.USER, **members: Any) -> Any:
    found = written(turn(role, *items), **members).body["input"]
    return found[0] if len(found) == 1 else found


def paths(found: Written) -> list[str]:
    return [loss.path for loss in found.losses]


def test_the_least_of_requests() -> None:
    found = written()
    assert found.body == {
        "model": "gpt-5.4",
        "input": [{"type": "message", "role": "user", "content": "Hi"}],
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    assert (found.losses, found.names) == ((), {})
    assert written(stream=True).body["stream"] is True


def test_one_system_block_is_instructions_and_several_are_parts() -> None:
    assert written(system=(Text(text="a"),)).body["instructions"] == "a"
    body = written(system=(Text(text="a"), Text(text="b"))).body
    assert "instructions" not in body
    assert body["input"][0] == {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
    }


def test_cache_marks_go_to_a_model_that_knows_them() -> None:
    marked = Text(text="a", cache=CacheTtl.ONE_HOUR)
    found = written(system=(marked,))
    assert (found.body["instructions"], found.losses) == ("a", ())
    knowing = replace(GPT, cache_breakpoints=True)
    body = written(system=(marked,), upstream=knowing).body
    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    ]
    part = sent(Text(text="a", cache=CacheTtl.FIVE_MINUTES), upstream=knowing)["content"][0]
    assert part["prompt_cache_breakpoint"] == {"mode": "explicit"}


def test_parts() -> None:
    content = sent(
        Text(text="a"),
        Image(source=PNG, detail="low"),
        Image(source=Link(url="https://x/y.png")),
        Document(source=PDF, name="a.pdf"),
        Document(source=Link(url="https://x/y.pdf")),
        Document(source=Inline(media_type="text/plain", base64="aGk=")),
    )["content"]
    assert content == [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
        {"type": "input_file", "file_url": "https://x/y.pdf"},
        {"type": "input_text", "text": "hi"},
    ]


def test_an_assistants_turn_is_items_in_its_order() -> None:
    own = Reasoning(text="hm", opaque="sealed", maker=Maker.OPENAI, id="rs_1")
    call = ToolCall(id="call_1", name="f", arguments="")
    found = sent(own, Text(text="a"), call, Text(text="b"), Refused(text="no"), role=Role.ASSISTANT)
    assert found[0] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "sealed",
    }
    assert found[1] == {"type": "message", "role": "assistant", "content": "a"}
    assert found[2] == {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    assert [part["type"] for part in found[3]["content"]] == ["output_text", "refusal"]
    assert found[3]["id"].startswith("msg_")


def test_thoughts_of_another_family_are_never_said() -> None:
    for thought in (
        Reasoning(text="hm", signature="sig", maker=Maker.ANTHROPIC),
        Reasoning(text="hm"),
        Reasoning(opaque="x", maker=Maker.ANTHROPIC),
    ):
        found = written(turn(Role.ASSISTANT, thought, Text(text="a")))
        assert found.body["input"] == [{"type": "message", "role": "assistant", "content": "a"}]
        assert paths(found) == ["messages[0]"]


def test_results() -> None:
    def result(*parts: Text | Image | Document, is_error: bool = False) -> Written:
        call = turn(Role.ASSISTANT, ToolCall(id="call_1", name="f", arguments="{}"))
        return written(call, turn(Role.USER, ToolResult(call_id="call_1", parts=parts, is_error=is_error), Text(text="go")))

    assert result(Text(text="ok")).body["input"][1:] == [
        {"type": "function_call_output", "call_id": "call_1", "output": "ok"},
        {"type": "message", "role": "user", "content": "go"},
    ]
    assert result().body["input"][1]["output"] == ""
    assert [part["type"] for part in result(Text(text="a"), Image(source=PNG)).body["input"][1]["output"]] == ["input_text", "input_image"]
    assert paths(result(Text(text="a"), is_error=True)) == ["messages[0]"]
    with pytest.raises(Malformed):
        written(turn(Role.USER, ToolResult(call_id="call_2", parts=())))


def test_names_and_ids_that_the_vendor_refuses_are_replaced_everywhere() -> None:
    call = turn(Role.ASSISTANT, ToolCall(id="c" * 100, name="get.weather", arguments="{}"))
    result = turn(Role.USER, ToolResult(call_id="c" * 100, parts=()))
    found = written(call, result, tools=(Tool(name="get.weather"),), tool_choice=Named(names=("get.weather",)))
    new = found.body["tools"][0]["name"]
    assert found.names == {new: "get.weather"}
    assert found.body["input"][0]["name"] == found.body["tool_choice"]["name"] == new != "get.weather"
    assert found.body["input"][0]["call_id"] == found.body["input"][1]["call_id"]
    assert len(found.body["input"][0]["call_id"]) <= 64


def test_tools() -> None:
    schema = {"type": "object", "properties": {}}
    body = written(
        tools=(Tool(name="f", description="d", strict=True), Tool(name="g", schema={"type": "object"})), parallel_tool_calls=False
    ).body
    assert body["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True},
        {"type": "function", "name": "g", "parameters": {"type": "object"}, "strict": False},
    ]
    assert body["parallel_tool_calls"] is False
    tools = (Tool(name="f"), Tool(name="g"))
    assert written(tools=tools, tool_choice=Choice.REQUIRED).body["tool_choice"] == "required"
    assert written(tools=tools, tool_choice=Named(names=("f", "g"))).body["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}],
    }


def test_the_form_of_the_output() -> None:
    clean = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    form = written(output=JsonSchema(schema=clean, name="n", description="d")).body["text"]["format"]
    assert form == {"type": "json_schema", "name": "n", "description": "d", "schema": clean, "strict": True}
    assert written(output=JsonSchema(schema={"type": "object"})).body["text"]["format"]["strict"] is False
    assert written(output=JsonSchema(schema=clean, strict=False)).body["text"]["format"]["strict"] is False
    body = written(output=JsonObject()).body
    assert body["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in body["instructions"]
    assert "instructions" not in written(turn(Role.USER, Text(text="Answer in JSON")), output=JsonObject()).body
    found = written(output=JsonSchema(schema=clean), upstream=replace(GPT, native_json_schema=False))
    assert "additionalProperties" in found.body["instructions"]
    assert paths(found) == ["output"]


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        (None, None),
        (Thinking(effort=Effort.XHIGH), {"effort": "xhigh"}),
        (Thinking(effort=Effort.NONE), {"effort": "none"}),
        (Thinking(budget_tokens=1024), {"effort": "low"}),
        (Thinking(budget_tokens=8192), {"effort": "medium"}),
        (Thinking(budget_tokens=8193, show=True), {"effort": "high", "summary": "auto"}),
        (Thinking(adaptive=True), {"effort": "high"}),
        (Thinking(show=True), {"summary": "auto"}),
        (Thinking(show=False), None),
    ],
)
def test_thinking(thinking: Thinking | None, reasoning: dict[str, str] | None) -> None:
    assert written(thinking=thinking).body.get("reasoning") == reasoning
    found = written(thinking=thinking, upstream=replace(GPT, thinking=False))
    assert "reasoning" not in found.body
    assert "include" not in found.body


def test_what_it_has_no_word_for_is_told() -> None:
    found = written(
        top_k=1,
        stop=("a",),
        seed=0,
        presence_penalty=0.0,
        frequency_penalty=1.0,
        paths={"stop": "stop_sequences"},
        losses=(Loss(path="x", reason="y"),),
    )
    assert paths(found) == ["x", "top_k", "stop_sequences", "seed", "presence_penalty", "frequency_penalty"]
    found = written(temperature=0.5, top_p=0.5, upstream=replace(GPT, sampling=False))
    assert paths(found) == ["temperature", "top_p"]
    assert written(temperature=0.5).body["temperature"] == 0.5
    found = written(max_output_tokens=5)
    assert (found.body["max_output_tokens"], paths(found)) == (16, ["max_output_tokens"])
    found = written(service_tier="standard_only", user="u" * 65, prompt_cache_key="k")
    assert found.body["service_tier"] == "default"
    assert len(found.body["safety_identifier"]) == 64
    assert found.body["prompt_cache_key"] == "k"
    assert paths(written(service_tier="strange")) == ["service_tier"]


@pytest.mark.parametrize(
    ("turn", "tools", "upstream"),
    [
        (turn(Role.USER, Text(text="Hi")), (Tool(name="f"),), replace(GPT, tools=False)),
        (turn(Role.USER, Image(source=PNG)), (), replace(GPT, vision=False)),
        (turn(Role.USER, Document(source=PDF)), (), replace(GPT, vision=False)),
        (turn(Role.ASSISTANT, Image(source=PNG)), (), GPT),
    ],
)
def test_what_it_cannot_do_is_refused(turn: Turn, tools: tuple[Tool, ...], upstream: Upstream) -> None:
    with pytest.raises(Unsupported):
        write_request(Ask(model="m", turns=(turn,), tools=tools), upstream)


_texts = st.builds(Text, text=made.words)
_images = st.builds(Image, source=st.just(PNG) | st.just(Link(url="https://x/y")), detail=st.sampled_from(["low", "high", "auto"]))
_documents = st.builds(Document, source=st.just(PDF), name=st.just("a.pdf")) | st.builds(Document, source=st.just(Link(url="https://x/y")))
_users = st.lists(_texts | _images | _documents, min_size=1, max_size=3).map(tuple)
_thoughts = st.builds(Reasoning, text=made.texts, opaque=made.words, maker=st.just(Maker.OPENAI), id=made.words)
_said = st.lists(_texts | st.builds(Refused, text=made.words) | _thoughts, min_size=1, max_size=3)


@st.composite
def _conversations(draw: st.DrawFn) -> tuple[Turn, ...]:
    turns = [Turn(role=Role.USER, items=draw(_users), path="")]
    for number in range(draw(st.integers(0, 3))):
        items: list[Item] = [*draw(_said)]
        calls = [
            ToolCall(
                id=f"call_{number}_{each}",
                name=draw(st.sampled_from(["f", "g.h", "x" * 70])),
                arguments=draw(st.sampled_from(["{}", '{"a":1}'])),
            )
            for each in range(draw(st.integers(0, 2)))
        ]
        turns.append(Turn(role=Role.ASSISTANT, items=(*items, *calls), path=""))
        if calls:
            parts = st.lists(_texts | _images, min_size=1, max_size=2).map(tuple)
            turns.append(Turn(role=Role.USER, items=tuple(ToolResult(call_id=call.id, parts=draw(parts)) for call in calls), path=""))
        turns.append(Turn(role=Role.USER, items=draw(_users), path=""))
    return tuple(turns)


_asks = st.builds(
    Ask,
    model=st.just("m"),
    system=st.lists(_texts, max_size=3).map(tuple),
    turns=_conversations(),
    tools=st.just((Tool(name="f", strict=True), Tool(name="g.h", description="d", schema={"type": "object"}, strict=False))),
    tool_choice=st.none() | st.sampled_from(Choice) | st.just(Named(names=("g.h",))),
    parallel_tool_calls=st.none() | st.booleans(),
    max_output_tokens=st.none() | st.integers(16, 10**6),
    temperature=st.none() | st.floats(0, 2),
    output=st.none() | st.builds(JsonSchema, schema=st.just({"type": "object"}), name=st.just("n"), strict=st.booleans()),
    thinking=st.none() | st.builds(Thinking, effort=st.sampled_from(Effort), show=st.none() | st.just(True)),
    user=st.none() | st.just("u"),
    stream=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(_asks)
def test_there_and_back(ask: Ask) -> None:
    found = write_request(ask, GPT)
    for item in found.body["input"]:
        ITEM.validate_python(item)
    back = read_request(found.body, model="m", stream=ask.stream)
    assert found.losses == back.losses == ()
    assert _plain(back, found) == _plain(ask, None)


def _plain(ask: Ask, found: Written | None) -> dict[str, Any]:
    """Without paths and what is the client's; tools by the client's names; no schema is the empty one."""
    names = found.names if found else {}

    def named(item: Item) -> Item:
        return replace(item, name=names.get(item.name, item.name)) if isinstance(item, ToolCall) else item

    choice = ask.tool_choice
    if isinstance(choice, Named):
        choice = Named(names=tuple(names.get(name, name) for name in choice.names))
    return {
        "system": ask.system,
        "turns": [(turn.role, tuple(named(item) for item in turn.items)) for turn in ask.turns],
        "tools": [
            replace(tool, name=names.get(tool.name, tool.name), schema=tool.schema or {"type": "object", "properties": {}})
            for tool in ask.tools
        ],
        "choice": choice,
        **{name: getattr(ask, name) for name in ("parallel_tool_calls", "max_output_tokens", "temperature", "output", "thinking", "user")},
    }
