"""What the tests of Gemini make: requests, upstreams, frames by hand, and answers by hypothesis."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from reference_gateway.translation import events
from reference_gateway.translation.codec import Naming, Upstream
from reference_gateway.translation.gemini import answer_in, request_in
from reference_gateway.translation.items import (
    Answer,
    Ask,
    AssistantItem,
    Broken,
    Event,
    Maker,
    Reasoning,
    Role,
    Stop,
    Text,
    Tokens,
    ToolCall,
    Turn,
)

ASK = Ask(model="m", turns=(Turn(role=Role.USER, items=(Text(text="Hello"),), path="messages[0]"),))
NAMING = Naming(id="r1", model="claude-sonnet-4-6", created=1_700_000_000, stands_for={"get_weather_1": "get.weather"})
GEMINI_3 = Upstream(model="gemini-3.1-pro-preview", max_output_tokens=65_536, family="gemini")
GEMINI_2_5 = Upstream(model="gemini-2.5-flash", max_output_tokens=65_536, family="gemini")
GEMINI_2 = Upstream(model="gemini-2.0-flash", max_output_tokens=8_192, family="gemini")


def asked(*contents: dict[str, Any], **body: Any) -> Ask:
    """As the reader of requests gives it."""
    given = list(contents) or [{"role": "user", "parts": [{"text": "Hello"}]}]
    return request_in.read_request({"contents": given, **body}, model="m", stream=False)


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def call(name: str, args: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args or {}, **others}}


def result(name: str, response: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **others}}


def chunk(*parts: dict[str, Any], finish: str | None = None, **others: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-3", "responseId": "r", **others}


def sse(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in chunks)


def read(*reads: bytes) -> list[Event]:
    reader = answer_in.StreamReader()
    return [event for data in reads for event in reader.feed(data)] + reader.close()


def streamed(*chunks: dict[str, Any]) -> Answer | Broken:
    return events.collect(read(sse(*chunks)))


# hypothesis

some_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
signatures = st.binary(min_size=1, max_size=9).map(lambda data: b64encode(data).decode())
counts = st.integers(0, 10_000)


@st.composite
def thoughts(draw: st.DrawFn) -> Reasoning:
    maker = draw(st.sampled_from([None, *Maker]))
    if maker is None:
        return Reasoning(text=draw(some_text))
    if maker is Maker.GEMINI:
        return Reasoning(text=draw(some_text), signature=draw(signatures), maker=maker)
    signature, opaque = draw(st.sampled_from([("sig==", None), (None, "opaque=="), ("sig==", "opaque==")]))
    text = draw(some_text) if signature is not None else ""
    return Reasoning(text=text, signature=signature, opaque=opaque, maker=maker)


@st.composite
def tool_calls(draw: st.DrawFn) -> list[ToolCall]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        arguments = draw(st.sampled_from(["", '{"city":"Zürich"}', '{"n":12345678901234567890,"f":1.0,"a":[null,true]}']))
        found.append(ToolCall(id=f"call_{number}", name=draw(names), arguments=arguments, signature=draw(st.none() | signatures)))
    return found


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Such as Gemini can say: no two texts beside each other."""
    items: list[AssistantItem] = [
        *draw(st.lists(thoughts(), max_size=1)),
        *draw(st.lists(some_text.map(lambda text: Text(text=text)), max_size=1)),
        *draw(tool_calls()),
    ]
    said = any(not isinstance(item, Reasoning) for item in items)
    calls = any(isinstance(item, ToolCall) for item in items)
    stop = draw(st.sampled_from([Stop.TOOL_CALLS if calls else Stop.END, Stop.LENGTH, *([Stop.REFUSAL] if said else [])]))
    output = draw(counts)
    tokens = Tokens(
        input=draw(counts), output=output, cache_read=draw(st.none() | counts), reasoning=draw(st.none() | st.integers(0, output // 3))
    )
    return Answer(id="r1", model="claude-sonnet-4-6", items=tuple(items), stop=stop, tokens=tokens)
