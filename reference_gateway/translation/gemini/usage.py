"""Gemini's `usageMetadata` and the ask's `Tokens` (translation.md 3.8).

promptTokenCount includes what was read from a cache; the tokens of the vendor's tools come on top of it, and thoughts on top of
candidatesTokenCount. A count of zero is left out, so what is absent is zero as soon as the prompt is counted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reference_gateway.translation.items import Tokens


class UsageMetadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Only the counts; who counts each by modality says nothing more."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    thoughts_token_count: int | None = None


def _count(value: int | None) -> int:
    return max(0, value or 0)


def read_usage(usage: UsageMetadata | None) -> Tokens | None:
    """None where nothing is counted: a prompt is never of no tokens, so without its count the input is not known, and what was said is.

    Where the total shows that the candidates' count has the thoughts in it, they are not added.
    """
    if usage is None or (usage.prompt_token_count or 0) < 0:  # absurd
        return None
    counted = usage.prompt_token_count is not None
    if not counted and usage.candidates_token_count is None and usage.thoughts_token_count is None:
        return None
    prompt = _count(usage.prompt_token_count) + _count(usage.tool_use_prompt_token_count)
    visible, thoughts = _count(usage.candidates_token_count), _count(usage.thoughts_token_count)
    read = usage.cached_content_token_count
    included = thoughts and thoughts <= visible and usage.total_token_count == prompt + visible
    return Tokens(
        input=max(0, prompt - _count(read)),
        output=visible if included else visible + thoughts,
        cache_read=None if read is None else min(_count(read), prompt),
        reasoning=None if usage.thoughts_token_count is None else thoughts,
        input_counted=counted,
    )


def write_usage(tokens: Tokens) -> dict[str, Any]:
    prompt = tokens.input + (tokens.cache_read or 0) + (tokens.cache_write_5m or 0) + (tokens.cache_write_1h or 0)
    thoughts = min(tokens.reasoning or 0, tokens.output)
    usage = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": tokens.output - thoughts,
        "totalTokenCount": prompt + tokens.output,
    }
    if tokens.cache_read is not None:
        usage["cachedContentTokenCount"] = tokens.cache_read
    if tokens.reasoning is not None:
        usage["thoughtsTokenCount"] = thoughts
    return usage
