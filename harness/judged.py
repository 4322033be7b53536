"""A verdict with what it was given on, and the sum over a run of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import assert_never

from harness.case import Surface
from harness.requirement import Severity
from harness.verdict import Errored, Failed, Inconclusive, NotApplicable, Passed, Verdict


class ExpectedKind(StrEnum):
    FAILURE = "failure"  # it must fail, and the run fails when it passes
    FLAKE = "flake"  # it may fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the expectations file says of this verdict."""

    kind: ExpectedKind
    reason: str
    link: str | None = None
    expires: str | None = None  # ISO day


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One verdict: which requirement, on which exchange."""

    requirement: str
    severity: Severity
    case: str
    surface: Surface
    model: str
    verdict: Verdict
    exchange: str | None = None  # None: nothing was driven, because the target declared that it does not do this
    expected: Expected | None = None


class Standing(StrEnum):
    """Where a verdict counts. Each verdict has exactly one, so that the counts add up."""

    PASSED = "passed"
    FAILED = "failed"
    EXPECTED = "expected"  # failed, as was expected
    FLAKY = "flaky"  # failed, as it sometimes may
    UNEXPECTED_PASS = "unexpected-pass"  # passed, though a failure was expected: the expectation is out of date
    NOT_APPLICABLE = "not-applicable"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"


def standing(judged: Judged) -> Standing:
    kind = judged.expected.kind if judged.expected else None
    match judged.verdict:
        case Passed():
            return Standing.UNEXPECTED_PASS if kind is ExpectedKind.FAILURE else Standing.PASSED
        case Failed():
            match kind:
                case None:
                    return Standing.FAILED
                case ExpectedKind.FAILURE:
                    return Standing.EXPECTED
                case ExpectedKind.FLAKE:
                    return Standing.FLAKY
                case _ as other:
                    assert_never(other)
        case Inconclusive():
            return Standing.INCONCLUSIVE
        case NotApplicable():
            return Standing.NOT_APPLICABLE
        case Errored():
            return Standing.ERRORED
        case _ as never:
            assert_never(never)


class ExitCode(IntEnum):
    AS_EXPECTED = 0
    FINDINGS = 1
    COULD_NOT_RUN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What a run did, in numbers. `passed` to `unexpected_passes` add up to the verdicts."""

    selected: int = 0  # verdicts asked for
    driven: int = 0  # exchanges that ran
    passed: int = 0
    failed: int = 0
    expected: int = 0
    flaky: int = 0
    not_applicable: int = 0
    inconclusive: int = 0
    errored: int = 0
    unexpected_passes: int = 0
    never_judged: int = 0  # requirements that found nothing to judge on any case
    too_late: int = 0  # and those that might have, had our own loop been on time
    calls_made: int = 0  # requests sent to the target, those for balance and usage included
    tokens: int = 0
    spent_micro_usd: int = 0

    @property
    def by_standing(self) -> dict[Standing, int]:
        return {
            Standing.PASSED: self.passed,
            Standing.FAILED: self.failed,
            Standing.EXPECTED: self.expected,
            Standing.FLAKY: self.flaky,
            Standing.UNEXPECTED_PASS: self.unexpected_passes,
            Standing.NOT_APPLICABLE: self.not_applicable,
            Standing.INCONCLUSIVE: self.inconclusive,
            Standing.ERRORED: self.errored,
        }

    @property
    def verdicts(self) -> int:
        return sum(self.by_standing.values())

    @property
    def unjudged(self) -> int:
        """Selected, and without a verdict: the run was broken off."""
        return max(0, self.selected - self.verdicts)


def never_judged(verdicts: Iterable[Judged]) -> tuple[str, ...]:
    """The requirements that were Inconclusive on every case they met, in order of first meeting, but for those of `too_late`."""
    return tuple(requirement for requirement, late in _undecided(verdicts).items() if not late)


def too_late(verdicts: Iterable[Judged]) -> tuple[str, ...]:
    """Those for which our own loop was too late on some case: they say nothing of the suite's choice of cases."""
    return tuple(requirement for requirement, late in _undecided(verdicts).items() if late)


def _undecided(verdicts: Iterable[Judged]) -> dict[str, bool]:
    """Whether it was late, of each requirement that was never judged."""
    found: dict[str, bool] = {}
    decided: set[str] = set()
    for judged in verdicts:
        match judged.verdict:
            case NotApplicable():
                continue
            case Inconclusive(late=late):
                found[judged.requirement] = found.get(judged.requirement, False) or late
            case _:
                decided.add(judged.requirement)
    return {requirement: late for requirement, late in found.items() if requirement not in decided}


def tally(
    verdicts: Iterable[Judged],
    *,
    selected: int,
    driven: int,
    calls_made: int = 0,
    tokens: int = 0,
    spent_micro_usd: int = 0,
    every_requirement: bool = True,
) -> Arithmetic:
    """`every_requirement`: the evidence is such that each requirement must find something to judge, as the shipped recordings are."""
    found = tuple(verdicts)
    counts = Counter(standing(judged) for judged in found)
    return Arithmetic(
        selected=selected,
        driven=driven,
        passed=counts[Standing.PASSED],
        failed=counts[Standing.FAILED],
        expected=counts[Standing.EXPECTED],
        flaky=counts[Standing.FLAKY],
        not_applicable=counts[Standing.NOT_APPLICABLE],
        inconclusive=counts[Standing.INCONCLUSIVE],
        errored=counts[Standing.ERRORED],
        unexpected_passes=counts[Standing.UNEXPECTED_PASS],
        never_judged=len(never_judged(found)) if every_requirement else 0,
        too_late=len(too_late(found)) if every_requirement else 0,
        calls_made=calls_made,
        tokens=tokens,
        spent_micro_usd=spent_micro_usd,
    )


def exit_code(arithmetic: Arithmetic, *, complete: bool = True) -> ExitCode:
    """Findings win over what could not be run: a red run stays red however it ended.

    A requirement that met nothing to judge on any case is a finding about the suite's choice of cases, not a pass; where our own loop was
    too late for it, it could not be run.
    """
    if arithmetic.failed or arithmetic.unexpected_passes:
        return ExitCode.FINDINGS
    if not complete or arithmetic.errored or not arithmetic.verdicts or arithmetic.unjudged:
        return ExitCode.COULD_NOT_RUN
    if arithmetic.never_judged:
        return ExitCode.FINDINGS
    return ExitCode.COULD_NOT_RUN if arithmetic.too_late else ExitCode.AS_EXPECTED
