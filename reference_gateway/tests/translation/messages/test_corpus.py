"""Recorded Messages traffic: every request is read or refused for a declared reason, every answer is read."""

import json
from collections import Counter

from harness.tests import corpus
from harness.tests.corpus import Recorded
from reference_gateway.tests.translation.messages.told import ASK, NAMING, UPSTREAM, apart, events_of, together
from reference_gateway.translation.items import Answer, Broken, Malformed, Text, Unsupported
from reference_gateway.translation.messages.answer_in import StreamReader, read_answer
from reference_gateway.translation.messages.answer_out import StreamWriter, write_answer
from reference_gateway.translation.messages.losses import REQUEST_IN
from reference_gateway.translation.messages.request_in import read_request
from reference_gateway.translation.messages.request_out import write_request

# Blocks of the vendor's own tools, and tools of it, have no member of their own in the table: their type is what is refused.
REFUSED = ("container", "mcp_servers", "context_management", "source.file_id", "].type", "].allowed_callers", "]")


def cases() -> list[Recorded]:
    return [case for case in corpus.exchanges() if case.api == "messages"]


def answer_of(case: Recorded, size: int | None = None) -> Answer | Broken:
    if not case.is_sse:
        return read_answer(json.loads(case.body))
    reader = StreamReader()
    reads = [case.body] if size is None else [case.body[at : at + size] for at in range(0, len(case.body), size)]
    return together([event for read in reads for event in reader.feed(read)] + reader.close())


def test_every_request_is_read_or_refused_for_a_declared_reason() -> None:
    seen: Counter[str] = Counter()
    for case in cases():
        body = case.request.get("body")
        if not isinstance(body, dict):
            continue
        try:
            ask = read_request(body, model=body["model"], stream=bool(body.get("stream")))
        except Unsupported as refused:
            seen["refused" if refused.path.endswith(REFUSED) else f"not declared: {refused.path}"] += 1
            continue
        except Malformed:
            assert case.status == 400, case.id  # the vendor said so too
            seen["malformed"] += 1
            continue
        seen["read"] += 1
        notes = {rule.note for rule in REQUEST_IN} | {"this member is not known", "thinking is disabled"}
        assert {loss.reason for loss in ask.losses} <= notes
        written = write_request(ask, UPSTREAM)
        again = read_request(written.body, model=body["model"], stream=ask.stream)
        assert [turn.role for turn in again.turns]  # what is written is a request of the protocol
    assert set(seen) == {"read", "refused", "malformed"}, seen
    assert seen["read"] > 100
    assert seen["malformed"] == 2


def test_every_answer_is_read() -> None:
    seen: Counter[str] = Counter()
    for case in cases():
        answer = answer_of(case)
        kind = "streamed" if case.is_sse else "whole"
        if isinstance(answer, Broken):
            compacted = b'"stop_reason":"compaction"' in case.body  # and said nothing else
            assert compacted or (case.status or 0) >= 400, case.id
            seen[f"{kind} errors"] += 1
            continue
        seen[kind] += 1
        assert answer.tokens is not None, case.id
        assert answer.id.startswith("msg_"), case.id
        if case.is_sse:
            assert answer_of(case, 7) == answer, case.id
    assert seen["whole"] > 100
    assert seen["streamed"] > 80


def test_every_answer_is_written_as_it_was_read() -> None:
    """To a Messages client again, whole and streamed: the same items, tokens and stop."""
    for case in cases():
        answer = answer_of(case)
        if isinstance(answer, Broken):
            continue
        body = write_answer(answer, ASK, NAMING)
        stream = StreamWriter(ASK, NAMING).write(apart(answer))
        assert events_of(stream)[-1] == {"type": "message_stop"}
        reader = StreamReader()
        for read in (read_answer(body), together(reader.feed(stream) + reader.close())):
            assert isinstance(read, Answer)
            said = [item for item in answer.items if not (isinstance(item, Text) and not item.text)]
            assert len(read.items) == len(said), case.id
            assert (read.stop, read.tokens) == (answer.stop, answer.tokens), case.id
