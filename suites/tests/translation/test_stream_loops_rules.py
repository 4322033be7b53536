import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from harness.case import Case, Client
from harness.exchange import Exchange, Hop, SdkError, SdkReading, StepSeen
from harness.mutation.mutants import stream_loops as mutants
from harness.recording.library import Library
from harness.verdict import Inconclusive
from suites.tests import traffic
from suites.tests.steps import NOTHING, answer, assert_all_pass, assert_fails, case_of, seen, verdicts, with_step
from suites.tests.steps import exchange as stepped
from suites.translation import stream_loops

LIBRARY = Library.open("shipped")
RULES = stream_loops.RULES
TOLD = "translation/stream-loop-proofs-told"
Value = dict[str, Any]


def content(recording: str) -> list[Value]:
    found: list[Value] = json.loads(LIBRARY.load(f"probes/{recording}").body)["content"]
    return [{name: item for name, item in block.items() if name != "caller"} for block in found]


FIRST, SECOND = content("messages-loop"), content("messages-loop-again")
PROOFS = [block.get("signature") or block["data"] for block in FIRST[:2]]
WEATHER, NOTE, ORDER = (block["id"] for block in (*FIRST, *SECOND) if block["type"] == "tool_use")
RESULTS = {WEATHER: "sunny, 21 degrees", NOTE: "the note is kept", ORDER: "the order was sent"}


def to_claude(*turns: list[Value]) -> Value:
    """What Claude is asked after these turns of its own."""
    messages: list[Value] = [{"role": "user", "content": "Look it up."}]
    for turn in turns:
        ids = [block["id"] for block in turn if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": name, "content": RESULTS[name]} for name in ids]
        messages += [{"role": "assistant", "content": turn}, {"role": "user", "content": results}]
    return {"model": "m", "max_tokens": 9, "stream": True, "messages": messages}


def turn(name: str, recording: str, kept: Value, *asked: list[Value], raised: SdkError | None = None) -> StepSeen:
    upstream = Hop(request=replace(NOTHING, body=json.dumps(to_claude(*asked)).encode()), response=streamed(recording))
    said = seen(name, answer(), asked=kept)
    return replace(said, upstream=(upstream,), sdk=SdkReading(sdk="openai 3", call="chat.completions.stream", error=raised))


def streamed(recording: str) -> Any:
    return answer(200, LIBRARY.load(f"{recording}.stream").body)


def right(case: Case, second: Value, third: Value | None = None) -> Exchange:
    steps = (
        turn("first", "probes/messages-loop", {}),
        turn("second", "probes/messages-loop-again", second, FIRST),
        turn("third", "messages/text", third or second, FIRST, SECOND),
    )
    return stepped(case, *steps)


CHAT = case_of(stream_loops.CASES, "translation/loop-chat-claude.stream")
KEPT = {"messages": [{"role": "assistant", "thinking_blocks": [{"signature": PROOFS[0]}, {"data": PROOFS[1]}]}]}
RESPONSES = case_of(stream_loops.CASES, "translation/loop-responses-claude.stream")
SEALED = {"input": [{"role": "user", "content": "x"}, {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}]}
GEMINI = case_of(stream_loops.CASES, "translation/loop-gemini-claude.stream")
WITHIN = {"contents": [{"parts": [{"thoughtSignature": base64.urlsafe_b64encode(f"x{proof}y".encode()).decode()} for proof in PROOFS]}]}


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, mutants.MUTANTS, "translation/stream-loop-")


def test_every_turn_is_a_stream_that_an_sdk_puts_together() -> None:
    assert all(step.stream and step.helper and step.client is not Client.RAW for case in stream_loops.CASES for step in case.steps)


@pytest.mark.parametrize(("case", "kept"), [(CHAT, KEPT), (RESPONSES, SEALED), (GEMINI, WITHIN)], ids=["chat", "responses", "gemini"])
def test_a_loop_that_goes_on_passes(case: Case, kept: Value) -> None:
    assert_all_pass(RULES, right(case, kept))


@pytest.mark.parametrize(
    ("case", "second", "third"),
    [
        (CHAT, {"messages": [{"role": "assistant", "content": "no thought"}]}, KEPT),
        (CHAT, KEPT, {"messages": [{"role": "assistant", "thinking_blocks": [{"signature": PROOFS[0]}]}]}),
        (CHAT, {"messages": [{"signature": proof[:-9]} for proof in PROOFS]}, KEPT),
        (RESPONSES, {"input": [{"type": "reasoning", "summary": []}]}, SEALED),
        (RESPONSES, {"input": [{"type": "reasoning", "summary": [], "encrypted_content": None}]}, SEALED),
        (RESPONSES, {"input": [{"role": "user", "content": "no thought"}]}, SEALED),
        (GEMINI, {"contents": [{"parts": [{"text": "", "thought": True}]}]}, WITHIN),
    ],
)
def test_a_proof_that_is_not_in_the_stream_is_found(case: Case, second: Value, third: Value) -> None:
    """Though the gateway kept it, and told its vendor."""
    assert_fails(RULES, right(case, second, third), TOLD)


def test_who_says_that_it_drops_proofs_is_not_judged() -> None:
    losses = {"answer_out": {"items[Reasoning].signature": "dropped"}}
    declared = replace(right(CHAT, {"messages": []}), promises={"losses": losses})
    assert isinstance(verdicts(RULES, declared)[TOLD], Inconclusive)


@pytest.mark.parametrize(
    "asked",
    [
        [*FIRST[:2], {**FIRST[2], "input": {}}],
        FIRST[:2],
        [*FIRST[:2], {**FIRST[2], "name": "get_weatherget_weather"}],
    ],
    ids=["arguments", "call", "name"],
)
def test_a_call_that_was_put_together_wrongly_is_found(asked: list[Value]) -> None:
    second = turn("second", "probes/messages-loop-again", KEPT, asked)
    assert_fails(RULES, with_step(right(CHAT, KEPT), second), "translation/stream-loop-goes-on")


@pytest.mark.parametrize("asked", [FIRST[1:], [*FIRST[:2], *FIRST]], ids=["lost", "twice"])
def test_a_proof_that_does_not_come_back_once_is_found(asked: list[Value]) -> None:
    second = turn("second", "probes/messages-loop-again", KEPT, asked)
    assert_fails(RULES, with_step(right(CHAT, KEPT), second), "translation/stream-loop-proofs-once")


def test_a_request_that_is_not_put_to_the_vendor_is_found_and_so_is_an_sdk_that_raises() -> None:
    refused = seen("second", answer(400, {"error": {"message": "arguments are no JSON"}}), asked=KEPT)
    assert_fails(RULES, with_step(right(CHAT, KEPT), refused), "translation/stream-loop-goes-on")
    raises = turn("third", "messages/text", KEPT, FIRST, SECOND, raised=SdkError(type="TypeError", message="no index"))
    assert_fails(RULES, with_step(right(CHAT, KEPT), raises), "translation/stream-loop-goes-on")


@pytest.mark.parametrize("first", [seen("first", answer(404, {})), seen("first", answer(503, {})), seen("first", answer())])
def test_a_gateway_that_does_not_serve_the_model_is_not_blamed(first: StepSeen) -> None:
    """Or one whose vendors are not ours."""
    unsent = [seen(name, unsent="the answer of first has nothing at /choices/0/message") for name in ("second", "third")]
    found = verdicts(RULES, stepped(CHAT, first, *unsent))
    assert all(isinstance(verdict, Inconclusive) for verdict in found.values())
