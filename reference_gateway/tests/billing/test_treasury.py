"""Admission and settlement over a real store: restarts, crashes, windows, quota, and a disk that cannot be written."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.prices import PriceChange, Prices, Usage
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


async def test_a_cost_over_the_hold_is_an_adjustment_and_what_nobody_pays_is_the_operators_loss(tmp_path: Path) -> None:
    config = demo(tmp_path, (('balance_usd = "100.00"', 'balance_usd = "0.002"'),))
    store, treasury, key = await opened(config)
    assert await treasury.settle(await treasury.hold(key, "r1", 100, PRICES), USAGE, **SERVED) == 2_000
    kinds = await store.fetch("SELECT kind, amount_micro_usd AS amount FROM ledger WHERE request_id = 'r1' ORDER BY id", {})
    assert [(row["kind"], row["amount"]) for row in kinds] == [("hold", 100), ("settle", 100), ("adjust", 1_900)]
    (row,) = await usage.rows(store, usage.UsageFilter(account=key.account))
    assert (row.cost_micro_usd, row.loss_micro_usd, row.provider, row.channel) == (2_000, COST - 2_000, "openai", "first")
    await store.close()
    store, treasury, key = await opened(config)
    assert (await treasury.wallet(key.account)).spent == 2_000
    assert await treasury.spent_by_key(key) == 2_000
    await store.close()


async def test_a_settlement_never_takes_more_than_the_keys_quota(tmp_path: Path) -> None:
    store, treasury, key = await opened(demo(tmp_path))
    key = replace(key, quota_micro_usd=1_000)
    other = await treasury.hold(key, "r1", 400, PRICES)
    hold = await treasury.hold(key, "r2", 500, PRICES)
    assert await treasury.settle(hold, USAGE, **SERVED) == 600  # the other's 400 are spoken for
    await treasury.release(other)
    assert await treasury.spent_by_key(key) == 600
    await store.close()


async def test_parallel_requests_cannot_spend_one_quota_twice(tmp_path: Path) -> None:
    """billing-and-storage.md 4.3, invariant 6."""
    store, treasury, key = await opened(demo(tmp_path))
    key = replace(key, quota_micro_usd=10 * COST + COST // 2)

    refused: list[str | None] = []

    async def ask(number: int) -> int:
        try:
            hold = await treasury.hold(key, f"r{number}", COST, PRICES)
        except Refusal as refusal:
            refused.append(refusal.fault.openai_code)
            return 0
        await asyncio.sleep(0)
        return await treasury.settle(hold, USAGE, **SERVED)

    paid = await asyncio.gather(*(ask(number) for number in range(100)))
    assert [amount for amount in paid if amount] == [COST] * 10
    assert refused == ["quota_exceeded"] * 90
    assert treasury.standing(key).credits == COST // 2
    await store.close()


async def test_no_more_requests_at_once_than_the_account_may_have(tmp_path: Path) -> None:
    """contract:195; a task takes a place only while it is admitted."""
    config = demo(tmp_path, (("[accounts.account-1]", "[accounts.account-1]\nmax_concurrency = 2"),))
    store, treasury, key = await opened(config)
    first = await treasury.hold(key, "r1", 10, PRICES)
    task = await treasury.hold(key, "t1", 10, PRICES, task=True)
    second = await treasury.hold(key, "r2", 10, PRICES)
    for task_too in (False, True):
        with pytest.raises(Refusal) as refused:
            await treasury.hold(key, "r3", 10, PRICES, task=task_too)
        assert (refused.value.fault.status, refused.value.fault.openai_code) == (429, "concurrency_limit")
        assert refused.value.headers == ()
    await treasury.release(task)
    with pytest.raises(Refusal):
        await treasury.hold(key, "r3", 10, PRICES)
    await treasury.release(first)
    await treasury.settle(await treasury.hold(key, "r3", 10, PRICES), USAGE, **SERVED)
    await treasury.release(await treasury.hold(key, "r4", 10, PRICES))
    await treasury.release(second)
    await store.write(
        ("INSERT INTO accounts (name, max_concurrency, created_ms) VALUES (:name, 0, 0)", {"name": key.account})  # by the operator: no cap
    )
    await treasury._read_accounts()
    for number in range(5, 9):
        await treasury.hold(key, f"r{number}", 10, PRICES)
    await store.close()


async def test_the_price_at_admission_is_the_price_settled(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    store, treasury, key = await opened(demo(tmp_path), now)
    dearer = replace(PRICES, output=20_000_000)
    await treasury.declare(
        [PriceChange(model="m", valid_from_ms=0, prices=PRICES), PriceChange(model="m", valid_from_ms=1_800_000_100_000, prices=dearer)]
    )
    hold = await treasury.hold(key, "r1", 10_000, treasury.prices.at("m", now[0] * 1000))
    now[0] += 100
    later = await treasury.hold(key, "r2", 10_000, treasury.prices.at("m", now[0] * 1000))
    assert await treasury.settle(hold, USAGE, **SERVED) == COST
    assert await treasury.settle(later, USAGE, **SERVED) == COST + 1_000
    await store.close()


async def test_stale_holds_are_swept_on_the_clock_and_cost_nothing_afterwards(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    store, treasury, key = await opened(demo(tmp_path), now)
    old = await treasury.hold(key, "r1", 10_000, PRICES)
    task = await treasury.hold(key, "t1", 10_000, PRICES, task=True)
    now[0] += 3600
    young = await treasury.hold(key, "r2", 10_000, PRICES)
    assert await treasury.sweep(3600) == 0
    now[0] += 1
    assert await treasury.sweep(3600) == 1
    assert [treasury.is_open(hold) for hold in (old, task, young)] == [False, True, True]
    assert (await treasury.wallet(key.account)).held == 20_000
    assert await treasury.settle(old, USAGE, **SERVED) == 0
    await treasury.release(old)
    wallet = await treasury.wallet(key.account)
    assert (wallet.spent, wallet.held) == (0, 20_000)
    assert await usage.rows(store, usage.UsageFilter(account=key.account)) == []
    await store.close()


TASK = """
    INSERT INTO tasks (id, account, key_id, fingerprint, model, params, state, estimated_micro_usd, created_ms)
    VALUES (:id, 'account-1', 'key-1', '', 'm', '{}', :state, 0, 0)
"""


async def test_the_holds_of_live_tasks_outlive_a_restart(tmp_path: Path) -> None:
    config, now = demo(tmp_path), [1_800_000_000.0]
    store, treasury, key = await opened(config, now)
    await treasury.declare([PriceChange(model="m", valid_from_ms=0, prices=PRICES)])
    for state in ("pending", "running", "completed"):
        await treasury.hold(key, state, 10_000, PRICES, task=True)
        await store.write((TASK, {"id": state, "state": state}))
    await treasury.hold(key, "no task", 10_000, PRICES)
    await store.close()

    now[0] += 60
    store, treasury, key = await opened(config, now)
    await treasury.declare([PriceChange(model="m", valid_from_ms=0, prices=replace(PRICES, output=1))])
    assert (await treasury.wallet(key.account)).held == 20_000
    assert await treasury.adopt("completed", key, "m") is None
    hold = await treasury.adopt("running", key, "m")
    assert hold is not None
    assert (hold.amount_micro_usd, hold.prices, hold.task) == (10_000, PRICES, True)
    assert await treasury.settle(hold, USAGE, **SERVED) == COST
    pending = await treasury.adopt("pending", key, "m")
    assert pending is not None
    await treasury.release(pending)
    assert (await treasury.wallet(key.account)).held == 0
    await store.close()


async def test_a_start_after_an_orderly_stop_reads_the_snapshot_alone(tmp_path: Path) -> None:
    config = demo(tmp_path)
    now = [1_800_000_000.0]
    store, treasury, key = await opened(config, now)
    for number in range(10):
        now[0] += 1000
        await treasury.settle(await treasury.hold(key, f"r{number}", 5_000, PRICES), USAGE, **SERVED)
    task = await treasury.hold(key, "t1", 7, PRICES, task=True)
    await store.write((TASK, {"id": task.request_id, "state": "running"}))
    before = (await treasury.wallet(key.account), treasury.standing(key), await treasury.spent_by_key(key))
    await treasury.close()
    await store.close()

    store, treasury, key = await opened(config, now)
    snapshot = store.snapshot()
    assert snapshot is not None
    assert list(store.entries(snapshot[0])) == []
    assert (await treasury.wallet(key.account), treasury.standing(key), await treasury.spent_by_key(key)) == before
    await treasury.settle(await treasury.hold(key, "r10", 5_000, PRICES), USAGE, **SERVED)
    await store.close()  # as after a crash: without a new snapshot

    store, treasury, key = await opened(config, now)
    assert (await treasury.wallet(key.account)).spent == 11 * COST
    now[0] = 1_800_001_000.0 + 5 * 3600  # the first spend leaves the five hours
    window = treasury.standing(replace(key, limit_1d_micro_usd=0, limit_7d_micro_usd=0)).window
    assert window is not None
    assert window.spent == 10 * COST
    await store.close()


async def test_after_a_settlement_that_was_not_written_no_snapshot_is_made(tmp_path: Path) -> None:
    config = demo(tmp_path)
    store, treasury, key = await opened(config)
    hold = await treasury.hold(key, "r1", 5_000, PRICES)
    store._connection.execute("PRAGMA query_only = 1")
    await treasury.settle(hold, USAGE, **SERVED)
    store._connection.execute("PRAGMA query_only = 0")
    await treasury.close()
    await store.close()
    store, treasury, key = await opened(config)
    wallet = await treasury.wallet(key.account)
    assert (wallet.spent, wallet.held) == (0, 0)  # never-bill wins, and rows and wallet agree
    await store.close()


async def test_a_request_cancelled_while_its_hold_is_written_leaves_nothing_held(tmp_path: Path) -> None:
    store, treasury, key = await opened(demo(tmp_path))
    asking = asyncio.create_task(treasury.hold(key, "r1", 5_000, PRICES))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await treasury.wallet(key.account)).held == 0
    await store._written()
    assert [entry.kind for entry in store.entries()] == ["hold", "release"]
    await store.close()


async def test_a_raised_limit_is_in_force_at_the_next_request(tmp_path: Path) -> None:
    """billing-and-storage.md 4.3, invariant 14."""
    store, treasury, key = await opened(demo(tmp_path))
    narrow = replace(key, limit_5h_micro_usd=COST)
    await treasury.settle(await treasury.hold(narrow, "r1", COST, PRICES), USAGE, **SERVED)
    with pytest.raises(Refusal, match="5h window"):
        await treasury.hold(narrow, "r2", 1, PRICES)
    wide = replace(narrow, limit_5h_micro_usd=COST + 1)
    await treasury.release(await treasury.hold(wide, "r2", 1, PRICES))
    with pytest.raises(Refusal, match="1d window"):
        await treasury.hold(replace(wide, limit_1d_micro_usd=COST), "r3", 1, PRICES)
    await store.close()


@pytest.mark.parametrize("orderly", [True, False])
async def test_what_was_spent_on_each_model_is_kept_over_restarts(orderly: bool, tmp_path: Path) -> None:
    """By the snapshot of an orderly end, by the ledger after a kill, and by both; a snapshot from before models were in it too."""
    config = demo(tmp_path)
    expected: dict[str, int] = {}
    for number in range(4):
        store, treasury, key = await opened(config)
        assert await treasury.spent_by_model(key) == expected
        for model in ("gpt-5-5", "gpt-5-4", "gpt-5-5"):
            hold = await treasury.hold(key, f"r{number}{model}{sum(expected.values())}", 5_000, PRICES)
            charged = await treasury.settle(hold, USAGE, **{**SERVED, "model": model})
            expected[model] = expected.get(model, 0) + charged
        released = await treasury.hold(key, f"gone{number}", 5_000, PRICES)
        await treasury.release(released)
        assert await treasury.spent_by_model(key) == expected
        if orderly or number == 1:
            await treasury.close()
        await store.close()
    with sqlite3.connect(config.database) as connection:
        connection.execute("UPDATE snapshots SET body = json_remove(body, '$.models')")
    connection.close()
    store, treasury, key = await opened(config)
    assert await treasury.spent_by_model(key) == expected
    assert sum(expected.values()) == await treasury.spent_by_key(key) == 12 * COST
    await store.close()
