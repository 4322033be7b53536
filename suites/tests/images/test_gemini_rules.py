import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.case import Need
from harness.exchange import Exchange, Hop, StepSeen
from harness.recording.scenarios.images import png
from suites.images.edits import PICTURES
from suites.images.gemini import CASES, RULES
from suites.tests.steps import answer, assert_all_pass, assert_fails, assert_judges_nothing, case_of, exchange, row, seen, with_step

PRICE = 39_000
PATH = "/v1beta/models/up:generateContent"
WORDS = [{"text": "I would rather not."}]


def inline(image: bytes, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(image).decode()}, **more}


def call(parts: list[dict[str, Any]], **config: Any) -> Hop:
    """A call for an image, answered with these parts."""
    asked = {
        "contents": [{"role": "user", "parts": [{"text": "A lighthouse at dusk."}]}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "3:2"}, **config},
    }
    (hop,) = seen("s", answer(), vendor=[answer(200, {"candidates": [{"content": {"role": "model", "parts": parts}}]})]).upstream
    return replace(hop, request=replace(hop.request, target=PATH, body=json.dumps(asked).encode()))


def drawn(number: int) -> list[dict[str, Any]]:
    return [inline(png(number + 100), thought=True), inline(png(number))]


def asking(hop: Hop, part: dict[str, Any]) -> Hop:
    body = hop.request.json
    body["contents"][0]["parts"].append(part)
    return replace(hop, request=replace(hop.request, body=json.dumps(body).encode()))


def items(*images: bytes) -> list[dict[str, Any]]:
    return [{"b64_json": base64.b64encode(image).decode()} for image in images]


def made(name: str, data: Sequence[dict[str, Any]], *calls: Hop, **more: Any) -> StepSeen:
    return replace(seen(name, answer(200, {"created": 1, "data": list(data), **more}, x_request_id=f"r-{name}")), upstream=calls)


def refused(name: str, status: int) -> StepSeen:
    return seen(name, answer(status, {"error": {"message": "No.", "type": "t", "param": None, "code": "c"}}, x_request_id=f"r-{name}"))


def single(*calls: Hop) -> StepSeen:
    return made("single", items(png(1)), *(calls or [call(drawn(1))]))


def edit(part: dict[str, Any]) -> StepSeen:
    return made("edit", items(png(2)), asking(call(drawn(2)), part))


def right(**costs: int) -> Exchange:
    costs = {"single": PRICE, "several": 3 * PRICE, "some": PRICE, "link": PRICE, "edit": PRICE, **costs}
    return exchange(
        case_of(CASES, "images/gemini"),
        single(),
        made("several", items(png(3), png(1), png(2)), *(call(drawn(number)) for number in (1, 2, 3))),
        made("some", items(png(1)), call(drawn(1)), call(WORDS), errors=[{"code": "upstream_error"}]),
        made("link", [{"url": "http://gateway/1.png"}], call(drawn(3))),
        seen("fetched", answer(200, png(3), content_type="image/png")),
        edit(inline(PICTURES[0])),
        refused("prompt-blocked", 451),
        refused("image-blocked", 451),
        refused("failing", 502),
        rows=[row(f"r-{name}", cost) for name, cost in costs.items()],
    )


def test_images_by_gemini_as_they_should_be_pass() -> None:
    assert_all_pass(RULES, right())
    assert case_of(CASES, "images/gemini").needs == {Need.GEMINI_IMAGES}


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("images/gemini-asked", single(call(drawn(1), responseModalities=["TEXT"]))),
        ("images/gemini-asked", single(call(drawn(1), pictures=1))),
        ("images/gemini-asked", edit(inline(PICTURES[1]))),
        ("images/gemini-asked", edit({"text": "no picture"})),
        ("images/gemini-size", single(call(drawn(1), imageConfig={"aspectRatio": "1:1"}))),
        ("images/gemini-size", single(call(drawn(1), imageConfig={}))),
        ("images/gemini-delivered", made("single", items(png(101)), call(drawn(1)))),
        ("images/gemini-delivered", made("several", items(png(1), png(1), png(1)), *(call(drawn(number)) for number in (1, 2, 3)))),
        ("images/gemini-delivered", seen("fetched", answer(200, png(3), content_type="text/plain"))),
        ("images/gemini-delivered", seen("fetched", answer(200, png(4), content_type="image/png"))),
        ("images/gemini-blocked-451", refused("prompt-blocked", 400)),
        ("images/gemini-blocked-451", made("image-blocked", [])),
        ("images/gemini-words-are-no-image", made("some", items(png(1)))),
        ("images/gemini-words-are-no-image", made("some", items(png(1), png(1)), errors=[{"code": "upstream_error"}])),
    ],
)
def test_a_fault_is_found_by_its_own_check(requirement: str, step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


@pytest.mark.parametrize(
    ("requirement", "costs"),
    [
        ("images/gemini-billed", {"several": PRICE}),
        ("images/gemini-billed", {"edit": 0}),
        ("images/gemini-billed", {"image-blocked": 0}),
        ("images/gemini-words-are-no-image", {"some": 2 * PRICE}),
    ],
)
def test_what_is_billed_wrong_is_found(requirement: str, costs: dict[str, int]) -> None:
    assert_fails(RULES, right(**costs), requirement)


def test_where_nothing_was_made_nothing_is_judged() -> None:
    of = right()
    assert_judges_nothing(RULES, replace(of, steps=tuple(seen(step.name) for step in of.steps)))
