"""What is laid at nobody's door, and what is laid at the gateway's all the same."""

from dataclasses import replace

import pytest

from harness.case import Case, Fault, FaultKind, Outcome, Pace, Play, Route, Step, Surface
from harness.exchange import End, Exchange, Hop, Read, Request, Response, StepSeen
from harness.excuse import excuse, is_doubtful
from harness.plan import judge
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict

PLAY = Play(recording="chat/text.stream", pace=Pace.RECORDED)
NOTHING = Request(method="POST", target="/v1/chat/completions", headers=(), body=b"{}")
WELL = Hop(request=NOTHING, response=Response(status=200, headers=(), reads=(Read(at_ms=9, data=b"x"),), end=End.EOF, end_ms=9))
LEFT = replace(WELL, closed_ms=1500)  # the gateway did, in the midst of what the vendor said


def client(last_read_ms: int, end: End = End.TIMEOUT) -> Hop:
    reads = (Read(at_ms=1, data=b"x"), Read(at_ms=last_read_ms, data=b"y"))
    return Hop(request=NOTHING, response=Response(status=200, headers=(), reads=reads, end=end, end_ms=20_000))


def exchange(lag_ms: int, *, told: Hop = WELL, asked: Hop = WELL, play: Play = PLAY, outcome: Outcome = Outcome.SUCCESS) -> Exchange:
    frames = 1 if outcome is Outcome.ABORTED else None
    case = Case(id="c", surface=Surface.CHAT, play=play, stream=True, outcome=outcome, abort_after_frames=frames)
    return Exchange(id="c-m", case=case, model="m", route=Route.NATIVE, marker="", client=told, upstream=(asked,), lag_ms=lag_ms)


def stepped(lag_ms: int, step: Step, asked: Hop = LEFT) -> Exchange:
    case = Case(id="c", surface=Surface.CHAT, play=None, steps=(step,))
    seen = StepSeen(name=step.name, calls=(WELL,), upstream=(asked,))
    return Exchange(id="c-m", case=case, model="m", route=Route.NATIVE, marker="", client=WELL, lag_ms=lag_ms, steps=(seen,))


def fails(_: Exchange) -> Verdict:
    return Failed(Finding(expected="status 200", got="status 504"))


def rule(severity: Severity = Severity.BREAKS_SDK) -> Rule:
    clause = Clause(source="wireproof-contract", section="1", says="x")
    return Rule(Requirement(id="a/b", severity=severity, basis=Basis.OBSERVED, clause=clause, text="X."), fails, Given())


@pytest.mark.parametrize(
    "late",
    [
        exchange(400, asked=LEFT),
        exchange(400, asked=Hop(request=NOTHING, response=None, closed_ms=1500)),
        exchange(400, told=client(19_900)),
        stepped(400, Step(name="one", plays=(PLAY,))),
    ],
    ids=["the gateway left", "before a word", "our client left", "in a step"],
)
def test_who_gave_up_while_our_loop_stood_still_is_not_blamed(late: Exchange) -> None:
    verdict = judge(rule(), late)
    assert isinstance(verdict, Inconclusive)
    assert "gave up" in verdict.reason
    assert "our own loop stood still for 400 ms" in verdict.reason
    assert is_doubtful(late)
    assert isinstance(judge(rule(Severity.SECURITY), late), Failed)  # a secret that is told is told, however late


@pytest.mark.parametrize(
    "real",
    [
        exchange(0, asked=LEFT),
        exchange(199, asked=LEFT),
        exchange(0, told=client(19_900)),
        exchange(400),
        exchange(400, told=client(9_000)),
        exchange(400, told=client(19_900, End.RESET)),
        exchange(400, asked=LEFT, play=replace(PLAY, fault=Fault(kind=FaultKind.STALL_IN))),
        exchange(400, asked=LEFT, outcome=Outcome.ABORTED),
        stepped(400, Step(name="one", plays=(PLAY,), open=True)),
        stepped(400, Step(name="one", plays=(PLAY,), abort_after_frames=2)),
        stepped(400, Step(name="one", plays=(PLAY,)), WELL),
    ],
)
def test_what_our_loop_did_not_cause_fails(real: Exchange) -> None:
    """Nobody gave up, or it was the case that made them; or our loop was on time."""
    assert excuse(real) is None
    assert isinstance(judge(rule(), real), Failed)
    assert not is_doubtful(real)


def test_what_passes_late_passes() -> None:
    passing = replace(rule(), check=lambda _: Passed("all of it"))
    assert judge(passing, exchange(400, asked=LEFT)) == Passed("all of it")


def test_what_a_client_was_said_to_lack_is_asked_again_where_our_loop_was_late_and_fails_if_it_is_still_so() -> None:
    missed = replace(WELL, lockstep_missed=(0,))
    assert is_doubtful(exchange(400, asked=missed))
    assert not is_doubtful(exchange(0, asked=missed))
    assert isinstance(judge(rule(), exchange(400, asked=missed)), Failed)


def test_what_was_driven_while_our_loop_stood_still_for_a_second_is_doubtful_whatever_it_shows() -> None:
    assert is_doubtful(exchange(1000))
    assert not is_doubtful(exchange(999))
