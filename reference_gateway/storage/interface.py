"""What every store offers beside the money's hot path: portable SQL over the tables of `storage.schema`, read and written.

Portable is what SQLite and PostgreSQL both take: `:name` parameters, `INSERT ... ON CONFLICT ... DO UPDATE`, integers, text and bytes as
the only types (JSON is text, a boolean is 0 or 1, a time is Unix milliseconds, money is micro-USD).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from reference_gateway.billing.prices import Usage

SCHEMA_VERSION: Final = "0003"  # the newest file of migrations/versions

Values = Mapping[str, str | int | bytes | None]
Row = Mapping[str, Any]


class StorageFailed(Exception):
    """The store could not be written; nothing may be admitted on it."""


class Conflict(Exception):
    """A row with the same unique value is there already; nothing of the transaction was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One billed request (contract:181, C33). `loss_micro_usd` is what it cost beyond what could be charged."""

    request_id: str
    account: str
    key_id: str
    model: str
    surface: str
    provider: str
    channel: str
    usage: Usage
    cost_micro_usd: int
    loss_micro_usd: int
    estimated: bool
    created_ms: int


class Database(Protocol):
    async def fetch(self, sql: str, values: Values) -> list[Row]:
        """The rows; whatever was written before the call is seen."""

    async def write(self, *statements: tuple[str, Values]) -> list[int]:
        """One transaction; how many rows each statement touched. Raises Conflict or StorageFailed, and then none is written."""
