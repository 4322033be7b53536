"""Which price an image has (contract:169, contract:170): by quality, and from 2048x2048 pixels on at the rate of `high`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reference_gateway.billing.prices import PLAIN_IMAGE, Prices
from reference_gateway.images.request import ImageRequest, pixels

HIGH: Final = "high"
MEDIUM: Final = "medium"
LARGE_PIXELS: Final = 2048 * 2048
LARGE_NAMES: Final = ("2K", "4K")
SYNONYMS: Final = {"hd": HIGH, "standard": MEDIUM}


def asked_class(request: ImageRequest, prices: Prices) -> str:
    """The price class of what was asked for; where that is left to the vendor, the dearest one that it may turn out to be."""
    if _is_large(request.size):
        return HIGH
    if request.quality in (None, "auto") or request.size == "auto":
        return max(prices.images, key=prices.image, default=PLAIN_IMAGE)
    return _class(request.quality)


def made_class(request: ImageRequest, details: Mapping[str, Any]) -> str:
    """The price class of what was made: what was asked for in so many words, else what the vendor says of it, else `medium`.

    So a vendor that makes more than it was asked for does so at the operator's cost.
    """
    size = details.get("size") if request.size in (None, "auto") else request.size
    quality = details.get("quality") if request.quality in (None, "auto") else request.quality
    return HIGH if _is_large(size) else _class(quality)


def _class(quality: object) -> str:
    return SYNONYMS.get(quality, quality) if isinstance(quality, str) and quality != "auto" else MEDIUM


def _is_large(size: object) -> bool:
    area = pixels(size) if isinstance(size, str) else None
    return size in LARGE_NAMES if area is None else area[0] * area[1] >= LARGE_PIXELS
