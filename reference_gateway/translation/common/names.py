"""Names and ids of tools and calls that a vendor takes, for those that it would refuse: the same each time, and no two alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

LONGEST_ID: Final = 64  # of a call, for a vendor of Messages

# openai-chat and anthropic-messages alike: letters, digits, `_` and `-`.
_STRANGE: Final = re.compile(r"[^a-zA-Z0-9_-]")


def fitting(names: Iterable[str], *, longest: int, any_characters: bool = False) -> dict[str, str]:
    """Each name -> what it is called upstream: itself where it fits, else cleaned, cut, and told apart by a hash of the whole name."""
    found: dict[str, str] = {}
    misfits: dict[str, None] = {}
    for name in names:
        if 0 < len(name) <= longest and (any_characters or not _STRANGE.search(name)):
            found[name] = name
        else:
            misfits[name] = None
    if not misfits:
        return found
    taken = set(found)
    for name in misfits:
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        for size in range(8, len(digest) + 1):
            new = f"{_STRANGE.sub('_', name)[: max(0, longest - size - 1)]}_{digest[:size]}"[-longest:]
            if new not in taken:
                break
        found[name] = new
        taken.add(new)
    return found
