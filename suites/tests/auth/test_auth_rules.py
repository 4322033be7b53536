from harness.mutation.mutants.auth import MUTANTS
from suites.auth import keys, lifecycle
from suites.surfaces import TEXT
from suites.tests import traffic

RULES = (*keys.RULES, *lifecycle.RULES)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "auth/")


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    for surface in TEXT:
        traffic.assert_no_false_alarm(RULES, traffic.of_corpus(surface))
