"""Every way in which a vendor fails, and what the gateway itself must refuse.

The account is watched in the cases of failure: what they cost is judged by suites/billing, on the same exchanges.
"""

from typing import Final

from harness.case import Case, Client, Fault, FaultKind, Outcome, Play, Surface
from suites.surfaces import OFFICIAL, OFFICIAL_ASYNC, TEXT

UNKNOWN_MODEL: Final = "no-such-model-9-9"
_STREAMED: Final = (
    Fault(kind=FaultKind.STALL_BEFORE),
    Fault(kind=FaultKind.STALL_IN, after_frames=3),
    Fault(kind=FaultKind.CUT_RST, after_bytes=1200),
    Fault(kind=FaultKind.ERROR_IN_OK, status=500),
    Fault(kind=FaultKind.ERROR_EVENT, status=500, after_frames=3),
    Fault(kind=FaultKind.NO_TERMINAL, after_frames=4),
    Fault(kind=FaultKind.REFUSE_CONNECT),
    Fault(kind=FaultKind.EMPTY),
)
_WHOLE: Final = (
    Fault(kind=FaultKind.STALL_BEFORE),
    Fault(kind=FaultKind.CUT_FIN),
    Fault(kind=FaultKind.TRUNCATED_GZIP),
    Fault(kind=FaultKind.HTML_ERROR, status=502),
    Fault(kind=FaultKind.ERROR_IN_OK, status=500),
)
_LIMITED: Final = Fault(kind=FaultKind.STATUS, status=429, headers=(("retry-after", "7"), ("x-should-retry", "true")))
_NOWHERE: Final = {
    Surface.CHAT: "/v1/chat/nowhere",
    Surface.RESPONSES: "/v1/responses/nowhere/at/all",
    Surface.MESSAGES: "/v1/messages/nowhere",
    Surface.GEMINI: "/v1beta/nowhere",
}


def _failing(surface: Surface, fault: Fault, *, stream: bool) -> Case:
    dot = ".stream" if stream else ""
    return Case(
        id=f"{surface}/fault-{fault.kind}{dot}",
        surface=surface,
        stream=stream,
        play=Play(recording=f"{surface}/text{dot}", fault=fault),
        outcome=Outcome.UPSTREAM_BROKEN,
        traits=frozenset({"error", f"fault-{fault.kind}"}),
        headers=(("Accept-Encoding", "gzip"),) if fault.kind is FaultKind.TRUNCATED_GZIP else (),
        account=True,
    )


def _driven(surface: Surface, name: str, fault: Fault, client: Client, *, stream: bool, outcome: Outcome) -> Case:
    dot = ".stream" if stream else ""
    return Case(
        id=f"{surface}/sdk-{name}{dot}",
        surface=surface,
        stream=stream,
        client=client,
        play=Play(recording=f"{surface}/text{dot}", fault=fault),
        outcome=outcome,
        traits=frozenset({"error", f"fault-{fault.kind}"}),
    )


def _refused(surface: Surface) -> tuple[Case, ...]:
    error = frozenset({"error"})
    return (
        Case(
            id=f"{surface}/unknown-model",
            surface=surface,
            play=None,
            model=UNKNOWN_MODEL,
            outcome=Outcome.REFUSED,
            traits=error | {"unknown-model"},
        ),
        Case(
            id=f"{surface}/sdk-unknown-model",
            surface=surface,
            play=None,
            client=OFFICIAL_ASYNC[surface],
            model=UNKNOWN_MODEL,
            outcome=Outcome.REFUSED,
            traits=error | {"unknown-model"},
        ),
        Case(
            id=f"{surface}/malformed-body",
            surface=surface,
            play=None,
            body=b'{"model": "{model}", "messages": [',
            outcome=Outcome.REFUSED,
            traits=error | {"malformed"},
        ),
        Case(
            id=f"{surface}/unknown-path",
            surface=surface,
            play=None,
            path=_NOWHERE[surface],
            outcome=Outcome.REFUSED,
            traits=error | {"unknown-path"},
        ),
    )


def _cases(surface: Surface) -> tuple[Case, ...]:
    status_500 = Fault(kind=FaultKind.STATUS, status=500)
    return (
        *(_failing(surface, fault, stream=True) for fault in _STREAMED),
        *(_failing(surface, fault, stream=False) for fault in _WHOLE),
        Case(
            id=f"{surface}/status-500",
            surface=surface,
            play=Play(recording=f"{surface}/text", fault=status_500),
            outcome=Outcome.UPSTREAM_ERROR,
            traits=frozenset({"error"}),
            account=True,
        ),
        Case(
            id=f"{surface}/status-429.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/text.stream", fault=_LIMITED),
            outcome=Outcome.UPSTREAM_ERROR,
            traits=frozenset({"error", "retry-after"}),
            account=True,
        ),
        _driven(surface, "status-429", _LIMITED, OFFICIAL[surface], stream=False, outcome=Outcome.UPSTREAM_ERROR),
        _driven(
            surface,
            "html-error",
            Fault(kind=FaultKind.HTML_ERROR, status=503),
            OFFICIAL_ASYNC[surface],
            stream=True,
            outcome=Outcome.UPSTREAM_BROKEN,
        ),
        _driven(
            surface,
            "no-terminal",
            Fault(kind=FaultKind.NO_TERMINAL, after_frames=3),
            OFFICIAL[surface],
            stream=True,
            outcome=Outcome.UPSTREAM_BROKEN,
        ),
        *_refused(surface),
    )


CASES: tuple[Case, ...] = tuple(case for surface in TEXT for case in _cases(surface))
