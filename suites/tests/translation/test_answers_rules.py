import json
from dataclasses import replace
from typing import Any

import pytest

from harness.case import CELL, Case, Dialect, Fault, FaultKind, Outcome, Play, Route, Surface
from harness.exchange import Exchange, Hop, Request, StepSeen
from harness.mutation.mutants.translation import MUTANTS
from harness.verdict import Failed, Inconclusive, Passed
from suites.tests import traffic
from suites.tests.steps import answer
from suites.translation import answers

RULES = {rule.requirement.id: rule for rule in answers.RULES}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
USAGE: dict[str, Any] = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0}
COUNTS: dict[str, Any] = {
    "prompt_tokens": 8,
    "completion_tokens": 7,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 3},
}
SAID: dict[str, Any] = {
    "type": "message",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "text", "text": "Well."},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": USAGE,
}
MESSAGE: dict[str, Any] = {
    "content": "Well.",
    "reasoning_content": "Hm.",
    "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "sig"}],
    "tool_calls": [CALL],
}


def told(message: Any = None, *, stop: str = "tool_calls", usage: Any = None, model: str = "m", **more: Any) -> dict[str, Any]:
    """A chat completion."""
    choice = {"index": 0, "message": MESSAGE if message is None else message, "finish_reason": stop}
    return {"object": "chat.completion", "model": model, "choices": [choice], "usage": usage or COUNTS, **more}


def hop(value: Any, status: int = 200) -> Hop:
    request = Request(method="POST", target="/", headers=(), body=b"{}")
    return Hop(request=request, response=answer(status, value))


def exchange(got: Any, said: Any = None, *, status: int = 200, said_status: int = 200, case: Case | None = None) -> Exchange:
    case = case or Case(
        id="translation/chat-anthropic/made",
        surface=Surface.CHAT,
        upstream=Dialect.ANTHROPIC,
        play=Play(recording="messages/text"),
        traits=frozenset({CELL, "tools", "thinking", "refusal", "scenario-unknown-event", "translated"}),
    )
    upstream = hop(SAID if said is None else said, said_status)
    return Exchange(
        id=case.id, case=case, model="m", route=Route.TRANSLATED, marker="", client=hop(got, status), upstream=(upstream,), promises={}
    )


def verdict(name: str, made: Exchange) -> object:
    rule = RULES[f"translation/{name}"]
    assert rule.given.holds(made.case), name
    return rule.check(made)


def with_call(**changed: Any) -> dict[str, Any]:
    function = {**CALL["function"], **changed.pop("function", {})}
    return told({**MESSAGE, "tool_calls": [{**CALL, "function": function, **changed}]})


WRONG = {
    "answer-text": told({**MESSAGE, "content": "Wel."}),
    "answer-reasoning": told({**MESSAGE, "reasoning_content": "H."}),
    "answer-signatures": told({**MESSAGE, "thinking_blocks": []}),
    "answer-calls": told({**MESSAGE, "tool_calls": []}, stop="stop"),
    "answer-call-ids": with_call(id="c2"),
    "answer-call-names": with_call(function={"name": "g"}),
    "answer-call-arguments": with_call(function={"arguments": '{"a": 2}'}),
    "answer-stop": told(stop="length"),
    "answer-usage": told(usage={**COUNTS, "prompt_tokens": 5}),
    "answer-whole": {"error": {"message": "no", "type": "server_error"}},
    "stop-word-known": told(stop="handed_over"),
    "unknown-is-ignored": told(note={"text": "new"}),
    "model-as-asked": told(model="claude"),
}


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(answers.RULES, MUTANTS, "translation/")


@pytest.mark.parametrize("name", WRONG)
def test_what_is_told_otherwise_is_found_and_what_is_told_rightly_is_not(name: str) -> None:
    assert isinstance(verdict(name, exchange(told())), Passed)
    assert isinstance(verdict(name, exchange(WRONG[name])), Failed)


def test_a_change_of_one_thing_is_found_by_its_own_requirement_alone() -> None:
    by_transcript = [name for name in WRONG if name.startswith("answer-") and name not in ("answer-whole", "answer-calls")]
    for wrong in by_transcript:
        found = {name for name in by_transcript if isinstance(verdict(name, exchange(WRONG[wrong])), Failed)}
        assert found == {wrong}


def test_order_is_asked_where_the_protocol_has_one() -> None:
    case = replace(exchange(told()).case, surface=Surface.MESSAGES, upstream=Dialect.OPENAI_RESPONSES)
    items = [
        {"type": "message", "content": [{"type": "output_text", "text": "Well."}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    said = {"object": "response", "status": "completed", "output": items, "usage": {"input_tokens": 1, "output_tokens": 1}}
    text, call = {"type": "text", "text": "Well."}, {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    for content, expected in (([text, call], Passed), ([call, text], Failed)):
        got = {"type": "message", "content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}}
        assert isinstance(verdict("answer-order", exchange(got, said, case=case)), expected)


def test_a_refusal_keeps_its_words() -> None:
    case = replace(exchange(told()).case, upstream=Dialect.OPENAI_RESPONSES)
    content = [{"type": "refusal", "refusal": "I can't."}]
    said = {"object": "response", "status": "completed", "output": [{"type": "message", "content": content}], "usage": {"input_tokens": 1}}
    for words, expected in (("I can't.", Passed), ("I won't.", Failed)):
        got = told({"content": None, "refusal": words}, stop="stop", usage={"prompt_tokens": 1})
        assert isinstance(verdict("answer-refusal", exchange(got, said, case=case)), expected)


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [(400, "invalid_request_error", Passed), (400, "server_error", Failed), (502, "invalid_request_error", Failed)],
)
def test_an_error_keeps_its_class(status: int, kind: str, expected: type) -> None:
    play = Play(recording="messages/text", fault=Fault(kind=FaultKind.STATUS, status=400))
    case = replace(exchange(told()).case, play=play, outcome=Outcome.UPSTREAM_ERROR)
    got = {"error": {"message": "No.", "type": kind, "param": None, "code": None}}
    assert isinstance(verdict("error-class", exchange(got, {"error": {}}, status=status, said_status=400, case=case)), expected)


def test_half_an_answer_is_no_success() -> None:
    case = replace(exchange(told()).case, outcome=Outcome.UPSTREAM_BROKEN)
    half = {**SAID, "stop_reason": None}
    error = {"error": {"message": "No.", "type": "server_error"}}
    assert isinstance(verdict("answer-failure", exchange(error, half, status=502, case=case)), Passed)
    assert isinstance(verdict("answer-failure", exchange(told(), half, case=case)), Failed)
    assert isinstance(verdict("answer-failure", exchange(told(), case=case)), Inconclusive)


def test_a_stream_says_what_the_whole_answer_says() -> None:
    made = exchange(told())
    case = replace(made.case, steps=(), traits=frozenset({"both-ways"}))
    chunk: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "Well."}, "finish_reason": "stop"}], "usage": COUNTS}
    more = {**chunk, "usage": {**COUNTS, "completion_tokens": 9}}
    whole = told({"content": "Well."}, stop="stop")
    said = {**SAID, "content": [{"type": "text", "text": "Well."}], "stop_reason": "end_turn"}
    for last, expected in ((chunk, Passed), (more, Failed)):
        streamed = replace(hop({}), response=answer(200, f"data: {json.dumps(last)}\n\n".encode()))
        steps = (
            StepSeen(name="whole", calls=(hop(whole),), upstream=(hop(said),)),
            StepSeen(name="stream", calls=(streamed,), upstream=(hop(said),)),
        )
        both = replace(made, case=case, steps=steps)
        assert isinstance(RULES["translation/stream-is-the-whole"].check(both), expected)


def test_nothing_is_said_of_native_routes() -> None:
    native = replace(exchange(told()), route=Route.NATIVE)
    for name in WRONG:
        assert isinstance(RULES[f"translation/{name}"].check(native), Inconclusive)
