"""Parts that cases of several steps and their checks are put together from: keys that are made, and what an answer's headers say."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from harness.case import MARKER, Step, Surface
from harness.exchange import Exchange, StepSeen, UsageRow, value
from harness.verdict import Finding, Inconclusive, Side

KEYS: Final = "/api/v1/keys"
MADE: Final = "{made:/key}"  # the secret of the key that `made` makes
_PROMPT: Final = {"messages": [{"role": "user", "content": f"hello {MARKER}"}], "max_tokens": 64}


def made(**fields: Any) -> Step:
    """A key with these limits."""
    request = {"name": "wireproof", "group_id": "{group}", **fields}
    return Step(name="made", surface=Surface.OTHER, path=KEYS, request=request, secret="/key")


def unmade(name: str = "made") -> Step:
    return Step(name=f"un{name}", surface=Surface.OTHER, method="DELETE", path=f"{KEYS}/{{{name}:/id}}")


def got(name: str, path: str, **rest: Any) -> Step:
    """A document of the gateway's own."""
    return Step(name=name, surface=Surface.OTHER, method="GET", path=path, **rest)


def prompt() -> dict[str, Any]:
    """A small chat request whose most is known, so that little is held for it."""
    return dict(_PROMPT)


def unmet(exchange: Exchange, *names: str) -> Inconclusive | None:
    """Why there is nothing to judge: one of these steps was not sent, or its call not answered."""
    for name in names:
        seen = exchange.step(name)
        if seen.unsent is not None:
            return Inconclusive(f"{name} could not be sent: {seen.unsent}")
        if seen.answer is None:
            return Inconclusive(f"{name} got no answer")
    return None


def failed(exchange: Exchange, *names: str) -> Inconclusive | None:
    """As `unmet`, or that one of them did not succeed: what they are there for did not come about."""
    if (why := unmet(exchange, *names)) is not None:
        return why
    wrong = next((name for name in names if not 200 <= (exchange.step(name).status or 0) < 300), None)
    return None if wrong is None else Inconclusive(f"{wrong} was answered {exchange.step(wrong).status}")


def at(seen: StepSeen, *, expected: str, got: str, pointer: str | None = None) -> Finding:
    """A finding in the answer to one step."""
    return Finding(step=seen.name, expected=expected, got=got, pointer=pointer)


def status(seen: StepSeen, *wanted: int) -> list[Finding]:
    """A finding where the answer's status is none of these."""
    if seen.status in wanted:
        return []
    return [at(seen, expected=f"status {' or '.join(map(str, wanted))}", got=f"status {seen.status}")]


def not_called(seen: StepSeen) -> list[Finding]:
    if not seen.upstream:
        return []
    return [Finding(step=seen.name, side=Side.UPSTREAM, expected="no call", got=f"{len(seen.upstream)} calls")]


def header(seen: StepSeen, name: str) -> str | None:
    return value(seen.answer.headers, name) if seen.answer is not None else None


def header_micro_usd(seen: StepSeen, name: str) -> int | None:
    """None where there is none, or no decimal number of USD."""
    try:
        return int(Decimal(header(seen, name) or "") * 1_000_000)
    except InvalidOperation:
        return None


def micro_usd(amount: Any) -> int | None:
    """Whole micro-USD of what a document says in USD; None for what is no amount."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str)):
        return None
    try:
        return round(Decimal(str(amount)) * 1_000_000)
    except InvalidOperation:
        return None


def new_rows(exchange: Exchange) -> dict[str, UsageRow]:
    """The rows that the case's calls made, by request id."""
    rows = exchange.account.new_rows if exchange.account is not None else None
    return {row.request_id: row for row in rows or ()}


def row_of(exchange: Exchange, seen: StepSeen) -> UsageRow | None:
    """The usage row of a step's first call."""
    return new_rows(exchange).get(header(seen, "x-request-id") or "")


def json_of(seen: StepSeen) -> Any:
    return seen.answer.json if seen.answer is not None else None
