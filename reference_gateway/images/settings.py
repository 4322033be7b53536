"""What the configuration says of images and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSettings:
    """`public_url` begins the links to images; "" leaves it to the name by which each caller finds the gateway.

    Callbacks and vendors' image URLs lead to public addresses only, unless `allow_private` says that the network is one's own.
    """

    folder: Path
    public_url: str = ""
    tasks_at_once: int = 8
    allow_private: bool = False
