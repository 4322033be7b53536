"""Images asked for in every way: one and several, in the answer and by link, too few, refused and failed."""

from typing import Any, Final

from harness.case import MARKER, Case, Client, Fault, FaultKind, Key, Play, Step, Surface
from suites.steps import got

_ONE: Final = (Play(recording="images/one"),)
_FAILED: Final = (Play(recording="images/one", fault=Fault(kind=FaultKind.STATUS, status=500)),)


def asked(count: int = 1, form: str = "b64_json", **more: Any) -> dict[str, Any]:
    prompt = f"A lighthouse at dusk, in few colours. {MARKER}"
    return {"prompt": prompt, "n": count, "size": "1024x1024", "quality": "medium", "response_format": form, **more}


def _step(name: str, request: dict[str, Any], plays: tuple[Play, ...]) -> Step:
    return Step(name=name, surface=Surface.IMAGES, request=request, plays=plays)


CASES: tuple[Case, ...] = (
    Case(
        id="images/made",
        surface=Surface.IMAGES,
        play=None,
        steps=(
            _step("one", asked(), _ONE),
            _step("three", asked(3), (Play(recording="images/three"),)),
            _step("partial", asked(3), (Play(recording="images/partial"),)),
            _step("link", asked(form="url"), _ONE),
            got("fetched", "{link:/data/0/url}", key=Key.MISSING),
            got("forged", "{link:/data/0/url}0", key=Key.MISSING),
            _step("blocked", asked(), (Play(recording="images/blocked"),)),
            _step("failed", asked(), _FAILED),
            _step("too-many", asked(9), ()),
        ),
        traits=frozenset({"one-model", "images-made"}),
        account=True,
    ),
    *(
        Case(
            id=f"images/sdk-{client}",
            surface=Surface.IMAGES,
            client=client,
            request={"prompt": "A lighthouse at dusk, in few colours.", "n": 3, "size": "1024x1024", "quality": "medium"},
            play=Play(recording="images/three"),
            traits=frozenset({"one-model", "images-sdk"}),
        )
        for client in (Client.OPENAI, Client.OPENAI_ASYNC)
    ),
)
