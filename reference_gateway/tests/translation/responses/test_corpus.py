"""Recorded Responses traffic: each request is read or refused for a declared reason, each answer is read, a stream as its whole answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from msgspec.structs import replace

from harness.tests import corpus
from harness.tests.corpus import Recorded
from reference_gateway.tests.translation.responses.support import ASK, NAMING, fold, unfold
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import Answer, Ask, Broken, Item, Maker, Reasoning, Unsupported
from reference_gateway.translation.responses.answer_in import StreamReader, read_answer
from reference_gateway.translation.responses.answer_out import StreamWriter, write_answer
from reference_gateway.translation.responses.request_in import read_request
from reference_gateway.translation.responses.request_out import write_request

UPSTREAM = Upstream(model="gpt-5.4", max_output_tokens=128_000, family="gpt", cache_breakpoints=True)
TERMINAL = ("response.completed", "response.incomplete", "response.failed")
INDEX = re.compile(r"\[\d+\]")
# Hosted tools, what is kept at the vendor, and what is not offered: losses.py says so of each.
DECLARED = {
    *("tools[].type", "tools[].defer_loading", "input[].type", "input[]", "tool_choice.type", "include[]"),
    *("background", "conversation", "moderation", "previous_response_id"),
}
RETOLD = "vercel-ai-d98dce33fd"  # its authors changed the text in the deltas, not in the response


def body_of(case: Recorded) -> dict[str, Any] | None:
    body = case.request.get("body")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    return body if isinstance(body, dict) and "input" in body else None


def said(ask: Ask) -> list[Item]:
    """But for thoughts that nobody sealed, which are not sent."""
    return [item for turn in ask.turns for item in turn.items if not isinstance(item, Reasoning) or item.maker is Maker.OPENAI]


def test_every_request_is_read_or_refused_for_a_declared_reason() -> None:
    seen: Counter[str] = Counter()
    for case in corpus.exchanges(api="responses"):
        body = body_of(case)
        if body is None or case.status != 200 or str(case.request["path"]).split("?")[0].endswith(("/input_tokens", "/compact")):
            continue
        try:
            ask = read_request(body, model="m", stream=bool(body.get("stream")))
        except Unsupported as refused:
            seen[INDEX.sub("[]", refused.path)] += 1
            continue
        seen["read"] += 1
        again = read_request(write_request(ask, UPSTREAM).body, model="m", stream=ask.stream)
        assert said(again) == said(ask), case.id
        assert (again.tools == (), again.output is None) == (ask.tools == (), ask.output is None), case.id
    assert seen.pop("read") > 80
    assert set(seen) <= DECLARED, seen


def opened(answer: Answer | Broken) -> Answer | Broken:
    """Each telling of an item seals its thoughts anew."""
    if isinstance(answer, Broken):
        return answer
    return replace(answer, items=tuple(replace(item, opaque=None) if isinstance(item, Reasoning) else item for item in answer.items))


def test_every_answer_is_read_and_a_stream_says_what_its_response_says() -> None:
    seen: Counter[str] = Counter()
    for case in corpus.exchanges(api="responses"):
        if case.is_sse:
            reader = StreamReader()
            answer = fold(
                [event for start in range(0, len(case.body), 100) for event in reader.feed(case.body[start : start + 100])] + reader.close()
            )
            events = [json.loads(line[6:]) for line in case.body.splitlines() if line.startswith(b"data: {")]
            ends = [event for event in events if event["type"] in TERMINAL or event["type"] == "error"]
            seen["streams"] += 1
            if isinstance(answer, Broken):
                assert RETOLD in case.id or not ends or ends[0]["type"] in ("error", "response.failed"), case.id
                continue
            whole = read_answer(ends[0]["response"])
            if len(ends) == 1:  # some recordings are several answers, one after another
                assert opened(whole) == opened(answer), case.id
        else:
            try:
                body = json.loads(case.body)
            except ValueError:
                continue
            if body.get("object") != "response":
                continue
            read = read_answer(body)
            seen["bodies"] += 1
            if isinstance(read, Broken):
                assert body["status"] in ("failed", "queued", "in_progress", "cancelled"), case.id
                continue
            answer = read
        told = read_answer(write_answer(answer, ASK, NAMING))
        streamed = StreamReader()
        again = fold(streamed.feed(StreamWriter(ASK, NAMING).write(unfold(answer, size=20))) + streamed.close())
        assert again == told, case.id
        assert isinstance(told, Answer)
        assert [type(item) for item in told.items] == [type(item) for item in answer.items], case.id
    assert seen["streams"] > 90
    assert seen["bodies"] > 90
