"""Requests with headers of every sort, and answers whose headers must be kept or not."""

from typing import Final

from harness.case import Case, Fault, FaultKind, Outcome, Play, Surface
from suites.surfaces import OFFICIAL, OFFICIAL_ASYNC, TEXT

BETAS: Final = (
    ("anthropic-beta", "fine-grained-tool-streaming-2025-05-14,context-1m-2025-08-07"),
    ("anthropic-beta", "interleaved-thinking-2025-05-14"),
    ("anthropic-beta", "context-1m-2025-08-07"),
)
INGRESS: Final = (
    ("Cookie", "session=wireproof"),
    ("X-Forwarded-For", "192.0.2.7"),
    ("X-Forwarded-Host", "gateway.example"),
    ("X-Real-IP", "192.0.2.7"),
    ("Forwarded", "for=192.0.2.7"),
    ("CF-Connecting-IP", "192.0.2.7"),
    ("Via", "1.1 edge.example"),
    ("X-Request-Id", "req_of_the_caller"),
)
_OPENAI: Final = (("OpenAI-Organization", "org-wireproof"), ("OpenAI-Project", "proj-wireproof"))
_LIMITED: Final = Fault(
    kind=FaultKind.STATUS, status=429, headers=(("retry-after", "3"), ("retry-after-ms", "3000"), ("x-should-retry", "true"))
)


def _cases(surface: Surface) -> tuple[Case, ...]:
    return (
        Case(
            id=f"{surface}/headers-ingress",
            surface=surface,
            play=Play(recording=f"{surface}/text"),
            headers=INGRESS,
            traits=frozenset({"ingress", "exact"}),
        ),
        Case(
            id=f"{surface}/headers-limited",
            surface=surface,
            play=Play(recording=f"{surface}/text", fault=_LIMITED),
            outcome=Outcome.UPSTREAM_ERROR,
            traits=frozenset({"error", "retry-after"}),
        ),
        Case(
            id=f"{surface}/headers-sdk.stream",
            surface=surface,
            stream=True,
            client=OFFICIAL[surface],
            play=Play(recording=f"{surface}/text.stream"),
            traits=frozenset({"sdk-id", "exact"}),
        ),
        Case(
            id=f"{surface}/headers-sdk",
            surface=surface,
            client=OFFICIAL_ASYNC[surface],
            play=Play(recording=f"{surface}/text"),
            traits=frozenset({"sdk-id", "exact"}),
        ),
    )


CASES: tuple[Case, ...] = (
    *(case for surface in TEXT for case in _cases(surface)),
    *(
        Case(
            id=f"messages/headers-beta{dot}",
            surface=Surface.MESSAGES,
            stream=bool(dot),
            play=Play(recording=f"messages/text{dot}"),
            headers=(("anthropic-version", version), *BETAS),
            traits=frozenset({"beta", "exact"}),
        )
        for dot, version in (("", "2023-06-01"), (".stream", "2026-10-21"))
    ),
    *(
        Case(
            id=f"{surface}/headers-organization",
            surface=surface,
            play=Play(recording=f"{surface}/text"),
            headers=(*_OPENAI, ("OpenAI-Beta", "responses_multi_agent=v1")),
            traits=frozenset({"organization", "exact"}),
        )
        for surface in (Surface.CHAT, Surface.RESPONSES)
    ),
)
