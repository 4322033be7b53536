"""ULIDs: 48 bits of Unix milliseconds and 80 random bits in Crockford's base 32, so that they sort by time (github.com/ulid/spec)."""

from __future__ import annotations

import secrets
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 26


def new(now_ms: int) -> str:
    number = (now_ms & (1 << 48) - 1) << 80 | secrets.randbits(80)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


def is_ulid(text: str) -> bool:
    return len(text) == LENGTH and text[0] <= "7" and set(text) <= set(ALPHABET)
