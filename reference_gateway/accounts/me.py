"""What a key may read about its own account: `/api/v1/me/account` (contract:178) and `/api/v1/usage` (C33).

Both are read from where settlements are made, so whoever has read the last byte of an answer finds it here. USD amounts are JSON
numbers with up to six decimals; each has an integer `..._micro_usd` beside it, since not every reader keeps decimals exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from reference_gateway.accounts.keys import Key
from reference_gateway.billing.interface import Treasury
from reference_gateway.billing.treasury import usd
from reference_gateway.catalog import MILLION, Model
from reference_gateway.errors import INVALID_REQUEST, Refusal
from reference_gateway.storage import usage as stored
from reference_gateway.storage.interface import UsageRow


async def account(treasury: Treasury, key: Key, group: Mapping[str, Model]) -> bytes:
    """`available` is net of holds; `settled` is not, and `held` is the difference."""
    wallet = await treasury.wallet(key.account)
    threshold = treasury.accounts[key.account].low_balance_micro_usd
    amounts = {
        "available": wallet.available,
        "held": wallet.held,
        "settled": wallet.settled,
        "lifetime_topup": wallet.topped_up,
        "lifetime_spent": wallet.spent,
        "low_balance_threshold": threshold,
    }
    balance: dict[str, Any] = {f"{name}_usd": micro / MILLION for name, micro in amounts.items()}
    balance["low_balance_flagged"] = wallet.available < threshold
    balance |= {f"{name}_micro_usd": micro for name, micro in amounts.items()}
    used = await treasury.spent_by_key(key)
    return msgspec.json.encode(
        {
            "user": {"id": key.account},
            "balance": balance,
            "allowed_models": [{"id": name, "quota_used_usd": None, "quota_cap_usd": None} for name in group],
            "key": {
                "id": key.id,
                "group_id": key.group,
                "quota_used_usd": used / MILLION,
                "quota_usd": key.quota_micro_usd / MILLION if key.quota_micro_usd else None,
            },
            "org": None,
        }
    )


async def usage(treasury: Treasury, key: Key, query: bytes) -> bytes:
    """One row a billed request, newest first; `?request_id=` and `?limit=` (1 to 1000, 100 unless said)."""
    fields = parse_qs(query.decode("latin-1"))
    request_id = fields["request_id"][0] if "request_id" in fields else None
    text = fields.get("limit", ["100"])[0]
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= 1000:
        raise Refusal(INVALID_REQUEST, "limit must be a whole number from 1 to 1000.", param="limit")
    rows = await stored.rows(treasury.database, stored.UsageFilter(account=key.account, request_id=request_id, limit=int(text)))
    return msgspec.json.encode({"object": "list", "data": [_row(row) for row in rows]})


def _row(row: UsageRow) -> dict[str, Any]:
    tokens = row.usage
    prompt_tokens = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_5m_tokens + tokens.cache_write_1h_tokens
    return {
        "request_id": row.request_id,
        "model": row.model,
        "surface": row.surface,
        "key_id": row.key_id,
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cache_read_tokens": tokens.cache_read_tokens,
        "cache_write_5m_tokens": tokens.cache_write_5m_tokens,
        "cache_write_1h_tokens": tokens.cache_write_1h_tokens,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens.output_tokens,
        "cost_micro_usd": row.cost_micro_usd,
        "cost_usd": usd(row.cost_micro_usd),
        "credits": usd(row.cost_micro_usd),
        "estimated": row.estimated,
        "created": row.created_ms // 1000,
    }
