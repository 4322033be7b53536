"""What a chat upstream says, whole or streamed: each rule's case, any split, a cut at every byte, and bytes that nobody should send."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_gateway.tests.translation.chat import made
from reference_gateway.tests.translation.chat.made import NAMING, answer_of, asked, read
from reference_gateway.translation.chat.answer_in import StreamReader, read_answer
from reference_gateway.translation.chat.answer_out import StreamWriter, write_answer
from reference_gateway.translation.items import (
    Answer,
    Broken,
    Delta,
    Ended,
    Event,
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

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
TOKENS = Tokens(input=30, output=20, cache_read=60, cache_write_5m=10, reasoning=5)
DONE = b"data: [DONE]\n\n"


def frame(**chunk: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.4"}
    return b"data: " + json.dumps(head | chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def chunk(delta: dict[str, Any] | None = None, finish_reason: str | None = None, **others: Any) -> bytes:
    return frame(choices=[{"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish_reason}], **others)


def body(message: dict[str, Any] | None = None, finish_reason: str | None = "stop", **others: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": None} | (message or {}), "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5.4", "choices": [choice]} | others


def call(index: int | None, arguments: str, call_id: str | None = None, name: str | None = None) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return ({} if index is None else {"index": index}) | ({"id": call_id, "type": "function"} if call_id else {}) | {"function": function}


def items(found: Answer | Broken) -> tuple[object, ...]:
    assert isinstance(found, Answer), found
    return found.items


# whole answers


def test_a_whole_answer() -> None:
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"n": 1.0}'}}]
    said = {"content": "Hi", "reasoning_content": "hm", "refusal": None, "tool_calls": calls}
    assert read_answer(body(said, "tool_calls", usage=USAGE)) == Answer(
        id="chatcmpl-1",
        model="gpt-5.4",
        items=(Reasoning(text="hm"), Text(text="Hi"), ToolCall(id="call_1", name="f", arguments='{"n": 1.0}')),
        stop=Stop.TOOL_CALLS,
        tokens=TOKENS,
        vendor_stop="tool_calls",
    )


@pytest.mark.parametrize("content", ["", None])
def test_no_content_is_no_text(content: str | None) -> None:
    assert items(read_answer(body({"content": content}))) == ()


@pytest.mark.parametrize(
    ("message", "finish_reason", "stop"),
    [
        ({"content": "x"}, "stop", Stop.END),
        ({"content": "x"}, "length", Stop.LENGTH),
        ({"content": "x"}, "content_filter", Stop.REFUSAL),
        ({"content": None}, "content_filter", Stop.REFUSAL),
        ({"refusal": "No."}, "stop", Stop.REFUSAL),
        ({"tool_calls": [call(None, "{}", "c", "f")]}, "tool_calls", Stop.TOOL_CALLS),
        ({"tool_calls": [call(None, "{}", "c", "f")]}, "stop", Stop.TOOL_CALLS),  # a forced call ends with stop
        ({"tool_calls": [call(None, "{", "c", "f")]}, "length", Stop.LENGTH),
        ({"content": "x"}, "tool_calls", Stop.END),
        ({"function_call": {"name": "f", "arguments": "{}"}}, "function_call", Stop.TOOL_CALLS),
        ({"content": "x"}, "eos_token", Stop.END),  # unknown, and something was said
    ],
)
def test_stops(message: dict[str, Any], finish_reason: str, stop: Stop) -> None:
    whole = read_answer(body(message, finish_reason))
    deltas = dict(message)
    if "tool_calls" in deltas:
        deltas["tool_calls"] = [call(0, "", "c", "f"), call(0, message["tool_calls"][0]["function"]["arguments"])]
    streamed = answer_of(read(chunk(deltas), chunk(None, finish_reason), DONE))
    assert isinstance(whole, Answer)
    assert (whole.stop, whole.vendor_stop) == (stop, finish_reason)
    assert streamed == whole


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (body(finish_reason=None), 502),
        (body(finish_reason="eos_token"), 502),  # unknown, and nothing was said
        (body({"content": "x"}, "error"), 502),
        ({"id": "x", "choices": []}, 502),
        ({"id": "x"}, 502),
        ({"choices": [{"index": 0, "finish_reason": "stop"}]}, 502),
        (body({"content": 5}), 502),
        (body({"tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]}, "tool_calls"), 502),
        ({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}, 429),
        ({"error": {"message": "slow down", "code": 429}}, 429),
        ({"error": {"message": "slow down", "code": "429", "type": "server_error"}}, 429),
        ({"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}, 400),
        ({"error": {"message": "Incorrect API key: sk-secret", "type": "invalid_request_error", "code": "invalid_api_key"}}, 502),
        ({"error": {"message": "Incorrect API key: sk-secret", "code": 401}}, 502),
        ({"error": {"message": "pay sk-secret", "type": "insufficient_quota", "code": "insufficient_quota"}}, 503),
        ({"error": {"message": "sorry", "type": "server_error"}}, 502),
        ({"error": "sorry"}, 502),
        ({"error": 17}, 502),
    ],
)
def test_failures(answer: dict[str, Any], status: int) -> None:
    broken = read_answer(answer)
    assert isinstance(broken, Broken)
    assert broken.status == status
    assert "sk-secret" not in broken.message
    if "error" in answer:
        streamed = read(chunk({"content": "x"}), b"data: " + json.dumps(answer).encode() + b"\n\n", chunk(None, "stop"), DONE)
        assert streamed[-1] == broken
        assert sum(isinstance(event, Broken) for event in streamed) == 1


def test_azure_has_no_message_where_its_filter_took_all() -> None:
    found = read_answer({"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "content_filter"}]})
    assert isinstance(found, Answer)
    assert (found.items, found.stop) == ((), Stop.REFUSAL)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, TOKENS),
        ({"prompt_tokens": 5, "completion_tokens": 0}, Tokens(input=5, output=0)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": None}, Tokens(input=0, output=0)),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}},
            Tokens(input=0, output=1, cache_read=5),
        ),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": -5, "completion_tokens": 1}, None),
        ({"prompt_tokens": 5.5, "completion_tokens": 1}, None),
        ({"prompt_tokens": "5", "completion_tokens": True}, None),
        (None, None),
        ([], None),
    ],
)
def test_usage(usage: Any, tokens: Tokens | None) -> None:
    whole = read_answer(body({"content": "x"}, usage=usage))
    assert isinstance(whole, Answer)
    assert whole.tokens == tokens
    for frames in ((chunk(None, "stop"), frame(choices=[], usage=usage)), (chunk(None, "stop", usage=usage),)):
        assert answer_of(read(chunk({"content": "x"}, usage=None), *frames, DONE)) == whole


# streams


def test_a_stream_says_each_thing_as_it_comes() -> None:
    reader = StreamReader()
    assert reader.feed(chunk({"role": "assistant", "content": "", "refusal": None})) == [Started(id="chatcmpl-1", model="gpt-5.4")]
    assert reader.feed(chunk({"reasoning_content": "hm", "content": None})) == [
        PartStarted(index=0, kind=PartKind.REASONING),
        Delta(index=0, text="hm"),
    ]
    assert reader.feed(chunk({"content": "Hi", "tool_calls": []})) == [
        PartEnded(index=0),
        PartStarted(index=1, kind=PartKind.TEXT),
        Delta(index=1, text="Hi"),
    ]
    assert reader.feed(chunk({"content": " you"})) == [Delta(index=1, text=" you")]
    assert reader.feed(chunk({"content": ' \\"é\n'})) == [Delta(index=1, text=' \\"é\n')]
    assert reader.feed(chunk({"content": ""})) == []
    assert reader.feed(chunk({"tool_calls": [call(0, "", "call_1", "f")]})) == [
        PartEnded(index=1),
        PartStarted(index=2, kind=PartKind.TOOL_CALL, id="call_1", name="f"),
    ]
    assert reader.feed(chunk({"tool_calls": [call(0, '{"a"')]})) == [Delta(index=2, text='{"a"')]
    assert reader.feed(chunk({"tool_calls": [call(0, ":1}")]})) == [Delta(index=2, text=":1}")]
    assert reader.feed(chunk(None, "tool_calls")) == [PartEnded(index=2)]
    assert reader.feed(frame(choices=[], usage=USAGE)) == []  # held until the end
    assert reader.feed(DONE) == [Ended(stop=Stop.TOOL_CALLS, tokens=TOKENS, vendor_stop="tool_calls")]
    assert reader.feed(chunk({"content": "late"})) == []
    assert reader.close() == []


def test_interleaved_calls_stay_apart() -> None:
    found = read(
        chunk({"tool_calls": [call(0, "", "c1", "f"), call(1, "", "c2", "g")]}),
        chunk({"tool_calls": [call(1, '{"b":')]}),
        chunk({"tool_calls": [call(0, '{"a":'), call(1, "2}")]}),
        chunk({"tool_calls": [call(0, "1}")]}),
        chunk(None, "tool_calls"),
    )
    calls = (ToolCall(id="c1", name="f", arguments='{"a":1}'), ToolCall(id="c2", name="g", arguments='{"b":2}'))
    assert items(answer_of(found)) == calls


def test_a_whole_call_ends_as_soon_as_the_next_begins() -> None:
    found = read(
        chunk({"tool_calls": [call(0, '{"a":"}"', "c1", "f")]}),
        chunk({"tool_calls": [call(1, "", "c2", "g")]}),
        chunk({"tool_calls": [call(0, "}")]}),
        chunk({"tool_calls": [call(2, "", "c3", "h")]}),
        chunk({"tool_calls": [call(0, " ")]}),  # white space after a whole object says nothing
        chunk(None, "tool_calls"),
        DONE,
    )
    ended = [event.index for event in found if isinstance(event, PartEnded)]
    begun = found.index(PartStarted(index=2, kind=PartKind.TOOL_CALL, id="c3", name="h"))
    assert ended == [0, 1, 2]
    assert found.index(PartEnded(index=0)) < begun
    assert [item.arguments for item in items(answer_of(found)) if isinstance(item, ToolCall)] == ['{"a":"}"}', "", ""]


def test_arguments_after_their_end_are_a_failure() -> None:
    found = read(chunk({"tool_calls": [call(0, "{}", "c1", "f"), call(1, "", "c2", "g"), call(0, "{}")]}), chunk(None, "tool_calls"), DONE)
    assert isinstance(found[-1], Broken)


def test_calls_of_one_index_are_told_apart_by_their_ids() -> None:
    found = read(
        chunk({"tool_calls": [call(0, '{"a":1}', "c1", "f"), call(0, '{"b":', "c2", "g")]}),
        chunk({"tool_calls": [call(0, "2}")]}),
        chunk(None, "stop"),
    )
    assert items(answer_of(found)) == (ToolCall(id="c1", name="f", arguments='{"a":1}'), ToolCall(id="c2", name="g", arguments='{"b":2}'))


def test_an_id_that_is_said_again_is_the_same_call() -> None:
    found = read(*(chunk({"tool_calls": [call(0, text, "c1", "f")]}) for text in ('{"a"', ":1", "}")), chunk(None, "tool_calls"))
    assert items(answer_of(found)) == (ToolCall(id="c1", name="f", arguments='{"a":1}'),)


def test_google_has_no_index_and_a_signature() -> None:
    first = call(None, "{}", "c1", "f") | {"extra_content": {"google": {"thought_signature": "sig"}}}
    found = read(
        chunk({"tool_calls": [first]}),
        chunk({"tool_calls": [call(None, '{"a":', "c2", "g")]}),
        chunk({"tool_calls": [call(None, "1}")]}),
        chunk(None, "stop"),
    )
    assert items(answer_of(found)) == (
        ToolCall(id="c1", name="f", arguments="{}", signature="sig", maker=Maker.GEMINI),
        ToolCall(id="c2", name="g", arguments='{"a":1}'),
    )


def test_a_call_without_an_id_gets_one_and_one_without_a_name_is_a_failure() -> None:
    found = read(
        chunk({"tool_calls": [call(0, '{"a"', None, None)]}), chunk({"tool_calls": [call(0, ":1}", None, "f")]}), chunk(None, "stop"), DONE
    )
    assert items(answer_of(found)) == (ToolCall(id="call_0_chatcmpl-1", name="f", arguments='{"a":1}'),)
    nameless = read(chunk({"tool_calls": [call(0, "{}", "c1", None)]}), chunk(None, "tool_calls"), DONE)
    assert isinstance(nameless[-1], Broken)


def test_refusals_and_the_deprecated_call() -> None:
    assert items(answer_of(read(chunk({"refusal": "I "}), chunk({"refusal": "won't."}), chunk(None, "stop")))) == (
        Refused(text="I won't."),
    )
    deprecated = read(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk(None, "function_call"),
    )
    assert items(answer_of(deprecated)) == (ToolCall(id="call_0_chatcmpl-1", name="f", arguments="{}"),)


def test_other_choices_are_left_out() -> None:
    two = [
        {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"},
        {"index": 0, "delta": {"content": "A"}, "finish_reason": None},
    ]
    found = answer_of(read(frame(choices=two), chunk(None, "stop"), DONE))
    assert isinstance(found, Answer)
    assert (found.items, found.stop) == ((Text(text="A"),), Stop.END)


def test_comments_unknown_events_and_blank_data_say_nothing() -> None:
    found = read(
        b": keep-alive\n\n\n\n",
        b"event: ping\ndata: {}\n\n",
        b"event: heartbeat\ndata: not json\n\n",
        b'data: {"type": "unknown"}\n\n',
        b"data: \n\n",
        frame(choices=[], prompt_filter_results=[]),
        chunk({"content": "x"}),
        b": keep-alive\n\n",
        chunk(None, "stop"),
        DONE,
    )
    assert [type(event) for event in found] == [Started, PartStarted, Delta, PartEnded, Ended]


@pytest.mark.parametrize(
    "bad",
    [
        b"data: {\n\n",
        b"data: 5\n\n",
        b"data: []\n\n",
        b'data: "\xff"\n\n',
        b'data: {"choices": {}}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_a_frame_that_is_no_chunk_is_a_failure(bad: bytes) -> None:
    found = read(chunk({"content": "x"}), bad, chunk(None, "stop"), DONE)
    assert isinstance(found[-1], Broken)
    assert found[-1].status == 502


@pytest.mark.parametrize("bad", [{"content": 5}, {"tool_calls": {}}, {"refusal": []}, {"tool_calls": [{"index": "0"}]}])
def test_a_member_that_is_read_has_to_be_what_it_should(bad: dict[str, Any]) -> None:
    assert isinstance(read(chunk({"content": "x"}), chunk(bad), chunk(None, "stop"), DONE)[-1], Broken)


def test_error_events() -> None:
    for data in (b'{"message": "busy", "code": 503}', b'{"error": {"message": "busy", "code": 503}}'):
        assert read(chunk({"content": "x"}), b"event: error\ndata: " + data + b"\n\n")[-1] == Broken(status=503, message="busy", type="503")
    assert read(b"event: error\ndata: busy\n\n") == [Broken(status=502, message="busy")]


def test_what_comes_after_a_finish_reason_is_not_lost() -> None:
    found = answer_of(read(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "length"), DONE))
    assert isinstance(found, Answer)
    assert (found.items, found.stop) == ((Text(text="a"), Text(text="b")), Stop.LENGTH)


# truncation, splits, and bytes that nobody should send

STREAM = b"".join(
    (
        b": hello\n\n",
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "hm\u2028"}),
        *(chunk({"content": text}) for text in ("Ü", "ber", ' "x"', " y", "\\", "z", "!")),
        chunk({"tool_calls": [call(0, "", "c1", "f"), call(1, '{"b":', "c2", "g")]}),
        chunk({"tool_calls": [call(0, '{"ä":"\\u00e4"}')]}),
        chunk({"tool_calls": [call(1, "2}")]}),
        chunk(None, "tool_calls"),
        frame(choices=[], usage=USAGE),
        DONE,
    )
)


def test_a_stream_that_is_cut_before_its_finish_reason_is_broken() -> None:
    finish = STREAM.index(b'"finish_reason":"tool_calls"')
    frame_end = STREAM.index(b"\n\n", finish)
    whole = read(STREAM)
    for end in range(len(STREAM)):
        found = read(STREAM[:end])
        if end < frame_end:
            assert isinstance(found[-1], Broken), end
            assert found[-1].status == 502
            said = [event for event in found[:-1] if not isinstance(event, PartEnded)]
            assert said == [event for event in whole if not isinstance(event, PartEnded)][: len(said)]
        else:  # what may still be missing is usage and the end mark; a frame that is cut is a cut all the same
            assert isinstance(found[-1], Ended | Broken)
            if STREAM[:end].endswith(b"\n"):
                assert isinstance(found[-1], Ended)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    at = sorted({0, len(STREAM), *cuts})
    assert read(*(STREAM[a:b] for a, b in itertools.pairwise(at))) == read(STREAM)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_ends_spaces_and_the_byte_order_mark_say_nothing(end: bytes) -> None:
    odd = b"\xef\xbb\xbf" + STREAM.replace(b"data: ", b"data:").replace(b"\n", end)
    for size in (1, 7, len(odd)):
        assert read(*(odd[at : at + size] for at in range(0, len(odd), size))) == read(STREAM)
    assert read(STREAM.removesuffix(b"\n\n")) == read(STREAM)


def end_is_one(events: list[Event]) -> None:
    assert sum(isinstance(event, Ended | Broken) for event in events) == 1
    assert isinstance(events[-1], Ended | Broken)
    answer_of(events)


@given(data=st.binary(max_size=200), at=st.integers(0, len(STREAM)))
@example(data=b"data: {}\n\n", at=0)
def test_no_bytes_raise_and_there_is_one_end(data: bytes, at: int) -> None:
    end_is_one(read(data))
    end_is_one(read(STREAM[:at] + data + STREAM[at:]))


def test_mutated_streams_never_raise() -> None:
    chance = random.Random(4)
    frames = STREAM.split(b"\n\n")
    for _ in range(4_000):
        mutated = list(frames)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(mutated))
            match chance.randrange(5):
                case 0:
                    del mutated[at]
                case 1:
                    mutated.insert(at, chance.choice(mutated))
                case 2:
                    place = chance.randrange(len(mutated[at]) + 1)
                    mutated[at] = mutated[at][:place] + bytes([chance.randrange(256)]) + mutated[at][place + 1 :]
                case 3:
                    mutated[at] = mutated[at][: chance.randrange(len(mutated[at]) + 1)]
                case 4:
                    mutated.insert(at, mutated.pop(chance.randrange(len(mutated))))
            if not mutated:
                break
        end_is_one(read(b"\n\n".join(mutated)))


# the reader of text knows chunks by their look


def plainly(*reads: bytes) -> list[Event]:
    """Each chunk by its JSON."""
    reader = StreamReader()

    def feed(data: bytes) -> list[Event]:
        reader._alike = None
        return reader.feed(data)

    return [event for data in reads for event in feed(data)] + reader.close()


TRICKS = [
    {"content": "x", "y": "z"},
    {"content": 'a","content":"b'},
    {"content": "\\"},
    {"content": "é\u2028\U0001f600"},
    {"content": ""},
    {"content": None},
    {"content": "a", "refusal": "b"},
    {"content": "a", "refusal": None},
    {"content": "a", "reasoning_content": "b"},
    {"x": {"content": "a"}, "content": "a"},
    {"role": "assistant", "content": "a"},
    {"tool_calls": [call(0, "{}", "c", "f")]},
]


@given(deltas=st.lists(st.sampled_from(TRICKS), max_size=12), spaced=st.booleans(), finish=st.booleans())
def test_a_chunk_known_by_its_look_is_the_chunk_that_it_is(deltas: list[dict[str, Any]], spaced: bool, finish: bool) -> None:
    frames = [chunk(delta) for delta in deltas] + [chunk({"content": "x"}, "stop" if finish else None), chunk({"content": "y"}), DONE]
    if spaced:
        frames = [one.replace(b'"content":', b'"content": ') for one in frames]
    assert read(b"".join(frames)) == plainly(*frames)


def test_the_look_is_taken_from_the_member_that_is_read() -> None:
    def odd(text: str, other: str) -> bytes:
        return b'data: {"choices":[{"delta":{"content": "%s"}}],"x":{"content":"%s"}}\n\n' % (text.encode(), other.encode())

    frames = [odd("a", "a"), odd("a", "b"), odd("c", "c"), chunk(None, "stop"), DONE]
    assert read(*frames) == plainly(*frames)
    assert items(answer_of(read(*frames))) == (Text(text="aac"),)


# there and back


@given(given_answer=made.answers())
def test_what_is_written_whole_is_read_again(given_answer: Answer) -> None:
    written = read_answer(json.loads(json.dumps(write_answer(given_answer, asked(), NAMING))))
    assert isinstance(written, Answer)
    wanted = made.together(given_answer)
    arguments = [item.arguments or "{}" for item in wanted.items if isinstance(item, ToolCall)]
    assert [item.arguments for item in written.items if isinstance(item, ToolCall)] == arguments
    assert [item for item in written.items if not isinstance(item, ToolCall)] == [i for i in wanted.items if not isinstance(i, ToolCall)]
    assert [(i.id, i.name, i.signature) for i in written.items if isinstance(i, ToolCall)] == [
        (i.id, i.name, i.signature) for i in wanted.items if isinstance(i, ToolCall)
    ]
    total = given_answer.tokens
    if total is not None:
        assert written.tokens is not None
        assert written.tokens.input == total.input
        assert written.tokens.output == total.output
        assert (written.tokens.cache_read or 0, written.tokens.reasoning) == (total.cache_read or 0, total.reasoning)
        assert (written.tokens.cache_write_5m or 0) == (total.cache_write_5m or 0) + (total.cache_write_1h or 0)


@given(given_answer=made.answers(), size=st.integers(1, 300))
def test_a_stream_that_was_written_is_read_as_the_whole_answer(given_answer: Answer, size: int) -> None:
    ask = asked(stream=True, stream_options={"include_usage": True})
    data = StreamWriter(ask, NAMING).write(made.events_of(given_answer))
    streamed = answer_of(read(*(data[at : at + size] for at in range(0, len(data), size))))
    whole = read_answer(json.loads(json.dumps(write_answer(given_answer, ask, NAMING))))
    assert isinstance(streamed, Answer)
    assert isinstance(whole, Answer)
    assert made.together(streamed) == made.together(whole)


def test_the_look_of_a_chunk_is_learned_from_the_first_that_is_plain() -> None:
    reader = StreamReader()
    reader.feed(chunk({"content": "a"}) + chunk({"content": "b"}))
    assert reader._alike is not None
    reader.feed(chunk({"refusal": "c"}))
    assert reader._alike is None
