"""The usage that an answer reports, by the token classes in which calls are billed: read from the JSON itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.case import Surface
from harness.exchange import Exchange, Response, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """`input_tokens` are those not read from or written to a cache; reasoning is part of output."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0  # of those

    @property
    def all_input(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


def reported(exchange: Exchange) -> Tokens | None:
    """What the client was told; None where the answer has no usage."""
    response = exchange.client.response
    if response is None:
        return None
    usage: dict[str, Any] = {}
    for found in _usages(exchange.case.surface, response, exchange.client_events):
        usage |= {key: value for key, value in found.items() if value is not None}
    return _tokens(exchange.case.surface, usage) if usage else None


def _usages(surface: Surface, response: Response, events: Iterable[Seen]) -> Iterator[dict[str, Any]]:
    """Each usage object of the answer, in order: later counts replace earlier ones."""
    values = [seen.data for seen in events] if response.is_sse else [response.json]
    for value in values:
        if not isinstance(value, dict):
            continue
        inner = value.get("message") if surface is Surface.MESSAGES else value.get("response") if surface is Surface.RESPONSES else None
        holders = [value, inner] if isinstance(inner, dict) else [value]
        for holder in holders:
            found = holder.get("usageMetadata" if surface is Surface.GEMINI else "usage")
            if isinstance(found, dict):
                yield found


def _tokens(surface: Surface, usage: dict[str, Any]) -> Tokens | None:
    def count(name: str, within: str | None = None) -> int:
        holder = usage.get(within) if within else usage
        value = holder.get(name) if isinstance(holder, dict) else None
        return value if type(value) is int else 0

    match surface:
        case Surface.CHAT:
            cached = count("cached_tokens", "prompt_tokens_details") or count("prompt_cache_hit_tokens")
            written = count("cache_write_tokens", "prompt_tokens_details")
            return Tokens(
                input_tokens=count("prompt_tokens") - cached - written,
                output_tokens=count("completion_tokens"),
                cache_read_tokens=cached,
                cache_write_tokens=written,
            )
        case Surface.RESPONSES:
            cached = count("cached_tokens", "input_tokens_details")
            written = count("cache_write_tokens", "input_tokens_details")
            return Tokens(
                input_tokens=count("input_tokens") - cached - written,
                output_tokens=count("output_tokens"),
                cache_read_tokens=cached,
                cache_write_tokens=written,
            )
        case Surface.MESSAGES:
            return Tokens(
                input_tokens=count("input_tokens"),
                output_tokens=count("output_tokens"),
                cache_read_tokens=count("cache_read_input_tokens"),
                cache_write_tokens=count("cache_creation_input_tokens"),
                cache_write_1h_tokens=count("ephemeral_1h_input_tokens", "cache_creation"),
            )
        case Surface.GEMINI:
            cached = count("cachedContentTokenCount")
            return Tokens(
                input_tokens=count("promptTokenCount") + count("toolUsePromptTokenCount") - cached,
                output_tokens=count("candidatesTokenCount") + count("thoughtsTokenCount"),
                cache_read_tokens=cached,
            )
        case _:
            return None


def searches(exchange: Exchange) -> int:
    """How often the vendor searched the web for the answer, as the client was told: Messages counts, Responses has an item of each."""
    response = exchange.client.response
    if response is None:
        return 0
    if exchange.case.surface is Surface.MESSAGES:
        counts = [usage.get("server_tool_use") for usage in _usages(Surface.MESSAGES, response, exchange.client_events)]
        found = [count.get("web_search_requests") for count in counts if isinstance(count, dict)]
        return next((count for count in reversed(found) if type(count) is int), 0)
    values = [seen.data for seen in exchange.client_events] if response.is_sse else [response.json]
    wholes = [value.get("response") if response.is_sse else value for value in values if isinstance(value, dict)]
    outputs = [whole.get("output") for whole in wholes if isinstance(whole, dict)]
    items = next((output for output in reversed(outputs) if isinstance(output, list)), [])
    return sum(isinstance(item, dict) and item.get("type") == "web_search_call" and _ran(item) for item in items)


def _ran(call: dict[str, Any]) -> bool:
    """A search that came to its end; to open a page and look through it is none."""
    action = call.get("action")
    kind = action.get("type") if isinstance(action, dict) else "search"
    return call.get("status") != "failed" and kind == "search"


def content_bytes(surface: Surface, events: Iterable[Seen]) -> int:
    """Bytes of text, reasoning and tool input in the events. A role, message_start and pings are no content."""
    return sum(_said(_content(surface, seen.data)) for seen in events if isinstance(seen.data, dict))


def _content(surface: Surface, data: dict[str, Any]) -> Any:
    match surface:
        case Surface.CHAT:
            deltas = [choice.get("delta") for choice in data.get("choices") or [] if isinstance(choice, dict)]
            return [{key: value for key, value in delta.items() if key != "role"} for delta in deltas if isinstance(delta, dict)]
        case Surface.MESSAGES:
            delta = data.get("delta")
            return (
                {key: value for key, value in delta.items() if key != "type"} if data.get("type") == "content_block_delta" and delta else ""
            )
        case Surface.RESPONSES:
            return data.get("delta") or ""
        case _:
            return [candidate.get("content") for candidate in data.get("candidates") or [] if isinstance(candidate, dict)]


def _said(value: Any) -> int:
    match value:
        case str():
            return len(value.encode("utf-8", "replace"))
        case list():
            return sum(map(_said, value))
        case dict():
            return sum(_said(inner) for key, inner in value.items() if key != "role")
        case _:
            return 0
