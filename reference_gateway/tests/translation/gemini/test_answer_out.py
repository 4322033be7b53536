"""What a Gemini client gets, whole and streamed; the official SDK's types are the second reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_gateway.tests.translation.gemini.made import ASK, NAMING, answers, read
from reference_gateway.translation import events
from reference_gateway.translation.gemini import request_in
from reference_gateway.translation.gemini.answer_in import read_answer
from reference_gateway.translation.gemini.answer_out import FINISH_REASONS, StreamWriter, write_answer
from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Image,
    Inline,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Signed,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
    Unwritable,
)

ANSWER = Answer(
    id="msg_1",
    model="vendor",
    items=(
        Reasoning(text="Hm.", signature="c2ln", maker=Maker.ANTHROPIC),
        Text(text="Hello"),
        ToolCall(id="call_1", name="get_weather_1", arguments='{"city": "Paris"}', signature="c2ln"),
        ToolCall(id="call_2", name="now", arguments=""),
    ),
    stop=Stop.TOOL_CALLS,
    tokens=Tokens(input=7, output=9, cache_read=3, cache_write_5m=2, reasoning=4),
)
USAGE = {"promptTokenCount": 12, "candidatesTokenCount": 5, "totalTokenCount": 21, "cachedContentTokenCount": 3, "thoughtsTokenCount": 4}


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """The data of each event; nothing else stands between them."""
    *blocks, rest = stream.split(b"\r\n\r\n")
    assert rest == b""
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def write(answer: Answer, *, json_array: bool = False) -> bytes:
    return StreamWriter(ASK, NAMING, json_array=json_array).write(events.of(answer))


def test_a_whole_answer() -> None:
    body = write_answer(ANSWER, ASK, NAMING)
    proof = body["candidates"][0]["content"]["parts"][0].pop("thoughtSignature")
    assert body == {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "Hm.", "thought": True},
                        {"text": "Hello"},
                        {"functionCall": {"id": "call_1", "name": "get.weather", "args": {"city": "Paris"}}, "thoughtSignature": "c2ln"},
                        {"functionCall": {"id": "call_2", "name": "now", "args": {}}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": USAGE,
        "modelVersion": "claude-sonnet-4-6",
        "responseId": "r1",
    }
    response = types.GenerateContentResponse.model_validate(body)
    assert response.text == "Hello"
    assert [(call.name, call.args) for call in response.function_calls or ()] == [("get.weather", {"city": "Paris"}), ("now", {})]
    # What Google's own client sends back of it, in its other alphabet, is Claude's proof again.
    content = types.Content.model_validate(body["candidates"][0]["content"] | {"parts": [{"text": "", "thoughtSignature": proof}]})
    sent = json.loads(content.model_dump_json(by_alias=True, exclude_none=True))
    ask = request_in.read_request({"contents": [{"parts": [{"text": "x"}]}, sent]}, model="m", stream=False)
    assert ask.turns[1].items == (Reasoning(text="", signature="c2ln", maker=Maker.ANTHROPIC),)


def test_a_stream_in_the_vendors_order() -> None:
    found = chunks(write(ANSWER))
    parts = [part for each in found for part in each["candidates"][0]["content"]["parts"]]
    shown = [sorted(part) for part in parts]
    assert shown == [
        ["text", "thought"],
        ["text", "thought", "thoughtSignature"],
        ["text"],
        ["functionCall", "thoughtSignature"],
        ["functionCall"],
        ["text"],
    ]
    assert all("usageMetadata" not in each and "finishReason" not in each["candidates"][0] for each in found[:-1])
    assert found[-1]["usageMetadata"] == USAGE
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert {(each["modelVersion"], each["responseId"]) for each in found} == {("claude-sonnet-4-6", "r1")}
    assert b"[DONE]" not in write(ANSWER)  # C26


def test_without_alt_sse_it_is_one_json_array() -> None:
    """contract:137."""
    assert json.loads(write(ANSWER, json_array=True)) == chunks(write(ANSWER))
    writer = StreamWriter(ASK, NAMING, json_array=True)
    begun = writer.write([Started(id="", model=""), PartStarted(index=0, kind=PartKind.TEXT), Delta(index=0, text="x")])
    found = json.loads(begun + writer.write([Broken(status=503, message="busy")]))
    assert found[-1]["error"]["status"] == "UNAVAILABLE"
    assert json.loads(StreamWriter(ASK, NAMING, json_array=True).write([Broken(status=502, message="no")]))[0]["error"]["code"] == 502


def test_each_thing_is_said_at_once_and_a_call_when_it_is_whole() -> None:
    writer = StreamWriter(ASK, NAMING)
    assert writer.write([Started(id="", model=""), PartStarted(index=0, kind=PartKind.TEXT)]) == b""
    assert b'{"text":"H"}' in writer.write([Delta(index=0, text="H")])
    call = PartStarted(index=1, kind=PartKind.TOOL_CALL, id="a", name="f")
    assert writer.write([PartEnded(index=0), call, Delta(index=1, text='{"a"')]) == b""
    assert writer.write([Delta(index=1, text=":1}")]) == b""
    assert b'"args":{"a":1}' in writer.write([PartEnded(index=1)])
    assert b'"finishReason":"STOP"' in writer.write([Ended(stop=Stop.TOOL_CALLS, tokens=None)])


@pytest.mark.parametrize("stop", Stop)
def test_stops(stop: Stop) -> None:
    answer = replace(ANSWER, stop=stop)
    assert write_answer(answer, ASK, NAMING)["candidates"][0]["finishReason"] == FINISH_REASONS[stop]
    assert chunks(write(answer))[-1]["candidates"][0]["finishReason"] == FINISH_REASONS[stop]
    assert FINISH_REASONS[stop] in types.FinishReason.__members__


def test_a_refusal_is_text_and_safety() -> None:
    answer = replace(ANSWER, items=(Refused(text="I will not."),), stop=Stop.END)
    for found in (write_answer(answer, ASK, NAMING), chunks(write(answer))[0] | {"candidates": chunks(write(answer))[-1]["candidates"]}):
        assert found["candidates"][0]["finishReason"] == "SAFETY"
    assert chunks(write(answer))[0]["candidates"][0]["content"]["parts"] == [{"text": "I will not."}]


def test_an_image() -> None:
    answer = replace(ANSWER, items=(Image(source=Inline(media_type="image/png", base64="aGk=")),), stop=Stop.END)
    body = write_answer(answer, ASK, NAMING)
    assert body["candidates"][0]["content"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]


def test_arguments_that_are_no_object() -> None:
    """Those cut by the limit count as far as they are whole; any other are a failure, which can be told after that."""
    cut = replace(ANSWER, items=(ToolCall(id="a", name="f", arguments='{"a":1,"b":"x'),), stop=Stop.LENGTH)
    for found in (write_answer(cut, ASK, NAMING), chunks(write(cut))[0]):
        assert found["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"a": 1}
    bad = replace(cut, stop=Stop.TOOL_CALLS)
    with pytest.raises(Unwritable):
        write_answer(bad, ASK, NAMING)
    for json_array in (False, True):
        writer = StreamWriter(ASK, NAMING, json_array=json_array)
        with pytest.raises(Unwritable):
            writer.write(events.of(bad))
        told = writer.write([Broken(status=502, message="no object")])
        assert isinstance(read(told)[-1], Broken)


def test_an_error_stands_in_the_place_of_the_end() -> None:
    data = StreamWriter(ASK, NAMING).write([Broken(status=429, message="slow down")])
    assert chunks(data) == [{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]


def test_usage_that_was_not_told_is_not_invented() -> None:
    assert "usageMetadata" not in write_answer(replace(ANSWER, tokens=None), ASK, NAMING)


def as_read(answer: Answer) -> Answer:
    return replace(answer, vendor_stop=FINISH_REASONS[answer.stop])


@given(answer=answers())
def test_what_is_written_is_read_again_and_taken_by_the_official_types(answer: Answer) -> None:
    naming = replace(NAMING, stands_for={})
    body = write_answer(answer, ASK, naming)
    types.GenerateContentResponse.model_validate(body)
    assert read_answer(json.loads(json.dumps(body))) == as_read(compact(answer))
    for json_array in (False, True):
        stream = StreamWriter(ASK, naming, json_array=json_array).write(events.of(answer))
        found = json.loads(stream) if json_array else chunks(stream)
        for each in found:
            types.GenerateContentResponse.model_validate(each)
        again = events.collect(read(stream))
        assert again == as_read(compact(answer))


def compact(answer: Answer) -> Answer:
    """Another maker's proof is told as Gemini's own here: who sends it back is told whose it is (carried)."""
    items: list[AssistantItem] = []
    for item in answer.items:
        if isinstance(item, Reasoning) and item.maker not in (None, Maker.GEMINI):
            proof = write_answer(replace(answer, items=(item,)), ASK, NAMING)["candidates"][0]["content"]["parts"][0]["thoughtSignature"]
            items.append(Reasoning(text=item.text, signature=proof, maker=Maker.GEMINI))
        else:
            items.append(item)
    return replace(answer, items=tuple(items))


@given(answer=answers())
def test_what_google_s_client_keeps_of_a_stream_is_the_turn_that_it_was(answer: Answer) -> None:
    """Each chunk as a content of the history, as its chats keep them: thoughts, proofs, texts and calls are as they were."""
    found = chunks(StreamWriter(ASK, replace(NAMING, stands_for={})).write(events.of(answer)))
    kept = [types.Content.model_validate(each["candidates"][0]["content"]) for each in found]
    contents = [json.loads(content.model_dump_json(by_alias=True, exclude_none=True)) for content in kept]
    results = [
        {"functionResponse": {"id": item.id, "name": item.name, "response": {}}} for item in answer.items if isinstance(item, ToolCall)
    ]
    body = {"contents": [{"parts": [{"text": "x"}]}, *contents, {"parts": [*results, {"text": "and?"}]}]}
    turns = request_in.read_request(body, model="m", stream=False).turns
    if not answer.items:
        assert turns[1].items == ()
        return

    def plain(item: Any) -> Any:
        if isinstance(item, ToolCall):
            return (item.name, json.loads(item.arguments or "{}"), standard(item.signature))
        if isinstance(item, Reasoning):
            return (item.text, standard(item.signature), item.opaque, item.maker)
        return item

    assert [plain(item) for item in turns[1].items] == [plain(item) for item in answer.items]


def standard(signature: str | None) -> str | None:
    return None if signature is None else signature.replace("-", "+").replace("_", "/")


@given(data=st.lists(st.sampled_from(["a", "\n", "\u2028", '"', "\\", "ü", "\x00", "😀"]), min_size=1).map("".join))
def test_any_text_comes_through(data: str) -> None:
    assert chunks(write(replace(ANSWER, items=(Text(text=data),))))[0]["candidates"][0]["content"]["parts"] == [{"text": data}]


def test_a_proof_alone_is_shown_as_the_vendor_shows_it() -> None:
    stream = StreamWriter(ASK, NAMING).write(
        [PartStarted(index=0, kind=PartKind.REASONING), Signed(index=0, maker=Maker.GEMINI, signature="c2ln"), PartEnded(index=0)]
    )
    assert chunks(stream)[0]["candidates"][0]["content"]["parts"] == [{"text": "", "thoughtSignature": "c2ln"}]
