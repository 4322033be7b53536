"""How often each field stands in an answer: the same for client and vendor, however the answer is cut into events."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from harness.verdict import Finding, Inconclusive, Verdict
from suites.evidence import conclude, first_difference


def same_fields(sent: Sequence[Any], got: Sequence[Any]) -> Verdict:
    """Null is told apart from a value, and places in arrays are not told apart."""
    if not sent:
        return Inconclusive("the vendor sent no answer of this protocol")
    wanted, came = (Counter(field for value in values for field in _fields(value, "")) for values in (sent, got))
    findings = [
        Finding(pointer=pointer, expected=f"{wanted[pointer, form]} times {form}", got=f"{came[pointer, form]} times {form}")
        for pointer, form in {**wanted, **came}
        if wanted[pointer, form] != came[pointer, form]
    ]
    return conclude(findings, f"{came.total()} fields, as the vendor sent them")


def _fields(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{pointer}/{key}", "null" if item is None else "a value"
            yield from _fields(item, f"{pointer}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, f"{pointer}/-")


def same_obfuscation(sent: Sequence[dict[str, Any]], got: Sequence[dict[str, Any]]) -> Verdict:
    """The padding of each event that has some, in order."""
    wanted, came = ([event["obfuscation"] for event in events if "obfuscation" in event] for events in (sent, got))
    if not wanted:
        return Inconclusive("the vendor sent no obfuscation")
    if wanted == came:
        return conclude([], f"{len(came)} events with the padding that they were sent with")
    expected, other = first_difference(json.dumps(wanted), json.dumps(came))
    return conclude([Finding(pointer="/obfuscation", expected=expected, got=other)], "")
