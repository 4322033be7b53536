"""Calls that belong together: repeated, retried, broken off earlier and later, and what the account says of them afterwards."""

from typing import Final

from harness.case import Case, Dialect, Fault, FaultKind, Need, Pace, Play, Step, Surface
from suites.steps import MADE, got, made, prompt, unmade
from suites.surfaces import TEXT

_FAILS: Final = Play(recording="chat/text", fault=Fault(kind=FaultKind.STATUS, status=503))
_WORKS: Final = Play(recording="chat/text")
_TOLD_TWICE: Final = Play(recording="chat/usage.stream", fault=Fault(kind=FaultKind.TERMINAL_TWICE))
_LASTS: Final = Play(recording="chat/parallel-tools.stream", pace=Pace.RECORDED)  # 2.6 s: the account is read meanwhile
_PAID: Final = {**prompt(), "max_tokens": 4000}
CACHE_USES: Final = ("read", "write")
FREE: Final = (
    ("models", "/v1/models"),
    ("account", "/api/v1/me/account"),
    ("balance", "/v1/balance"),
    ("buckets", "/api/v1/me/usage?group_by=api_key"),
    ("row", "/api/v1/usage?request_id={paid:x-request-id}"),
    ("moved", "/api/v1/me/billing/transactions"),
    ("priced", "/api/pricing"),
    ("groups", "/api/v1/groups/available"),
    ("reach", "/api/v1/me/available-models"),
)


def _case(name: str, *steps: Step, surface: Surface = Surface.CHAT, needs: frozenset[Need] = frozenset()) -> Case:
    return Case(
        id=f"billing/{name}" if surface is Surface.CHAT else f"billing/{name}-{surface}",
        surface=surface,
        play=None,
        steps=steps,
        needs=needs,
        traits=frozenset({"one-model", f"billing-{name}"}),
        account=True,
    )


def _hang_up(name: str, after_frames: int) -> Step:
    play = Play(recording="chat/long.stream", pace=Pace.LOCKSTEP)
    return Step(name=name, request=_PAID, stream=True, plays=(play,), abort_after_frames=after_frames)


def _twice(surface: Surface) -> Case:
    whole, stream = Play(recording=f"{surface}/usage"), Play(recording=f"{surface}/usage.stream")
    return _case(
        "twice",
        Step(name="whole", surface=surface, plays=(whole,)),
        Step(name="stream", surface=surface, stream=True, plays=(stream,)),
        Step(name="again", surface=surface, plays=(whole,)),
        surface=surface,
    )


CASES: tuple[Case, ...] = (
    *map(_twice, TEXT),
    _case("held", Step(name="open", request=_PAID, stream=True, plays=(_LASTS,), open=True, books=True)),
    _case(
        "retried",
        Step(name="failed", request=prompt(), plays=(_FAILS,)),
        Step(name="retried", request=prompt(), plays=(_WORKS,)),
    ),
    _case("failover", Step(name="call", model="{failover}", request=prompt(), plays=(_FAILS, _WORKS)), needs=frozenset({Need.FAILOVER})),
    _case("told-twice", Step(name="call", stream=True, plays=(_TOLD_TWICE,))),
    _case("left", _hang_up("soon", 3), _hang_up("later", 30), _hang_up("late", 120)),
    Case(
        id="billing/cache-alike",
        surface=Surface.CHAT,
        upstream=Dialect.ANTHROPIC,
        play=None,
        steps=(
            *(
                Step(name=f"{use}-{surface}", surface=surface, request=request, plays=(Play(recording=f"messages/cache-{use}"),))
                for use in CACHE_USES
                for surface, request in ((Surface.MESSAGES, _PAID), (Surface.CHAT, _PAID))
            ),
        ),
        traits=frozenset({"one-model", "billing-cache-alike"}),
        account=True,
    ),
    _case(
        "documents",
        made(quota=1, rate_limit_5h=1),
        Step(name="failed", key_from=MADE, request=prompt(), plays=(_FAILS,)),
        Step(name="paid", key_from=MADE, request=prompt(), plays=(_WORKS,), books=True),
        *(got(name, path, key_from=MADE) for name, path in FREE),
        unmade(),
        needs=frozenset({Need.MANAGEMENT}),
    ),
)
