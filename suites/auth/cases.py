"""The key in every place, and every key that is no good."""

from typing import Final

from harness.case import Case, Client, Key, Outcome, Play, Surface
from harness.runner import WRONG_KEY
from suites.surfaces import OFFICIAL, OFFICIAL_ASYNC, TEXT

# Where a key may stand, beside the client's own way (contract:21 to contract:25, C2).
_PLACES: Final = {
    Surface.CHAT: ("x-api-key",),
    Surface.RESPONSES: ("x-api-key",),
    Surface.MESSAGES: ("Authorization",),
    Surface.GEMINI: ("Authorization", "query"),
}
_BODY_KEY: Final = b'{"model":"gpt-5-4","api_key":"%b","messages":[{"role":"user","content":"hello"}]}'


def _cases(surface: Surface) -> tuple[Case, ...]:
    played = Play(recording=f"{surface}/text")
    bad = (("Authorization", f"Bearer {WRONG_KEY}"),) if surface is not Surface.GEMINI else ()
    return (
        *(
            Case(id=f"{surface}/key-in-{place.lower()}", surface=surface, play=played, key_in=place, traits=frozenset({"key-place"}))
            for place in _PLACES[surface]
        ),
        Case(
            id=f"{surface}/key-missing",
            surface=surface,
            play=None,
            key=Key.MISSING,
            outcome=Outcome.REFUSED,
            traits=frozenset({"error", "bad-key"}),
        ),
        Case(
            id=f"{surface}/key-wrong.stream",
            surface=surface,
            stream=True,
            play=None,
            key=Key.WRONG,
            outcome=Outcome.REFUSED,
            traits=frozenset({"error", "bad-key"}),
        ),
        Case(
            id=f"{surface}/sdk-key-wrong",
            surface=surface,
            client=OFFICIAL[surface],
            play=None,
            key=Key.WRONG,
            outcome=Outcome.REFUSED,
            traits=frozenset({"error", "bad-key"}),
        ),
        *(
            (
                Case(
                    id=f"{surface}/key-good-beside-wrong-bearer",
                    surface=surface,
                    play=played,
                    key_in="x-api-key",
                    headers=bad,
                    traits=frozenset({"key-place", "two-keys"}),
                ),
                Case(
                    id=f"{surface}/key-wrong-beside-good-bearer",
                    surface=surface,
                    play=None,
                    key_in="Authorization",
                    headers=(("x-api-key", WRONG_KEY),),
                    outcome=Outcome.REFUSED,
                    traits=frozenset({"error", "bad-key", "two-keys"}),
                ),
            )
            if bad
            else ()
        ),
        *(
            (
                Case(
                    id=f"{surface}/other-group",
                    surface=surface,
                    play=None,
                    key=Key.OTHER_GROUP,
                    outcome=Outcome.REFUSED,
                    traits=frozenset({"error", "other-group"}),
                ),
                Case(
                    id=f"{surface}/sdk-other-group.stream",
                    surface=surface,
                    stream=True,
                    client=OFFICIAL_ASYNC[surface],
                    play=None,
                    key=Key.OTHER_GROUP,
                    outcome=Outcome.REFUSED,
                    traits=frozenset({"error", "other-group"}),
                ),
            )
            if surface is not Surface.MESSAGES  # the narrow group of the reference gateway is that of the Messages models
            else ()
        ),
    )


CASES: tuple[Case, ...] = (
    *(case for surface in TEXT for case in _cases(surface)),
    Case(
        id="models/key-missing",
        surface=Surface.MODELS,
        method="GET",
        client=Client.RAW,
        play=None,
        key=Key.MISSING,
        outcome=Outcome.REFUSED,
        traits=frozenset({"error", "bad-key"}),
    ),
    Case(
        id="chat/key-in-body",
        surface=Surface.CHAT,
        play=None,
        key=Key.MISSING,
        body=_BODY_KEY % WRONG_KEY.encode(),
        outcome=Outcome.REFUSED,
        traits=frozenset({"error", "bad-key"}),
    ),
)
