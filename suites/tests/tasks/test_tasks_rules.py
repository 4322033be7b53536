import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.exchange import Exchange, StepSeen
from harness.mutation.mutants import media
from harness.mutation.mutants.tasks import MUTANTS
from suites.tasks.cases import CASES
from suites.tasks.laws import RULES
from suites.tasks.videos import RULES as VIDEO_RULES
from suites.tests import traffic
from suites.tests.steps import answer, assert_all_pass, assert_fails, balance, case_of, exchange, row, seen, with_step

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OWN = "wp-wpm-0123456789"
PRICE = 42_000
DONE = {"task_id": ID, "out_task_id": OWN, "status": "completed", "output": [{"url": "u"}], "credits_used": "0.042"}
FAILED = {"task_id": ID, "status": "failed", "error_code": "upstream_error", "error_message": "No."}


def states(*names: str) -> StepSeen:
    body = b"".join(b"event: status\ndata: " + json.dumps({"status": name}).encode() + b"\n\n" for name in names)
    return seen("watch", answer(200, body))


def refused(name: str, status: int, code: str) -> StepSeen:
    return seen(name, answer(status, {"error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": code}}))


def submitted(name: str = "submit", held: int = PRICE, **more: Any) -> StepSeen:
    receipt = {"task_id": ID, "out_task_id": OWN, "status": "pending", **more}
    calls = [answer()] if name == "submit" else []
    return seen(name, answer(200, receipt), vendor=calls, asked={"out_task_id": OWN}, books=balance(held))


def completed() -> Exchange:
    return exchange(
        case_of(CASES, "tasks/completed"),
        seen("made", answer(201, {"id": "key_1"})),
        submitted(),
        submitted("again"),
        refused("other-params", 409, "duplicate_out_task_id"),
        states("pending", "running", "completed"),
        seen("by-id", answer(200, DONE)),
        seen("by-own-id", answer(200, DONE)),
        seen("too-late", answer(200, DONE)),
        refused("by-both", 400, "invalid_param"),
        refused("by-neither", 400, "invalid_param"),
        refused("by-another", 404, "task_not_found"),
        refused("unknown", 404, "task_not_found"),
        seen("unmade", answer()),
        rows=[row(ID, PRICE)],
    )


def asked() -> Exchange:
    calls = (submitted(), states("pending", "completed"), replace(seen("by-id", answer(200, DONE)), books=balance(PRICE, row(ID, PRICE))))
    again = (seen(name, answer(200, DONE)) for name in ("by-own-id", "again", "too-late"))
    return exchange(case_of(CASES, "tasks/asked"), *calls, *again, rows=[row(ID, PRICE)])


def cancelled() -> Exchange:
    ended = {"task_id": ID, "status": "cancelled"}
    steps = (seen("cancel", answer(200, ended)), states("cancelled"), seen("by-id", answer(200, ended)))
    return exchange(case_of(CASES, "tasks/cancelled"), submitted(), *steps)


def failed() -> Exchange:
    return exchange(case_of(CASES, "tasks/failed"), submitted(), states("pending", "running", "failed"), seen("by-id", answer(200, FAILED)))


def test_ids_sources_and_mutants_are_well_kept() -> None:
    own = [mutant for mutant in media.MUTANTS if mutant.requirement.startswith("tasks/")]
    traffic.assert_well_kept((*RULES, *VIDEO_RULES), (*MUTANTS, *own), "tasks/")


@pytest.mark.parametrize("right", [completed, asked, cancelled, failed])
def test_tasks_as_they_should_be_pass(right: Callable[[], Exchange]) -> None:
    assert_all_pass(RULES, right())


WRONG = (
    ("tasks/receipt", completed, submitted(status="queued")),
    ("tasks/lifecycle", completed, states("running", "pending", "completed")),
    ("tasks/lifecycle", completed, states("pending", "pending", "completed")),
    ("tasks/lifecycle", failed, states("pending", "running")),
    ("tasks/result", completed, seen("by-id", answer(200, {**DONE, "error_code": "none"}))),
    ("tasks/result", failed, seen("by-id", answer(200, {**FAILED, "error_message": None}))),
    ("tasks/found-by-either-id", completed, seen("by-both", answer(200, DONE))),
    ("tasks/duplicate-409", completed, seen("other-params", answer(200, DONE))),
    ("tasks/of-others-404", completed, refused("by-another", 403, "permission_denied")),
    ("tasks/ended-stays-as-it-is", completed, seen("too-late", answer(200, {**DONE, "status": "cancelled"}))),
    ("tasks/submitted-once", completed, submitted("again", task_id="01BX5ZZKBKACTAV9WEVGEMMVRZ")),
    ("tasks/submitted-once", completed, submitted("again", held=2 * PRICE)),
    ("tasks/cancel-returns-the-hold", cancelled, seen("by-id", answer(200, {"task_id": ID, "status": "running"}))),
    ("tasks/failed-is-free", failed, seen("by-id", answer(200, {"task_id": ID, "status": "running"}))),
)


@pytest.mark.parametrize(("requirement", "right", "step"), WRONG)
def test_a_fault_is_found_by_its_own_check(requirement: str, right: Callable[[], Exchange], step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


def test_what_is_not_held_or_billed_twice_is_found() -> None:
    unheld = with_step(with_step(completed(), submitted(held=0)), submitted("again", held=0))
    assert_fails(RULES, unheld, "tasks/held-until-it-ends")
    of = completed()
    twice = exchange(of.case, *of.steps, rows=[row(ID, PRICE), row("r2", PRICE)])
    assert_fails(RULES, twice, "tasks/billed-once")


def test_a_query_that_costs_something_is_found() -> None:
    of = asked()
    assert of.account is not None
    for after in (balance(PRICE + 1, row(ID, PRICE)), balance(PRICE, row(ID, PRICE), row("r2", 0))):
        assert_fails(RULES, replace(of, account=replace(of.account, after=after)), "tasks/asking-is-free")


@pytest.mark.parametrize(("requirement", "right"), [("tasks/cancel-returns-the-hold", cancelled), ("tasks/failed-is-free", failed)])
def test_what_came_to_nothing_costs_nothing(requirement: str, right: Callable[[], Exchange]) -> None:
    of = right()
    assert of.account is not None
    assert_fails(RULES, replace(of, account=replace(of.account, after=balance(PRICE, row(ID, PRICE)))), requirement)
