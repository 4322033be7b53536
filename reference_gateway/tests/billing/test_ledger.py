from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reference_gateway.billing.ledger import Entry, IllegalTransition, InsufficientFunds, Kind, Ledger, State

AMOUNTS = st.integers(0, 2_000)
REQUESTS = st.integers(0, 12).map(str)


def entry(kind: Kind, account: str, request_id: str, amount: int) -> Entry:
    return Entry(kind=kind, account=account, key_id="key", request_id=request_id, amount_micro_usd=amount, at_ms=0)


class LedgerMachine(RuleBasedStateMachine):
    """Any order of any events on two accounts: the books always balance, and no wallet is ever overdrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.model: dict[str, tuple[State, str, int]] = {}  # request -> state, account, held
        self.topped_up = {"a": 0, "b": 0}
        self.charged = {"a": 0, "b": 0}
        self.written: list[Entry] = []

    @rule(account=st.sampled_from("ab"), amount=AMOUNTS)
    def topup(self, account: str, amount: int) -> None:
        line = entry(Kind.TOPUP, account, f"topup-{len(self.written)}", amount)
        self.ledger.topup(line)
        self.written.append(line)
        self.topped_up[account] += amount

    @rule(account=st.sampled_from("ab"), request=REQUESTS, amount=AMOUNTS)
    def hold(self, account: str, request: str, amount: int) -> None:
        line = entry(Kind.HOLD, account, request, amount)
        before = self.ledger.wallet(account).available
        if self.model.get(request, (State.NONE, "", 0))[0] is State.HELD:
            with pytest.raises(IllegalTransition):
                self.ledger.hold(line)
        elif request in self.model:
            return  # closed ids never come again: the store keeps them out
        elif amount > before:
            with pytest.raises(InsufficientFunds):
                self.ledger.hold(line)
            assert self.ledger.wallet(account).available == before
        else:
            self.ledger.hold(line)
            self.written.append(line)
            self.model[request] = (State.HELD, account, amount)

    @rule(request=REQUESTS, cost=AMOUNTS)
    def settle(self, request: str, cost: int) -> None:
        state, account, held = self.model.get(request, (State.NONE, "", 0))
        if state is not State.HELD:
            with pytest.raises(IllegalTransition):
                self.ledger.settle(request, cost, 0)
            return
        room = self.ledger.wallet(account).available + held
        line = self.ledger.settle(request, cost, 0)
        assert line.amount_micro_usd == min(cost, room)
        self.written.append(line)
        self.charged[account] += line.amount_micro_usd
        self.model[request] = (State.SETTLED, account, 0)

    @rule(request=REQUESTS)
    def release(self, request: str) -> None:
        state, account, held = self.model.get(request, (State.NONE, "", 0))
        if state is not State.HELD:
            with pytest.raises(IllegalTransition):
                self.ledger.release(request, 0)
            return
        line = self.ledger.release(request, 0)
        assert (line.kind, line.amount_micro_usd) == (Kind.RELEASE, held)
        self.written.append(line)
        self.model[request] = (State.RELEASED, account, 0)

    @invariant()
    def the_books_balance(self) -> None:
        for account in "ab":
            wallet = self.ledger.wallet(account)
            held = sum(amount for state, owner, amount in self.model.values() if state is State.HELD and owner == account)
            assert (wallet.topped_up, wallet.spent, wallet.held) == (self.topped_up[account], self.charged[account], held)
            assert wallet.available >= 0
        assert {hold.request_id for hold in self.ledger.open_holds} == {r for r, (state, _, _) in self.model.items() if state is State.HELD}

    def teardown(self) -> None:
        """What was written, read back, is the same ledger."""
        again = Ledger()
        for line in self.written:
            match line.kind:
                case Kind.TOPUP:
                    again.topup(line)
                case Kind.HOLD:
                    again.hold(line)
                case Kind.SETTLE:
                    again.settle(line.request_id, line.amount_micro_usd, 0)
                case Kind.RELEASE:
                    again.release(line.request_id, 0)
        for account in "ab":
            assert again.wallet(account) == self.ledger.wallet(account)


TestLedger: Any = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
