"""The `usage` of Responses and the ask's `Tokens`, by the formulas of translation.md 3.8.

`input_tokens` includes what was read from a cache and written to one, `Tokens.input` neither. What is absent is not zero.
"""

from __future__ import annotations

from typing import Any

from reference_gateway.translation.items import Tokens


def _count(value: dict[str, Any], name: str) -> int | None:
    """The count of that name; None for what is absent, and for what no count can be (negative, a fraction, a string)."""
    found = value.get(name)
    return found if type(found) is int and found >= 0 else None


def _details(usage: dict[str, Any], name: str) -> dict[str, Any]:
    """Empty where there are none."""
    found = usage.get(name)
    return found if isinstance(found, dict) else {}


def read_usage(usage: object) -> Tokens | None:
    """Tokens that were written to be kept for 30 minutes are the class of 5 minutes, those for 12 hours the class of 1 hour."""
    if not isinstance(usage, dict):
        return None
    prompt, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if prompt is None or output is None:
        return None
    read = written = long = None
    if details := _details(usage, "input_tokens_details"):
        read, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
        # Parts of the prompt: no more than it.
        read = None if read is None else min(read, prompt)
        written = None if written is None else min(written, prompt - (read or 0))
        long = _count(_details(details, "cache_write_tokens_details"), "ttl_12h_tokens")
        long = None if long is None or written is None else min(long, written)
    return Tokens(
        input=prompt - (read or 0) - (written or 0),
        output=output,
        cache_read=read,
        cache_write_5m=None if written is None else written - (long or 0),
        cache_write_1h=long,
        reasoning=_count(_details(usage, "output_tokens_details"), "reasoning_tokens"),
    )


def write_usage(tokens: Tokens | None) -> dict[str, Any] | None:
    """The SDK's type wants every count, so that one of which nothing was said is 0; None where nothing at all was said."""
    if tokens is None:
        return None
    read = tokens.cache_read or 0
    written = (tokens.cache_write_5m or 0) + (tokens.cache_write_1h or 0)
    prompt = tokens.input + read + written
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cache_write_tokens": written, "cached_tokens": read},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning or 0},
        "total_tokens": prompt + tokens.output,
    }
