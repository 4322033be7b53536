"""Calls that are paid for, and callers that leave. What failures cost is judged on the cases of suites/errors."""

from typing import Final

from harness.case import Case, Fault, FaultKind, Key, Outcome, Pace, Play, Surface
from suites.surfaces import TEXT

_WITH_USAGE: Final = {surface: f"{surface}/usage.stream" for surface in TEXT}


def _cases(surface: Surface) -> tuple[Case, ...]:
    wrong_type = Fault(kind=FaultKind.WRONG_CONTENT_TYPE)
    return (
        Case(
            id=f"{surface}/billed",
            surface=surface,
            play=Play(recording=f"{surface}/cache-read"),
            traits=frozenset({"cache-read", "exact"}),
            account=True,
        ),
        Case(
            id=f"{surface}/billed.stream",
            surface=surface,
            stream=True,
            play=Play(recording=_WITH_USAGE[surface]),
            traits=frozenset({"usage-asked", "exact"}),
            account=True,
        ),
        Case(
            id=f"{surface}/billed-wrong-content-type",
            surface=surface,
            play=Play(recording=f"{surface}/text", fault=wrong_type),
            outcome=Outcome.UPSTREAM_BROKEN,
            traits=frozenset({"error", "either"}),
            account=True,
        ),
        Case(
            id=f"{surface}/hang-up.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/long.stream", pace=Pace.LOCKSTEP),
            outcome=Outcome.ABORTED,
            abort_after_frames=8,
            account=True,
        ),
        Case(
            id=f"{surface}/hang-up-at-once.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/long.stream", pace=Pace.LOCKSTEP),
            outcome=Outcome.ABORTED,
            abort_after_frames=0,
            account=True,
        ),
        Case(
            id=f"{surface}/empty-wallet",
            surface=surface,
            play=None,
            key=Key.EMPTY_WALLET,
            outcome=Outcome.REFUSED,
            traits=frozenset({"error", "empty-wallet"}),
        ),
    )


CASES: tuple[Case, ...] = (
    *(case for surface in TEXT for case in _cases(surface)),
    Case(
        id="messages/billed-cache-write.stream",
        surface=Surface.MESSAGES,
        stream=True,
        play=Play(recording="messages/cache-write.stream"),
        traits=frozenset({"cache-write", "exact"}),
        account=True,
    ),
    *(
        Case(
            id=f"{surface}/billed-search{end}",
            surface=surface,
            stream=bool(end),
            play=Play(recording=f"{surface}/web-search{end}"),
            traits=frozenset({"searches", "exact"}),
            account=True,
        )
        for surface in (Surface.MESSAGES, Surface.RESPONSES)
        for end in ("", ".stream")
    ),
    Case(
        id="messages/count-tokens-free",
        surface=Surface.COUNT_TOKENS,
        play=Play(recording="messages/count-tokens"),
        traits=frozenset({"free"}),
        account=True,
    ),
    Case(id="models/list-free", surface=Surface.MODELS, method="GET", play=None, traits=frozenset({"free"}), account=True),
)
