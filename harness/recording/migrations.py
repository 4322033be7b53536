"""Older recording formats, each brought one step forward. A step takes all lines of a file and gives the lines of the next format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

Lines: TypeAlias = Sequence[Mapping[str, Any]]


def migrate_0_to_1(lines: Lines) -> Lines:
    """Format 0, before the first release: `provider` and `day`, headers as an object, no word on surface, fidelity or source."""
    header, request, response, *rest = lines
    sent = request["request"]
    answered = response["response"]
    return [
        {
            "format": 1,
            "vendor": header["provider"],
            "surface": _surface(sent["path"]),
            "model": header.get("model"),
            "stream": header["stream"],
            "origin": header["origin"],
            "recorded_on": header["day"],
            "recorder": header.get("recorder", "unknown"),
            "fidelity": "exact",
            "provenance": "recorded",
            "source": None,
            "redactions": header["redactions"],
            "notes": [],
        },
        {"request": {**sent, "headers": [list(pair) for pair in sent["headers"].items()]}},
        {"response": {**answered, "headers": [list(pair) for pair in answered["headers"].items()]}},
        *rest,
    ]


def _surface(path: str) -> str:
    # Format 0 was only ever written for these four.
    ends = {"/chat/completions": "chat", "/responses": "responses", "/messages": "messages"}
    bare = path.partition("?")[0]
    if "generateContent" in bare.replace("streamG", "g"):
        return "gemini"
    return next((surface for end, surface in ends.items() if bare.endswith(end)), "other")


# By the format they read; format.py asks for each step up to its own.
MIGRATIONS: Final[Mapping[int, Callable[[Lines], Lines]]] = {0: migrate_0_to_1}
