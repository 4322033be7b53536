from harness.mutation.mutants.models import MUTANTS
from suites.models import catalogue, listing
from suites.surfaces import TEXT
from suites.tests import traffic

RULES = (*listing.RULES, *catalogue.RULES)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "models/")


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    for surface in TEXT:
        traffic.assert_no_false_alarm(RULES, traffic.of_corpus(surface))
