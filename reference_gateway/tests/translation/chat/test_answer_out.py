"""What a chat client gets: the official SDK reads it, a stream adds up to the whole answer, and each rule of the tables has its case."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from reference_gateway.tests.translation.chat import made
from reference_gateway.tests.translation.chat.made import NAMING, asked
from reference_gateway.translation.chat.answer_out import StreamWriter, write_answer
from reference_gateway.translation.items import (
    Answer,
    Ask,
    AssistantItem,
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
    Refused,
    Signed,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
)

ASK = asked(stream=True, stream_options={"include_usage": True})
TOKENS = Tokens(input=10, output=7, cache_read=100, cache_write_5m=20, cache_write_1h=3, reasoning=2)


def answer(*items: AssistantItem, stop: Stop = Stop.END, tokens: Tokens | None = None, vendor_stop: str = "") -> Answer:
    return Answer(id="msg_1", model="vendor-model", items=items, stop=stop, tokens=tokens, vendor_stop=vendor_stop)


def whole(given: Answer, ask: Ask = ASK) -> dict[str, Any]:
    return write_answer(given, ask, NAMING)


def message(*items: AssistantItem) -> dict[str, Any]:
    found: dict[str, Any] = whole(answer(*items))["choices"][0]["message"]
    return found


def written(events: list[Event], ask: Ask = ASK) -> list[Any]:
    """The data of each frame; `[DONE]` as it is."""
    *frames, rest = StreamWriter(ask, NAMING).write(events).decode().split("\n\n")
    assert rest == ""
    assert all(frame.startswith("data: ") for frame in frames)
    return [frame[6:] if frame == "data: [DONE]" else json.loads(frame[6:]) for frame in frames]


def deltas(events: list[Event], ask: Ask = ASK) -> list[Any]:
    found = written([Started(id="a", model="b"), *events, Ended(stop=Stop.END, tokens=None)], ask)
    return [chunk["choices"][0]["delta"] for chunk in found[1:-2]]


# a whole answer


def test_a_text() -> None:
    assert whole(answer(Text(text="Hi"), Text(text=" there"), tokens=Tokens(input=3, output=2))) == {
        "id": "chatcmpl-abc",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "claude-sonnet-4-6",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi there", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def test_content_is_null_where_there_are_only_calls() -> None:
    call = ToolCall(id="call_1", name="get_weather_1", arguments='{"city":"Zürich"}')
    assert message(call) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get.weather", "arguments": '{"city":"Zürich"}'}}],
    }
    assert message(Text(text="I look."), call)["content"] == "I look."
    assert message()["content"] == ""


def test_a_call_of_no_arguments_has_an_object_all_the_same() -> None:
    assert message(ToolCall(id="c", name="f", arguments=""))["tool_calls"][0]["function"]["arguments"] == "{}"


def test_thoughts_go_in_the_open_with_their_proofs() -> None:
    said = message(
        Reasoning(text="one", signature="s1", maker=Maker.ANTHROPIC),
        Reasoning(opaque="secret", maker=Maker.ANTHROPIC),
        Reasoning(text="two", opaque="e", maker=Maker.OPENAI, id="rs_1"),
        Text(text="x"),
    )
    assert said["reasoning_content"] == "onetwo"
    assert said["thinking_blocks"] == [
        {"type": "thinking", "thinking": "one", "signature": "s1"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "two", "data": "e", "maker": "openai", "id": "rs_1"},
    ]
    assert "thinking_blocks" not in message(Reasoning(text="unproved"))


def test_a_refusal_has_its_own_member() -> None:
    said = message(Refused(text="No."))
    assert (said["content"], said["refusal"]) == (None, "No.")


def test_an_image_goes_beside_the_text() -> None:
    image = Image(source=Inline(media_type="image/png", base64="AAAA"))
    assert message(image)["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


def test_a_signature_of_gemini_stands_where_google_has_it() -> None:
    call = ToolCall(id="c", name="f", arguments="{}", signature="sig", maker=Maker.GEMINI)
    assert message(call)["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sig"}}


@pytest.mark.parametrize(
    ("stop", "finish_reason"),
    [
        (Stop.END, "stop"),
        (Stop.STOP_SEQUENCE, "stop"),
        (Stop.LENGTH, "length"),
        (Stop.CONTEXT_FULL, "length"),
        (Stop.TOOL_CALLS, "tool_calls"),
        (Stop.REFUSAL, "content_filter"),
        (Stop.PAUSE, "stop"),
    ],
)
def test_finish_reasons(stop: Stop, finish_reason: str) -> None:
    choice = whole(answer(stop=stop, vendor_stop="vendor"))["choices"][0]
    streamed = written([Started(id="a", model="b"), Ended(stop=stop, tokens=None, vendor_stop="vendor")])[-2]["choices"][0]
    assert choice["finish_reason"] == streamed["finish_reason"] == finish_reason
    said = "vendor" if stop in (Stop.PAUSE, Stop.CONTEXT_FULL) else None
    assert choice.get("native_finish_reason") == streamed.get("native_finish_reason") == said


def test_usage_counts_what_was_cached_into_the_prompt() -> None:
    assert whole(answer(tokens=TOKENS))["usage"] == {
        "prompt_tokens": 133,
        "completion_tokens": 7,
        "total_tokens": 140,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 23},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    zeros = whole(answer(tokens=Tokens(input=0, output=0, cache_read=0)))["usage"]
    assert zeros["prompt_tokens_details"] == {"cached_tokens": 0}  # said, and nought
    written = whole(answer(tokens=Tokens(input=0, output=0, cache_write_5m=4)))["usage"]
    assert written["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 4}
    assert "usage" not in whole(answer())  # nobody knows


# a stream


def test_a_stream_of_text() -> None:
    events: list[Event] = [
        Started(id="a", model="b"),
        PartStarted(index=0, kind=PartKind.TEXT),
        Delta(index=0, text='"é\n'),
        PartEnded(index=0),
        Ended(stop=Stop.END, tokens=Tokens(input=1, output=1)),
    ]
    head = {"id": "chatcmpl-abc", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "claude-sonnet-4-6"}

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]}

    plain = [chunk({"role": "assistant", "content": "", "refusal": None}), chunk({"content": '"é\n'}), chunk({}, "stop")]
    assert written(events, asked(stream=True)) == [*plain, "[DONE]"]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    assert written(events) == [*({**each, "usage": None} for each in plain), {**head, "choices": [], "usage": usage}, "[DONE]"]


def test_calls_are_counted_by_themselves_and_may_be_interleaved() -> None:
    found = deltas(
        [
            PartStarted(index=0, kind=PartKind.TEXT),
            Delta(index=0, text="x"),
            PartEnded(index=0),
            PartStarted(index=1, kind=PartKind.TOOL_CALL, id="c1", name="get_weather_1"),
            PartStarted(index=2, kind=PartKind.TOOL_CALL, id="c2", name="g", signature="sig"),
            Delta(index=2, text="{"),
            Delta(index=1, text=""),
            Delta(index=2, text="}"),
            PartEnded(index=1),
            PartEnded(index=2),
        ]
    )
    assert found[1:] == [
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "get.weather", "arguments": ""}}]},
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "g", "arguments": ""},
                    "extra_content": {"google": {"thought_signature": "sig"}},
                }
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": "{"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]


def test_a_proof_follows_its_thought() -> None:
    assert deltas(
        [
            PartStarted(index=0, kind=PartKind.REASONING),
            Delta(index=0, text="hm"),
            Delta(index=0, text="m"),
            Signed(index=0, maker=Maker.ANTHROPIC, signature="s"),
            PartEnded(index=0),
            PartStarted(index=1, kind=PartKind.REASONING),
            Signed(index=1, maker=Maker.ANTHROPIC, opaque="o"),
            PartEnded(index=1),
        ]
    ) == [
        {"reasoning_content": "hm"},
        {"reasoning_content": "m"},
        {"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "hmm", "signature": "s"}]},
        {"thinking_blocks": [{"index": 1, "type": "redacted_thinking", "data": "o"}]},
    ]


def test_a_failure_is_a_frame_with_an_error_and_then_the_end() -> None:
    frames = written([Started(id="a", model="b"), Broken(status=503, message="busy")])
    assert frames[1]["choices"] == []
    assert frames[1]["error"]["message"] == "busy"
    assert set(frames[1]["error"]) == {"message", "type", "param", "code"}
    assert frames[2:] == ["[DONE]"]


def test_who_used_functions_gets_one_function_call() -> None:
    ask = asked(functions=[{"name": "f"}, {"name": "g"}])
    calls = (ToolCall(id="c1", name="f", arguments='{"a":1}'), ToolCall(id="c2", name="g", arguments=""))
    choice = whole(answer(*calls, stop=Stop.TOOL_CALLS), ask)["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert choice["finish_reason"] == "function_call"
    assert "tool_calls" not in choice["message"]
    found = written(made.events_of(answer(*calls, stop=Stop.TOOL_CALLS), pieces=1), ask)
    assert [chunk["choices"][0]["delta"] for chunk in found[1:-1]] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a":1}'}},
        {},
    ]


# the official SDK


def accumulated(events: list[Event], ask: Ask, cuts: int = 1) -> ChatCompletion:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    writer = StreamWriter(ask, NAMING)
    data = b"".join(writer.write(events[at : at + cuts]) for at in range(0, len(events), cuts)).decode()
    for frame in data.split("\n\n")[:-2]:
        state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(frame[6:]), strict=True))
    return state.get_final_completion()


@given(given_answer=made.answers(), pieces=st.integers(1, 4), cuts=st.integers(1, 9), usage=st.booleans())
def test_the_sdk_adds_a_stream_up_to_the_whole_answer(given_answer: Answer, pieces: int, cuts: int, usage: bool) -> None:
    ask = asked(stream=True, stream_options={"include_usage": usage})
    one = ChatCompletion.model_validate(whole(given_answer), strict=True).model_dump(exclude_unset=True)
    if given_answer.stop in (Stop.LENGTH, Stop.REFUSAL, Stop.CONTEXT_FULL):
        given_answer = Answer(
            id="", model="", items=given_answer.items, stop=Stop.END, tokens=given_answer.tokens
        )  # the helper raises on those
    streamed = accumulated(made.events_of(given_answer, pieces), ask, cuts)
    said, wanted = streamed.choices[0].message.model_dump(), one["choices"][0]["message"]
    assert (said["content"] or None) == (wanted["content"] or None)
    assert said["refusal"] == wanted["refusal"]
    assert said.get("reasoning_content") == wanted.get("reasoning_content")
    blocks = [{name: value for name, value in block.items() if name != "index"} for block in said.get("thinking_blocks") or []]
    assert blocks == wanted.get("thinking_blocks", [])
    calls = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in said["tool_calls"] or []]
    assert calls == [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in wanted.get("tool_calls", [])]
    assert (streamed.usage.model_dump(exclude_unset=True) if streamed.usage else None) == (one.get("usage") if usage else None)


@given(given_answer=made.answers(), cuts=st.integers(1, 9))
def test_events_may_be_written_together_or_one_by_one(given_answer: Answer, cuts: int) -> None:
    events = made.events_of(given_answer)
    one = StreamWriter(ASK, NAMING)
    assert b"".join(one.write(events[at : at + cuts]) for at in range(0, len(events), cuts)) == StreamWriter(ASK, NAMING).write(events)
