"""Admission and settlement: who may call now, what is held for it, what it cost in the end.

Decided in memory in one step without an await, so no two requests can be admitted on the same money; written to the store before anything
depends on it. Nothing here knows of sockets or protocols. Sources: billing-and-storage.md 4.2, contract:152 to contract:199, C28, C32, C37.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.ledger import Entry, InsufficientFunds, Kind, Ledger, State, Wallet
from reference_gateway.billing.windows import Tightest, Windows
from reference_gateway.catalog import MILLION, Model, Usage
from reference_gateway.config import Account
from reference_gateway.errors import INSUFFICIENT_BALANCE, QUOTA_EXCEEDED, RATE_LIMITED, UNAVAILABLE, Refusal
from reference_gateway.storage.sqlite import StorageFailed, Store, UsageRow

log = logging.getLogger("reference_gateway")


def usd(micro_usd: int) -> str:
    """The exact decimal, with two to six places: 192.40, 0.000015."""
    sign = "-" if micro_usd < 0 else ""
    whole, part = divmod(abs(micro_usd), MILLION)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An admitted request; it must end in exactly one settle or release."""

    request_id: str
    key: Key
    amount_micro_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the headers show of a key.

    `credits` is the settled wallet, or the key's own quota where less of that is left; what is held for open requests, the present one
    included, is still in it (billing-and-storage.md 4.3, invariant 18: declared so).
    """

    credits: int
    window: Tightest | None


@dataclass(slots=True)
class _KeyBook:
    windows: Windows
    spent: int = 0
    held: int = 0


class Treasury:
    def __init__(self, store: Store, accounts: Mapping[str, Account], keys: Iterable[Key], clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._ledger = Ledger()
        self._books = {
            key.id: _KeyBook(windows=Windows((key.limit_5h_micro_usd, key.limit_1d_micro_usd, key.limit_7d_micro_usd))) for key in keys
        }
        self.accounts = accounts

    async def open(self) -> None:
        """Reads the ledger back, gives new accounts their opening balance, and releases what a crash left held (never-bill wins)."""
        seen: set[str] = set()
        for entry in self._store.entries():
            self._replay(entry, seen)
        for account in self.accounts.values():
            request_id = f"opening:{account.name}"
            if account.opening_balance_micro_usd and request_id not in seen:
                entry = Entry(
                    kind=Kind.TOPUP,
                    account=account.name,
                    key_id="",
                    request_id=request_id,
                    amount_micro_usd=account.opening_balance_micro_usd,
                    at_ms=self._now_ms(),
                )
                self._ledger.topup(entry)
                self._store.append(entry)
        stale = [self._ledger.release(hold.request_id, self._now_ms()) for hold in self._ledger.open_holds]
        await self._store.append(*stale)

    def _replay(self, entry: Entry, seen: set[str]) -> None:
        match entry.kind:
            case Kind.TOPUP:
                seen.add(entry.request_id)
                self._ledger.topup(entry)
            case Kind.HOLD:
                self._ledger.hold(entry)
            case Kind.SETTLE:
                self._ledger.settle(entry.request_id, entry.amount_micro_usd, entry.at_ms)
                if (book := self._books.get(entry.key_id)) is not None:
                    book.spent += entry.amount_micro_usd
                    book.windows.add(entry.at_ms / 1000, entry.amount_micro_usd)
            case Kind.RELEASE:
                self._ledger.release(entry.request_id, entry.at_ms)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def now(self) -> float:
        return self._clock()

    async def hold(self, key: Key, request_id: str, amount_micro_usd: int) -> Hold:
        """Admits or raises Refusal: 429 for an exhausted window, 402 for quota or wallet, 503 where the ledger cannot be written.

        A window admits while anything of it remains after what is held (so a request right after its reset succeeds); quota and wallet
        admit only what they can pay in full.
        """
        book = self._books[key.id]
        self._check_window(key, book)
        if key.quota_micro_usd and book.spent + book.held + amount_micro_usd > key.quota_micro_usd:
            left = usd(max(0, key.quota_micro_usd - book.spent))
            raise Refusal(QUOTA_EXCEEDED, f"This key's quota has {left} USD left; this request may cost up to {usd(amount_micro_usd)} USD.")
        entry = Entry(
            kind=Kind.HOLD,
            account=key.account,
            key_id=key.id,
            request_id=request_id,
            amount_micro_usd=amount_micro_usd,
            at_ms=self._now_ms(),
        )
        try:
            self._ledger.hold(entry)
        except InsufficientFunds:
            available = usd(self._ledger.wallet(key.account).available)
            raise Refusal(
                INSUFFICIENT_BALANCE, f"The wallet has {available} USD available; this request may cost up to {usd(amount_micro_usd)} USD."
            ) from None
        book.held += amount_micro_usd
        try:
            await self._store.append(entry)
        except StorageFailed:
            self._ledger.release(request_id, self._now_ms())
            book.held -= amount_micro_usd
            raise Refusal(UNAVAILABLE, "The ledger cannot be written at the moment, so nothing is admitted; try again later.") from None
        return Hold(request_id=request_id, key=key, amount_micro_usd=amount_micro_usd)

    def _check_window(self, key: Key, book: _KeyBook) -> None:
        now = self._clock()
        window = book.windows.tightest(now)
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
        return self._ledger.state(hold.request_id) is State.HELD

    async def settle(self, hold: Hold, model: Model, surface: str, usage: Usage, *, estimated: bool = False, cap: bool = False) -> int:
        """Charges the usage and writes its row; returns the micro-USD charged. `cap`: never more than was held."""
        cost = model.prices.cost(usage)
        if cap and cost > hold.amount_micro_usd:
            cost, estimated = hold.amount_micro_usd, True
        at_ms = self._now_ms()
        entry = self._ledger.settle(hold.request_id, cost, at_ms)
        book = self._books[hold.key.id]
        book.held -= hold.amount_micro_usd
        book.spent += entry.amount_micro_usd
        book.windows.add(at_ms / 1000, entry.amount_micro_usd)
        row = UsageRow(
            request_id=hold.request_id,
            account=hold.key.account,
            key_id=hold.key.id,
            model=model.id,
            surface=surface,
            usage=usage,
            cost_micro_usd=entry.amount_micro_usd,
            estimated=estimated,
            created_ms=at_ms,
        )
        await self._written(self._store.append(entry, usage=row))
        return entry.amount_micro_usd

    async def release(self, hold: Hold) -> None:
        """Gives the whole hold back; the request has cost nothing."""
        self._books[hold.key.id].held -= hold.amount_micro_usd
        await self._written(self._store.append(self._ledger.release(hold.request_id, self._now_ms())))

    @staticmethod
    async def _written(commit: Awaitable[None]) -> None:
        """Where it cannot be written the caller still has its answer: after a restart the hold is found open and given back."""
        try:
            await commit
        except StorageFailed as error:
            log.error("%s", error)

    def standing(self, key: Key) -> Standing:
        book = self._books[key.id]
        left = self._ledger.wallet(key.account).settled
        if key.quota_micro_usd:
            left = min(left, max(0, key.quota_micro_usd - book.spent))
        return Standing(credits=left, window=book.windows.tightest(self._clock()))

    def wallet(self, account: str) -> Wallet:
        return self._ledger.wallet(account)

    def spent_by_key(self, key: Key) -> int:
        return self._books[key.id].spent

    async def usage_rows(self, account: str, request_id: str | None, limit: int) -> list[UsageRow]:
        return await self._store.usage_rows(account, request_id, limit)
