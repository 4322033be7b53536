"""The ledger as a pure state machine: entries in, balances out, no clock, no disk (billing-and-storage.md 4.2).

Each request id goes `none -> held -> settled | released`, each transition once. Money is integer micro-USD. A wallet is the sum of its
entries: movements less settlements; what is held is shown beside it and is not available. A wallet never goes below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, assert_never


class Kind(StrEnum):
    """What an entry does: three are steps of a request, `adjust` is what a settlement costs beyond its hold, the others move the wallet."""

    HOLD = "hold"
    SETTLE = "settle"
    ADJUST = "adjust"
    RELEASE = "release"
    TOPUP = "topup"
    REFUND = "refund"
    ADMIN_CREDIT = "admin_credit"
    ADMIN_DEBIT = "admin_debit"

    @property
    def sign(self) -> int:
        """Of a movement."""
        return -1 if self is Kind.ADMIN_DEBIT else 1


MOVEMENTS: Final = (Kind.TOPUP, Kind.REFUND, Kind.ADMIN_CREDIT, Kind.ADMIN_DEBIT)  # contract:179
# As SQLite takes them: it looks for an adapter for every type but plain str.
HOLD: Final = Kind.HOLD.value
SETTLE: Final = Kind.SETTLE.value
ADJUST: Final = Kind.ADJUST.value
RELEASE: Final = Kind.RELEASE.value


class Entry(NamedTuple):
    """One line of the ledger, in the order of its columns. The amount is never negative; what it does follows from its kind."""

    kind: str
    account: str
    key_id: str
    request_id: str
    amount_micro_usd: int
    at_ms: int  # Unix milliseconds


class IllegalTransition(Exception):
    pass


class InsufficientFunds(Exception):
    pass


@dataclass(slots=True)
class Wallet:
    """micro-USD: topped_up - spent - held = available >= 0. `topped_up` is the sum of all movements, signed."""

    topped_up: int = 0
    spent: int = 0
    held: int = 0

    @property
    def settled(self) -> int:
        return self.topped_up - self.spent

    @property
    def available(self) -> int:
        return self.topped_up - self.spent - self.held


class Ledger:
    """Folds entries.

    Closed request ids are not kept here (the store's UNIQUE(request_id, kind) keeps them out for good), open holds are.
    """

    def __init__(self) -> None:
        self.wallets: dict[str, Wallet] = {}
        self.open: dict[str, Entry] = {}  # in the order of their making

    def wallet(self, account: str) -> Wallet:
        wallet = self.wallets.get(account)
        if wallet is None:
            wallet = self.wallets[account] = Wallet()
        return wallet

    def hold(self, entry: Entry) -> None:
        """Raises InsufficientFunds, and then nothing has changed."""
        if entry.request_id in self.open:
            raise IllegalTransition(f"request {entry.request_id} is held: it cannot be held again")
        wallet = self.wallet(entry.account)
        if entry.amount_micro_usd > wallet.available:
            raise InsufficientFunds(f"account {entry.account} has {wallet.available} micro-USD available of {entry.amount_micro_usd}")
        wallet.held += entry.amount_micro_usd
        self.open[entry.request_id] = entry

    def settle(self, request_id: str, cost_micro_usd: int, at_ms: int, *, at_most: int | None = None) -> tuple[Entry, ...]:
        """The entries to write: the cost up to the hold, and, where it is greater, an adjustment.

        In all never more than `at_most` and than hold and wallet can pay.
        """
        hold = self._close(request_id, SETTLE)
        wallet = self.wallet(hold.account)
        wallet.held -= hold.amount_micro_usd
        if cost_micro_usd <= hold.amount_micro_usd:
            wallet.spent += cost_micro_usd
            return (Entry(SETTLE, hold.account, hold.key_id, request_id, cost_micro_usd, at_ms),)
        charged = min(cost_micro_usd, wallet.available)
        if at_most is not None:
            charged = min(charged, max(at_most, hold.amount_micro_usd))
        wallet.spent += charged
        within = min(charged, hold.amount_micro_usd)
        settle = Entry(SETTLE, hold.account, hold.key_id, request_id, within, at_ms)
        if charged == within:
            return (settle,)
        return settle, Entry(ADJUST, hold.account, hold.key_id, request_id, charged - within, at_ms)

    def release(self, request_id: str, at_ms: int) -> Entry:
        hold = self._close(request_id, RELEASE)
        self.wallet(hold.account).held -= hold.amount_micro_usd
        return Entry(RELEASE, hold.account, hold.key_id, request_id, hold.amount_micro_usd, at_ms)

    def _close(self, request_id: str, kind: str) -> Entry:
        hold = self.open.pop(request_id, None)
        if hold is None:
            raise IllegalTransition(f"request {request_id} is not held: it cannot {kind}")
        return hold

    def replay(self, entry: Entry) -> None:
        """An entry that was written before; what it was allowed to do then it may do again."""
        wallet = self.wallet(entry.account)
        match kind := Kind(entry.kind):
            case Kind.HOLD:
                wallet.held += entry.amount_micro_usd
                self.open[entry.request_id] = entry
            case Kind.SETTLE:
                wallet.held -= self._close(entry.request_id, SETTLE).amount_micro_usd
                wallet.spent += entry.amount_micro_usd
            case Kind.ADJUST:
                wallet.spent += entry.amount_micro_usd
            case Kind.RELEASE:
                wallet.held -= self._close(entry.request_id, RELEASE).amount_micro_usd
            case Kind.TOPUP | Kind.REFUND | Kind.ADMIN_CREDIT | Kind.ADMIN_DEBIT:
                wallet.topped_up += kind.sign * entry.amount_micro_usd
            case _:
                assert_never(kind)
