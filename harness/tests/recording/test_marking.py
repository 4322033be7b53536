import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recording.format import Surface
from harness.recording.marking import find_marker, mark, new_marker
from harness.recording.scenarios import SCENARIOS
from harness.tests import corpus

MARKER = "wpm-0123456789"
SURFACES = {"chat": Surface.CHAT, "responses": Surface.RESPONSES, "messages": Surface.MESSAGES, "gemini": Surface.GEMINI}


def without(value: Any) -> Any:
    """The value with the marker and the blank before it taken out again."""
    if isinstance(value, str):
        return value.replace(f" {MARKER}", "").replace(MARKER, "")
    if isinstance(value, list):
        return [without(item) for item in value]
    if isinstance(value, dict):
        return {key: without(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize(
    ("surface", "body", "marked"),
    [
        (Surface.CHAT, {"messages": [{"role": "user", "content": "hi"}], "n": 1}, "hi wpm-0123456789"),
        (
            Surface.CHAT,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]}]},
            "hi wpm-0123456789",
        ),
        (Surface.RESPONSES, {"input": "hi"}, "hi wpm-0123456789"),
        (
            Surface.RESPONSES,
            {"input": [{"role": "user", "content": "hi"}, {"type": "function_call_output", "output": "7"}]},
            "hi wpm-0123456789",
        ),
        (Surface.RESPONSES, {"instructions": "be brief"}, "wpm-0123456789"),
        (Surface.MESSAGES, {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "7"}]}]}, "wpm-0123456789"),
        (Surface.MESSAGES, {"messages": [{"role": "assistant", "content": "hi"}]}, "wpm-0123456789"),
        (Surface.GEMINI, {"contents": [{"parts": [{"text": "hi"}]}]}, "hi wpm-0123456789"),
        (Surface.GEMINI, {"contents": {"role": "user", "parts": {"text": "hi"}}}, "hi wpm-0123456789"),
        (Surface.GEMINI, {"generationConfig": {}}, "wpm-0123456789"),
    ],
)
def test_the_marker_ends_the_last_user_text(surface: Surface, body: dict[str, Any], marked: str) -> None:
    before = copy.deepcopy(body)
    text = json.dumps(mark(surface, body, MARKER))
    assert f'"{marked}"' in text
    assert text.count(MARKER) == 1
    assert body == before


def test_it_marks_the_latest_turn_of_the_user() -> None:
    turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]
    contents = [turn["content"] for turn in mark(Surface.CHAT, {"messages": turns}, MARKER)["messages"]]
    assert contents == ["one", "two", f"three {MARKER}"]


def test_a_surface_without_a_prompt_cannot_be_marked() -> None:
    with pytest.raises(ValueError, match="no prompt to mark"):
        mark(Surface.MODELS, {}, MARKER)


@given(st.binary(), st.binary())
def test_the_marker_is_found_in_any_bytes(before: bytes, after: bytes) -> None:
    marker = new_marker()
    assert find_marker(before + marker.encode() + b'"' + after) is not None
    assert find_marker(before + b" " + marker.encode()) == marker


def test_the_last_marker_counts_and_a_longer_word_is_none() -> None:
    assert find_marker(b"wpm-aaaaaaaaaa wpm-bbbbbbbbbb.") == "wpm-bbbbbbbbbb"
    assert find_marker(b"wpm-aaaaaaaaaaa wpm-short wpm-AAAAAAAAAA") is None


def test_every_scenario_can_be_marked_without_another_change() -> None:
    for scenario in SCENARIOS:
        if scenario.sent is None or scenario.surface is Surface.OTHER:
            continue
        marked = mark(scenario.surface, scenario.sent, MARKER)
        assert find_marker(json.dumps(marked).encode()) == MARKER
        assert json.dumps(without(marked)) == json.dumps(scenario.sent), scenario.id


@pytest.mark.parametrize("api", SURFACES)
def test_every_recorded_request_can_be_marked_without_another_change(api: str) -> None:
    bodies = [recorded.request.get("body") for recorded in corpus.exchanges(api=api)]
    requests = [body for body in bodies if isinstance(body, dict)]
    assert len(requests) > 50
    for body in requests:
        marked = mark(SURFACES[api], body, MARKER)
        text = json.dumps(marked)
        assert text.count(MARKER) == 1
        assert find_marker(text.encode()) == MARKER
        kept = without(marked)
        # What was added where no user text stood is an empty text now; all else is as it was, keys in order.
        if json.dumps(kept) != json.dumps(body):
            assert _without_empty_additions(kept) == json.dumps(body)


def _without_empty_additions(body: Any) -> str:
    for key in ("messages", "input", "contents"):
        for turn in body.get(key) if isinstance(body.get(key), list) else ():
            for inner in ("content", "parts"):
                if isinstance(turn.get(inner), list) and turn[inner] and turn[inner][-1].get("text") == "":
                    del turn[inner][-1]
        if (
            isinstance(body.get(key), list)
            and body[key]
            and body[key][-1]
            in (
                {"role": "user", "content": ""},
                {"role": "user", "content": []},
                {"role": "user", "parts": []},
            )
        ):
            del body[key][-1]
    return json.dumps(body)
