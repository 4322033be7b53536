from dataclasses import replace
from functools import cache

import pytest

from harness.exchange import Exchange
from harness.mutation.mutant import Leg, Mutant
from harness.mutation.mutants.wire import MUTANTS
from harness.requirement import Rule
from harness.verdict import Failed, Finding, Passed
from suites.surfaces import TEXT
from suites.tests import traffic
from suites.wire import compare, native, sse
from suites.wire.cases import CASES

RULES: tuple[Rule, ...] = (*sse.RULES, *native.RULES)
# Corruptions of time, of labels that a stored exchange has lost, and of what only a live gateway shows.
LIVE_ONLY = {
    "sse-drops-an-event",
    "native-comments-dropped",
    "native-mislabelled-gzip",
    "native-other-bytes-before-hang-up",
    "native-refuses",
    "native-request-query-dropped",
}


@cache
def stored() -> tuple[Exchange, ...]:
    return (
        *traffic.of_cases([case for case in CASES if "framing" not in case.id and case.times == 1]),
        *(x for s in TEXT for x in traffic.of_corpus(s)),
    )


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "")
    assert {rule.requirement.id.partition("/")[0] for rule in RULES} == {"sse", "native"}


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    passed = traffic.assert_no_false_alarm(RULES, stored())
    live = {"native/hang-up-reaches-upstream", "native/bytes-before-hang-up", "sse/same-events", "native/asked-each-time"}
    assert {rule.requirement.id for rule in RULES} - set(passed) <= live


@pytest.mark.parametrize(
    "mutant", [mutant for mutant in MUTANTS if mutant.flow is None and mutant.id not in LIVE_ONLY], ids=lambda mutant: mutant.id
)
def test_a_mutant_is_killed_by_its_own_check(mutant: Mutant) -> None:
    tried, killed = traffic.killers(RULES, mutant, stored())
    assert tried, "it changed nothing on any exchange that fits"
    assert killed
    assert mutant.leg is Leg.UPSTREAM or killed == tried


def test_the_finding_names_the_first_byte_that_differs_and_its_frame() -> None:
    sent = traffic.data_frames({"a": 1}, {"b": 2})
    got = sent.replace(b"2", b"3")
    exchange = traffic.made(TEXT[0], got, upstream=sent)
    verdict = native.check_body_bytes(exchange)
    assert isinstance(verdict, Failed)
    assert verdict.findings[0].frame == 1
    assert verdict.findings[0].offset == sent.index(b"2")


def test_the_same_bytes_pass() -> None:
    body = traffic.data_frames({"a": 1}, "[DONE]")
    assert isinstance(native.check_body_bytes(traffic.made(TEXT[0], body)), Passed)


@pytest.mark.parametrize(("one", "other", "place"), [(b"", b"", None), (b"abc", b"abc", None), (b"abc", b"abd", 2), (b"ab", b"abc", 2)])
def test_first_difference(one: bytes, other: bytes, place: int | None) -> None:
    assert compare.first_difference(one, other) == place


def test_a_difference_is_shown_with_what_stands_around_it() -> None:
    found = compare.finding(b"x" * 100 + b"a", b"x" * 100 + b"b", streamed=False)
    assert isinstance(found, Finding)
    assert found.offset == 100
    assert found.expected.endswith("xa' (101 bytes)")


def test_an_answer_out_of_a_cache_is_told_from_two_of_the_vendors() -> None:
    once = traffic.made(TEXT[0], b"{}")
    asked_twice = replace(once, case=replace(once.case, times=2))
    assert isinstance(native.check_asked_again(asked_twice), Failed)
    assert isinstance(native.check_asked_again(replace(asked_twice, upstream=once.upstream * 2)), Passed)
