"""The layout of before the schema had versions: the ledger and the usage rows."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text, UniqueConstraint

revision = "0001"
down_revision = None

Number = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ledger",
        Column("id", Number, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("kind", "account", "key_id", "request_id")),
        *(Column(name, Number, nullable=False) for name in ("amount_micro_usd", "at_ms")),
        UniqueConstraint("request_id", "kind"),
        CheckConstraint("amount_micro_usd >= 0", name="ledger_amount_is_unsigned"),
        sqlite_strict=True,
    )
    counts = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    op.create_table(
        "usage",
        Column("request_id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("account", "key_id", "model", "surface")),
        *(Column(name, Number, nullable=False) for name in (*counts, "cost_micro_usd", "estimated", "created_ms")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("usage_by_account", "usage", ["account", "created_ms"])
