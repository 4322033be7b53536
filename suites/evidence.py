"""Small parts of which checks are put together: findings with their place, and verdicts with their counts."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from harness.case import Case, Route
from harness.exchange import End, Exchange, Seen
from harness.requirement import Clause
from harness.verdict import Failed, Finding, Passed, Side, Verdict

MOST: Final = 5  # findings that one verdict shows: the rest say the same again
_SHOWN: Final = 120  # characters of a value that a finding shows


def shown(value: Any) -> str:
    """A JSON value as a finding shows it: short, and in one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}… ({len(text)} characters)"


def at(seen: Seen, *, expected: str, got: str, pointer: str | None = None) -> Finding:
    """A finding in one event that reached the client."""
    return Finding(expected=expected, got=got, frame=seen.frame, offset=seen.offset, pointer=pointer)


def in_books(expected: str, got: str) -> Finding:
    """A finding in what the account shows: balance, charges, usage rows."""
    return Finding(side=Side.ACCOUNT, expected=expected, got=got)


def clause(source: str, section: str, says: str) -> Clause:
    return Clause(source=source, section=section, says=says)


def contract_clause(claim: str, says: str) -> Clause:
    """`claim`: its number, several, or a ruling's name."""
    return clause("wireproof-contract", claim, says)


def conclude(findings: Sequence[Finding], saw: str) -> Verdict:
    return Failed(*findings[:MOST]) if findings else Passed(saw)


def first_difference(expected: str, got: str) -> tuple[str, str]:
    """Both texts, cut to what stands around the first character in which they differ."""
    same = next(
        (place for place, (one, other) in enumerate(zip(expected, got, strict=False)) if one != other), min(len(expected), len(got))
    )
    start = max(0, same - 20)

    def around(text: str) -> str:
        return f"{shown(text[start : same + 40])}, differing at character {same} of {len(text)}"

    return around(expected), around(got)


def text_findings(expected: str, got: str, *, pointer: str | None = None, side: Side = Side.CLIENT) -> list[Finding]:
    """One finding where two texts differ, none where they are equal."""
    if expected == got:
        return []
    wanted, came = first_difference(expected, got)
    return [Finding(expected=wanted, got=came, pointer=pointer, side=side)]


def whole_stream(exchange: Exchange) -> bool:
    """Whether the client's stream came to its end by itself, so that what is missing in it is missing for good."""
    response = exchange.client.response
    return response is not None and response.is_sse and response.end is End.EOF


def native_upstream(exchange: Exchange) -> bool:
    """Whether the client's answer can be compared with the upstream's own, in the same protocol."""
    return exchange.route is Route.NATIVE and bool(exchange.upstream) and exchange.upstream[-1].response is not None


def shows(*traits: str) -> Callable[[Case], bool]:
    """For Given.also: the case's recording has one of the traits, or is a vendor's own traffic, which may show anything."""
    return lambda case: "played" in case.traits or not case.traits.isdisjoint(traits)
