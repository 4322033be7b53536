"""Gateways that lose or invent money when one of their processes is killed."""

from harness.mutation.mutant import Mutant
from harness.mutation.mutants.billing import newest, on_balance, row_for_each
from harness.mutation.mutants.limits import served

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="killed-rows-lost",
        requirement="billing/killed-books-agree",
        text="Says something else in its rows than it took from the wallet.",
        books=newest({"cost_micro_usd": lambda row: row["cost_micro_usd"] + 1}),
    ),
    Mutant(
        id="killed-holds-stay",
        requirement="billing/killed-holds-return",
        text="Keeps what it held for calls that were cut off.",
        answer=on_balance(lifetime_topup_usd=0.01),
        paths="/api/v1/me/account",
    ),
    Mutant(
        id="killed-refused-billed",
        requirement="billing/killed-bills-once",
        text="Has rows of calls that were refused.",
        books=row_for_each,
    ),
    Mutant(
        id="killed-quota-forgotten",
        requirement="billing/killed-within-quota",
        text="Has forgotten a key's quota when it is started again.",
        answer=served(402),
    ),
)
