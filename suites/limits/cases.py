"""Keys with small limits, made for the case and deleted after it; one with a window that is seen from five hours later."""

from typing import Final

from harness.case import Case, Fault, FaultKind, Key, Need, Pace, Play, Step, Surface
from suites.steps import MADE, got, made, prompt, unmade

_TEXT: Final = (Play(recording="chat/text"),)
_LONG: Final = (Play(recording="chat/long.stream"),)  # costs some cents
_SLOW: Final = (Play(recording="chat/text.stream", pace=Pace.RECORDED),)
_BURST: Final = 12
_LATER: Final = "{later:/key}"
_IN_STREAM: Final = frozenset({FaultKind.CUT_FIN, FaultKind.CUT_RST, FaultKind.ERROR_EVENT, FaultKind.NO_TERMINAL})
FAILURES: Final = {
    **{f"status-{number}": Fault(kind=FaultKind.STATUS, status=number) for number in (400, 401, 403, 404, 429, 500, 503)},
    **{
        kind.value: Fault(kind=kind)
        for kind in (FaultKind.REFUSE_CONNECT, FaultKind.HTML, FaultKind.HTML_ERROR, FaultKind.ERROR_IN_OK, FaultKind.EMPTY)
    },
    **{kind.value: Fault(kind=kind) for kind in sorted(_IN_STREAM)},
}
_SHORT_OF_A_WINDOW_S: Final = 4 * 3600
_REST_OF_IT_S: Final = 3600 + 10


def _said(name: str, key_from: str, **rest: object) -> Step:
    return Step(name=name, key_from=key_from, request=prompt(), plays=_TEXT, **rest)  # type: ignore[arg-type]  # fields of Step


def _long(name: str, key_from: str = MADE) -> Step:
    return Step(name=name, key_from=key_from, request={**prompt(), "max_tokens": 4000}, stream=True, plays=_LONG)


def _failing(name: str, fault: Fault) -> Step:
    stream = fault.kind in _IN_STREAM
    play = Play(recording="chat/text.stream" if stream else "chat/text", fault=fault)
    return Step(name=name, key_from=MADE, request=prompt(), stream=stream, plays=(play,))


def _advance(name: str, seconds: int) -> Step:
    return Step(name=name, surface=Surface.OTHER, path="{clock}", request={"advance_s": seconds}, everywhere=True)


def _case(name: str, *steps: Step, needs: frozenset[Need] = frozenset({Need.MANAGEMENT}), **rest: object) -> Case:
    return Case(
        id=f"limits/{name}",
        surface=Surface.CHAT,
        play=None,
        steps=steps,
        needs=needs,
        traits=frozenset({"one-model", f"limits-{name}"}),
        account=True,
        **rest,  # type: ignore[arg-type]  # fields of Case
    )


CASES: tuple[Case, ...] = (
    _case(
        "quota",
        made(quota=0.002),
        Step(name="burst", key_from=MADE, request=prompt(), plays=(Play(recording="chat/text", gather=_BURST),), at_once=_BURST),
        unmade(),
    ),
    _case(
        "window",
        made(rate_limit_5h=0.0001, rate_limit_1d=5, quota=1),
        _said("first", MADE, books=True),
        _said("second", MADE, books=True),
        Step(
            name="raised",
            surface=Surface.OTHER,
            method="PUT",
            path="/api/v1/keys/{made:/id}",
            request={"rate_limit_5h": 10},
        ),
        _said("after", MADE),
        unmade(),
    ),
    _case(
        "shown",
        made(rate_limit_5h=1, rate_limit_1d=0.5, quota=2),
        _long("one"),
        _long("two"),
        _said("three", MADE),
        unmade(),
    ),
    _case(
        "apart",
        made(rate_limit_5h=0.5, quota=0.5),
        Step(
            name="later",
            surface=Surface.OTHER,
            path="/api/v1/keys",
            request={"name": "wireproof", "group_id": "{group}", "rate_limit_5h": 0.3, "quota": 0.3},
            secret="/key",
        ),
        _said("before", _LATER),
        _long("spent"),
        Step(
            name="failed",
            key_from=MADE,
            request=prompt(),
            plays=(Play(recording="chat/text", fault=Fault(kind=FaultKind.STATUS, status=500)),),
        ),
        got("now", "/v1/models", key_from=_LATER),
        unmade(),
        unmade("later"),
    ),
    _case(
        "failures",
        made(rate_limit_5h=1, quota=1),
        _said("paid", MADE),
        *(_failing(name, fault) for name, fault in FAILURES.items()),
        got("now", "/v1/models", key_from=MADE),
        unmade(),
    ),
    _case(
        "open",
        Step(name="open", key=Key.CAPPED, stream=True, plays=_SLOW, open=True),
        Step(name="second", key=Key.CAPPED, request=prompt(), plays=_TEXT),
        Step(name="after", key=Key.CAPPED, request=prompt(), plays=_TEXT, last=True),
        needs=frozenset(),
    ),
    _case(
        "later",
        made(rate_limit_5h=0.05),
        _long("one"),
        _advance("four-hours", _SHORT_OF_A_WINDOW_S),
        _long("two"),
        _said("too-much", MADE),
        _advance("five-hours", _REST_OF_IT_S),
        got("now", "/v1/models", key_from=MADE),
        _said("again", MADE),
        unmade(),
        needs=frozenset({Need.MANAGEMENT, Need.CLOCK}),
        serial=True,
    ),
)
