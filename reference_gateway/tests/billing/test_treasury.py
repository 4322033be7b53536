"""Admission and settlement over a real store: restarts, crashes, windows, quota, and a disk that cannot be written."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.prices import Prices, Usage
from reference_gateway.billing.treasury import Treasury, usd
from reference_gateway.config import Config, load
from reference_gateway.errors import Refusal
from reference_gateway.operations.demo import demo_config
from reference_gateway.storage import usage
from reference_gateway.storage.sqlite import Store

USAGE = Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=200)
COST = 1250 + 1000 + 25
PRICES = Prices(input=1_250_000, output=10_000_000, cache_read=125_000, cache_write_5m=1_250_000, cache_write_1h=1_250_000)
SERVED: Any = {"model": "gpt-5-5", "surface": "chat", "provider": "openai", "channel": "first"}


def demo(folder: Path, changes: tuple[tuple[str, str], ...] = ()) -> Config:
    file = demo_config("http://127.0.0.1:9", folder, accounts=1).config
    text = file.read_text()
    for old, new in changes:
        text = text.replace(old, new)
    file.write_text(text)
    return load(file)


async def opened(config: Config, now: list[float] | None = None, synchronous: str = "normal") -> tuple[Store, Treasury, Key]:
    store = Store(config.database, synchronous)
    treasury = Treasury(
        store, config.accounts, prices=config.catalog.price_changes, clock=(lambda: now[0]) if now else (lambda: 1_800_000_000.0)
    )
    await treasury.open()
    return store, treasury, next(key for key in config.keys if key.id == "key-1")


@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_a_restart_finds_everything_and_releases_what_was_held(synchronous: str, tmp_path: Path) -> None:
    config = demo(tmp_path)
    store, treasury, key = await opened(config, synchronous=synchronous)
    settled = await treasury.hold(key, "r1", 5_000, PRICES)
    released = await treasury.hold(key, "r2", 5_000, PRICES)
    await treasury.hold(key, "r3", 5_000, PRICES)
    assert await treasury.settle(settled, USAGE, **SERVED) == COST
    await treasury.release(released)
    assert (await treasury.wallet(key.account)).held == 5_000
    await store.close()  # as after a crash, r3 was never ended

    store, treasury, key = await opened(config, synchronous=synchronous)
    wallet = await treasury.wallet(key.account)
    assert (wallet.topped_up, wallet.spent, wallet.held) == (100_000_000, COST, 0)
    assert await treasury.spent_by_key(key) == COST
    window = treasury.standing(key).window
    assert window is not None
    assert window.spent == COST
    (row,) = await usage.rows(store, usage.UsageFilter(account=key.account))
    assert (row.request_id, row.cost_micro_usd, row.usage) == ("r1", COST, USAGE)
    await store.close()
    with sqlite3.connect(config.database) as connection:
        kinds = connection.execute("SELECT request_id, kind FROM ledger WHERE key_id != '' ORDER BY id").fetchall()
        assert kinds == [("r1", "hold"), ("r2", "hold"), ("r3", "hold"), ("r1", "settle"), ("r2", "release"), ("r3", "release")]
        settlements = connection.execute("SELECT sum(amount_micro_usd) FROM ledger WHERE kind = 'settle'").fetchone()
        assert settlements == connection.execute("SELECT sum(cost_micro_usd) FROM usage").fetchone()
    connection.close()


async def test_requests_of_one_turn_are_one_commit(tmp_path: Path) -> None:
    store, treasury, key = await opened(demo(tmp_path))
    before = store.commits
    await asyncio.gather(*(treasury.hold(key, f"r{number}", 10, PRICES) for number in range(50)))
    assert store.commits - before == 1
    await store.close()


async def test_a_cost_over_the_hold_is_charged_as_far_as_the_wallet_goes(tmp_path: Path) -> None:
    config = demo(tmp_path, (('balance_usd = "100.00"', 'balance_usd = "0.002"'),))
    store, treasury, key = await opened(config)
    hold = await treasury.hold(key, "r1", 100, PRICES)
    assert await treasury.settle(hold, USAGE, **SERVED) == 2_000
    assert (await treasury.wallet(key.account)).available == 0
    await store.close()


async def test_a_capped_settlement_never_costs_more_than_was_held(tmp_path: Path) -> None:
    config = demo(tmp_path)
    store, treasury, key = await opened(config)
    hold = await treasury.hold(key, "r1", 100, PRICES)
    assert await treasury.settle(hold, USAGE, **SERVED, cap=True) == 100
    (row,) = await usage.rows(store, usage.UsageFilter(account=key.account, request_id="r1"))
    assert row.estimated
    await store.close()


async def test_an_exhausted_window_is_a_429_that_ends_at_its_reset(tmp_path: Path) -> None:
    config = demo(tmp_path, (('limit_5h_usd = "1000.00"', 'limit_5h_usd = "0.002"'),))
    now = [1_800_000_000.0]
    store, treasury, key = await opened(config, now)
    hold = await treasury.hold(key, "r1", 5_000, PRICES)
    with pytest.raises(Refusal, match="5h window"):  # what is held counts while it is held
        await treasury.hold(key, "r2", 1, PRICES)
    await treasury.settle(hold, USAGE, **SERVED)
    now[0] += 100
    with pytest.raises(Refusal, match=r"0.002275 of 0.002 USD") as refused:
        await treasury.hold(key, "r2", 1, PRICES)
    assert refused.value.fault.status == 429
    assert refused.value.headers == ((b"retry-after", b"%d" % (5 * 3600 - 100)),)
    standing = treasury.standing(key)
    assert standing.window is not None
    assert (standing.window.remaining, standing.window.resets_at) == (0, 1_800_000_000 + 5 * 3600)
    now[0] = float(standing.window.resets_at)
    await treasury.release(await treasury.hold(key, "r2", 1, PRICES))
    await store.close()


async def test_a_keys_own_quota_is_a_402(tmp_path: Path) -> None:
    config = demo(tmp_path, (('account = "account-1"', 'account = "account-1"\nquota_usd = "0.003"'),))
    store, treasury, key = await opened(config)
    hold = await treasury.hold(key, "r1", 3_000, PRICES)
    with pytest.raises(Refusal) as refused:
        await treasury.hold(key, "r2", 1, PRICES)
    assert (refused.value.fault.status, refused.value.fault.openai_code) == (402, "quota_exceeded")
    await treasury.settle(hold, USAGE, **SERVED)
    assert treasury.standing(key).credits == 3_000 - COST
    await store.close()


async def test_nothing_is_admitted_on_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    config = demo(tmp_path)
    store, treasury, key = await opened(config)
    store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(Refusal) as refused:
        await treasury.hold(key, "r1", 1_000, PRICES)
    assert refused.value.fault.status == 503
    wallet = await treasury.wallet(key.account)
    assert (wallet.held, wallet.available) == (0, 100_000_000)
    await store.close()


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "0.00"), (1, "0.000001"), (192_400_000, "192.40"), (1_470_000, "1.47"), (99_999_937, "99.999937")]
)
def test_usd(micro: int, text: str) -> None:
    assert usd(micro) == text
