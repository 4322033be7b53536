"""What the scenarios promise to the suites: which there are, and what each one holds."""

import json
from collections import Counter
from typing import Any

import jsonschema
import pytest

from harness.case import FORCED_TOOL
from harness.recording import scenarios
from harness.recording.format import Surface, check_id, dump, loads
from harness.recording.redact import find_secrets
from harness.recording.scenarios import content
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Call, Scenario, cut, words
from harness.wire import sse

IDS = [scenario.id for scenario in scenarios.SCENARIOS]
EVERYWHERE = {
    "text", "blocks", "tools", "parallel-tools", "thinking", "thinking-tools", "cache-read", "structured", "refusal", "length", "usage",
    "unicode", "empty", *(f"error-{status}" for status in (400, 401, 403, 404, 413, 429, 500, 503)),
}  # fmt: skip
STREAMS_EVERYWHERE = {"long", "big-frame", "error-event"}
ONLY = {
    "chat": {"stop-sequence", "custom-tool", "cache-write"},
    "responses": {"incomplete", "failed", "web-search", "custom-tool", "cache-write"},
    "messages": {"stop-sequence", "redacted-thinking", "cache-write", "web-search", "error-529"},
    "gemini": {"stop-sequence", "blocked"},
}


@pytest.mark.parametrize("surface", ONLY)
def test_each_surface_has_the_scenarios_that_suites_count_on(surface: str) -> None:
    for name in EVERYWHERE | ONLY[surface]:
        assert {f"{surface}/{name}", f"{surface}/{name}.stream"} <= set(IDS)
    for name in STREAMS_EVERYWHERE:
        assert f"{surface}/{name}.stream" in IDS


def test_ids_are_unique_and_fit_for_files() -> None:
    assert [scenario_id for scenario_id, count in Counter(IDS).items() if count > 1] == []
    for scenario_id in IDS:
        check_id(scenario_id)


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=IDS)
def test_a_rendered_scenario_is_a_whole_recording(scenario: Scenario) -> None:
    recording = scenarios.render(scenario)
    assert loads(dump(recording), scenario.id) == recording
    assert scenarios.by_id(scenario.id) is scenario
    assert 150 <= recording.reads[0].at_ms <= 400
    times = [read.at_ms for read in recording.reads]
    assert times == sorted(times)
    assert find_secrets(recording.body) == []
    if scenario.stream and scenario.status == 200 and "array" not in scenario.traits:
        end = b"\r\n\r\n" if scenario.surface is Surface.GEMINI else b"\n\n"
        assert all(piece.endswith(end) for piece in scenario.pieces)
        assert len(sse.frames(scenario.body)) == len(scenario.pieces)


def test_no_two_scenarios_share_an_id_of_the_vendor() -> None:
    keys = ("id", "responseId")
    named = [value[key] for scenario in scenarios.SCENARIOS for value in _first_value(scenario) for key in keys if key in value]
    assert [name for name, count in Counter(named).items() if count > 1] == []


def _first_value(scenario: Scenario) -> list[dict[str, Any]]:
    if scenario.status != 200 or scenario.surface in (Surface.MODELS, Surface.OTHER):  # a task of Ark's has one name in all its answers
        return []
    if "array" in scenario.traits:
        return list(json.loads(scenario.body)[:1])
    if not scenario.stream:
        return [json.loads(scenario.body)]
    data = next(frame.data for frame in sse.frames(scenario.body) if frame.data)
    value = json.loads(data)
    return [value.get("message") or value.get("response") or value]


@pytest.mark.parametrize("surface", ONLY)
def test_long_streams_and_big_frames_are_long_and_big(surface: str) -> None:
    long = scenarios.by_id(f"{surface}/long.stream")
    assert len(long.pieces) >= 200
    assert len(long.body) >= 64 * 1024
    assert max(map(len, scenarios.by_id(f"{surface}/big-frame.stream").pieces)) > 128 * 1024


def test_structured_answers_obey_the_schema_that_was_asked_for() -> None:
    structured = [scenario for scenario in scenarios.SCENARIOS if "structured" in scenario.traits]
    assert len(structured) == 8
    for scenario in structured:
        assert scenario.answer is not None
        assert json.dumps(content.SCHEMA) in json.dumps(scenario.request)
        jsonschema.validate(json.loads(scenario.answer.text), content.SCHEMA)


def test_tool_arguments_obey_their_schemas_and_are_awkward() -> None:
    calls = {call.name: call for scenario in scenarios.SCENARIOS if scenario.answer for call in scenario.answer.calls}
    assert set(calls) == {*content.TOOLS, FORCED_TOOL}
    del calls[FORCED_TOOL]  # its schema is the client's
    for name, call in calls.items():
        jsonschema.validate(json.loads(call.arguments), content.TOOLS[name][1])
    assert json.loads(calls["find_order"].arguments)["order_id"] > 2**53
    assert calls["current_time"].arguments == "{}"
    assert any(piece.endswith("\\") for piece in calls["save_note"].pieces or ())  # an escape is cut in two


def test_a_call_whose_pieces_do_not_join_is_refused() -> None:
    with pytest.raises(ValueError, match="pieces"):
        Call(name="f", arguments="{}", pieces=("{",))


def test_cutting_loses_nothing() -> None:
    for text in (content.UNICODE, content.NOTE_ARGUMENTS, "", " ", "a\n b"):
        assert "".join(words(text)) == text
        assert "".join(cut(text, (1, 3, 2))) == text


def test_names_come_out_the_same_every_time() -> None:
    first, second, other = Names("a"), Names("a"), Names("b")
    assert [first.hex(8), first.uuid(), first.base64(12)] == [second.hex(8), second.uuid(), second.base64(12)]
    assert other.hex(8) != Names("a").hex(8)
    assert (len("Hello") + len(first.obfuscation("Hello"))) % 16 == 0


def test_both_lives_of_the_cache_are_written_in_one_usage() -> None:
    usage = json.loads(scenarios.by_id("messages/cache-write").body)["usage"]
    lives = usage["cache_creation"]
    assert min(lives.values()) > 0
    assert sum(lives.values()) == usage["cache_creation_input_tokens"]


def test_sequence_numbers_have_no_gap() -> None:
    streams = [scenario for scenario in scenarios.SCENARIOS if scenario.surface is Surface.RESPONSES and scenario.stream]
    for scenario in streams:
        if scenario.status == 200:
            numbers = [json.loads(frame.data)["sequence_number"] for frame in sse.frames(scenario.body) if frame.data]
            assert numbers == list(range(len(numbers))), scenario.id


@pytest.mark.parametrize("scenario_id", ["chat/error-429", "responses/error-429.stream", "messages/error-429", "gemini/error-429"])
def test_rate_limits_say_when_to_come_back(scenario_id: str) -> None:
    assert dict(scenarios.by_id(scenario_id).headers)["retry-after"] == "34"
