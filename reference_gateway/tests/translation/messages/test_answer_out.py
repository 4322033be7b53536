"""What a Messages client gets, whole and streamed; the official SDK is the second reader."""

import itertools
import json
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_gateway.tests.translation.messages.told import ASK, NAMING, apart, events_of, together
from reference_gateway.translation.common.arguments import object_of
from reference_gateway.translation.items import (
    Answer,
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
    Unwritable,
)
from reference_gateway.translation.messages.answer_in import StreamReader, read_answer
from reference_gateway.translation.messages.answer_out import STOP_REASONS, StreamWriter, write_answer

TOKENS = Tokens(input=7, output=9, cache_read=3)
ANSWER = Answer(
    id="upstream",
    model="gpt",
    items=(
        Reasoning(text="Hm."),
        Text(text="Hello"),
        ToolCall(id="call_1", name="weather", arguments='{"city": "Paris"}'),
        ToolCall(id="call_2", name="now", arguments=""),
    ),
    stop=Stop.TOOL_CALLS,
    tokens=TOKENS,
)


def write(events: list[Event]) -> bytes:
    return StreamWriter(ASK, NAMING).write(events)


def whole(answer: Answer) -> Answer:
    read = read_answer(write_answer(answer, ASK, NAMING))
    assert isinstance(read, Answer)
    return read


def streamed(answer: Answer) -> Answer:
    reader = StreamReader()
    read = together(reader.feed(write(apart(answer))) + reader.close())
    assert isinstance(read, Answer)
    return read


@cache
def sdk() -> tuple[Any, list[bytes]]:
    """A client of the official SDK, and the one body that it gets for an answer."""
    import anthropic
    import httpx2

    body: list[bytes] = []
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body[0]))
    return anthropic.Anthropic(api_key="k", base_url="http://test", http_client=httpx2.Client(transport=transport)), body


def sdk_accumulates(stream: bytes) -> dict[str, Any]:
    """The message that the official SDK's helper makes of the stream."""
    client, body = sdk()
    body[:] = [stream]
    with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as helper:
        message: dict[str, Any] = helper.get_final_message().to_dict()
    return message


def test_a_whole_answer() -> None:
    assert write_answer(ANSWER, ASK, NAMING) == {
        "model": "claude-sonnet-4-6",
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {"input_tokens": 7, "cache_creation_input_tokens": None, "cache_read_input_tokens": 3, "output_tokens": 9},
    }


def test_a_stream_in_the_vendors_order() -> None:
    events = events_of(write(apart(ANSWER)))
    shown = [(each["type"], each.get("index"), each.get("delta", each.get("content_block", {})).get("type")) for each in events]
    assert shown == [
        ("message_start", None, None),
        ("content_block_start", 0, "thinking"),
        ("content_block_delta", 0, "thinking_delta"),
        ("content_block_delta", 0, "thinking_delta"),
        ("content_block_stop", 0, None),
        ("content_block_start", 1, "text"),
        ("content_block_delta", 1, "text_delta"),
        ("content_block_delta", 1, "text_delta"),
        ("content_block_stop", 1, None),
        ("content_block_start", 2, "tool_use"),
        ("content_block_delta", 2, "input_json_delta"),
        ("content_block_delta", 2, "input_json_delta"),
        ("content_block_delta", 2, "input_json_delta"),
        ("content_block_stop", 2, None),
        ("content_block_start", 3, "tool_use"),
        ("content_block_delta", 3, "input_json_delta"),
        ("content_block_stop", 3, None),
        ("message_delta", None, None),
        ("message_stop", None, None),
    ]
    assert events[0]["message"]["usage"]["input_tokens"] > 0  # an estimate: the upstream has not counted yet
    assert events[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert events[9]["content_block"] == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    assert events[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None, "stop_details": None},
        "usage": {"input_tokens": 7, "cache_creation_input_tokens": None, "cache_read_input_tokens": 3, "output_tokens": 9},
    }


def test_the_first_event_is_message_start_whatever_comes_first() -> None:
    for item in (*ANSWER.items, None):
        items = () if item is None else (item,)
        events = events_of(write(apart(replace(ANSWER, items=items))))
        assert events[0]["type"] == "message_start"
        assert [each["type"] for each in events].count("message_start") == 1


def test_what_the_upstream_counted_at_the_start_is_handed_on() -> None:
    started = events_of(write([Started(id="", model="", tokens=Tokens(input=5, output=1, cache_write_5m=2, cache_write_1h=4))]))[0]
    assert started["message"]["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 6,
        "cache_read_input_tokens": None,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
        "output_tokens": 1,
    }


@pytest.mark.parametrize("tokens", [None, TOKENS, Tokens(input=1, output=2, cache_read=3, cache_write_5m=4, cache_write_1h=5, reasoning=1)])
def test_usage_is_the_same_whole_and_streamed(tokens: Tokens | None) -> None:
    answer = replace(ANSWER, tokens=tokens)
    last = events_of(write(apart(answer)))[-2]["usage"]
    assert last == write_answer(answer, ASK, NAMING)["usage"]
    assert whole(answer).tokens == streamed(answer).tokens == (tokens or Tokens(input=0, output=0))


@pytest.mark.parametrize("stop", Stop)
def test_stop_reasons(stop: Stop) -> None:
    answer = Answer(id="", model="", items=(Text(text="x"),), stop=stop, tokens=TOKENS, stop_sequence="END")
    body = write_answer(answer, ASK, NAMING)
    delta = events_of(write(apart(answer)))[-2]["delta"]
    assert delta == {name: body[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    assert delta["stop_reason"] == STOP_REASONS[stop]
    assert delta["stop_sequence"] == ("END" if stop is Stop.STOP_SEQUENCE else None)


def test_a_refusal_is_text_and_says_so() -> None:
    answer = Answer(id="", model="", items=(Refused(text="I cannot."),), stop=Stop.END, tokens=TOKENS)
    for read in (whole(answer), streamed(answer)):
        assert (read.items, read.stop) == ((Text(text="I cannot."),), Stop.REFUSAL)


def test_nothing_said_is_no_block() -> None:
    answer = Answer(id="", model="", items=(Text(text=""), Reasoning(), Refused(text="")), stop=Stop.END, tokens=TOKENS)
    assert write_answer(answer, ASK, NAMING)["content"] == []
    assert [each["type"] for each in events_of(write(apart(answer)))] == ["message_start", "message_delta", "message_stop"]


texts = st.text(min_size=1, max_size=8)

# parts that come at once


def test_a_later_part_waits_until_the_earlier_one_has_ended() -> None:
    writer = StreamWriter(ASK, NAMING)
    call = PartKind.TOOL_CALL

    def said(*events: Event) -> list[dict[str, Any]]:
        return events_of(writer.write(events))

    assert len(said(Started(id="", model=""), PartStarted(index=0, kind=call, id="a", name="n"))) == 3
    assert said(PartStarted(index=1, kind=call, id="b", name="n"), Delta(index=1, text='{"b"')) == []
    assert said(PartStarted(index=2, kind=PartKind.TEXT), Delta(index=2, text="last"), PartEnded(index=2)) == []
    assert said(Delta(index=0, text='{"a":1}'))[0]["delta"] == {"type": "input_json_delta", "partial_json": '{"a":1}'}
    assert said(Delta(index=1, text=":2}")) == []
    ended = said(PartEnded(index=0))
    assert [each["type"] for each in ended] == ["content_block_stop", "content_block_start", *["content_block_delta"] * 3]
    assert "".join(each["delta"]["partial_json"] for each in ended[2:]) == '{"b":2}'
    ended = said(PartEnded(index=1))
    assert [each.get("index") for each in ended] == [1, 2, 2, 2]
    assert ended[2]["delta"]["text"] == "last"
    assert [each["type"] for each in said(Ended(stop=Stop.TOOL_CALLS, tokens=TOKENS))] == ["message_delta", "message_stop"]


@given(st.data())
def test_blocks_never_overlap(data: st.DataObject) -> None:
    """Parts in any order and mixture: the blocks come one after another, each text whole."""
    count = data.draw(st.integers(1, 4))
    kinds = [data.draw(st.sampled_from(PartKind)) for _ in range(count)]
    texts = [data.draw(st.lists(st.text(min_size=1, max_size=3), max_size=3)) for _ in range(count)]
    queues: list[list[Event]] = [[*(Delta(index=i, text=text) for text in texts[i]), PartEnded(index=i)] for i in range(count)]
    events: list[Event] = [Started(id="", model="")]
    begun = 0
    while begun < count or any(queues):
        choices = [i for i in range(begun) if queues[i]] + ([begun] if begun < count else [])
        chosen = data.draw(st.sampled_from(choices))
        if chosen == begun:
            events.append(PartStarted(index=begun, kind=kinds[begun], id=f"t{begun}", name="n"))
            begun += 1
        else:
            events.append(queues[chosen].pop(0))
    events.append(Ended(stop=Stop.LENGTH, tokens=TOKENS))  # arguments may be anything
    writer = StreamWriter(ASK, NAMING)
    cut = data.draw(st.integers(0, len(events)))
    seen = events_of(writer.write(events[:cut]) + writer.write(events[cut:]))
    assert [each["type"] for each in (seen[0], *seen[-2:])] == ["message_start", "message_delta", "message_stop"]
    open_block, found = None, list[str]()
    for each in seen[1:-2]:
        match each["type"]:
            case "content_block_start":
                assert open_block is None
                assert each["index"] == len(found)
                open_block = each["index"]
                found.append("")
            case "content_block_delta":
                assert each["index"] == open_block
                found[-1] += next(text for name, text in each["delta"].items() if name != "type")
            case _:
                assert each == {"type": "content_block_stop", "index": open_block}
                open_block = None
    assert open_block is None
    assert found == ["".join(text) for kind, text in zip(kinds, texts, strict=True) if text or kind is PartKind.TOOL_CALL]


# failures


@pytest.mark.parametrize(
    ("status", "word"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (502, "api_error"), (503, "overloaded_error")]
)
def test_a_failure_is_an_error_in_place_of_the_end(status: int, word: str) -> None:
    events = events_of(write([*apart(ANSWER)[:5], Broken(status=status, message="gone")]))
    assert events[-1] == {"type": "error", "error": {"type": word, "message": "gone"}, "request_id": "req_1"}
    assert [each["type"] for each in events].count("message_stop") == 0


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"', "null", "nonsense", '{"a": NaN}'])
def test_arguments_that_are_no_object_are_a_failure(arguments: str) -> None:
    answer = replace(ANSWER, items=(ToolCall(id="a", name="n", arguments=arguments),))
    with pytest.raises(Unwritable):
        write_answer(answer, ASK, NAMING)
    writer = StreamWriter(ASK, NAMING)
    *events, end = apart(answer)
    assert b"content_block_stop" in writer.write(events)
    with pytest.raises(Unwritable):
        writer.write([end])
    assert [each["type"] for each in events_of(writer.write([Broken(status=502, message="no")]))] == ["error"]


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ('{"a": 1, "b": "x', {"a": 1}),
        ('{"a": {"b": [1, 2, 3', {"a": {"b": [1, 2]}}),
        ('{"a": "q\\"}", "b": tru', {"a": 'q"}'}),
        ('{"a', {}),
        ("{", {}),
        ("[1, 2", {}),
        ('{"a":1}', {"a": 1}),
    ],
)
def test_arguments_cut_by_the_limit_count_as_far_as_they_are_whole(arguments: str, value: dict[str, Any]) -> None:
    answer = replace(ANSWER, items=(ToolCall(id="a", name="n", arguments=arguments),), stop=Stop.LENGTH)
    assert write_answer(answer, ASK, NAMING)["content"][0]["input"] == value
    assert events_of(write(apart(answer)))[-1] == {"type": "message_stop"}


inner_values = st.recursive(st.integers() | texts | st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=4)


@given(value=st.dictionaries(texts, inner_values, max_size=3), at=st.integers(0, 60))
@settings(max_examples=50)
def test_cut_arguments_are_always_an_object(value: dict[str, Any], at: int) -> None:
    text = json.dumps(value)
    assert object_of(text) == value
    cut = object_of(text[:at], cut=True)
    assert set(cut) <= set(value)


# proofs of reasoning

THOUGHTS = [
    Reasoning(text="Hm.", signature="c2ln", maker=Maker.ANTHROPIC),
    Reasoning(opaque="b3BhcXVl", maker=Maker.ANTHROPIC),
    Reasoning(text="", signature="c2ln", maker=Maker.ANTHROPIC),
    Reasoning(text="Summary", opaque="gAAA", id="rs_1", maker=Maker.OPENAI),
    Reasoning(opaque="gAAA", id="rs_1", maker=Maker.OPENAI),
    Reasoning(text="Hm.", signature="é\n\"'", maker=Maker.GEMINI),
]


@pytest.mark.parametrize("thought", THOUGHTS)
def test_a_proof_comes_back_byte_for_byte(thought: Reasoning) -> None:
    from reference_gateway.translation.messages.request_in import read_request

    body = write_answer(replace(ANSWER, items=(thought,)), ASK, NAMING)
    back = read_request(
        {"max_tokens": 1, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": body["content"]}]},
        model="m",
        stream=False,
    )
    assert back.turns[1].items == (thought,)
    message = sdk_accumulates(write(apart(replace(ANSWER, items=(thought,)))))
    assert message["content"] == body["content"]


def test_the_proof_of_a_text_that_was_told_stands_nowhere() -> None:
    """contract:121: thinking stands before text. The gateway keeps it."""
    proof = Reasoning(signature="c2ln", maker=Maker.GEMINI)
    for items, kinds in (
        ((Text(text="Hello"), proof), ["text"]),
        ((Reasoning(text="Hm."), Text(text="Hello"), proof), ["thinking", "text"]),
        ((proof, Text(text="Hello")), ["thinking", "text"]),
    ):
        answer = replace(ANSWER, items=items, stop=Stop.END)
        assert [block["type"] for block in write_answer(answer, ASK, NAMING)["content"]] == kinds
        begun = [event["content_block"]["type"] for event in events_of(write(apart(answer))) if event["type"] == "content_block_start"]
        assert begun == kinds


def test_no_signature_is_made_up() -> None:
    body = write([*apart(replace(ANSWER, items=(Reasoning(text="Hm."),)))])
    assert b"signature_delta" not in body


def test_only_what_the_vendor_takes_back_is_an_id() -> None:
    answer = replace(ANSWER, items=(ToolCall(id="call|1/é", name="n", arguments=""), ToolCall(id="x" * 200, name="n", arguments="")))
    ids = [block["id"] for block in write_answer(answer, ASK, NAMING)["content"]]
    assert ids == [block["id"] for block in sdk_accumulates(write(apart(answer)))["content"]]
    assert len(set(ids)) == 2
    assert all(len(each) <= 64 and each.replace("_", "").replace("-", "").isalnum() and each.isascii() for each in ids)


def test_the_client_sees_its_own_tool_names() -> None:
    naming = replace(NAMING, stands_for={"weather": "weather.of/Paris"})
    assert write_answer(ANSWER, ASK, naming)["content"][2]["name"] == "weather.of/Paris"
    started = [each for each in events_of(StreamWriter(ASK, naming).write(apart(ANSWER))) if each["type"] == "content_block_start"]
    assert started[2]["content_block"]["name"] == "weather.of/Paris"


def test_an_image_is_told_in_markdown() -> None:
    answer = replace(ANSWER, items=(Image(source=Inline(media_type="image/png", base64="AAAA")),))
    assert write_answer(answer, ASK, NAMING)["content"] == [{"type": "text", "text": "![image](data:image/png;base64,AAAA)"}]


# there and back, and the official SDK

counts = st.integers(0, 2**40)
items = st.one_of(
    st.builds(Text, text=texts),
    st.builds(Reasoning, text=texts),
    st.sampled_from(THOUGHTS[:3]),
    st.builds(
        ToolCall,
        id=st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True),
        name=texts,
        arguments=st.dictionaries(texts, texts, min_size=1).map(json.dumps),
    ),
)
answers = st.builds(
    Answer,
    id=st.just("msg_01"),
    model=st.just(NAMING.model),
    items=st.lists(items, max_size=4).map(tuple),
    stop=st.sampled_from([Stop.LENGTH, Stop.CONTEXT_FULL, Stop.TOOL_CALLS, Stop.REFUSAL, Stop.PAUSE]),
    tokens=st.builds(
        Tokens,
        input=counts,
        output=counts,
        cache_read=st.none() | counts,
        cache_write_5m=counts,
        cache_write_1h=st.none() | counts,
        reasoning=st.none() | counts,
    ),
)


def plain(answer: Answer) -> Answer:
    """Minus what is declared lost: the vendor's word, the spelling of arguments, and the maker of a thought without proof."""
    kept: list[AssistantItem] = []
    for item in answer.items:
        match item:
            case ToolCall():
                kept.append(replace(item, arguments=msgspec.json.encode(object_of(item.arguments)).decode()))
            case Reasoning(signature=None, opaque=None):
                kept.append(replace(item, maker=None))
            case _:
                kept.append(item)
    called = any(isinstance(item, ToolCall) for item in kept)
    stop = Stop.END if answer.stop is Stop.TOOL_CALLS and not called else answer.stop  # there is nothing to answer
    return replace(answer, items=tuple(kept), stop=stop, vendor_stop="")


@given(answer=answers)
def test_what_is_written_reads_back(answer: Answer) -> None:
    assert plain(whole(answer)) == plain(streamed(answer)) == plain(answer)


@given(answer=answers)
@settings(max_examples=25, deadline=None)
def test_the_official_sdk_takes_it(answer: Answer) -> None:
    """Each event and the whole by its strict types; what it accumulates of the stream is the whole answer."""
    import anthropic
    from pydantic import TypeAdapter

    body = write_answer(answer, ASK, NAMING)
    anthropic.types.Message.model_validate(body)
    adapter: TypeAdapter[Any] = TypeAdapter(anthropic.types.RawMessageStreamEvent)
    stream = write(apart(answer))
    for each in events_of(stream):
        adapter.validate_python(each)
    message = sdk_accumulates(stream)
    assert message["content"] == body["content"]
    assert {name: message[name] for name in ("id", "model", "stop_reason")} == {name: body[name] for name in ("id", "model", "stop_reason")}
    said = {name: value for name, value in body["usage"].items() if name != "cache_creation" and value is not None}
    assert {name: message["usage"][name] for name in said} == said


def test_splitting_the_events_changes_no_byte() -> None:
    events = apart(ANSWER)
    for cut in range(len(events)):
        writer = StreamWriter(ASK, NAMING)
        assert writer.write(events[:cut]) + writer.write(events[cut:]) == write(events)
    one_by_one = StreamWriter(ASK, NAMING)
    assert b"".join(itertools.chain.from_iterable([one_by_one.write([each])] for each in events)) == write(events)


def test_a_signature_stands_before_the_end_of_its_block() -> None:
    events: list[Event] = [
        Started(id="", model=""),
        PartStarted(index=0, kind=PartKind.REASONING),
        Signed(index=0, maker=Maker.ANTHROPIC, signature="c2ln"),
        PartEnded(index=0),
        Ended(stop=Stop.END, tokens=TOKENS),
    ]
    shown = events_of(write(events))
    assert [each["type"] for each in shown[1:4]] == ["content_block_start", "content_block_delta", "content_block_stop"]
    assert shown[2]["delta"] == {"type": "signature_delta", "signature": "c2ln"}
