from collections import Counter

import pytest

from harness.case import Surface
from harness.exchange import Exchange
from harness.mutation.apply import apply
from harness.mutation.mutant import Mutant
from harness.mutation.mutants.gemini import MUTANTS
from harness.requirement import Rule
from suites.gemini import answer, content, stream, usage
from suites.gemini.cases import CASES
from suites.tests import traffic

MODULES = (answer, content, stream, usage)
RULES: tuple[Rule, ...] = tuple(rule for module in MODULES for rule in module.RULES)


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "gemini/")
    assert len({case.id for case in CASES}) == len(CASES)


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    exchanges = traffic.of_corpus(Surface.GEMINI)
    passed = traffic.assert_no_false_alarm(RULES, exchanges)
    kinds = Counter(
        f"{exchange.recording.fidelity} {exchange.recording.provenance}" for exchange in exchanges if exchange.recording is not None
    )
    print(f"{len(exchanges)} exchanges ({', '.join(f'{count} {kind}' for kind, count in kinds.items())}), {passed.total()} passes")  # noqa: T201
    assert len(exchanges) > 130


def test_every_rule_is_met_by_the_shipped_recordings() -> None:
    passed = traffic.assert_no_false_alarm(RULES, traffic.of_cases(CASES))
    assert {rule.requirement.id for rule in RULES} == set(passed)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_a_mutant_is_killed_by_its_own_check(mutant: Mutant) -> None:
    tried, killed = traffic.killers(RULES, mutant, traffic.of_cases(CASES))
    assert tried, "it changed nothing on any case that fits"
    assert killed == tried


def test_the_checks_hold_on_garbage() -> None:
    for exchange in map(garbled, [*traffic.of_cases(CASES), *traffic.of_corpus(Surface.GEMINI)[::5]]):
        for rule in RULES:
            rule.check(exchange)  # whatever it concludes, it doesn't raise


def garbled(exchange: Exchange) -> Exchange:
    """Every value in the client's answer of another type than it has."""
    mutant = Mutant(id="garbles", requirement="gemini/none", text="Garbles.", answer=traffic.garble)
    return apply(mutant, exchange) or exchange
