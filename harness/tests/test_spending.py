from harness.case import Surface
from harness.recording.library import Library
from harness.replay import without_gateway
from harness.spending import tokens


def total(recording_id: str) -> int:
    return tokens(without_gateway(Library.open("shipped").load(recording_id)))


def test_a_stream_and_its_whole_answer_state_the_same() -> None:
    for surface in (Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI):
        whole = total(f"{surface}/text")
        assert whole > 0
        assert total(f"{surface}/text.stream") == whole
    assert total("chat/usage.stream") == total("chat/usage") > 0


def test_cached_tokens_count_once() -> None:
    assert total("messages/cache-read") > total("messages/text")


def test_what_states_nothing_counts_nothing() -> None:
    assert total("chat/text.stream") == 0
    assert total("messages/error-529") == 0
