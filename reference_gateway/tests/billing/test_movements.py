"""Top-ups, credits and debits: once each, with the balance they left (contract:179)."""

from pathlib import Path
from typing import Any

import pytest

from reference_gateway.accounts.keys import Key
from reference_gateway.billing import movements
from reference_gateway.billing.ledger import Kind
from reference_gateway.billing.movements import TransactionFilter
from reference_gateway.billing.prices import Prices, Usage
from reference_gateway.billing.treasury import Treasury
from reference_gateway.clock import ShiftedClock
from reference_gateway.config import Account
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.storage.sqlite import Store

ACCOUNTS = {"a": Account(name="a", opening_balance_micro_usd=1000, low_balance_micro_usd=0)}
KEY = Key(id="k", hash=b"", account="a", group="g")
PRICES = Prices(input=0, output=1_000_000, cache_read=0, cache_write_5m=0, cache_write_1h=0)
SERVED: Any = {"model": "m", "surface": "chat"}


async def opened(path: str = ":memory:") -> tuple[Store, Treasury]:
    store = Store(path)
    treasury = Treasury(store, ACCOUNTS, clock=ShiftedClock(lambda: 1_800_000_000.0))
    await treasury.open()
    return store, treasury


async def test_each_movement_says_the_balance_it_left() -> None:
    store, treasury = await opened()
    await treasury.settle(await treasury.hold(KEY, "r1", 300, PRICES), Usage(output_tokens=300), **SERVED)
    await treasury.hold(KEY, "r2", 100, PRICES)
    await treasury.move("a", Kind.REFUND, 50, reference="ref-1", source="operator", note="sorry")
    await treasury.move("a", Kind.ADMIN_DEBIT, 650, reference="ref-2")
    listed = await movements.transactions(store, TransactionFilter(account="a"))
    assert [(one.kind.value, one.amount_micro_usd, one.balance_after_micro_usd) for one in listed] == [
        ("admin_debit", -650, 100),
        ("refund", 50, 750),
        ("topup", 1000, 1000),
    ]
    assert (listed[1].id, listed[1].source, listed[1].note) == ("ref-1", "operator", "sorry")
    wallet = await treasury.wallet("a")
    assert (wallet.topped_up, wallet.spent, wallet.held, wallet.available) == (400, 300, 100, 0)
    with pytest.raises(ValueError, match="take no more"):
        await treasury.move("a", Kind.ADMIN_DEBIT, 1, reference="ref-3")  # the rest is held
    await store.close()


async def test_the_same_reference_again_moves_nothing() -> None:
    store, treasury = await opened()
    first = await treasury.move("a", Kind.TOPUP, 5, reference="ref")
    assert await treasury.move("a", Kind.TOPUP, 5, reference="ref") == first
    with pytest.raises(ValueError, match="belongs to another"):
        await treasury.move("a", Kind.TOPUP, 6, reference="ref")
    debit = await treasury.move("a", Kind.ADMIN_DEBIT, 3, reference="ref")
    assert await treasury.move("a", Kind.ADMIN_DEBIT, 3, reference="ref") == debit
    assert (await treasury.wallet("a")).topped_up == 1002
    for kind, amount in ((Kind.TOPUP, 0), (Kind.TOPUP, -1), (Kind.SETTLE, 5)):
        with pytest.raises(ValueError, match="moves nothing"):
            await treasury.move("a", kind, amount, reference="ref-2")
    await store.close()


async def test_what_cannot_be_written_has_moved_nothing() -> None:
    store, treasury = await opened()
    store._connection.execute("PRAGMA query_only = 1")
    for kind in (Kind.TOPUP, Kind.ADMIN_DEBIT):
        with pytest.raises(StorageFailed):
            await treasury.move("a", kind, 5, reference="ref")
    assert (await treasury.wallet("a")).topped_up == 1000
    await store.close()


async def test_a_credit_given_beside_a_running_gateway_is_taken_over(tmp_path: Path) -> None:
    store, treasury = await opened(str(tmp_path / "books"))
    await treasury.settle(await treasury.hold(KEY, "r1", 300, PRICES), Usage(output_tokens=300), **SERVED)
    beside = Store(str(tmp_path / "books"))
    given = await movements.credit(beside, "a", Kind.TOPUP, 70, reference="cli-1", source="operator")
    assert await movements.credit(beside, "a", Kind.TOPUP, 70, reference="cli-1", source="operator") == given
    assert given.balance_after_micro_usd == 770
    with pytest.raises(ValueError, match="no credit"):
        await movements.credit(beside, "a", Kind.ADMIN_DEBIT, 70, reference="cli-2", source="operator")
    await beside.close()
    await treasury.reload()
    assert (await treasury.wallet("a")).available == 770
    await treasury.reload()
    assert (await treasury.wallet("a")).available == 770
    await treasury.close()
    await store.close()
    store, treasury = await opened(str(tmp_path / "books"))
    assert (await treasury.wallet("a")).available == 770
    await store.close()


async def test_pages_kinds_and_times() -> None:
    store, treasury = await opened()
    assert isinstance(treasury.clock, ShiftedClock)
    for number in range(5):
        treasury.clock.advance(10)
        await treasury.move("a", Kind.TOPUP if number % 2 else Kind.REFUND, 10 + number, reference=f"m{number}")

    async def listed(**wanted: Any) -> list[str]:
        return [one.id for one in await movements.transactions(store, TransactionFilter(account="a", **wanted))]

    assert await listed(limit=2) == ["m4", "m3"]
    (_, last) = await movements.transactions(store, TransactionFilter(account="a", limit=2))
    assert await listed(limit=2, before=last.position) == ["m2", "m1"]
    assert await listed(kinds=[Kind.REFUND]) == ["m4", "m2", "m0"]
    start = 1_800_000_000_000
    assert await listed(since_ms=start + 20_000, until_ms=start + 40_000) == ["m2", "m1"]
    assert await movements.transactions(store, TransactionFilter(account="b")) == []
    await store.close()
