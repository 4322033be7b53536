import json
from dataclasses import replace
from typing import Any

import pytest

from harness import schema
from harness.case import Route
from harness.exchange import Exchange, Headers, Hop, Request, Response, StepSeen
from harness.mutation.matrix import all_mutants
from harness.verdict import Failed, Passed
from suites.tests.steps import answer, assert_all_pass, assert_fails, balance, case_of, row, seen
from suites.tests.steps import exchange as stepped
from suites.tests.traffic import data_frames, named_frames
from suites.translation.probes import RULES
from suites.translation.probes_cases import CASES

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello mark"}]}


def sent(body: Any = None, method: str = "POST", headers: Headers = ()) -> Hop:
    """A call of the upstream, answered with nothing that matters."""
    request = Request(method=method, target="/", headers=headers, body=json.dumps(BODY if body is None else body).encode())
    return Hop(request=request, response=answer())


def refused(status: int) -> Hop:
    return replace(sent(), response=answer(status, {"error": {"message": "No."}}))


def exchange(name: str, response: Response, *upstream: Hop, asked: Any = None) -> Exchange:
    case = case_of(CASES, f"translation/probe-{name}")
    request = Request(method="POST", target="/", headers=(), body=json.dumps(asked or {}).encode())
    client = Hop(request=request, response=response)
    upstream = upstream or (sent(),)
    return Exchange(id=case.id, case=case, model="m", route=Route.TRANSLATED, marker="mark", client=client, upstream=upstream)


def start(**usage: int) -> Response:
    return answer(200, named_frames({"type": "message_start", "message": {"usage": usage}}))


def call(name: str) -> Response:
    block = {"type": "tool_use", "id": name, "name": "f", "input": {}}
    return answer(200, {"content": [{"type": "text", "text": "."}, block]})


def call_in_stream(name: str) -> Response:
    block = {"type": "tool_use", "id": name, "name": "f", "input": {}}
    frames = named_frames(
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}, {"type": "content_block_start", "content_block": block}
    )
    return answer(200, frames)


def items(*ids: str) -> Response:
    return answer(
        200, {"output": [{"type": kind, "id": name} for kind, name in zip(("message", "function_call", "reasoning"), ids, strict=True)]}
    )


def items_in_stream(name: str) -> Response:
    item = {"type": "message", "id": name}
    done = {"type": "response.completed", "response": {"output": [item]}}
    return answer(200, named_frames({"type": "response.output_item.added", "item": item}, done))


def chunks(finish: dict[str, Any], last: dict[str, Any]) -> Response:
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return answer(200, data_frames({"choices": [ended], **finish}, {"choices": [], **last}, "[DONE]"))


USAGE: dict[str, Any] = {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
ASKED = {"stream_options": {"include_usage": True}}
BETA = ("anthropic-beta", "a-1,b-2")
ADDRESS = sent({"model": "m", "messages": []}, method="GET")
LIMITED = answer(429, {"type": "error"})
EVENTS = answer(200, b'data: {"error": {"message": "No."}}\n\n')

CALLS = "messages-gemini-thinking-tools"
ITEMS = "responses-claude-parallel-tools"
BETAS = "messages-chat-betas"

QUIET = "messages-deepseek-no-thinking"
LOOP = "chat-claude-tool-loop"
FREE = "chat-claude-no-parallel"
NAMED = "chat-claude-tool-name"
SEARCH = "chat-claude-web-search"
OFFERED = {"tools": [{"type": "function", "function": {"name": "weather.lookup/now"}}]}


def loop(*turns: list[str]) -> Hop:
    """Turns of blocks by their types; the assistant's first."""
    roles = ("assistant", "user", "user")
    return sent(
        {"messages": [{"role": role, "content": [{"type": kind} for kind in kinds]} for role, kinds in zip(roles, turns, strict=False)]}
    )


def told(name: str) -> Response:
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
    return answer(200, {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]})


def under(name: str) -> Hop:
    return sent({"tools": [{"name": name, "input_schema": {}}], "messages": []})


def searched() -> Hop:
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    body = {"type": "message", "content": [block], "stop_reason": "end_turn"}
    return replace(sent(), response=answer(200, body))


def paced(*read_at_ms: int) -> Exchange:
    def streamed(*at_ms: int) -> Response:
        whole = answer(200, b"data: {}\n\n")
        return replace(whole, reads=tuple(replace(whole.reads[0], at_ms=at) for at in at_ms), end_ms=at_ms[-1])

    return exchange("messages-chat-paced.stream", streamed(*read_at_ms), replace(sent(), response=streamed(0, 50, 100)))


RIGHT = [
    ("translation/thinking-switched-off", exchange(QUIET, answer(), sent({"thinking": {"type": "disabled"}}))),
    ("translation/thinking-switched-off", exchange("chat-claude-no-thinking", answer(), sent({}))),
    (
        "translation/thinking-switched-off",
        exchange("chat-gemini-no-thinking", answer(), sent({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}})),
    ),
    ("translation/no-call-forced", exchange(FREE, answer(), sent({"tool_choice": {"type": "auto"}}))),
    ("translation/no-call-forced", exchange(FREE, answer(), sent({}))),
    ("translation/results-together", exchange(LOOP, answer(), loop(["tool_use", "tool_use"], ["tool_result", "tool_result", "text"]))),
    ("translation/tool-names-given-back", exchange(NAMED, told("weather.lookup/now"), under("weather_1"), asked=OFFERED)),
    ("translation/hosted-calls-apart", exchange(SEARCH, answer(200, {"choices": [{"message": {"content": "."}}]}), searched())),
    ("translation/as-it-comes", paced(1, 51, 101)),
    ("translation/prose-is-no-json", exchange("chat-claude-prose", answer(502, {}))),
    ("translation/prose-is-no-json", exchange("chat-claude-prose.stream", EVENTS)),
    ("translation/start-counts-input", exchange("messages-chat-text.stream", start(input_tokens=7, output_tokens=1))),
    ("translation/start-counts-input", exchange("messages-chat-text.stream", start(input_tokens=0, cache_read_input_tokens=7))),
    ("translation/call-ids-replayable", exchange(CALLS, call("toolu_1-a"))),
    ("translation/call-ids-replayable", exchange(f"{CALLS}.stream", call_in_stream("call_1"))),
    ("translation/item-ids-by-kind", exchange(ITEMS, items("msg_1", "fc_1", "rs_1"))),
    ("translation/item-ids-by-kind", exchange(f"{ITEMS}.stream", items_in_stream("msg_1"))),
    ("translation/no-address-fetched", exchange("chat-gemini-fetch-name", answer(400, {}), sent())),
    ("translation/rate-limit-inside", exchange("messages-chat-chat-500-code-429", LIMITED, refused(500))),
    ("translation/rate-limit-inside", exchange("messages-chat-chat-500-code-429", answer(), refused(500))),
    ("translation/status-before-stream", exchange("chat-claude-error-429.stream", answer(429, {}), refused(429))),
    ("translation/status-before-stream", exchange("chat-claude-error-429.stream", answer(502, {}), refused(401))),
    ("translation/no-foreign-betas", exchange(BETAS, answer())),
    ("translation/betas-agree", exchange(BETAS, answer())),
    ("translation/system-alone", exchange("chat-claude-system-only", answer())),
    ("translation/usage-apart", exchange("chat-claude-text.stream", chunks({"usage": None}, USAGE), asked=ASKED)),
    ("translation/usage-apart", exchange("chat-claude-usage-unasked.stream", chunks({}, {}))),
]
WRONG = [
    ("translation/thinking-switched-off", exchange(QUIET, answer(), sent({}))),
    ("translation/thinking-switched-off", exchange("chat-gemini-no-thinking", answer(), sent({}))),
    ("translation/thinking-switched-off", exchange("chat-claude-no-thinking", answer(), sent({"thinking": {"type": "adaptive"}}))),
    ("translation/no-call-forced", exchange(FREE, answer(), sent({"tool_choice": {"type": "any"}}))),
    ("translation/no-call-forced", exchange(FREE, answer(), sent({"tool_choice": "required"}))),
    ("translation/results-together", exchange(LOOP, answer(), loop(["tool_use", "tool_use"], ["tool_result"], ["tool_result"]))),
    ("translation/results-together", exchange(LOOP, answer(), loop(["tool_use"], ["text", "tool_result"]))),
    ("translation/tool-names-given-back", exchange(NAMED, told("weather_1"), under("weather_1"), asked=OFFERED)),
    ("translation/tool-names-given-back", exchange(NAMED, told("weather.lookup/now"), under("weather.lookup/now"), asked=OFFERED)),
    ("translation/hosted-calls-apart", exchange(SEARCH, told("web_search"), searched())),
    ("translation/as-it-comes", paced(101, 102)),
    ("translation/prose-is-no-json", exchange("chat-claude-prose", answer())),
    ("translation/prose-is-no-json", exchange("chat-claude-prose.stream", chunks({}, {}))),
    ("translation/as-it-comes", paced(1, 1400)),
    ("translation/start-counts-input", exchange("messages-chat-text.stream", start(input_tokens=0, output_tokens=1))),
    ("translation/start-counts-input", exchange("messages-chat-text.stream", start())),
    ("translation/call-ids-replayable", exchange(CALLS, call("call_1__thought__" + "A" * 80))),
    ("translation/call-ids-replayable", exchange(CALLS, call("a|b"))),
    ("translation/call-ids-replayable", exchange(f"{CALLS}.stream", call_in_stream("a.b"))),
    ("translation/item-ids-by-kind", exchange(ITEMS, items("chatcmpl-1", "fc_1", "rs_1"))),
    ("translation/item-ids-by-kind", exchange(f"{ITEMS}.stream", items_in_stream("chatcmpl-1"))),
    ("translation/no-address-fetched", exchange("chat-gemini-fetch-name", answer(400, {}), ADDRESS)),
    ("translation/no-address-fetched", exchange("chat-claude-fetch-name", answer(200, {}), ADDRESS, sent())),
    ("translation/rate-limit-inside", exchange("messages-chat-chat-500-code-429", answer(502, {}), refused(500))),
    ("translation/status-before-stream", exchange("chat-claude-error-429.stream", EVENTS, refused(429))),
    ("translation/status-before-stream", exchange("chat-claude-error-429.stream", answer(500, {}), refused(429))),
    ("translation/no-foreign-betas", exchange(BETAS, answer(), sent(headers=(BETA,)))),
    ("translation/no-foreign-betas", exchange(BETAS, answer(), sent({**BODY, "betas": ["a-1"]}))),
    ("translation/betas-agree", exchange(BETAS, answer(), sent({**BODY, "anthropic_beta": ["a-1"]}, headers=(BETA,)))),
    ("translation/system-alone", exchange("chat-claude-system-only", answer(), sent({**BODY, "messages": [], "system": "hello mark"}))),
    ("translation/system-alone", exchange("chat-claude-system-only", answer(), sent({"messages": [{"content": "hello"}]}))),
    ("translation/system-alone", exchange("chat-claude-system-only", answer(400, {}))),
    ("translation/usage-apart", exchange("chat-claude-text.stream", chunks(USAGE, {}), asked=ASKED)),
    ("translation/usage-apart", exchange("chat-claude-usage-unasked.stream", chunks({}, USAGE))),
    ("translation/usage-apart", exchange("chat-claude-usage-unasked.stream", chunks({"usage": None}, {}))),
]


def verdict(requirement: str, of: Exchange) -> Any:
    rule = next(rule for rule in RULES if rule.requirement.id == requirement)
    assert rule.given.holds(of.case)
    return rule.check(of)


@pytest.mark.parametrize(("requirement", "right"), RIGHT)
def test_what_is_right_passes(requirement: str, right: Exchange) -> None:
    assert isinstance(verdict(requirement, right), Passed)


@pytest.mark.parametrize(("requirement", "wrong"), WRONG)
def test_what_is_wrong_fails(requirement: str, wrong: Exchange) -> None:
    assert isinstance(verdict(requirement, wrong), Failed)


# cases of several steps


PROOF = "EqQBCgIYAhIMc2lnbmF0dXJl"


def talked(back: str, stranger: str) -> Exchange:
    """A conversation with Claude, whose thought is proved; then what the next turn and a stranger's had in them."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": PROOF}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    body = {"type": "message", "content": [thought, call], "stop_reason": "tool_use"}
    thinks = replace(seen("thinks", answer()), upstream=(replace(sent(), response=answer(200, body)),))
    later = (replace(seen(name, answer()), upstream=(sent({"said": held}),)) for name, held in (("goes-on", back), ("stranger", stranger)))
    return stepped(case_of(CASES, "translation/probe-chat-claude-conversation"), thinks, *later)


def signed(*came: str) -> Exchange:
    """A text that Gemini signed; then the signatures of the model's turn in the next request."""
    parts = [{"text": "At noon."}, {"text": "", "thoughtSignature": PROOF}]
    body = {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}]}
    thinks = replace(seen("thinks", answer()), upstream=(replace(sent(), response=answer(200, body)),))
    back = {"contents": [{"role": "model", "parts": [{"text": "At noon."}, *({"text": "", "thoughtSignature": each} for each in came)]}]}
    later = (replace(seen(name, answer()), upstream=(sent(held),)) for name, held in (("goes-on", back), ("stranger", {"contents": []})))
    return stepped(case_of(CASES, "translation/probe-chat-gemini-signed-conversation.stream"), thinks, *later)


def test_a_text_goes_back_with_its_signature() -> None:
    assert_all_pass([rule for rule in RULES if rule.given.holds(signed().case)], signed(PROOF))


@pytest.mark.parametrize("came", [(), (PROOF, PROOF), (PROOF[::-1],)])
def test_a_text_without_its_signature_is_found(came: tuple[str, ...]) -> None:
    assert_fails(RULES, signed(*came), "translation/text-signature-comes-back")


def calls_and(content: str | None) -> Exchange:
    message = {"role": "assistant", "content": content, "tool_calls": [{"id": "call_1"}]}
    return exchange("chat-gemini-tools", answer(200, {"choices": [{"index": 0, "message": message}]}))


@pytest.mark.parametrize("content", [None, "I look."])
def test_calls_beside_null_or_a_text_pass(content: str | None) -> None:
    assert_all_pass([rule for rule in RULES if rule.requirement.id == "translation/null-beside-calls"], calls_and(content))


def test_calls_beside_an_empty_text_fail() -> None:
    assert_fails(RULES, calls_and(""), "translation/null-beside-calls")


def counted(*counts: Any) -> Exchange:
    names = ("short", "longer", "longest")
    steps = (seen(name, answer(200, {"input_tokens": count})) for name, count in zip(names, counts, strict=True))
    return stepped(case_of(CASES, "translation/probe-count-tokens"), *steps)


def sessions(*keys: str | None) -> Exchange:
    def session(name: str, key: str | None) -> StepSeen:
        hop = sent({**BODY, **({"prompt_cache_key": key} if key else {})})
        return replace(seen(name, answer()), upstream=(hop,))

    steps = (session(name, key) for name, key in zip(("first", "second"), keys, strict=True))
    return stepped(case_of(CASES, "translation/probe-cache-keys"), *steps)


def beside(*read_at_ms: int) -> Exchange:
    """A stream whose vendor writes at 0, 50 and 100 ms."""

    def streamed(*at_ms: int) -> Response:
        whole = answer(200, b"data: {}\n\n")
        return replace(whole, reads=tuple(replace(whole.reads[0], at_ms=at) for at in at_ms), end_ms=at_ms[-1])

    stream = seen("stream", streamed(*read_at_ms), vendor=[streamed(0, 50, 100)])
    return stepped(case_of(CASES, "translation/probe-counting-beside-a-stream"), stream, seen("long", answer()))


def images(status: int, listed: bool) -> Exchange:
    link = {"created": 1, "data": [{"url": "http://gateway/1.png"}]}
    steps = (
        seen("unsaid", answer(200, link, x_request_id="r-unsaid")),
        seen("by-address", answer(status, link if status == 200 else {"error": {"message": "No."}}, x_request_id="r-by-address")),
    )
    rows = [row("r-unsaid", 5), *([row("r-by-address", 5)] if listed else [])]
    made = stepped(case_of(CASES, "translation/probe-images"), *steps, rows=rows)
    assert made.account is not None
    return replace(made, account=replace(made.account, before=balance(0)))


@pytest.mark.parametrize(
    "right",
    [
        counted(3, 40, 400),
        sessions("a", "b"),
        sessions(None, None),
        beside(1, 51, 101),
        images(200, listed=True),
        images(502, listed=False),
    ],
)
def test_steps_as_they_should_be_pass(right: Exchange) -> None:
    assert_all_pass(RULES, right)


@pytest.mark.parametrize(
    ("requirement", "wrong"),
    [
        ("translation/reasoning-comes-back", talked("nothing", "nothing")),
        ("translation/reasoning-apart", talked(PROOF, PROOF)),
        ("translation/count-tokens-grows", counted(0, 0, 0)),
        ("translation/count-tokens-grows", counted(7, 7, 8)),
        ("translation/count-tokens-grows", counted(7, None, 8)),
        ("translation/cache-keys-apart", sessions("a", "a")),
        ("translation/streams-while-counting", beside(200, 201)),
        ("translation/streams-while-counting", beside(1, 1500)),
        ("translation/image-by-address", images(500, listed=True)),
        ("translation/image-by-address", images(200, listed=False)),
    ],
)
def test_steps_that_are_wrong_fail(requirement: str, wrong: Exchange) -> None:
    assert_fails(RULES, wrong, requirement)


def test_an_image_in_the_answer_is_no_link() -> None:
    right = images(200, listed=True)
    data = answer(200, {"created": 1, "data": [{"b64_json": "aGk="}]}, x_request_id="r-unsaid")
    assert_fails(RULES, replace(right, steps=(seen("unsaid", data), *right.steps[1:])), "translation/image-linked-by-default")


def test_the_checks_hold_on_garbage() -> None:
    garbage = [
        b"",
        b"null",
        b"[[]]",
        b'data: {"type": [], "choices": {}, "content": 1}\n\n',
        b'event: x\ndata: {"item": [], "response": 1}\n\n',
    ]
    for case in CASES:
        for body in garbage:
            step = replace(seen("x", answer(200, body)), upstream=(sent(),))
            steps = tuple(replace(step, name=each.name) for each in case.steps)
            made = Exchange(
                id=case.id,
                case=case,
                model="m",
                route=Route.TRANSLATED,
                marker="mark",
                client=Hop(request=sent().request, response=answer(200, body)),
                upstream=(sent([]),),
                steps=steps,
            )
            for rule in RULES:
                if rule.given.holds(case):
                    rule.check(made)  # whatever it concludes, it doesn't raise


def test_ids_sources_and_mutants_are_well_kept() -> None:
    ids = [rule.requirement.id for rule in RULES]
    assert len(ids) == len(set(ids))
    for rule in RULES:
        schema.source(rule.requirement.clause.source)
        assert rule.requirement.text.endswith(".")
    assert set(ids) <= {mutant.requirement for mutant in all_mutants()}
    assert len({case.id for case in CASES}) == len(CASES)
