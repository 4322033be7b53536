"""Movements of a wallet that are no usage: top-ups, refunds, credits and debits, each with the balance it left (contract:179)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reference_gateway.billing.interface import Transaction
from reference_gateway.billing.ledger import MOVEMENTS, Kind
from reference_gateway.clock import Clock, system
from reference_gateway.storage.interface import Conflict, Database, Row, Values

_COLUMNS: Final = "id, kind, account, request_id, amount_micro_usd, at_ms, balance_after_micro_usd, source, note"
_INSERT: Final = """
    INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms, balance_after_micro_usd, source, note)
    VALUES (:kind, :account, '', :request_id, :amount, :at_ms, :balance_after, :source, :note)
"""
_FIND: Final = f"SELECT {_COLUMNS} FROM ledger WHERE request_id = :request_id AND kind = :kind"
_TOTALS: Final = """
    SELECT account, sum(CASE WHEN kind = 'admin_debit' THEN -amount_micro_usd ELSE amount_micro_usd END) AS total
    FROM ledger WHERE balance_after_micro_usd IS NOT NULL GROUP BY account
"""
_SETTLED: Final = """
    SELECT coalesce(sum(
        CASE WHEN kind IN ('settle', 'adjust', 'admin_debit') THEN -amount_micro_usd ELSE amount_micro_usd END), 0) AS settled
    FROM ledger WHERE account = :account AND kind NOT IN ('hold', 'release')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """`since_ms` is inclusive, `until_ms` exclusive; `before` is the `position` of the last one of the page before."""

    account: str
    kinds: Sequence[Kind] = MOVEMENTS
    since_ms: int = 0
    until_ms: int = 2**62
    before: int = 2**62
    limit: int = 100


async def transactions(database: Database, wanted: TransactionFilter) -> list[Transaction]:
    """Newest first."""
    kinds = {f"kind_{number}": kind.value for number, kind in enumerate(wanted.kinds)}
    sql = f"""
        SELECT {_COLUMNS} FROM ledger WHERE account = :account AND balance_after_micro_usd IS NOT NULL AND id < :before
        AND at_ms >= :since_ms AND at_ms < :until_ms AND kind IN ({", ".join(f":{name}" for name in kinds)}) ORDER BY id DESC LIMIT :limit
    """
    values: Values = {
        "account": wanted.account,
        "before": wanted.before,
        "since_ms": wanted.since_ms,
        "until_ms": wanted.until_ms,
        "limit": wanted.limit,
    }
    return [_read(row) for row in await database.fetch(sql, {**values, **kinds})]


async def totals(database: Database) -> dict[str, int]:
    """What was moved to each account in all, in micro-USD."""
    return {row["account"]: int(row["total"]) for row in await database.fetch(_TOTALS, {})}


async def write(database: Database, movement: Transaction) -> tuple[Transaction, bool]:
    """The movement as it stands in the ledger, and whether it is new there; its id is its reference.

    Raises StorageFailed, and ValueError for a reference that another account or another amount has.
    """
    values = {
        "kind": movement.kind.value,
        "account": movement.account,
        "request_id": movement.id,
        "amount": abs(movement.amount_micro_usd),
        "at_ms": movement.at_ms,
        "balance_after": movement.balance_after_micro_usd,
        "source": movement.source,
        "note": movement.note,
    }
    is_new = True
    try:
        await database.write((_INSERT, values))
    except Conflict:
        is_new = False
    (row,) = await database.fetch(_FIND, {"request_id": movement.id, "kind": movement.kind.value})
    found = _read(row)
    if (found.account, found.amount_micro_usd) != (movement.account, movement.amount_micro_usd):
        raise ValueError(f"the reference {movement.id} belongs to another {movement.kind}; choose another")
    return found, is_new


async def credit(
    database: Database,
    account: str,
    kind: Kind,
    amount_micro_usd: int,
    *,
    reference: str,
    source: str,
    note: str = "",
    clock: Clock = system,
) -> Transaction:
    """Beside a gateway that may be running on the same database: it takes the credit over within a second or two.

    Debits go through the running gateway's treasury, which alone knows what is held. Raises as `write` does.
    """
    if kind not in MOVEMENTS or kind.sign < 0 or amount_micro_usd < 1:
        raise ValueError(f"a {kind} of {amount_micro_usd} micro-USD is no credit; give a credit and an amount from 1 up")
    (row,) = await database.fetch(_SETTLED, {"account": account})
    movement = Transaction(
        id=reference,
        account=account,
        kind=kind,
        amount_micro_usd=amount_micro_usd,
        balance_after_micro_usd=int(row["settled"]) + amount_micro_usd,
        source=source,
        note=note,
        at_ms=int(clock() * 1000),
    )
    return (await write(database, movement))[0]


def _read(row: Row) -> Transaction:
    kind = Kind(row["kind"])
    return Transaction(
        id=row["request_id"],
        position=row["id"],
        account=row["account"],
        kind=kind,
        amount_micro_usd=kind.sign * row["amount_micro_usd"],
        balance_after_micro_usd=row["balance_after_micro_usd"],
        source=row["source"] or "",
        note=row["note"] or "",
        at_ms=row["at_ms"],
    )
