"""The price table in the database: what the configuration says now, and what it said at any time before (contract:164)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from reference_gateway.billing.prices import PriceChange, Prices, PriceTable
from reference_gateway.storage.interface import Database, Row, Values

_CLASSES: Final = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
_OTHERS: Final = ("search", "video_second", "video_submit")
_COLUMNS: Final = ("model", "valid_from_ms", *_CLASSES, "images", *_OTHERS)
_PUT: Final = f"""
    INSERT INTO prices ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
    ON CONFLICT (model, valid_from_ms) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in (*_CLASSES, "images", *_OTHERS))}
"""
_DROP: Final = "DELETE FROM prices WHERE model = :model AND valid_from_ms = :valid_from_ms"


async def load(database: Database) -> list[PriceChange]:
    return [_read(row) for row in await database.fetch(f"SELECT {', '.join(_COLUMNS)} FROM prices", {})]


async def keep(database: Database, table: PriceTable, declared: Iterable[PriceChange], now_ms: int) -> None:
    """Writes what the configuration declares and fills the table.

    What is past stays: where the price in force differs from the declared one, the declared one is in force from now on. What is
    announced for later is as declared now.
    """
    stored = PriceTable(await load(database))
    wanted = PriceTable(declared)
    statements: list[tuple[str, Values]] = []
    for model in wanted.models():
        known, now_declared = stored.changes(model), wanted.changes(model)
        if not known:
            statements += [(_PUT, _values(change)) for change in now_declared]
            continue
        later = {change.valid_from_ms: change for change in now_declared if change.valid_from_ms > now_ms}
        statements += [(_DROP, _moment(change)) for change in known if change.valid_from_ms > now_ms and change.valid_from_ms not in later]
        statements += [(_PUT, _values(change)) for change in later.values() if change not in known]
        in_force = wanted.at(model, now_ms)
        if stored.at(model, now_ms) != in_force:
            statements.append((_PUT, _values(PriceChange(model=model, valid_from_ms=now_ms, prices=in_force))))
    if statements:
        await database.write(*statements)
    table.replace(await load(database))


def _moment(change: PriceChange) -> Values:
    return {"model": change.model, "valid_from_ms": change.valid_from_ms}


def _values(change: PriceChange) -> Values:
    prices = change.prices
    images = json.dumps(dict(prices.images), sort_keys=True)
    return {**_moment(change), **{name: getattr(prices, name) for name in (*_CLASSES, *_OTHERS)}, "images": images}


def _read(row: Row) -> PriceChange:
    prices = Prices(images=json.loads(row["images"]), **{name: row[name] for name in (*_CLASSES, *_OTHERS)})
    return PriceChange(model=row["model"], valid_from_ms=row["valid_from_ms"], prices=prices)
