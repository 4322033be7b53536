from harness.mutation.mutants.sdk import MUTANTS
from suites.sdk import reads_the_same
from suites.surfaces import TEXT
from suites.tests import traffic

RULES = reads_the_same.RULES


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "sdk/")


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    for surface in TEXT:
        traffic.assert_no_false_alarm(RULES, traffic.of_corpus(surface))
