"""Any order of admissions, settlements, restarts, kills, sweeps and movements, against a model that fits on a page."""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.interface import Hold
from reference_gateway.billing.ledger import Kind
from reference_gateway.billing.prices import Prices, Usage
from reference_gateway.billing.treasury import Treasury
from reference_gateway.clock import ShiftedClock
from reference_gateway.config import Account
from reference_gateway.errors import Refusal
from reference_gateway.storage import usage
from reference_gateway.storage.sqlite import Store

T = TypeVar("T")
HOUR = 3600
START = 1_800_000_000
CAP = 4
# Each output token costs a micro-USD.
PRICES = Prices(input=0, output=1_000_000, cache_read=0, cache_write_5m=0, cache_write_1h=0)
ACCOUNTS = {name: Account(name=name, opening_balance_micro_usd=1000, low_balance_micro_usd=0, max_concurrency=CAP) for name in "ab"}
KEYS = [
    Key(id="free", hash=b"1", account="a", group="g"),
    Key(id="quota", hash=b"2", account="a", group="g", quota_micro_usd=700),
    Key(id="windows", hash=b"3", account="b", group="g", limit_5h_micro_usd=300, limit_7d_micro_usd=600),
]
AMOUNTS = st.integers(0, 400)


@dataclass
class Charge:
    key: Key
    at: float
    amount: int


class TreasuryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ShiftedClock(lambda: float(START))
        self.moved = dict.fromkeys("ab", 1000)
        self.charges: list[Charge] = []
        self.open: dict[str, Hold] = {}
        self.requests = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def start(self) -> None:
        async def start() -> None:
            self.store = Store(str(Path(self.folder.name) / "books"))
            self.treasury = Treasury(self.store, ACCOUNTS, clock=self.clock)
            await self.treasury.open()

        self.run(start())

    def spent(self, key: Key, within_s: float = 1e12) -> int:
        return sum(charge.amount for charge in self.charges if charge.key == key and charge.at + within_s > self.clock())

    def held(self, key: Key) -> int:
        return sum(hold.amount_micro_usd for hold in self.open.values() if hold.key == key)

    def available(self, account: str) -> int:
        return self.moved[account] - sum(self.spent(key) + self.held(key) for key in KEYS if key.account == account)

    def expected(self, key: Key, amount: int) -> str | None:
        if sum(hold.key.account == key.account for hold in self.open.values()) >= CAP:
            return "concurrency_limit"
        for limit, span in ((key.limit_5h_micro_usd, 5 * HOUR), (key.limit_7d_micro_usd, 168 * HOUR)):
            if limit and self.spent(key, span) + self.held(key) >= limit:
                return "rate_limit_exceeded"
        if key.quota_micro_usd and self.spent(key) + self.held(key) + amount > key.quota_micro_usd:
            return "quota_exceeded"
        return "insufficient_balance" if amount > self.available(key.account) else None

    @rule(key=st.sampled_from(KEYS), amount=AMOUNTS)
    def hold(self, key: Key, amount: int) -> None:
        self.requests += 1
        request_id = f"r{self.requests}"
        expected, got = self.expected(key, amount), None
        try:
            self.open[request_id] = self.run(self.treasury.hold(key, request_id, amount, PRICES))
        except Refusal as refusal:
            got = refusal.fault.openai_code
        assert got == expected

    @precondition(lambda self: self.open)
    @rule(data=st.data(), cost=AMOUNTS, cap=st.booleans())
    def settle(self, data: st.DataObject, cost: int, cap: bool) -> None:
        hold = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        key = hold.key
        expected = min(cost, hold.amount_micro_usd) if cap else min(cost, self.available(key.account))
        if key.quota_micro_usd:
            expected = min(expected, key.quota_micro_usd - self.spent(key) - self.held(key))
        charged = self.run(self.treasury.settle(hold, Usage(output_tokens=cost), model="m", surface="chat", cap=cap))
        assert charged == expected
        self.charges.append(Charge(key, self.clock(), charged))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.run(self.treasury.release(self.open.pop(data.draw(st.sampled_from(sorted(self.open))))))

    @rule(account=st.sampled_from("ab"), kind=st.sampled_from([Kind.TOPUP, Kind.ADMIN_DEBIT]), amount=st.integers(1, 300))
    def move(self, account: str, kind: Kind, amount: int) -> None:
        self.requests += 1
        pays = kind is Kind.TOPUP or amount <= self.available(account)
        try:
            self.run(self.treasury.move(account, kind, amount, reference=f"m{self.requests}"))
            assert pays
            self.moved[account] += kind.sign * amount
        except ValueError:
            assert not pays

    @rule(hours=st.sampled_from([0.5, 1.0, 5.0, 30.0, 200.0]))
    def time_passes(self, hours: float) -> None:
        self.clock.advance(hours * HOUR)

    @rule(older_than_s=st.sampled_from([0.5 * HOUR, 10.0 * HOUR]))
    def sweep(self, older_than_s: float) -> None:
        stale = [name for name, hold in self.open.items() if hold.at_ms < (self.clock() - older_than_s) * 1000]
        assert self.run(self.treasury.sweep(older_than_s)) == len(stale)
        for name in stale:
            hold = self.open.pop(name)
            assert self.run(self.treasury.settle(hold, Usage(output_tokens=9), model="m", surface="chat")) == 0

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        """Killed, it has made no snapshot; either way what was held is given back."""

        async def stop() -> None:
            if not killed:
                await self.treasury.close()
            await self.store.close()

        self.run(stop())
        self.open.clear()
        self.start()

    @invariant()
    def the_books_balance(self) -> None:
        for account in "ab":
            wallet = self.run(self.treasury.wallet(account))
            keys = [key for key in KEYS if key.account == account]
            spent, held = (sum(map(count, keys)) for count in (self.spent, self.held))
            assert (wallet.topped_up, wallet.spent, wallet.held) == (self.moved[account], spent, held)
            assert wallet.available >= 0
        for key in KEYS:
            standing = self.treasury.standing(key)
            left = self.moved[key.account] - sum(self.spent(other) for other in KEYS if other.account == key.account)
            assert standing.credits == (min(left, key.quota_micro_usd - self.spent(key)) if key.quota_micro_usd else left)
            if standing.window is not None:
                span = 5 * HOUR if standing.window.name == "5h" else 168 * HOUR
                assert standing.window.spent == self.spent(key, span)
        assert self.run(self.treasury.spent_by_key(replace(KEYS[1], quota_micro_usd=0))) == self.spent(KEYS[1])

    def teardown(self) -> None:
        async def end() -> None:
            for account in "ab":
                rows = await usage.rows(self.store, usage.UsageFilter(account=account, limit=1000))
                wallet = await self.treasury.wallet(account)
                assert sum(row.cost_micro_usd for row in rows) == wallet.spent
            await self.store.close()

        self.run(end())
        self.runner.close()
        self.folder.cleanup()


TestTreasury: Any = TreasuryMachine.TestCase
TestTreasury.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)
