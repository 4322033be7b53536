"""What a run used up: tokens as the answers state them, money as the account does. For the run's arithmetic, never for a verdict."""

from collections.abc import Iterable
from typing import Any

from harness.case import Surface
from harness.exchange import Exchange


def tokens(exchange: Exchange) -> int:
    """Input and output tokens of the answer that reached the client; 0 where it states none."""
    response = exchange.client.response
    if response is None or not response.ok:
        return 0
    documents = [seen.data for seen in exchange.client_events] if response.is_sse else [response.json]
    if exchange.case.surface is Surface.GEMINI and isinstance(response.json, list):
        documents = response.json
    return _stated(exchange.case.surface, [document for document in documents if isinstance(document, dict)])


def _stated(surface: Surface, documents: list[dict[str, Any]]) -> int:
    """The last count stands: all four protocols repeat or add up as a stream goes on."""
    match surface:
        case Surface.CHAT:
            return _last(_number(document.get("usage"), "total_tokens") for document in documents)
        case Surface.RESPONSES:
            return _last(_number(_inner(document, "response").get("usage"), "total_tokens") for document in documents)
        case Surface.GEMINI:
            return _last(_number(document.get("usageMetadata"), "totalTokenCount") for document in documents)
        case Surface.MESSAGES:
            usages = [_inner(document, "message").get("usage") for document in documents]
            names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
            return sum(_last(_number(usage, name) for usage in usages) for name in names)
        case _:
            return 0


def _inner(document: dict[str, Any], key: str) -> dict[str, Any]:
    inner = document.get(key)
    return inner if isinstance(inner, dict) else document


def _number(usage: Any, key: str) -> int | None:
    count = usage.get(key) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None


def _last(counts: Iterable[int | None]) -> int:
    return next((count for count in reversed(list(counts)) if count is not None), 0)
