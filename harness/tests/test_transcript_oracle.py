import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from harness.case import Surface
from harness.recording.library import SHIPPED, Library
from harness.transcript import CallKind, ToolCall, Transcript
from harness.transcript_oracle import NONE_DECLARED, Losses, compare, failed, heard

CALL = ToolCall(id="call_1", name="look", arguments='{"at": "sea"}')
SAID = Transcript(
    text="Hello.",
    reasoning="Hm.",
    signatures=("proof-1",),
    calls=(CALL,),
    order=("reasoning", "text", "call"),
    stop="tools",
    usage={"input": 5, "output": 7, "cache_read": 2, "cache_write": 3},
    complete=True,
)
TABLE = {
    "chat": [
        {"path": "items.order", "direction": "answer_out", "rule": "dropped", "note": "each has its place"},
        {"path": "stop_sequence", "direction": "answer_out", "rule": "dropped", "note": ""},
    ],
    "messages": [
        {"path": "items[Refused]", "direction": "answer_out", "rule": "emulated", "note": "as text"},
        {"path": "items[ToolCall].signature", "direction": "answer_out", "rule": "dropped", "note": "kept by the gateway"},
    ],
    "responses": [{"path": "items.Reasoning.signature", "direction": "answer_out", "rule": "renamed", "note": "sealed"}],
}
LOSSES = Losses.read(TABLE)


def found(said: Transcript, got: Transcript, client: Surface = Surface.MESSAGES, losses: Losses = NONE_DECLARED) -> list[str]:
    findings = compare(said, got, upstream=Surface.CHAT, client=client, losses=losses)
    return [finding.pointer or "" for finding in findings]


def changed(**members: Any) -> Transcript:
    return replace(SAID, **members)


@pytest.mark.parametrize("client", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES])
def test_the_same_on_both_sides_is_right(client: Surface) -> None:
    assert found(SAID, SAID, client) == []


@pytest.mark.parametrize(
    ("got", "pointer"),
    [
        (changed(text="Hello"), "/text"),
        (changed(reasoning=""), "/reasoning"),
        (changed(signatures=("proof-2",)), "/signatures/0"),
        (changed(calls=(replace(CALL, id="call_2"),)), "/calls/0/id"),
        (changed(calls=(replace(CALL, name="see"),)), "/calls/0/name"),
        (changed(calls=(replace(CALL, arguments="{}"),)), "/calls/0/arguments"),
        (changed(calls=(CALL, CALL)), "/calls/1"),
        (changed(stop="length"), "/stop"),
        (changed(order=("text", "reasoning", "call")), "/order/0"),
        (changed(usage={**SAID.usage, "input": 7}), "/usage/input"),
        (changed(refusal="No."), "/refusal"),
        (changed(complete=False), ""),
        (changed(complete=False, error="api_error"), ""),
    ],
)
def test_each_thing_that_can_be_told_otherwise_is_found(got: Transcript, pointer: str) -> None:
    assert pointer in found(SAID, got)


def test_spelling_of_arguments_and_counts_of_nothing_may_differ() -> None:
    got = changed(calls=(replace(CALL, arguments='{"at":"sea"}'),), usage={**SAID.usage, "reasoning": 0})
    assert found(SAID, got) == []


def test_a_call_of_the_vendors_own_is_not_the_clients() -> None:
    said = changed(calls=(CALL, replace(CALL, id="call_2", kind=CallKind.HOSTED)))
    assert found(said, SAID) == []


def test_what_is_declared_may_differ_and_nothing_else() -> None:
    mixed = changed(order=("text", "reasoning", "call"))
    assert found(SAID, mixed, Surface.CHAT) == ["/order/0", "/order/1"]
    assert found(SAID, mixed, Surface.CHAT, LOSSES) == []
    assert found(SAID, mixed, Surface.MESSAGES, LOSSES)
    refused = Transcript(text="So.", refusal="No.", order=("text", "refusal"), stop="refused", complete=True)
    as_text = replace(refused, text="So.No.", refusal="", order=("text",))
    assert found(refused, as_text)
    assert found(refused, as_text, losses=LOSSES) == []
    stopped = Transcript(text="a", order=("text",), stop="end", stop_sequence="b", complete=True)
    assert found(stopped, replace(stopped, stop_sequence=None)) == ["/stop_sequence"]
    assert found(stopped, replace(stopped, stop_sequence=None), Surface.CHAT, LOSSES) == []


def test_a_signature_may_travel_inside_another_or_sealed() -> None:
    inside = changed(signatures=(b64encode(b"made-by-claude:proof-1").decode(),))
    assert found(SAID, inside, Surface.GEMINI) == []
    sealed = changed(signatures=("nobody-reads-this",))
    assert found(SAID, sealed, Surface.RESPONSES) == ["/signatures/0"]
    assert found(SAID, sealed, Surface.RESPONSES, LOSSES) == []
    assert found(SAID, changed(signatures=()), Surface.RESPONSES, LOSSES) == ["/signatures/0"]
    of_call = changed(call_signatures=("proof-1",))
    assert found(of_call, changed(signatures=()), Surface.MESSAGES) == ["/signatures/0"]
    assert found(of_call, changed(signatures=()), Surface.MESSAGES, LOSSES) == []


def test_gemini_counts_what_was_written_to_a_cache_as_prompt() -> None:
    got = changed(usage={"input": 8, "output": 7, "cache_read": 2})
    assert found(SAID, got, Surface.GEMINI) == []
    assert found(SAID, got, Surface.RESPONSES) != []


def test_a_broken_answer_has_to_be_told_as_one() -> None:
    cut = changed(complete=False)
    assert found(cut, SAID) == [""]
    assert found(cut, changed(complete=False)) == [""]  # merely silent
    assert found(cut, changed(complete=False, error="api_error")) == []
    assert found(changed(error="overloaded_error", complete=False), changed(complete=False, error="api_error")) == []


def test_an_unknown_stop_ends_what_was_said_and_fails_what_was_not() -> None:
    said = Transcript(text="a", order=("text",), stop="dreaming", complete=True)
    assert found(said, replace(said, stop="end")) == []
    assert failed(replace(said, text="", order=())) is not None


def test_arguments_that_are_no_object_may_fail() -> None:
    said = changed(calls=(replace(CALL, arguments='{"at'),))
    assert found(said, changed(complete=False, error="api_error")) == []
    assert found(replace(said, stop="length"), changed(calls=(replace(CALL, arguments="{}"),), stop="length")) == []


def test_a_table_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="table of losses"):
        Losses.read({"chat": [{"path": "x"}]})


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI])
def test_recordings_are_heard_whole_and_cut_ones_are_not(surface: Surface) -> None:
    library = Library.open(SHIPPED)
    for name in ("text", "tools", "thinking"):
        whole, stream = (heard(surface, library.load(f"{surface}/{name}{dot}").body) for dot in ("", ".stream"))
        assert failed(whole) is None, name
        assert failed(stream) is None, name
        alike = [
            replace(said, usage={}, signatures=(), calls=tuple(replace(call, id="") for call in said.calls)) for said in (whole, stream)
        ]
        assert compare(*alike, upstream=surface, client=surface) == (), name
        body = library.load(f"{surface}/{name}.stream").body
        cut = heard(surface, body[: len(body) // 2])
        assert failed(cut) == "no end of its own", name


@pytest.mark.parametrize(
    ("surface", "frame"),
    [
        (Surface.CHAT, {"error": {"type": "server_error", "message": "x"}}),
        (Surface.RESPONSES, {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}}),
        (Surface.RESPONSES, {"type": "error", "code": "server_error", "message": "x"}),
        (Surface.MESSAGES, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        (Surface.GEMINI, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}),
    ],
)
def test_an_error_in_a_stream_is_heard(surface: Surface, frame: dict[str, Any]) -> None:
    assert heard(surface, f"data: {json.dumps(frame)}\n\n".encode()).error
    assert failed(heard(surface, json.dumps(frame).encode()))


def test_a_client_does_not_get_an_event_without_its_blank_line() -> None:
    body = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'
    assert heard(Surface.CHAT, body).text == "a"
    assert heard(Surface.CHAT, body, as_client=True).text == ""
