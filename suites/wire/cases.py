"""The same answer cut, spelled, coded and paced in every way that a client may not notice."""

from typing import Final

from harness.case import Case, Framing, Pace, Play, Surface
from suites.surfaces import TEXT

_CUT_BYTES: Final = 97  # prime, so that writes end inside characters, field names and line ends


def _cases(surface: Surface) -> tuple[Case, ...]:
    unicode = f"{surface}/unicode.stream"
    offers_gzip = (("Accept-Encoding", "gzip"),)
    return (
        *(
            Case(
                id=f"{surface}/framing-{framing}.stream",
                surface=surface,
                stream=True,
                play=Play(recording=unicode, framing=framing, split_every=_CUT_BYTES),
                traits=frozenset({"framing", "unicode"}),
            )
            for framing in (Framing.CRLF, Framing.NO_SPACE, Framing.COMMENTS, Framing.NO_LAST_BLANK)
        ),
        Case(
            id=f"{surface}/cut-anywhere.stream",
            surface=surface,
            stream=True,
            play=Play(recording=unicode, split_every=_CUT_BYTES),
            traits=frozenset({"unicode", "exact"}),
        ),
        Case(
            id=f"{surface}/lockstep.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/tools.stream", pace=Pace.LOCKSTEP),
            traits=frozenset({"lockstep", "tools", "exact"}),
        ),
        Case(
            id=f"{surface}/gzip",
            surface=surface,
            play=Play(recording=f"{surface}/unicode", gzip=True),
            headers=offers_gzip,
            traits=frozenset({"gzip", "unicode", "exact"}),
        ),
        Case(
            id=f"{surface}/gzip.stream",
            surface=surface,
            stream=True,
            play=Play(recording=unicode, gzip=True, pace=Pace.LOCKSTEP),
            headers=offers_gzip,
            traits=frozenset({"gzip", "unicode", "lockstep", "exact"}),
        ),
    )


CASES: tuple[Case, ...] = tuple(case for surface in TEXT for case in _cases(surface))
