"""Balance and usage rows, in the dialect that a target speaks. Money arrives as decimal USD and is kept as whole micro-USD."""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import httpx2

from harness.exchange import Balance, UsageRow


class AccountError(Exception):
    """The target claimed an account it does not show; the message says what came."""


class Account(Protocol):
    """Reads the account behind one key."""

    async def read(self) -> Balance: ...

    async def prices(self, model: str) -> dict[str, int]: ...


def micro_usd(amount: Any) -> int:
    """Whole micro-USD of a decimal number of USD, as text or number. Raises AccountError."""
    try:
        micro = Decimal(str(amount)) * 1_000_000
    except InvalidOperation as error:
        raise AccountError(f"an amount of money must be a decimal number, not {amount!r}") from error
    if micro != micro.to_integral_value():
        raise AccountError(f"{amount} USD is no whole number of micro-USD")
    return int(micro)


class WireproofAccount:
    """`/api/v1/me/account` and `/api/v1/usage` (contract:178, contract:C34)."""

    def __init__(self, client: httpx2.AsyncClient, root: Callable[[], str], key: str) -> None:
        """`root` says where the next reading is asked for: all its documents of one node."""
        self._client = client
        self._root = root
        # A connection of its own each time: one that the target closes at the same moment would look like our own fault.
        self._headers = {"authorization": f"Bearer {key}", "connection": "close"}

    async def read(self) -> Balance:
        root = self._root()
        account = await self._get(f"{root}/api/v1/me/account")
        try:
            rows, after = [], ""
            while True:
                usage = await self._get(f"{root}/api/v1/usage?limit=1000{after}")
                rows += [_row(row) for row in usage["data"]]
                if not usage.get("next"):
                    break
                after = f"&after={usage['next']}"
            available = account["balance"]["available_usd"]
            return Balance(available_micro_usd=micro_usd(available), rows=tuple(rows))
        except (KeyError, TypeError) as error:
            raise AccountError(f"the account documents of {root} lack {error}") from error

    async def prices(self, model: str) -> dict[str, int]:
        """micro-USD per million tokens of each class and per search, by /api/pricing (contract:62); empty where there is no such table."""
        root = self._root()
        answer = await self._client.get(f"{root}/api/pricing", headers=self._headers)
        if answer.status_code != httpx2.codes.OK:
            return {}
        try:
            table = json.loads(answer.content, parse_float=Decimal)
            rates: dict[str, Any] = next((entry["rates"] for entry in table["data"] if entry["model"] == model), {})
            priced = {name: rate for name, rate in rates.items() if rate is not None and (name.endswith("_per_1m") or name == "per_search")}
            return {name: micro_usd(rate) for name, rate in priced.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise AccountError(f"the price table of {root} is not as documented: {error}") from error

    async def _get(self, url: str) -> Any:
        answer = await self._client.get(url, headers=self._headers)
        if answer.status_code != httpx2.codes.OK:
            raise AccountError(f"GET {url} answered {answer.status_code}")
        return json.loads(answer.content, parse_float=Decimal)


def _row(row: dict[str, Any]) -> UsageRow:
    cost = row["cost_micro_usd"] if "cost_micro_usd" in row else micro_usd(row["cost_usd"])
    return UsageRow(
        request_id=row["request_id"],
        model=row["model"],
        cost_micro_usd=cost,
        input_tokens=row.get("input_tokens"),
        output_tokens=row.get("output_tokens"),
        cache_read_tokens=row.get("cache_read_tokens"),
        cache_write_tokens=_written(row),
        estimated=bool(row.get("estimated", False)),
    )


def _written(row: dict[str, Any]) -> int | None:
    """Tokens written to the vendor's cache, listed as one count or by how long they are kept."""
    if "cache_write_tokens" in row:
        return row["cache_write_tokens"]  # type: ignore[no-any-return]  # JSON: the count, or null
    by_ttl = [row[name] for name in ("cache_write_5m_tokens", "cache_write_1h_tokens") if name in row]
    return sum(by_ttl) if by_ttl else None
