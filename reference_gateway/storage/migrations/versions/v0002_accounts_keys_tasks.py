"""Movements of the wallet say their balance, usage who served it; accounts, keys, prices, tasks and nodes get tables."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, Text, UniqueConstraint, text

revision = "0002"
down_revision = "0001"

Number = BigInteger().with_variant(Integer(), "sqlite")
IS_MOVEMENT = text("balance_after_micro_usd IS NOT NULL")
IS_DUE = text("callback_due_ms IS NOT NULL")


def words(name: str, default: str | None = None, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=null, server_default=None if default is None else text(f"'{default}'"))


def number(name: str, default: int | None = None, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, Number, primary_key=key, nullable=null, server_default=None if default is None else text(str(default)))


def upgrade() -> None:
    for column in (number("balance_after_micro_usd", null=True), words("source", null=True), words("note", null=True)):
        op.add_column("ledger", column)
    # A wallet's balance after a movement: what had been moved to it by then, less what had been settled.
    op.execute("""
        UPDATE ledger SET source = 'config', balance_after_micro_usd = (
            SELECT coalesce(sum(CASE earlier.kind WHEN 'topup' THEN earlier.amount_micro_usd WHEN 'settle' THEN -earlier.amount_micro_usd
                ELSE 0 END), 0)
            FROM ledger AS earlier WHERE earlier.account = ledger.account AND earlier.id <= ledger.id)
        WHERE kind = 'topup'
    """)
    op.create_index("ledger_movements", "ledger", ["account", "id"], sqlite_where=IS_MOVEMENT, postgresql_where=IS_MOVEMENT)
    for column in (
        number("loss_micro_usd", 0),
        number("images", 0),
        words("image_class", "default"),
        words("provider", ""),
        words("channel", ""),
    ):
        op.add_column("usage", column)
    _accounts_and_keys()
    _prices_and_holds()
    _tasks()


def _accounts_and_keys() -> None:
    op.create_table(
        "accounts",
        words("name", key=True),
        number("suspended", 0),
        number("max_concurrency", null=True),
        number("topped_up_micro_usd", 0),
        number("spent_micro_usd", 0),
        number("held_micro_usd", 0),
        number("created_ms"),
        CheckConstraint("topped_up_micro_usd - spent_micro_usd - held_micro_usd >= 0", name="accounts_never_overdrawn"),
        sqlite_strict=True,
    )
    op.create_table(
        "keys",
        words("id", key=True),
        Column("hash", LargeBinary, nullable=False, unique=True),
        words("mask"),
        words("account"),
        words("name", ""),
        words("group_id"),
        *(number(name, 0) for name in ("quota_micro_usd", "limit_5h_micro_usd", "limit_1d_micro_usd", "limit_7d_micro_usd")),
        words("ip_allow", "[]"),
        words("ip_deny", "[]"),
        number("expires_ms", null=True),
        number("revoked", 0),
        number("deleted_ms", null=True),
        number("declared", 0),
        number("created_ms"),
        number("changed_ms", 0),
        number("spent_micro_usd", 0),
        number("held_micro_usd", 0),
        sqlite_strict=True,
    )
    op.create_index("keys_by_account", "keys", ["account"])
    op.create_index("keys_by_change", "keys", ["changed_ms"])


def _prices_and_holds() -> None:
    op.create_table(
        "prices",
        words("model", key=True),
        number("valid_from_ms", key=True),
        *(number(name) for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")),
        words("images", "{}"),
        sqlite_strict=True,
    )
    op.create_table(
        "open_holds",
        words("request_id", key=True),
        words("account"),
        words("key_id"),
        number("amount_micro_usd"),
        number("at_ms"),
        words("node"),
        number("task", 0),
        sqlite_strict=True,
    )
    op.create_index("open_holds_by_account", "open_holds", ["account"])
    op.create_table("nodes", words("id", key=True), number("started_ms"), number("seen_ms"), sqlite_strict=True)
    op.create_table("snapshots", number("id", key=True), number("ledger_id"), words("body"), sqlite_strict=True)


def _tasks() -> None:
    op.create_table(
        "tasks",
        words("id", key=True),
        words("account"),
        words("key_id"),
        words("out_task_id", null=True),
        words("fingerprint"),
        words("model"),
        words("params"),
        words("state"),
        words("callback_url", null=True),
        number("callback_attempts", 0),
        number("callback_due_ms", null=True),
        number("estimated_micro_usd"),
        number("charged_micro_usd", null=True),
        *(words(name, null=True) for name in ("output", "error_code", "error_message")),
        words("node", ""),
        number("created_ms"),
        number("started_ms", null=True),
        number("finished_ms", null=True),
        UniqueConstraint("key_id", "out_task_id"),
        sqlite_strict=True,
    )
    op.create_index("tasks_by_state", "tasks", ["state"])
    op.create_index("tasks_to_call_back", "tasks", ["callback_due_ms"], sqlite_where=IS_DUE, postgresql_where=IS_DUE)
