from dataclasses import replace

import pytest

from harness.exchange import Exchange, Response, StepSeen
from suites.errors.paths import CASES, RULES, family_of_step
from suites.tests.steps import answer, assert_all_pass, assert_fails, exchange, seen, with_step

STATUS = {"get-chat": 405, "get-messages": 405, "delete-models": 405, "too-large": 413}


def refusal(name: str, status: int | None = None, **headers: str) -> Response:
    error = {"message": "No.", "type": "not_found_error", "param": None, "code": "not_found"}
    bodies = {
        "openai": {"error": error},
        "anthropic": {"type": "error", "error": error},
        "google": {"error": {"code": 404, "message": "No.", "status": "NOT_FOUND"}},
    }
    body = bodies[family_of_step(name)]
    given = {"x_request_id": f"req_{name}", "allow": "POST", **headers}
    return answer(STATUS.get(name, 404) if status is None else status, body, **given)


def right() -> Exchange:
    (case,) = CASES
    return exchange(case, *(seen(step.name, refusal(step.name)) for step in case.steps))


def test_refusals_as_they_should_be_pass() -> None:
    assert_all_pass(RULES, right())


def without_allow() -> StepSeen:
    response = refusal("get-chat")
    return seen("get-chat", replace(response, headers=tuple(pair for pair in response.headers if pair[0] != "allow")))


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("errors/not-exposed", seen("files", answer(200, b"<!doctype html>", x_request_id="req_1"))),
        ("errors/not-exposed", seen("embeddings", answer(404, b"not found", x_request_id="req_1"))),
        ("errors/wrong-method", seen("get-chat", refusal("get-chat", 404))),
        ("errors/wrong-method", without_allow()),
        ("errors/too-large", seen("too-large", refusal("too-large", 400))),
        ("errors/request-ids-differ", seen("rerank", refusal("rerank", x_request_id="req_files"))),
        ("errors/request-ids-differ", seen("rerank", refusal("rerank", x_request_id=""))),
    ],
)
def test_a_fault_is_found_by_its_own_check(requirement: str, step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)
