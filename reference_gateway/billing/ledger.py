"""The ledger as a pure state machine: entries in, balances out, no clock, no disk (billing-and-storage.md 4.2).

Each request id goes `none -> held -> settled | released`, each transition once. Money is integer micro-USD. A wallet is the sum of its
entries: top-ups less settlements; what is held is shown beside it and is not available. A wallet never goes below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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


MOVEMENTS: Final = (Kind.TOPUP, Kind.REFUND, Kind.ADMIN_CREDIT, Kind.ADMIN_DEBIT)  # contract:179


class State(StrEnum):
    NONE = "none"
    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"


TRANSITIONS: Final = {
    (State.NONE, Kind.HOLD): State.HELD,
    (State.HELD, Kind.SETTLE): State.SETTLED,
    (State.HELD, Kind.RELEASE): State.RELEASED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger. `amount_micro_usd` is never negative; what it does to the wallet follows from its kind."""

    kind: Kind
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
    """micro-USD: topped_up - spent - held = available >= 0."""

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
        self._wallets: dict[str, Wallet] = {}
        self._open: dict[str, Entry] = {}

    def wallet(self, account: str) -> Wallet:
        wallet = self._wallets.get(account)
        if wallet is None:
            wallet = self._wallets[account] = Wallet()
        return wallet

    def state(self, request_id: str) -> State:
        """HELD or NONE: a closed id is forgotten here."""
        return State.HELD if request_id in self._open else State.NONE

    @property
    def open_holds(self) -> tuple[Entry, ...]:
        return tuple(self._open.values())

    def topup(self, entry: Entry) -> None:
        self.wallet(entry.account).topped_up += entry.amount_micro_usd

    def hold(self, entry: Entry) -> None:
        """Raises InsufficientFunds, and then nothing has changed."""
        self._step(entry.request_id, Kind.HOLD)
        wallet = self.wallet(entry.account)
        if entry.amount_micro_usd > wallet.available:
            raise InsufficientFunds(f"account {entry.account} has {wallet.available} micro-USD available of {entry.amount_micro_usd}")
        wallet.held += entry.amount_micro_usd
        self._open[entry.request_id] = entry

    def settle(self, request_id: str, cost_micro_usd: int, at_ms: int) -> Entry:
        """The settlement to write: the cost, or all that hold and wallet can pay where the cost is greater."""
        self._step(request_id, Kind.SETTLE)
        hold = self._open.pop(request_id)
        wallet = self.wallet(hold.account)
        wallet.held -= hold.amount_micro_usd
        charged = min(cost_micro_usd, wallet.available)
        wallet.spent += charged
        return self._close(hold, Kind.SETTLE, charged, at_ms)

    def release(self, request_id: str, at_ms: int) -> Entry:
        self._step(request_id, Kind.RELEASE)
        hold = self._open.pop(request_id)
        self.wallet(hold.account).held -= hold.amount_micro_usd
        return self._close(hold, Kind.RELEASE, hold.amount_micro_usd, at_ms)

    def _step(self, request_id: str, kind: Kind) -> State:
        state = self.state(request_id)
        after = TRANSITIONS.get((state, kind))
        if after is None:
            raise IllegalTransition(f"request {request_id} is {state}: it cannot {kind}")
        return after

    @staticmethod
    def _close(hold: Entry, kind: Kind, amount: int, at_ms: int) -> Entry:
        return Entry(kind=kind, account=hold.account, key_id=hold.key_id, request_id=hold.request_id, amount_micro_usd=amount, at_ms=at_ms)
