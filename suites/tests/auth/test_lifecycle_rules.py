from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.exchange import Exchange, Response, StepSeen
from suites.auth.lifecycle import RULES
from suites.auth.lifecycle_cases import BAD_FIELDS, CASES, FIELDS
from suites.tests.steps import answer, assert_all_pass, assert_fails, balance, case_of, exchange, row, seen, with_step

SECRET = "[made-key.....]"
SHOWN = {"id": "key_1", "key": "sk-byts-...****1234", **FIELDS}
MADE = answer(201, {**SHOWN, "key": SECRET})
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
CUT = b'data: {"choices":[],"error":{"message":"The key was deleted.","type":"authentication_error","code":"invalid_api_key"}}\n\n'
DONE = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def refused(status: int, kind: str, code: str, param: str | None = None) -> Response:
    return answer(status, {"error": {"message": "No.", "type": kind, "param": param, "code": code}})


BAD = refused(401, "invalid_request_error", "invalid_api_key")
NO_KEY = refused(404, "invalid_request_error", "key_not_found")
FORBIDDEN = refused(403, "permission_denied", "permission_denied")


def lifecycle() -> Exchange:
    return exchange(
        case_of(CASES, "keys/lifecycle"),
        seen("made", MADE),
        seen("list", answer(200, {"data": [SHOWN]})),
        seen("show", answer(200, SHOWN)),
        seen("reveal", refused(410, "invalid_request_error", "gone")),
        seen("works", answer()),
        seen("rotated", answer(200, {**SHOWN, "key": SECRET})),
        seen("old", BAD),
        seen("new", answer()),
        seen("unmade", answer()),
        seen("gone", BAD),
        seen("unknown", NO_KEY),
    )


def cut_off() -> Exchange:
    open_ = seen("open", replace(answer(200, CHUNK + CUT), end_ms=50), vendor=[answer(200, CHUNK)])
    return exchange(case_of(CASES, "keys/deleted-in-mid-stream"), seen("made", MADE), open_, seen("unmade", answer()))


def elsewhere() -> Exchange:
    return exchange(case_of(CASES, "keys/from-elsewhere"), seen("made", MADE), seen("call", FORBIDDEN), seen("unmade", answer()))


def bad_fields() -> Exchange:
    steps = (seen(name.replace("_", "-"), refused(400, "invalid_request_error", "invalid_param", name)) for name, _ in BAD_FIELDS)
    return exchange(case_of(CASES, "keys/bad-fields"), *steps)


def of_others() -> Exchange:
    return exchange(
        case_of(CASES, "keys/of-others"),
        seen("made", MADE),
        seen("show", NO_KEY),
        seen("delete", NO_KEY),
        seen("list", answer(200, {"data": []})),
        seen("works", answer()),
        seen("unmade", answer()),
    )


@pytest.mark.parametrize("right", [lifecycle, cut_off, elsewhere, bad_fields, of_others])
def test_a_life_as_it_should_be_passes(right: Callable[[], Exchange]) -> None:
    assert_all_pass(RULES, right())


WRONG: tuple[tuple[str, Callable[[], Exchange], StepSeen], ...] = (
    ("auth/key-made", lifecycle, seen("made", answer(201, {**SHOWN, "key": SECRET, "quota": 0}))),
    ("auth/key-shown-once", lifecycle, seen("show", answer(200, {**SHOWN, "secret": SECRET}))),
    ("auth/key-masked", lifecycle, seen("show", answer(200, {"id": "key_1"}))),
    ("auth/key-not-revealed", lifecycle, seen("reveal", answer(200, {"key": "soon"}))),
    ("auth/rotated-key-is-dead", lifecycle, seen("old", answer(), vendor=[answer()])),
    ("auth/deleted-key-is-dead", lifecycle, seen("gone", answer(), vendor=[answer()])),
    ("auth/deleted-key-is-dead", lifecycle, seen("unknown", answer(200, SHOWN))),
    ("auth/deleted-in-mid-stream", cut_off, seen("open", replace(answer(200, CHUNK + DONE), end_ms=50), vendor=[answer(200, CHUNK)])),
    ("auth/ip-list-403", elsewhere, seen("call", answer(), vendor=[answer()])),
    ("auth/bad-field-named", bad_fields, seen("quota", refused(400, "invalid_request_error", "invalid_param"))),
    ("auth/keys-of-others", of_others, seen("show", FORBIDDEN)),
    ("auth/keys-of-others", of_others, seen("list", answer(200, {"data": [SHOWN]}))),
)


@pytest.mark.parametrize(("requirement", "right", "step"), WRONG)
def test_a_fault_is_found_by_its_own_check(requirement: str, right: Callable[[], Exchange], step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


def test_a_stream_that_was_cut_off_and_billed_is_found() -> None:
    of: Any = cut_off()
    assert_fails(RULES, replace(of, account=replace(of.account, after=balance(5, row("r1", 5)))), "auth/deleted-in-mid-stream-is-free")
