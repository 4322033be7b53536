"""What a Messages upstream says, whole and streamed."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_gateway.tests.translation.messages.told import event, together
from reference_gateway.translation.items import (
    Answer,
    Broken,
    Delta,
    Ended,
    Event,
    Maker,
    PartStarted,
    Reasoning,
    Refused,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
)
from reference_gateway.translation.messages import deepseek
from reference_gateway.translation.messages.answer_in import ERROR_STATUS, STOPS, StreamReader, read_answer

USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 5, "output_tokens": 1}
BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "b3BhcXVl"},
    {"type": "text", "text": "First é"},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris", "n": [1, 2.5, 123456789012345678901234567890]}},
    {"type": "text", "text": "Second"},
    {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
]
ITEMS = (
    Reasoning(text="Let me see.", signature="c2ln", maker=Maker.ANTHROPIC),
    Reasoning(opaque="b3BhcXVl", maker=Maker.ANTHROPIC),
    Text(text="First é"),
    ToolCall(id="toolu_1", name="weather", arguments='{"city":"Paris","n":[1,2.5,123456789012345678901234567890]}'),
    Text(text="Second"),
    ToolCall(id="toolu_2", name="now", arguments=""),
)


def start(**members: Any) -> bytes:
    message: dict[str, Any] = {
        "model": "claude-x",
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
    }
    return event("message_start", message={**message, "stop_sequence": None, "usage": USAGE, **members})


def end(stop_reason: str | None = "end_turn", usage: dict[str, Any] | None = None, **delta: Any) -> bytes:
    stop = {"stop_reason": stop_reason, "stop_sequence": None, **delta}
    return event("message_delta", delta=stop, usage=usage or {"output_tokens": 20}) + event("message_stop")


def block(index: int, content: dict[str, Any]) -> bytes:
    """As the vendor streams it, in pieces of three characters."""
    kind = content["type"]
    member = {"text": "text", "thinking": "thinking", "tool_use": "input"}.get(kind)
    if member is None:
        return event("content_block_start", index=index, content_block=content) + event("content_block_stop", index=index)
    begun: dict[str, Any] = {**content, member: {} if member == "input" else ""}
    name, field = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}.get(
        kind, ("input_json_delta", "partial_json")
    )
    text = (json.dumps(content["input"], separators=(",", ":")) if content["input"] else "") if member == "input" else content[member]
    if kind == "thinking":
        begun["signature"] = ""
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    out = [event("content_block_start", index=index, content_block=begun)]
    out += [event("content_block_delta", index=index, delta={"type": name, field: piece}) for piece in ("", *pieces)]
    if kind == "thinking":
        out.append(event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": content["signature"]}))
    out.append(event("content_block_stop", index=index))
    return b"".join(out)


def read(*reads: bytes) -> list[Event]:
    reader = StreamReader()
    return [each for data in reads for each in reader.feed(data)] + reader.close()


def stream(blocks: list[dict[str, Any]], stop_reason: str = "tool_use") -> bytes:
    said = b"".join(block(index, content) + event("ping") for index, content in enumerate(blocks))
    return start() + said + end(stop_reason)


def test_a_whole_answer() -> None:
    body = {"id": "msg_1", "model": "claude-x", "type": "message", "content": BLOCKS, "stop_reason": "tool_use", "usage": USAGE}
    answer = read_answer(body)
    assert answer == Answer(
        id="msg_1",
        model="claude-x",
        items=ITEMS,
        stop=Stop.TOOL_CALLS,
        tokens=Tokens(input=10, output=1, cache_read=5, cache_write_5m=0),
        vendor_stop="tool_use",
    )


def test_a_stream_says_the_same() -> None:
    assert together(read(stream(BLOCKS))) == Answer(
        id="msg_1",
        model="claude-x",
        items=ITEMS,
        stop=Stop.TOOL_CALLS,
        tokens=Tokens(input=10, output=20, cache_read=5, cache_write_5m=0),
        vendor_stop="tool_use",
    )


def test_what_is_said_is_given_at_once() -> None:
    reader = StreamReader()
    assert reader.feed(start()) == [
        Started(id="msg_1", model="claude-x", tokens=Tokens(input=10, output=1, cache_read=5, cache_write_5m=0))
    ]
    reader.feed(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word"})
    assert reader.feed(delta) == [Delta(index=0, text="word")]
    assert reader.feed(delta[:-1]) == []
    assert reader.feed(delta[-1:]) == [Delta(index=0, text="word")]


@given(cuts=st.lists(st.integers(0, 4000)), ends=st.sampled_from([b"\n", b"\r\n", b"\r"]))
@settings(max_examples=60)
def test_any_split_and_any_line_end_give_the_same_events(cuts: list[int], ends: bytes) -> None:
    body = stream(BLOCKS).replace(b"\n", ends)
    at = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    split = read(*(body[a:b] for a, b in itertools.pairwise(at)))
    assert together(split) == together(read(stream(BLOCKS)))


def test_every_truncation_is_broken() -> None:
    body = stream(BLOCKS)
    for cut in range(len(body) - 2):  # the last event may lack its blank line
        last = read(body[:cut])[-1]
        assert isinstance(last, Broken), cut
        assert last.status == 502


@given(body=st.binary(max_size=300), at=st.integers(0, 3000), length=st.integers(0, 40))
@settings(max_examples=300)
def test_no_bytes_make_it_raise(body: bytes, at: int, length: int) -> None:
    whole = stream(BLOCKS)
    for bytes_ in (body, whole[:at] + body + whole[at + length :]):
        events = read(bytes_)
        assert [isinstance(each, Ended | Broken) for each in events].count(True) == 1
        assert isinstance(events[-1], Ended | Broken)


@pytest.mark.parametrize("word", STOPS)
def test_stop_reasons(word: str) -> None:
    wanted = Stop.END if word == "tool_use" else STOPS[word]  # no call is there to be answered
    content = [BLOCKS[2]]
    whole = read_answer({"content": content, "stop_reason": word, "stop_sequence": "END", "usage": USAGE})
    assert isinstance(whole, Answer)
    assert (whole.stop, whole.vendor_stop, whole.stop_sequence) == (wanted, word, "END")
    streamed = together(read(start() + block(0, content[0]) + end(word, stop_sequence="END")))
    assert isinstance(streamed, Answer)
    assert (streamed.stop, streamed.vendor_stop, streamed.stop_sequence) == (wanted, word, "END")


def test_a_stop_reason_that_is_not_known() -> None:
    text, call = BLOCKS[2], BLOCKS[5]
    for content, stop in (([text], Stop.END), ([call], Stop.TOOL_CALLS)):
        whole = read_answer({"content": content, "stop_reason": "bored", "usage": USAGE})
        streamed = together(read(stream(content, "bored")))
        assert isinstance(whole, Answer)
        assert isinstance(streamed, Answer)
        assert whole.stop == streamed.stop == stop
        assert whole.vendor_stop == "bored"
    for broken in (read_answer({"content": [], "stop_reason": "bored", "usage": USAGE}), together(read(stream([], "bored")))):
        assert isinstance(broken, Broken)


def test_a_compaction_alone_is_no_answer() -> None:
    body = {"id": "msg_1", "type": "message", "content": [{"type": "compaction", "content": "s"}], "stop_reason": "compaction"}
    assert isinstance(read_answer(body), Broken)
    said = read_answer({**body, "content": [*body["content"], {"type": "text", "text": "a"}]})
    assert isinstance(said, Answer)
    assert said.stop is Stop.PAUSE


def test_no_stop_reason_is_a_failure() -> None:
    assert isinstance(read_answer({"content": [BLOCKS[2]], "stop_reason": None, "usage": USAGE}), Broken)
    assert isinstance(together(read(start() + block(0, BLOCKS[2]) + end(None))), Broken)
    assert isinstance(together(read(start() + block(0, BLOCKS[2]) + event("message_stop"))), Broken)


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "I cannot."}
    whole = read_answer({"id": "", "model": "", "content": [], "stop_reason": "refusal", "stop_details": details, "usage": USAGE})
    streamed = together(read(start() + end("refusal", stop_details=details)))
    for answer in (whole, streamed):
        assert isinstance(answer, Answer)
        assert (answer.items, answer.stop) == ((Refused(text="I cannot."),), Stop.REFUSAL)


# usage


def test_what_message_delta_says_takes_the_place_of_what_message_start_said() -> None:
    first = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "output_tokens": 2,
    }
    later = {"input_tokens": None, "cache_read_input_tokens": 6, "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 8}}
    answer = together(read(start(usage=first) + block(0, BLOCKS[2]) + end(usage=later)))
    assert isinstance(answer, Answer)
    assert answer.tokens == Tokens(input=10, output=20, cache_read=6, cache_write_5m=3, cache_write_1h=4, reasoning=8)


def test_the_counts_of_several_iterations_are_their_sum() -> None:
    one = {"type": "compaction", "input_tokens": 100, "output_tokens": 30, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 8}
    two = {"type": "message", "input_tokens": 20, "output_tokens": 4}
    usage = {"input_tokens": 20, "output_tokens": 4, "iterations": [one, two]}
    tokens = Tokens(input=120, output=34, cache_read=5, cache_write_5m=8)
    said: dict[str, Any] = {"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}
    for iterations, wanted in (
        ([one, two], tokens),
        ([two], Tokens(input=20, output=4)),
        ([one, {}], Tokens(input=20, output=4)),
        ("x", None),
    ):
        answer = read_answer({**said, "usage": {**usage, "iterations": iterations}})
        assert isinstance(answer, Answer)
        assert answer.tokens == (wanted or Tokens(input=20, output=4))


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 1, "output_tokens": 0}, Tokens(input=1, output=0)),
        ({"input_tokens": 0, "output_tokens": 2, "cache_creation_input_tokens": 9}, Tokens(input=0, output=2, cache_write_5m=9)),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}},
            Tokens(input=1, output=2, cache_write_5m=3, cache_write_1h=4),
        ),
        ({"input_tokens": -1, "output_tokens": 2}, None),
        ({"input_tokens": True, "output_tokens": 2}, None),
        ({"output_tokens": 2}, None),
        ({}, None),
        (None, None),
    ],
)
def test_counts_that_are_absent_are_not_zero(usage: dict[str, Any] | None, tokens: Tokens | None) -> None:
    answer = read_answer({"content": [], "stop_reason": "end_turn", "usage": usage})
    assert isinstance(answer, Answer)
    assert answer.tokens == tokens


# failures


@pytest.mark.parametrize(("word", "status"), [*ERROR_STATUS.items(), ("teapot_error", 502)])
def test_errors(word: str, status: int) -> None:
    error = {"type": word, "message": "of account 1234"}
    whole = read_answer({"type": "error", "error": error, "request_id": "req_1"})
    streamed = read(start() + block(0, BLOCKS[2]) + event("error", error=error))[-1]
    assert whole == streamed
    assert isinstance(whole, Broken)
    assert (whole.status, whole.type) == (status, word)
    own = word in ("authentication_error", "permission_error", "billing_error", "rate_limit_error")
    assert ("1234" in whole.message) is not own


def test_an_error_event_of_any_shape_is_an_error() -> None:
    for body in (b"event: error\ndata: {}\n\n", b'event: error\ndata: "overloaded"\n\n', b'data: {"type":"error","error":null}\n\n'):
        assert isinstance(read(start() + body)[-1], Broken)


@pytest.mark.parametrize(
    "events",
    [
        block(0, BLOCKS[2]),
        start() + start(),
        start() + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}),
        start() + event("content_block_stop", index=0),
        start() + 2 * event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        start() + event("content_block_start", index=0, content_block={"type": "tool_use", "name": "n"}),
        start() + event("content_block_start", index=0),
        start() + b'event: content_block_delta\ndata: {"type":"content_block_delta","index":"0"}\n\n',
        start() + b"data: nonsense\n\n",
        start() + block(0, BLOCKS[2])[:-20] + b"\n\n",
        b"<html>502</html>",
        b"",
    ],
)
def test_what_breaks_the_grammar_breaks_the_answer(events: bytes) -> None:
    assert isinstance(together(read(events + end())), Broken)


def test_what_is_not_known_is_passed_over() -> None:
    strange = (
        b": comment\n\n"
        b'event: future\ndata: {"type":"future","index":"x","delta":7}\n\n'
        b"event: ping\ndata: \n\n"
        b"event: ping\n\n"
        + event("ping")
        + event("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {"type": "page"}})
        + event("content_block_delta", index=0, delta={"type": "future_delta", "value": {}})
    )
    body = start() + event("content_block_start", index=0, content_block={"type": "text", "text": "", "citations": None}) + strange
    body += event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}) + event("content_block_stop", index=0)
    answer = together(read(body + strange.split(b"event: content")[0] + end()))
    assert isinstance(answer, Answer)
    assert answer.items == (Text(text="x"),)


def test_blocks_that_are_interleaved_stay_apart() -> None:
    def delta(index: int, text: str) -> bytes:
        return event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text})

    calls = [
        event("content_block_start", index=i, content_block={"type": "tool_use", "id": f"t{i}", "name": "n", "input": {}}) for i in (0, 1)
    ]
    body = start() + calls[0] + calls[1] + delta(0, '{"a"') + delta(1, '{"b"') + delta(0, ":1}") + delta(1, ":2}")
    answer = together(read(body + event("content_block_stop", index=1) + event("content_block_stop", index=0) + end("tool_use")))
    assert isinstance(answer, Answer)
    assert [item.arguments for item in answer.items if isinstance(item, ToolCall)] == ['{"a":1}', '{"b":2}']


def test_a_call_that_came_whole() -> None:
    whole = event("content_block_start", index=0, content_block=BLOCKS[5]) + event("content_block_stop", index=0)
    answer = together(read(start() + whole + end("tool_use")))
    assert isinstance(answer, Answer)
    assert answer.items == (ITEMS[3],)


def test_a_block_left_open_ends_with_the_message() -> None:
    body = start() + block(0, BLOCKS[2]).removesuffix(event("content_block_stop", index=0)) + end()
    answer = together(read(body))
    assert isinstance(answer, Answer)
    assert answer.items == (ITEMS[2],)


def test_deepseek_is_its_own_maker() -> None:
    reader = deepseek.StreamReader()
    body = b": keep-alive\n\n" + start() + block(0, BLOCKS[0]) + block(1, BLOCKS[2]) + end()
    answer = together(reader.feed(body) + reader.close())
    assert isinstance(answer, Answer)
    assert answer.items[0] == Reasoning(text="Let me see.", signature="c2ln", maker=Maker.DEEPSEEK)
    gave_up = deepseek.read_answer({"content": [BLOCKS[2]], "stop_reason": "insufficient_system_resource", "usage": USAGE})
    assert isinstance(gave_up, Broken)
    assert gave_up.status == 503


def test_a_part_is_counted_only_where_a_client_is_told_of_it() -> None:
    indices = [each.index for each in read(stream(BLOCKS)) if isinstance(each, PartStarted)]
    assert indices == list(range(len(ITEMS)))
