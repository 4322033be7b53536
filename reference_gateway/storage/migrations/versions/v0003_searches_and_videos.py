"""Searches and seconds of video have prices and are counted (contract:090, contract:171)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, text

revision = "0003"
down_revision = "0002"

Number = BigInteger().with_variant(Integer(), "sqlite")


def number(name: str) -> Column[int]:
    return Column(name, Number, nullable=False, server_default=text("0"))


def upgrade() -> None:
    for name in ("search", "video_second", "video_submit"):
        op.add_column("prices", number(name))
    for name in ("searches", "video_seconds"):
        op.add_column("usage", number(name))
