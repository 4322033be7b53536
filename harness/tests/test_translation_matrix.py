"""Every cell of the translation's matrix, driven against the embedded reference gateway: none is missing, skipped, unjudged or red."""

from collections import Counter

import pytest

from harness.case import CELL, Outcome, Route, Surface
from harness.conformance import Live
from harness.judged import Judged, Standing
from harness.plan import Planned, cases_of, judge, rules_of, says_of, suite_modules
from harness.report.cells import Matrix, State
from harness.requirement import Requirement
from harness.settings import Settings
from harness.verdict import Errored, Failed, Verdict
from suites.translation.scenarios import INSTEAD, REFUSED, SCENARIOS

MODULES = suite_modules()
RULES = rules_of(MODULES)
CELLS = tuple(case for case in cases_of(MODULES) if CELL in case.traits)
SURFACES, DIALECTS, FORMS = 4, 6, 2
TRANSLATED_PAIRS = 18


def test_there_is_a_cell_for_every_surface_dialect_form_and_scenario() -> None:
    single = [case for case in CELLS if not case.steps]
    assert len(single) == SURFACES * DIALECTS * FORMS * len(SCENARIOS)
    assert len(CELLS) - len(single) == TRANSLATED_PAIRS  # a case for each, in which whole and stream are compared
    assert {(case.surface, case.upstream) for case in single if case.upstream is not None} == {
        (surface, dialect)
        for surface in (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
        for dialect in {case.upstream for case in single}
    }
    names = {scenario.name for scenario in SCENARIOS}
    assert {name for name, _ in INSTEAD} | {name for name, _, _ in REFUSED} <= names


def test_every_cell_is_driven_and_green(capsys: pytest.CaptureFixture[str]) -> None:
    live = Live(Settings(matrix=True), CELLS)
    judged: list[Judged] = []
    driven: Counter[str] = Counter()
    faults: list[str] = []
    try:
        live.begin(live.planned)
        for planned in live.planned:
            exchange = live.exchange(planned)
            assert exchange.errored is None, f"{planned.id}: {exchange.errored}"
            driven[_kind(planned)] += 1
            reached = any(step.upstream for step in exchange.steps) or bool(exchange.upstream)
            assert reached is (planned.case.outcome is not Outcome.REFUSED), f"{planned.id}: the upstream was asked: {reached}"
            for rule in RULES:
                if exchange.case.surface in rule.given.surfaces and rule.given.holds(exchange.case) and says_of(rule, planned):
                    verdict = judge(rule, exchange)
                    if isinstance(verdict, Failed | Errored):
                        why = verdict.findings[0] if isinstance(verdict, Failed) else verdict.reason
                        faults.append(f"{rule.requirement.id} on {planned.id}: {why}")
                    judged.append(_judged(rule.requirement, planned, verdict))
    finally:
        live.close()
    matrix = Matrix.of((case.id for case in CELLS), judged)
    passed = sum(counts[Standing.PASSED] for row in matrix.rows.values() for counts in row.values())
    with capsys.disabled():
        print(  # noqa: T201  # the figures are what this test is for
            f"\n{sum(driven.values())} cells driven: {dict(driven)}; {dict(matrix.states())}, {passed} verdicts passed", end=""
        )
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:40]])
    assert matrix.cells(State.MISSING) == ()
    assert matrix.cells(State.UNJUDGED) == ()
    assert matrix.states()[State.GREEN] == len(CELLS)


def _kind(planned: Planned) -> str:
    if planned.case.outcome is Outcome.REFUSED:
        return "refused as declared"
    return "native" if planned.route is Route.NATIVE else "translated"


def _judged(requirement: Requirement, planned: Planned, verdict: Verdict) -> Judged:
    return Judged(
        requirement=requirement.id,
        severity=requirement.severity,
        case=planned.case.id,
        surface=planned.case.surface,
        model=planned.model,
        verdict=verdict,
        exchange=planned.id,
    )
