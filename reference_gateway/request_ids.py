"""The id of a request, under which caller, ledger, log and trace know it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

RANDOM_BYTES: Final = 8
DRAWN_AT_ONCE: Final = 512  # a system call for each id would cost as much as all the rest of it


def _random() -> Iterator[str]:
    while True:
        drawn = os.urandom(RANDOM_BYTES * DRAWN_AT_ONCE).hex()
        for at in range(0, len(drawn), 2 * RANDOM_BYTES):
            yield drawn[at : at + 2 * RANDOM_BYTES]


_next_random: Final = _random().__next__


def new_request_id() -> str:
    """Begins with the time, so that the ledger's indexes grow at their end; 64 random bits make it nobody's guess."""
    return f"req_{time.time_ns() // 1_000_000:012x}{_next_random()}"
