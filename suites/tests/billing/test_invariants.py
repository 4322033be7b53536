"""Which requirement proves which invariant of the money, and that none goes without."""

from harness.mutation.matrix import all_mutants
from harness.plan import cases_of, rules_of, suite_modules
from suites.billing.invariants import INVARIANTS, PAGE, page, proving

REQUIREMENTS = tuple(rule.requirement for rule in rules_of(suite_modules()))


def test_each_invariant_is_proven_by_a_requirement_that_has_a_mutant() -> None:
    mutated = {mutant.requirement for mutant in all_mutants()}
    proven = proving(REQUIREMENTS)
    assert list(proven) == list(range(1, 21)) == list(INVARIANTS)
    for number, names in proven.items():
        assert names, f"no requirement proves invariant {number}"
        assert set(names) <= mutated, f"of invariant {number} have no mutant: {set(names) - mutated}"


def test_each_requirement_of_an_invariant_is_judged_on_a_case() -> None:
    cases = cases_of(suite_modules())
    for rule in rules_of(suite_modules()):
        if rule.requirement.invariants:
            assert any(case.surface in rule.given.surfaces and rule.given.holds(case) for case in cases), rule.requirement.id


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(REQUIREMENTS), "run `python -m suites.billing.invariants`"
