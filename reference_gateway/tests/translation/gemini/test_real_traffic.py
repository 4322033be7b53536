"""Recorded Gemini traffic: every request is read or refused for a declared reason, every answer is read and can be written again."""

from __future__ import annotations

import json
from collections import Counter

from google.genai import types
from msgspec.structs import replace

from harness.tests import corpus
from harness.tests.corpus import Recorded
from reference_gateway.tests.translation.gemini.made import ASK, GEMINI_2, GEMINI_2_5, GEMINI_3, NAMING, read
from reference_gateway.translation import events
from reference_gateway.translation.chat import request_in as chat_in
from reference_gateway.translation.gemini.answer_in import read_answer
from reference_gateway.translation.gemini.answer_out import StreamWriter, write_answer
from reference_gateway.translation.gemini.losses import REQUEST_IN
from reference_gateway.translation.gemini.request_in import read_request
from reference_gateway.translation.gemini.request_out import write_request
from reference_gateway.translation.items import Answer, Ask, Broken, Image, Malformed, Reasoning, Text, Unsupported
from reference_gateway.translation.messages import request_in as messages_in
from reference_gateway.translation.responses import request_in as responses_in

REFUSED = ("googleSearch", "fileSearch", "codeExecution", "urlContext", "fileData")
OTHER_LOSSES = {"this member is not known", "the model may call tools, and is not held to their schemas"}
LIVE = b'"serverContent"'  # one recording is of the Live API, which only looks like a stream


def cases() -> list[Recorded]:
    return list(corpus.exchanges(api="gemini"))


def items_of(ask: Ask) -> list[str]:
    """Of what kind, in order; runs of one role are one content when they are written."""
    return [type(item).__name__ for turn in ask.turns for item in turn.items if item != Text(text="") and not isinstance(item, Reasoning)]


def test_every_request_is_read_or_refused_for_a_declared_reason() -> None:
    seen: Counter[str] = Counter()
    for case in cases():
        body = case.request.get("body")
        if not isinstance(body, dict) or "contents" not in body:
            continue
        try:
            ask = read_request(body, model="m", stream=case.stream)
        except Unsupported as refused:
            seen["refused" if refused.path.endswith(REFUSED) else f"not declared: {refused.path}"] += 1
            continue
        seen["read"] += 1
        assert {loss.reason for loss in ask.losses} <= {rule.note for rule in REQUEST_IN} | OTHER_LOSSES
        for upstream in (GEMINI_3, GEMINI_2_5, GEMINI_2):
            try:
                written = write_request(ask, upstream)
            except Unsupported:
                seen["not for an older model" if upstream is not GEMINI_3 else "not written"] += 1
                continue
            again = read_request(written.body, model="m", stream=case.stream)
            assert items_of(again) == items_of(ask), case.id
            assert len(again.tools) == len(ask.tools)
    assert seen.keys() == {"read", "refused", "not written", "not for an older model"}
    assert seen["read"] > 100
    assert seen["refused"] < 30
    assert seen["not written"] == 2  # an address of a file that the vendor does not fetch


READERS = {"chat": chat_in.read_request, "messages": messages_in.read_request, "responses": responses_in.read_request}


def test_every_request_of_another_protocol_is_written_or_refused_for_a_declared_reason() -> None:
    """What is written is of the official SDK's types; data that the recording left out is no base64."""
    seen: Counter[str] = Counter()
    for case in corpus.exchanges():
        body = case.request.get("body")
        if case.api not in READERS or not isinstance(body, dict):
            continue
        try:
            ask = READERS[case.api](body, model="m", stream=case.stream)
        except (Unsupported, Malformed):
            continue
        try:
            written = write_request(ask, GEMINI_3).body
        except (Unsupported, Malformed) as refused:
            seen[str(refused).partition(":")[2].strip() or str(refused)] += 1
            continue
        seen[case.api] += 1
        for part in (part for content in written["contents"] for part in content["parts"]):
            if "inlineData" not in str(part):
                types.Part.model_validate(part)
        types.GenerateContentConfig.model_validate(written.get("generationConfig", {}))
        for tool in written.get("tools", []):
            types.Tool.model_validate(tool)
    assert seen.pop("chat") > 150
    assert seen.pop("messages") > 100
    assert seen.pop("responses") > 80
    assert set(seen) == {
        "it may make several calls at once, and cannot be told not to.",
        "send the bytes themselves, not their address.",
        "Give messages something that a user says.",
    }


def answer_of(case: Recorded, size: int) -> Answer | Broken:
    return events.collect(read(*(case.body[at : at + size] for at in range(0, len(case.body), size))))


def test_every_answer_is_read_and_written_as_it_was_read() -> None:
    seen: Counter[str] = Counter()
    naming = NAMING
    for case in cases():
        answer = answer_of(case, 1 << 20)
        if len(case.body) < 100_000:
            assert answer_of(case, 7) == answer, case.id
        body = None if case.is_sse else json.loads(case.body)
        if isinstance(body, dict):
            whole = read_answer(body)
            if not isinstance(whole, Answer) or not any(isinstance(item, Image) for item in whole.items):
                assert whole == answer or isinstance(whole, Broken), case.id  # an object alone is a stream of one
            answer = whole
        if isinstance(answer, Broken):
            assert LIVE in case.body or (case.status or 0) >= 400, case.id
            seen["broken"] += 1
            continue
        seen["streamed" if case.is_sse else "whole"] += 1
        if answer.tokens is not None and not answer.tokens.input_counted:  # as the gateway does with its estimate
            answer = replace(answer, tokens=replace(answer.tokens, input=1, input_counted=True))
        if answer.tokens is not None:  # searches are billed, and told to no caller
            answer = replace(answer, tokens=replace(answer.tokens, searches=0))
        images = any(isinstance(item, Image) for item in answer.items)
        for json_array in (False, True):
            stream = StreamWriter(ASK, naming, json_array=json_array).write(events.of(answer))
            again = events.collect(read(stream))
            assert isinstance(again, Answer)
            assert (again.stop, again.tokens) == (answer.stop, answer.tokens), case.id
            assert images or again.items == answer.items, case.id
        again = read_answer(write_answer(answer, ASK, naming))
        assert isinstance(again, Answer)
        assert (again.items, again.stop, again.tokens) == (answer.items, answer.stop, answer.tokens), case.id
    assert seen["whole"] > 85
    assert seen["streamed"] > 40
    assert seen["broken"] == 6
