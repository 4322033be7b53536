"""Usage as callers read it: one row a billed request (C33), and sums in buckets (contract:180, contract:242)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reference_gateway.billing.prices import PLAIN_IMAGE, Usage
from reference_gateway.storage.interface import Database, Row, UsageRow

FOR_EVER: Final = 2**62
_CLASSES: Final = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "images", "searches"),
    "video_seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """`since_ms` is inclusive, `until_ms` exclusive; `after` is (created_ms, request_id) of the last row of the page before."""

    account: str
    request_id: str | None = None
    model: str | None = None
    key_id: str | None = None
    since_ms: int = 0
    until_ms: int = FOR_EVER
    after: tuple[int, str] | None = None
    limit: int = 100

    def where(self) -> tuple[str, dict[str, str | int]]:
        values: dict[str, str | int] = {"account": self.account, "since_ms": self.since_ms, "until_ms": self.until_ms}
        sql = "account = :account AND created_ms >= :since_ms AND created_ms < :until_ms"
        for name, value in (("request_id", self.request_id), ("model", self.model), ("key_id", self.key_id)):
            if value is not None:
                sql += f" AND {name} = :{name}"
                values[name] = value
        if self.after is not None:
            sql += " AND (created_ms < :after_ms OR (created_ms = :after_ms AND request_id > :after_id))"
            values["after_ms"], values["after_id"] = self.after
        return sql, values


async def rows(database: Database, wanted: UsageFilter) -> list[UsageRow]:
    """Newest first."""
    where, values = wanted.where()
    sql = f"SELECT * FROM usage WHERE {where} ORDER BY created_ms DESC, request_id LIMIT :limit"
    return [_row(row) for row in await database.fetch(sql, {**values, "limit": wanted.limit})]


class GroupBy(StrEnum):
    """Days and hours are UTC."""

    DAY = "day"
    HOUR = "hour"
    MODEL = "model"
    API_KEY = "api_key"


_HOUR_MS: Final = 3_600_000
_GROUPS: Final = {
    GroupBy.DAY: f"created_ms - created_ms % {24 * _HOUR_MS}",
    GroupBy.HOUR: f"created_ms - created_ms % {_HOUR_MS}",
    GroupBy.MODEL: "model",
    GroupBy.API_KEY: "key_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`day_ms` and `hour_ms` are the beginning in Unix milliseconds; whatever was not grouped by is None."""

    day_ms: int | None
    hour_ms: int | None
    model: str | None
    key_id: str | None
    calls: int
    cost_micro_usd: int
    usage: Usage


async def buckets(database: Database, wanted: UsageFilter, group_by: Sequence[GroupBy]) -> list[Bucket]:
    """Oldest first, then by name; one bucket of everything where nothing is grouped by. `limit` and `after` count for nothing."""
    where, values = UsageFilter(
        account=wanted.account, model=wanted.model, key_id=wanted.key_id, since_ms=wanted.since_ms, until_ms=wanted.until_ms
    ).where()
    groups = [group for group in GroupBy if group in group_by]
    columns = [f"{_GROUPS[group]} AS group_{group.value}" for group in groups]
    columns += [
        "count(*) AS calls",
        "coalesce(sum(cost_micro_usd), 0) AS cost",
        *(f"coalesce(sum({name}), 0) AS {name}" for name in _CLASSES),
    ]
    numbers = ", ".join(str(number) for number in range(1, len(groups) + 1))
    order = f"GROUP BY {numbers} ORDER BY {numbers}" if groups else ""
    found = await database.fetch(f"SELECT {', '.join(columns)} FROM usage WHERE {where} {order}", values)
    return [_bucket(row) for row in found if row["calls"]]


def _bucket(row: Row) -> Bucket:
    return Bucket(
        day_ms=row.get("group_day"),
        hour_ms=row.get("group_hour"),
        model=row.get("group_model"),
        key_id=row.get("group_api_key"),
        calls=int(row["calls"]),
        cost_micro_usd=int(row["cost"]),
        usage=_usage(row),
    )


def _usage(row: Row, image_class: str = PLAIN_IMAGE) -> Usage:
    return Usage(
        input_tokens=int(row["input_tokens"]),
        output_tokens=int(row["output_tokens"]),
        cache_read_tokens=int(row["cache_read_tokens"]),
        cache_write_5m_tokens=int(row["cache_write_5m_tokens"]),
        cache_write_1h_tokens=int(row["cache_write_1h_tokens"]),
        images=int(row["images"]),
        image_class=image_class,
        searches=int(row["searches"]),
        video_seconds=int(row["video_seconds"]),
    )


def _row(row: Row) -> UsageRow:
    return UsageRow(
        request_id=row["request_id"],
        account=row["account"],
        key_id=row["key_id"],
        model=row["model"],
        surface=row["surface"],
        provider=row["provider"],
        channel=row["channel"],
        usage=_usage(row, row["image_class"]),
        cost_micro_usd=row["cost_micro_usd"],
        loss_micro_usd=row["loss_micro_usd"],
        estimated=bool(row["estimated"]),
        created_ms=row["created_ms"],
    )
