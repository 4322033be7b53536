"""The secret of a key: drawn, checked, and shown masked (contract:020, contract:031, contract:033). Nobody keeps it in clear."""

from __future__ import annotations

import re
import secrets
from typing import Final

PREFIX: Final = "sk-byts-"
_CUSTOM: Final = re.compile(r"sk-byts-[A-Za-z0-9_-]{16,120}")


def draw() -> str:
    """192 random bits."""
    return PREFIX + secrets.token_hex(24)


def custom(text: str) -> str:
    """A secret that the caller has chosen. Raises ValueError with one sentence."""
    if not _CUSTOM.fullmatch(text):
        raise ValueError(f"it must be {PREFIX} and then 16 to 120 letters, digits, - or _.")
    return text


def mask(secret: str) -> str:
    """`sk-byts-...****1234`. Of a secret so short that this would give it away, nothing is shown."""
    return f"{secret[: len(PREFIX)]}...****{secret[-4:]}" if len(secret) >= 2 * (len(PREFIX) + 4) else "****"
