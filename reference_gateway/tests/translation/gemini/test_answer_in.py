"""A Gemini upstream's answers, whole and streamed, as items and events."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_gateway.tests.translation.gemini.made import call, chunk, read, sse, streamed
from reference_gateway.translation.gemini.answer_in import StreamReader, read_answer
from reference_gateway.translation.items import (
    Answer,
    Broken,
    Delta,
    Ended,
    Event,
    Image,
    Inline,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Signed,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
)

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14}
STREAM = (
    chunk({"text": "Hm", "thought": True}, usageMetadata={"promptTokenCount": 10, "totalTokenCount": 10}),
    chunk({"text": "m.", "thought": True}),
    chunk({"text": "It is "}),
    chunk({"text": '{["\\ü'}),
    chunk(call("weather", {"city": "Zürich", "n": 12345678901234567890}) | {"thoughtSignature": "c2ln"}),
    chunk(call("now")),
    chunk({"text": ""}, finish="STOP", usageMetadata={**USAGE, "thoughtsTokenCount": 6, "totalTokenCount": 20}),
)
ITEMS = (
    Reasoning(text="Hmm."),
    Text(text='It is {["\\ü'),
    ToolCall(id="call_r_0", name="weather", arguments='{"city":"Zürich","n":12345678901234567890}', signature="c2ln"),
    ToolCall(id="call_r_1", name="now", arguments=""),
)


def test_a_stream_says_each_thing_as_it_comes() -> None:
    reader = StreamReader()
    assert reader.feed(sse(STREAM[0])) == [
        Started(id="r", model="gemini-3"),
        PartStarted(index=0, kind=PartKind.REASONING),
        Delta(index=0, text="Hm"),
    ]
    assert reader.feed(sse(STREAM[1])) == [Delta(index=0, text="m.")]
    assert reader.feed(sse(STREAM[2])) == [PartEnded(index=0), PartStarted(index=1, kind=PartKind.TEXT), Delta(index=1, text="It is ")]
    reader.feed(sse(STREAM[3]))
    assert reader.feed(sse(STREAM[4])) == [
        PartEnded(index=1),
        PartStarted(index=2, kind=PartKind.TOOL_CALL, id="call_r_0", name="weather", signature="c2ln"),
        Delta(index=2, text='{"city":"Zürich","n":12345678901234567890}'),
        PartEnded(index=2),
    ]
    reader.feed(sse(*STREAM[5:]))
    # The calls came before the finishReason, and count all the same.
    assert reader.close() == [Ended(stop=Stop.TOOL_CALLS, tokens=Tokens(input=10, output=10, reasoning=6), vendor_stop="STOP")]


def test_a_whole_answer_is_the_stream_of_it() -> None:
    parts = [part for each in STREAM for part in each["candidates"][0]["content"]["parts"]]
    whole = read_answer(chunk(*parts, finish="STOP", usageMetadata=STREAM[-1]["usageMetadata"]))
    assert whole == streamed(*STREAM)
    assert isinstance(whole, Answer)
    assert whole.items == ITEMS


@pytest.mark.parametrize(
    ("finish", "parts", "stop"),
    [
        ("STOP", [], Stop.END),
        ("STOP", [{"text": "x"}], Stop.END),
        ("STOP", [call("f")], Stop.TOOL_CALLS),
        ("MAX_TOKENS", [call("f")], Stop.LENGTH),
        ("MAX_TOKENS", [], Stop.LENGTH),
        ("SAFETY", [], Stop.REFUSAL),
        ("RECITATION", [{"text": "x"}], Stop.REFUSAL),
        ("IMAGE_SAFETY", [], Stop.REFUSAL),
        ("SPII", [call("f")], Stop.REFUSAL),
        ("MALFORMED_FUNCTION_CALL", [{"text": "x"}], Stop.END),
        ("MALFORMED_FUNCTION_CALL", [call("f")], Stop.TOOL_CALLS),
        ("OTHER", [{"text": "x"}], Stop.END),
        ("NEW_WORD", [{"text": "x"}], Stop.END),
    ],
)
def test_stops(finish: str, parts: list[dict[str, Any]], stop: Stop) -> None:
    for answer in (read_answer(chunk(*parts, finish=finish)), streamed(chunk(*parts), chunk(finish=finish))):
        assert isinstance(answer, Answer)
        assert (answer.stop, answer.vendor_stop) == (stop, finish)


@pytest.mark.parametrize(
    "finish",
    ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "NEW"],
)
def test_a_failure_that_said_nothing_is_one(finish: str) -> None:
    """Thoughts are nothing that a caller could use."""
    for answer in (read_answer(chunk(finish=finish)), streamed(chunk({"text": "Hm", "thought": True}), chunk(finish=finish))):
        assert isinstance(answer, Broken)
        assert (answer.status, answer.type) == (502, finish)


def test_a_blocked_prompt_is_a_refusal_without_output() -> None:
    body = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {**USAGE, "candidatesTokenCount": 4}}
    for answer in (read_answer(body), streamed(body)):
        assert isinstance(answer, Answer)
        assert answer.items == ()
        assert (answer.stop, answer.vendor_stop) == (Stop.REFUSAL, "PROHIBITED_CONTENT")
        assert answer.tokens == Tokens(input=10, output=0)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, Tokens(input=10, output=4)),
        ({**USAGE, "cachedContentTokenCount": 3}, Tokens(input=7, output=4, cache_read=3)),
        ({**USAGE, "cachedContentTokenCount": 0}, Tokens(input=10, output=4, cache_read=0)),
        ({**USAGE, "toolUsePromptTokenCount": 5}, Tokens(input=15, output=4)),
        ({**USAGE, "thoughtsTokenCount": 2, "totalTokenCount": 16}, Tokens(input=10, output=6, reasoning=2)),
        ({**USAGE, "thoughtsTokenCount": 2, "totalTokenCount": 14}, Tokens(input=10, output=4, reasoning=2)),  # thoughts are in the 4
        ({"promptTokenCount": 10, "totalTokenCount": 10}, Tokens(input=10, output=0)),
        ({"candidatesTokenCount": 4, "thoughtsTokenCount": 2}, Tokens(input=0, output=6, reasoning=2, input_counted=False)),
        ({"trafficType": "ON_DEMAND"}, None),
        ({"promptTokenCount": -1, "candidatesTokenCount": 4}, None),
        (None, None),
    ],
)
def test_usage(usage: dict[str, Any] | None, tokens: Tokens | None) -> None:
    members = {} if usage is None else {"usageMetadata": usage}
    for answer in (read_answer(chunk({"text": "x"}, finish="STOP", **members)), streamed(chunk({"text": "x"}, finish="STOP", **members))):
        assert isinstance(answer, Answer)
        assert answer.tokens == tokens


def test_the_last_usage_that_counts_the_prompt_is_the_one() -> None:
    answer = streamed(
        chunk({"text": "x"}, usageMetadata={"promptTokenCount": 3, "totalTokenCount": 3}),
        chunk(finish="STOP", usageMetadata=USAGE),
        chunk(usageMetadata={"trafficType": "ON_DEMAND"}),
    )
    assert isinstance(answer, Answer)
    assert answer.tokens == Tokens(input=10, output=4)


def test_a_prompt_that_is_never_counted_leaves_the_rest() -> None:
    answer = streamed(
        chunk({"text": "x"}, usageMetadata={"candidatesTokenCount": 1}),
        chunk(finish="STOP", usageMetadata={"candidatesTokenCount": 4}),
        chunk(usageMetadata={"trafficType": "ON_DEMAND"}),
    )
    assert isinstance(answer, Answer)
    assert answer.tokens == Tokens(input=0, output=4, input_counted=False)


def test_the_proof_of_a_text_is_a_thought_of_its_own() -> None:
    answer = streamed(chunk({"text": "OK"}), chunk({"text": "", "thoughtSignature": "c2ln"}), chunk(finish="STOP"))
    assert isinstance(answer, Answer)
    assert answer.items == (Text(text="OK"), Reasoning(signature="c2ln", maker=Maker.GEMINI))
    assert answer == read_answer(chunk({"text": "OK", "thoughtSignature": "c2ln"}, finish="STOP"))


def test_the_proof_of_a_thought_belongs_to_it() -> None:
    answer = streamed(
        chunk({"text": "Hm", "thought": True}), chunk({"text": "", "thought": True, "thoughtSignature": "c2ln"}, finish="STOP")
    )
    assert isinstance(answer, Answer)
    assert answer.items == (Reasoning(text="Hm", signature="c2ln", maker=Maker.GEMINI),)


def test_a_proof_is_not_repeated_over_parallel_calls_and_ids_of_the_vendor_are_kept() -> None:
    events = read(sse(chunk(call("f", id="a") | {"thoughtSignature": "c2ln"}, call("f", id="b")), chunk(finish="STOP")))
    calls = [event for event in events if isinstance(event, PartStarted)]
    assert [(event.id, event.signature) for event in calls] == [("a", "c2ln"), ("b", None)]


def test_an_answer_without_an_id_has_the_same_calls_each_time() -> None:
    body = {"candidates": [{"content": {"parts": [call("f", {"a": 1}), call("f", {"a": 1})]}, "finishReason": "STOP"}]}
    first, second = read_answer(body), read_answer(body)
    assert isinstance(first, Answer)
    assert first == second
    assert len({item.id for item in first.items if isinstance(item, ToolCall)}) == 2


def test_arguments_that_come_value_by_value() -> None:
    def more(*partial: dict[str, Any], **others: Any) -> dict[str, Any]:
        return chunk({"functionCall": {"partialArgs": list(partial), **others}})

    answer = streamed(
        chunk({"functionCall": {"name": "cook", "willContinue": True}}),
        more({"jsonPath": "$.recipe.name", "stringValue": "Las", "willContinue": True}, willContinue=True),
        more({"jsonPath": "$.recipe.name", "stringValue": "agne"}, willContinue=True),
        more({"jsonPath": "$.recipe.steps[0]", "stringValue": "boil"}, {"jsonPath": "$['for'][0].n", "numberValue": 4}, willContinue=True),
        more({"jsonPath": "$.hot", "boolValue": True}, {"jsonPath": "$.none", "nullValue": None}, willContinue=True),
        chunk({"functionCall": {}}),
        chunk({"functionCall": {"name": "done"}}, finish="STOP"),
    )
    assert isinstance(answer, Answer)
    first, second = answer.items
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.arguments == '{"recipe":{"name":"Lasagne","steps":["boil"]},"for":[{"n":4}],"hot":true,"none":null}'
    assert second.arguments == ""


@pytest.mark.parametrize("path", ["", "$", "x.y", "$.a[7]", "$.a.", "$..a", "$.a[b]"])
def test_arguments_without_a_place_are_a_failure(path: str) -> None:
    part = {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": path, "stringValue": "x"}]}}
    assert isinstance(streamed(chunk(part, finish="STOP")), Broken)


def test_an_image_is_one_in_a_whole_answer_and_markdown_in_a_stream() -> None:
    body = chunk({"text": "Here:"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}, finish="STOP")
    whole, stream = read_answer(body), streamed(body)
    assert isinstance(whole, Answer)
    assert isinstance(stream, Answer)
    assert whole.items == (Text(text="Here:"), Image(source=Inline(media_type="image/png", base64="aGk=")))
    assert stream.items == (Text(text="Here:"), Text(text="![image](data:image/png;base64,aGk=)"))


def test_what_is_not_read() -> None:
    """Another candidate, the vendor's own tools, members of the future."""
    body = chunk({"executableCode": {"code": "1"}}, {"text": "x", "new": 1}, {"toolCall": {"id": "a"}}, finish="STOP", later={"a": 1})
    body["candidates"].append({"index": 1, "content": {"parts": [{"text": "no"}]}, "finishReason": "OTHER"})
    answer = streamed({"serverNews": 1}, body)
    assert isinstance(answer, Answer)
    assert answer.items == (Text(text="x"),)


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "body", [sse(chunk({"text": "x"}), ERROR), json.dumps(ERROR, indent=2).encode(), b"[" + json.dumps(ERROR).encode() + b"]"]
)
def test_errors_inside_a_stream(body: bytes) -> None:
    assert read(body)[-1] == Broken(status=503, message="The model is overloaded.", type="UNAVAILABLE")


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        ({"code": 400, "message": "bad schema", "status": "INVALID_ARGUMENT"}, 400, True),
        ({"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}, 502, False),
        ({"code": 401, "message": "project 7", "status": "UNAUTHENTICATED"}, 502, False),
        ({"code": 403, "message": "project 7", "status": "PERMISSION_DENIED"}, 502, False),
        ({"code": 404, "message": "no model", "status": "NOT_FOUND"}, 404, True),
        ({"code": 429, "message": "quota of project 7", "status": "RESOURCE_EXHAUSTED"}, 429, False),
        ({"code": 500, "message": "oops", "status": "INTERNAL"}, 502, True),
        ({"message": "late", "status": "DEADLINE_EXCEEDED"}, 504, True),
        ({"code": "odd"}, 502, True),
        ("odd", 502, True),
    ],
)
def test_failures(error: Any, status: int, told: bool) -> None:
    answer = read_answer({"error": error})
    assert isinstance(answer, Broken)
    assert answer.status == status
    assert answer.message == (
        (error.get("message") if isinstance(error, dict) else None) or "the upstream failed" if told else answer.message
    )
    assert "project" not in answer.message
    assert "key" not in answer.message


@pytest.mark.parametrize("body", [{}, {"candidates": []}, {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}, {"candidates": 7}])
def test_a_whole_answer_without_its_end_is_broken(body: dict[str, Any]) -> None:
    assert isinstance(read_answer(body), Broken)


def test_a_stream_that_is_cut_is_broken() -> None:
    body = sse(*STREAM)
    assert isinstance(read(body)[-1], Ended)
    last = body.rindex(b"data: ")
    for cut in range(0, last, 3):
        assert isinstance(read(body[:cut])[-1], Broken), cut
    assert isinstance(read(body[: last + 40])[-1], Broken)  # inside the last event


def test_an_array_that_is_cut_is_broken() -> None:
    body = json.dumps(STREAM, indent=1, ensure_ascii=False).encode()
    assert read(body) == read(sse(*STREAM))
    for cut in range(0, len(body), 3):
        assert isinstance(read(body[:cut])[-1], Broken), cut


@pytest.mark.parametrize(
    "body", [sse(*STREAM), b"\xef\xbb\xbf" + sse(*STREAM), b" \n" + json.dumps(STREAM).encode(), json.dumps(STREAM, indent=2).encode()]
)
def test_any_split_gives_the_same_events(body: bytes) -> None:
    whole = read(body)
    assert isinstance(whole[-1], Ended)
    for cut in range(len(body) + 1):
        assert read(body[:cut], body[cut:]) == whole
    assert read(*(body[at : at + 1] for at in range(len(body)))) == whole


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_ends_comments_and_missing_spaces_say_nothing(end: bytes) -> None:
    plain = sse(*STREAM)
    odd = (b": hello\r\n\r\n" + plain).replace(b"data: ", b"data:").replace(b"\r\n", end)
    assert read(odd) == read(plain)
    assert read(odd.rstrip()) == read(plain)


def one_end(events: list[Event]) -> None:
    assert isinstance(events[-1], Ended | Broken)
    assert not any(isinstance(event, Ended | Broken) for event in events[:-1])
    open_: set[int] = set()
    for event in events:
        match event:
            case PartStarted(index=index):
                open_.add(index)
            case Delta(index=index) | Signed(index=index):
                assert index in open_
            case PartEnded(index=index):
                open_.remove(index)
            case _:
                pass
    assert not open_ or isinstance(events[-1], Broken)


@given(data=st.binary(max_size=200), at=st.integers(0, 200))
def test_no_bytes_raise_and_there_is_one_end(data: bytes, at: int) -> None:
    one_end(read(data[:at], data[at:]))
    one_end(read(b"data: " + data))
    one_end(read(b"[" + data))


def test_mutated_streams_never_raise() -> None:
    chance = random.Random(7)
    originals = [sse(*STREAM), json.dumps(STREAM).encode()]
    for _ in range(2_000):
        body = bytearray(chance.choice(originals))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(body))
            match chance.randrange(3):
                case 0:
                    body[at] = chance.randrange(256)
                case 1:
                    del body[at : at + chance.randrange(1, 60)]
                case _:
                    body[at:at] = chance.choice([b"}", b"]", b"null", b'"', b"\n\n", b"data: ", b"{", b"7"])
        one_end(read(bytes(body)))


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "candidates",
                        "content",
                        "parts",
                        "text",
                        "functionCall",
                        "name",
                        "args",
                        "finishReason",
                        "usageMetadata",
                        "error",
                        "index",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_json_is_an_answer_or_broken(body: Any) -> None:
    if isinstance(body, dict):
        assert isinstance(read_answer(body), Answer | Broken)
        one_end(read(sse(body)))
