"""Exchanges of several steps put together by hand: what each step was answered with, and what the books then said."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.case import Case, Route
from harness.exchange import AccountReading, Balance, End, Exchange, Hop, Read, Request, Response, StepSeen, UsageRow
from harness.requirement import Rule
from harness.verdict import Failed, Inconclusive, Passed, Verdict

BEFORE = 1_000_000
NOW = 1_780_000_000
NOTHING = Request(method="POST", target="/", headers=(), body=b"{}")


def answer(status: int = 200, body: Any = None, **headers: str) -> Response:
    """`body` is bytes, or a JSON value. A header's name is written with _ for -."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/event-stream" if data.startswith((b"data:", b"event:")) else "application/json"
    named = {"content-type": kind, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return Response(status=status, headers=tuple(named.items()), reads=(Read(at_ms=0, data=data),), end=End.EOF)


def seen(
    name: str,
    *answers: Response,
    vendor: Sequence[Response] = (),
    asked: dict[str, Any] | None = None,
    books: Balance | None = None,
    unsent: str | None = None,
) -> StepSeen:
    request = replace(NOTHING, body=json.dumps(asked or {}).encode())
    return StepSeen(
        name=name,
        calls=tuple(Hop(request=request, response=each) for each in answers),
        upstream=tuple(Hop(request=NOTHING, response=each) for each in vendor),
        books=books,
        at_s=NOW,
        unsent=unsent,
    )


def row(request_id: str, cost: int, **more: Any) -> UsageRow:
    return UsageRow(request_id=request_id, model="m", cost_micro_usd=cost, input_tokens=1, output_tokens=1, **more)


def balance(spent: int, *rows: UsageRow) -> Balance:
    return Balance(available_micro_usd=BEFORE - spent, rows=rows)


def exchange(case: Case, *steps: StepSeen, rows: Sequence[UsageRow] = (), spent: int | None = None) -> Exchange:
    """`spent` is what the rows cost unless said."""
    total = sum(each.cost_micro_usd for each in rows) if spent is None else spent
    return Exchange(
        id=f"{case.id}-m",
        case=case,
        model="m",
        route=Route.NATIVE,
        marker="",
        client=Hop(request=NOTHING, response=None),
        account=AccountReading(before=balance(0), after=balance(total, *rows)),
        steps=steps,
    )


def with_step(of: Exchange, changed: StepSeen) -> Exchange:
    return replace(of, steps=tuple(changed if step.name == changed.name else step for step in of.steps))


def case_of(cases: Sequence[Case], case_id: str) -> Case:
    return next(case for case in cases if case.id == case_id)


def verdicts(rules: Sequence[Rule], of: Exchange) -> dict[str, Verdict]:
    """Of the rules that hold for the case."""
    return {rule.requirement.id: rule.check(of) for rule in rules if rule.given.holds(of.case)}


def assert_all_pass(rules: Sequence[Rule], of: Exchange) -> None:
    found = verdicts(rules, of)
    assert found
    assert {name: verdict for name, verdict in found.items() if not isinstance(verdict, Passed)} == {}


def assert_fails(rules: Sequence[Rule], of: Exchange, requirement: str) -> None:
    """That requirement and no other; the rest passes or has nothing to judge."""
    found = verdicts(rules, of)
    assert [name for name, verdict in found.items() if isinstance(verdict, Failed)] == [requirement]
    assert all(isinstance(verdict, Passed | Failed | Inconclusive) for verdict in found.values())


def assert_judges_nothing(rules: Sequence[Rule], of: Exchange) -> None:
    """Where the first step got no answer or was not sent, nothing is blamed on what hangs on it."""
    assert not any(isinstance(verdict, Passed) for verdict in verdicts(rules, of).values())
