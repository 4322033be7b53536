"""The tables, for every store. Times are Unix milliseconds, money is integer micro-USD, JSON is text, a boolean is 0 or 1.

`ledger` only grows; the wallets are its sum. `snapshots` saves that sum for a quicker start on SQLite; the counters in `accounts` and
`keys`, and `open_holds`, are what PostgreSQL admits by, kept in the transaction of each ledger row. All of these can be rebuilt from the
ledger. A change here is a new file in `migrations/versions`, and `sqlite.sql` written anew (`python -m reference_gateway.storage.schema`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint
from sqlalchemy import text as literal
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

SQLITE_DDL: Final = Path(__file__).with_name("sqlite.sql")
metadata: Final = MetaData()
# 64 bits everywhere; SQLite's INTEGER has them, and only under that name numbers its rows.
Number: Final = BigInteger().with_variant(Integer(), "sqlite")


def words(name: str, default: str | None = None, *, key: bool = False, null: bool = False) -> Column[str]:
    quoted = None if default is None else literal(f"'{default}'")
    return Column(name, Text, primary_key=key, nullable=null, server_default=quoted)


def number(name: str, default: int | None = None, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, Number, primary_key=key, nullable=null, server_default=None if default is None else literal(str(default)))


accounts: Final = Table(
    "accounts",
    metadata,
    words("name", key=True),
    number("suspended", 0),
    number("max_concurrency", null=True),  # null: as the configuration says; 0: no cap
    number("topped_up_micro_usd", 0),
    number("spent_micro_usd", 0),
    number("held_micro_usd", 0),
    number("created_ms"),
    CheckConstraint("topped_up_micro_usd - spent_micro_usd - held_micro_usd >= 0", name="accounts_never_overdrawn"),
)

keys: Final = Table(
    "keys",
    metadata,
    words("id", key=True),
    Column("hash", LargeBinary, nullable=False, unique=True),  # HMAC-SHA256 of the secret
    words("mask"),
    words("account"),
    words("name", ""),
    words("group_id"),
    number("quota_micro_usd", 0),  # for its lifetime; 0: none, here and in the windows
    number("limit_5h_micro_usd", 0),
    number("limit_1d_micro_usd", 0),
    number("limit_7d_micro_usd", 0),
    words("ip_allow", "[]"),  # JSON lists of networks
    words("ip_deny", "[]"),
    number("expires_ms", null=True),
    number("revoked", 0),
    number("deleted_ms", null=True),
    number("declared", 0),  # by the configuration
    number("created_ms"),
    number("changed_ms", 0),  # by a person; spending does not count
    number("spent_micro_usd", 0),
    number("held_micro_usd", 0),
    Index("keys_by_account", "account"),
    Index("keys_by_change", "changed_ms"),
)

prices: Final = Table(
    "prices",
    metadata,
    words("model", key=True),
    number("valid_from_ms", key=True),  # 0: from ever
    number("input"),  # micro-USD per million tokens
    number("output"),
    number("cache_read"),
    number("cache_write_5m"),
    number("cache_write_1h"),
    words("images", "{}"),  # JSON object: image class to micro-USD of one image
    number("search", 0),  # micro-USD of one search
    number("video_second", 0),
    number("video_submit", 0),  # of each video, beside its seconds
)

ledger: Final = Table(
    "ledger",
    metadata,
    number("id", key=True),
    words("kind"),
    words("account"),
    words("key_id"),
    words("request_id"),  # of a movement of the wallet: its reference
    number("amount_micro_usd"),
    number("at_ms"),
    # Of movements only (topup, refund, admin_credit, admin_debit):
    number("balance_after_micro_usd", null=True),
    words("source", null=True),
    words("note", null=True),
    UniqueConstraint("request_id", "kind"),
    CheckConstraint("amount_micro_usd >= 0", name="ledger_amount_is_unsigned"),
    Index(
        "ledger_movements",
        "account",
        "id",
        sqlite_where=literal("balance_after_micro_usd IS NOT NULL"),
        postgresql_where=literal("balance_after_micro_usd IS NOT NULL"),
    ),
)

open_holds: Final = Table(
    "open_holds",
    metadata,
    words("request_id", key=True),
    words("account"),
    words("key_id"),
    number("amount_micro_usd"),
    number("at_ms"),
    words("node"),
    number("task", 0),
    Index("open_holds_by_account", "account"),
)

usage: Final = Table(
    "usage",
    metadata,
    words("request_id", key=True),
    words("account"),
    words("key_id"),
    words("model"),
    words("surface"),
    number("input_tokens"),
    number("output_tokens"),
    number("cache_read_tokens"),
    number("cache_write_5m_tokens"),
    number("cache_write_1h_tokens"),
    number("cost_micro_usd"),
    number("estimated"),
    number("created_ms"),
    number("loss_micro_usd", 0),
    number("images", 0),
    words("image_class", "default"),
    words("provider", ""),
    words("channel", ""),
    number("searches", 0),
    number("video_seconds", 0),
    Index("usage_by_account", "account", "created_ms"),
    sqlite_with_rowid=False,
)

tasks: Final = Table(
    "tasks",
    metadata,
    words("id", key=True),  # ULID; also the request id of its hold
    words("account"),
    words("key_id"),
    words("out_task_id", null=True),
    words("fingerprint"),  # of model and params: the same submission again is the same task
    words("model"),
    words("params"),  # JSON
    words("state"),  # pending, running, completed, failed, cancelled
    words("callback_url", null=True),
    number("callback_attempts", 0),
    number("callback_due_ms", null=True),  # null: nothing more to send
    number("estimated_micro_usd"),
    number("charged_micro_usd", null=True),
    words("output", null=True),  # JSON list
    words("error_code", null=True),
    words("error_message", null=True),
    words("node", ""),
    number("created_ms"),
    number("started_ms", null=True),
    number("finished_ms", null=True),
    UniqueConstraint("key_id", "out_task_id"),
    Index("tasks_by_state", "state"),
    Index(
        "tasks_to_call_back",
        "callback_due_ms",
        sqlite_where=literal("callback_due_ms IS NOT NULL"),
        postgresql_where=literal("callback_due_ms IS NOT NULL"),
    ),
)

nodes: Final = Table(
    "nodes",
    metadata,
    words("id", key=True),
    number("started_ms"),
    number("seen_ms"),
)

snapshots: Final = Table(
    "snapshots",
    metadata,
    number("id", key=True),  # 1: there is one
    number("ledger_id"),  # the last row that is in it
    words("body"),  # JSON
)

for table in metadata.tables.values():
    table.dialect_options["sqlite"]["strict"] = True


def sqlite_ddl() -> str:
    """The statements that make an empty SQLite file what the migrations would make of it."""
    dialect = sqlite.dialect()
    statements = []
    for each in metadata.sorted_tables:
        statements.append(CreateTable(each).compile(dialect=dialect))
        statements += [CreateIndex(index).compile(dialect=dialect) for index in sorted(each.indexes, key=lambda index: index.name or "")]
    return "".join("\n".join(line.rstrip() for line in str(statement).strip().splitlines()) + ";\n" for statement in statements)


if __name__ == "__main__":
    SQLITE_DDL.write_text(sqlite_ddl(), encoding="utf-8")
