"""The treasury of several processes, on a real PostgreSQL: two of it stand for two processes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from reference_gateway.accounts.keys import Key
from reference_gateway.billing import movements
from reference_gateway.billing.interface import Hold
from reference_gateway.billing.ledger import Kind
from reference_gateway.billing.postgres import PostgresTreasury
from reference_gateway.billing.prices import PriceChange, Prices, Usage
from reference_gateway.clock import ShiftedClock
from reference_gateway.config import Account
from reference_gateway.errors import Refusal
from reference_gateway.storage.keys import KeyStore
from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.storage.redis import RedisShared
from reference_gateway.storage.shared import Shared
from reference_gateway.tests.services import Postgres, Redis, own_postgres, own_redis, postgres, redis_server, until

__all__ = ["own_postgres", "own_redis", "postgres", "redis_server"]

PRICES = Prices(input=1_000_000, output=2_000_000, cache_read=0, cache_write_5m=0, cache_write_1h=0)  # a token in: one micro-USD
OPENING = 1000


def key(name: str = "key-1", account: str = "team", **limits: Any) -> Key:
    return Key(id=name, hash=name.encode().ljust(32), account=account, group="default", **limits)


@dataclass
class Books:
    """A database with its keys; `node` opens another process's treasury on it."""

    url: str
    clock: ShiftedClock
    stack: AsyncExitStack
    accounts: dict[str, Account]
    made: int = 0
    nodes: list[PostgresTreasury] = field(default_factory=list)

    async def node(self, shared: Shared | None = None, dead_after_s: float = 60.0) -> PostgresTreasury:
        database = PostgresDatabase(self.url)
        self.stack.push_async_callback(database.close)
        treasury = PostgresTreasury(
            database,
            self.accounts,
            prices=[PriceChange(model="m", valid_from_ms=0, prices=PRICES)],
            clock=self.clock,
            shared=shared,
            heartbeat_s=0.05,
            dead_after_s=dead_after_s,
        )
        await treasury.open()
        self.stack.push_async_callback(treasury.close)
        return treasury

    async def rows(self, sql: str, **values: int | str) -> list[dict[str, Any]]:
        database = PostgresDatabase(self.url)
        try:
            return [dict(row) for row in await database.fetch(sql, values)]
        finally:
            await database.close()

    async def balanced(self, spent: int, held: int = 0, account: str = "team") -> None:
        """Invariant 2: the wallet is the sum of the ledger, the rows are what it lost, and the holds are what is held."""
        wallet = (await self.rows("SELECT * FROM accounts WHERE name = :name", name=account))[0]
        ledger = await self.rows(
            "SELECT kind, sum(amount_micro_usd)::bigint AS amount FROM ledger WHERE account = :name GROUP BY kind", name=account
        )
        sums = {row["kind"]: row["amount"] for row in ledger}
        used = await self.rows("SELECT coalesce(sum(cost_micro_usd), 0)::bigint AS cost FROM usage WHERE account = :name", name=account)
        open_ = await self.rows(
            "SELECT coalesce(sum(amount_micro_usd), 0)::bigint AS held FROM open_holds WHERE account = :name", name=account
        )
        assert wallet["spent_micro_usd"] == spent == used[0]["cost"] == sums.get("settle", 0) + sums.get("adjust", 0)
        assert wallet["held_micro_usd"] == held == open_[0]["held"]
        assert wallet["topped_up_micro_usd"] - spent - held >= 0


@asynccontextmanager
async def books_of(url: str, *keys: Key, max_concurrency: int = 0) -> AsyncIterator[Books]:
    clock = ShiftedClock(lambda: 1_800_000_000.0)
    database = PostgresDatabase(url)
    await database.open()
    await KeyStore(database).declare(keys or (key(),), 1)
    await database.close()
    accounts = {"team": Account(name="team", opening_balance_micro_usd=OPENING, low_balance_micro_usd=0, max_concurrency=max_concurrency)}
    async with AsyncExitStack() as stack:
        yield Books(url=url, clock=clock, stack=stack, accounts=accounts)


@pytest.fixture
async def books(postgres: Postgres) -> AsyncIterator[Books]:
    async with books_of(await asyncio.to_thread(postgres.fresh)) as made:
        yield made


async def refusal(admission: Awaitable[Hold]) -> tuple[int, str | None]:
    with pytest.raises(Refusal) as refused:
        await admission
    return refused.value.fault.status, refused.value.fault.openai_code


async def settle(treasury: PostgresTreasury, hold: Hold, cost: int, **options: Any) -> int:
    return await treasury.settle(hold, Usage(input_tokens=cost), model="m", surface="chat", **options)


async def test_a_request_is_held_then_settled_and_its_row_says_all(books: Books) -> None:
    treasury = await books.node()
    hold = await treasury.hold(key(), "r1", 300, PRICES)
    assert treasury.is_open(hold)
    assert (await treasury.wallet("team")).available == 700
    assert treasury.standing(key()).credits == 1000  # what is held is still in it
    usage = Usage(input_tokens=100, output_tokens=20)
    assert await treasury.settle(hold, usage, model="m", surface="chat", provider="openai", channel="c1") == 140
    assert not treasury.is_open(hold)
    wallet = await treasury.wallet("team")
    assert (wallet.available, wallet.spent, wallet.held) == (860, 140, 0)
    assert treasury.standing(key()).credits == 860
    assert await treasury.spent_by_key(key()) == 140
    (row,) = await books.rows("SELECT * FROM usage")
    assert (row["request_id"], row["model"], row["input_tokens"], row["output_tokens"], row["cost_micro_usd"]) == ("r1", "m", 100, 20, 140)
    assert (row["provider"], row["channel"], row["estimated"], row["loss_micro_usd"]) == ("openai", "c1", 0, 0)
    await books.balanced(140)


async def test_a_release_costs_nothing_and_each_request_ends_once(books: Books) -> None:
    treasury = await books.node()
    first, second = await treasury.hold(key(), "r1", 300, PRICES), await treasury.hold(key(), "r2", 300, PRICES)
    await treasury.release(first)
    await treasury.release(first)
    assert await settle(treasury, first, 10) == 0
    assert await settle(treasury, second, 10) == 10
    assert await settle(treasury, second, 10) == 0
    await treasury.release(second)
    assert await refusal(treasury.hold(key(), "r2", 1, PRICES)) == (500, "internal_error")  # that id has been used
    await books.balanced(10)
    assert not await books.rows("SELECT * FROM usage WHERE request_id = 'r1'")


async def test_an_opening_balance_and_a_movement_are_made_once_however_many_open(books: Books) -> None:
    one, two = await asyncio.gather(books.node(), books.node())
    assert (await one.wallet("team")).topped_up == OPENING
    made = [await node.move("team", Kind.TOPUP, 500, reference="invoice-1", source="operator", note="thanks") for node in (one, two, one)]
    assert made[0] == made[1] == made[2]
    assert (made[0].amount_micro_usd, made[0].balance_after_micro_usd, made[0].source, made[0].note) == (500, 1500, "operator", "thanks")
    debit = await two.move("team", Kind.ADMIN_DEBIT, 1400, reference="error-1")
    assert (debit.amount_micro_usd, debit.balance_after_micro_usd) == (-1400, 100)
    with pytest.raises(ValueError, match="cannot pay"):
        await two.move("team", Kind.ADMIN_DEBIT, 101, reference="error-2")
    assert (await one.wallet("team")).available == 100
    with pytest.raises(ValueError, match="another topup"):
        await one.move("team", Kind.TOPUP, 501, reference="invoice-1")
    # An operator's command beside the gateway.
    await movements.credit(one.database, "team", Kind.ADMIN_CREDIT, 50, reference="sorry", source="operator", clock=books.clock)
    assert (await two.wallet("team")).available == 150
    listed = await movements.transactions(two.database, movements.TransactionFilter(account="team"))
    assert [(each.kind, each.amount_micro_usd, each.balance_after_micro_usd) for each in listed] == [
        (Kind.ADMIN_CREDIT, 50, 150),
        (Kind.ADMIN_DEBIT, -1400, 100),
        (Kind.TOPUP, 500, 1500),
        (Kind.TOPUP, 1000, 1000),
    ]


async def test_two_processes_never_admit_more_than_the_wallet_can_pay(books: Books) -> None:
    """Invariant 6, for the wallet."""
    nodes = [await books.node(), await books.node()]

    async def call(number: int) -> bool:
        treasury = nodes[number % 2]
        try:
            hold = await treasury.hold(key(), f"r{number}", 30, PRICES)
        except Refusal as refused:
            assert refused.fault.status == 402  # noqa: PT017  # any other refusal is a failure at once
            return False
        await settle(treasury, hold, 30)
        return True

    admitted = await asyncio.gather(*map(call, range(200)))
    assert sum(admitted) == OPENING // 30
    await books.balanced(30 * (OPENING // 30))


async def test_two_processes_never_admit_more_than_the_keys_quota(postgres: Postgres) -> None:
    """Invariant 6, for a key's own quota: what is held counts."""
    mine = key(quota_micro_usd=100)
    async with books_of(await asyncio.to_thread(postgres.fresh), mine, key("key-2")) as books:
        nodes = [await books.node(), await books.node()]
        asked = [nodes[number % 2].hold(mine, f"r{number}", 9, PRICES) for number in range(50)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        holds = [answer for answer in answers if isinstance(answer, Hold)]
        refused = [answer for answer in answers if isinstance(answer, Refusal)]
        assert len(holds) == 11
        assert {answer.fault.openai_code for answer in refused} == {"quota_exceeded"}
        assert nodes[0].standing(mine).credits == 100
        await nodes[1].hold(key("key-2"), "other", 900, PRICES)  # invariant 15: another key is as it was


async def test_what_costs_more_than_was_held_is_charged_as_far_as_wallet_and_quota_go(postgres: Postgres) -> None:
    mine = key(quota_micro_usd=500)
    async with books_of(await asyncio.to_thread(postgres.fresh), mine, key("key-2")) as books:
        treasury = await books.node()
        assert await settle(treasury, await treasury.hold(mine, "r1", 10, PRICES), 200) == 200
        assert await settle(treasury, await treasury.hold(mine, "r2", 10, PRICES), 200, cap=True) == 10
        assert await settle(treasury, await treasury.hold(mine, "r3", 10, PRICES), 900) == 290  # the quota's rest
        assert await settle(treasury, await treasury.hold(key("key-2"), "r4", 10, PRICES), 9000) == 500  # the wallet's rest
        rows = await books.rows("SELECT request_id, loss_micro_usd, estimated FROM usage ORDER BY request_id")
        assert [(row["loss_micro_usd"], row["estimated"]) for row in rows] == [(0, 0), (0, 1), (610, 0), (8500, 0)]
        kinds = await books.rows("SELECT kind, amount_micro_usd FROM ledger WHERE request_id = 'r3' ORDER BY id")
        assert [(row["kind"], row["amount_micro_usd"]) for row in kinds] == [("hold", 10), ("settle", 10), ("adjust", 280)]
        await books.balanced(1000)
        assert await refusal(treasury.hold(key("key-2"), "r5", 1, PRICES)) == (402, "insufficient_balance")


async def test_a_window_slides_over_what_was_settled_and_holds_count(postgres: Postgres) -> None:
    """Invariants 12 and 13: not anchored, and a 429 consumes nothing."""
    mine = key(limit_5h_micro_usd=100, limit_1d_micro_usd=400)
    async with books_of(await asyncio.to_thread(postgres.fresh), mine) as books:
        treasury = await books.node()
        start = int(books.clock())
        await settle(treasury, await treasury.hold(mine, "r1", 60, PRICES), 60)
        books.clock.advance(4 * 3600)
        window = treasury.standing(mine).window
        assert window is not None
        assert (window.name, window.spent, window.remaining, window.resets_at) == ("5h", 60, 40, start + 5 * 3600)
        hold = await treasury.hold(mine, "r2", 50, PRICES)
        assert await refusal(treasury.hold(mine, "r3", 1, PRICES)) == (429, "rate_limit_exceeded")
        await settle(treasury, hold, 50)
        window = treasury.standing(mine).window
        assert window is not None
        assert (window.spent, window.remaining) == (110, 0)
        with pytest.raises(Refusal) as refused:
            await treasury.hold(mine, "r4", 1, PRICES)
        assert dict(refused.value.headers)[b"retry-after"] == b"3600"
        assert "5h window" in refused.value.message
        books.clock.advance(3600 + 1)
        await treasury.refresh(mine)
        window = treasury.standing(mine).window
        assert window is not None
        assert (window.spent, window.remaining, window.resets_at) == (50, 50, start + 9 * 3600)
        await settle(treasury, await treasury.hold(mine, "r5", 10, PRICES), 10)
        books.clock.advance(20 * 3600)
        await treasury.refresh(mine)
        window = treasury.standing(mine).window
        assert window is not None
        assert (window.name, window.spent) == ("5h", 0)
        await books.rows("UPDATE keys SET limit_5h_micro_usd = 0 RETURNING id")  # a changed limit counts from the next request on
        await treasury.refresh(mine)
        window = treasury.standing(mine).window
        assert window is not None
        assert (window.name, window.limit, window.spent) == ("1d", 400, 60)


@pytest.mark.parametrize("with_redis", [False, True], ids=["database", "redis"])
async def test_the_concurrency_cap_holds_over_two_processes(postgres: Postgres, redis_server: Redis, with_redis: bool) -> None:
    """contract:195; tasks take no place once they are made."""
    async with books_of(await asyncio.to_thread(postgres.fresh), max_concurrency=5) as books:
        shared = [RedisShared(redis_server.url), RedisShared(redis_server.url)] if with_redis else [None, None]
        for each in shared:
            if each is not None:
                await each.open()
                books.stack.push_async_callback(each.close)
        nodes = [await books.node(each) for each in shared]
        for number in range(3):
            await nodes[0].hold(key(), f"task{number}", 1, PRICES, task=True)
        answers = await asyncio.gather(
            *(nodes[number % 2].hold(key(), f"r{number}", 1, PRICES) for number in range(20)), return_exceptions=True
        )
        held = [(number, answer) for number, answer in enumerate(answers) if isinstance(answer, Hold)]
        assert len(held) == 5
        refused = [answer for answer in answers if isinstance(answer, Refusal)]
        assert {(answer.fault.status, answer.fault.openai_code, answer.headers) for answer in refused} == {(429, "concurrency_limit", ())}
        number, hold = held[0]
        await nodes[number % 2].release(hold)

        async def is_free() -> bool:
            try:
                await nodes[1].hold(key(), "next", 1, PRICES)
            except Refusal:
                return False
            return True

        await until(is_free)
        assert await refusal(nodes[0].hold(key(), "one-more", 1, PRICES)) == (429, "concurrency_limit")


async def test_redis_gone_the_database_counts(postgres: Postgres, own_redis: Redis) -> None:
    async with books_of(await asyncio.to_thread(postgres.fresh), max_concurrency=2) as books:
        shared = RedisShared(own_redis.url)
        await shared.open()
        books.stack.push_async_callback(shared.close)
        treasury = await books.node(shared)
        first = await treasury.hold(key(), "r1", 1, PRICES)
        await asyncio.to_thread(own_redis.kill)
        await treasury.hold(key(), "r2", 1, PRICES)
        assert await refusal(treasury.hold(key(), "r3", 1, PRICES)) == (429, "concurrency_limit")
        await settle(treasury, first, 1)
        await treasury.hold(key(), "r4", 1, PRICES)


async def test_a_key_that_is_gone_is_refused_though_this_process_has_not_heard_of_it(books: Books) -> None:
    treasury = await books.node()
    await treasury.hold(key(), "r1", 1, PRICES)
    await books.rows("UPDATE keys SET deleted_ms = 1 RETURNING id")
    assert await refusal(treasury.hold(key(), "r2", 1, PRICES)) == (401, "invalid_api_key")
    assert await refusal(treasury.hold(key("stranger"), "r3", 1, PRICES)) == (401, "invalid_api_key")


async def die(treasury: PostgresTreasury) -> None:
    """As kill -9: no sign of life from here on, nothing said to anyone."""
    assert treasury._tending is not None
    assert treasury._lane._task is not None
    treasury._tending.cancel()
    treasury._lane._task.cancel()
    assert treasury._lane._connection is not None
    treasury._lane._connection.terminate()


async def test_a_dead_processs_holds_are_given_back_and_a_live_ones_are_not(books: Books) -> None:
    dead, live = await books.node(), await books.node()
    lost = await dead.hold(key(), "lost", 100, PRICES)
    kept = await live.hold(key(), "kept", 10, PRICES)
    await die(dead)
    sweeper = await books.node(dead_after_s=0.4)

    async def is_given_back() -> bool:
        return (await live.wallet("team")).held == 10

    await until(is_given_back)
    await asyncio.sleep(0.5)  # longer than the sweeper's patience with a silent one
    assert sweeper.is_open(lost) is False
    assert await settle(live, kept, 7) == 7
    await books.balanced(7)
    assert len(await books.rows("SELECT id FROM nodes")) == 2
    releases = await books.rows("SELECT request_id FROM ledger WHERE kind = 'release'")
    assert [row["request_id"] for row in releases] == ["lost"]


async def test_a_process_that_was_taken_for_dead_bills_nothing_for_what_was_given_back_and_goes_on(books: Books) -> None:
    paused = await books.node()
    assert paused._tending is not None
    paused._tending.cancel()
    hold = await paused.hold(key(), "r1", 100, PRICES)
    other = await books.node(dead_after_s=0.2)

    async def is_given_back() -> bool:
        return (await other.wallet("team")).held == 0

    await until(is_given_back)
    assert await settle(paused, hold, 50) == 0
    again = await paused.hold(key(), "r2", 100, PRICES)
    assert await settle(paused, again, 50) == 50
    await books.balanced(50)


async def test_a_task_outlives_its_process(books: Books) -> None:
    first = await books.node()
    await first.hold(key(), "lives", 100, PRICES, task=True)
    await first.hold(key(), "ended", 100, PRICES, task=True)
    columns = "id, account, key_id, fingerprint, model, params, state, estimated_micro_usd, created_ms"
    for name, state in (("lives", "running"), ("ended", "failed")):
        await books.rows(
            f"INSERT INTO tasks ({columns}) VALUES (:id, 'team', 'key-1', '', 'm', '', :state, 100, 1) RETURNING id", id=name, state=state
        )
    await die(first)
    second = await books.node(dead_after_s=0.2)

    async def is_given_back() -> bool:
        return (await second.wallet("team")).held == 100

    await until(is_given_back)
    assert await second.adopt("ended", key(), "m") is None
    assert await second.adopt("lives", key("stranger"), "m") is None
    first_hold = await second.adopt("lives", key(), "m")
    assert first_hold is not None
    assert first_hold.prices == PRICES
    third = await books.node()
    taken = await third.adopt("lives", key(), "m")  # a pending task is run by whoever is first
    assert taken is not None

    async def has_let_go() -> bool:
        return not second.is_open(first_hold)

    await until(has_let_go)
    hold = await second.adopt("lives", key(), "m")
    assert hold is not None
    assert await settle(second, hold, 40) == 40
    await books.balanced(40)


async def test_the_sweep_gives_back_what_is_older_than_its_bound(books: Books) -> None:
    treasury = await books.node()
    old = await treasury.hold(key(), "old", 100, PRICES)
    await treasury.hold(key(), "task", 100, PRICES, task=True)
    books.clock.advance(100)
    young = await treasury.hold(key(), "young", 100, PRICES)
    assert await treasury.sweep(50) == 1
    assert (treasury.is_open(old), treasury.is_open(young)) == (False, True)
    await books.balanced(0, held=200)


async def test_a_hold_that_nobody_here_knows_is_given_back(books: Books) -> None:
    """The database made it, but the answer was lost."""
    treasury = await books.node()
    hold = await treasury.hold(key(), "r1", 100, PRICES)
    treasury._forget(hold)

    async def is_given_back() -> bool:
        return (await treasury.wallet("team")).held == 0

    await until(is_given_back)


async def admitted(hold: Callable[[], Awaitable[Hold]]) -> bool:
    try:
        await hold()
    except Refusal as refused:
        assert refused.fault.status == 503  # noqa: PT017  # any other refusal is a failure at once
        return False
    return True


async def test_postgres_gone_nothing_is_admitted_and_what_was_settled_is_written_when_it_is_back(own_postgres: Postgres) -> None:
    async with books_of(await asyncio.to_thread(own_postgres.fresh)) as books:
        treasury = await books.node()
        holds = [await treasury.hold(key(), f"r{number}", 100, PRICES) for number in range(3)]
        await asyncio.to_thread(own_postgres.kill)
        with pytest.raises(Refusal) as refused:
            await treasury.hold(key(), "unpaid", 1, PRICES)
        assert refused.value.fault.status == 503
        assert "ledger" in refused.value.message
        settling = [asyncio.create_task(settle(treasury, hold, 10)) for hold in holds[:2]]
        releasing = asyncio.create_task(treasury.release(holds[2]))
        await asyncio.sleep(0.1)
        assert not treasury.writable
        await asyncio.to_thread(own_postgres.start)
        assert await asyncio.gather(*settling) == [10, 10]
        await releasing

        async def is_written() -> bool:
            return (await treasury.wallet("team")).held == 0

        await until(is_written)
        await books.balanced(20)
        numbers = iter(range(1000))
        await until(lambda: admitted(lambda: treasury.hold(key(), f"after{next(numbers)}", 1, PRICES)))
        assert treasury.writable


async def test_a_batch_is_one_round_trip(books: Books) -> None:
    treasury = await books.node()
    before = treasury._lane.batches
    holds = await asyncio.gather(*(treasury.hold(key(), f"r{number}", 1, PRICES) for number in range(100)))
    await asyncio.gather(*(settle(treasury, hold, 1) for hold in holds))
    assert treasury._lane.batches - before < 20
    await books.balanced(100)
