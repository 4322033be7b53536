"""What is seldom used: its mutants break requirements that there are, and its own two are made up here."""

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.case import Case, Dialect, Fault, FaultKind, Outcome, Play, Route, Surface
from harness.exchange import Exchange, Hop, Request, Response
from harness.mutation.mutants.translation_seldom import MORE, MUTANTS
from harness.plan import rules_of, suite_modules
from harness.requirement import Rule
from suites.tests.steps import answer, assert_all_pass, assert_fails, case_of
from suites.tests.traffic import data_frames, named_frames
from suites.translation import answers, request_rules
from suites.translation.seldom_cases import CASES

SAID: dict[str, Any] = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Well."}, "finish_reason": "stop"}]}
REFUSED: dict[str, Any] = {"error": {"message": "no", "type": "invalid_request_error", "param": "temperature", "code": None}}
WORDS = "messages: too many of them"
NATIVE: dict[str, Any] = {"type": "error", "error": {"type": "invalid_request_error", "message": WORDS}}


def test_mutants_break_requirements_that_there_are() -> None:
    known = {rule.requirement.id for rule in rules_of(suite_modules())}
    assert {mutant.requirement for mutant in MUTANTS} <= known
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS) > len(MORE)
    assert len({case.id for case in CASES}) == len(CASES)


def test_every_case_has_a_mutant_or_stands_beside_one() -> None:
    names = {case.id.rpartition("/")[2] for case in CASES}
    assert {name for name in names if not any(mutant.where and any(map(mutant.where, _named(name))) for mutant in MUTANTS)} == set()


def _named(name: str) -> list[Case]:
    return [case for case in CASES if case.id.endswith(f"/{name}")]


def rule(of: tuple[Rule, ...], name: str) -> list[Rule]:
    return [rule for rule in of if rule.requirement.id == f"translation/{name}"]


def hot(told: Response, *sent: float) -> Exchange:
    """A chat client asks Claude for a temperature of 1.5."""
    case = case_of(CASES, "translation/chat-anthropic/seldom-hot")
    asked = {"messages": [{"role": "user", "content": "Go wild."}], "temperature": 1.5}
    bodies = [{"max_tokens": 4096, "messages": asked["messages"], "temperature": each} for each in sent]
    up = tuple(
        Hop(request=Request(method="POST", target="/v1/messages", headers=(), body=json.dumps(body).encode()), response=None)
        for body in bodies
    )
    client = Hop(request=Request(method="POST", target="/v1/chat/completions", headers=(), body=json.dumps(asked).encode()), response=told)
    promises = {"losses": {"warning_header": "x-losses"}}
    return Exchange(id=case.id, case=case, model="m", route=Route.TRANSLATED, marker="", client=client, upstream=up, promises=promises)


WARNED = replace(answer(200, SAID), headers=(("x-losses", "temperature (at most 1)"),))


@pytest.mark.parametrize("right", [hot(answer(400, REFUSED)), hot(WARNED, 1.0), hot(answer(200, SAID), 1.5)])
def test_what_cannot_be_said_is_refused_or_told(right: Exchange) -> None:
    assert_all_pass(rule(request_rules.RULES, "unsayable-told"), right)


@pytest.mark.parametrize("wrong", [hot(answer(400, REFUSED), 1.0), hot(answer(200, SAID), 1.0)])
def test_what_is_changed_unseen_is_found(wrong: Exchange) -> None:
    assert_fails(rule(request_rules.RULES, "unsayable-told"), wrong, "translation/unsayable-told")


def broken(sent: Response, told: Response) -> Exchange:
    """Claude has something against what a chat client asked."""
    play = Play(recording="made", fault=Fault(kind=FaultKind.STATUS, status=400))
    case = Case(
        id="made",
        surface=Surface.CHAT,
        upstream=Dialect.ANTHROPIC,
        play=play,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error-class"}),
    )
    asked = Request(method="POST", target="/v1", headers=(), body=b"{}")
    return Exchange(
        id="made",
        case=case,
        model="m",
        route=Route.TRANSLATED,
        marker="",
        client=Hop(request=asked, response=told),
        upstream=(Hop(request=asked, response=sent),),
    )


def chat_error(words: str) -> dict[str, Any]:
    return {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}


IN_STREAM = answer(200, named_frames(NATIVE))


@pytest.mark.parametrize(
    "right",
    [
        broken(answer(400, NATIVE), answer(400, chat_error(f"The upstream says: {WORDS}"))),
        broken(IN_STREAM, answer(200, data_frames({"choices": [], **chat_error(WORDS)}, "[DONE]"))),
    ],
)
def test_the_cause_is_told(right: Exchange) -> None:
    assert_all_pass(rule(answers.RULES, "cause-told"), right)


@pytest.mark.parametrize(
    "wrong",
    [
        broken(answer(400, NATIVE), answer(400, chat_error("Bad request."))),
        broken(answer(400, NATIVE), answer(400, {})),
        broken(IN_STREAM, answer(200, data_frames({"choices": [], **chat_error("Bad request.")}, "[DONE]"))),
        broken(IN_STREAM, answer(200, data_frames({"choices": []}, "[DONE]"))),
    ],
)
def test_a_cause_that_is_kept_back_is_found(wrong: Exchange) -> None:
    assert_fails(rule(answers.RULES, "cause-told"), wrong, "translation/cause-told")
