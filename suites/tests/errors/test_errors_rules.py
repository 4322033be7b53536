import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from harness.case import Case, Fault, FaultKind, Outcome, Play, Surface
from harness.exchange import End, Exchange, Read, Request, Response
from harness.mutation.mutant import Mutant
from harness.mutation.mutants.errors import MUTANTS
from harness.requirement import Rule
from harness.verdict import Failed, Passed
from suites.errors import broken, envelope, paths, reading, sdk
from suites.errors.cases import CASES
from suites.surfaces import TEXT
from suites.tests import traffic

RULES: tuple[Rule, ...] = (*envelope.RULES, *broken.RULES, *sdk.RULES, *paths.RULES)
OFFLINE = {"errors-own-envelope", "errors-another-type", "errors-google-code-off", "errors-cause-blurred"}


@cache
def vendors_errors() -> tuple[Exchange, ...]:
    return tuple(x for s in TEXT for x in traffic.of_corpus(s) if x.case.outcome is Outcome.UPSTREAM_ERROR)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "errors/")
    assert len({case.id for case in CASES}) == len(CASES)


def test_no_rule_fails_on_errors_that_vendors_really_sent() -> None:
    passed = traffic.assert_no_false_alarm(RULES, vendors_errors())
    assert {"errors/envelope", "errors/type-fits-status", "errors/google-code-is-status", "errors/cause-kept"} <= set(passed)


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if mutant.id in OFFLINE], ids=lambda mutant: mutant.id)
def test_a_mutant_is_killed_by_its_own_check(mutant: Mutant) -> None:
    tried, killed = traffic.killers(RULES, mutant, vendors_errors())
    assert tried
    assert killed == tried


def test_a_stream_that_breaks_needs_its_error_event() -> None:
    sent = traffic.data_frames({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]})
    error = traffic.data_frames(
        {"choices": [], "error": {"message": "gone", "type": "server_error", "param": None, "code": None}}, "[DONE]"
    )
    told, silent = (cut(traffic.made(Surface.CHAT, sent + end, upstream=sent)) for end in (error, b""))
    assert isinstance(broken.check_error_event(told), Passed)
    assert isinstance(broken.check_kept_so_far(told), Passed)
    assert isinstance(broken.check_no_false_end(told), Passed)
    assert isinstance(broken.check_error_event(silent), Failed)


@pytest.mark.parametrize("end", [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "[DONE]"])
def test_a_stream_that_breaks_may_not_end_as_a_finished_one(end: Any) -> None:
    sent = traffic.data_frames({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]})
    assert isinstance(broken.check_no_false_end(cut(traffic.made(Surface.CHAT, sent + traffic.data_frames(end), upstream=sent))), Failed)


def test_a_200_with_an_error_in_it_is_a_failure() -> None:
    body = b'{"error": {"message": "no", "type": "server_error", "param": null, "code": null}}'
    exchange = traffic.made(Surface.CHAT, body)
    fault = Play(recording="made/by-hand", fault=Fault(kind=FaultKind.ERROR_IN_OK))
    exchange = replace(exchange, case=replace(exchange.case, play=fault, outcome=Outcome.UPSTREAM_BROKEN))
    assert isinstance(broken.check_error_in_ok(exchange), Failed)
    assert isinstance(broken.check_fails(exchange), Failed)
    mended = replace(exchange, client=replace(exchange.client, response=answer(502, body)))
    assert isinstance(broken.check_error_in_ok(mended), Passed)


@pytest.mark.parametrize(
    ("surface", "status", "body", "right"),
    [
        (Surface.CHAT, 404, '{"error": {"message": "no model x-1", "type": "a", "param": null, "code": "model_not_found"}}', True),
        (Surface.CHAT, 404, '{"error": {"message": "no", "type": "a", "param": null, "code": "model_not_found"}}', False),
        (Surface.CHAT, 503, '{"error": {"message": "no model x-1", "type": "a", "param": null, "code": "model_not_found"}}', False),
        (Surface.MESSAGES, 404, '{"type": "error", "error": {"type": "not_found_error", "message": "x-1"}}', True),
        (Surface.MESSAGES, 404, '{"error": "x-1"}', False),
        (Surface.GEMINI, 404, '{"error": {"code": 404, "message": "x-1", "status": "NOT_FOUND"}}', True),
    ],
)
def test_a_refusal_is_status_envelope_and_cause(surface: Surface, status: int, body: str, right: bool) -> None:
    exchange = traffic.made(surface, body.encode())
    case = Case(id="made/unknown", surface=surface, play=None, model="x-1", outcome=Outcome.REFUSED)
    refused = replace(exchange, case=case, client=replace(exchange.client, response=answer(status, body.encode())))
    assert isinstance(envelope.check_unknown_model(refused), Passed if right else Failed)


def test_the_two_forms_of_an_error_on_responses() -> None:
    flat = {"type": "error", "code": "server_error", "message": "gone", "param": None}
    nested = {"type": "error", "error": {"type": "server_error", "code": None, "message": "gone"}}
    for event in (flat, nested):
        found = reading.error_event(traffic.made(Surface.RESPONSES, traffic.named_frames(event)))
        assert found is not None
        assert found[1].message == "gone"


def answer(status: int, body: bytes) -> Response:
    return Response(status=status, headers=(("content-type", "application/json"),), reads=(Read(at_ms=0, data=body),), end=End.EOF)


def cut(exchange: Exchange) -> Exchange:
    return replace(exchange, case=replace(exchange.case, outcome=Outcome.UPSTREAM_BROKEN))


@pytest.mark.parametrize(
    ("host", "message", "right"),
    [
        ("api.vendor.example:8443", "The vendor failed.", True),
        ("api.vendor.example:8443", "connect to api.vendor.example:8443 failed", False),
        ("api.vendor.example:8443", "connect to API.vendor.example failed", False),
        ("api.vendor.example:8443", "not api.vendor.example.org", True),
        ("127.0.0.1:9100", "no route to 127.0.0.1.", False),
        ("127.0.0.1:9100", "see http://127.0.0.1:8080/errors", True),  # where the gateway itself was called
        ("[::1]:9100", "no route to ::1", False),
        ("upstream:9100", "The upstream failed.", True),
        ("upstream:9100", "GET http://upstream/v1 failed", False),
        ("localhost", "no picture at http://localhost/a.png", True),  # which the caller named
        ("[:9100", "gone", True),
    ],
)
def test_where_the_vendor_stands_is_told_neither_with_its_port_nor_without(host: str, message: str, right: bool) -> None:
    exchange = traffic.made(Surface.CHAT, b"{}")
    asked = Request(method="POST", target="/v1", headers=(("Host", "127.0.0.1:8080"),), body=b'"http://localhost/a.png"')
    told = answer(502, json.dumps({"error": {"message": message}}).encode())
    hop = replace(exchange.upstream[0], request=replace(asked, headers=(("host", host),)))
    exchange = replace(exchange, client=replace(exchange.client, request=asked, response=told), upstream=(hop,))
    assert isinstance(envelope.check_no_leak(exchange), Passed if right else Failed)
