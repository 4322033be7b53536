"""What a token, an image, a video and a search cost, by class and by time (C22, C29, C30; contract:090, contract:164 to contract:171).

A price is integer micro-USD per million tokens (or per image, per second, per search), so that a request's cost is one integer division,
rounded half up once.
The price in force when a request is admitted is the price it is settled at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

MILLION: Final = 1_000_000
PLAIN_IMAGE: Final = "default"  # the image class of a model that has one price


class Usage(msgspec.Struct, frozen=True, kw_only=True):  # one a request: a frozen dataclass takes nine times as long to make
    """Tokens by the class they are priced in; the classes are disjoint. Reasoning is part of output (C30).

    `images` counts delivered images, all of one `image_class` (a quality or size that the price table names); `searches` those that the
    vendor ran in the web for the answer.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    images: int = 0
    image_class: str = PLAIN_IMAGE
    searches: int = 0
    video_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """micro-USD per million tokens of each class, per image of each class, per search, per second of video and per video."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    images: Mapping[str, int] = field(default_factory=dict)
    search: int = 0
    video_second: int = 0
    video_submit: int = 0

    def cost(self, usage: Usage) -> int:
        """micro-USD of one request, rounded half up once."""
        total = (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_5m_tokens * self.cache_write_5m
            + usage.cache_write_1h_tokens * self.cache_write_1h
        )
        if usage.images:
            total += usage.images * self.image(usage.image_class) * MILLION
        if usage.searches:
            total += usage.searches * self.search * MILLION
        if usage.video_seconds:
            total += (usage.video_seconds * self.video_second + self.video_submit) * MILLION
        return (total + MILLION // 2) // MILLION

    def image(self, image_class: str = PLAIN_IMAGE) -> int:
        """micro-USD of one image; a class without a price of its own costs what a plain one does."""
        price = self.images.get(image_class)
        return self.images.get(PLAIN_IMAGE, 0) if price is None else price


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """From `valid_from_ms` (Unix milliseconds) on, the model costs this; 0 is from ever."""

    model: str
    valid_from_ms: int
    prices: Prices


class PriceTable:
    """All changes of all models. `at` is asked once a request, so the newest change in force is kept at hand."""

    def __init__(self, changes: Iterable[PriceChange] = ()) -> None:
        self._changes: dict[str, list[PriceChange]] = {}
        self._current: dict[str, tuple[float, float, Prices]] = {}  # from, until (Unix ms), prices
        self.add(changes)

    def add(self, changes: Iterable[PriceChange]) -> None:
        """A change of the same model and time replaces the older one."""
        for change in changes:
            known = [other for other in self._changes.get(change.model, []) if other.valid_from_ms != change.valid_from_ms]
            self._changes[change.model] = sorted([*known, change], key=lambda other: other.valid_from_ms)
            self._current.pop(change.model, None)

    def replace(self, changes: Iterable[PriceChange]) -> None:
        self._changes.clear()
        self._current.clear()
        self.add(changes)

    def models(self) -> tuple[str, ...]:
        return tuple(self._changes)

    def at(self, model: str, at_ms: float) -> Prices:
        """The prices in force; before the first change, the first. Raises KeyError for a model without any."""
        current = self._current.get(model)
        if current is None or not current[0] <= at_ms < current[1]:
            current = self._find(model, at_ms)
        return current[2]

    def _find(self, model: str, at_ms: float) -> tuple[float, float, Prices]:
        changes = self._changes[model]
        index = max(0, bisect_right(changes, at_ms, key=lambda change: change.valid_from_ms) - 1)
        since = -1.0 if index == 0 else changes[index].valid_from_ms
        until = changes[index + 1].valid_from_ms if index + 1 < len(changes) else float("inf")
        current = self._current[model] = (since, until, changes[index].prices)
        return current

    def changes(self, model: str) -> tuple[PriceChange, ...]:
        """Oldest first."""
        return tuple(self._changes.get(model, ()))
