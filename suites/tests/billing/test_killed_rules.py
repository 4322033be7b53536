import pytest

from harness.exchange import Exchange, StepSeen, StormCall
from harness.mutation.mutants.killed import MUTANTS
from suites.billing.killed import RULES
from suites.billing.killed_cases import CASES
from suites.tests import traffic
from suites.tests.steps import answer, assert_all_pass, assert_fails, assert_judges_nothing, case_of, exchange, row, seen, with_step

COST = 376
MONEY = {"available_usd": 0.9, "lifetime_topup_usd": 1.5, "lifetime_spent_usd": 0.6}


def call(act: str, status: int | None, request_id: str | None, *, whole: bool = True) -> StormCall:
    return StormCall(act=act, node=0, status=status, whole=whole, request_id=request_id)


CALLS = (
    call("whole", 200, "r1"),
    call("stream", 200, "r2", whole=False),
    call("refused", 503, "r3"),
    call("cut", 200, "r4", whole=False),
    call("stream", None, None, whole=False),
    *(call("poor-whole", 200, f"p{number}") for number in range(10)),
    *(call("poor-whole", 402, f"q{number}") for number in range(3)),
)
BILLED = ("r1", "r2", "lost", *(f"p{number}" for number in range(10)))


def storm(*more: StormCall, kills: tuple[int, ...] = (7,)) -> StepSeen:
    return StepSeen(name="storm", storm=(*CALLS, *more), kills=kills)


def killed(*more: str, seen_storm: StepSeen | None = None, spent: int | None = None) -> Exchange:
    made = [seen(name, answer(201, {"id": "key_1", "key": "[made-key]"})) for name in ("made", "small")]
    account = seen("account", answer(200, {"balance": MONEY}))
    rows = [row(name, COST) for name in (*BILLED, *more)]
    ended = [seen(name, answer()) for name in ("unmade", "unsmall")]
    return exchange(case_of(CASES, "billing/killed"), *made, seen_storm or storm(), account, *ended, rows=rows, spent=spent)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "billing/")


def test_what_a_kill_cut_off_may_be_billed_or_not() -> None:
    assert_all_pass(RULES, killed())


def test_without_a_kill_nothing_is_judged() -> None:
    assert_judges_nothing(RULES, killed(seen_storm=storm(kills=())))
    assert_judges_nothing(RULES, killed(seen_storm=StepSeen(name="storm", unsent="it cannot be killed")))


def test_rows_that_are_not_what_the_wallet_lost_are_found() -> None:
    assert_fails(RULES, killed(spent=len(BILLED) * COST + 1), "billing/killed-books-agree")


@pytest.mark.parametrize("wrong", [{"available_usd": 0.89}, {"available_usd": -0.1, "lifetime_spent_usd": 1.6}])
def test_what_stays_held_and_a_debt_are_found(wrong: dict[str, float]) -> None:
    account = seen("account", answer(200, {"balance": {**MONEY, **wrong}}))
    assert_fails(RULES, with_step(killed(), account), "billing/killed-holds-return")


@pytest.mark.parametrize("row_id", ["r3", "r4", "r5"])
def test_rows_of_what_was_refused_and_of_more_than_was_asked_are_found(row_id: str) -> None:
    assert_fails(RULES, killed(row_id), "billing/killed-bills-once")


def test_a_quota_that_was_forgotten_is_found() -> None:
    more = (call("poor-whole", 200, "p10"), call("poor-whole", 200, "p11"))
    assert_fails(RULES, killed("p10", seen_storm=storm(*more)), "billing/killed-within-quota")
