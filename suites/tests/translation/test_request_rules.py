from dataclasses import replace

import pytest

from harness.case import Route
from harness.exchange import Exchange, Headers, Hop, Request
from harness.requirement import Rule
from harness.verdict import Failed, Passed
from suites.tests.steps import answer, case_of
from suites.translation.request_cases import CASES
from suites.translation.request_rules import RULES


def rule(name: str) -> Rule:
    return next(rule for rule in RULES if rule.requirement.id == f"translation/{name}")


def accepting(*headers: tuple[str, str]) -> Exchange:
    case = case_of(CASES, "translation/chat-anthropic/asked-much")
    sent = Request(method="POST", target="/v1/messages", headers=headers, body=b"{}")
    hop = Hop(request=sent, response=answer(200, {}))
    client = Hop(request=replace(sent, target="/v1/chat/completions", headers=()), response=answer(200, {}))
    return Exchange(id=case.id, case=case, model="m", route=Route.TRANSLATED, marker="mark", client=client, upstream=(hop,))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("accept", "application/json"),),
        (("Accept", "text/event-stream, application/json;q=0.5"),),
        (("accept", "text/event-stream"), ("accept", "*/*")),
    ],
)
def test_an_accept_that_admits_json_passes(headers: Headers) -> None:
    assert isinstance(rule("request-accept").check(accepting(*headers)), Passed)


@pytest.mark.parametrize("accept", ["text/event-stream", "text/event-stream, application/json; q=0", "text/*"])
def test_an_accept_without_json_fails(accept: str) -> None:
    assert isinstance(rule("request-accept").check(accepting(("accept", accept))), Failed)
