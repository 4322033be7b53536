from __future__ import annotations

import pytest

from reference_gateway.billing.prices import Prices
from reference_gateway.images.prices import asked_class, made_class
from reference_gateway.tests.images.test_vendors import ask

BY_QUALITY = Prices(
    input=0,
    output=0,
    cache_read=0,
    cache_write_5m=0,
    cache_write_1h=0,
    images={"default": 30_000, "low": 10_000, "medium": 40_000, "high": 160_000},
)


@pytest.mark.parametrize(
    ("size", "quality", "details", "held", "billed"),
    [
        ("1024x1024", "low", {"quality": "low"}, 10_000, 10_000),
        ("1024x1024", "standard", {}, 40_000, 40_000),
        ("1024x1024", "hd", {}, 160_000, 160_000),
        ("1024x1024", "unheard-of", {}, 30_000, 30_000),
        ("2048x2048", "low", {}, 160_000, 160_000),  # contract:170
        ("2047x2048", "low", {}, 10_000, 10_000),
        ("4K", "low", {}, 160_000, 160_000),
        # Left to the vendor: the dearest is held, what the vendor says is billed.
        ("1024x1024", None, {"quality": "low"}, 160_000, 10_000),
        ("auto", "low", {"size": "1024x1024"}, 160_000, 10_000),
        (None, "low", {"size": "4096x4096"}, 10_000, 160_000),
        (None, None, {}, 160_000, 40_000),
        ("auto", "auto", {"quality": "auto"}, 160_000, 40_000),
        # Asked for in so many words: what the vendor makes beyond it costs nothing more.
        ("1024x1024", "low", {"size": "4096x4096", "quality": "high"}, 10_000, 10_000),
    ],
)
def test_what_an_image_costs(size: str | None, quality: str | None, details: dict[str, str], held: int, billed: int) -> None:
    request = ask(size=size, quality=quality)
    assert BY_QUALITY.image(asked_class(request, BY_QUALITY)) == held
    assert BY_QUALITY.image(made_class(request, details)) == billed


def test_a_model_with_one_price_has_that_price() -> None:
    plain = Prices(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0, images={"default": 30_000})
    for request in (ask(), ask(size="4096x4096"), ask(quality="high")):
        assert plain.image(asked_class(request, plain)) == plain.image(made_class(request, {})) == 30_000
