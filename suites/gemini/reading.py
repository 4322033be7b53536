"""What a generateContent answer says, read from the JSON itself: the suite's own reading, apart from `harness.wire` and every gateway.

An answer is a list of chunks, whether it came as events, as one object, or as an array without `alt=sse`.
Nothing here raises: what has the wrong type counts as not there, and the schemas say so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from harness.exchange import Exchange, Response, Seen
from harness.verdict import Inconclusive
from suites.evidence import native_upstream
from suites.messages.reading import asked, number, object_of, shows, text
from suites.values import spelled

_OTHERS: Final = frozenset({"error", "setupComplete", "serverContent", "sessionResumptionUpdate"})

NO_STREAM: Final = Inconclusive("no stream reached the client")
CUT: Final = Inconclusive("the stream was broken off")
NO_ANSWER: Final = Inconclusive("no answer reached the client")
NOT_COMPARABLE: Final = Inconclusive("the upstream did not answer in this protocol")


@dataclass(kw_only=True)
class Chunk:
    """One GenerateContentResponse."""

    value: dict[str, Any]
    source: str | bytes  # its JSON text, or that of the whole array
    place: int | None = None  # in the array
    seen: Seen | None = None

    @property
    def pointer(self) -> str:
        return "" if self.place is None else f"/{self.place}"

    @cached_property
    def exact(self) -> dict[str, Any]:
        """The value with every number as it was spelled."""
        whole = spelled(self.source)
        return object_of(whole if self.place is None else whole[self.place])

    @property
    def usage(self) -> dict[str, Any]:
        return object_of(self.value.get("usageMetadata"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    chunk: Chunk
    candidate: int  # the candidate's index; absent is 0
    at: tuple[int, int]  # its candidate's and its own place in the chunk
    value: dict[str, Any]

    @property
    def pointer(self) -> str:
        return f"{self.chunk.pointer}/candidates/{self.at[0]}/content/parts/{self.at[1]}"

    @property
    def exact(self) -> dict[str, Any]:
        candidate = self.chunk.exact["candidates"][self.at[0]]
        return object_of(candidate["content"]["parts"][self.at[1]])

    @property
    def kind(self) -> str:
        """The fields that it has, apart from the signature that may ride on any."""
        return "+".join(sorted(name for name in self.value if name != "thoughtSignature")) or "nothing"


def client_chunks(exchange: Exchange) -> list[Chunk]:
    return _chunks(exchange.client.response, exchange.client_events)


def upstream_chunks(exchange: Exchange) -> list[Chunk] | None:
    """None where the upstream did not answer in this protocol."""
    if not native_upstream(exchange):
        return None
    return _chunks(exchange.upstream[-1].response, exchange.upstream_events) or None


def _chunks(response: Response | None, events: Iterable[Seen]) -> list[Chunk]:
    """Without errors, and without the messages of the Live API, which one recording holds."""
    if response is None:
        return []
    if response.is_sse:
        found = [Chunk(value=seen.data, source=seen.raw.data or "", seen=seen) for seen in events if isinstance(seen.data, dict)]
    elif isinstance(response.json, list):
        found = [Chunk(value=object_of(value), source=response.text, place=place) for place, value in enumerate(response.json)]
    else:
        found = [Chunk(value=object_of(response.json), source=response.text)]
    return [chunk for chunk in found if chunk.value and not _OTHERS & chunk.value.keys()]


def candidates(chunk: Chunk) -> list[tuple[int, int, dict[str, Any]]]:
    """Each candidate with its place and its index; an absent index is 0."""
    found = chunk.value.get("candidates")
    listed = found if isinstance(found, list) else []
    return [(place, number(value.get("index")) or 0, value) for place, value in enumerate(listed) if isinstance(value, dict)]


def parts(chunks: Iterable[Chunk]) -> Iterator[Part]:
    for chunk in chunks:
        for place, index, candidate in candidates(chunk):
            held = object_of(candidate.get("content")).get("parts")
            for number_, value in enumerate(held if isinstance(held, list) else []):
                if isinstance(value, dict):
                    yield Part(chunk=chunk, candidate=index, at=(place, number_), value=value)


def said(chunks: Iterable[Chunk], *, thought: bool) -> dict[int, str]:
    """The joined text of each candidate, of its thoughts or of its answer."""
    found: dict[int, str] = {}
    for part in parts(chunks):
        if isinstance(part.value.get("text"), str) and bool(part.value.get("thought")) is thought:
            found[part.candidate] = found.get(part.candidate, "") + part.value["text"]
    return found


def last_usage(chunks: list[Chunk]) -> dict[str, Any]:
    return next((chunk.usage for chunk in reversed(chunks) if chunk.usage), {})


__all__ = [
    "CUT",
    "NOT_COMPARABLE",
    "NO_ANSWER",
    "NO_STREAM",
    "Chunk",
    "Part",
    "asked",
    "candidates",
    "client_chunks",
    "last_usage",
    "number",
    "object_of",
    "parts",
    "said",
    "shows",
    "text",
    "upstream_chunks",
]
