"""What a Responses upstream says: each rule of the tables, servers that say less than OpenAI, what breaks, and any bytes at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_gateway.tests.translation.responses import made
from reference_gateway.tests.translation.responses.support import ASK, NAMING, fold, stream, unfold
from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
    Maker,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Stop,
    Text,
    Tokens,
    ToolCall,
)
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.responses.answer_in import StreamReader, read_answer
from reference_gateway.translation.responses.answer_out import StreamWriter, write_answer

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(content)}


def text(said: str) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": []}


def body(*output: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "model": "gpt-5",
        "status": "completed",
        "output": list(output),
        "usage": USAGE,
        **members,
    }


def read(data: bytes) -> list[Event]:
    reader = StreamReader()
    return reader.feed(data) + reader.close()


def said(data: bytes) -> Answer:
    answer = fold(read(data))
    assert isinstance(answer, Answer)
    return answer


def created() -> dict[str, Any]:
    return {"type": "response.created", "response": body(status="in_progress", usage=None)}


def end(*output: dict[str, Any], **members: Any) -> dict[str, Any]:
    found = body(*output, **members)
    return {"type": f"response.{found['status']}", "response": found}


# whole answers


def test_a_whole_answer() -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        "encrypted_content": "sealed",
    }
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a": 1}'}
    refusal = {"type": "refusal", "refusal": "no"}
    answer = read_answer(body(thought, message(text("one"), text(""), text("two"), refusal), {"type": "web_search_call", "id": "ws"}, call))
    assert isinstance(answer, Answer)
    assert answer.items == (
        Reasoning(text="a\n\nb", opaque="sealed", maker=Maker.OPENAI, id="rs_1"),
        Text(text="one"),
        Text(text="two"),
        Refused(text="no"),
        ToolCall(id="call_1", name="f", arguments='{"a": 1}'),
    )
    assert (answer.stop, answer.vendor_stop) == (Stop.TOOL_CALLS, "completed")
    assert answer.tokens == Tokens(input=30, output=20, cache_read=60, cache_write_5m=10, reasoning=5)


@pytest.mark.parametrize(
    ("output", "members", "stop"),
    [
        ([message(text("a"))], {}, Stop.END),
        ([], {}, Stop.END),
        ([message({"type": "refusal", "refusal": "no"})], {}, Stop.REFUSAL),
        ([message(text("a"))], {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, Stop.LENGTH),
        ([], {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, Stop.LENGTH),
        ([message(text("a"))], {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, Stop.REFUSAL),
        ([message(text("a"))], {"status": "incomplete", "incomplete_details": {"reason": "never_heard_of"}}, Stop.LENGTH),
        ([message(text("a"))], {"status": "incomplete", "incomplete_details": None}, Stop.LENGTH),
    ],
)
def test_why_it_ended_whole_and_streamed(output: list[dict[str, Any]], members: dict[str, Any], stop: Stop) -> None:
    whole = read_answer(body(*output, **members))
    assert isinstance(whole, Answer)
    assert whole.stop is stop
    assert said(stream(created(), end(*output, **members))) == whole


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [
        ({"error": {"code": "server_error", "message": "x"}, "status": "failed"}, 502, "server_error"),
        ({"error": {"code": "rate_limit_exceeded", "message": "x"}}, 429, "rate_limit_exceeded"),
        ({"error": {"type": "invalid_request_error", "code": "context_length_exceeded", "message": "x"}}, 400, "context_length_exceeded"),
        ({"error": {"type": "invalid_request_error", "code": None, "message": "x"}}, 400, "invalid_request_error"),
        ({"error": {"code": "server_is_overloaded", "message": "x"}}, 503, "server_is_overloaded"),
        ({"status": "failed", "error": None}, 502, ""),
        ({"status": "in_progress"}, 502, "in_progress"),
        ({"status": None}, 502, ""),
        ({"status": "incomplete", "incomplete_details": {"reason": "strange"}}, 502, "strange"),
        ({"output": "text"}, 502, ""),
        ({"output": [{"type": "function_call", "call_id": "c", "arguments": ""}]}, 502, ""),
        ({"output": [{"type": "message", "content": "text"}]}, 502, ""),
    ],
)
def test_a_whole_answer_that_is_none(answer: dict[str, Any], status: int, word: str) -> None:
    broken = read_answer(body(**answer))
    assert isinstance(broken, Broken)
    assert (broken.status, broken.type) == (status, word)


@pytest.mark.parametrize(("word", "status"), [("invalid_api_key", 502), ("insufficient_quota", 503)])
def test_what_is_wrong_with_the_gateways_own_key_is_not_told(word: str, status: int) -> None:
    error = {"type": "invalid_request_error", "code": word, "message": "Incorrect API key provided: sk-proj-1234"}
    for broken in (read_answer({"error": error}), read(stream(created(), {"type": "error", "error": error}))[-1]):
        assert isinstance(broken, Broken)
        assert broken.status == status
        assert "sk-" not in broken.message


# streams


def test_a_stream_of_everything() -> None:
    call = {"type": "function_call", "id": "fc", "call_id": "call_1", "name": "f", "arguments": ""}
    data = stream(
        created(),
        {"type": "response.in_progress", "response": body(status="in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}},
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {"text": ""}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "a"},
        {"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "a"},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "b"},
        {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "c"},
        {"type": "response.reasoning_text.done", "output_index": 0, "content_index": 0, "text": "c"},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                "content": [{"type": "reasoning_text", "text": "c"}],
                "encrypted_content": "sealed",
            },
        },
        {"type": "response.output_item.added", "output_index": 1, "item": message()},
        {"type": "response.content_part.added", "output_index": 1, "content_index": 0, "part": text("")},
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "one", "logprobs": [], "obfuscation": "x"},
        {"type": "response.output_text.annotation.added", "output_index": 1, "annotation": {}},
        {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "one"},
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 1, "delta": "no"},
        {"type": "response.refusal.done", "output_index": 1, "content_index": 1, "refusal": "no"},
        {"type": "response.output_item.done", "output_index": 1, "item": message(text("one"), {"type": "refusal", "refusal": "no"})},
        {"type": "keepalive", "sequence_number": 9},
        {"type": "response.never_heard_of", "delta": {"an": "object"}, "output_index": "x"},
        {"type": "response.output_item.added", "output_index": 2, "item": {"type": "web_search_call", "summary": 5}},
        {"type": "response.output_item.added", "output_index": 3, "item": call},
        {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": '{"a":'},
        {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "1}"},
        {"type": "response.function_call_arguments.done", "output_index": 3, "arguments": '{"a":1}'},
        {"type": "response.output_item.done", "output_index": 3, "item": {**call, "arguments": '{"a":1}'}},
        end(),
    )
    answer = said(data)
    assert answer.items == (
        Reasoning(text="a\n\nb\n\nc", opaque="sealed", maker=Maker.OPENAI, id="rs_1"),
        Text(text="one"),
        Refused(text="no"),
        ToolCall(id="call_1", name="f", arguments='{"a":1}'),
    )
    assert answer.stop is Stop.TOOL_CALLS


_CALL = {"type": "function_call", "id": "fc", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}
_EMPTY_CALL = {**_CALL, "arguments": ""}
_ADDED = {"type": "response.output_item.added", "output_index": 0, "item": _EMPTY_CALL}


@pytest.mark.parametrize(
    "events",
    [
        [_ADDED, {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"a":1}'}],
        [_ADDED, {"type": "response.output_item.done", "output_index": 0, "item": _CALL}],
        [{"type": "response.output_item.done", "output_index": 0, "item": _CALL}],
        [{"type": "response.output_item.added", "output_index": 0, "item": _CALL}],
        [
            _ADDED,
            {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a'},
            {"type": "response.output_item.done", "output_index": 0, "item": _CALL},
        ],
        [  # no output_index, as before 2025
            {"type": "response.output_item.added", "item": _EMPTY_CALL},
            {"type": "response.function_call_arguments.delta", "item_id": "fc", "delta": '{"a":1}'},
        ],
        [],
    ],
)
def test_arguments_come_in_any_of_the_ways_that_servers_have(events: list[dict[str, Any]]) -> None:
    answer = said(stream(created(), *events, end(_CALL)))
    assert answer.items == (ToolCall(id="call_1", name="f", arguments='{"a":1}'),)


def test_a_text_that_comes_only_with_its_end() -> None:
    done = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}
    item = {"type": "response.output_item.done", "output_index": 0, "item": message(text("Hello"))}
    for events in ([done], [done, item], [item], []):
        assert said(stream(created(), *events, end(message(text("Hello"))))).items == (Text(text="Hello"),)


@pytest.mark.parametrize(
    ("whole", "told"),
    [("It is so. ", "It is so. "), ("It is so. Yes.", "It is so. Yes."), ("It is so.", "It is so. "), ("", "It is so. ")],
)
def test_a_whole_text_goes_on_from_its_deltas_or_is_theirs_trimmed(whole: str, told: str) -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}
    deltas = [{**delta, "delta": "It is"}, {**delta, "delta": " so. "}]
    done = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": whole}
    item = {"type": "response.output_item.done", "output_index": 0, "item": message(text(whole))}
    for ends in ([done], [item], [done, item]):
        assert said(stream(created(), *deltas, *ends, end())).items == (Text(text=told),)


def test_deltas_that_do_not_come_to_the_whole_text_are_a_failure() -> None:
    for kind in ("output_text", "refusal", "reasoning_summary_text"):
        delta = {"type": f"response.{kind}.delta", "output_index": 0, "content_index": 0, "summary_index": 0, "delta": "It so."}
        member = "refusal" if kind == "refusal" else "text"
        done = {**delta, "type": f"response.{kind}.done", member: "It is so."}
        *before, last = read(stream(created(), delta, done, end()))
        assert isinstance(last, Broken)
        assert Delta(index=0, text="It so.") in before
    item = {"type": "response.output_item.done", "output_index": 0, "item": message(text("It is so."), text("and more"))}
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "It so."}
    assert isinstance(read(stream(created(), delta, item, end()))[-1], Broken)


@pytest.mark.parametrize(("whole", "broken"), [('{"a": 1}', False), ('{"a":1 }', False), ('{"a":2}', True), ('{"a":1', True)])
def test_arguments_are_those_of_the_deltas_or_a_failure(whole: str, broken: bool) -> None:
    started = {"type": "response.output_item.added", "output_index": 0, "item": {**_CALL, "arguments": ""}}
    delta = {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a":1}'}
    done = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": whole}
    item = {"type": "response.output_item.done", "output_index": 0, "item": {**_CALL, "arguments": whole}}
    for last in (done, item):
        found = read(stream(created(), started, delta, last, end(_CALL)))
        assert isinstance(found[-1], Broken) is broken
        assert Delta(index=0, text='{"a":1}') in found


@pytest.mark.parametrize("kind", ["response.output_item.added", "response.output_item.done"])
@pytest.mark.parametrize(
    ("item", "broken"),
    [
        ({"type": "web_search_call", "content": "what it likes", "id": 5}, False),
        ({"type": "message", "content": "no list"}, True),
        ({"type": "function_call", "name": 5}, True),
        (None, True),
        ("message", True),
    ],
)
def test_an_item_that_is_read_has_to_be_one_and_any_other_may_be_what_it_likes(kind: str, item: object, broken: bool) -> None:
    found = read(stream(created(), {"type": kind, "output_index": 0, "item": item}, end(message(text("one")))))
    assert isinstance(found[-1], Broken if broken else Ended)


def test_a_new_item_id_in_each_event_is_still_one_item() -> None:
    deltas = [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": f"msg_{n}", "delta": c}
        for n, c in enumerate("Hello")
    ]
    assert said(stream(created(), *deltas, end())).items == (Text(text="Hello"),)


def test_events_come_as_soon_as_they_are_known() -> None:
    reader = StreamReader()
    assert len(reader.feed(stream(created()))) == 1
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"}
    assert reader.feed(stream(delta)) == [PartStarted(index=0, kind=PartKind.TEXT), Delta(index=0, text="a")]
    assert reader.feed(stream(delta)) == [Delta(index=0, text="a")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 502),
        (stream(created()), 502),
        (stream(created(), {"type": "response.output_text.delta", "output_index": 0, "delta": "a"}), 502),
        (b"data: [DONE]\n\n", 502),
        (b"data: {\n\n", 502),
        (b"data: 5\n\n", 502),
        (b"event: response.completed\ndata: {\n\n", 502),
        (stream({"type": "response.completed"}), 502),
        (stream({"type": "response.output_text.delta", "delta": 5}), 502),
        (stream(created(), {"type": "error", "code": "rate_limit_exceeded", "message": "x", "param": None}), 429),
        (stream(created(), {"type": "error", "error": {"type": "server_error", "code": "server_is_overloaded", "message": "x"}}), 503),
        (stream(created(), end(status="failed", error={"code": "server_error", "message": "x"})), 502),
        (stream(created(), {"type": "response.output_item.done", "output_index": 0, "item": {"type": "function_call"}}), 502),
    ],
)
def test_what_breaks_a_stream(data: bytes, status: int) -> None:
    *before, last = read(data)
    assert isinstance(last, Broken)
    assert last.status == status
    assert not any(isinstance(event, Broken | Ended) for event in before)


def test_nothing_follows_the_end() -> None:
    reader = StreamReader()
    reader.feed(stream(created(), end()))
    assert reader.feed(stream(created(), end()) + b"data: {\n\n") == []
    assert reader.close() == []


@settings(max_examples=60, deadline=None)
@given(made.answers)
def test_what_the_writer_says_is_read_back(answer: Answer) -> None:
    written = write_answer(answer, ASK, NAMING)
    whole = read_answer(written)
    streamed = fold(read(StreamWriter(ASK, NAMING).write(unfold(answer))))
    assert streamed == whole
    assert isinstance(whole, Answer)
    assert _plain(whole.items) == _plain(answer.items)
    if answer.tokens is not None and whole.tokens is not None:
        assert whole.tokens.output == answer.tokens.output
        assert whole.tokens.input == answer.tokens.input
        assert whole.tokens.cache_read == (answer.tokens.cache_read or 0)


def _plain(items: tuple[AssistantItem, ...]) -> list[tuple[str, ...]]:
    """What is said: empty texts and the wrapping of proofs left out."""
    found: list[tuple[str, ...]] = []
    for item in items:
        match item:
            case Reasoning(opaque=str(proof)) if proof.startswith("wireproof_"):
                thought, of_call = sealed.open_(sealed.UNSEALED, proof, item.text, item.id)
                if not of_call:
                    found.append(("thought", item.text, str(thought.maker), str(thought.signature), str(thought.opaque)))
            case Reasoning():
                found.append(("thought", item.text, str(item.maker), str(item.signature), str(item.opaque)))
            case Text(text=text) | Refused(text=text):
                if text:
                    found.append((type(item).__name__, text))
            case ToolCall():
                found.append(("call", item.id, item.name, item.arguments or "{}"))
    return [each for each in found if each != ("thought", "", "None", "None", "None")]


@settings(max_examples=60, deadline=None)
@given(made.answers, st.lists(st.integers(0, 4000), max_size=6))
def test_any_split_gives_the_same_events(answer: Answer, cuts: list[int]) -> None:
    data = StreamWriter(ASK, NAMING).write(unfold(answer))
    reader, events, start = StreamReader(), [], 0
    for cut in sorted(cuts):
        events += reader.feed(data[start:cut])
        start = max(start, cut)
    events += reader.feed(data[start:]) + reader.close()
    assert events == read(data)


_TYPES = [
    *(
        f"response.{name}.{end}"
        for name in ("output_text", "refusal", "function_call_arguments", "output_item")
        for end in ("delta", "done", "added")
    ),
    *("response.created", "response.completed", "response.incomplete", "response.failed", "error"),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.sampled_from(["", "a", "message", "reasoning", "function_call"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "content", "text", "name"]), inner, max_size=4)
    ),
    max_leaves=8,
)
_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(_TYPES)},
    optional=dict.fromkeys(
        ("delta", "output_index", "content_index", "item_id", "item", "response", "text", "arguments", "error", "refusal"), _JSON
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_EVENTS, max_size=6))
def test_events_of_any_content_end_in_one_ended_or_broken(events: list[dict[str, Any]]) -> None:
    found = read(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))
    assert [event for event in found if isinstance(event, Ended | Broken)] == [found[-1]]


@settings(max_examples=200, deadline=None)
@given(made.answers, st.integers(0, 4000), st.binary(max_size=4), st.integers(0, 40))
def test_a_stream_that_was_changed_ends_in_one_ended_or_broken(answer: Answer, at: int, put: bytes, cut: int) -> None:
    data = StreamWriter(ASK, NAMING).write(unfold(answer))
    found = read(data[:at] + put + data[at + cut :])
    assert [event for event in found if isinstance(event, Ended | Broken)] == [found[-1]]


@settings(max_examples=60, deadline=None)
@given(made.answers, st.integers(1, 4000))
def test_a_stream_that_was_cut_is_never_whole(answer: Answer, cut: int) -> None:
    data = StreamWriter(ASK, NAMING).write(unfold(answer))
    last = data.rindex(b"event: ")
    assert isinstance(read(data[: min(cut, last)])[-1], Broken)


@settings(max_examples=100, deadline=None)
@given(_JSON, _JSON)
def test_a_whole_body_of_any_content_is_an_answer_or_broken(output: Any, status: Any) -> None:
    assert isinstance(read_answer({"output": output, "status": status}), Answer | Broken)
    assert isinstance(read_answer({"output": [output], "status": "completed", "usage": status}), Answer | Broken)
