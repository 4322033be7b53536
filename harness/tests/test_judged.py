import pytest

from harness.case import Surface
from harness.judged import (
    Arithmetic,
    ExitCode,
    Expected,
    ExpectedKind,
    Judged,
    Standing,
    exit_code,
    never_judged,
    standing,
    tally,
    too_late,
)
from harness.requirement import Severity
from harness.verdict import Errored, Failed, Finding, Inconclusive, NotApplicable, Passed, Verdict

FAILED = Failed(Finding(expected="a", got="b"))
FAILURE = Expected(kind=ExpectedKind.FAILURE, reason="known")
FLAKE = Expected(kind=ExpectedKind.FLAKE, reason="known")


def judged(verdict: Verdict, expected: Expected | None = None, requirement: str = "a/b") -> Judged:
    return Judged(
        requirement=requirement, severity=Severity.COST, case="c", surface=Surface.CHAT, model="m", verdict=verdict, expected=expected
    )


@pytest.mark.parametrize(
    ("verdict", "expected", "stands"),
    [
        (Passed("x"), None, Standing.PASSED),
        (Passed("x"), FLAKE, Standing.PASSED),
        (Passed("x"), FAILURE, Standing.UNEXPECTED_PASS),
        (FAILED, None, Standing.FAILED),
        (FAILED, FLAKE, Standing.FLAKY),
        (FAILED, FAILURE, Standing.EXPECTED),
        (Inconclusive("x"), FAILURE, Standing.INCONCLUSIVE),
        (NotApplicable("x"), None, Standing.NOT_APPLICABLE),
        (Errored("x"), FAILURE, Standing.ERRORED),
    ],
)
def test_each_verdict_stands_in_one_place(verdict: Verdict, expected: Expected | None, stands: Standing) -> None:
    one = judged(verdict, expected)
    assert standing(one) is stands
    sums = tally([one], selected=1, driven=1)
    assert sums.verdicts == 1
    assert sums.by_standing[stands] == 1


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([judged(Passed("x"))], ExitCode.AS_EXPECTED),
        ([judged(Passed("x")), judged(Inconclusive("x"))], ExitCode.AS_EXPECTED),
        ([judged(Passed("x")), judged(FAILED, FAILURE), judged(FAILED, FLAKE), judged(NotApplicable("x"))], ExitCode.AS_EXPECTED),
        ([judged(Passed("x")), judged(FAILED)], ExitCode.FINDINGS),
        ([judged(Passed("x"), FAILURE)], ExitCode.FINDINGS),
        ([judged(Errored("x")), judged(FAILED)], ExitCode.FINDINGS),
        ([judged(Passed("x")), judged(Inconclusive("x"), requirement="a/c")], ExitCode.FINDINGS),
        ([judged(Passed("x")), judged(Errored("x"))], ExitCode.COULD_NOT_RUN),
        ([], ExitCode.COULD_NOT_RUN),
    ],
)
def test_the_exit_code(verdicts: list[Judged], code: ExitCode) -> None:
    assert exit_code(tally(verdicts, selected=len(verdicts), driven=1)) is code


def test_a_run_that_was_broken_off_is_never_green() -> None:
    one = [judged(Passed("x"))]
    assert exit_code(tally(one, selected=1, driven=1), complete=False) is ExitCode.COULD_NOT_RUN
    assert exit_code(tally(one, selected=2, driven=1)) is ExitCode.COULD_NOT_RUN
    assert tally(one, selected=2, driven=1).unjudged == 1


def test_never_judged_are_those_that_were_inconclusive_everywhere() -> None:
    found = never_judged(
        [
            judged(Inconclusive("x"), requirement="a/always"),
            judged(Inconclusive("x"), requirement="a/sometimes"),
            judged(Passed("x"), requirement="a/sometimes"),
            judged(NotApplicable("x"), requirement="a/declared"),
            judged(NotApplicable("x"), requirement="a/always"),
        ]
    )
    assert found == ("a/always",)


def test_what_our_own_loop_was_too_late_for_could_not_be_run() -> None:
    verdicts = [
        judged(Inconclusive("x"), requirement="a/late"),
        judged(Inconclusive("our own loop stood still", late=True), requirement="a/late"),
        judged(Inconclusive("our own loop stood still", late=True), requirement="a/judged-elsewhere"),
        judged(Passed("x"), requirement="a/judged-elsewhere"),
    ]
    assert (never_judged(verdicts), too_late(verdicts)) == ((), ("a/late",))
    assert exit_code(tally(verdicts, selected=4, driven=1)) is ExitCode.COULD_NOT_RUN
    assert exit_code(tally(verdicts, selected=4, driven=1, every_requirement=False)) is ExitCode.AS_EXPECTED
    nothing_met = [*verdicts, judged(Inconclusive("x"), requirement="a/always")]
    assert exit_code(tally(nothing_met, selected=5, driven=1)) is ExitCode.FINDINGS
    broken = [*verdicts, judged(Failed(Finding(expected="a", got="b")))]
    assert exit_code(tally(broken, selected=5, driven=1)) is ExitCode.FINDINGS


def test_the_sum_of_nothing_is_nothing() -> None:
    assert tally([], selected=0, driven=0) == Arithmetic()
