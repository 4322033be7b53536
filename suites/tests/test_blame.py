from dataclasses import replace

from harness.case import Route, Surface
from harness.exchange import Exchange
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.tests import traffic


def check_no_a(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    assert response is not None
    return Failed(Finding(expected="no a", got="an a")) if b"a" in response.body else Passed("no a")


judged = gateway_only(check_no_a)


def exchange(client: bytes, upstream: bytes) -> Exchange:
    return traffic.made(Surface.CHAT, client, upstream=upstream)


def test_what_the_gateway_adds_is_its_fault() -> None:
    assert isinstance(judged(exchange(b"{a}", b"{b}")), Failed)


def test_what_the_vendor_sent_is_not() -> None:
    verdict = judged(exchange(b"{a}", b"{a}"))
    assert isinstance(verdict, Inconclusive)
    assert "the upstream sent it so: client: expected no a, got an a" in verdict.reason


def test_a_pass_stays_one_whatever_the_vendor_sent() -> None:
    assert isinstance(judged(exchange(b"{b}", b"{a}")), Passed)


def test_on_a_translated_route_the_gateway_wrote_every_byte() -> None:
    assert isinstance(judged(replace(exchange(b"{a}", b"{a}"), route=Route.TRANSLATED)), Failed)


def test_without_a_gateway_the_check_itself_is_wrong() -> None:
    assert isinstance(judged(replace(exchange(b"{a}", b"{a}"), promises={"no_gateway": True})), Failed)


def test_a_gateway_that_never_asked_the_vendor_answers_for_itself() -> None:
    assert isinstance(judged(replace(exchange(b"{a}", b"{a}"), upstream=())), Failed)


def test_the_check_keeps_its_name() -> None:
    assert judged.__name__ == "check_no_a"
