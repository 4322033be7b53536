"""The table of losses knows every member that the official SDK knows, each once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.genai import types

from reference_gateway.translation.gemini.losses import REQUEST_IN, RULES
from reference_gateway.translation.gemini.schema import camel
from reference_gateway.translation.losses import Direction, Rule

# Of the SDK's own client, or of Vertex's and the Live API's, which generateContent does not have.
NOT_SENT = {
    *("httpOptions", "shouldReturnHttpResponse", "systemInstruction", "safetySettings", "tools", "toolConfig", "labels", "cachedContent"),
    *("automaticFunctionCalling", "modelArmorConfig", "serviceTier"),
}


def test_each_member_has_one_rule() -> None:
    seen = [(rule.direction, rule.path) for rule in RULES]
    assert len(seen) == len(set(seen))
    assert {rule.direction for rule in RULES} == set(Direction)


def test_whatever_is_dropped_or_refused_says_why() -> None:
    for rule in REQUEST_IN:
        assert rule.note or rule.rule is Rule.KEPT, rule.path


def official() -> Iterable[tuple[str, Any]]:
    part = "contents[].parts[]."
    yield "contents[].", types.Content
    yield part, types.Part
    yield f"{part}inlineData.", types.Blob
    yield f"{part}fileData.", types.FileData
    yield f"{part}functionCall.", types.FunctionCall
    yield f"{part}functionResponse.", types.FunctionResponse
    yield "tools[].", types.Tool
    yield "tools[].functionDeclarations[].", types.FunctionDeclaration
    yield "toolConfig.", types.ToolConfig
    yield "toolConfig.functionCallingConfig.", types.FunctionCallingConfig
    yield "generationConfig.", types.GenerateContentConfig
    yield "generationConfig.thinkingConfig.", types.ThinkingConfig


def test_every_member_of_the_official_types_has_a_rule() -> None:
    known = {rule.path for rule in REQUEST_IN}
    missing = [
        prefix + camel(name)
        for prefix, of in official()
        for name in of.model_fields
        if prefix + camel(name) not in known and not (prefix == "generationConfig." and camel(name) in NOT_SENT)
    ]
    assert missing == []
