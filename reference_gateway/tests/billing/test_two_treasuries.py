"""The treasury of one process and that of several do the same: random operations on both, compared after each."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.interface import Hold, Treasury
from reference_gateway.billing.ledger import Kind
from reference_gateway.billing.postgres import PostgresTreasury
from reference_gateway.billing.prices import Prices, Usage
from reference_gateway.billing.treasury import Treasury as OwnTreasury
from reference_gateway.clock import ShiftedClock
from reference_gateway.config import Account
from reference_gateway.errors import Refusal
from reference_gateway.storage.interface import Database
from reference_gateway.storage.keys import KeyStore
from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.storage.sqlite import Store
from reference_gateway.storage.usage import UsageFilter, rows
from reference_gateway.tests.services import Postgres, postgres

__all__ = ["postgres"]

PRICES = Prices(input=1_000_000, output=2_000_000, cache_read=0, cache_write_5m=0, cache_write_1h=0)
KEYS = (
    Key(id="free", hash=b"free".ljust(32), account="rich", group="g"),
    Key(id="limited", hash=b"limited".ljust(32), account="rich", group="g", limit_5h_micro_usd=500, limit_1d_micro_usd=900),
    Key(id="capped", hash=b"capped".ljust(32), account="poor", group="g", quota_micro_usd=2000, limit_7d_micro_usd=1500),
)
ACCOUNTS = {
    "rich": Account(name="rich", opening_balance_micro_usd=20_000, low_balance_micro_usd=0, max_concurrency=6),
    "poor": Account(name="poor", opening_balance_micro_usd=1_000, low_balance_micro_usd=0),
}
OPERATIONS = ("hold",) * 5 + ("settle",) * 4 + ("release", "move", "wait")


class Actor:
    """One treasury, and what has been done with it."""

    def __init__(self, treasury: Treasury) -> None:
        self.treasury = treasury
        self.holds: dict[str, Hold] = {}

    async def act(self, operation: str, request_id: str, draw: dict[str, Any]) -> object:
        key = KEYS[draw["key"]]
        match operation:
            case "hold":
                try:
                    self.holds[request_id] = await self.treasury.hold(key, request_id, draw["amount"], PRICES, task=draw["task"])
                except Refusal as refused:
                    return refused.fault.openai_code, refused.headers
                return "admitted"
            case "settle":
                usage = Usage(input_tokens=draw["cost"] // 2, output_tokens=draw["cost"] // 4)
                hold = self.holds.pop(request_id)
                model = f"m{draw['cost'] // 40 % 2}"
                return await self.treasury.settle(hold, usage, model=model, surface="chat", cap=draw["cap"])
            case "release":
                await self.treasury.release(self.holds.pop(request_id))
            case "move":
                kind = draw["kind"]
                try:
                    moved = await self.treasury.move(key.account, kind, draw["amount"], reference=request_id)
                except ValueError:
                    return "refused"
                return moved.amount_micro_usd, moved.balance_after_micro_usd
        return None

    async def state(self) -> object:
        for key in KEYS:
            await self.treasury.refresh(key)
        standings = []
        for key in KEYS:
            standing = self.treasury.standing(key)
            window = None if standing.window is None else (standing.window.name, standing.window.spent, standing.window.remaining)
            by_model = dict(await self.treasury.spent_by_model(key))
            assert sum(by_model.values()) == await self.treasury.spent_by_key(key)
            standings.append((standing.credits, window, by_model))
        return [await self.treasury.wallet(account) for account in ACCOUNTS], standings


@pytest.mark.parametrize("seed", range(4))
async def test_both_treasuries_say_the_same(postgres: Postgres, tmp_path: Path, seed: int) -> None:
    drawn = random.Random(seed)
    # Whole hours and spends that are hours apart: within a grain the one of a single process lets spends leave together.
    clock = ShiftedClock(lambda: 1_800_000_000.0)
    shared = PostgresDatabase(await asyncio.to_thread(postgres.fresh))
    await KeyStore(shared).declare(KEYS, 1)
    store = Store(str(tmp_path / "books.sqlite3"))
    actors = [Actor(OwnTreasury(store, ACCOUNTS, clock=clock)), Actor(PostgresTreasury(shared, ACCOUNTS, clock=clock, heartbeat_s=60.0))]
    for actor in actors:
        await actor.treasury.open()
    try:
        for number in range(150):
            operation = drawn.choice(OPERATIONS)
            request_id = f"r{number}"
            if operation in ("settle", "release"):
                if not actors[0].holds:
                    continue
                request_id = drawn.choice(sorted(actors[0].holds))
            if operation == "wait":
                clock.advance(drawn.choice((3600, 4 * 3600, 30 * 3600)))
            draw = {
                "key": drawn.randrange(len(KEYS)),
                "amount": drawn.choice((1, 50, 200, 700)),
                "cost": drawn.choice((0, 4, 40, 400, 4000)),
                "cap": drawn.random() < 0.3,
                "task": drawn.random() < 0.2,
                "kind": drawn.choice((Kind.TOPUP, Kind.ADMIN_DEBIT, Kind.REFUND)),
            }
            one, several = [await actor.act(operation, request_id, draw) for actor in actors]
            assert one == several, (number, operation, draw)
            one, several = [await actor.state() for actor in actors]
            assert one == several, (number, operation, draw)
        databases: tuple[Database, Database] = (store, shared)
        for account in ACCOUNTS:
            one, several = [await rows(database, UsageFilter(account=account, limit=1000)) for database in databases]
            assert one
            assert one == several
    finally:
        for actor in actors:
            await actor.treasury.close()
        await store.close()
        await shared.close()
