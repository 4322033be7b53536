"""Chat's `usage` and the ask's `Tokens`, by the formulas of translation.md 3.8.

`prompt_tokens` includes what was read from a cache and written to one, `Tokens.input` neither; what is absent is not zero.
"""

from __future__ import annotations

from typing import Any

from reference_gateway.translation.items import Tokens


def count(value: object) -> int | None:
    """A count; None for what is absent, and for what no count can be (negative, a fraction, a string)."""
    return value if type(value) is int and value >= 0 else None


def read_usage(usage: object) -> Tokens | None:
    """DeepSeek's `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens` are read where OpenAI's names are absent."""
    if not isinstance(usage, dict):
        return None
    prompt, output = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    hit = count(usage.get("prompt_cache_hit_tokens"))
    if prompt is None:
        miss = count(usage.get("prompt_cache_miss_tokens"))
        prompt = None if hit is None or miss is None else hit + miss
    if prompt is None or output is None:
        return None
    prompt_details, output_details = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    read, written, reasoning = hit, None, None
    if isinstance(prompt_details, dict):
        cached, written = count(prompt_details.get("cached_tokens")), count(prompt_details.get("cache_write_tokens"))
        read = hit if cached is None else cached
    if isinstance(output_details, dict):
        reasoning = count(output_details.get("reasoning_tokens"))
    # Parts of the prompt: no more than it.
    if read is not None:
        read = min(read, prompt)
    if written is not None:
        written = min(written, prompt - (read or 0))
    return Tokens(input=prompt - (read or 0) - (written or 0), output=output, cache_read=read, cache_write_5m=written, reasoning=reasoning)


def write_usage(tokens: Tokens) -> dict[str, Any]:
    written = None
    if tokens.cache_write_5m is not None or tokens.cache_write_1h is not None:
        written = (tokens.cache_write_5m or 0) + (tokens.cache_write_1h or 0)
    prompt = tokens.input + (tokens.cache_read or 0) + (written or 0)
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": tokens.output, "total_tokens": prompt + tokens.output}
    if tokens.cache_read is not None or written is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": tokens.cache_read or 0}  # the vendor's details always have it
    if written is not None:
        usage["prompt_tokens_details"]["cache_write_tokens"] = written
    if tokens.reasoning is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning}
    return usage
