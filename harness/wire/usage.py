"""What an answer says it used, in one form for all protocols.

Absent (None) is not 0: a vendor that says nothing about its cache did not say that nothing was cached.
"""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by class. The four input classes do not overlap; reasoning is a part of output."""

    input_tokens: int | None = None  # neither read from nor written to a cache
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None  # all writes, however long they are kept
    cache_write_5m_tokens: int | None = (
        None  # of cache_write_tokens; after server tools Anthropic's split may say 0 and 0 beside a full count
    )
    cache_write_1h_tokens: int | None = None  # of cache_write_tokens
    output_tokens: int | None = None  # reasoning included
    reasoning_tokens: int | None = None  # of output_tokens
    total_tokens: int | None = None  # as the vendor states it, not a sum of ours


def without(full: int | None, *parts: int | None) -> int | None:
    """A count less those parts of it that are known; never below 0, since some vendors' arithmetic does not add up."""
    return None if full is None else max(0, full - sum(part or 0 for part in parts))


def number(value: object) -> int | None:
    """A field that may be UNSET or null as a count or None."""
    return value if isinstance(value, int) else None
