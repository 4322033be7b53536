import base64
from typing import Any

import pytest

from harness.case import Need
from harness.exchange import Exchange, StepSeen
from harness.recording.scenarios.images import png
from harness.verdict import Inconclusive
from suites.images.vendors import CASES, RULES, check_by_call
from suites.tests.steps import answer, assert_all_pass, assert_fails, case_of, exchange, row, seen, with_step

PRICE = 30_000


def made(name: str, count: int, **more: Any) -> StepSeen:
    data = [{"b64_json": base64.b64encode(png(number)).decode()} for number in range(count)]
    return seen(name, answer(200, {"created": 1, "data": data, **more}, x_request_id=f"r-{name}"))


def refused(name: str, status: int) -> StepSeen:
    return seen(name, answer(status, {"error": {"message": "No.", "type": "t", "param": None, "code": "c"}}, x_request_id=f"r-{name}"))


def right(**costs: int) -> Exchange:
    costs = {"single": PRICE, "several": 3 * PRICE, "some": PRICE, **costs}
    return exchange(
        case_of(CASES, "images/one-a-call"),
        made("single", 1),
        made("several", 3),
        made("some", 1, errors=[{"code": "upstream_error"}]),
        refused("none", 502),
        rows=[row(f"r-{name}", cost) for name, cost in costs.items()],
    )


def test_images_by_call_as_they_should_be_pass() -> None:
    assert_all_pass(RULES, right())


@pytest.mark.parametrize(
    "step", [made("several", 2), made("some", 1), made("some", 2), made("none", 0), refused("single", 500), refused("single", 404)]
)
def test_what_is_missing_is_found(step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), "images/one-a-call")


@pytest.mark.parametrize("costs", [{"some": 2 * PRICE}, {"several": PRICE}, {"none": PRICE}, {"single": 0}])
def test_what_is_billed_wrong_is_found(costs: dict[str, int]) -> None:
    assert_fails(RULES, right(**costs), "images/one-a-call")


def test_where_a_call_got_no_answer_nothing_is_judged() -> None:
    assert isinstance(check_by_call(with_step(right(), seen("several"))), Inconclusive)
    assert case_of(CASES, "images/one-a-call").needs == {Need.ARK_IMAGES}
