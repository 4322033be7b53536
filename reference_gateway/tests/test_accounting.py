"""Usage and terminal conditions, from the bytes alone."""

import json
from typing import Any

import pytest

from reference_gateway.accounting import Completed, Failed, StreamWatch, judge_answer, usage_of
from reference_gateway.catalog import Prices, Usage
from reference_gateway.content_coding import decoder, readable_only
from reference_gateway.routes import Surface
from reference_gateway.tests.wires import BODIES, CHAT_STREAM, MESSAGES_STREAM, RESPONSES_STREAM, STREAMS, chat_chunk, frame
from reference_gateway.translation import events
from reference_gateway.translation.halves import VENDORS
from reference_gateway.translation.items import Answer
from reference_gateway.translation.translator import Dialect

EXPECTED = {
    Surface.CHAT: Usage(input_tokens=20, output_tokens=5, cache_read_tokens=10),
    Surface.RESPONSES: Usage(input_tokens=20, output_tokens=5, cache_read_tokens=10),
    Surface.MESSAGES: Usage(input_tokens=20, output_tokens=5, cache_read_tokens=10, cache_write_5m_tokens=6, cache_write_1h_tokens=2),
    Surface.GEMINI: Usage(input_tokens=20, output_tokens=5, cache_read_tokens=10),
}


@pytest.mark.parametrize("surface", EXPECTED)
def test_usage_of_an_answer_and_of_its_stream_agree(surface: Surface) -> None:
    """billing-and-storage.md 4.3, invariant 11."""
    answer = judge_answer(surface, BODIES[surface])
    watch = StreamWatch(surface)
    for event in STREAMS[surface]:
        watch.feed(event)
    stream = watch.close()
    assert isinstance(answer, Completed)
    assert isinstance(stream, Completed)
    assert answer.usage == stream.usage == EXPECTED[surface]
    assert answer.billable
    assert stream.billable


@pytest.mark.parametrize("surface", EXPECTED)
def test_the_completion_does_not_depend_on_how_the_stream_was_cut(surface: Surface) -> None:
    whole = b"".join(STREAMS[surface])
    for cut in range(len(whole) + 1):
        watch = StreamWatch(surface)
        watch.feed(whole[:cut])
        watch.feed(whole[cut:])
        outcome = watch.close()
        assert isinstance(outcome, Completed)
        assert outcome.usage == EXPECTED[surface]


@pytest.mark.parametrize("surface", EXPECTED)
def test_a_prefix_is_never_complete(surface: Surface) -> None:
    for count in range(len(STREAMS[surface])):
        watch = StreamWatch(surface)
        for event in STREAMS[surface][:count]:
            assert watch.feed(event) is None
        assert isinstance(watch.close(), Failed)


def test_the_words_of_the_end_in_a_text_are_not_the_end() -> None:
    watch = StreamWatch(Surface.CHAT)
    assert watch.feed(chat_chunk({"content": "data: [DONE]\n\n"}, "stop")) is None
    assert isinstance(watch.close(), Failed)
    said = frame(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "message_stop"}}, "content_block_delta"
    )
    watch = StreamWatch(Surface.MESSAGES)
    assert [watch.feed(event) for event in (*MESSAGES_STREAM[:3], said)] == [None] * 4
    watch = StreamWatch(Surface.RESPONSES)
    said = frame({"type": "response.output_text.delta", "delta": 'response.completed "error"'}, "response.output_text.delta")
    assert [watch.feed(event) for event in (*RESPONSES_STREAM[:2], said)] == [None] * 3
    assert watch.feed(RESPONSES_STREAM[3]) is not None


@pytest.mark.parametrize("length", [10, 100, 20_000])
def test_reading_only_the_ends_gives_the_same_bill(length: int) -> None:
    for surface, stream in STREAMS.items():
        at = next(index for index, event in enumerate(stream) if b"day" in event)
        watch = StreamWatch(surface)
        for event in (*stream[:at], *[stream[at]] * length, *stream[at + 1 :]):
            watch.feed(event)
        outcome = watch.close()
        assert isinstance(outcome, Completed)
        assert outcome.usage == EXPECTED[surface]
        assert watch._size < 2_000_000


def test_an_error_early_in_a_long_stream_is_not_forgotten() -> None:
    watch = StreamWatch(Surface.CHAT)
    error = frame({"error": {"message": "x"}})
    for event in (CHAT_STREAM[0], error, *[CHAT_STREAM[1]] * 20_000, *CHAT_STREAM[2:]):
        watch.feed(event)
    assert isinstance(watch.close(), Failed)


def test_message_delta_overrides_what_it_repeats_and_nulls_keep() -> None:
    delta = {"input_tokens": 50, "cache_read_input_tokens": None, "output_tokens": 9}
    watch = StreamWatch(Surface.MESSAGES)
    for event in (
        *MESSAGES_STREAM[:6],
        frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta}, "message_delta"),
        MESSAGES_STREAM[-1],
    ):
        watch.feed(event)
    outcome = watch.close()
    assert isinstance(outcome, Completed)
    assert outcome.usage == Usage(input_tokens=50, output_tokens=9, cache_read_tokens=10, cache_write_5m_tokens=6, cache_write_1h_tokens=2)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
        ({"prompt_tokens": -1, "completion_tokens": 5}, None),
        ({"prompt_tokens": 1.5, "completion_tokens": 5}, None),
        ({"prompt_tokens": "9", "completion_tokens": 5}, None),
        (
            {"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 4},
            Usage(input_tokens=5, output_tokens=5, cache_read_tokens=4),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 99}},
            Usage(output_tokens=5, cache_read_tokens=9),
        ),
    ],
)
def test_what_counts_as_reported_usage(usage: Any, expected: Usage | None) -> None:
    """Absent and absurd are alike not reported; an explicit zero is."""
    outcome = judge_answer(Surface.CHAT, json.dumps({"choices": [{"message": {"content": "x"}}], "usage": usage}).encode())
    assert isinstance(outcome, Completed)
    assert outcome.usage == expected


def test_prices_round_half_up_once() -> None:
    prices = Prices(input=500_000, output=1, cache_read=0, cache_write_5m=0, cache_write_1h=0)
    assert prices.cost(Usage(input_tokens=1)) == 1  # 0.5
    assert prices.cost(Usage(input_tokens=1, output_tokens=499_999)) == 1  # 0.999999
    assert prices.cost(Usage(output_tokens=499_999)) == 0


def test_accept_encoding_offers_only_what_the_accounting_can_read() -> None:
    assert readable_only(b"gzip,  deflate;q=0.5") == b"gzip,  deflate;q=0.5"
    assert readable_only(b"zstd, gzip") == b"gzip"
    assert readable_only(b"zstd") == b"identity"
    assert decoder(b"identity") is None


def test_a_long_stream_without_usage_is_estimated_from_its_end() -> None:
    watch = StreamWatch(Surface.CHAT)
    for event in (CHAT_STREAM[0], *[chat_chunk({"content": "word"})] * 1000, CHAT_STREAM[3], CHAT_STREAM[5]):
        watch.feed(event)
    outcome = watch.close()
    assert isinstance(outcome, Completed)
    assert outcome.usage is None
    assert 3600 < outcome.content_bytes <= 4000


USAGES: list[tuple[Surface, dict[str, Any], Usage]] = [
    (
        Surface.CHAT,
        {"prompt_tokens": 30, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 8}},
        Usage(input_tokens=12, output_tokens=5, cache_read_tokens=10, cache_write_5m_tokens=8),
    ),
    (
        Surface.CHAT,
        {"prompt_tokens": 30, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 29, "cache_write_tokens": 8}},
        Usage(output_tokens=5, cache_read_tokens=29, cache_write_5m_tokens=1),
    ),
    (
        Surface.CHAT,
        {"prompt_cache_hit_tokens": 10, "prompt_cache_miss_tokens": 20, "completion_tokens": 5},
        Usage(input_tokens=20, output_tokens=5, cache_read_tokens=10),
    ),
    (
        Surface.RESPONSES,
        {
            "input_tokens": 30,
            "output_tokens": 5,
            "input_tokens_details": {
                "cached_tokens": 10,
                "cache_write_tokens": 8,
                "cache_write_tokens_details": {"ttl_30m_tokens": 6, "ttl_12h_tokens": 2},
            },
        },
        Usage(input_tokens=12, output_tokens=5, cache_read_tokens=10, cache_write_5m_tokens=6, cache_write_1h_tokens=2),
    ),
    (
        Surface.MESSAGES,
        {"input_tokens": 20, "output_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 2}},
        Usage(input_tokens=20, output_tokens=5, cache_write_5m_tokens=6, cache_write_1h_tokens=2),
    ),
    (
        Surface.MESSAGES,
        {"input_tokens": 20, "output_tokens": 5, "cache_creation_input_tokens": 8, "cache_creation": None},
        Usage(input_tokens=20, output_tokens=5, cache_write_5m_tokens=8),
    ),
    (  # the candidates' count has the thoughts in it, as the total shows
        Surface.GEMINI,
        {"promptTokenCount": 30, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 35},
        Usage(input_tokens=30, output_tokens=5),
    ),
    (
        Surface.GEMINI,
        {"promptTokenCount": 30, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "toolUsePromptTokenCount": 7, "totalTokenCount": 44},
        Usage(input_tokens=37, output_tokens=7),
    ),
]


@pytest.mark.parametrize(("surface", "usage", "expected"), USAGES)
def test_tokens_are_of_the_same_classes_on_native_and_translated_routes(surface: Surface, usage: dict[str, Any], expected: Usage) -> None:
    """contract:168 and C22, in the body and in the stream; translation.md 3.8 has the formulas."""
    name = "usageMetadata" if surface is Surface.GEMINI else "usage"
    body = {**json.loads(BODIES[surface]), name: usage}
    native = judge_answer(surface, json.dumps(body).encode())
    assert isinstance(native, Completed)
    assert native.usage == expected
    half = VENDORS[Dialect(surface.value)]
    translated = half.read_answer(body)
    assert isinstance(translated, Answer)
    assert translated.tokens is not None
    assert usage_of(translated.tokens) == expected
    stream = streamed(surface, usage)
    watch = StreamWatch(surface)
    for event in stream:
        watch.feed(event)
    outcome = watch.close()
    assert isinstance(outcome, Completed)
    assert outcome.usage == expected
    reader = half.stream_reader()
    seen = events.collect((*reader.feed(b"".join(stream)), *reader.close()))
    assert isinstance(seen, Answer)
    assert seen.tokens is not None
    assert usage_of(seen.tokens) == expected


def streamed(surface: Surface, usage: dict[str, Any]) -> tuple[bytes, ...]:
    """The usual stream, with that usage."""
    match surface:
        case Surface.CHAT:
            return (*CHAT_STREAM[:4], frame({"id": "chatcmpl-1", "choices": [], "usage": usage}), CHAT_STREAM[5])
        case Surface.RESPONSES:
            response = {**json.loads(BODIES[surface]), "usage": usage}
            done = frame({"type": "response.completed", "sequence_number": 3, "response": response}, "response.completed")
            return (*RESPONSES_STREAM[:3], done)
        case Surface.MESSAGES:
            start = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "content": [], "usage": usage}}
            return (frame(start, "message_start"), *MESSAGES_STREAM[1:])
        case _:
            last = {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}], "usageMetadata": usage}
            return (*STREAMS[surface][:2], frame(last))
