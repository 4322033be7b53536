from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reference_gateway.billing.ledger import ADJUST, HOLD, RELEASE, SETTLE, Entry, IllegalTransition, InsufficientFunds, Kind, Ledger

AMOUNTS = st.integers(0, 2_000)
REQUESTS = st.integers(0, 12).map(str)


def entry(kind: Kind, account: str, request_id: str, amount: int) -> Entry:
    return Entry(kind.value, account, "key", request_id, amount, 0)


@dataclass
class Request:
    """The model of one request."""

    account: str
    held: int
    is_open: bool = True


class LedgerMachine(RuleBasedStateMachine):
    """Any order of any events on two accounts: the books always balance, and no wallet is ever overdrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.requests: dict[str, Request] = {}
        self.moved = {"a": 0, "b": 0}
        self.charged = {"a": 0, "b": 0}
        self.written: list[Entry] = []

    @rule(account=st.sampled_from("ab"), kind=st.sampled_from([Kind.TOPUP, Kind.REFUND, Kind.ADMIN_CREDIT]), amount=AMOUNTS)
    def move(self, account: str, kind: Kind, amount: int) -> None:
        line = entry(kind, account, f"movement-{len(self.written)}", amount)
        self.ledger.replay(line)
        self.written.append(line)
        self.moved[account] += amount

    @rule(account=st.sampled_from("ab"), request=REQUESTS, amount=AMOUNTS)
    def hold(self, account: str, request: str, amount: int) -> None:
        line = entry(Kind.HOLD, account, request, amount)
        before = self.ledger.wallet(account).available
        known = self.requests.get(request)
        if known is not None and known.is_open:
            with pytest.raises(IllegalTransition):
                self.ledger.hold(line)
        elif known is not None:
            return  # closed ids never come again: the store keeps them out
        elif amount > before:
            with pytest.raises(InsufficientFunds):
                self.ledger.hold(line)
            assert self.ledger.wallet(account).available == before
        else:
            self.ledger.hold(line)
            self.written.append(line)
            self.requests[request] = Request(account, amount)

    @rule(request=REQUESTS, cost=AMOUNTS, at_most=st.none() | AMOUNTS)
    def settle(self, request: str, cost: int, at_most: int | None) -> None:
        known = self.requests.get(request)
        if known is None or not known.is_open:
            with pytest.raises(IllegalTransition):
                self.ledger.settle(request, cost, 0)
            return
        room = self.ledger.wallet(known.account).available + known.held
        lines = self.ledger.settle(request, cost, 0, at_most=at_most)
        charged = min(cost, room) if at_most is None else min(cost, room, max(at_most, known.held))
        assert sum(line.amount_micro_usd for line in lines) == charged
        assert [line.kind for line in lines] == ([SETTLE, ADJUST] if charged > known.held else [SETTLE])
        assert lines[0].amount_micro_usd <= known.held
        self.written += lines
        self.charged[known.account] += charged
        known.is_open = False

    @rule(request=REQUESTS)
    def release(self, request: str) -> None:
        known = self.requests.get(request)
        if known is None or not known.is_open:
            with pytest.raises(IllegalTransition):
                self.ledger.release(request, 0)
            return
        line = self.ledger.release(request, 0)
        assert (line.kind, line.amount_micro_usd) == (RELEASE, known.held)
        self.written.append(line)
        known.is_open = False

    @invariant()
    def the_books_balance(self) -> None:
        for account in "ab":
            wallet = self.ledger.wallet(account)
            held = sum(request.held for request in self.requests.values() if request.is_open and request.account == account)
            assert (wallet.topped_up, wallet.spent, wallet.held) == (self.moved[account], self.charged[account], held)
            assert wallet.available >= 0
        assert self.ledger.open.keys() == {name for name, request in self.requests.items() if request.is_open}

    def teardown(self) -> None:
        """What was written, read back, is the same ledger."""
        again = Ledger()
        for line in self.written:
            again.replay(line)
        for account in "ab":
            assert again.wallet(account) == self.ledger.wallet(account)
        assert again.open == self.ledger.open


TestLedger: Any = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_debit_is_a_movement_down() -> None:
    ledger = Ledger()
    ledger.replay(entry(Kind.TOPUP, "a", "t", 100))
    ledger.replay(entry(Kind.ADMIN_DEBIT, "a", "d", 30))
    assert ledger.wallet("a").available == 70
    with pytest.raises(InsufficientFunds):
        ledger.hold(Entry(HOLD, "a", "key", "r", 71, 0))
