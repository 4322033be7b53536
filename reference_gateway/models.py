"""What can be called and what it costs: the model list in three dialects, the account's models over all its groups, and the prices.

The list is OpenAI's with the gateway's own fields (contract:057), Anthropic's, or Google's, as the caller asks; it names no price
(contract:062). A filter that matches nothing gives an empty list: there is no 400 here (contract:061).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, assert_never

import msgspec

from reference_gateway.billing.prices import MILLION, PLAIN_IMAGE, Prices, PriceTable
from reference_gateway.catalog import Model
from reference_gateway.errors import Family
from reference_gateway.routes import Surface

# contract:059
CAPABILITIES: Final = (
    *("text", "vision", "audio", "video", "tool_use", "streaming", "cache_control", "thinking", "json_schema", "logprobs"),
    *("image_gen", "video_gen"),
)
PROTOCOLS: Final = {
    Surface.CHAT: "openai_chat",
    Surface.RESPONSES: "openai_responses",
    Surface.MESSAGES: "anthropic_messages",
    Surface.GEMINI: "gemini_generate_content",
    Surface.IMAGES: "openai_images",
    Surface.VIDEOS: "video_tasks",
}
_INPUTS: Final = {"vision": "image", "audio": "audio", "video": "video"}
_OUTPUTS: Final = {"image_gen": "image", "video_gen": "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`capabilities` must all be there; of `families` one is the value of the field `family`, or of `owned_by` (contract:058, C13)."""

    capabilities: Collection[str] = ()
    families: Collection[str] = ()

    def passes(self, model: Model) -> bool:
        if self.families and model.family not in self.families and model.owned_by not in self.families:
            return False
        return all(tag in model.capabilities for tag in self.capabilities)


def listing(family: Family, models: Iterable[Model], wanted: Filter = Filter()) -> bytes:
    cards = [_card(family, model) for model in models if wanted.passes(model)]
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
                "input_modalities": ["text", *_modalities(model, _INPUTS)],
                "output_modalities": _modalities(model, _OUTPUTS) or ["text"],
                "pricing_url": "/api/pricing",
            }
        case Family.ANTHROPIC:
            return {"type": "model", "id": model.id, "display_name": model.id, "created_at": _iso(model.created)}
        case Family.GOOGLE:
            served = model.surfaces | model.translated
            return {
                "name": f"models/{model.id}",
                "version": model.id,
                "displayName": model.id,
                "inputTokenLimit": model.context_window,
                "outputTokenLimit": model.max_output_tokens,
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent"] if Surface.GEMINI in served else [],
            }
        case _:
            assert_never(family)


def _modalities(model: Model, names: Mapping[str, str]) -> list[str]:
    return [modality for tag, modality in names.items() if tag in model.capabilities]


def available(groups: Mapping[str, Mapping[str, Model]], translated: Callable[[Model], Collection[Surface]]) -> bytes:
    """Every model that some group of these can call, with the groups, and the protocols it speaks there (contract:040, contract:063)."""
    models: dict[str, Model] = {}
    named: dict[str, list[str]] = {}
    for group, members in groups.items():
        for id_, model in members.items():
            models[id_] = model
            named.setdefault(id_, []).append(group)
    data = [
        {
            "id": model.id,
            "object": "model",
            "owned_by": model.owned_by,
            "family": model.family,
            "capabilities": list(model.capabilities),
            "groups": named[model.id],
            "protocols_aggregate": protocols(model, translated(model)),
        }
        for model in models.values()
    ]
    return msgspec.json.encode({"object": "list", "data": data})


def protocols(model: Model, translated: Collection[Surface]) -> list[str]:
    """Native ones by their name, translated ones with `:translated` after it."""
    native = [name for surface, name in PROTOCOLS.items() if surface in model.surfaces]
    return native + [f"{name}:translated" for surface, name in PROTOCOLS.items() if surface in translated and surface not in model.surfaces]


def groups(groups: Mapping[str, Mapping[str, Model]]) -> bytes:
    """What a key can be bound to (contract:040)."""
    data = [{"id": name, "object": "group", "name": name, "models": list(members)} for name, members in groups.items()]
    return msgspec.json.encode({"object": "list", "data": data})


def pricing(models: Iterable[Model], prices: PriceTable, now_ms: float) -> bytes:
    """USD in force now: per million tokens of each class, per search, second of video, and image of each class (contract:062, C22, C29)."""
    return msgspec.json.encode({"object": "list", "data": [_price(model, prices, now_ms) for model in models]})


def _price(model: Model, prices: PriceTable, now_ms: float) -> dict[str, Any]:
    since_ms = max((change.valid_from_ms for change in prices.changes(model.priced_as) if change.valid_from_ms <= now_ms), default=0)
    return {
        "model": model.id,
        "category": (_modalities(model, _OUTPUTS) or ["text"])[0],
        "vendor": model.owned_by,
        "rates": _rates(prices.at(model.priced_as, now_ms)),
        "updated_at": _iso(since_ms // 1000 or model.created),
    }


def _rates(prices: Prices) -> dict[str, Any]:
    rates: dict[str, Any] = {
        "input_per_1m": prices.input / MILLION,
        "cache_write_per_1m": prices.cache_write_5m / MILLION,
        "cache_write_1h_per_1m": prices.cache_write_1h / MILLION,
        "cache_read_per_1m": prices.cache_read / MILLION,
        "output_per_1m": prices.output / MILLION,
        "currency": "USD",
    }
    if prices.search:
        rates["per_search"] = prices.search / MILLION
    if prices.video_second:
        rates["per_video_second"] = prices.video_second / MILLION
        rates["per_video"] = prices.video_submit / MILLION
    if prices.images:
        rates["per_image"] = prices.image() / MILLION
        rates["per_image_by_class"] = {name: price / MILLION for name, price in prices.images.items() if name != PLAIN_IMAGE}
    return rates


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
