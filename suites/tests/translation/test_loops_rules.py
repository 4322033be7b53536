import json
from dataclasses import replace
from typing import Any

import pytest

from harness.exchange import Exchange, Hop, StepSeen
from harness.mutation.mutants import loops as mutants
from harness.recording.library import Library
from suites.tests import traffic
from suites.tests.steps import NOTHING, answer, assert_all_pass, assert_fails, assert_judges_nothing, case_of, seen, with_step
from suites.tests.steps import exchange as stepped
from suites.translation import loops, probes, probes_cases

LIBRARY = Library.open("shipped")
RULES = loops.RULES
HIDDEN = "EqcCCkYICRgCreadable by none"
Value = dict[str, Any]


def content(recording: str) -> list[Value]:
    found: list[Value] = json.loads(LIBRARY.load(f"probes/{recording}").body)["content"]
    return found


FIRST, SECOND = content("messages-loop"), content("messages-loop-again")
WEATHER, NOTE, ORDER = (block["id"] for block in (*FIRST, *SECOND) if block["type"] == "tool_use")
TOLD = {WEATHER: "sunny, 21 degrees", NOTE: "the note is kept", ORDER: "the order was sent"}


def said(blocks: list[Value]) -> Value:
    return {"role": "assistant", "content": [{name: item for name, item in block.items() if name != "caller"} for block in blocks]}


def results(*ids: str, told: dict[str, str] | None = None) -> Value:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": name, "content": (told or TOLD)[name]} for name in ids]}


def turn(name: str, recording: str, *later: Value) -> StepSeen:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Look it up."}, *later]}
    request = replace(NOTHING, body=json.dumps(body).encode())
    return replace(seen(name, answer()), upstream=(Hop(request=request, response=answer(200, LIBRARY.load(recording).body)),))


def third(*later: Value) -> StepSeen:
    return turn("third", "messages/text", *(later or (said(FIRST), results(WEATHER), said(SECOND), results(NOTE, ORDER))))


def right() -> Exchange:
    case = case_of(loops.CASES, "translation/loop-chat-claude")
    steps = (turn("first", "probes/messages-loop"), turn("second", "probes/messages-loop-again", said(FIRST), results(WEATHER)))
    return stepped(case, *steps, third())


def test_ids_sources_and_mutants_are_well_kept() -> None:
    redacted = [rule for rule in probes.RULES if rule.requirement is probes.REDACTED_BACK]
    traffic.assert_well_kept((*RULES, *redacted), mutants.MUTANTS, "translation/")


def test_a_loop_that_goes_on_passes() -> None:
    assert_all_pass(RULES, right())
    assert_all_pass(RULES, with_step(right(), third(said(FIRST), results(WEATHER), said(SECOND), results(ORDER, NOTE))))


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("translation/loop-goes-on", third(said(FIRST), results(WEATHER), said(SECOND), results(NOTE))),
        (
            "translation/loop-goes-on",
            third(said(FIRST), results(WEATHER), said(SECOND), results(NOTE, ORDER, told={NOTE: TOLD[ORDER], ORDER: TOLD[NOTE]})),
        ),
        (
            "translation/loop-goes-on",
            third(said(FIRST), results(WEATHER), said([{**block, "input": {}} for block in SECOND]), results(NOTE, ORDER)),
        ),
        ("translation/loop-goes-on", third(said(FIRST), results(WEATHER), said(SECOND[::-1]), results(NOTE, ORDER))),
        (
            "translation/loop-goes-on",
            third({"role": "tool", "content": "x"}, said(FIRST), results(WEATHER), said(SECOND), results(NOTE, ORDER)),
        ),
        ("translation/loop-proofs-once", third(said(FIRST[1:]), results(WEATHER), said(SECOND), results(NOTE, ORDER))),
        ("translation/loop-proofs-once", third(said(FIRST[::2]), results(WEATHER), said(SECOND), results(NOTE, ORDER))),
        ("translation/loop-proofs-once", third(said([*FIRST[:2], *FIRST]), results(WEATHER), said(SECOND), results(NOTE, ORDER))),
    ],
)
def test_a_thread_that_is_lost_is_found(requirement: str, step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


@pytest.mark.parametrize(
    "second", [seen("second", answer(400, {"error": {}})), seen("second", unsent="the answer of first has nothing at /choices/0/message")]
)
def test_a_turn_that_the_answer_before_it_does_not_lead_to_is_found(second: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), second), "translation/loop-goes-on")


def test_where_a_turn_failed_nothing_is_judged() -> None:
    for status in (404, 401, 503):  # the gateway lacks the model, or the caller may not have it
        assert_judges_nothing(RULES, with_step(right(), seen("first", answer(status, {}))))
    assert_judges_nothing(RULES, with_step(right(), seen("second", answer(429, {}))))
    assert_judges_nothing(RULES, replace(right(), steps=tuple(replace(step, upstream=()) for step in right().steps)))


def redacted(*back: Value) -> Exchange:
    """A thought that nobody can read, before a call; and what the next request had of it."""
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    made = answer(200, {"type": "message", "content": [{"type": "redacted_thinking", "data": HIDDEN}, call], "stop_reason": "tool_use"})
    thinks = replace(seen("thinks", answer()), upstream=(Hop(request=NOTHING, response=made),))
    body = {"messages": [{"role": "assistant", "content": [*back, call]}]}
    asked = Hop(request=replace(NOTHING, body=json.dumps(body).encode()), response=answer())
    case = case_of(probes_cases.CASES, "translation/probe-chat-claude-redacted-conversation")
    return stepped(case, thinks, replace(seen("goes-on", answer()), upstream=(asked,)), seen("stranger", answer(400)))


def test_a_redacted_thought_that_comes_back_passes() -> None:
    rules = [rule for rule in probes.RULES if rule.requirement is probes.REDACTED_BACK]
    assert_all_pass(rules, redacted({"type": "redacted_thinking", "data": HIDDEN}))


@pytest.mark.parametrize(
    "back", [(), ({"type": "redacted_thinking", "data": HIDDEN[:9]},), ({"type": "thinking", "thinking": "", "signature": HIDDEN},)]
)
def test_a_redacted_thought_that_does_not_come_back_is_found(back: tuple[Value, ...]) -> None:
    assert_fails(probes.RULES, redacted(*back), "translation/redacted-thinking-comes-back")
