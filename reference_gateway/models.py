"""The model list in three dialects: OpenAI's with the gateway's own fields (contract:057), Anthropic's, and Google's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, assert_never

import msgspec

from reference_gateway.catalog import MILLION, Model
from reference_gateway.errors import Family


def listing(family: Family, models: Iterable[Model]) -> bytes:
    cards = [_card(family, model) for model in models]
    match family:
        case Family.OPENAI:
            return msgspec.json.encode({"object": "list", "data": cards})
        case Family.ANTHROPIC:
            first, last = (cards[0]["id"], cards[-1]["id"]) if cards else (None, None)
            return msgspec.json.encode({"data": cards, "has_more": False, "first_id": first, "last_id": last})
        case Family.GOOGLE:
            return msgspec.json.encode({"models": cards})
        case _:
            assert_never(family)


def pricing(models: Iterable[Model]) -> bytes:
    """USD per million tokens of each class (contract:062, C22, C29)."""
    return msgspec.json.encode({"object": "list", "data": [_rates(model) for model in models]})


def _rates(model: Model) -> dict[str, Any]:
    prices = model.prices
    rates: dict[str, Any] = {
        "input_per_1m": prices.input / MILLION,
        "cache_write_per_1m": prices.cache_write_5m / MILLION,
        "cache_write_1h_per_1m": prices.cache_write_1h / MILLION,
        "cache_read_per_1m": prices.cache_read / MILLION,
        "output_per_1m": prices.output / MILLION,
        "currency": "USD",
    }
    updated = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"model": model.id, "category": "text", "vendor": model.owned_by, "rates": rates, "updated_at": updated}


def card(family: Family, model: Model) -> bytes:
    return msgspec.json.encode(_card(family, model))


def _card(family: Family, model: Model) -> dict[str, Any]:
    match family:
        case Family.OPENAI:
            return {
                "id": model.id,
                "object": "model",
                "created": model.created,
                "owned_by": model.owned_by,
                "family": model.family,
                "capabilities": list(model.capabilities),
                "context_window": model.context_window,
                "max_output_tokens": model.max_output_tokens,
                "input_modalities": ["text", "image"] if "vision" in model.capabilities else ["text"],
                "output_modalities": ["text"],
                "pricing_url": "/api/pricing",
            }
        case Family.ANTHROPIC:
            created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"type": "model", "id": model.id, "display_name": model.id, "created_at": created}
        case Family.GOOGLE:
            return {
                "name": f"models/{model.id}",
                "version": model.id,
                "displayName": model.id,
                "inputTokenLimit": model.context_window,
                "outputTokenLimit": model.max_output_tokens,
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
            }
        case _:
            assert_never(family)
