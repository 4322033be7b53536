import base64
from dataclasses import replace
from typing import Any

import pytest

from harness.exchange import Exchange, Hop, StepSeen
from harness.recording.scenarios.images import png
from suites.images.cases import CASES as MADE_CASES
from suites.images.edits import BOUNDARY, CASES, MASK, PICTURES, RULES, form
from suites.tests.steps import answer, assert_all_pass, assert_fails, case_of, exchange, row, seen, with_step

PRICE = 42_000
TWO = (("image[]", PICTURES[0]), ("image[]", PICTURES[1]), ("mask", MASK))
PROMPT = {"prompt": "The same with a red roof."}


def items(count: int) -> list[dict[str, Any]]:
    return [{"b64_json": base64.b64encode(png(number)).decode()} for number in range(count)]


def edited(name: str, count: int, sent: bytes, data: list[dict[str, Any]] | None = None) -> StepSeen:
    body = {"created": 1, "data": items(count) if data is None else data}
    found = seen(name, answer(200, body, x_request_id=f"r-{name}"), vendor=[answer(200, {"created": 1, "data": items(count)})])
    (hop,) = found.upstream
    return replace(found, upstream=(asking(hop, sent),))


def asking(hop: Hop, body: bytes) -> Hop:
    headers = (("content-type", f"multipart/form-data; boundary={BOUNDARY}"),)
    return replace(hop, request=replace(hop.request, body=body, headers=headers))


def right() -> Exchange:
    return exchange(
        case_of(CASES, "images/edited"),
        edited("edit", 1, form(PROMPT, TWO)),
        edited("edit-partial", 2, form(PROMPT, TWO[:1])),
        edited("edit-link", 1, form(PROMPT, TWO[:1]), [{"url": "http://gateway/1.png"}]),
        seen("edit-nothing", answer(400, {"error": {"message": "No.", "type": "t", "param": "image", "code": "c"}})),
        rows=[row("r-edit", PRICE), row("r-edit-partial", 2 * PRICE), row("r-edit-link", PRICE)],
    )


def test_edits_as_they_should_be_pass() -> None:
    assert_all_pass(RULES, right())
    assert {case.id for case in CASES} & {case.id for case in MADE_CASES} == set()


def test_a_vendor_without_forms_has_the_pictures_in_base64() -> None:
    urls = ",".join(f'"data:image/png;base64,{base64.b64encode(picture).decode()}"' for picture in (*PICTURES, MASK))
    body = f'{{"prompt": "a red roof", "image": [{urls}]}}'.encode()
    assert_all_pass(RULES, with_step(right(), edited("edit", 1, body)))


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("images/edit-forwarded", edited("edit", 1, form(PROMPT, TWO[:2]))),
        ("images/edit-forwarded", edited("edit", 1, form({}, TWO))),
        ("images/edit-delivered", edited("edit", 1, form(PROMPT, TWO), [{"b64_json": base64.b64encode(png(9)).decode()}])),
        ("images/edit-delivered", edited("edit-link", 1, form(PROMPT, TWO[:1]))),
        ("images/edit-billed-by-the-image", edited("edit-partial", 3, form(PROMPT, TWO[:1]))),
        ("images/edit-needs-a-picture", seen("edit-nothing", answer(200, {"created": 1, "data": items(1)}))),
    ],
)
def test_a_fault_is_found_by_its_own_check(requirement: str, step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)
