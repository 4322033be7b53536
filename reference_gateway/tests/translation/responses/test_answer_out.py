"""What a Responses client gets: the official SDK reads it, a stream adds up to the whole answer, each rule of the tables has its case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from reference_gateway.tests.translation.responses import made
from reference_gateway.tests.translation.responses.support import ASK, NAMING, frames, unfold
from reference_gateway.translation.codec import Naming
from reference_gateway.translation.common.glue import Run
from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
    Image,
    Inline,
    Link,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
)
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.responses.answer_out import StreamWriter, write_answer
from reference_gateway.translation.responses.request_in import read_request

TOKENS = Tokens(input=10, output=7, cache_read=100, cache_write_5m=20, cache_write_1h=3, reasoning=2)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def answer(*items: AssistantItem, stop: Stop = Stop.END, tokens: Tokens | None = TOKENS) -> Answer:
    return Answer(id="msg_1", model="upstream-model", items=items, stop=stop, tokens=tokens)


def whole(*items: AssistantItem, stop: Stop = Stop.END) -> dict[str, Any]:
    return write_answer(answer(*items, stop=stop), ASK, NAMING)


def streamed(*events: Event) -> list[dict[str, Any]]:
    return frames(StreamWriter(ASK, NAMING).write(events))


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


@settings(max_examples=60, deadline=None)
@given(made.answers)
def test_the_stream_says_what_the_whole_answer_says(given_answer: Answer) -> None:
    events = streamed(*unfold(given_answer))
    assert events[-1]["response"] == write_answer(given_answer, ASK, NAMING)


@settings(max_examples=60, deadline=None)
@given(made.answers)
def test_the_official_sdk_takes_every_event_and_the_whole_answer(given_answer: Answer) -> None:
    Response.model_validate(write_answer(given_answer, ASK, NAMING), strict=True)
    events = streamed(*unfold(given_answer))
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in events:
        state.handle_event(EVENT.validate_python(event, strict=True))


@settings(max_examples=60, deadline=None)
@given(made.answers)
def test_events_are_numbered_items_are_paired_and_deltas_add_up(given_answer: Answer) -> None:
    events = streamed(*unfold(given_answer))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert kinds(events[:2]) == ["created", "in_progress"]
    added = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.added"}
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    assert list(added) == list(range(len(added)))
    assert [done[place] for place in added] == events[-1]["response"]["output"]
    assert all(added[place]["id"] == done[place]["id"] and added[place]["type"] == done[place]["type"] for place in added)
    said: dict[tuple[Any, ...], str] = {}
    for event in events:
        stem, _, end = event["type"].rpartition(".")
        where = (stem, event.get("output_index"), event.get("content_index"), event.get("summary_index"))
        if end == "delta":
            assert event["delta"]
            assert event["item_id"] == added[event["output_index"]]["id"]
            said[where] = said.get(where, "") + event["delta"]
        elif end == "done" and stem.split(".")[-1] in ("output_text", "refusal", "reasoning_summary_text", "function_call_arguments"):
            text = next(event[name] for name in ("text", "refusal", "arguments") if name in event)
            assert said.get(where, "") == text


@settings(max_examples=60, deadline=None)
@given(made.answers)
def test_every_read_of_the_events_gives_the_same_bytes(given_answer: Answer) -> None:
    events = list(unfold(given_answer))
    writer = StreamWriter(ASK, NAMING)
    assert b"".join(writer.write((event,)) for event in events) == StreamWriter(ASK, NAMING).write(events)


@settings(max_examples=60, deadline=None)
@given(made.answers)
def test_a_client_that_sends_the_output_back_loses_nothing(given_answer: Answer) -> None:
    given_answer = replace(given_answer, stop=Stop.END)
    output = write_answer(given_answer, ASK, NAMING)["output"]
    results = [{"type": "function_call_output", "call_id": item["call_id"], "output": "ok"} for item in output if "call_id" in item]
    ask = read_request({"input": [{"role": "user", "content": "Hi"}, *output, *results]}, model="m", stream=False)
    said = ask.turns[1].items if output else ()
    assert said == tuple(
        replace(item, arguments=item.arguments or "{}") if isinstance(item, ToolCall) else item for item in given_answer.items
    )


def test_a_text_is_said_event_by_event() -> None:
    events = streamed(*unfold(answer(Text(text="Hello")), size=3))
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[4] == {
        "type": "response.output_text.delta",
        "content_index": 0,
        "delta": "Hel",
        "item_id": events[2]["item"]["id"],
        "logprobs": [],
        "output_index": 0,
        "sequence_number": 4,
    }
    assert events[-1]["response"]["usage"] == {
        "input_tokens": 133,
        "input_tokens_details": {"cache_write_tokens": 23, "cached_tokens": 100},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 140,
    }


@pytest.mark.parametrize("count", [1, 3, 1_018, 1_019, 2_500])
def test_a_run_of_texts_is_numbered_on_however_long_it_is(count: int) -> None:
    begun = (Started(id="", model=""), PartStarted(index=0, kind=PartKind.TEXT), Delta(index=0, text="So"))
    texts = [f" {number} 100%" for number in range(count)]
    run = Run(texts=[text.encode() for text in texts], text="".join(texts), last=b"", size=0)
    in_a_run, one_by_one = StreamWriter(ASK, NAMING), StreamWriter(ASK, NAMING)
    assert in_a_run.write(begun) == one_by_one.write(begun)
    assert in_a_run.more(0, run) == one_by_one.write([Delta(index=0, text=text) for text in texts])
    rest = (PartEnded(index=0), Ended(stop=Stop.END, tokens=TOKENS))
    assert in_a_run.write(rest) == one_by_one.write(rest)


@pytest.mark.parametrize("name", ["%b", "100% d", 'a"b\\c', "é\x00"])
def test_names_that_look_like_holes_are_names(name: str) -> None:
    naming = Naming(id="0", model=name, created=1, stands_for={"f": name})
    ask = read_request({"input": "Hi", "user": name, "metadata": {"echo": name}}, model="m", stream=True)
    spoken = answer(Text(text=name), ToolCall(id=name, name="f", arguments=f'{{"a":"{name[:1]}"}}'), Reasoning(text=name))
    assert frames(StreamWriter(ask, naming).write(unfold(spoken)))[-1]["response"] == write_answer(spoken, ask, naming)


def test_parallel_calls_that_are_interleaved_keep_their_places() -> None:
    one, two = (PartStarted(index=index, kind=PartKind.TOOL_CALL, id=f"call_{index}", name="f") for index in range(2))
    deltas = [Delta(index=index, text=text) for index, text in ((0, '{"a"'), (1, '{"b"'), (0, ":1}"), (1, ":2}"))]
    end = Ended(stop=Stop.TOOL_CALLS, tokens=None)
    events = streamed(Started(id="", model=""), one, two, *deltas, PartEnded(index=0), PartEnded(index=1), end)
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"], item["status"]) for item in output] == [
        ("call_0", '{"a":1}', "completed"),
        ("call_1", '{"b":2}', "completed"),
    ]
    assert [event["output_index"] for event in events if event["type"].endswith("arguments.delta")] == [0, 1, 0, 1]


def test_neighbouring_texts_are_parts_of_one_message() -> None:
    output = whole(Text(text="a"), Refused(text="b"), ToolCall(id="c", name="f", arguments=""), Text(text="d"))["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message"]
    assert [part["type"] for part in output[0]["content"]] == ["output_text", "refusal"]
    assert output[1]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("stop", "items", "status", "reason"),
    [
        (Stop.END, (Text(text="a"),), "completed", None),
        (Stop.STOP_SEQUENCE, (Text(text="a"),), "completed", None),
        (Stop.TOOL_CALLS, (ToolCall(id="c", name="f", arguments=""),), "completed", None),
        (Stop.PAUSE, (Text(text="a"),), "completed", None),
        (Stop.LENGTH, (Text(text="a"),), "incomplete", "max_output_tokens"),
        (Stop.CONTEXT_FULL, (), "incomplete", "max_output_tokens"),
        (Stop.REFUSAL, (), "incomplete", "content_filter"),
        (Stop.REFUSAL, (Refused(text="no"),), "completed", None),
    ],
)
def test_a_stop_becomes_a_status(stop: Stop, items: tuple[AssistantItem, ...], status: str, reason: str | None) -> None:
    body = whole(*items, stop=stop)
    assert body["status"] == status
    assert body["incomplete_details"] == (None if reason is None else {"reason": reason})
    if items and items[-1] == Text(text="a"):
        assert body["output"][-1]["status"] == status
    assert streamed(*unfold(answer(*items, stop=stop)))[-1]["type"] == f"response.{status}"


def test_the_request_comes_back_and_names_are_the_clients() -> None:
    body = {
        "input": "Hi",
        "instructions": "Be brief.",
        "temperature": 0.5,
        "metadata": {"a": "b"},
        "tools": [{"type": "function", "name": "get.weather", "parameters": {"type": "object"}, "strict": True}],
        "tool_choice": {"type": "function", "name": "get.weather"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "parallel_tool_calls": False,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    }
    naming = Naming(id="x", model="m", created=1, stands_for={"get_weather": "get.weather"})
    ask = read_request(body, model="m", stream=False)
    response = write_answer(answer(ToolCall(id="c", name="get_weather", arguments="{}")), ask, naming)
    Response.model_validate(response, strict=True)
    assert response["output"][0]["name"] == "get.weather"
    assert response["tools"] == [
        {"type": "function", "description": None, "name": "get.weather", "parameters": {"type": "object"}, "strict": True}
    ]
    for name in ("instructions", "temperature", "metadata", "tool_choice", "parallel_tool_calls", "reasoning"):
        assert response[name] == body[name]
    assert response["text"]["format"]["schema"] == {"type": "object"}


def test_a_failure_after_the_first_byte_is_an_error_event_and_response_failed_at_the_end() -> None:
    begun: list[Event] = [Started(id="", model=""), PartStarted(index=0, kind=PartKind.TEXT), Delta(index=0, text="a")]
    events = streamed(*begun, Broken(status=429, message="too many"))
    assert kinds(events)[-2:] == ["error", "failed"]
    assert events[-2]["error"]["type"] == "rate_limit_error"  # the SDK raises on this member
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["error"] == {"code": "rate_limit_exceeded", "message": "too many"}
    assert events[-1]["response"]["output"] == []
    for event in events:
        EVENT.validate_python(event, strict=True)
    assert kinds(streamed(Broken(status=502, message="gone"))) == ["created", "in_progress", "error", "failed"]


def test_c5_a_withdrawn_key_gets_an_error_event_and_no_terminal_one() -> None:
    events = streamed(Started(id="", model=""), Broken(status=401, message="This API key is not valid any more."))
    assert kinds(events) == ["created", "in_progress", "error"]
    assert (events[-1]["error"]["type"], events[-1]["sequence_number"]) == ("authentication_error", 2)


def test_images_of_a_whole_answer() -> None:
    body = whole(Image(source=Inline(media_type="image/png", base64="aGk=")), Image(source=Link(url="https://x/y.png")))
    Response.model_validate(body, strict=True)
    assert body["output"][0]["result"] == "aGk="
    assert body["output"][1]["content"][0]["text"] == "![image](https://x/y.png)"


class _Reversed:
    def close(self, data: bytes) -> str:
        return data.decode()[::-1]

    def open(self, text: str) -> bytes | None:
        return text[::-1].encode()


def test_the_callers_seal_is_used_and_a_foreign_one_proves_nothing() -> None:
    thought = Reasoning(text="hm", signature="sig", maker=Maker.ANTHROPIC)
    seal = _Reversed()
    item = write_answer(answer(thought, Text(text="a")), ASK, NAMING, seal)["output"][0]
    assert "sig" not in item["encrypted_content"]
    ask = read_request({"input": [item]}, model="m", stream=False, seal=seal)
    assert ask.turns[0].items == (thought,)
    ask = read_request({"input": [item]}, model="m", stream=False, seal=sealed.UNSEALED)
    assert ask.turns[0].items == (Reasoning(text="hm"),)
