"""JSON bodies and queries of the management endpoints, read field by field: each refusal names the field (`param`) and how to mend it.

A field nobody knows is refused: a misspelt limit must not become no limit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qs

from reference_gateway.accounts.networks import Networks, network
from reference_gateway.catalog import MILLION
from reference_gateway.errors import INVALID_REQUEST, Refusal

MAX_USD: Final = 1_000_000_000
MAX_DAYS: Final = 36_500
MAX_NETWORKS: Final = 200
MAX_NAME: Final = 100


def refuse(param: str, must: str) -> Refusal:
    return Refusal(INVALID_REQUEST, f"{param} {must}", param=param)


class Fields:
    """The members of a JSON object. `close` refuses those that nobody asked for. All readers raise Refusal."""

    def __init__(self, body: bytes) -> None:
        try:
            data = json.loads(body or b"{}", parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refusal(INVALID_REQUEST, "The request body is not JSON.") from None
        if not isinstance(data, dict):
            raise Refusal(INVALID_REQUEST, "The request body must be a JSON object.")
        self._data: dict[str, Any] = data
        self._read: set[str] = set()

    def _take(self, name: str) -> Any:
        self._read.add(name)
        return self._data.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def text(self, name: str, default: str | None = None, *, max_length: int = MAX_NAME) -> str:
        """Required where there is no default; null is absent."""
        value = self._take(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value or len(value) > max_length or not value.isprintable():
            raise refuse(name, f"must be a printable string of 1 to {max_length} characters.")
        return value

    def usd(self, name: str, default: int) -> int:
        """micro-USD; a JSON number or a decimal string; null is 0, which means none (contract:031)."""
        if name not in self._data:
            self._read.add(name)
            return default
        value = self._take(name)
        if value is None:
            return 0
        if isinstance(value, (int, str, Decimal)) and not isinstance(value, bool):
            try:
                micro = Decimal(value) * MILLION
            except InvalidOperation:
                micro = Decimal("NaN")
            if micro.is_finite() and 0 <= micro <= MAX_USD * MILLION and micro == int(micro):
                return int(micro)
        raise refuse(name, f"must be a USD amount from 0 (none) to {MAX_USD}, with at most six decimals.")

    def days(self, name: str) -> float | None:
        """Seconds; null and 0 mean never."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and 0 <= value <= MAX_DAYS:
            return float(value) * 86_400 or None
        raise refuse(name, f"must be a number of days from 0 (never) to {MAX_DAYS}.")

    def networks(self, name: str, default: Networks) -> Networks:
        """A list of addresses and CIDRs, IPv4 and IPv6; null is the empty list."""
        if name not in self._data:
            self._read.add(name)
            return default
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MAX_NETWORKS or not all(isinstance(item, str) for item in value):
            raise refuse(name, f"must be a list of at most {MAX_NETWORKS} networks such as 203.0.113.0/24.")
        try:
            return tuple(network(item) for item in value)
        except ValueError as error:
            raise refuse(name, f"holds what is no network: {error}") from None

    def close(self) -> None:
        for name in self._data:
            if name not in self._read:
                raise refuse(name[:100], f"is not a field here; known are {', '.join(sorted(self._read))}.")


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are not JSON


class Query:
    """The parameters of a URL. Those that nobody asks for are ignored: the caller's key may stand there. Readers raise Refusal."""

    def __init__(self, query: bytes) -> None:
        self._fields = parse_qs(query.decode("latin-1"), keep_blank_values=True)

    def all(self, name: str) -> list[str]:
        return self._fields.get(name, [])

    def text(self, name: str) -> str | None:
        values = self._fields.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise refuse(name, "must be given once.")
        return values[0]

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18 or not low <= int(text) <= high:
            raise refuse(name, f"must be a whole number from {low} to {high}.")
        return int(text)

    def word(self, name: str, known: Iterable[str]) -> str | None:
        text = self.text(name)
        words = list(known)
        if text is not None and text not in words:
            raise refuse(name, f"must be one of {', '.join(words)}.")
        return text

    def moment(self, name: str) -> int | None:
        """Unix milliseconds of an ISO 8601 date or time (UTC unless it says otherwise), or of Unix seconds."""
        text = self.text(name)
        if text is None:
            return None
        for read in (_unix_seconds, _iso):
            if (at_ms := read(text)) is not None:
                return at_ms
        raise refuse(name, "must be a time such as 2026-07-01, 2026-07-01T12:00:00Z, or Unix seconds.")


def _unix_seconds(text: str) -> int | None:
    return int(text) * 1000 if text.isascii() and text.isdigit() and len(text) <= 11 and len(text) != 8 else None


def _iso(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)  # an unescaped + of the zone arrives as a space
    except ValueError:
        return None
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def iso(at_s: float) -> str:
    """2026-07-01T12:00:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
