"""JSON values compared as they were spelled: 1.0 is not 1, and an integer beyond 2**53 stays what it is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.verdict import Finding
from suites.evidence import shown, text_findings

ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number, told apart by its spelling."""

    text: str


def spelled(text: str | bytes) -> Any:
    """The value with every number as it was spelled; None where the text is no JSON."""
    try:
        return json.loads(text, parse_int=Number, parse_float=Number)
    except ValueError:
        return None


def plain(value: Any) -> Any:
    """The same value with Python's own numbers, for findings to show."""
    match value:
        case Number(text=text):
            return json.loads(text)
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def differences(expected: Any, got: Any, *, pointer: str = "", frame: int | None = None, offset: int | None = None) -> Iterator[Finding]:
    """A finding for each place where two values differ; texts are cut to what stands around the difference."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key in dict.fromkeys([*expected, *got]):
            at = f"{pointer}/{_escaped(key)}"
            yield from differences(expected.get(key, ABSENT), got.get(key, ABSENT), pointer=at, frame=frame, offset=offset)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for place, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from differences(one, other, pointer=f"{pointer}/{place}", frame=frame, offset=offset)
    elif isinstance(expected, str) and isinstance(got, str):
        for found in text_findings(expected, got, pointer=pointer):
            yield Finding(expected=found.expected, got=found.got, pointer=pointer, frame=frame, offset=offset)
    elif expected != got or type(expected) is not type(got):
        yield Finding(expected=_said(expected), got=_said(got), pointer=pointer, frame=frame, offset=offset)


def keys_of(value: Any, pointer: str = "") -> Iterator[tuple[str, bool]]:
    """The pointer of every field and of every item of a list, and whether it holds null."""
    match value:
        case dict():
            for key, inner in value.items():
                at = f"{pointer}/{_escaped(key)}"
                yield at, inner is None
                yield from keys_of(inner, at)
        case list():
            for place, inner in enumerate(value):
                yield f"{pointer}/{place}", inner is None
                yield from keys_of(inner, f"{pointer}/{place}")


def _said(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    return value.text if isinstance(value, Number) else shown(plain(value))


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
