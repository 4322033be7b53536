"""Asks as a Gemini upstream takes them; the official SDK's types are the second reader."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types
from msgspec.structs import replace

from reference_gateway.tests.translation.gemini.made import GEMINI_2, GEMINI_2_5, GEMINI_3
from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.gemini.request_out import NO_SIGNATURE, holds, write_request
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

OBJECT = {"type": "object", "properties": {"a": {"type": "integer", "const": 1}}, "additionalProperties": False}
IMAGE = Image(source=Inline(media_type="image/png", base64="aGk="))


def said(role: Role, *items: Item, at: int = 0) -> Turn:
    return Turn(role=role, items=items, path=f"messages[{at}]")


def ask(*turns: Turn, **others: Any) -> Ask:
    return Ask(model="m", turns=turns or (said(Role.USER, Text(text="Hello")),), **others)


def write(asked: Ask, upstream: Upstream = GEMINI_3) -> Written:
    written = write_request(asked, upstream)
    types.GenerateContentConfig.model_validate(written.body.get("generationConfig", {}))
    for content in (*written.body["contents"], *([written.body["systemInstruction"]] if "systemInstruction" in written.body else [])):
        types.Content.model_validate(content)
    for tool in written.body.get("tools", []):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(written.body.get("toolConfig", {}))
    return written


def contents(*turns: Turn, upstream: Upstream = GEMINI_3) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(ask(*turns), upstream).body["contents"]
    return found


def loop(*calls: ToolCall, thoughts: tuple[Item, ...] = (), results: tuple[ToolResult, ...] | None = None) -> tuple[Turn, ...]:
    """A user's turn, calls, their results."""
    answered = results if results is not None else tuple(ToolResult(call_id=each.id, parts=()) for each in calls)
    return said(Role.USER, Text(text="x")), said(Role.ASSISTANT, *thoughts, *calls, at=1), said(Role.USER, *answered, at=2)


def tool_call(id_: str, name: str = "f", signature: str | None = None, maker: Maker | None = Maker.GEMINI) -> ToolCall:
    return ToolCall(id=id_, name=name, arguments='{"a":1}', signature=signature, maker=maker if signature else None)


def test_runs_of_a_role_are_one_content_and_system_turns_join_the_instruction() -> None:
    written = write(
        ask(
            said(Role.USER, Text(text="a"), Text(text="")),
            said(Role.SYSTEM, Text(text="later"), at=1),
            said(Role.USER, Text(text="b"), at=2),
            said(Role.ASSISTANT, Text(text="c"), Refused(text="d"), at=3),
            said(Role.USER, Text(text="e"), at=4),
            system=(Text(text="first"),),
        )
    )
    assert written.body == {
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
            {"role": "user", "parts": [{"text": "e"}]},
        ],
        "systemInstruction": {"parts": [{"text": "first"}, {"text": "later"}]},
    }
    assert [loss.path for loss in written.losses] == ["messages[1]"]


def test_a_request_that_no_user_says_anything_in() -> None:
    for turns in ((said(Role.SYSTEM, Text(text="x")),), (said(Role.ASSISTANT, Text(text="x")),)):
        with pytest.raises(Malformed):
            write(ask(*turns))


def test_results_are_in_the_order_of_their_calls_and_before_all_else() -> None:
    turns = loop(
        tool_call("a", "f"),
        tool_call("b", "g"),
        results=(
            ToolResult(call_id="b", parts=(Text(text="two"), Text(text="lines")), is_error=True),
            ToolResult(call_id="a", parts=(Text(text='{"n": 12345678901234567890}'),)),
        ),
    )
    user = contents(*turns, said(Role.USER, Text(text="and?"), at=3))[2]
    assert user["parts"] == [
        {"functionResponse": {"name": "f", "response": {"n": 12345678901234567890}, "id": "a"}},
        {"functionResponse": {"name": "g", "response": {"error": "two\nlines"}, "id": "b"}},
        {"text": "and?"},
    ]
    assert "id" not in contents(*turns, upstream=GEMINI_2_5)[2]["parts"][0]["functionResponse"]  # who would refuse it


@pytest.mark.parametrize(
    ("text", "response"),
    [("", {"output": ""}), ("x", {"output": "x"}), ("[1]", {"output": "[1]"}), ("{bad", {"output": "{bad"}), ('{"a":1}', {"a": 1})],
)
def test_a_result_is_an_object(text: str, response: dict[str, Any]) -> None:
    turns = loop(tool_call("a"), results=(ToolResult(call_id="a", parts=(Text(text=text),)),))
    assert contents(*turns)[2]["parts"][0]["functionResponse"]["response"] == response


@pytest.mark.parametrize(
    "turns",
    [
        loop(tool_call("a"), results=(ToolResult(call_id="b", parts=()),)),
        loop(tool_call("a"), tool_call("b"), results=(ToolResult(call_id="a", parts=()),)),
        loop(tool_call("a"))[:2],
        loop(ToolCall(id="a", name="f", arguments="[1]")),
        loop(ToolCall(id="a", name="f", arguments="{bad")),
    ],
)
def test_a_call_without_its_result_and_the_other_way_round(turns: tuple[Turn, ...]) -> None:
    with pytest.raises(Malformed) as caught:
        write(ask(*turns))
    assert caught.value.path.startswith("messages[")


def test_a_result_with_an_image() -> None:
    turns = loop(tool_call("a"), results=(ToolResult(call_id="a", parts=(Text(text="see"), IMAGE)),))
    inline = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    assert contents(*turns)[2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"output": "see"}, "id": "a", "parts": [inline]}},
    ]
    assert contents(*turns, upstream=GEMINI_2_5)[2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"output": "see"}}},
        {"text": "Of the result of f:"},
        inline,
    ]


def test_the_images_of_several_results_are_in_the_order_of_their_calls() -> None:
    other = Image(source=Inline(media_type="image/png", base64="aGg="))
    results = (ToolResult(call_id="b", parts=(other,)), ToolResult(call_id="a", parts=(IMAGE,)))
    turns = loop(tool_call("a"), tool_call("b", name="g"), results=results)
    assert contents(*turns, upstream=GEMINI_2_5)[2]["parts"][2:] == [
        {"text": "Of the result of f:"},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"text": "Of the result of g:"},
        {"inlineData": {"mimeType": "image/png", "data": "aGg="}},
    ]


def signatures(*turns: Turn, upstream: Upstream = GEMINI_3) -> list[str | None]:
    return [part.get("thoughtSignature") for part in contents(*turns, upstream=upstream)[1]["parts"]]


def test_signatures_of_calls() -> None:
    """On the first of a parallel group, once; the vendor's word where there is none; nothing where the generation needs none."""
    assert signatures(*loop(tool_call("a", signature="c2kx"), tool_call("b"))) == ["c2kx", None]
    assert signatures(*loop(tool_call("a", signature="c2kx"), tool_call("b", signature="c2kx"))) == ["c2kx", None]
    assert signatures(*loop(tool_call("a"), tool_call("b"))) == [NO_SIGNATURE, None]
    assert signatures(*loop(tool_call("a", signature="c2kx", maker=Maker.ANTHROPIC))) == [NO_SIGNATURE]
    assert signatures(*loop(tool_call("a"), tool_call("b")), upstream=GEMINI_2_5) == [None, None]
    assert signatures(*loop(tool_call("a", signature="c2kx")), upstream=GEMINI_2_5) == ["c2kx"]
    assert signatures(*loop(tool_call("a", signature="c2kx")), upstream=GEMINI_2) == [None]


def test_each_step_of_a_loop_has_its_signature() -> None:
    turns = (
        *loop(tool_call("a", signature="c2kx")),
        said(Role.ASSISTANT, tool_call("b"), at=3),
        said(Role.USER, ToolResult(call_id="b", parts=()), at=4),
    )
    found = [part.get("thoughtSignature") for content in contents(*turns) for part in content["parts"] if "functionCall" in part]
    assert found == ["c2kx", NO_SIGNATURE]


def test_thoughts_go_back_to_their_maker_only() -> None:
    own = Reasoning(text="Hm", signature="c2kx", maker=Maker.GEMINI)
    foreign = Reasoning(text="Hmm", signature="c2ky", maker=Maker.ANTHROPIC)
    nobody = Reasoning(text="Hmmm")
    written = write(ask(said(Role.USER, Text(text="x")), said(Role.ASSISTANT, own, foreign, nobody, Text(text="y"), at=1)))
    assert written.body["contents"][1]["parts"] == [{"text": "Hm", "thought": True, "thoughtSignature": "c2kx"}, {"text": "y"}]
    assert [loss.path for loss in written.losses] == ["messages[1]"]


def test_the_proof_of_a_text_goes_back_to_it() -> None:
    proof = Reasoning(signature="c2kx", maker=Maker.GEMINI)
    user = said(Role.USER, Text(text="x"))
    text = {"text": "y", "thoughtSignature": "c2kx"}
    for items in ((Text(text="y"), proof), (proof, Text(text="y"))):
        assert contents(user, said(Role.ASSISTANT, *items, at=1))[1]["parts"] == [text]
    assert contents(user, said(Role.ASSISTANT, proof, at=1))[1]["parts"] == [{"text": "", "thoughtSignature": "c2kx"}]


def test_a_turn_that_says_nothing_is_left_out() -> None:
    written = write(
        ask(said(Role.USER, Text(text="x")), said(Role.ASSISTANT, Reasoning(text="Hm"), at=1), said(Role.USER, Text(text="y"), at=2))
    )
    assert written.body["contents"] == [{"role": "user", "parts": [{"text": "x"}, {"text": "y"}]}]
    assert len(written.losses) == 2


def test_media() -> None:
    pdf = Document(source=Inline(media_type="application/pdf", base64="aGk="), name="a.pdf")
    file = Image(source=Link(url="https://generativelanguage.googleapis.com/v1beta/files/a", media_type="image/png"), detail="low")
    written = write(ask(said(Role.USER, IMAGE, pdf, file)))
    assert written.body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a", "mimeType": "image/png"}},
    ]
    assert len(written.losses) == 2


@pytest.mark.parametrize(
    "item",
    [
        Image(source=Link(url="https://example.com/a.png")),
        Image(source=Inline(media_type="image/gif", base64="aGk=")),
        Document(source=Inline(media_type="application/zip", base64="aGk=")),
    ],
)
def test_media_that_the_vendor_would_refuse(item: Item) -> None:
    with pytest.raises(Unsupported) as caught:
        write(ask(said(Role.USER, item)))
    assert caught.value.path == "messages[0]"
    with pytest.raises(Unsupported):
        write(ask(said(Role.USER, IMAGE)), replace(GEMINI_3, vision=False))


def test_tools_are_one_tool() -> None:
    tools = (Tool(name="a", description="d", schema=OBJECT), Tool(name="b", schema={"type": "object", "properties": {}}), Tool(name="c"))
    written = write(ask(tools=tools, parallel_tool_calls=True))
    assert written.body["tools"] == [
        {"functionDeclarations": [{"name": "a", "description": "d", "parametersJsonSchema": OBJECT}, {"name": "b"}, {"name": "c"}]}
    ]
    assert "toolConfig" not in written.body
    assert written.losses == ()


def test_older_models_have_the_subset_of_openapi_and_each_change_is_told() -> None:
    written = write(ask(tools=(Tool(name="a", schema={**OBJECT, "patternProperties": {"x": {}}}),)), GEMINI_2)
    assert written.body["tools"][0]["functionDeclarations"][0]["parameters"] == {
        "type": "OBJECT",
        "properties": {"a": {"type": "INTEGER", "description": "One of [1]."}},
        "propertyOrdering": ["a"],
    }
    assert [loss.reason for loss in written.losses] == [
        "the schema of a is told without $.a: enum",
        "the schema of a is told without $: patternProperties",
    ]


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (Choice.AUTO, {"mode": "AUTO"}),
        (Choice.NONE, {"mode": "NONE"}),
        (Choice.REQUIRED, {"mode": "ANY"}),
        (Named(names=("a", "get.b")), {"mode": "ANY", "allowedFunctionNames": ["a", "get_b_2b07ff4c"]}),
    ],
)
def test_tool_choice(choice: Choice | Named, calling: dict[str, Any]) -> None:
    written = write(ask(tools=(Tool(name="a"), Tool(name="get.b")), tool_choice=choice))
    found = written.body["toolConfig"]["functionCallingConfig"]
    assert found["mode"] == calling["mode"]
    assert [written.names.get(name, name) for name in found.get("allowedFunctionNames", [])] == list(getattr(choice, "names", ()))


def test_names_begin_as_the_vendor_wants_them_and_are_told_apart() -> None:
    names = ["1x", "_1x", "-y", "ok", "1" * 70, "_" + "1" * 70, "ü"]
    written = write(ask(tools=tuple(Tool(name=name) for name in names)))
    found = [each["name"] for each in written.body["tools"][0]["functionDeclarations"]]
    assert len(set(found)) == len(names)
    assert all((name[0].isalpha() or name[0] == "_") and len(name) <= 64 and name.isascii() for name in found)
    assert [written.names.get(name, name) for name in found] == names


@pytest.mark.parametrize(
    ("asked", "upstream", "path"),
    [
        (ask(tools=(Tool(name="a"),), parallel_tool_calls=False), GEMINI_3, "parallel_tool_calls"),
        (ask(tools=(Tool(name="a"),)), replace(GEMINI_3, tools=False), "tools"),
        (ask(stop=tuple("abcdef")), GEMINI_3, "stop"),
        (ask(output=JsonSchema(schema={"type": "string"})), replace(GEMINI_3, native_json_schema=False), "output"),
        (ask(output=JsonObject(), tools=(Tool(name="a"),)), GEMINI_2_5, "output"),
        (ask(output=JsonSchema(schema={"$ref": "#"})), GEMINI_2, "output"),
    ],
)
def test_what_the_model_cannot(asked: Ask, upstream: Upstream, path: str) -> None:
    with pytest.raises(Unsupported) as caught:
        write(asked, upstream)
    assert caught.value.path == path


def generation_config(asked: Ask, upstream: Upstream = GEMINI_3) -> dict[str, Any]:
    found: dict[str, Any] = write(asked, upstream).body.get("generationConfig", {})
    return found


def test_sampling() -> None:
    asked = ask(
        max_output_tokens=99_999, temperature=0.5, top_p=0.9, top_k=3, stop=("x",), seed=1, presence_penalty=1.0, frequency_penalty=0.5
    )
    same = {"temperature": 0.5, "topP": 0.9, "topK": 3, "stopSequences": ["x"], "seed": 1}
    assert generation_config(asked) == {**same, "maxOutputTokens": 65_536}
    assert [loss.path for loss in write(asked).losses] == ["max_output_tokens", "presence_penalty", "frequency_penalty"]
    assert generation_config(asked, GEMINI_2) == {**same, "maxOutputTokens": 8_192, "presencePenalty": 1.0, "frequencyPenalty": 0.5}
    assert generation_config(ask(seed=2**40, temperature=1.0), replace(GEMINI_3, sampling=False)) == {}


def test_output() -> None:
    json = {"responseMimeType": "application/json"}
    schema = JsonSchema(schema={**OBJECT, "minProperties": 1})
    assert generation_config(ask(output=JsonObject())) == json
    assert generation_config(ask(output=schema)) == {
        **json,
        "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "integer", "enum": [1]}}, "additionalProperties": False},
    }
    assert [loss.reason for loss in write(ask(output=schema)).losses] == ["the schema is told without $: minProperties"]
    assert generation_config(ask(output=schema), GEMINI_2)["responseSchema"]["minProperties"] == 1
    assert "responseJsonSchema" in generation_config(ask(output=schema, tools=(Tool(name="a"),)))
    assert holds(schema, GEMINI_3)
    assert not holds(schema, replace(GEMINI_3, native_json_schema=False))
    assert not holds(JsonSchema(schema={"$ref": "#"}), GEMINI_2)


FLASH_3 = replace(GEMINI_3, model="gemini-3-flash-preview")
PRO_3 = replace(GEMINI_3, model="gemini-3-pro-preview")
PRO_2_5 = replace(GEMINI_2_5, model="gemini-2.5-pro")


@pytest.mark.parametrize(
    ("thinking", "upstream", "config", "losses"),
    [
        (Thinking(effort=Effort.LOW), GEMINI_3, {"thinkingLevel": "LOW", "includeThoughts": True}, 0),
        (Thinking(effort=Effort.MEDIUM, show=False), GEMINI_3, {"thinkingLevel": "MEDIUM"}, 0),
        (Thinking(effort=Effort.MEDIUM), PRO_3, {"thinkingLevel": "HIGH", "includeThoughts": True}, 0),
        (Thinking(effort=Effort.HIGH), PRO_3, {"thinkingLevel": "HIGH", "includeThoughts": True}, 0),
        (Thinking(effort=Effort.MINIMAL), GEMINI_3, {"thinkingLevel": "LOW", "includeThoughts": True}, 0),
        (Thinking(effort=Effort.MINIMAL), FLASH_3, {"thinkingLevel": "MINIMAL", "includeThoughts": True}, 0),
        (Thinking(effort=Effort.MAX), FLASH_3, {"thinkingLevel": "HIGH", "includeThoughts": True}, 0),
        (Thinking(effort=Effort.NONE), FLASH_3, {"thinkingLevel": "MINIMAL"}, 1),
        (Thinking(budget_tokens=2_000), FLASH_3, {"thinkingLevel": "MEDIUM", "includeThoughts": True}, 0),
        (Thinking(adaptive=True), FLASH_3, {"includeThoughts": True}, 0),
        (Thinking(show=True), FLASH_3, {"includeThoughts": True}, 0),
        (Thinking(effort=Effort.NONE), GEMINI_2_5, {"thinkingBudget": 0}, 0),
        (Thinking(effort=Effort.NONE), PRO_2_5, {"thinkingBudget": 128}, 1),
        (Thinking(effort=Effort.HIGH), GEMINI_2_5, {"thinkingBudget": 24_576, "includeThoughts": True}, 0),
        (Thinking(effort=Effort.MAX), GEMINI_2_5, {"thinkingBudget": 24_576, "includeThoughts": True}, 0),
        (Thinking(budget_tokens=2_000), GEMINI_2_5, {"thinkingBudget": 2_000, "includeThoughts": True}, 0),
        (Thinking(budget_tokens=99_000, show=False), PRO_2_5, {"thinkingBudget": 32_768}, 1),
        (Thinking(adaptive=True, show=True), PRO_2_5, {"thinkingBudget": -1, "includeThoughts": True}, 0),
        (Thinking(effort=Effort.HIGH), GEMINI_2, None, 1),
        (Thinking(effort=Effort.NONE), GEMINI_2, None, 0),
        (Thinking(effort=Effort.HIGH), replace(GEMINI_3, thinking=False), None, 1),
        (Thinking(), GEMINI_3, None, 0),
    ],
)
def test_thinking(thinking: Thinking, upstream: Upstream, config: dict[str, Any] | None, losses: int) -> None:
    written = write(ask(thinking=thinking), upstream)
    assert written.body.get("generationConfig", {}).get("thinkingConfig") == config
    assert len(written.losses) == losses


def test_what_the_vendor_has_no_member_for_is_told() -> None:
    marked = said(Role.USER, Text(text="x", cache=CacheTtl.FIVE_MINUTES))
    written = write(ask(marked, user="u", service_tier="priority", prompt_cache_key="k", tools=(Tool(name="a", strict=True),)))
    assert [loss.path for loss in written.losses] == ["tools", "user", "service_tier", "cache_control"]
