"""Calls of every kind and fate, in whose midst the gateway's nodes are killed. One key may spend all it likes, another very little."""

from typing import Any, Final

from harness.case import Case, Fault, FaultKind, Need, Pace, Play, Step, Storm, Surface
from suites.steps import MADE, got, made, prompt, unmade

QUOTA_USD: Final = 0.004  # of the other key: it is spent before the first node is killed
POOR: Final = "poor-"  # begins the name of an act on it
FAILS: Final = frozenset({"refused", "cut", "reset"})  # acts whose vendor fails
LEAVES: Final = "leaves"  # the act whose caller does
_SMALL: Final = "{small:/key}"
_REQUEST: Final = {"input": prompt()["messages"][0]["content"], "max_output_tokens": 64}


def _chat(name: str, key_from: str = MADE, fault: Fault | None = None, *, stream: bool = False, **rest: Any) -> Step:
    play = Play(recording="chat/text.stream" if stream else "chat/text", fault=fault)
    return Step(name=name, key_from=key_from, request=prompt(), stream=stream, plays=(play,), **rest)


def _responses(name: str, *, stream: bool = False) -> Step:
    play = Play(recording="responses/text.stream" if stream else "responses/text")
    return Step(name=name, surface=Surface.RESPONSES, key_from=MADE, request=_REQUEST, stream=stream, plays=(play,))


_ACTS: Final = (
    _chat("whole"),
    _chat("stream", stream=True),
    _responses("whole-response"),
    _responses("streamed-response", stream=True),
    _chat("refused", fault=Fault(kind=FaultKind.STATUS, status=503)),
    _chat("reset", fault=Fault(kind=FaultKind.REFUSE_CONNECT)),
    _chat("cut", fault=Fault(kind=FaultKind.CUT_FIN), stream=True),
    Step(
        name=LEAVES,
        key_from=MADE,
        request=prompt(),
        stream=True,
        plays=(Play(recording="chat/text.stream", pace=Pace.LOCKSTEP),),
        abort_after_frames=3,
    ),
    _chat(f"{POOR}whole", _SMALL),
    _chat(f"{POOR}stream", _SMALL, stream=True),
)

CASES: tuple[Case, ...] = (
    Case(
        id="billing/killed",
        surface=Surface.CHAT,
        play=None,
        steps=(
            made(),
            Step(
                name="small",
                surface=Surface.OTHER,
                path="/api/v1/keys",
                request={"name": "wireproof", "group_id": "{group}", "quota": QUOTA_USD},
                secret="/key",
            ),
            Step(name="storm", storm=Storm(acts=_ACTS)),
            got("account", "/api/v1/me/account"),
            unmade(),
            unmade("small"),
        ),
        needs=frozenset({Need.MANAGEMENT, Need.RESTART}),
        traits=frozenset({"one-model", "billing-killed"}),
        account=True,
        serial=True,
    ),
)
