"""Searches have a price and are counted (contract:090)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, text

revision = "0003"
down_revision = "0002"

Number = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("prices", Column("search", Number, nullable=False, server_default=text("0")))
    op.add_column("usage", Column("searches", Number, nullable=False, server_default=text("0")))
