"""Recorded chat traffic: every request is read, or refused for a declared reason; every answer is read, and written again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from msgspec.structs import replace
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from harness.tests import corpus
from harness.tests.corpus import Recorded
from reference_gateway.tests.translation.chat import made
from reference_gateway.tests.translation.chat.made import GPT, NAMING, asked
from reference_gateway.tests.translation.chat.test_request_out import accepted
from reference_gateway.translation.chat import answer_in, deepseek, losses, request_in, request_out
from reference_gateway.translation.chat.answer_out import StreamWriter, write_answer
from reference_gateway.translation.chat.dialect import OPENAI, Dialect
from reference_gateway.translation.items import Answer, Ask, Broken, Ended, Item, Reasoning, Role, Text, Unsupported
from reference_gateway.translation.losses import Rule

ASK = asked(stream=True, stream_options={"include_usage": True})
REFUSED = {rule.path for rule in losses.REQUEST_IN if rule.rule is Rule.REFUSED}


def traffic() -> Iterator[Recorded]:
    for api in ("chat", "chat-compat"):
        yield from corpus.exchanges(api=api)


def test_every_request_is_read_or_refused_for_a_declared_reason() -> None:
    read = 0
    refusals: Counter[str] = Counter()
    for case in traffic():
        body = case.request["body"]
        if not isinstance(body, dict):
            continue
        try:
            ask = request_in.read_request(body, model="m", stream=case.is_sse)
        except Unsupported as refused:
            refusals[_plain(refused.path)] += 1
            continue
        assert {_plain(loss.path) for loss in ask.losses} <= {"verbosity", "prompt_cache_options"}, case.id
        written = request_out.write_request(ask, replace(GPT, cache_breakpoints=True))
        accepted(written.body)
        assert deepseek.write_request(ask, replace(GPT, native_json_schema=False)).body["messages"]
        again = request_in.read_request(written.body, model="m", stream=case.is_sse)
        assert said(again) == said(ask), case.id
        assert again.tools == tuple(replace(tool, schema=tool.schema or {"type": "object", "properties": {}}) for tool in ask.tools)
        read += 1
    assert set(refusals) <= REFUSED
    assert (read, refusals.total()) == (214, 16)


def said(ask: Ask) -> list[tuple[Role, list[Item]]]:
    """Turn by turn, where those of one assistant are one; without thoughts, which are not told to this family, and without empty texts."""
    kept = [(turn.role, item) for turn in ask.turns for item in turn.items if not isinstance(item, Reasoning) and item != Text(text="")]
    return [(role, [item for _, item in run]) for role, run in groupby(kept, key=itemgetter(0))]


def _plain(path: str) -> str:
    return "[]".join(part.split("]")[-1] for part in path.split("["))


def test_every_answer_is_read_and_written_again() -> None:
    seen: Counter[str] = Counter()
    for case in traffic():
        dialect = deepseek.DEEPSEEK if case.vendor == "deepseek" else OPENAI
        if case.is_sse:
            _streamed(case, dialect)
            seen["streams"] += 1
            continue
        body = json.loads(case.body)
        answer = answer_in.read_answer(body, dialect)
        assert isinstance(answer, Broken if case.status != 200 else Answer), case.id
        seen["errors" if isinstance(answer, Broken) else "answers"] += 1
        if isinstance(answer, Broken):
            assert 400 <= answer.status < 600
            continue
        again = json.loads(json.dumps(write_answer(answer, ASK, NAMING)))
        ChatCompletion.model_validate(again, strict=True)
        message = body["choices"][0].get("message", {})
        assert (again["choices"][0]["message"]["content"] or "") == (message.get("content") or "")
        usage = again["usage"]
        for name in ("prompt_tokens", "completion_tokens"):
            assert usage[name] == body["usage"][name]
        assert made.together(_read(again)) == made.together(replace(answer, id=again["id"], model=again["model"], vendor_stop="")), case.id
    assert seen == Counter(streams=109, answers=116, errors=20)


def _read(body: dict[str, Any]) -> Answer:
    answer = answer_in.read_answer(body)
    assert isinstance(answer, Answer)
    return replace(answer, vendor_stop="")


def _streamed(case: Recorded, dialect: Dialect) -> None:
    whole = made.read(case.body, reader=answer_in.StreamReader(dialect))
    assert isinstance(whole[-1], Ended), case.id
    for size in (1, 97):
        cut = (case.body[at : at + size] for at in range(0, len(case.body), size))
        assert made.read(*cut, reader=answer_in.StreamReader(dialect)) == whole, case.id
    plain = answer_in.StreamReader(dialect)
    events = []
    for line in case.body.splitlines(keepends=True):
        plain._alike = None  # each chunk by its JSON
        events += plain.feed(line)
    assert [*events, *plain.close()] == whole, case.id
    written = StreamWriter(ASK, NAMING).write(whole)
    for frame in written.decode().split("\n\n")[:-2]:
        ChatCompletionChunk.model_validate(json.loads(frame[6:]), strict=True)
    first, again = made.answer_of(whole), made.answer_of(made.read(written))
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert made.together(replace(again, vendor_stop="")) == made.together(replace(first, id=again.id, model=again.model, vendor_stop="")), (
        case.id
    )
