from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.exchange import AccountReading, Exchange, StepSeen
from suites.billing.ledger import RULES
from suites.billing.ledger_cases import CASES
from suites.tests.steps import BEFORE, answer, assert_all_pass, assert_fails, balance, case_of, exchange, row, seen, with_step

COST = 376
LEFT = {"x_quota_remaining_credits": "0.999624", "x_ratelimit_remaining": "0.99"}
MONEY = {"available_usd": 0.9, "lifetime_topup_usd": 1.5, "lifetime_spent_usd": 0.6}
ROW = {"request_id": "r1", "model": "m", "input_tokens": 1, "output_tokens": 1, "cache_read_tokens": 0, "cost_usd": "0.000376"}
BUCKET = {"api_key": "key_1", "total_usd": 0.000376, "call_count": 1, "input_tokens": 1, "output_tokens": 1}
MOVE = {"kind": "topup", "amount_usd": 1.5, "balance_after_usd": 1.5, "created_at": "2026-07-01T00:00:00Z"}


def paid(name: str, request_id: str, **more: str) -> StepSeen:
    return seen(name, answer(200, {}, x_request_id=request_id, **more), vendor=[answer()])


def twice() -> Exchange:
    rows = [row("r1", COST), row("r2", COST), row("r3", COST)]
    steps = (paid("whole", "r1"), paid("stream", "r2"), paid("again", "r3"))
    return exchange(case_of(CASES, "billing/twice"), *steps, rows=rows)


def held() -> Exchange:
    step = replace(paid("open", "r1"), books=balance(32_000))
    return exchange(case_of(CASES, "billing/held"), step, rows=[row("r1", COST)])


def retried() -> Exchange:
    return exchange(case_of(CASES, "billing/retried"), seen("failed", answer(503)), paid("retried", "r1"), rows=[row("r1", COST)])


def failover() -> Exchange:
    step = seen("call", answer(200, {}, x_request_id="r1"), vendor=[answer(503), answer()])
    return exchange(case_of(CASES, "billing/failover"), step, rows=[row("r1", COST)])


def told_twice() -> Exchange:
    return exchange(case_of(CASES, "billing/told-twice"), paid("call", "r1"), rows=[row("r1", 888)])


def cache_alike() -> Exchange:
    steps = (paid("read-messages", "r1"), paid("read-chat", "r2"), paid("write-messages", "r3"), paid("write-chat", "r4"))
    rows = [row(name, cost, cache_read_tokens=100) for name, cost in (("r1", 80), ("r2", 80), ("r3", 500), ("r4", 500))]
    return exchange(case_of(CASES, "billing/cache-alike"), *steps, rows=rows)


def left() -> Exchange:
    steps = (paid("soon", "r1"), paid("later", "r2"), paid("late", "r3"))
    of = exchange(case_of(CASES, "billing/left"), *steps, rows=[row("r1", 80), row("r2", 500), row("r3", 500)])
    assert of.account is not None
    return replace(of, account=replace(of.account, prices={"input_per_1m": 1_000_000, "output_per_1m": 8_000_000}))


def documents() -> Exchange:
    listed = {
        "models": {"data": []},
        "account": {"balance": MONEY},
        "balance": {"balance": MONEY},
        "buckets": {"data": [BUCKET]},
        "row": {"data": [ROW]},
        "moved": {"data": [MOVE]},
        "priced": {"data": []},
        "groups": {"data": []},
        "reach": {"data": []},
    }
    return exchange(
        case_of(CASES, "billing/documents"),
        seen("made", answer(201, {"id": "key_1", "key": "[made-key]"})),
        replace(paid("paid", "r1", **LEFT), books=balance(COST, row("r1", COST))),
        seen("failed", answer(503)),
        *(seen(name, answer(200, document, **LEFT)) for name, document in listed.items()),
        seen("unmade", answer()),
        rows=[row("r1", COST)],
    )


@pytest.mark.parametrize("right", [twice, held, retried, failover, told_twice, cache_alike, left, documents])
def test_books_that_are_right_pass(right: Callable[[], Exchange]) -> None:
    assert_all_pass(RULES, right())


WRONG = (
    ("billing/hold-visible", held, replace(paid("open", "r1"), books=balance(0))),
    ("billing/fails-over", failover, seen("call", answer(503), vendor=[answer(503)])),
    ("billing/ledger-identity", documents, seen("account", answer(200, {"balance": {**MONEY, "lifetime_spent_usd": 0.5}}, **LEFT))),
    ("billing/balance-is-the-account", documents, seen("balance", answer(200, {"balance": {"available_usd": 0.8}}, **LEFT))),
    ("billing/row-by-request-id", documents, seen("row", answer(200, {"data": [ROW, {**ROW, "request_id": "r2"}]}, **LEFT))),
    ("billing/row-complete", documents, seen("row", answer(200, {"data": [{**ROW, "model": None}]}, **LEFT))),
    ("billing/usage-by-key", documents, seen("buckets", answer(200, {"data": [{**BUCKET, "call_count": 2}]}, **LEFT))),
    ("billing/usage-by-key", documents, seen("buckets", answer(200, {"data": [{**BUCKET, "api_key": "key_9"}]}, **LEFT))),
    ("billing/transactions-are-no-usage", documents, seen("moved", answer(200, {"data": [{**MOVE, "kind": "usage"}]}, **LEFT))),
    ("billing/documents-are-free", documents, seen("groups", answer(200, {"data": []}, x_quota_remaining_credits="0.99"))),
)


def test_a_cache_that_costs_more_over_another_protocol_is_found() -> None:
    of = cache_alike()
    rows = [row(name, cost, cache_read_tokens=100) for name, cost in (("r1", 80), ("r2", 81), ("r3", 500), ("r4", 500))]
    assert_fails(RULES, exchange(of.case, *of.steps, rows=rows), "billing/cache-costs-alike")


@pytest.mark.parametrize(("requirement", "right", "step"), WRONG)
def test_a_step_that_is_wrong_is_found(requirement: str, right: Callable[[], Exchange], step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


@pytest.mark.parametrize(
    ("requirement", "right", "costs"),
    [
        ("billing/stream-costs-as-whole", twice, (COST, COST + 1, COST)),
        ("billing/retry-after-success-bills-again", twice, (COST, COST)),
        ("billing/retry-after-failure-bills-once", retried, (COST, 0)),
        ("billing/failover-bills-once", failover, (COST, COST)),
        ("billing/end-told-twice-bills-once", told_twice, (888, 888)),
        ("billing/hang-up-costs-grow", left, (500, 80, 500)),
        ("billing/hang-up-costs-grow", left, (80, 500, 30_000)),
    ],
)
def test_rows_that_are_wrong_are_found(requirement: str, right: Callable[[], Exchange], costs: tuple[int, ...]) -> None:
    of = right()
    rows = tuple(row(f"r{number}", cost) for number, cost in enumerate(costs, 1))
    account = AccountReading(before=balance(0), after=balance(sum(costs), *rows), prices=of.account.prices if of.account else {})
    assert account.after.available_micro_usd == BEFORE - sum(costs)
    assert_fails(RULES, replace(of, account=account), requirement)
