import json
from dataclasses import replace
from typing import Any

import pytest

from harness.case import Case, Dialect, Play, Route, Surface
from harness.exchange import AccountReading, Exchange, Headers, Hop, Request, Response
from harness.mutation.mutants.translation_details import MORE, MUTANTS
from harness.plan import rules_of, suite_modules
from suites.tests import traffic
from suites.tests.steps import answer, assert_all_pass, assert_fails, balance, case_of, row, seen
from suites.tests.steps import exchange as stepped
from suites.tests.traffic import data_frames
from suites.translation import cases
from suites.translation.details import CASES, RULES

USAGE: dict[str, Any] = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3}
SAID: dict[str, Any] = {"type": "message", "content": [{"type": "text", "text": "Well."}], "stop_reason": "end_turn", "usage": USAGE}
NOW = 1_780_000_000


def hop(asked: Any, response: Response, headers: Headers = ()) -> Hop:
    return Hop(request=Request(method="POST", target="/", headers=headers, body=json.dumps(asked).encode()), response=response)


def exchange(case: Case, client: Hop, upstream: Hop) -> Exchange:
    return Exchange(id=case.id, case=case, model="m", route=Route.TRANSLATED, marker="", client=client, upstream=(upstream,))


def asked(upstream: Dialect, *, sent: Any = None, headers: Headers = (), told: Any = None) -> Exchange:
    """Of a chat client."""
    case = Case(id="translation/made", surface=Surface.CHAT, upstream=upstream, play=Play(recording="made"))
    response = told if isinstance(told, Response) else answer(200, told or {"created": NOW})
    return exchange(case, hop({}, response), hop(sent or {}, answer(200, SAID), headers))


def versions(*told: str) -> Exchange:
    return asked(Dialect.ANTHROPIC, headers=tuple(("Anthropic-Version", each) for each in told))


def made(*times: Any) -> Exchange:
    return asked(Dialect.GEMINI, told=answer(200, data_frames(*({"created": time} for time in times))))


def repeated(told: Any, *, asked: Any = None) -> Exchange:
    """Of a Responses client that asks for a temperature and a tool, or what `asked` says."""
    wanted = {"temperature": 0.5, "tools": [{"type": "function", "name": "f"}]} if asked is None else asked
    case = Case(id="translation/made", surface=Surface.RESPONSES, upstream=Dialect.ANTHROPIC, play=Play(recording="made"))
    response = told if isinstance(told, Response) else answer(200, told)
    return exchange(replace(case, traits=frozenset({"length"})), hop(wanted, response), hop({}, answer(200, SAID)))


def cut(status: str) -> Exchange:
    details = {"incomplete_details": {"reason": "max_output_tokens"}}
    return repeated({"output": [{"type": "reasoning"}, {"type": "message", "status": status}], **details}, asked={})


TOLD: dict[str, Any] = {"temperature": 0.5, "tools": [{"type": "function", "name": "f"}]}


def both(one: Any, other: Any) -> Exchange:
    streamed = answer(200, data_frames({"id": other, "choices": []}, "[DONE]"))
    case = case_of(cases.CASES, "translation/chat-anthropic/both-ways")
    return stepped(case, seen("whole", answer(200, {"id": one})), seen("stream", streamed))


def unasked(**more: Any) -> Exchange:
    case = case_of(CASES, "translation/detail-chat-claude-usage-unasked.stream")
    paid = replace(row("r", 5), input_tokens=5, output_tokens=7, cache_read_tokens=3)
    reading = AccountReading(before=balance(0), after=balance(5, replace(paid, **more)))
    return replace(exchange(case, hop({}, answer(200, data_frames({"choices": []}))), hop({}, answer(200, SAID))), account=reading)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, [mutant for mutant in MUTANTS if mutant not in MORE], "translation/")
    assert {mutant.requirement for mutant in MORE} <= {rule.requirement.id for rule in rules_of(suite_modules())}
    assert len({case.id for case in CASES}) == len(CASES)


RIGHT = [
    ("version-sent", versions("2023-06-01")),
    ("not-stored", asked(Dialect.OPENAI_RESPONSES, sent={"store": False})),
    ("created-in-seconds", made(NOW, NOW)),
    ("answer-ids-differ", both("chatcmpl-1", "chatcmpl-2")),
    ("billed-as-counted", unasked()),
    ("response-echoes", repeated(TOLD)),
    ("response-echoes", repeated(answer(200, data_frames({"response": {}}, {"response": TOLD})))),
    ("cut-item-incomplete", cut("incomplete")),
]


@pytest.mark.parametrize(("requirement", "right"), RIGHT)
def test_what_is_right_passes(requirement: str, right: Exchange) -> None:
    assert_all_pass([rule for rule in RULES if rule.requirement.id == f"translation/{requirement}"], right)


@pytest.mark.parametrize(
    ("requirement", "wrong"),
    [
        ("version-sent", versions()),
        ("version-sent", versions("2023-06-01", "2023-06-01")),
        ("not-stored", asked(Dialect.OPENAI_RESPONSES, sent={"store": True})),
        ("not-stored", asked(Dialect.OPENAI_RESPONSES)),
        ("created-in-seconds", made(NOW * 1000)),
        ("created-in-seconds", made(0)),
        ("answer-ids-differ", both("chatcmpl-1", "chatcmpl-1")),
        ("response-echoes", repeated({**TOLD, "temperature": 1.0})),
        ("response-echoes", repeated({**TOLD, "tools": []})),
        ("response-echoes", repeated({})),
        ("cut-item-incomplete", cut("completed")),
        ("billed-as-counted", unasked(estimated=True)),
        ("billed-as-counted", unasked(output_tokens=9)),
        ("billed-as-counted", unasked(cache_read_tokens=0)),
    ],
)
def test_what_is_wrong_fails(requirement: str, wrong: Exchange) -> None:
    rules = [rule for rule in RULES if rule.requirement.id == f"translation/{requirement}"]
    assert_fails(rules, wrong, f"translation/{requirement}")
