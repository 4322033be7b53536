"""Admission and settlement in one process: who may call now, what is held for it, what it cost in the end.

Decided in memory in one step without an await, so no two requests can be admitted on the same money; written to the store before anything
depends on it. Nothing here knows of sockets or protocols. Sources: billing-and-storage.md 4.2, contract:152 to contract:199, C28, C32, C37.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from reference_gateway.accounts.keys import Key
from reference_gateway.billing import movements
from reference_gateway.billing.interface import Hold, OnSettled, Settled, Standing, Transaction, nobody
from reference_gateway.billing.ledger import HOLD, MOVEMENTS, Entry, InsufficientFunds, Kind, Ledger, Wallet
from reference_gateway.billing.prices import MILLION, PriceChange, Prices, PriceTable, Usage
from reference_gateway.billing.windows import Limits, Windows
from reference_gateway.clock import Clock, system
from reference_gateway.config import Account
from reference_gateway.errors import CONCURRENCY_LIMIT, INSUFFICIENT_BALANCE, QUOTA_EXCEEDED, RATE_LIMITED, UNAVAILABLE, Refusal
from reference_gateway.storage import prices as stored_prices
from reference_gateway.storage.interface import Database, StorageFailed
from reference_gateway.storage.sqlite import Store, Then, UsageValues

log = logging.getLogger("reference_gateway")
SNAPSHOT_EVERY: Final = 100_000  # entries; reading as many is a second of start after a kill


def usd(micro_usd: int) -> str:
    """The exact decimal, with two to six places: 192.40, 0.000015."""
    sign = "-" if micro_usd < 0 else ""
    whole, part = divmod(abs(micro_usd), MILLION)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


@dataclass(slots=True)
class _KeyBook:
    windows: Windows = field(default_factory=Windows)
    spent: int = 0
    held: int = 0
    models: dict[str, int] = field(default_factory=dict)  # what was spent on each


class Treasury:
    """Keeps `billing.interface.Treasury`."""

    def __init__(self, store: Store, accounts: Mapping[str, Account], *, prices: Iterable[PriceChange] = (), clock: Clock = system) -> None:
        self._store = store
        self.database: Database = store
        self.clock = clock
        self._declared_prices = tuple(prices)
        self.prices = PriceTable(self._declared_prices)
        self.accounts = accounts
        self._ledger = Ledger()
        self._books: dict[str, _KeyBook] = {}
        self._caps = {name: account.max_concurrency for name, account in accounts.items()}
        self._running: dict[str, int] = {}  # account: requests under way that its concurrency cap counts
        self._task_holds: set[str] = set()
        self._entries_since_snapshot = 0
        self._diverged = False  # a settlement could not be written, so memory is not what the ledger says
        self._moving = asyncio.Lock()
        self.on_settled: OnSettled = nobody

    # the books

    async def open(self) -> None:
        """Raises StorageFailed where another process serves from the same file."""
        self._store.lock()
        self._load_snapshot()
        await self._read_accounts()
        await self.declare(self._declared_prices)
        for account in self.accounts.values():
            if account.opening_balance_micro_usd:
                amount = account.opening_balance_micro_usd
                await self.move(account.name, Kind.TOPUP, amount, reference=f"opening:{account.name}", source="config")
        rows = await self._store.fetch("SELECT id FROM tasks WHERE state IN ('pending', 'running')", {})
        self._task_holds = {row["id"] for row in rows} & self._ledger.open.keys()
        stale = [entry for entry in self._ledger.open.values() if entry.request_id not in self._task_holds]
        if stale:
            await self._store.append(*(self._give_back(entry) for entry in stale))

    async def declare(self, prices: Iterable[PriceChange]) -> None:
        await stored_prices.keep(self._store, self.prices, prices, self._now_ms())

    async def close(self) -> None:
        """The next start reads nothing but what comes after this."""
        self._save()

    def _load_snapshot(self) -> None:
        snapshot, after_id = self._store.snapshot(), 0
        if snapshot is not None:
            after_id, body = snapshot
            saved = msgspec.json.decode(body)
            for account, spent, held in saved["wallets"]:
                self._ledger.wallets[account] = Wallet(spent=spent, held=held)
            for key_id, spent, held, windows in saved["keys"]:
                book = self._books[key_id] = _KeyBook(spent=spent, held=held)
                book.windows.load(windows)
            self._ledger.open = {entry.request_id: entry for entry in map(Entry._make, saved["open"])}
            for key_id, models in saved.get("models", ()):
                self._book(key_id).models = models
        # A snapshot of an older gateway knows no models.
        after_models = after_id if snapshot is None or "models" in saved else 0
        for key_id, model, spent in self._store.spent_by_model(after_models):
            book = self._book(key_id)
            book.models[model] = book.models.get(model, 0) + spent
        for entry in self._store.entries(after_id):
            self._replay(entry)

    def _replay(self, entry: Entry) -> None:
        book = self._book(entry.key_id)
        match Kind(entry.kind):
            case Kind.HOLD:
                book.held += entry.amount_micro_usd
            case Kind.SETTLE | Kind.ADJUST:
                if (hold := self._ledger.open.get(entry.request_id)) is not None:
                    book.held -= hold.amount_micro_usd
                book.spent += entry.amount_micro_usd
                book.windows.add(entry.at_ms / 1000, entry.amount_micro_usd)
            case Kind.RELEASE:
                book.held -= entry.amount_micro_usd
            case _:
                pass
        self._ledger.replay(entry)
        self._entries_since_snapshot += 1

    def _save(self) -> None:
        if self._diverged or not self._entries_since_snapshot:
            return
        now = self.clock()
        body: dict[str, list[Any]] = {
            "wallets": [(account, wallet.spent, wallet.held) for account, wallet in self._ledger.wallets.items()],
            "keys": [(key_id, book.spent, book.held, book.windows.save(now)) for key_id, book in self._books.items()],
            "models": [(key_id, book.models) for key_id, book in self._books.items() if book.models],
            "open": list(self._ledger.open.values()),
        }
        self._store.save(msgspec.json.encode(body).decode())
        self._entries_since_snapshot = 0

    async def reload(self) -> None:
        """Takes over what other processes have moved: a top-up from the command line."""
        if self._store.changed_elsewhere():
            await self._read_accounts()

    async def _read_accounts(self) -> None:
        async with self._moving:
            for account, total in (await movements.totals(self._store)).items():
                self._ledger.wallet(account).topped_up = total
            rows = await self._store.fetch("SELECT name, max_concurrency FROM accounts WHERE max_concurrency IS NOT NULL", {})
            self._caps = {name: account.max_concurrency for name, account in self.accounts.items()}
            self._caps |= {row["name"]: row["max_concurrency"] for row in rows}

    def _book(self, key_id: str) -> _KeyBook:
        book = self._books.get(key_id)
        if book is None:
            book = self._books[key_id] = _KeyBook()
        return book

    def _now_ms(self) -> int:
        return int(self.clock() * 1000)

    # requests

    async def hold(self, key: Key, request_id: str, amount_micro_usd: int, prices: Prices, *, task: bool = False) -> Hold:
        """As the interface says.

        A window admits while anything of it remains after what is held, so that a request right after its reset succeeds: it may be
        overdrawn by one request. Quota and wallet admit only what they can pay in full.
        """
        entry = self._admit(key, request_id, amount_micro_usd, task)
        try:
            await self._store.append(entry)
        except StorageFailed:
            raise self.undo(entry) from None
        except asyncio.CancelledError:  # the hold is written, and nobody will hear of it
            self._store.append(self._give_back(entry))
            raise
        return Hold(request_id, key, amount_micro_usd, prices, entry.at_ms, task)

    def hold_at_once(self, key: Key, request_id: str, amount_micro_usd: int, prices: Prices, then: Then) -> Hold:
        """As `hold`, but that `then` is told once it is written, or why it could not be: then `undo`. Until then nothing may rest on it."""
        entry = self._admit(key, request_id, amount_micro_usd, task=False)
        self._store.put(then, entry)
        return Hold(request_id, key, amount_micro_usd, prices, entry.at_ms)

    def undo(self, hold: Entry | Hold) -> Refusal:
        """Of a hold that could not be written: as if it had never been, and what its caller is told."""
        self._give_back(self._ledger.open[hold.request_id])
        return Refusal(UNAVAILABLE, "The ledger cannot be written at the moment, so nothing is admitted; try again later.")

    def _admit(self, key: Key, request_id: str, amount_micro_usd: int, task: bool) -> Entry:
        """In memory; the hold to write."""
        account, key_id, now = key.account, key.id, self.clock()
        book = self._books.get(key_id) or self._book(key_id)
        running = self._running.get(account, 0)
        cap = self._caps.get(account)
        if cap and running >= cap:
            raise Refusal(CONCURRENCY_LIMIT, f"{running} requests of this account are under way, and {cap} may be; wait for one to end.")
        if not book.windows.have_room(book.held, (key.limit_5h_micro_usd, key.limit_1d_micro_usd, key.limit_7d_micro_usd)):
            self._check_window(key, book, now)
        if key.quota_micro_usd and book.spent + book.held + amount_micro_usd > key.quota_micro_usd:
            left = usd(max(0, key.quota_micro_usd - book.spent - book.held))
            raise Refusal(
                QUOTA_EXCEEDED,
                f"This key's quota has {left} USD left; this request may cost up to {usd(amount_micro_usd)} USD, "
                "less with a smaller limit on its output.",
            )
        entry = Entry(HOLD, account, key_id, request_id, amount_micro_usd, int(now * 1000))
        try:
            self._ledger.hold(entry)
        except InsufficientFunds:
            available = usd(self._ledger.wallet(account).available)
            raise Refusal(
                INSUFFICIENT_BALANCE,
                f"The wallet has {available} USD available; this request may cost up to {usd(amount_micro_usd)} USD, "
                "less with a smaller limit on its output.",
            ) from None
        book.held += amount_micro_usd
        if task:
            self._task_holds.add(request_id)
        else:
            self._running[account] = running + 1
        return entry

    def _check_window(self, key: Key, book: _KeyBook, now: float) -> None:
        window = book.windows.tightest(now, _limits(key))
        if window is None or window.spent + book.held < window.limit:
            return
        # With nothing to age out, what fills the window is open holds: they end with their requests.
        wait = 1 if window.remaining else max(1, math.ceil(window.resets_at - now))
        raise Refusal(
            RATE_LIMITED,
            f"The {window.name} window of this key is exhausted: {usd(window.spent)} of {usd(window.limit)} USD spent, "
            f"{usd(book.held)} USD held for open requests; it resets at {window.resets_at} (Unix seconds).",
            headers=((b"retry-after", b"%d" % wait),),
        )

    def is_open(self, hold: Hold) -> bool:
        return hold.request_id in self._ledger.open

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
        settled = self._settle(hold, usage, model=model, surface=surface, provider=provider, channel=channel, estimated=estimated, cap=cap)
        if settled is None:
            return 0
        entries, row = settled
        await self._written(self._store.append(*entries, usage=row))
        return sum(entry.amount_micro_usd for entry in entries)

    def settle_at_once(
        self,
        hold: Hold,
        usage: Usage,
        then: Then,
        *,
        model: str,
        surface: str,
        provider: str,
        channel: str,
        estimated: bool = False,
        cap: bool = False,
    ) -> bool:
        """As `settle`, but that `then` is told once it is written, or that it was not; never where this is False: the hold was swept."""
        settled = self._settle(hold, usage, model=model, surface=surface, provider=provider, channel=channel, estimated=estimated, cap=cap)
        if settled is None:
            return False
        entries, row = settled
        self._store.put(then, *entries, usage=row)
        return True

    def _settle(
        self,
        hold: Hold,
        usage: Usage,
        *,
        model: str,
        surface: str,
        provider: str,
        channel: str,
        estimated: bool = False,
        cap: bool = False,
    ) -> tuple[tuple[Entry, ...], UsageValues] | None:
        """In memory; what to write. None for a hold that was swept."""
        request_id, key, held, at_ms = hold.request_id, hold.key, hold.amount_micro_usd, int(self.clock() * 1000)
        account, key_id = key.account, key.id
        if request_id not in self._ledger.open:
            log.warning("request %s was swept before it ended: it costs its caller nothing", request_id)
            return None
        cost = hold.prices.cost(usage)
        if cap and cost > held:
            cost, estimated = held, True
        book = self._books[key_id]
        book.held -= held
        quota_left = key.quota_micro_usd - book.spent - book.held if key.quota_micro_usd else None
        entries = self._ledger.settle(request_id, cost, at_ms, at_most=quota_left)
        charged = entries[0].amount_micro_usd if len(entries) == 1 else sum(entry.amount_micro_usd for entry in entries)
        book.spent += charged
        book.models[model] = book.models.get(model, 0) + charged
        book.windows.add(at_ms / 1000, charged)
        self._ended(account, request_id)
        input_tokens, output_tokens, read = usage.input_tokens, usage.output_tokens, usage.cache_read_tokens
        # fmt: off
        row = (
            request_id, account, key_id, model, surface, input_tokens, output_tokens, read,
            usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, charged, int(estimated), at_ms,
            cost - charged, usage.images, usage.image_class, provider, channel, usage.searches, usage.video_seconds,
        )
        # fmt: on
        self._count_entries()
        self.on_settled(Settled(request_id, model, surface, provider, usage, charged))
        return entries, row

    def not_written(self, why: str) -> None:
        """Of a settlement: the caller still has its answer. After a restart the hold is found open and given back."""
        self._diverged = True
        log.error("%s", why)

    async def release(self, hold: Hold) -> None:
        entry = self._ledger.open.get(hold.request_id)
        if entry is not None:
            await self._written(self._store.append(self._give_back(entry)))

    def _give_back(self, entry: Entry) -> Entry:
        """In memory; the release to write."""
        self._book(entry.key_id).held -= entry.amount_micro_usd
        self._ended(entry.account, entry.request_id)
        return self._ledger.release(entry.request_id, self._now_ms())

    def _ended(self, account: str, request_id: str) -> None:
        if request_id in self._task_holds:
            self._task_holds.discard(request_id)
        elif running := self._running.get(account):
            self._running[account] = running - 1

    def _count_entries(self) -> None:
        self._entries_since_snapshot += 2
        if self._entries_since_snapshot >= SNAPSHOT_EVERY:
            # Not before the settlement under way is in the batch.
            asyncio.get_running_loop().call_soon(self._save)

    async def _written(self, commit: Awaitable[None]) -> None:
        try:
            await commit
        except StorageFailed as error:
            self.not_written(str(error))

    async def adopt(self, request_id: str, key: Key, model: str) -> Hold | None:
        entry = self._ledger.open.get(request_id)
        if entry is None:
            return None
        self._task_holds.add(request_id)
        return Hold(request_id, key, entry.amount_micro_usd, self.prices.at(model, entry.at_ms), entry.at_ms, task=True)

    async def sweep(self, older_than_s: float) -> int:
        before_ms = (self.clock() - older_than_s) * 1000
        stale = [entry for entry in self._ledger.open.values() if entry.at_ms < before_ms and entry.request_id not in self._task_holds]
        if stale:
            log.warning("%d holds were older than %d s: released", len(stale), older_than_s)
            await self._written(self._store.append(*map(self._give_back, stale)))
        return len(stale)

    # how things stand

    async def refresh(self, key: Key) -> None:
        pass  # the books are here

    def standing(self, key: Key) -> Standing:
        book = self._book(key.id)
        left = self._ledger.wallet(key.account).settled
        if key.quota_micro_usd:
            left = min(left, max(0, key.quota_micro_usd - book.spent))
        return Standing(left, book.windows.tightest(self.clock(), _limits(key)))

    async def wallet(self, account: str) -> Wallet:
        return self._ledger.wallet(account)

    async def spent_by_key(self, key: Key) -> int:
        return self._book(key.id).spent

    async def spent_by_model(self, key: Key) -> Mapping[str, int]:
        return self._book(key.id).models

    @property
    def open_holds(self) -> int:
        return len(self._ledger.open)

    async def move(
        self, account: str, kind: Kind, amount_micro_usd: int, *, reference: str, source: str = "", note: str = ""
    ) -> Transaction:
        if kind not in MOVEMENTS or amount_micro_usd < 1:
            raise ValueError(f"a {kind} of {amount_micro_usd} micro-USD moves nothing; give a movement and an amount from 1 up")
        async with self._moving:
            wallet, signed = self._ledger.wallet(account), kind.sign * amount_micro_usd
            movement = Transaction(
                id=reference,
                account=account,
                kind=kind,
                amount_micro_usd=signed,
                balance_after_micro_usd=wallet.settled + signed,
                source=source,
                note=note,
                at_ms=self._now_ms(),
            )
            return await self._move(movement, wallet)

    async def _move(self, movement: Transaction, wallet: Wallet) -> Transaction:
        """A debit is taken before it is written, so that nothing is admitted on it; a credit is given once it is."""
        signed = movement.amount_micro_usd
        taken = min(signed, 0)
        if -taken > wallet.available:
            raise ValueError(f"account {movement.account} has {usd(wallet.available)} USD available; take no more than that")
        wallet.topped_up += taken
        given = 0
        try:
            written, is_new = await movements.write(self._store, movement)
            given = signed if is_new else 0
        finally:
            wallet.topped_up += given - taken
        return written


def _limits(key: Key) -> Limits:
    return key.limit_5h_micro_usd, key.limit_1d_micro_usd, key.limit_7d_micro_usd
