"""Messages' `usage` and the ask's `Tokens` (translation.md 3.8): the counts are disjoint on both sides, so nothing is added or taken away.

`input_tokens` counts neither cache reads nor writes. What is absent or null is not zero: None here, null there. An answer that came to be
in several `iterations` (a compaction, an adviser's word, a second model's try) is counted in the sum of them: the counts beside them are
those of the last ones only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reference_gateway.translation.items import Tokens


def count(value: object) -> int | None:
    """A count; None for what is absent, and for what no count can be (negative, a fraction, a string)."""
    return value if type(value) is int and value >= 0 else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def read_usage(usage: object) -> Tokens | None:
    """None where a count that has to be there is not.

    The writes of an hour are told apart by `cache_creation`; all others are those of five minutes, as the ledger has it.
    """
    said = _object(usage)
    if "iterations" in said:
        said = _summed(said)
    input_tokens, output = count(said.get("input_tokens")), count(said.get("output_tokens"))
    if input_tokens is None or output is None:
        return None
    written, hour = count(said.get("cache_creation_input_tokens")), None
    if by_ttl := _object(said.get("cache_creation")):
        five, hour = count(by_ttl.get("ephemeral_5m_input_tokens")), count(by_ttl.get("ephemeral_1h_input_tokens"))
        if written is None and (five is not None or hour is not None):
            written = (five or 0) + (hour or 0)
        if written is not None and hour is not None:
            hour = min(hour, written)
    details = said.get("output_tokens_details")
    return Tokens(
        input=input_tokens,
        output=output,
        cache_read=count(said.get("cache_read_input_tokens")),
        cache_write_5m=None if written is None else written - (hour or 0),
        cache_write_1h=hour,
        reasoning=count(details.get("thinking_tokens")) if isinstance(details, dict) else None,
    )


def _summed(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """The usage, its counts those of all its iterations. One of them without its counts says nothing about the whole."""
    given = usage.get("iterations")
    iterations = [_object(each) for each in given] if isinstance(given, list) else []
    if not iterations or any(count(each.get(name)) is None for each in iterations for name in ("input_tokens", "output_tokens")):
        return usage
    whole: dict[str, Any] = dict(usage)
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        counts = [found for each in iterations if (found := count(each.get(name))) is not None]
        if counts:
            whole[name] = sum(counts)
    by_ttl = [_object(each.get("cache_creation")) for each in iterations]
    if any(by_ttl):
        names = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        whole["cache_creation"] = {name: sum(count(each.get(name)) or 0 for each in by_ttl) for name in names}
    return whole


def merge(earlier: Mapping[str, Any], later: object) -> dict[str, Any]:
    """The counts of message_delta are of the whole answer: what is there takes the place of what message_start said, nothing is added."""
    said = _object(later)
    if None in said.values():
        said = {name: value for name, value in said.items() if value is not None}
    return {**earlier, **said}


def write_usage(tokens: Tokens | None) -> dict[str, Any]:
    """The members are the same whole and streamed; both counts have to be there, so an upstream that was silent gives zeros."""
    if tokens is None:
        return {"input_tokens": 0, "cache_creation_input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 0}
    written = None
    if tokens.cache_write_5m is not None or tokens.cache_write_1h is not None:
        written = (tokens.cache_write_5m or 0) + (tokens.cache_write_1h or 0)
    usage: dict[str, Any] = {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cache_read,
    }
    if tokens.cache_write_1h is not None:
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m or 0,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        }
    usage["output_tokens"] = tokens.output
    if tokens.reasoning is not None:
        usage["output_tokens_details"] = {"thinking_tokens": tokens.reasoning}
    return usage
