"""A Gemini client's requests as asks."""

from __future__ import annotations

from typing import Any

import pytest

from reference_gateway.tests.translation.gemini.made import asked, call, model, result, user
from reference_gateway.translation.gemini.carried import signature_of
from reference_gateway.translation.gemini.request_in import read_request
from reference_gateway.translation.items import (
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
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
)

WEATHER = {"functionDeclarations": [{"name": "weather", "description": "Of a city"}, {"name": "now"}]}


def config(**members: Any) -> dict[str, Any]:
    return {"generationConfig": members}


def test_all_of_a_request() -> None:
    ask = asked(
        {"parts": {"text": "Hi"}},
        systemInstruction={"role": "system", "parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        **config(
            maxOutputTokens=9,
            temperature=1.5,
            topP=0.5,
            topK=40.0,
            seed=3,
            presencePenalty=1,
            frequencyPenalty=-1,
            stopSequences=["a", "b"],
        ),
    )
    assert ask.system == (Text(text="Be brief."), Text(text="Be kind."))
    assert ask.turns == (Turn(role=Role.USER, items=(Text(text="Hi"),), path="contents[0]"),)
    assert (ask.max_output_tokens, ask.temperature, ask.top_p, ask.top_k, ask.seed) == (9, 1.5, 0.5, 40, 3)
    assert (ask.presence_penalty, ask.frequency_penalty, ask.stop) == (1, -1, ("a", "b"))
    assert ask.losses == ()
    assert ask.where("max_output_tokens") == "generationConfig.maxOutputTokens"


def test_snake_case_is_the_same_request() -> None:
    """And what is the client's own stays as it is: arguments, results, names of properties."""
    args, response = {"user_name": {"first_name": 1}}, {"result_code": 7}
    schema = {"type": "object", "properties": {"user_name": {"type": "string"}}}
    camel = asked(
        user({"inlineData": {"mimeType": "image/png", "data": "aGk="}}),
        model({"functionCall": {"name": "f_g", "args": args}, "thoughtSignature": "c2ln"}),
        user({"functionResponse": {"name": "f_g", "response": response}}),
        systemInstruction={"parts": [{"text": "s"}]},
        tools=[{"functionDeclarations": [{"name": "f_g", "parametersJsonSchema": schema}]}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f_g"]}},
        generationConfig={
            "responseMimeType": "application/json",
            "responseJsonSchema": schema,
            "thinkingConfig": {"includeThoughts": True},
        },
    )
    snake = read_request(
        {
            "contents": [
                user({"inline_data": {"mime_type": "image/png", "data": "aGk="}}),
                model({"function_call": {"name": "f_g", "args": args}, "thought_signature": "c2ln"}),
                user({"function_response": {"name": "f_g", "response": response}}),
            ],
            "system_instruction": {"parts": {"text": "s"}},
            "tools": {"function_declarations": {"name": "f_g", "parameters_json_schema": schema}},
            "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f_g"]}},
            "generation_config": {
                "response_mime_type": "application/json",
                "response_json_schema": schema,
                "thinking_config": {"include_thoughts": True},
            },
        },
        model="m",
        stream=False,
    )
    assert camel == snake
    assert camel.tools[0].schema == schema
    assert camel.turns[1].items == (
        ToolCall(id="call_1_0", name="f_g", arguments='{"user_name":{"first_name":1}}', signature="c2ln", maker=Maker.GEMINI),
    )


def test_results_find_their_calls_by_id_and_else_by_name_and_order() -> None:
    ask = asked(
        user({"text": "x"}),
        model(call("f", {"a": 1}), call("f", {"a": 2}), call("g", id="given")),
        user(result("g", {}, id="given"), result("f", {"output": "one"}), result("f", {"error": "two"}, id="stranger")),
        model({"text": "done"}, call("f")),
        {"role": "function", "parts": [result("f", {"a": 1, "b": [True]})]},
    )
    first, second = ask.turns[2], ask.turns[4]
    assert first.items == (
        ToolResult(call_id="given", parts=()),
        ToolResult(call_id="call_1_0", parts=(Text(text="one"),)),
        ToolResult(call_id="call_1_1", parts=(Text(text="two"),), is_error=True),
    )
    assert second.items == (ToolResult(call_id="call_3_1", parts=(Text(text='{"a":1,"b":[true]}'),)),)


@pytest.mark.parametrize(
    ("contents", "path"),
    [
        ([user(result("f", {}))], "contents[0].parts[0].functionResponse"),
        ([user({"text": "x"}), model(call("f")), user(result("g", {}))], "contents[2].parts[0].functionResponse"),
        ([user({"text": "x"}), model(call("f")), user(result("f", {}), result("f", {}))], "contents[2].parts[1].functionResponse"),
        ([user({"text": "x"}), model(call("f"), call("f")), user(result("f", {})), model({"text": "y"})], "contents[1]"),
        ([user({"text": "x"}), model(call("f"))], "contents[1]"),
        ([user({"text": "x"}), model(call("f", id="a"), call("g", id="a"))], "contents[1]"),
        ([user(call("f"))], "contents[0].parts[0].functionCall"),
        ([model(result("f", {}))], "contents[0].parts[0].functionResponse"),
        ([{"role": "system", "parts": [{"text": "x"}]}], "contents[0].role"),
        ([{"role": "user"}], "contents[0].parts"),
        ([user({})], "contents[0].parts[0]"),
        ([user({"text": 7})], "contents[0].parts[0].text"),
        ([user({"inlineData": {"data": "aGk="}})], "contents[0].parts[0].inlineData.mimeType"),
        (["x"], "contents[0]"),
    ],
)
def test_what_is_no_request_is_told_with_its_place(contents: list[Any], path: str) -> None:
    with pytest.raises(Malformed) as caught:
        asked(*contents)
    assert caught.value.path == path


def test_no_contents() -> None:
    bodies: list[dict[str, Any]] = [{}, {"contents": []}, {"contents": None}]
    for body in bodies:
        with pytest.raises(Malformed):
            read_request(body, model="m", stream=False)


def test_media() -> None:
    ask = asked(
        user(
            {"inlineData": {"mimeType": "image/PNG", "data": "-_8"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "aGk=", "displayName": "a.pdf"}},
            {"fileData": {"fileUri": "https://example.com/a.jpg"}},
            {"fileData": {"fileUri": "https://example.com/a", "mimeType": "text/plain"}},
        )
    )
    assert ask.turns[0].items == (
        Image(source=Inline(media_type="image/png", base64="+/8=")),  # Google's own client has the alphabet for URLs
        Document(source=Inline(media_type="application/pdf", base64="aGk="), name="a.pdf"),
        Image(source=Link(url="https://example.com/a.jpg", media_type="image/jpeg")),
        Document(source=Link(url="https://example.com/a", media_type="text/plain")),
    )


def test_a_result_with_an_image() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    ask = asked(user({"text": "x"}), model(call("f")), user(result("f", {"output": "see"}, parts=[image])))
    assert ask.turns[2].items == (
        ToolResult(call_id="call_1_0", parts=(Text(text="see"), Image(source=Inline(media_type="image/png", base64="aGk=")))),
    )


def test_thoughts_and_proofs() -> None:
    claude = signature_of(Maker.ANTHROPIC, "sig==", None, None)
    redacted = signature_of(Maker.ANTHROPIC, None, "data==", None)
    openai = signature_of(Maker.OPENAI, None, "gAAA", "rs_1")
    ask = asked(
        user({"text": "x"}),
        model({"text": "a", "thought": True}, {"text": "b", "thought": True}, {"text": "", "thought": True, "thoughtSignature": claude}),
        model({"text": "", "thought": True, "thoughtSignature": redacted}, {"text": "c", "thought": True, "thoughtSignature": openai}),
        model({"text": "d", "thought": True}, {"text": "He"}),
        model({"text": "llo", "thoughtSignature": "c2ln"}),
    )
    assert ask.turns[1].items == (
        Reasoning(text="ab", signature="sig==", maker=Maker.ANTHROPIC),
        Reasoning(opaque="data==", maker=Maker.ANTHROPIC),
        Reasoning(text="c", opaque="gAAA", maker=Maker.OPENAI, id="rs_1"),
        Reasoning(text="d"),
        Text(text="Hello"),
        Reasoning(signature="c2ln", maker=Maker.GEMINI),
    )


@pytest.mark.parametrize("signature", ["c2ln", "no base64!", "d2lyZXByb29mOjE6bm9uZQ==", "ä"])
def test_a_signature_that_is_none_of_ours_is_gemini_s(signature: str) -> None:
    ask = asked(user({"text": "x"}), model({"text": "a", "thought": True, "thoughtSignature": signature}))
    assert ask.turns[1].items == (Reasoning(text="a", signature=signature, maker=Maker.GEMINI),)


def test_tools() -> None:
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING", "nullable": True}}, "required": ["city"]}
    ask = asked(tools=[{"functionDeclarations": [{"name": "weather", "description": "d", "parameters": schema}]}])
    assert ask.tools == (
        Tool(
            name="weather",
            description="d",
            schema={"type": "object", "properties": {"city": {"type": ["string", "null"]}}, "required": ["city"]},
        ),
    )


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({}, None),
        ({"mode": "AUTO"}, Choice.AUTO),
        ({"mode": "ANY"}, Choice.REQUIRED),
        ({"mode": "NONE"}, Choice.NONE),
        ({"mode": "VALIDATED"}, Choice.AUTO),
        ({"mode": "ANY", "allowedFunctionNames": ["now", "weather"]}, Named(names=("now", "weather"))),
    ],
)
def test_tool_choice(given: dict[str, Any], choice: Any) -> None:
    ask = asked(tools=[WEATHER], toolConfig={"functionCallingConfig": given})
    assert ask.tool_choice == choice
    assert len(ask.losses) == (given.get("mode") == "VALIDATED")


@pytest.mark.parametrize(
    ("given", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking(effort=Effort.NONE)),
        ({"thinkingBudget": -1, "includeThoughts": True}, Thinking(adaptive=True, show=True)),
        ({"thinkingBudget": 500, "includeThoughts": False}, Thinking(budget_tokens=500, show=False)),
        ({"thinkingLevel": "high"}, Thinking(effort=Effort.HIGH)),
        ({"thinkingLevel": "MINIMAL"}, Thinking(effort=Effort.MINIMAL)),
        ({}, Thinking()),
    ],
)
def test_thinking(given: dict[str, Any], thinking: Thinking) -> None:
    assert asked(**config(thinkingConfig=given)).thinking == thinking


def test_output() -> None:
    json = {"responseMimeType": "application/json"}
    assert asked(**config(**json)).output == JsonObject()
    assert asked(**config(**json, responseJsonSchema={"type": "string"})).output == JsonSchema(schema={"type": "string"})
    ask = asked(**config(**json, responseSchema={"type": "OBJECT", "properties": {"a": {}, "b": {}}, "propertyOrdering": ["b", "a"]}))
    assert isinstance(ask.output, JsonSchema)
    assert list(ask.output.schema["properties"]) == ["b", "a"]
    assert ask.where("output") == "generationConfig.responseSchema"
    assert asked(**config(responseMimeType="text/plain")).output is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (config(maxOutputTokens="many"), "generationConfig.maxOutputTokens"),
        (config(temperature=3), "generationConfig.temperature"),
        (config(topK=1.5), "generationConfig.topK"),
        (config(stopSequences=[""]), "generationConfig.stopSequences[0]"),
        (config(thinkingConfig={"thinkingBudget": 1, "thinkingLevel": "LOW"}), "generationConfig.thinkingConfig.thinkingLevel"),
        (config(thinkingConfig={"thinkingLevel": "HUGE"}), "generationConfig.thinkingConfig.thinkingLevel"),
        (config(responseSchema={"type": "STRING"}), "generationConfig.responseMimeType"),
        (config(responseMimeType="application/json", responseSchema={"properties": 7}), "generationConfig.responseSchema"),
        ({"generationConfig": 7}, "generationConfig"),
        ({"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "f"}]}]}, "tools"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ODD"}}}, "toolConfig.functionCallingConfig.mode"),
        (
            {"tools": [WEATHER], "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["x"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ],
)
def test_members_of_the_wrong_kind(body: dict[str, Any], path: str) -> None:
    with pytest.raises(Malformed) as caught:
        asked(**body)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"tools": [{"googleSearch": {}}]}, "tools[0].googleSearch"),
        ({"tools": [WEATHER, {"code_execution": {}}]}, "tools[1].codeExecution"),
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        (config(candidateCount=2), "generationConfig.candidateCount"),
        (config(responseLogprobs=True), "generationConfig.responseLogprobs"),
        (config(responseModalities=["TEXT", "IMAGE"]), "generationConfig.responseModalities"),
        (config(responseMimeType="text/x.enum"), "generationConfig.responseMimeType"),
        (config(speechConfig={"a": 1}), "generationConfig.speechConfig"),
        ({"contents": [user({"inlineData": {"mimeType": "audio/wav", "data": "aGk="}})]}, "contents[0].parts[0].inlineData"),
        ({"contents": [user({"fileData": {"fileUri": "gs://a/b.png"}})]}, "contents[0].parts[0].fileData.fileUri"),
        ({"contents": [user({"fileData": {"fileUri": "https://youtu.be/x"}})]}, "contents[0].parts[0].fileData.fileUri"),
        ({"contents": [model({"executableCode": {"code": "1"}})]}, "contents[0].parts[0].executableCode"),
        ({"systemInstruction": {"parts": [{"inlineData": {"a": 1}}]}}, "systemInstruction.parts[0].inlineData"),
    ],
)
def test_what_no_other_model_can(body: dict[str, Any], path: str) -> None:
    with pytest.raises(Unsupported) as caught:
        read_request({"contents": [user({"text": "x"})], **body}, model="m", stream=False)
    assert caught.value.path == path


def test_what_is_left_out_is_told() -> None:
    """contract:135: safety settings are for Gemini's own models."""
    ask = asked(
        user({"text": "x", "mediaResolution": {"level": "LOW"}, "odd": 1}),
        safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        labels={"a": "b"},
        **config(mediaResolution="LOW"),
    )
    assert {loss.path for loss in ask.losses} == {
        "safetySettings",
        "labels",
        "generationConfig.mediaResolution",
        "contents[0].parts[0].mediaResolution",
        "contents[0].parts[0].odd",
    }
