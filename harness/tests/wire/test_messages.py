import pytest
from msgspec import UNSET

from harness.wire import WireError, messages, sse
from harness.wire.usage import Usage


def decode(raw: bytes) -> messages.Event:
    return messages.decode_event(sse.frames(raw)[0])


def test_a_stream_from_scratch_is_laid_out_as_anthropic_does() -> None:
    usage = messages.MessageUsage(input_tokens=3, cache_read_input_tokens=5, output_tokens=1)
    events: list[messages.Event] = [
        messages.MessageStart(message=messages.Message(model="m", id="msg_1", content=(), stop_details=None, usage=usage), padding=3),
        messages.BlockStart(index=0, content_block=messages.TextBlock()),
        messages.Ping(),
        messages.BlockDelta(index=0, delta=messages.TextDelta(text="é"), padding=1),
        messages.BlockStop(index=0),
        messages.MessageDelta(
            delta=messages.Stop(stop_reason="end_turn", stop_sequence=None), usage=messages.MessageUsage(output_tokens=4)
        ),
        messages.MessageStop(padding=2),
    ]
    assert [messages.encode_event(event).decode() for event in events] == [
        (
            'event: message_start\ndata: {"type":"message_start","message":{"model":"m","id":"msg_1","type":"message","role":"assistant",'
            '"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":3,"cache_read_input_tokens":5,'
            '"output_tokens":1}}   }\n\n'
        ),
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
        'event: ping\ndata: {"type": "ping"}\n\n',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"é"} }\n\n',
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
        (
            'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
            '"usage":{"output_tokens":4}}\n\n'
        ),
        'event: message_stop\ndata: {"type":"message_stop"  }\n\n',
    ]
    assert [decode(messages.encode_event(event)) for event in events] == events


@pytest.mark.parametrize(
    "delta",
    [
        messages.InputJsonDelta(partial_json=""),
        messages.ThinkingDelta(thinking="hm", extra_fields={"estimated_tokens": 2}),
        messages.SignatureDelta(signature="c2ln"),
        messages.CitationsDelta(citation={"type": "char_location", "cited_text": "x"}),
        messages.OtherDelta(type="compaction_delta", extra_fields={"content": None}),
    ],
)
def test_every_delta_comes_back(delta: messages.BlockDeltaBody) -> None:
    event = messages.BlockDelta(index=2, delta=delta)
    assert decode(messages.encode_event(event)) == event


@pytest.mark.parametrize(
    "block",
    [
        messages.ThinkingBlock(),
        messages.RedactedThinkingBlock(data="ZGF0YQ=="),
        messages.ToolUseBlock(id="toolu_1", name="get", caller={"type": "direct"}),
        messages.ServerToolUseBlock(id="srvtoolu_1", name="web_search"),
        messages.OtherBlock(type="web_search_tool_result", extra_fields={"tool_use_id": "srvtoolu_1", "content": []}),
    ],
)
def test_every_block_comes_back(block: messages.Block) -> None:
    event = messages.BlockStart(index=0, content_block=block)
    assert decode(messages.encode_event(event)) == event


def test_an_unknown_event_is_kept() -> None:
    raw = b'event: brand_new\ndata: {"type":"brand_new","n":1.50}\n\n'
    event = decode(raw)
    assert isinstance(event, messages.Unknown)
    assert (event.type, event.event) == ("brand_new", "brand_new")
    assert messages.encode_event(event) == raw


def test_an_error_in_mid_stream() -> None:
    raw = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    event = decode(raw)
    assert isinstance(event, messages.Error)
    assert (event.error.type, event.request_id) == ("overloaded_error", UNSET)
    assert messages.is_terminal(event)
    assert messages.encode_event(event) == raw
    assert messages.Error.api_error("gone").error.message == "gone"


def test_only_message_stop_and_an_error_end_a_stream() -> None:
    assert messages.is_terminal(messages.MessageStop())
    assert not messages.is_terminal(messages.MessageDelta(delta=messages.Stop(stop_reason="end_turn")))


def test_what_is_missing_is_said_with_its_place_in_the_body() -> None:
    body = sse.write(event="ping", data='{"type": "ping"}') + sse.write(
        event="content_block_delta", data='{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}'
    )
    second = sse.frames(body)[1]
    with pytest.raises(WireError) as caught:
        messages.decode_event(second)
    assert caught.value.pointer == "/delta/text"
    assert caught.value.offset == second.offset


@pytest.mark.parametrize(("data", "got"), [('{"n":1}', "nothing"), ('{"type":null}', "null"), ('{"type":{"a":1}}', '{"a":1}')])
def test_an_event_without_a_type_is_wrong(data: str, got: str) -> None:
    with pytest.raises(WireError, match="/type") as caught:
        decode(sse.write(data=data))
    assert caught.value.message == f"expected a string, got {got}"
    assert caught.value.offset == len("data: ")


def test_usage_knows_5_minutes_from_1_hour_and_absent_from_0() -> None:
    said = messages.MessageUsage(
        input_tokens=3,
        cache_creation_input_tokens=30,
        cache_read_input_tokens=0,
        cache_creation=messages.CacheCreation(ephemeral_5m_input_tokens=10, ephemeral_1h_input_tokens=20),
        output_tokens=9,
        output_tokens_details=messages.OutputDetails(thinking_tokens=4),
    )
    assert messages.usage_of(messages.Message(content=(), usage=said)) == Usage(
        input_tokens=3,
        cache_read_tokens=0,
        cache_write_tokens=30,
        cache_write_5m_tokens=10,
        cache_write_1h_tokens=20,
        output_tokens=9,
        reasoning_tokens=4,
    )
    last = messages.MessageDelta(delta=messages.Stop(), usage=messages.MessageUsage(output_tokens=12))
    assert messages.usage_of(last) == Usage(output_tokens=12)
    assert messages.usage_of(messages.Ping()) is None


def test_a_body_is_one_tight_line() -> None:
    body = (
        b'{"model":"m","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}'
    )
    message = messages.decode_body(body)
    assert message.content == (messages.TextBlock(text="hi"),)
    assert message.stop_sequence is UNSET
    assert messages.encode_body(message) == body
