"""The recordings that ship: whole, ours, and laid out as the vendors lay theirs out."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from harness import schema
from harness.data import data_dir
from harness.recording import scenarios
from harness.recording.format import SUFFIX, End, Fidelity, Origin, Recording, Surface, dump, load
from harness.recording.lint import lint
from harness.recording.scenarios.scenario import Scenario
from harness.tests import corpus
from harness.wire import chat, gemini, messages, responses, sse

ROOT = data_dir("recordings")
IDS = [scenario.id for scenario in scenarios.SCENARIOS]
APIS = {Surface.CHAT: "chat", Surface.RESPONSES: "responses", Surface.MESSAGES: "messages", Surface.GEMINI: "gemini"}


def shipped(scenario: Scenario) -> Recording:
    return load(ROOT / f"{scenario.id}{SUFFIX}", ROOT)


def test_there_is_one_for_each_scenario_and_no_other() -> None:
    files = {path.relative_to(ROOT).as_posix().removesuffix(SUFFIX) for path in ROOT.rglob(f"*{SUFFIX}")}
    assert files == set(IDS)


def test_lint_finds_nothing() -> None:
    assert list(lint(ROOT)) == []


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=IDS)
def test_the_capture_kept_what_the_script_wrote(scenario: Scenario) -> None:
    recording, rendered = shipped(scenario), scenarios.render(scenario)
    assert recording.body == rendered.body
    assert (recording.status, recording.end) == (scenario.status, End.EOF)
    assert (recording.origin, recording.fidelity) == (Origin.SYNTHETIC, Fidelity.EXACT)
    assert (recording.surface, recording.vendor, recording.stream) == (scenario.surface, scenario.vendor, scenario.stream)
    assert (recording.model or "") == scenario.model
    assert {name.lower() for name, _ in rendered.headers} <= {name.lower() for name, _ in recording.headers}
    if scenario.sent is not None:
        sent = json.loads(recording.request.body)
        prompts = list(_texts(scenario.sent))
        assert [text for text in _texts(sent) if text in prompts] != []
        if scenario.surface is not Surface.GEMINI:  # google-genai writes the defaults of its own types besides
            assert sent == scenario.sent
    assert dump(recording) == (ROOT / f"{scenario.id}{SUFFIX}").read_bytes()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _values(scenario: Scenario) -> list[Any]:
    """Every JSON value of the body: the one, or that of each event."""
    if "array" in scenario.traits:
        return list(json.loads(scenario.body))
    if not (scenario.stream and scenario.status == 200):
        return [json.loads(scenario.body)]
    return [json.loads(frame.data) for frame in sse.frames(scenario.body) if frame.data and frame.data != "[DONE]"]


SCHEMAS = {
    (Surface.CHAT, True): "chat/chunk",
    (Surface.CHAT, False): "chat/completion",
    (Surface.RESPONSES, True): "responses/event",
    (Surface.RESPONSES, False): "responses/response",
    (Surface.MESSAGES, True): "messages/event",
    (Surface.MESSAGES, False): "messages/message",
    (Surface.GEMINI, True): "gemini/chunk",
    (Surface.GEMINI, False): "gemini/response",
    (Surface.COUNT_TOKENS, False): "messages/count_tokens",
    (Surface.IMAGES, False): "images/response",
}
ERRORS = {"openai": "errors/openai", "deepseek": "errors/openai", "anthropic": "errors/anthropic", "google": "errors/google"}


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=IDS)
def test_every_value_is_valid_by_its_schema(scenario: Scenario) -> None:
    if scenario.surface is Surface.OTHER:
        return  # of Ark's tasks there is no schema
    if "plain-text" in scenario.traits:
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(scenario.body)
        return
    for value in _values(scenario):
        if scenario.status != 200:
            name = ERRORS[scenario.vendor]
        elif scenario.surface is Surface.MODELS:
            name = scenario.id
        elif set(value) == {"error"}:
            name = ERRORS[scenario.vendor]
        else:
            name = SCHEMAS[scenario.surface, scenario.stream]
        wrong = [str(violation) for violation in schema.findings(name, value)]
        if "imitation" in scenario.traits:  # of a vendor that says more than the protocol's own
            wrong = [said for said in wrong if "/tool_calls: expected at least 1 item" not in said]
        assert wrong == []


def _pairs(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Each two keys of each object, in order, with the object's place; list items share one place."""
    if isinstance(value, dict):
        kind = value.get("type")
        path = f"{path}<{kind}>" if isinstance(kind, str) else path
        keys = list(value)
        for at, first in enumerate(keys):
            yield from ((path, first, second) for second in keys[at + 1 :])
        for key, item in value.items():
            if key not in _FREE:
                yield from _pairs(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(item, f"{path}[]")


_FREE = {"arguments", "input", "args", "schema", "parameters", "metadata"}  # the model's or the caller's own keys


@pytest.mark.parametrize(
    ("vendor", "surface", "stream"),
    [
        *(("openai", surface, stream) for surface in (Surface.CHAT, Surface.RESPONSES) for stream in (False, True)),
        *(("anthropic", Surface.MESSAGES, stream) for stream in (False, True)),
        *(("google", Surface.GEMINI, stream) for stream in (False, True)),
        ("deepseek", Surface.CHAT, True),
    ],
)
def test_keys_stand_in_the_order_that_real_answers_have(vendor: str, surface: Surface, stream: bool) -> None:
    seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    read = 0
    for recorded in corpus.exchanges(vendor=vendor, api=APIS[surface], stream=stream, fidelity="exact"):
        if recorded.status not in (200, None) or (recorded.recorded_at or "9999") < "2025-12":
            continue
        bodies = [recorded.body]
        if recorded.is_sse:
            bodies = [frame.data.encode() for frame in sse.frames(recorded.body) if frame.data and frame.data != "[DONE]"]
        for body in bodies:
            for path, first, second in _pairs(json.loads(body), ""):
                seen[path].add((first, second))
        read += 1
    assert read > 5
    checked = 0
    for scenario in scenarios.SCENARIOS:
        if (scenario.vendor, scenario.surface, scenario.stream) != (vendor, surface, stream) or scenario.status != 200:
            continue
        for value in _values(scenario):
            for path, first, second in _pairs(value, ""):
                known = seen[path]
                checked += (first, second) in known
                turned = (second, first) in known and (first, second) not in known
                assert not turned, f"{scenario.id} {path}: real answers have {second} before {first}"
    assert checked > 100


CODECS = {Surface.CHAT: chat, Surface.RESPONSES: responses, Surface.MESSAGES: messages, Surface.GEMINI: gemini}


@pytest.mark.parametrize("surface", CODECS)
def test_the_codecs_know_every_event_and_write_it_back_byte_for_byte(surface: Surface) -> None:
    codec = CODECS[surface]
    events = 0
    for scenario in scenarios.SCENARIOS:
        if scenario.surface is not surface or scenario.status != 200 or not scenario.stream:
            continue
        for frame in sse.frames(scenario.body):
            if frame.data is None:
                assert frame.raw == b": keep-alive\n\n"
                continue
            event = codec.decode_event(frame)
            if "unknown" in scenario.traits and isinstance(event, messages.Unknown):
                assert event.raw == frame.raw
                continue
            assert type(event).__name__ != "Unknown"
            assert codec.encode_event(event) == frame.raw
            events += 1
    assert events > 200
