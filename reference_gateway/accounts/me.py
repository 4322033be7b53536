"""What a key may read about its own account: balance, movements of the wallet, usage rows and sums (contract:178 to contract:180, C33).

All are read from where settlements are made, so whoever has read the last byte of an answer finds it here. USD amounts are JSON numbers
with up to six decimals; each has an integer `..._micro_usd` beside it, since not every reader keeps decimals exact. Pages are newest
first; `next` is what to give as `after` for the page that follows, null where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from reference_gateway.accounts.fields import Query, iso, refuse
from reference_gateway.accounts.keys import Key
from reference_gateway.billing import movements
from reference_gateway.billing.interface import Transaction, Treasury
from reference_gateway.billing.ledger import MOVEMENTS, Kind
from reference_gateway.billing.movements import TransactionFilter
from reference_gateway.billing.treasury import usd
from reference_gateway.catalog import MILLION, Model
from reference_gateway.storage import usage as stored
from reference_gateway.storage.interface import UsageRow
from reference_gateway.storage.usage import Bucket, GroupBy, UsageFilter

DAY_MS: Final = 86_400_000
MAX_SPAN_DAYS: Final = 90
USUAL_SPAN_DAYS: Final = 30


async def account(treasury: Treasury, key: Key, group: Mapping[str, Model]) -> bytes:
    """`available` is net of holds; `settled` is not, and `held` is the difference.

    `quota_used_usd` of a model is what this key has spent on it.
    """
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
    spent = await treasury.spent_by_model(key)
    return msgspec.json.encode(
        {
            "user": {"id": key.account},
            "balance": balance,
            "allowed_models": [{"id": name, "quota_used_usd": spent.get(name, 0) / MILLION, "quota_cap_usd": None} for name in group],
            "key": {
                "id": key.id,
                "group_id": key.group,
                "quota_used_usd": await treasury.spent_by_key(key) / MILLION,
                "quota_usd": key.quota_micro_usd / MILLION if key.quota_micro_usd else None,
            },
            "org": None,
        }
    )


async def transactions(treasury: Treasury, key: Key, query_string: bytes) -> bytes:
    """Movements of the wallet that are no usage; `?kind= since= until= limit= after=`."""
    query = Query(query_string)
    kind = query.word("kind", [*MOVEMENTS, "subscription_renew"])
    since_ms, until_ms = query.moment("since"), query.moment("until")
    limit = query.integer("limit", 50, low=1, high=200)
    wanted = TransactionFilter(
        account=key.account,
        kinds=MOVEMENTS if kind is None else (Kind(kind),) if kind in list(MOVEMENTS) else (),
        since_ms=since_ms or 0,
        until_ms=stored.FOR_EVER if until_ms is None else until_ms,
        before=query.integer("after", stored.FOR_EVER, low=1, high=stored.FOR_EVER),
        limit=limit + 1,
    )
    found = await movements.transactions(treasury.database, wanted) if wanted.kinds else []
    page = found[:limit]
    after = str(page[-1].position) if len(found) > limit else None
    return msgspec.json.encode({"object": "list", "data": [_transaction(movement) for movement in page], "next": after})


def _transaction(movement: Transaction) -> dict[str, Any]:
    return {
        "id": movement.id,
        "created_at": iso(movement.at_ms / 1000),
        "kind": movement.kind.value,
        "amount_usd": movement.amount_micro_usd / MILLION,
        "amount_micro_usd": movement.amount_micro_usd,
        "balance_after_usd": movement.balance_after_micro_usd / MILLION,
        "balance_after_micro_usd": movement.balance_after_micro_usd,
        "source": movement.source,
        "note": movement.note,
    }


async def buckets(treasury: Treasury, key: Key, query_string: bytes) -> bytes:
    """Sums over the account's billed requests; `?group_by=day,model since= until= model= api_key=`; the last 30 days unless said."""
    query = Query(query_string)
    group_by = _group_by(query)
    now_ms = int(treasury.clock() * 1000)
    until_ms = query.moment("until")
    until_ms = now_ms + 1 if until_ms is None else until_ms
    since_ms = query.moment("since")
    since_ms = until_ms - USUAL_SPAN_DAYS * DAY_MS if since_ms is None else since_ms
    if not 0 <= until_ms - since_ms <= MAX_SPAN_DAYS * DAY_MS:
        raise refuse("since", f"must be before until, and by at most {MAX_SPAN_DAYS} days.")
    wanted = UsageFilter(account=key.account, model=query.text("model"), key_id=query.text("api_key"), since_ms=since_ms, until_ms=until_ms)
    found = await stored.buckets(treasury.database, wanted, group_by)
    return msgspec.json.encode(
        {
            "object": "list",
            "group_by": [group.value for group in group_by],
            "since": iso(since_ms / 1000),
            "until": iso(until_ms / 1000),
            "data": [_bucket(bucket, group_by) for bucket in found],
        }
    )


def _group_by(query: Query) -> Sequence[GroupBy]:
    words = [word for text in query.all("group_by") or ["day"] for word in text.split(",")]
    known = [group.value for group in GroupBy]
    if not words or not set(words) <= set(known):
        raise refuse("group_by", f"must be one or more of {', '.join(known)}, with commas between.")
    return [group for group in GroupBy if group in words]


def _bucket(bucket: Bucket, group_by: Sequence[GroupBy]) -> dict[str, Any]:
    names = {
        GroupBy.DAY: None if bucket.day_ms is None else iso(bucket.day_ms / 1000)[:10],
        GroupBy.HOUR: None if bucket.hour_ms is None else iso(bucket.hour_ms / 1000),
        GroupBy.MODEL: bucket.model,
        GroupBy.API_KEY: bucket.key_id,
    }
    tokens = bucket.usage
    return {group.value: names[group] for group in group_by} | {
        "total_usd": bucket.cost_micro_usd / MILLION,
        "total_micro_usd": bucket.cost_micro_usd,
        "call_count": bucket.calls,
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cache_read_tokens": tokens.cache_read_tokens,
        "cache_write_5m_tokens": tokens.cache_write_5m_tokens,
        "cache_write_1h_tokens": tokens.cache_write_1h_tokens,
        "images": tokens.images,
        "searches": tokens.searches,
        "video_seconds": tokens.video_seconds,
    }


async def usage(treasury: Treasury, key: Key, query_string: bytes) -> bytes:
    """One row a billed request; `?request_id= model= api_key= since= until= limit= after=`."""
    query = Query(query_string)
    limit = query.integer("limit", 100, low=1, high=1000)
    since_ms, until_ms = query.moment("since"), query.moment("until")
    wanted = UsageFilter(
        account=key.account,
        request_id=query.text("request_id"),
        model=query.text("model"),
        key_id=query.text("api_key"),
        since_ms=since_ms or 0,
        until_ms=stored.FOR_EVER if until_ms is None else until_ms,
        after=_after(query),
        limit=limit + 1,
    )
    found = await stored.rows(treasury.database, wanted)
    page = found[:limit]
    after = f"{page[-1].created_ms}.{page[-1].request_id}" if len(found) > limit else None
    return msgspec.json.encode({"object": "list", "data": [_row(row) for row in page], "next": after})


def _after(query: Query) -> tuple[int, str] | None:
    text = query.text("after")
    if text is None:
        return None
    at_ms, dot, request_id = text.partition(".")
    if not (dot and at_ms.isascii() and at_ms.isdigit() and len(at_ms) < 16):
        raise refuse("after", "must be the `next` of the page before.")
    return int(at_ms), request_id


def _row(row: UsageRow) -> dict[str, Any]:
    tokens = row.usage
    prompt_tokens = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_5m_tokens + tokens.cache_write_1h_tokens
    return {
        "request_id": row.request_id,
        "model": row.model,
        "surface": row.surface,
        "key_id": row.key_id,
        "upstream_provider": row.provider,
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cache_read_tokens": tokens.cache_read_tokens,
        "cache_write_5m_tokens": tokens.cache_write_5m_tokens,
        "cache_write_1h_tokens": tokens.cache_write_1h_tokens,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens.output_tokens,
        "images": tokens.images,
        "searches": tokens.searches,
        "video_seconds": tokens.video_seconds,
        "cost_micro_usd": row.cost_micro_usd,
        "cost_usd": usd(row.cost_micro_usd),
        "credits": usd(row.cost_micro_usd),
        "estimated": row.estimated,
        "created": row.created_ms // 1000,
    }
