from dataclasses import replace
from pathlib import Path

import pytest

from reference_gateway.billing.prices import PriceChange, Prices, PriceTable, Usage
from reference_gateway.storage import prices as stored
from reference_gateway.storage.sqlite import Store

PRICES = Prices(input=1_250_000, output=10_000_000, cache_read=125_000, cache_write_5m=1_562_500, cache_write_1h=2_500_000)


def costs(output: int) -> Prices:
    return replace(PRICES, output=output)


def change(valid_from_ms: int, output: int, model: str = "m") -> PriceChange:
    return PriceChange(model=model, valid_from_ms=valid_from_ms, prices=costs(output))


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(), 0),
        (Usage(input_tokens=1), 1),  # 1.25
        (Usage(input_tokens=2), 3),  # 2.5, half up
        (Usage(cache_read_tokens=3), 0),  # 0.375
        (Usage(cache_read_tokens=4), 1),  # 0.5
        (Usage(input_tokens=1, cache_read_tokens=2, cache_write_5m_tokens=4, cache_write_1h_tokens=2, output_tokens=3), 43),  # 42.75
    ],
)
def test_a_cost_is_rounded_half_up_once(usage: Usage, cost: int) -> None:
    assert PRICES.cost(usage) == cost


def test_images_are_priced_by_the_piece_and_their_class() -> None:
    """contract:169, contract:170."""
    prices = replace(PRICES, images={"default": 40_000, "high": 170_000})
    assert prices.cost(Usage(images=3)) == 120_000
    assert prices.cost(Usage(images=2, image_class="high")) == 340_000
    assert prices.cost(Usage(images=1, image_class="sepia")) == 40_000
    assert prices.cost(Usage(input_tokens=2, images=1)) == 40_003
    assert PRICES.cost(Usage(images=1)) == 0


def test_the_price_in_force_is_that_of_the_newest_change_that_has_come() -> None:
    table = PriceTable([change(2000, 2), change(0, 1), change(3000, 3)])
    found = [table.at("m", at).output for at in (0, 1999.9, 2000, 2500, 3000, 9e12, 1999, 0)]
    assert found == [1, 1, 2, 2, 3, 3, 1, 1]
    assert PriceTable([change(2000, 2)]).at("m", 5).output == 2  # before the first, the first
    with pytest.raises(KeyError):
        table.at("unknown", 0)


async def kept(store: Store, declared: list[PriceChange], now_ms: int) -> list[tuple[int, int]]:
    table = PriceTable()
    await stored.keep(store, table, declared, now_ms)
    return [(change.valid_from_ms, change.prices.output) for change in table.changes("m")]


async def test_what_the_configuration_says_now_is_in_force_from_now_on_and_what_it_said_is_kept(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "books"))
    assert await kept(store, [change(0, 1)], 100) == [(0, 1)]
    assert await kept(store, [change(0, 1)], 200) == [(0, 1)]  # a restart is no change
    assert await kept(store, [change(0, 5)], 300) == [(0, 1), (300, 5)]
    assert await kept(store, [change(0, 5), change(900, 7)], 400) == [(0, 1), (300, 5), (900, 7)]  # announced
    assert await kept(store, [change(0, 5), change(800, 8)], 500) == [(0, 1), (300, 5), (800, 8)]  # announced otherwise
    assert await kept(store, [change(0, 5), change(800, 8)], 850) == [(0, 1), (300, 5), (800, 8)]  # it has come
    assert await kept(store, [change(0, 5)], 900) == [(0, 1), (300, 5), (800, 8), (900, 5)]  # taken back
    assert await kept(store, [], 950) == [(0, 1), (300, 5), (800, 8), (900, 5)]  # a model that is no longer sold
    await store.close()


async def test_image_prices_are_kept_too() -> None:
    store, table = Store(":memory:"), PriceTable()
    images = replace(PRICES, images={"default": 40_000, "high": 170_000})
    await stored.keep(store, table, [PriceChange(model="m", valid_from_ms=0, prices=images)], 1)
    assert table.at("m", 1) == images
    await store.close()
