"""The treasury of several gateway processes: PostgreSQL decides, in one transaction for a batch of requests (storage/postgres.sql).

What is in memory here is which holds this process has open, and how each key stood when it was last heard of, for headers only. Requests
under way are counted by leases in Redis where there is one, else by the open holds in the database.

When PostgreSQL is away nothing is admitted (503). A settlement that cannot be written is kept and tried again for a minute; after that, or
if this process dies, the sweep gives its hold back: rather unbilled than billed wrongly. The sweep never touches what a live process has
open: every process shows signs of life, and one is buried, by one other at a time, only once it has shown none for `dead_after_s` while
the database was there to show them in.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, assert_never

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.interface import Hold, OnSettled, Settled, Standing, Transaction, nobody
from reference_gateway.billing.ledger import Kind, Wallet
from reference_gateway.billing.prices import PriceChange, Prices, PriceTable, Usage
from reference_gateway.billing.treasury import usd
from reference_gateway.billing.windows import SPANS, Tightest
from reference_gateway.cancelling import cancel
from reference_gateway.clock import Clock, system
from reference_gateway.config import Account
from reference_gateway.errors import (
    CONCURRENCY_LIMIT,
    INSUFFICIENT_BALANCE,
    INTERNAL,
    INVALID_KEY,
    QUOTA_EXCEEDED,
    RATE_LIMITED,
    UNAVAILABLE,
    Refusal,
)
from reference_gateway.storage import prices as stored_prices
from reference_gateway.storage.interface import Database, Row, StorageFailed, Values
from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.storage.postgres_lane import Item, Lane, Outcome
from reference_gateway.storage.shared import Lease, Shared

log = logging.getLogger("reference_gateway")

HEARTBEAT_S: Final = 2.0
DEAD_AFTER_S: Final = 15.0
KEEP_SETTLEMENT_S: Final = 60.0
RETRY_SOON: Final = ((b"retry-after", b"2"),)  # contract:233
WAIT_FOR_SETTLEMENT_S: Final = 2.0  # then the caller gets its last bytes, and the settlement is tried further

SPAN_NAMES: Final = {span_s * 1000: name for name, span_s in SPANS}
_NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"  # the server's clock: the processes' may differ
_ALIVE: Final = (
    f"INSERT INTO nodes (id, started_ms, seen_ms) VALUES (:node, {_NOW}, {_NOW}) "
    f"ON CONFLICT (id) DO UPDATE SET seen_ms = greatest(nodes.seen_ms + 1, {_NOW})"
)
_HOLDERS: Final = (
    "SELECT id, seen_ms FROM nodes UNION SELECT node, 0 FROM open_holds WHERE node <> '' AND node NOT IN (SELECT id FROM nodes)"
)
_BURY: Final = "SELECT gateway_bury_1(:node, :seen_ms, :now_ms) AS released"
_MINE: Final = "SELECT request_id, account, key_id, task FROM open_holds WHERE node = :node"
_CAPS: Final = "SELECT name, max_concurrency FROM accounts WHERE max_concurrency IS NOT NULL"
_STANDING: Final = "SELECT * FROM gateway_standing_1(:account, :key_id, :now_ms, false)"
_WALLET: Final = "SELECT topped_up_micro_usd, spent_micro_usd, held_micro_usd FROM accounts WHERE name = :name"
_MOVE: Final = "SELECT * FROM gateway_move_1(:account, :kind, :signed, :reference, :source, :note, :now_ms)"
_ADOPT: Final = (
    "UPDATE open_holds SET node = :node WHERE request_id = :request_id AND key_id = :key_id AND task = 1 RETURNING amount_micro_usd, at_ms"
)


class PostgresTreasury:
    """`shared` is None where there is no Redis. Keeps `billing.interface.Treasury`."""

    def __init__(
        self,
        database: PostgresDatabase,
        accounts: Mapping[str, Account],
        *,
        prices: Iterable[PriceChange] = (),
        clock: Clock = system,
        shared: Shared | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        dead_after_s: float = DEAD_AFTER_S,
    ) -> None:
        self.clock = clock
        self.prices = PriceTable(prices)
        self._declared_prices = tuple(prices)
        self.accounts = accounts
        self.node = f"{os.getpid()}-{os.urandom(8).hex()}"
        self.database: Database = database
        self._postgres = database
        self._shared = shared
        self._heartbeat_s = heartbeat_s
        self._dead_after_s = dead_after_s
        self._lane = Lane(database, self.node, clock)
        self._open: dict[str, Hold] = {}
        self._closing: set[str] = set()  # their last step is decided and perhaps not written yet
        self._leased: set[str] = set()
        self._tasks: set[str] = set()  # of the open holds
        self._standings: dict[str, Standing] = {}
        self._caps: dict[str, int] = {}
        self._watched: dict[str, tuple[int, float]] = {}  # node: its last sign of life, and when (monotonic) it was first seen here
        self._tending: asyncio.Task[None] | None = None
        self.on_settled: OnSettled = nobody

    @property
    def open_holds(self) -> int:
        return len(self._open)

    async def open(self) -> None:
        await self._postgres.write((_ALIVE, {"node": self.node}))
        await self.declare(self._declared_prices)
        for account in self.accounts.values():
            amount = account.opening_balance_micro_usd
            if amount:
                await self.move(account.name, Kind.TOPUP, amount, reference=f"opening:{account.name}", source="config")
            else:
                create = "INSERT INTO accounts (name, created_ms) VALUES (:name, :now_ms) ON CONFLICT (name) DO NOTHING"
                await self._postgres.write((create, {"name": account.name, "now_ms": self._now_ms()}))
        await self._lane.open()
        await self._tend()
        self._tending = asyncio.create_task(self._keep_tending())

    async def declare(self, prices: Iterable[PriceChange]) -> None:
        await stored_prices.keep(self._postgres, self.prices, prices, self._now_ms())

    async def close(self) -> None:
        if self._tending is not None:
            await cancel(self._tending)
        await self._lane.close()
        with suppress(StorageFailed):  # then the others bury this node once it has been silent for long enough
            await self._bury(self.node, await self._seen(self.node))

    def _now_ms(self) -> int:
        return int(self.clock() * 1000)

    @property
    def writable(self) -> bool:
        """Whether a request has a chance to be admitted now."""
        return self._lane.up

    # admission

    async def hold(self, key: Key, request_id: str, amount_micro_usd: int, prices: Prices, *, task: bool = False) -> Hold:
        cap = self._caps.get(key.account, self.accounts[key.account].max_concurrency if key.account in self.accounts else 0)
        counted = await self._lease(key.account, request_id, cap)
        at_ms = self._now_ms()
        hold = Hold(request_id=request_id, key=key, amount_micro_usd=amount_micro_usd, prices=prices, at_ms=at_ms, task=task)
        item: Item = {
            "step": "hold",
            "request_id": request_id,
            "account": key.account,
            "key_id": key.id,
            "amount": amount_micro_usd,
            "task": int(task),
            "cap": cap,
            "count": not counted,
            "at_ms": at_ms,
        }
        self._open[request_id] = hold
        try:
            outcome = await self._lane.submit(item)
            if outcome["verdict"] == "fenced":  # silent for too long, and buried; what it had open has been given back
                await self._postgres.write((_ALIVE, {"node": self.node}))
                outcome = await self._lane.submit(item)
            self._heard_of(key.id, outcome)
            if outcome["verdict"] != "admitted":
                raise self._refusal(key, amount_micro_usd, cap, outcome)
        except StorageFailed:
            self._forget(hold)
            message = "The ledger cannot be written at the moment, so nothing is admitted; try again later."
            raise Refusal(UNAVAILABLE, message, headers=RETRY_SOON) from None
        except BaseException:
            self._forget(hold)  # a hold that was made after all is found by `_release_lost`
            raise
        if task:
            self._tasks.add(request_id)
            self._give_back(hold)
        return hold

    async def _lease(self, account: str, request_id: str, cap: int) -> bool:
        """Whether the request has been counted; if not, the database counts. Raises Refusal."""
        if not cap:
            return True
        if self._shared is None:
            return False
        lease = await self._shared.lease(account, request_id, cap)
        match lease:
            case Lease.GRANTED:
                self._leased.add(request_id)
                return True
            case Lease.UNKNOWN:
                self._leased.add(request_id)
                return False
            case Lease.FULL:
                raise _too_many(cap)
            case _:
                assert_never(lease)

    def _give_back(self, hold: Hold) -> None:
        if hold.request_id in self._leased and self._shared is not None:
            self._leased.discard(hold.request_id)
            self._shared.give_back(hold.key.account, hold.request_id)

    def _forget(self, hold: Hold) -> None:
        self._open.pop(hold.request_id, None)
        self._closing.discard(hold.request_id)
        self._tasks.discard(hold.request_id)
        self._give_back(hold)

    def _refusal(self, key: Key, amount: int, cap: int, outcome: Outcome) -> Refusal:
        may_cost = f"this request may cost up to {usd(amount)} USD, less with a smaller limit on its output."
        match outcome["verdict"]:
            case "key":
                return Refusal(INVALID_KEY, "This API key is not valid.")
            case "concurrency":
                return _too_many(cap)
            case "window":
                return self._window_refusal(key, outcome)
            case "quota":
                left = usd(max(0, outcome["quota"] - outcome["key_spent"] - outcome["key_held"]))
                return Refusal(QUOTA_EXCEEDED, f"This key's quota has {left} USD left; {may_cost}")
            case "wallet":
                available = usd((outcome["topped_up"] or 0) - (outcome["spent"] or 0) - (outcome["held"] or 0))
                return Refusal(INSUFFICIENT_BALANCE, f"The wallet has {available} USD available; {may_cost}")
            case "fenced":
                return Refusal(UNAVAILABLE, "This gateway process is not known to the others at the moment; try again later.")
            case verdict:
                log.error("request %s could not be admitted: %s", outcome.get("request_id", ""), verdict)
                return Refusal(INTERNAL, "The request could not be admitted.")

    def _window_refusal(self, key: Key, outcome: Outcome) -> Refusal:
        window = self._standings[key.id].window
        assert window is not None
        # With nothing to age out, what fills the window is open holds: they end with their requests.
        wait = 1 if window.remaining else max(1, math.ceil(window.resets_at - self.clock()))
        return Refusal(
            RATE_LIMITED,
            f"The {window.name} window of this key is exhausted: {usd(window.spent)} of {usd(window.limit)} USD spent, "
            f"{usd(outcome['key_held'])} USD held for open requests; it resets at {window.resets_at} (Unix seconds).",
            headers=((b"retry-after", b"%d" % wait),),
        )

    # the end of a request

    def is_open(self, hold: Hold) -> bool:
        return hold.request_id in self._open and hold.request_id not in self._closing

    async def settle(
        self,
        hold: Hold,
        usage: Usage,
        *,
        model: str,
        surface: str,
        provider: str = "",
        channel: str = "",
        estimated: bool = False,
        cap: bool = False,
    ) -> int:
        cost = hold.prices.cost(usage)
        if cap and cost > hold.amount_micro_usd:
            cost, estimated = hold.amount_micro_usd, True
        fields: Item = {
            "step": "settle",
            "cost": cost,
            "model": model,
            "surface": surface,
            "provider": provider,
            "channel": channel,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_5m_tokens": usage.cache_write_5m_tokens,
            "cache_write_1h_tokens": usage.cache_write_1h_tokens,
            "images": usage.images,
            "image_class": usage.image_class,
            "searches": usage.searches,
            "video_seconds": usage.video_seconds,
            "estimated": int(estimated),
        }
        outcome = await self._close_hold(hold, fields)
        charged = cost if outcome is None else int(outcome["charged"])
        if outcome is None or charged or outcome["verdict"] == "settled":
            self.on_settled(Settled(hold.request_id, model, surface, provider, usage, charged))
        else:
            log.warning("request %s was swept before it ended: it costs its caller nothing", hold.request_id)
        return charged

    async def release(self, hold: Hold) -> None:
        await self._close_hold(hold, {"step": "release"})

    async def _close_hold(self, hold: Hold, fields: Item) -> Outcome | None:
        """None where it is not written yet; it is tried further then."""
        if not self.is_open(hold):
            return {"verdict": "closed", "charged": 0}
        self._closing.add(hold.request_id)
        common = {"request_id": hold.request_id, "account": hold.key.account, "key_id": hold.key.id, "at_ms": self._now_ms()}
        try:
            done = self._lane.submit({**common, **fields}, keep_s=KEEP_SETTLEMENT_S)
        except StorageFailed as error:
            self._closed(hold, error)
            return None
        done.add_done_callback(lambda done: self._closed(hold, done.exception(), done))
        await asyncio.wait([done], timeout=WAIT_FOR_SETTLEMENT_S)
        return done.result() if done.done() and done.exception() is None else None

    def _closed(self, hold: Hold, error: BaseException | None, done: asyncio.Future[Outcome] | None = None) -> None:
        self._forget(hold)
        if error is not None:
            log.error("request %s could not be closed (%s); its hold is given back by the sweep.", hold.request_id, error)
        elif done is not None:
            self._heard_of(hold.key.id, done.result())

    async def adopt(self, request_id: str, key: Key, model: str) -> Hold | None:
        rows = await self._call(_ADOPT, {"node": self.node, "request_id": request_id, "key_id": key.id})
        if not rows:
            return None
        at_ms = int(rows[0]["at_ms"])
        hold = Hold(
            request_id=request_id,
            key=key,
            amount_micro_usd=int(rows[0]["amount_micro_usd"]),
            prices=self.prices.at(model, at_ms),
            at_ms=at_ms,
            task=True,
        )
        self._open[request_id] = hold
        self._tasks.add(request_id)
        return hold

    # how things stand

    def standing(self, key: Key) -> Standing:
        return self._standings.get(key.id) or Standing(0, None)

    async def refresh(self, key: Key) -> None:
        """Where the database is away, the newest that was heard stays."""
        if not self._lane.up:
            return
        with suppress(StorageFailed):
            rows = await self._postgres.fetch(_STANDING, {"account": key.account, "key_id": key.id, "now_ms": self._now_ms()})
            self._heard_of(key.id, rows[0])

    def _heard_of(self, key_id: str, row: Mapping[str, Any]) -> None:
        if row["topped_up"] is None:
            return
        left = row["topped_up"] - row["spent"]
        if row["quota"]:
            left = min(left, max(0, row["quota"] - row["key_spent"]))
        window: Tightest | None = None
        if row["window_limit"]:
            limit, spent, span_ms = row["window_limit"], row["window_spent"], row["window_span_ms"]
            resets_ms = row["window_resets_ms"] or self._now_ms() + span_ms
            window = Tightest(
                name=SPAN_NAMES[span_ms],
                limit=limit,
                spent=spent,
                remaining=max(0, limit - spent),
                resets_at=-(-resets_ms // 1000),
            )
        self._standings[key_id] = Standing(left, window)

    async def wallet(self, account: str) -> Wallet:
        rows = await self._call(_WALLET, {"name": account})
        if not rows:
            return Wallet()
        row = rows[0]
        return Wallet(topped_up=row["topped_up_micro_usd"], spent=row["spent_micro_usd"], held=row["held_micro_usd"])

    async def spent_by_key(self, key: Key) -> int:
        rows = await self._call("SELECT spent_micro_usd FROM keys WHERE id = :id", {"id": key.id})
        return int(rows[0]["spent_micro_usd"]) if rows else 0

    async def spent_by_model(self, key: Key) -> Mapping[str, int]:
        rows = await self._call("SELECT model, spent_micro_usd FROM model_sums WHERE key_id = :key_id", {"key_id": key.id})
        return {row["model"]: int(row["spent_micro_usd"]) for row in rows}

    async def _call(self, sql: str, values: Values) -> list[Row]:
        """For answers: raises Refusal where the database is away."""
        try:
            return await self._postgres.call(sql, values)
        except StorageFailed:
            raise Refusal(UNAVAILABLE, "The ledger cannot be read at the moment; try again later.", headers=RETRY_SOON) from None

    async def move(
        self, account: str, kind: Kind, amount_micro_usd: int, *, reference: str, source: str = "", note: str = ""
    ) -> Transaction:
        if amount_micro_usd < 1:
            raise ValueError(f"{amount_micro_usd} micro-USD cannot be moved; give an amount of at least 0.000001 USD")
        values: Values = {
            "account": account,
            "kind": kind.value,
            "signed": kind.sign * amount_micro_usd,
            "reference": reference,
            "source": source,
            "note": note,
            "now_ms": self._now_ms(),
        }
        rows = await self._postgres.call(_MOVE, values)
        if not rows:
            raise ValueError(f"account {account} cannot pay a debit of {usd(amount_micro_usd)} USD; debit at most what is available")
        row = rows[0]
        if (row["account"], int(row["amount_micro_usd"])) != (account, amount_micro_usd):
            raise ValueError(f"the reference {reference} belongs to another {kind}; choose another")
        return Transaction(
            id=row["request_id"],
            position=int(row["id"]),
            account=row["account"],
            kind=kind,
            amount_micro_usd=kind.sign * int(row["amount_micro_usd"]),
            balance_after_micro_usd=int(row["balance_after_micro_usd"]),
            source=row["source"] or "",
            note=row["note"] or "",
            at_ms=int(row["at_ms"]),
        )

    # signs of life, and the sweep

    async def sweep(self, older_than_s: float) -> int:
        """Besides the holds of dead processes: those of this one that are older."""
        released = await self._tend()
        oldest_ms = self._now_ms() - older_than_s * 1000
        for hold in [hold for hold in self._open.values() if hold.at_ms <= oldest_ms and not hold.task]:
            if self.is_open(hold):
                await self.release(hold)
                released += 1
        return released

    async def _keep_tending(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            try:
                await self._tend()
            except StorageFailed:
                self._watched.clear()  # while the database was away nobody could show a sign of life

    async def _tend(self) -> int:
        """How many holds of dead processes, and of nobody, were released."""
        await self._postgres.write((_ALIVE, {"node": self.node}))
        self._caps = {row["name"]: row["max_concurrency"] for row in await self._postgres.fetch(_CAPS, {})}
        released = await self._release_lost()
        seen = {row["id"]: int(row["seen_ms"]) for row in await self._postgres.fetch(_HOLDERS, {}) if row["id"] != self.node}
        now = time.monotonic()
        before, self._watched = self._watched, {}
        for node, seen_ms in seen.items():
            last_ms, since = before.get(node, (seen_ms, now))
            self._watched[node] = (seen_ms, since if last_ms == seen_ms else now)
            if last_ms == seen_ms and now - since >= self._dead_after_s:
                released += await self._bury(node, seen_ms)
        return released

    async def _bury(self, node: str, seen_ms: int) -> int:
        rows = await self._postgres.call(_BURY, {"node": node, "seen_ms": seen_ms, "now_ms": self._now_ms()})
        released = rows[0]["released"] or 0
        if released:
            log.warning("%d holds of a gateway process that is no more were given back.", released)
        return int(released)

    async def alive(self) -> set[str]:
        """The processes that show signs of life, this one apart. Raises StorageFailed."""
        rows = await self._postgres.fetch("SELECT id FROM nodes WHERE id <> :node", {"node": self.node})
        return {row["id"] for row in rows}

    async def _seen(self, node: str) -> int:
        rows = await self._postgres.fetch("SELECT seen_ms FROM nodes WHERE id = :node", {"node": node})
        return int(rows[0]["seen_ms"]) if rows else 0

    async def _release_lost(self) -> int:
        """Holds in this process's name that it does not know: it was refused one, or cut off, while the database made it."""
        tasks = self._tasks - self._closing
        mine = await self._postgres.fetch(_MINE, {"node": self.node})
        for request_id in tasks - {row["request_id"] for row in mine}:  # another process has taken the task over
            self._open.pop(request_id, None)
            self._tasks.discard(request_id)
        lost = [row for row in mine if not row["task"] and row["request_id"] not in self._open]
        steps = [
            self._lane.submit(
                {
                    "step": "release",
                    "request_id": row["request_id"],
                    "account": row["account"],
                    "key_id": row["key_id"],
                    "at_ms": self._now_ms(),
                }
            )
            for row in lost
        ]
        await asyncio.gather(*steps)
        return len(steps)


def _too_many(cap: int) -> Refusal:
    return Refusal(CONCURRENCY_LIMIT, f"{cap} requests of this account are under way, and no more may be; wait for one to end.")
