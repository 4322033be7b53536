from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.exchange import Exchange, Response, StepSeen
from harness.mutation.mutants.limits import MUTANTS
from suites.limits import surfaces
from suites.limits.cases import CASES, FAILURES
from suites.limits.spending import RULES
from suites.tests import traffic
from suites.tests.steps import (
    NOW,
    answer,
    assert_all_pass,
    assert_fails,
    assert_judges_nothing,
    balance,
    case_of,
    exchange,
    row,
    seen,
    with_step,
)

COST = 376
MADE = seen("made", answer(201, {"id": "key_1", "key": "[made-key]"}))
UNMADE = seen("unmade", answer())


def refusal(status: int, kind: str, code: str, message: str, **headers: str) -> Response:
    return answer(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, **headers)


def said(request_id: str = "", **headers: str) -> Response:
    return answer(200, {"id": "chatcmpl-1"}, x_request_id=request_id, **headers)


BROKE = refusal(402, "insufficient_quota", "quota_exceeded", "This key's quota has 0.001 USD left.")
SPENT = refusal(
    429,
    "rate_limit_error",
    "rate_limit_exceeded",
    "The 5h window of this key is exhausted.",
    x_ratelimit_reset=str(NOW + 60),
    retry_after="60",
    x_ratelimit_remaining="0.00",
    x_quota_remaining_credits="0.999624",
)
FULL = refusal(429, "rate_limit_error", "concurrency_limit", "1 request is under way, and 1 may be.")


def quota() -> Exchange:
    ok = [said(f"r{number}") for number in range(3)]
    burst = seen("burst", *ok, *[BROKE] * 9, vendor=[answer()] * 3)
    return exchange(case_of(CASES, "limits/quota"), MADE, burst, UNMADE, rows=[row(f"r{number}", COST) for number in range(3)])


def window() -> Exchange:
    books = balance(COST, row("r1", COST))
    left = {"x_ratelimit_remaining": "0.00", "x_quota_remaining_credits": "0.999624"}
    return exchange(
        case_of(CASES, "limits/window"),
        MADE,
        seen("first", said("r1", **left), vendor=[answer()], books=books),
        seen("second", SPENT, books=books),
        seen("raised", answer()),
        seen("after", said("r2"), vendor=[answer()]),
        UNMADE,
        rows=[row("r1", COST), row("r2", COST)],
    )


def shown() -> Exchange:
    def left(request_id: str, remaining: str) -> Response:
        return said(request_id, x_ratelimit_limit="0.50", x_ratelimit_remaining=remaining)

    steps = (seen("one", left("r1", "0.50")), seen("two", left("r2", "0.47")), seen("three", left("r3", "0.44")))
    rows = [row("r1", 28_840), row("r2", 28_840), row("r3", COST)]
    return exchange(case_of(CASES, "limits/shown"), MADE, *steps, UNMADE, rows=rows)


def apart() -> Exchange:
    left = {"x_quota_remaining_credits": "0.299624", "x_ratelimit_limit": "0.30", "x_ratelimit_remaining": "0.29"}
    return exchange(
        case_of(CASES, "limits/apart"),
        MADE,
        seen("later", answer(201, {"id": "key_2", "key": "[made-key]"})),
        seen("before", said("r1", **left)),
        seen("spent", said("r2")),
        seen("failed", answer(500)),
        seen("now", answer(200, {"data": []}, **left)),
        UNMADE,
        seen("unlater", answer()),
        rows=[row("r1", COST), row("r2", 28_840)],
    )


def later() -> Exchange:
    return exchange(
        case_of(CASES, "limits/later"),
        MADE,
        seen("one", said("r1")),
        seen("four-hours", answer()),
        seen("two", said("r2")),
        seen("too-much", SPENT),
        seen("five-hours", answer()),
        seen("now", answer(200, {"data": []}, x_ratelimit_limit="0.05", x_ratelimit_remaining="0.02")),
        seen("again", said("r3")),
        UNMADE,
        rows=[row("r1", 28_840), row("r2", 28_840), row("r3", COST)],
    )


def capped() -> Exchange:
    return exchange(case_of(CASES, "limits/open"), seen("open", said("r1")), seen("second", FULL), seen("after", said("r2")))


KEPT = {"x_quota_remaining_credits": "0.999624", "x_ratelimit_limit": "1.00", "x_ratelimit_remaining": "0.99"}


def failures() -> Exchange:
    return exchange(
        case_of(CASES, "limits/failures"),
        MADE,
        seen("paid", said("r1", **KEPT)),
        *(seen(name, answer(502, {}, x_request_id=name)) for name in FAILURES),
        seen("now", answer(200, {"data": []}, **KEPT)),
        UNMADE,
        rows=[row("r1", COST)],
    )


RIGHT = (quota, window, shown, apart, later, capped, failures)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept((*RULES, *surfaces.RULES), MUTANTS, "limits/")
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("right", RIGHT)
def test_what_keeps_the_limits_passes(right: Callable[[], Exchange]) -> None:
    assert_all_pass(RULES, right())


@pytest.mark.parametrize("right", RIGHT)
def test_where_no_key_could_be_made_nothing_is_judged(right: Callable[[], Exchange]) -> None:
    first, *rest = right().steps
    failed = replace(first, calls=(), unsent="no id")
    assert_judges_nothing(RULES, replace(right(), steps=(failed, *(replace(step, calls=(), unsent="no key") for step in rest))))


def _without(response: Response, name: str) -> Response:
    return replace(response, headers=tuple(pair for pair in response.headers if pair[0] != name))


def _with(response: Response, **headers: str) -> Response:
    named = {**dict(response.headers), **{name.replace("_", "-"): text for name, text in headers.items()}}
    return replace(response, headers=tuple(named.items()))


WRONG: tuple[tuple[str, Callable[[], Exchange], StepSeen], ...] = (
    ("limits/no-overspend", quota, seen("burst", *[said(f"r{number % 3}") for number in range(12)], vendor=[answer()] * 3)),
    ("limits/quota-402", quota, seen("burst", said("r0"), answer(500, {}), vendor=[answer()])),
    ("limits/no-call-before-funds", quota, seen("burst", said("r0"), *[BROKE] * 11, vendor=[answer()] * 2)),
    ("limits/window-429", window, seen("second", replace(SPENT, status=503), books=balance(COST, row("r1", COST)))),
    ("limits/429-says-when", window, seen("second", _without(SPENT, "retry-after"), books=balance(COST, row("r1", COST)))),
    ("limits/429-says-when", window, seen("second", _with(SPENT, x_ratelimit_reset=str(NOW)), books=balance(COST, row("r1", COST)))),
    ("limits/429-consumes-nothing", window, seen("second", SPENT, books=balance(COST + 1, row("r1", COST)))),
    ("limits/raised-cap-works", window, seen("after", SPENT)),
    ("limits/window-arithmetic", shown, seen("three", said("r3", x_ratelimit_limit="0.50", x_ratelimit_remaining="0.45"))),
    ("limits/window-arithmetic", shown, seen("one", said("r1", x_ratelimit_limit="0.50", x_ratelimit_remaining="0.46"))),
    ("limits/tightest-window-shown", shown, seen("three", said("r3", x_ratelimit_limit="0.53", x_ratelimit_remaining="0.47"))),
    ("limits/keys-are-apart", apart, seen("now", answer(200, {"data": []}, x_quota_remaining_credits="0.270000"))),
    (
        "limits/windows-roll",
        later,
        seen("now", answer(200, {"data": []}, x_ratelimit_limit="0.05", x_ratelimit_remaining="0.05")),
    ),
    ("limits/windows-roll", later, seen("again", SPENT)),
    ("limits/failure-moves-nothing", failures, seen("now", answer(200, {"data": []}, **{**KEPT, "x_ratelimit_remaining": "0.98"}))),
    ("limits/failure-moves-nothing", failures, seen("html", answer(502, {}, x_request_id="r1"))),
    ("limits/concurrency-429", capped, seen("second", _with(FULL, x_ratelimit_reset="1"))),
    ("limits/concurrency-freed", capped, seen("after", FULL)),
)


@pytest.mark.parametrize(("requirement", "right", "step"), WRONG)
def test_each_fault_is_found_by_its_own_check(requirement: str, right: Callable[[], Exchange], step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


def test_a_quota_that_looks_spent_while_a_window_is_is_found() -> None:
    books = balance(COST, row("r1", COST))
    left = {"x_ratelimit_remaining": "0.00", "x_quota_remaining_credits": "0.50"}
    right = with_step(window(), seen("first", said("r1", **left), vendor=[answer()], books=books))
    wrong = with_step(right, seen("second", _with(SPENT, x_quota_remaining_credits="0.50"), books=books))
    assert_fails(RULES, wrong, "limits/caps-are-apart")


def everywhere(**answers: StepSeen) -> Exchange:
    refused = {name: seen(name, BROKE) for name in ("chat", "responses", "messages", "gemini")}
    return exchange(surfaces.CASES[0], MADE, *(refused | answers).values(), UNMADE)


def test_a_quota_holds_on_every_surface() -> None:
    assert_all_pass(surfaces.RULES, everywhere())
    assert_fails(surfaces.RULES, everywhere(messages=seen("messages", said("r1"))), "limits/every-surface")
    assert_fails(surfaces.RULES, everywhere(gemini=seen("gemini", BROKE, vendor=[answer()])), "limits/every-surface")
    assert_judges_nothing(surfaces.RULES, everywhere(chat=seen("chat", unsent="no key")))
