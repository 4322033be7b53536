"""Keys made, shown, changed, rotated and deleted through the gateway's own API, and used in between."""

from typing import Final

from harness.case import Case, Key, Need, Outcome, Pace, Play, Step, Surface
from suites.steps import KEYS, MADE, got, made, prompt, unmade

_TEXT: Final = (Play(recording="chat/text"),)
_SLOW: Final = {surface: (Play(recording=f"{surface}/long.stream", pace=Pace.RECORDED),) for surface in (Surface.CHAT, Surface.MESSAGES)}
_EVERYWHERE: Final = ["0.0.0.0/0", "::/0"]
FIELDS: Final = {
    "name": "wireproof",
    "quota": 1.5,
    "rate_limit_5h": 0.5,
    "rate_limit_1d": 1,
    "rate_limit_7d": 2.25,
    "ip_whitelist": ["127.0.0.0/8", "::1/128"],
    "ip_blacklist": ["192.0.2.0/24"],
}
BAD_FIELDS: Final = (("quota", -1), ("rate_limit_5h", "much"), ("ip_whitelist", ["not-a-network"]), ("group_id", "no-such-group-9-9"))


def _call(name: str, key_from: str) -> Step:
    return Step(name=name, key_from=key_from, request=prompt(), plays=_TEXT)


def _case(name: str, *steps: Step, surface: Surface = Surface.CHAT) -> Case:
    return Case(
        id=f"keys/{name}" if surface is Surface.CHAT else f"keys/{name}-{surface}",
        surface=surface,
        play=None,
        steps=steps,
        needs=frozenset({Need.MANAGEMENT}),
        traits=frozenset({"one-model", f"keys-{name}"}),
        account=True,
    )


def _cut_off(surface: Surface) -> Case:
    return _case(
        "deleted-in-mid-stream",
        made(),
        Step(name="open", surface=surface, key_from=MADE, stream=True, plays=_SLOW[surface], open=True),
        unmade(),
        surface=surface,
    )


def _kept_out(surface: Surface) -> Case:
    return _case(
        "from-elsewhere",
        made(ip_blacklist=_EVERYWHERE),
        Step(name="call", surface=surface, key_from=MADE, request=prompt() if surface is not Surface.GEMINI else None),
        unmade(),
        surface=surface,
    )


CASES: tuple[Case, ...] = (
    _case(
        "lifecycle",
        made(**FIELDS),
        got("list", KEYS),
        got("show", f"{KEYS}/{{made:/id}}"),
        got("reveal", f"{KEYS}/{{made:/id}}/reveal"),
        _call("works", MADE),
        Step(name="rotated", surface=Surface.OTHER, path=f"{KEYS}/{{made:/id}}/rotate", request={}, secret="/key"),
        _call("old", MADE),
        _call("new", "{rotated:/key}"),
        unmade(),
        _call("gone", "{rotated:/key}"),
        got("unknown", f"{KEYS}/{{made:/id}}"),
    ),
    _cut_off(Surface.CHAT),
    _cut_off(Surface.MESSAGES),
    _kept_out(Surface.CHAT),
    _kept_out(Surface.MESSAGES),
    _kept_out(Surface.GEMINI),
    _case(
        "bad-fields",
        *(
            Step(name=name.replace("_", "-"), surface=Surface.OTHER, path=KEYS, request={"name": "w", "group_id": "{group}", name: wrong})
            for name, wrong in BAD_FIELDS
        ),
    ),
    _case(
        "of-others",
        made(),
        got("show", f"{KEYS}/{{made:/id}}", key=Key.OTHER_ACCOUNT),
        Step(name="delete", surface=Surface.OTHER, method="DELETE", path=f"{KEYS}/{{made:/id}}", key=Key.OTHER_ACCOUNT),
        got("list", KEYS, key=Key.OTHER_ACCOUNT),
        _call("works", MADE),
        unmade(),
    ),
    *(
        Case(
            id=f"{surface}/key-{key}",
            surface=surface,
            play=None,
            key=key,
            outcome=Outcome.REFUSED,
            traits=frozenset({"error", "bad-key"}),
        )
        for surface, key in ((Surface.CHAT, Key.REVOKED), (Surface.MESSAGES, Key.EXPIRED), (Surface.GEMINI, Key.REVOKED))
    ),
)
