import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from harness.exchange import Exchange, SdkReading, StepSeen
from harness.mutation.mutants import media
from harness.mutation.mutants.images import MUTANTS
from harness.recording.scenarios.images import png
from suites.images.cases import CASES
from suites.images.edits import RULES as EDIT_RULES
from suites.images.gemini import RULES as GEMINI_RULES
from suites.images.made import RULES
from suites.images.vendors import RULES as VENDOR_RULES
from suites.tests import traffic
from suites.tests.steps import answer, assert_all_pass, assert_fails, case_of, exchange, row, seen, with_step

PRICE = 42_000


def items(count: int) -> list[dict[str, Any]]:
    return [{"b64_json": base64.b64encode(png(number)).decode()} for number in range(count)]


def made(name: str, count: int, data: list[dict[str, Any]] | None = None, **more: Any) -> StepSeen:
    body = {"created": 1, "data": items(count) if data is None else data, **more}
    return seen(name, answer(200, body, x_request_id=f"r-{name}"), vendor=[answer(200, {"created": 1, "data": items(count)})])


def refused(name: str, status: int, param: str | None = None) -> StepSeen:
    return seen(name, answer(status, {"error": {"message": "No.", "type": "t", "param": param, "code": "c"}}, x_request_id=f"r-{name}"))


def right() -> Exchange:
    return exchange(
        case_of(CASES, "images/made"),
        made("one", 1),
        made("three", 3),
        made("partial", 2, errors=[{"code": "upstream_error"}]),
        made("link", 1, [{"url": "http://gateway/1.png"}]),
        seen("fetched", answer(200, png(0), content_type="image/png")),
        seen("forged", answer(403, {})),
        refused("blocked", 451),
        refused("failed", 500),
        refused("too-many", 400, "n"),
        rows=[row("r-one", PRICE), row("r-three", 3 * PRICE), row("r-partial", 2 * PRICE), row("r-link", PRICE)],
    )


def test_ids_sources_and_mutants_are_well_kept() -> None:
    own = [mutant for mutant in media.MUTANTS if mutant.requirement.startswith("images/")]
    traffic.assert_well_kept((*RULES, *EDIT_RULES, *VENDOR_RULES, *GEMINI_RULES), (*MUTANTS, *own), "images/")


def test_images_as_they_should_be_pass() -> None:
    assert_all_pass(RULES, right())


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("images/shape", made("one", 1, created="soon")),
        ("images/delivered-as-asked", made("link", 1)),
        ("images/bytes-kept", made("one", 1, [{"b64_json": base64.b64encode(png(9)).decode()}])),
        ("images/link", seen("fetched", answer(200, png(0), content_type="text/plain"))),
        ("images/link", seen("fetched", answer(200, png(7), content_type="image/png"))),
        ("images/link-not-forged", seen("forged", answer(200, png(0), content_type="image/png"))),
        ("images/partial-declared", made("partial", 2)),
        ("images/blocked-451", refused("blocked", 400)),
        ("images/count-bounded", refused("too-many", 400)),
    ],
)
def test_a_fault_is_found_by_its_own_check(requirement: str, step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


@pytest.mark.parametrize(
    ("requirement", "extra"), [("images/billed-by-the-image", row("r-three", PRICE)), ("images/failure-is-free", row("r-blocked", 0))]
)
def test_rows_that_are_wrong_are_found(requirement: str, extra: Any) -> None:
    of = right()
    assert of.account is not None
    rows = {each.request_id: each for each in of.account.after.rows or ()} | {extra.request_id: extra}
    assert_fails(
        RULES,
        exchange(of.case, *of.steps, rows=list(rows.values())),
        requirement,
    )


def test_what_the_sdk_does_not_read_is_found() -> None:
    case = case_of(CASES, "images/sdk-openai")
    of = exchange(case)
    client = replace(of.client, response=answer(200, {"created": 1, "data": items(3)}))
    good = SdkReading(sdk="openai", call="images.generate", final=json.loads(json.dumps({"created": 1, "data": items(3)})))
    assert_all_pass(RULES, replace(of, client=client, sdk=good))
    assert_fails(RULES, replace(of, client=client, sdk=replace(good, final={"data": items(2)})), "images/sdk-reads")
