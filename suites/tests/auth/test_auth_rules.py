import json
from dataclasses import replace

import pytest

from harness.exchange import Hop, StepSeen
from harness.mutation.mutants.auth import MUTANTS
from harness.verdict import Failed, Passed
from suites.auth import accounts_apart, keys, lifecycle
from suites.surfaces import TEXT
from suites.tests import steps, traffic

RULES = (*keys.RULES, *lifecycle.RULES, *accounts_apart.RULES)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "auth/")


@pytest.mark.parametrize(("told", "right"), [("a b a", True), ("a a a", False), ("a b c", False)])
def test_cache_keys_are_apart_by_account(told: str, right: bool) -> None:
    calls = [replace(steps.NOTHING, body=json.dumps({"prompt_cache_key": word}).encode()) for word in told.split()]
    hops = [Hop(request=call, response=steps.answer()) for call in calls]
    seen = [StepSeen(name=name, calls=(hop,), upstream=(hop,)) for name, hop in zip(("first", "other", "again"), hops, strict=True)]
    case = steps.case_of(accounts_apart.CASES, "responses/cache-key-of-two")
    (verdict,) = steps.verdicts(RULES, steps.exchange(case, *seen)).values()
    assert isinstance(verdict, Passed if right else Failed)


@pytest.mark.parametrize(("told", "right"), [([], True), ([{"request_id": "r"}], False)])
def test_rows_are_the_accounts_own(told: list[object], right: bool) -> None:
    found = (steps.seen(name, steps.answer(200, {"data": data})) for name, data in (("own", [{"request_id": "r"}]), ("other", told)))
    case = steps.case_of(accounts_apart.CASES, "auth/rows-of-two")
    (verdict,) = steps.verdicts(RULES, steps.exchange(case, steps.seen("paid", steps.answer()), *found)).values()
    assert isinstance(verdict, Passed if right else Failed)


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    for surface in TEXT:
        traffic.assert_no_false_alarm(RULES, traffic.of_corpus(surface))
