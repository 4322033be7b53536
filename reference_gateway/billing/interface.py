"""What the gateway asks of whoever keeps the money: admit, settle, release, and say how things stand.

Two keep it: `billing.treasury` in memory over SQLite for one process, and the PostgreSQL one for several. Neither knows of sockets or
protocols. Sources: billing-and-storage.md 4.2, contract:152 to contract:199, C28, C32, C37.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.ledger import Kind, Wallet
from reference_gateway.billing.prices import PriceChange, Prices, PriceTable, Usage
from reference_gateway.billing.windows import Tightest
from reference_gateway.clock import Clock
from reference_gateway.config import Account
from reference_gateway.storage.interface import Database


class Hold(msgspec.Struct, frozen=True):  # as Standing, one a request: a frozen dataclass takes nine times as long to make
    """An admitted request; it must end in exactly one settle or release. `prices` are those in force when it was admitted."""

    request_id: str
    key: Key
    amount_micro_usd: int
    prices: Prices
    at_ms: int  # Unix milliseconds
    task: bool = False


class Standing(msgspec.Struct, frozen=True):
    """What the headers show of a key.

    `credits` is the settled wallet, or the key's own quota where less of that is left; what is held for open requests, the present one
    included, is still in it (billing-and-storage.md 4.3, invariant 18: declared so).
    """

    credits: int
    window: Tightest | None

    def without_reset(self) -> Standing:
        """For a refusal that no reset ends (contract:195)."""
        return Standing(self.credits, None if self.window is None else self.window._replace(resets_at=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One movement of the wallet that is no usage (contract:179). `amount_micro_usd` is signed.

    `id` is its reference; `position` in the ledger is 0 before it is written.
    """

    id: str
    position: int = 0
    account: str
    kind: Kind
    amount_micro_usd: int
    balance_after_micro_usd: int
    source: str
    note: str
    at_ms: int


class Settled(msgspec.Struct, frozen=True, gc=False):  # one a request: made in a fifth of a dataclass's time
    """What a request or a task has cost."""

    request_id: str
    model: str
    surface: str
    provider: str
    usage: Usage
    cost_micro_usd: int


OnSettled = Callable[[Settled], None]


def nobody(settled: Settled) -> None:
    """Whom settlements are told to where nobody asked."""


class Treasury(Protocol):
    clock: Clock
    prices: PriceTable
    accounts: Mapping[str, Account]
    on_settled: OnSettled

    @property
    def open_holds(self) -> int:
        """How many requests and tasks of this process are held for now."""

    database: Database  # where storage.usage and billing.movements read

    async def open(self) -> None:
        """Reads the books, gives new accounts their opening balance, and releases the holds that no live task has."""

    async def close(self) -> None: ...

    async def declare(self, prices: Iterable[PriceChange]) -> None:
        """The configuration's prices as they are now: what differs from what is in force is in force from now on."""

    async def hold(self, key: Key, request_id: str, amount_micro_usd: int, prices: Prices, *, task: bool = False) -> Hold:
        """Admits in one atomic step, or raises Refusal and nothing has changed.

        429 for the concurrency cap or an exhausted window, 402 for quota or wallet, 503 where the ledger cannot be written. The hold of a
        `task` takes no place among the concurrent requests once it is made, is not swept by its age, and outlives a restart while its
        task is pending or running.
        """

    def is_open(self, hold: Hold) -> bool: ...

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
        """Charges the usage and writes its row; returns the micro-USD charged. `cap`: never more than was held.

        What costs more than was held is charged as far as the wallet and the key's quota go; the rest is the operator's loss and stands
        in the row. A hold that has been swept meanwhile costs nothing.
        """

    async def release(self, hold: Hold) -> None:
        """Gives the whole hold back; the request has cost nothing. A hold that is no longer open stays as it is."""

    async def adopt(self, request_id: str, key: Key, model: str) -> Hold | None:
        """The open hold of a task that an earlier process has admitted; None where there is none."""

    async def refresh(self, key: Key) -> None:
        """Makes `standing` current; nothing to do where the books are in this process. For the gateway's own answers."""

    def standing(self, key: Key) -> Standing:
        """As of the newest admission, settlement or refresh of that key."""

    async def wallet(self, account: str) -> Wallet: ...

    async def spent_by_key(self, key: Key) -> int: ...

    async def spent_by_model(self, key: Key) -> Mapping[str, int]:
        """What the key has spent on each model that it has called; kept as it is spent, never added up."""

    async def move(
        self, account: str, kind: Kind, amount_micro_usd: int, *, reference: str, source: str = "", note: str = ""
    ) -> Transaction:
        """A top-up, refund, credit or debit. The same kind and `reference` again moves nothing: the first movement is returned.

        Raises ValueError for an amount below one micro-USD or a debit that the wallet cannot pay, StorageFailed where it cannot be written.
        """

    async def sweep(self, older_than_s: float) -> int:
        """Releases the holds older than that, tasks' apart; how many."""
